//! ringbuf: one producer, one consumer.

use ringbuf::traits::{Consumer as _, Observer, Producer as _, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};

use super::{CAPACITY, Consumer, Ends, Producer, Queue, WORD, length};

/// A ring of bytes. Length and payload are pushed as two slices, once there is room for both.
pub struct RingBuf {
    producer: HeapProd<u8>,
    consumer: HeapCons<u8>,
}

impl std::fmt::Debug for RingBuf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RingBuf").finish_non_exhaustive()
    }
}

impl Queue for RingBuf {
    const NAME: &'static str = "ringbuf";
    type Producer<'q> = &'q mut HeapProd<u8>;
    type Consumer<'q> = &'q mut HeapCons<u8>;

    fn new(_size: usize) -> Self {
        let (mut producer, mut consumer) = HeapRb::new(CAPACITY).split();
        // Touches the memory.
        let zeroes = vec![0; CAPACITY];
        assert_eq!(producer.push_slice(&zeroes), CAPACITY);
        assert_eq!(consumer.skip(CAPACITY), CAPACITY);
        Self { producer, consumer }
    }

    fn split(&mut self, producers: usize) -> Option<Ends<'_, Self>> {
        (producers == 1).then_some((vec![&mut self.producer], &mut self.consumer))
    }
}

impl Producer for &mut HeapProd<u8> {
    #[inline]
    fn push(&mut self, chunk: &[u8]) -> bool {
        if self.vacant_len() < WORD + chunk.len() {
            return false;
        }
        self.push_slice(&(chunk.len() as u64).to_ne_bytes());
        self.push_slice(chunk);
        true
    }
}

impl Consumer for &mut HeapCons<u8> {
    #[inline]
    fn release(&mut self) -> bool {
        let there = self.occupied_len();
        let mut word = [0; WORD];
        if there < WORD || self.peek_slice(&mut word) != WORD {
            return false;
        }
        // The length is visible before the payload is.
        let record = WORD + length(word);
        there >= record && self.skip(record) == record
    }
}
