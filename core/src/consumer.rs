//! The consuming end: looking at records, releasing them, and controlling the gate.

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;

use crate::GRANULE;
use crate::bug::{bug, unless_bug};
use crate::counters::{Counters, Tally};
use crate::gate::Epoch;
use crate::layout::{Header, HeaderWord, Position};
use crate::loss::{Loss, NOTE_BYTES};
use crate::record::{self, Record, RecordState};
use crate::ring::Ring;
use crate::shim::Ordering;

/// The one consuming handle. It may move to another thread, but not be used by two:
/// ```compile_fail,E0277
/// fn shared_by_threads<T: Sync>() {}
/// shared_by_threads::<eventlog_ring::Consumer>();
/// ```
/// ```compile_fail,E0277
/// fn copied<T: Clone>() {}
/// copied::<eventlog_ring::Consumer>();
/// ```
pub struct Consumer<'r> {
    ring: &'r Ring<'r>,
    /// The head, which only the consumer writes.
    head: Position,
    /// The epoch of the gate, which only the consumer changes. A record with another one is stale.
    session: Epoch,
    /// Not `Sync`: `records` and the rest are for one thread.
    _one_thread: PhantomData<Cell<()>>,
}

impl<'r> Consumer<'r> {
    pub(crate) fn new(ring: &'r Ring<'r>) -> Self {
        Self {
            ring,
            // Relaxed: the caller has the ring to itself at this moment.
            head: ring.consumer.head.load(Ordering::Relaxed),
            session: ring.producers.gate.read().epoch,
            _one_thread: PhantomData,
        }
    }

    /// The committed record at a position, if there is one: its header, and where that is stored.
    #[inline]
    fn committed(&self, position: Position) -> Option<(Header, &'r HeaderWord)> {
        // When the ring is full, the header after the last record is that of the first.
        if position - self.head >= self.ring.storage.granules() {
            return None;
        }
        // Acquire pairs with the Release in `Reservation::publish`: payload and note happen-before what we do next (I3).
        let order = unless_bug!("relaxed_look", Ordering::Acquire);
        let word = self.ring.storage.header(position);
        Some((Header::decode(word.0.load(order))?, word))
    }

    /// The committed records in the order they were claimed, from the oldest up to the first that is still being copied.
    /// Looks, does not release: a second call begins again with the same record. Those that are not live are among them,
    /// and can have a [note](Record::loss_before), too.
    pub fn records(&self) -> Records<'_> {
        Records {
            consumer: self,
            position: self.head,
        }
    }

    /// Releases the first `count` of [`records`](Self::records), all at once. Stops early if fewer are committed: returns
    /// how many it released.
    #[inline]
    pub fn release(&mut self, count: usize) -> usize {
        let mut position = self.head;
        let (mut delivered, mut discarded, mut aborted) = <(Tally, Tally, Tally)>::default();
        let count = if bug!("release_all") {
            usize::MAX
        } else {
            count
        };
        let mut released = 0;
        while released < count {
            let Some((header, word)) = self.committed(position) else {
                break;
            };
            let bytes = u64::from(header.len);
            match record::state(header, self.session) {
                RecordState::Live => delivered.add(bytes),
                RecordState::Stale => discarded.add(bytes),
                RecordState::Aborted => aborted.add(bytes),
            }
            if !bug!("kept_header") {
                // Relaxed: published by the head below, before which no producer looks here (I2).
                word.0.store(0, Ordering::Relaxed);
            }
            position += header.granules();
            released += 1;
        }
        if released == 0 {
            return 0;
        }
        let side = &self.ring.consumer;
        side.delivered.add_alone(delivered);
        side.discarded.add_alone(discarded);
        side.aborted.add_alone(aborted);
        // Release pairs with the Acquire of the head in `claim`: we are done with a granule before a producer writes it (I3).
        side.head
            .store(position, unless_bug!("relaxed_head", Ordering::Release));
        self.head = position;
        released
    }

    /// Whether nothing is committed at the head: there may be records behind one that is still being copied.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.committed(self.head).is_none()
    }

    /// Whether nothing is claimed, and so nothing is committed either. A producer that passed the gate before it was
    /// closed may still claim later.
    pub fn is_idle(&self) -> bool {
        self.claimed() == 0
    }

    /// Bytes of granules claimed now.
    pub fn used(&self) -> usize {
        self.claimed() as usize * GRANULE
    }

    fn claimed(&self) -> u64 {
        // Relaxed: not behind our head, as every record we released happened-before; how far ahead may be stale.
        self.ring.producers.tail.load(Ordering::Relaxed) - self.head
    }

    /// Refuses producers from now on. What they have already claimed is still of this session: drain it until
    /// [`is_idle`](Self::is_idle).
    pub fn close(&mut self) {
        if bug!("closing_resets") {
            return self.reset();
        }
        self.ring.producers.gate.close();
    }

    /// Whether producers are accepted.
    pub fn is_open(&self) -> bool {
        self.ring.producers.gate.read().open
    }

    /// Ends the session at once: closes the gate, makes every record of it stale, also those still being copied, and
    /// forgets pending losses. Does not wait for producers; stale records are released like others, when they are committed.
    pub fn reset(&mut self) {
        self.session = self.ring.producers.gate.condemn();
        if bug!("reset_jumps") {
            self.head += self.claimed();
            self.ring.consumer.head.store(self.head, Ordering::Release);
        }
        self.ring.producers.pending.begin(self.session);
    }

    /// Begins the next session: producers are accepted in a new epoch, all earlier records are stale, pending losses of
    /// earlier sessions are forgotten.
    pub fn open(&mut self) -> Epoch {
        let gate = &self.ring.producers.gate;
        // First, so that a producer that is accepted counts its losses in the new session.
        self.ring.producers.pending.begin(gate.next());
        self.session = gate.open();
        self.session
    }

    /// Whether a loss is pending that no record has carried yet. If a producer records one and rings the bell
    /// afterwards, a consumer that has armed the bell either sees it here or is woken.
    pub fn has_loss(&self) -> bool {
        self.ring.producers.pending.any()
    }

    /// Takes the pending loss, to be reported at the end of a session when no record will carry it.
    pub fn take_loss(&mut self) -> Option<Loss> {
        let taken = self.ring.producers.pending.take()?;
        Some(taken.loss)
    }

    /// Totals since the ring was made.
    pub fn counters(&self) -> Counters {
        self.ring.counters()
    }
}

impl fmt::Debug for Consumer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Consumer").field(self.ring).finish()
    }
}

/// Iterator over committed records, see [`Consumer::records`].
///
/// After `None` it may return more: records that have been committed meanwhile.
#[derive(Clone)]
pub struct Records<'c> {
    consumer: &'c Consumer<'c>,
    position: Position,
}

impl<'c> Iterator for Records<'c> {
    type Item = Record<'c>;

    #[inline]
    fn next(&mut self) -> Option<Record<'c>> {
        let (header, _) = self.consumer.committed(self.position)?;
        let storage = &self.consumer.ring.storage;
        let start = self.position;
        self.position += header.granules();
        Some(Record::new(
            header,
            self.consumer.session,
            storage.span(start + u64::from(header.note), header.len as usize),
            header.note.then(|| storage.span(start, NOTE_BYTES)),
        ))
    }
}

impl fmt::Debug for Records<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
