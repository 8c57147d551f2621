//! The ring of this project: with one producer, with many, and with many that check whether the
//! consumer must be woken. And in its other mode, in which the oldest records are overwritten.

use eventlog_ring::{Doorbell, Recorder, RecorderCounters, Ring, Storage, mpsc, spsc};

use super::memcpy::Nothing;
use super::{CAPACITY, Consumer, Ends, Producer, Queue, Region};

/// A ring and its memory.
#[derive(Debug)]
struct Owned<T = Ring<'static>> {
    ring: T,
    /// After the ring, so that it is dropped last.
    _region: Region,
}

impl<T> Owned<T> {
    fn new(ring: impl FnOnce(Storage<'static>) -> T) -> Self {
        let region = Region::new(Storage::region_size(CAPACITY));
        // SAFETY: the region is zeroed, of that size, not used otherwise, and lives as long as the ring: both are in this
        // value, which never lends the ring out for longer than itself.
        let storage = unsafe { Storage::from_region(region.start(), CAPACITY) };
        Self {
            ring: ring(storage.expect("a power of two")),
            _region: region,
        }
    }
}

/// One producer.
#[derive(Debug)]
pub struct Spsc(Owned);

/// Any number of producers.
#[derive(Debug)]
pub struct Mpsc(Owned);

/// Any number of producers, which check a doorbell after each push.
#[derive(Debug)]
pub struct MpscBell(Owned, Doorbell);

/// Any number of producers and no consumer: after the first lap, each record overwrites the oldest
/// ones.
#[derive(Debug)]
pub struct Overwriting(Owned<Recorder<'static>>);

/// They are not read, so one for all is enough.
static COUNTERS: RecorderCounters = RecorderCounters::new();

/// A producer with the doorbell that it checks.
#[derive(Debug, Clone, Copy)]
pub struct Ringing<'q>(mpsc::Producer<'q>, &'q Doorbell);

impl Queue for Spsc {
    const NAME: &'static str = "ours spsc";
    type Producer<'q> = spsc::Producer<'q>;
    type Consumer<'q> = eventlog_ring::Consumer<'q>;

    fn new(_size: usize) -> Self {
        Self(Owned::new(Ring::new))
    }

    fn split(&mut self, producers: usize) -> Option<Ends<'_, Self>> {
        let (producer, consumer) = self.0.ring.spsc();
        (producers == 1).then_some((vec![producer], consumer))
    }
}

impl Queue for Mpsc {
    const NAME: &'static str = "ours mpsc";
    type Producer<'q> = mpsc::Producer<'q>;
    type Consumer<'q> = eventlog_ring::Consumer<'q>;

    fn new(_size: usize) -> Self {
        Self(Owned::new(Ring::new))
    }

    fn split(&mut self, producers: usize) -> Option<Ends<'_, Self>> {
        let (producer, consumer) = self.0.ring.mpsc();
        Some((vec![producer; producers], consumer))
    }
}

impl Queue for MpscBell {
    const NAME: &'static str = "ours mpsc+bell";
    type Producer<'q> = Ringing<'q>;
    type Consumer<'q> = eventlog_ring::Consumer<'q>;

    fn new(_size: usize) -> Self {
        Self(Owned::new(Ring::new), Doorbell::new())
    }

    fn split(&mut self, producers: usize) -> Option<Ends<'_, Self>> {
        let (producer, consumer) = self.0.ring.mpsc();
        Some((vec![Ringing(producer, &self.1); producers], consumer))
    }
}

impl Queue for Overwriting {
    const NAME: &'static str = "ours recorder (no consumer)";
    type Producer<'q> = &'q Recorder<'static>;
    type Consumer<'q> = Nothing;

    fn new(_size: usize) -> Self {
        Self(Owned::new(|storage| Recorder::new(storage, &COUNTERS)))
    }

    fn split(&mut self, producers: usize) -> Option<Ends<'_, Self>> {
        Some((vec![&self.0.ring; producers], Nothing))
    }
}

impl Producer for &Recorder<'_> {
    #[inline]
    fn push(&mut self, chunk: &[u8]) -> bool {
        Recorder::push(self, chunk).is_ok()
    }
}

impl Producer for spsc::Producer<'_> {
    #[inline]
    fn push(&mut self, chunk: &[u8]) -> bool {
        spsc::Producer::push(self, chunk).is_ok()
    }
}

impl Producer for mpsc::Producer<'_> {
    #[inline]
    fn push(&mut self, chunk: &[u8]) -> bool {
        mpsc::Producer::push(self, chunk).is_ok()
    }
}

impl Producer for Ringing<'_> {
    #[inline]
    fn push(&mut self, chunk: &[u8]) -> bool {
        let pushed = self.0.push(chunk).is_ok();
        // The consumer here never sleeps.
        assert!(!self.1.ring(), "nobody sleeps");
        pushed
    }
}

impl Consumer for eventlog_ring::Consumer<'_> {
    #[inline]
    fn release(&mut self) -> bool {
        eventlog_ring::Consumer::release(self, 1) == 1
    }

    #[inline]
    fn release_some(&mut self, most: usize) -> usize {
        eventlog_ring::Consumer::release(self, most)
    }
}
