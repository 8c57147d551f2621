//! rtrb: one producer, one consumer.

use std::mem::MaybeUninit;

use rtrb::CopyToUninit;

use super::{CAPACITY, Consumer, Ends, Producer, Queue, WORD, length};

/// A ring of bytes. Length and payload are written as one chunk in place, and committed together.
#[derive(Debug)]
pub struct Rtrb {
    producer: rtrb::Producer<u8>,
    consumer: rtrb::Consumer<u8>,
}

impl Queue for Rtrb {
    const NAME: &'static str = "rtrb";
    type Producer<'q> = &'q mut rtrb::Producer<u8>;
    type Consumer<'q> = &'q mut rtrb::Consumer<u8>;

    fn new(_size: usize) -> Self {
        let (mut producer, mut consumer) = rtrb::RingBuffer::new(CAPACITY);
        // Touches the memory.
        let zeroed = producer
            .write_chunk(CAPACITY)
            .map(|chunk| chunk.commit_all());
        zeroed.expect("an empty ring");
        consumer
            .read_chunk(CAPACITY)
            .expect("a full ring")
            .commit_all();
        Self { producer, consumer }
    }

    fn split(&mut self, producers: usize) -> Option<Ends<'_, Self>> {
        (producers == 1).then_some((vec![&mut self.producer], &mut self.consumer))
    }
}

/// Copies a word and a chunk to two slices that are treated as one, and together have their length.
#[cold]
fn split(first: &mut [MaybeUninit<u8>], second: &mut [MaybeUninit<u8>], word: &[u8], chunk: &[u8]) {
    let in_first = first.len().min(WORD);
    let (word, word_rest) = word.split_at(in_first);
    let (first_word, first) = first.split_at_mut(in_first);
    let (second_word, second) = second.split_at_mut(WORD - in_first);
    word.copy_to_uninit(first_word);
    word_rest.copy_to_uninit(second_word);
    let (chunk, chunk_rest) = chunk.split_at(first.len());
    chunk.copy_to_uninit(first);
    chunk_rest.copy_to_uninit(second);
}

impl Producer for &mut rtrb::Producer<u8> {
    #[inline]
    fn push(&mut self, chunk: &[u8]) -> bool {
        let Ok(mut room) = self.write_chunk_uninit(WORD + chunk.len()) else {
            return false;
        };
        let (first, second) = room.as_mut_slices();
        let word = (chunk.len() as u64).to_ne_bytes();
        if second.is_empty() {
            let (front, rest) = first.split_at_mut(WORD);
            word.copy_to_uninit(front);
            chunk.copy_to_uninit(rest);
        } else {
            split(first, second, &word, chunk);
        }
        // SAFETY: both parts together are as long as the room, and both were written.
        unsafe { room.commit_all() };
        true
    }
}

impl Consumer for &mut rtrb::Consumer<u8> {
    #[inline]
    fn release(&mut self) -> bool {
        self.release_some(1) == 1
    }

    #[inline]
    fn release_some(&mut self, most: usize) -> usize {
        // Everything there is: a record is committed as a whole.
        let slots = self.slots();
        let Ok(chunk) = self.read_chunk(slots) else {
            return 0;
        };
        let (first, second) = chunk.as_slices();
        let (mut at, mut count) = (0, 0);
        while at < slots && count < most {
            let mut word = [0; WORD];
            match first.get(at..at + WORD) {
                Some(bytes) => word.copy_from_slice(bytes),
                None => {
                    for (offset, byte) in word.iter_mut().enumerate() {
                        let at = at + offset;
                        *byte = *first.get(at).unwrap_or_else(|| &second[at - first.len()]);
                    }
                }
            }
            at += WORD + length(word);
            count += 1;
        }
        chunk.commit(at);
        count
    }
}
