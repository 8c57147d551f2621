//! A lock around a queue of bytes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{CAPACITY, Consumer, Ends, Producer, Queue, WORD, length};

/// `Mutex<VecDeque<u8>>`. Both copies are made under the lock.
#[derive(Debug)]
pub struct Locked(Mutex<VecDeque<u8>>);

/// Either end.
#[derive(Debug, Clone, Copy)]
pub struct End<'q>(&'q Mutex<VecDeque<u8>>);

impl Queue for Locked {
    const NAME: &'static str = "Mutex<VecDeque>";
    type Producer<'q> = End<'q>;
    type Consumer<'q> = End<'q>;

    fn new(_size: usize) -> Self {
        // Touches the memory, which then stays allocated.
        let mut bytes = VecDeque::from(vec![1; CAPACITY]);
        bytes.clear();
        Self(Mutex::new(bytes))
    }

    fn split(&mut self, producers: usize) -> Option<Ends<'_, Self>> {
        Some((vec![End(&self.0); producers], End(&self.0)))
    }
}

impl<'q> End<'q> {
    #[inline]
    fn lock(&self) -> MutexGuard<'q, VecDeque<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Producer for End<'_> {
    #[inline]
    fn push(&mut self, chunk: &[u8]) -> bool {
        let mut bytes = self.lock();
        if CAPACITY - bytes.len() < WORD + chunk.len() {
            return false;
        }
        bytes.extend((chunk.len() as u64).to_ne_bytes());
        bytes.extend(chunk);
        true
    }
}

impl Consumer for End<'_> {
    #[inline]
    fn release(&mut self) -> bool {
        self.release_some(1) == 1
    }

    #[inline]
    fn release_some(&mut self, most: usize) -> usize {
        let mut bytes = self.lock();
        let mut count = 0;
        while count < most && !bytes.is_empty() {
            let mut word = [0; WORD];
            for (to, from) in word.iter_mut().zip(bytes.iter()) {
                *to = *from;
            }
            bytes.drain(..WORD + length(word));
            count += 1;
        }
        count
    }
}
