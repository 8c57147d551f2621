//! The shared state of a ring and the functions that make its handles.

use core::fmt;

use crossbeam_utils::CachePadded;

use crate::consumer::Consumer;
use crate::counters::{Counters, SharedTally};
use crate::gate::Gate;
use crate::loss::{Loss, Pending};
use crate::shim::{AtomicU64, Ordering};
use crate::{GRANULE, Storage, Tally, mpsc, spsc};

/// What producers touch on every push: 64 bytes, all on one cache line.
pub(crate) struct ProducerSide {
    /// Next position to claim. With several producers moved by compare-exchange, with one by a store.
    pub(crate) tail: AtomicU64,
    /// A head that some producer has seen. May lag behind: then the ring looks fuller than it is, and the head is
    /// loaded again.
    pub(crate) head_cache: AtomicU64,
    pub(crate) gate: Gate,
    pub(crate) pending: Pending,
}

/// What the consumer writes on every release.
pub(crate) struct ConsumerSide {
    /// Oldest unreleased position.
    pub(crate) head: AtomicU64,
    pub(crate) delivered: SharedTally,
    pub(crate) discarded: SharedTally,
    pub(crate) aborted: SharedTally,
}

/// Totals of what was not accepted.
pub(crate) struct Refusals {
    pub(crate) lost: SharedTally,
    pub(crate) refused_closed: SharedTally,
}

/// A bounded ring of byte records in borrowed [`Storage`].
///
/// It is used through the handles that [`mpsc`](Self::mpsc) or [`spsc`](Self::spsc) lend out. Records that are still in
/// the ring when the handles are dropped can be read through the next ones.
///
/// # Examples
/// ```
/// use eventlog_ring::{Granule, HeaderWord, Ring, Storage};
///
/// let mut headers = [HeaderWord::ZERO; 8];
/// let mut granules = [Granule::ZERO; 8];
/// let mut ring = Ring::new(Storage::new(&mut headers, &mut granules)?);
/// let (producer, mut consumer) = ring.mpsc();
///
/// producer.push(b"chunk")?;
/// let record = consumer.records().next().expect("one record");
/// assert!(record.is_live());
/// assert_eq!(record.slices(), (&b"chunk"[..], &b""[..]));
/// consumer.release(1);
/// assert!(consumer.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// There is one set of handles at a time:
/// ```compile_fail,E0499
/// # use eventlog_ring::{Granule, HeaderWord, Ring, Storage};
/// # let mut headers = [HeaderWord::ZERO; 8];
/// # let mut granules = [Granule::ZERO; 8];
/// # let mut ring = Ring::new(Storage::new(&mut headers, &mut granules).unwrap());
/// let (_, first) = ring.mpsc();
/// let (_, second) = ring.mpsc();
/// first.is_empty();
/// ```
pub struct Ring<'a> {
    pub(crate) storage: Storage<'a>,
    pub(crate) producers: CachePadded<ProducerSide>,
    pub(crate) consumer: CachePadded<ConsumerSide>,
    pub(crate) refusals: CachePadded<Refusals>,
}

impl<'a> Ring<'a> {
    /// An empty ring, open in its first epoch.
    pub fn new(storage: Storage<'a>) -> Self {
        let gate = Gate::new();
        let pending = Pending::new(gate.read().epoch);
        Self {
            storage,
            producers: CachePadded::new(ProducerSide {
                tail: AtomicU64::new(0),
                head_cache: AtomicU64::new(0),
                gate,
                pending,
            }),
            consumer: CachePadded::new(ConsumerSide {
                head: AtomicU64::new(0),
                delivered: SharedTally::new(),
                discarded: SharedTally::new(),
                aborted: SharedTally::new(),
            }),
            refusals: CachePadded::new(Refusals {
                lost: SharedTally::new(),
                refused_closed: SharedTally::new(),
            }),
        }
    }

    /// Handles for any number of producing threads.
    pub fn mpsc(&mut self) -> (mpsc::Producer<'_>, Consumer<'_>) {
        let ring = &*self;
        (mpsc::Producer::new(ring), Consumer::new(ring))
    }

    /// Handles for one producing thread, which then claims without a compare-exchange.
    pub fn spsc(&mut self) -> (spsc::Producer<'_>, Consumer<'_>) {
        let ring = &*self;
        (spsc::Producer::new(ring), Consumer::new(ring))
    }

    /// Bytes of granules. A record takes its length rounded up to [`GRANULE`], at least one granule; a loss note one more.
    pub fn capacity(&self) -> usize {
        self.storage.granules() as usize * GRANULE
    }

    pub(crate) fn record_loss(&self, loss: Loss) {
        if loss.records == 0 {
            return;
        }
        self.refusals.lost.add(Tally {
            records: loss.records,
            bytes: loss.bytes,
        });
        self.producers.pending.add(loss);
    }

    /// Bytes claimed, approximately: the two ends are read one after the other.
    pub(crate) fn used(&self) -> usize {
        // Relaxed: a statistic. The head may have passed the tail that was read.
        let tail = self.producers.tail.load(Ordering::Relaxed);
        let head = self.consumer.head.load(Ordering::Relaxed);
        let granules = tail.saturating_sub(head).min(self.storage.granules());
        granules as usize * GRANULE
    }

    pub(crate) fn counters(&self) -> Counters {
        Counters {
            delivered: self.consumer.delivered.read(),
            discarded: self.consumer.discarded.read(),
            aborted: self.consumer.aborted.read(),
            lost: self.refusals.lost.read(),
            refused_closed: self.refusals.refused_closed.read(),
        }
    }
}

impl fmt::Debug for Ring<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pass = self.producers.gate.read();
        // Relaxed: for display only.
        f.debug_struct("Ring")
            .field("storage", &self.storage)
            .field("open", &pass.open)
            .field("epoch", &pass.epoch)
            .field("head", &self.consumer.head.load(Ordering::Relaxed))
            .field("tail", &self.producers.tail.load(Ordering::Relaxed))
            .field("counters", &self.counters())
            .finish()
    }
}
