//! One producer, one consumer.

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;

use crate::claim::{PushError, Side};
use crate::counters::Counters;
use crate::gate::Epoch;
use crate::layout::Position;
use crate::loss::Loss;
use crate::reservation::Reservation;
use crate::ring::Ring;
use crate::shim::Ordering;

/// The one producing handle. It keeps its own copies of head and tail and claims by a plain store.
///
/// It may move to another thread, but two threads cannot use it at once:
/// ```compile_fail,E0277
/// fn shared_by_threads<T: Sync>() {}
/// shared_by_threads::<eventlog_ring::spsc::Producer>();
/// ```
/// nor can there be a second one:
/// ```compile_fail,E0277
/// fn copied<T: Copy>() {}
/// copied::<eventlog_ring::spsc::Producer>();
/// ```
/// nor two reservations at a time:
/// ```compile_fail,E0499
/// # use eventlog_ring::{Granule, HeaderWord, Ring, Storage};
/// # let mut headers = [HeaderWord::ZERO; 8];
/// # let mut granules = [Granule::ZERO; 8];
/// # let mut ring = Ring::new(Storage::new(&mut headers, &mut granules).unwrap());
/// let (mut producer, _consumer) = ring.spsc();
/// let first = producer.reserve(1);
/// let second = producer.reserve(1);
/// drop(first);
/// ```
pub struct Producer<'r> {
    ring: &'r Ring<'r>,
    side: Local,
    /// Not `Sync`: the methods that take `&self` are for the one thread, too.
    _one_thread: PhantomData<Cell<()>>,
}

/// The producer's own copies of head and tail.
struct Local {
    /// As last loaded with Acquire by this thread, or by the thread that passed the handle to it.
    head: Position,
    tail: Position,
}

impl Side for Local {
    #[inline]
    fn seen_head(&self, _: &Ring<'_>) -> Position {
        self.head
    }

    #[inline]
    fn remember_head(&mut self, _: &Ring<'_>, head: Position) {
        self.head = head;
    }

    #[inline]
    fn tail(&self, _: &Ring<'_>) -> Position {
        self.tail
    }

    #[inline]
    fn advance(&mut self, ring: &Ring<'_>, from: Position, to: Position) -> bool {
        debug_assert_eq!(from, self.tail);
        self.tail = to;
        // Relaxed: no other thread writes the tail (I1), and nothing is published through it.
        ring.producers.tail.store(to, Ordering::Relaxed);
        true
    }
}

impl<'r> Producer<'r> {
    pub(crate) fn new(ring: &'r Ring<'r>) -> Self {
        // The caller has the ring to itself at this moment, so these are the last values; Acquire as in `claim`.
        let side = Local {
            head: ring.consumer.head.load(Ordering::Acquire),
            tail: ring.producers.tail.load(Ordering::Relaxed),
        };
        Self {
            ring,
            side,
            _one_thread: PhantomData,
        }
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
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), PushError> {
        self.ring.push(&mut self.side, None, chunk)
    }

    /// Like [`push`](Self::push), unless the gate is in another epoch than `epoch`.
    ///
    /// # Errors
    /// As for `push`, and [`PushError::Stale`].
    #[inline]
    pub fn push_in(&mut self, epoch: Epoch, chunk: &[u8]) -> Result<(), PushError> {
        self.ring.push(&mut self.side, Some(epoch), chunk)
    }

    /// Claims room for a record of `len` bytes, to be written in place.
    ///
    /// # Errors
    /// As for [`push`](Self::push).
    #[inline]
    pub fn reserve(&mut self, len: usize) -> Result<Reservation<'_>, PushError> {
        self.ring.reserve(&mut self.side, None, len)
    }

    /// Like [`reserve`](Self::reserve), unless the gate is in another epoch than `epoch`.
    ///
    /// # Errors
    /// As for [`push_in`](Self::push_in).
    #[inline]
    pub fn reserve_in(&mut self, epoch: Epoch, len: usize) -> Result<Reservation<'_>, PushError> {
        self.ring.reserve(&mut self.side, Some(epoch), len)
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

    /// Totals since the ring was made.
    pub fn counters(&self) -> Counters {
        self.ring.counters()
    }
}

impl fmt::Debug for Producer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("spsc::Producer").field(self.ring).finish()
    }
}
