//! Bounded queues of byte records behind one small trait: ours, and others.
//!
//! All are made with the same room. Queues of bytes put a word with the length in front of each
//! record, because a reader needs it; queues of boxes get as many places as records of the measured
//! size fit into that room.
//!
//! Two are not queues and have no consumer: the plain copy, and the recorder, which overwrites the
//! oldest records.

mod boxes;
mod framed;
mod locked;
mod memcpy;
mod ours;
mod region;
mod ringbuf;
mod rtrb;

pub use boxes::{ArrayQueue, SyncChannel};
pub use framed::BbQueue;
pub use locked::Locked;
pub use memcpy::Memcpy;
pub use ours::{Mpsc, MpscBell, Overwriting, Spsc};
pub use region::Region;
pub use ringbuf::RingBuf;
pub use rtrb::Rtrb;

/// Bytes of room that every queue is given.
pub const CAPACITY: usize = 16 << 20;

/// A queue to be measured.
pub trait Queue: Sized + 'static {
    /// Its name in tables.
    const NAME: &'static str;
    /// Puts records in.
    type Producer<'q>: Producer + Send;
    /// Takes them out.
    type Consumer<'q>: Consumer + Send;

    /// An empty queue with [`CAPACITY`] bytes of room, to be used for records of `size` bytes. Its memory has been touched.
    fn new(size: usize) -> Self;

    /// Both ends, with this many producers; `None` if that is not supported. What is in the queue
    /// stays there.
    fn split(&mut self, producers: usize) -> Option<Ends<'_, Self>>;
}

/// The producers and the consumer of a queue.
pub type Ends<'q, Q> = (Vec<<Q as Queue>::Producer<'q>>, <Q as Queue>::Consumer<'q>);

/// The end at which records are put in.
pub trait Producer {
    /// Copies one record in; `false` if there is no room now.
    fn push(&mut self, chunk: &[u8]) -> bool;
}

/// The end at which records are taken out. The payload is not read.
pub trait Consumer {
    /// Gives back the room of the oldest record; `false` if there is none.
    fn release(&mut self) -> bool;

    /// The same for up to `most` records at once, if the queue supports that; returns how many.
    fn release_some(&mut self, most: usize) -> usize {
        (0..most).take_while(|_| self.release()).count()
    }
}

/// Bytes of the length in front of a record in a queue of bytes.
const WORD: usize = size_of::<u64>();

/// The length in such a word.
#[inline]
fn length(word: [u8; WORD]) -> usize {
    u64::from_ne_bytes(word) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes_and_gives<Q: Queue>() {
        for size in [64, 2 << 20] {
            let mut queue = Q::new(size);
            let producers = if queue.split(2).is_some() { 2 } else { 1 };
            let (mut ends, mut consumer) = queue.split(producers).expect("as before");
            let producer = &mut ends[0];
            let chunk = vec![7; size];
            // More than two laps, so that records wrap.
            for _ in 0..2 * CAPACITY / size / 3 + 9 {
                assert!((0..3).all(|_| producer.push(&chunk)), "{}", Q::NAME);
                assert_eq!(consumer.release_some(2), 2, "{}", Q::NAME);
                assert!(consumer.release(), "{}", Q::NAME);
                assert!(!consumer.release(), "{}", Q::NAME);
            }
            let last = &mut ends[producers - 1];
            let accepted = std::iter::from_fn(|| last.push(&chunk).then_some(())).count();
            let fit = CAPACITY / size;
            assert!(
                accepted <= fit && accepted > fit / 2,
                "{}: {accepted}",
                Q::NAME
            );
            assert_eq!(consumer.release_some(usize::MAX), accepted, "{}", Q::NAME);
        }
    }

    #[test]
    fn all_queues_are_bounded_and_lose_nothing() {
        takes_and_gives::<Spsc>();
        takes_and_gives::<Mpsc>();
        takes_and_gives::<MpscBell>();
        takes_and_gives::<Rtrb>();
        takes_and_gives::<BbQueue>();
        takes_and_gives::<RingBuf>();
        takes_and_gives::<ArrayQueue>();
        takes_and_gives::<SyncChannel>();
        takes_and_gives::<Locked>();
    }
}
