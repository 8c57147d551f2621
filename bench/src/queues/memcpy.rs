//! No queue: the copy that none of them can avoid, in a circle through memory of the same size.

use std::hint::black_box;
use std::marker::PhantomData;

use super::{CAPACITY, Consumer, Ends, Producer, Queue, Region};

/// Copies records into memory that is not read.
#[derive(Debug)]
pub struct Memcpy {
    region: Region,
}

/// Writes to its part of the memory, of which each producer has one.
#[derive(Debug)]
pub struct Copier<'q> {
    start: *mut u8,
    at: usize,
    size: usize,
    _region: PhantomData<&'q mut Region>,
}

// SAFETY: what is written is not read, and each copier has its own part.
unsafe impl Send for Copier<'_> {}

/// Nothing has to be released.
#[derive(Debug)]
pub struct Nothing;

impl Queue for Memcpy {
    const NAME: &'static str = "memcpy";
    type Producer<'q> = Copier<'q>;
    type Consumer<'q> = Nothing;

    fn new(_size: usize) -> Self {
        Self {
            region: Region::new(CAPACITY),
        }
    }

    fn split(&mut self, producers: usize) -> Option<Ends<'_, Self>> {
        let size = CAPACITY / producers;
        let copier = |index: usize| Copier {
            // SAFETY: each part begins inside the region.
            start: unsafe { self.region.start().as_ptr().add(index * size) },
            at: 0,
            size,
            _region: PhantomData,
        };
        Some(((0..producers).map(copier).collect(), Nothing))
    }
}

impl Producer for Copier<'_> {
    #[inline]
    fn push(&mut self, chunk: &[u8]) -> bool {
        if chunk.len() > self.size - self.at {
            self.at = 0;
        }
        assert!(chunk.len() <= self.size, "a chunk that fits");
        // SAFETY: `at` leaves room for the chunk, and the copier has its part of the region for itself.
        unsafe {
            let to = black_box(self.start).add(self.at);
            to.copy_from_nonoverlapping(black_box(chunk).as_ptr(), chunk.len());
        }
        self.at += chunk.len();
        true
    }
}

impl Consumer for Nothing {
    #[inline]
    fn release(&mut self) -> bool {
        true
    }

    #[inline]
    fn release_some(&mut self, most: usize) -> usize {
        most
    }
}
