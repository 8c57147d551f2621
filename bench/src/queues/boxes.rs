//! Queues of pointers: each record is a box of its own, which the consumer frees.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use super::{CAPACITY, Consumer, Ends, Producer, Queue};

/// crossbeam's bounded queue: any number of producers and consumers.
#[derive(Debug)]
pub struct ArrayQueue(crossbeam_queue::ArrayQueue<Box<[u8]>>);

impl Queue for ArrayQueue {
    const NAME: &'static str = "ArrayQueue<Box>";
    type Producer<'q> = &'q crossbeam_queue::ArrayQueue<Box<[u8]>>;
    type Consumer<'q> = TakingBoxes<'q>;

    fn new(size: usize) -> Self {
        Self(crossbeam_queue::ArrayQueue::new(CAPACITY / size))
    }

    fn split(&mut self, producers: usize) -> Option<Ends<'_, Self>> {
        Some((vec![&self.0; producers], TakingBoxes(&self.0)))
    }
}

/// The consuming end of an [`ArrayQueue`].
#[derive(Debug)]
pub struct TakingBoxes<'q>(&'q crossbeam_queue::ArrayQueue<Box<[u8]>>);

impl Producer for &crossbeam_queue::ArrayQueue<Box<[u8]>> {
    #[inline]
    fn push(&mut self, chunk: &[u8]) -> bool {
        // A full queue is detected before the box is allocated, as a user of the queue would do.
        !self.is_full() && crossbeam_queue::ArrayQueue::push(self, chunk.into()).is_ok()
    }
}

impl Consumer for TakingBoxes<'_> {
    #[inline]
    fn release(&mut self) -> bool {
        self.0.pop().is_some()
    }
}

/// The bounded channel of the standard library: any number of producers.
#[derive(Debug)]
pub struct SyncChannel {
    sender: SyncSender<Box<[u8]>>,
    receiver: Receiver<Box<[u8]>>,
}

impl Queue for SyncChannel {
    const NAME: &'static str = "sync_channel<Box>";
    type Producer<'q> = SyncSender<Box<[u8]>>;
    type Consumer<'q> = &'q mut Receiver<Box<[u8]>>;

    fn new(size: usize) -> Self {
        let (sender, receiver) = sync_channel(CAPACITY / size);
        Self { sender, receiver }
    }

    fn split(&mut self, producers: usize) -> Option<Ends<'_, Self>> {
        Some((vec![self.sender.clone(); producers], &mut self.receiver))
    }
}

impl Producer for SyncSender<Box<[u8]>> {
    #[inline]
    fn push(&mut self, chunk: &[u8]) -> bool {
        match self.try_send(chunk.into()) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => false,
            Err(TrySendError::Disconnected(_)) => unreachable!("the receiver is in the same queue"),
        }
    }
}

impl Consumer for &mut Receiver<Box<[u8]>> {
    #[inline]
    fn release(&mut self) -> bool {
        self.try_recv().is_ok()
    }
}
