//! Wakes a sleeping consumer, without a system call while it is awake.

use core::fmt;

use crossbeam_utils::CachePadded;

use crate::bug::bug;
use crate::shim::{AtomicU32, Ordering, const_unless_loom, fence};

const AWAKE: u32 = 0;
const ASLEEP: u32 = 1;

/// Tells a producer whether the consumer must be woken. Shared by the producers of one or more rings and their consumer.
///
/// The consumer arms it, looks at its rings once more, and only then sleeps; a producer rings it after its commit. Either
/// the producer finds the bell armed, or the consumer finds the record (I7): both sides write, fence, then read what the
/// other wrote, and of two such fences one comes first.
///
/// # Examples
/// ```
/// # use eventlog_ring::{Doorbell, Granule, HeaderWord, Ring, Storage};
/// static BELL: Doorbell = Doorbell::new();
/// # let mut headers = [HeaderWord::ZERO; 8];
/// # let mut granules = [Granule::ZERO; 8];
/// # let mut ring = Ring::new(Storage::new(&mut headers, &mut granules).unwrap());
/// # let (producer, consumer) = ring.mpsc();
/// // The consumer, about to sleep:
/// BELL.arm();
/// assert!(consumer.is_empty(), "else disarm and go on");
/// // A producer:
/// producer.push(b"chunk").unwrap();
/// assert!(BELL.ring(), "this producer is to wake the consumer");
/// assert!(!BELL.ring(), "and no other");
/// ```
pub struct Doorbell(CachePadded<AtomicU32>);

impl Doorbell {
    const_unless_loom! {
        /// A bell whose consumer is awake.
        pub fn new() -> Self {
            Self(CachePadded::new(AtomicU32::new(AWAKE)))
        }
    }

    /// For a producer, after its commit: if `true`, this caller has to wake the consumer, and no other will.
    #[inline]
    #[must_use = "the consumer sleeps on unless the caller wakes it"]
    pub fn ring(&self) -> bool {
        // Pairs with the fence in `arm`: our commit is seen by the consumer's second look, or the load sees it asleep.
        if !bug!("no_ring_fence") {
            fence(Ordering::SeqCst);
        }
        if bug!("wakes_awake") {
            return true;
        }
        // Relaxed: the fence has ordered it. The exchange picks one of the producers that see the consumer asleep; AcqRel
        // orders whatever they do about it after the arming.
        self.0.load(Ordering::Relaxed) == ASLEEP
            && (bug!("both_wake")
                || self
                    .0
                    .compare_exchange(ASLEEP, AWAKE, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok())
    }

    /// For the consumer, before it sleeps. It must then look at its rings once more, and [`disarm`](Self::disarm) instead
    /// of sleeping if there is something in them.
    pub fn arm(&self) {
        // Relaxed: ordered by the fence, which pairs with the one in `ring`.
        self.0.store(ASLEEP, Ordering::Relaxed);
        if !bug!("no_arm_fence") {
            fence(Ordering::SeqCst);
        }
    }

    /// For the consumer, when it is awake again or stays so. A wake-up may still arrive: it must be harmless.
    pub fn disarm(&self) {
        // Relaxed: a producer that does not see it yet makes a needless wake-up.
        self.0.store(AWAKE, Ordering::Relaxed);
    }
}

impl Default for Doorbell {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Doorbell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asleep = self.0.load(Ordering::Relaxed) == ASLEEP;
        f.debug_struct("Doorbell")
            .field("armed", &asleep)
            .finish_non_exhaustive()
    }
}
