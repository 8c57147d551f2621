//! bbqueue: one producer, one consumer, records in one piece.

use bbqueue::BBQueue;
use bbqueue::prod_cons::framed::{FramedConsumer, FramedProducer};
use bbqueue::traits::bbqhdl::BbqHandle;
use bbqueue::traits::coordination::cas::AtomicCoord;
use bbqueue::traits::notifier::polling::Polling;
use bbqueue::traits::storage::BoxedSlice;

use super::{CAPACITY, Consumer, Ends, Producer, Queue};

type Inner = BBQueue<BoxedSlice, AtomicCoord, Polling>;

/// A queue of frames with a length in front.
pub struct BbQueue(Inner);

impl std::fmt::Debug for BbQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BbQueue").finish_non_exhaustive()
    }
}

impl Queue for BbQueue {
    const NAME: &'static str = "bbqueue";
    type Producer<'q> = FramedProducer<&'q Inner, usize>;
    type Consumer<'q> = FramedConsumer<&'q Inner, usize>;

    fn new(_size: usize) -> Self {
        // It zeroes its storage.
        Self(BBQueue::new_with_storage(BoxedSlice::new(CAPACITY)))
    }

    fn split(&mut self, producers: usize) -> Option<Ends<'_, Self>> {
        let queue = &&self.0;
        (producers == 1).then_some((vec![queue.framed_producer()], queue.framed_consumer()))
    }
}

impl Producer for FramedProducer<&Inner, usize> {
    #[inline]
    fn push(&mut self, chunk: &[u8]) -> bool {
        let Ok(mut grant) = self.grant(chunk.len()) else {
            return false;
        };
        grant.copy_from_slice(chunk);
        grant.commit(chunk.len());
        true
    }
}

impl Consumer for FramedConsumer<&Inner, usize> {
    #[inline]
    fn release(&mut self) -> bool {
        match self.read() {
            Ok(grant) => {
                grant.release();
                true
            }
            Err(_) => false,
        }
    }
}
