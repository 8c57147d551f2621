//! Many producers, one consumer.

use core::fmt;

use crate::bug::{bug, unless_bug};
use crate::claim::{PushError, Side};
use crate::counters::Counters;
use crate::gate::Epoch;
use crate::layout::Position;
use crate::loss::Loss;
use crate::reservation::Reservation;
use crate::ring::Ring;
use crate::shim::Ordering;

/// A handle that any number of threads may copy and use at the same time.
///
/// No method waits, allocates, locks or makes a system call, so all of them may be called in a signal handler, even one
/// that interrupts another push of the same thread.
#[derive(Clone, Copy)]
pub struct Producer<'r> {
    ring: &'r Ring<'r>,
}

/// The producers' side: all its state is in the ring.
struct Shared;

impl Side for Shared {
    #[inline]
    fn seen_head(&self, ring: &Ring<'_>) -> Position {
        // Acquire pairs with the Release in `remember_head`: what the producer that stored it acquired from the
        // consumer is passed on to us.
        let order = unless_bug!("relaxed_seen_head", Ordering::Acquire);
        ring.producers.head_cache.load(order)
    }

    #[inline]
    fn remember_head(&mut self, ring: &Ring<'_>, head: Position) {
        // A slower producer may store an older head. That only costs a reload.
        // Release pairs with the Acquire in `seen_head`.
        let order = unless_bug!("relaxed_head_cache", Ordering::Release);
        ring.producers.head_cache.store(head, order);
    }

    #[inline]
    fn tail(&self, ring: &Ring<'_>) -> Position {
        // Relaxed: an old value fails the exchange.
        ring.producers.tail.load(Ordering::Relaxed)
    }

    #[inline]
    fn advance(&mut self, ring: &Ring<'_>, from: Position, to: Position) -> bool {
        if bug!("blind_claim") {
            ring.producers.tail.store(to, Ordering::Relaxed);
            return true;
        }
        // Relaxed: claims are disjoint (I1) because the exchange is on a single word. Nothing is published through the
        // tail: payload is ordered by the header, room by the head.
        ring.producers
            .tail
            .compare_exchange_weak(from, to, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }
}

impl<'r> Producer<'r> {
    pub(crate) fn new(ring: &'r Ring<'r>) -> Self {
        Self { ring }
    }

    /// The epoch of the gate now, whether it is open or closed.
    pub fn epoch(&self) -> Epoch {
        self.ring.producers.gate.read().epoch
    }

    /// Copies `chunk` into the ring as one record of the current epoch.
    ///
    /// # Errors
    /// [`PushError`] is the reason why it was not taken; the chunk is not counted as lost.
    #[inline]
    pub fn push(&self, chunk: &[u8]) -> Result<(), PushError> {
        self.ring.push(&mut Shared, None, chunk)
    }

    /// Like [`push`](Self::push), unless the gate is in another epoch than `epoch`.
    ///
    /// # Errors
    /// As for `push`, and [`PushError::Stale`].
    #[inline]
    pub fn push_in(&self, epoch: Epoch, chunk: &[u8]) -> Result<(), PushError> {
        self.ring.push(&mut Shared, Some(epoch), chunk)
    }

    /// Claims room for a record of `len` bytes, to be written in place.
    ///
    /// # Errors
    /// As for [`push`](Self::push).
    #[inline]
    pub fn reserve(&self, len: usize) -> Result<Reservation<'r>, PushError> {
        self.ring.reserve(&mut Shared, None, len)
    }

    /// Like [`reserve`](Self::reserve), unless the gate is in another epoch than `epoch`.
    ///
    /// # Errors
    /// As for [`push_in`](Self::push_in).
    #[inline]
    pub fn reserve_in(&self, epoch: Epoch, len: usize) -> Result<Reservation<'r>, PushError> {
        self.ring.reserve(&mut Shared, Some(epoch), len)
    }

    /// Counts records that the caller has given up; the next record with room for it carries a note of them. A loss of no
    /// records is ignored.
    pub fn record_loss(&self, loss: Loss) {
        self.ring.record_loss(loss);
    }

    /// Refuses all producers from now on. Same as [`Consumer::close`](crate::Consumer::close), for an exit path.
    pub fn close(&self) {
        self.ring.producers.gate.close();
    }

    /// Bytes of granules claimed now, as far as this thread sees.
    pub fn used(&self) -> usize {
        self.ring.used()
    }

    /// Totals since the ring was made.
    pub fn counters(&self) -> Counters {
        self.ring.counters()
    }
}

impl fmt::Debug for Producer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("mpsc::Producer").field(self.ring).finish()
    }
}
