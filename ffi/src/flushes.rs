//! The flushes so far: how many, how long they took, and when the next one may be.
//!
//! While a flush is under way the program stands still, or a part of it: the RTS stops its
//! capabilities one after the other, and waits for unsafe calls and loops that do not
//! allocate. So one that took long is followed by a pause.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A flush by interval is made no sooner than this many times the duration of the last one after
/// it: together they take at most a hundredth of the time.
const PAUSE: u32 = 100;
/// The same for one that a client or a hook waits for.
const PAUSE_IF_AWAITED: u32 = 10;

/// One flush at a time is noted.
#[derive(Debug, Default)]
pub(crate) struct Flushes {
    count: AtomicU64,
    /// All times in nanoseconds.
    longest: AtomicU64,
    total: AtomicU64,
    /// On the monotonic clock.
    next: AtomicU64,
    next_if_awaited: AtomicU64,
}

// Relaxed, everywhere: statistics, and a hint of which each word is right by itself.
impl Flushes {
    /// There was one, between these times on the monotonic clock.
    pub(crate) fn note(&self, begun: Duration, ended: Duration) {
        let took = ended.saturating_sub(begun);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.longest.fetch_max(nanos(took), Ordering::Relaxed);
        self.total.fetch_add(nanos(took), Ordering::Relaxed);
        let after = |pause: u32| nanos(ended.saturating_add(took.saturating_mul(pause)));
        // The pause after a long one goes on, whatever was flushed on demand meanwhile.
        self.next.fetch_max(after(PAUSE), Ordering::Relaxed);
        self.next_if_awaited
            .fetch_max(after(PAUSE_IF_AWAITED), Ordering::Relaxed);
    }

    /// No flush by interval before this time.
    pub(crate) fn next(&self) -> Duration {
        Duration::from_nanos(self.next.load(Ordering::Relaxed))
    }

    /// No flush for a client or a hook before this time.
    pub(crate) fn next_if_awaited(&self) -> Duration {
        Duration::from_nanos(self.next_if_awaited.load(Ordering::Relaxed))
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// In nanoseconds.
    pub(crate) fn longest(&self) -> u64 {
        self.longest.load(Ordering::Relaxed)
    }

    /// In nanoseconds.
    pub(crate) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_as_long_as_the_flush_before_it_asks_for() {
        let flushes = Flushes::default();
        let seconds = Duration::from_secs;
        assert_eq!((flushes.next(), flushes.count()), (Duration::ZERO, 0));
        flushes.note(seconds(10), seconds(12));
        assert_eq!(flushes.next(), seconds(212));
        assert_eq!(flushes.next_if_awaited(), seconds(32));
        // A short one, on demand, does not end a pause.
        flushes.note(seconds(20), seconds(20) + Duration::from_millis(1));
        assert_eq!(flushes.next(), seconds(212));
        assert_eq!(flushes.next_if_awaited(), seconds(32));
        assert_eq!(flushes.count(), 2);
        assert_eq!(flushes.longest(), 2_000_000_000);
        assert_eq!(flushes.total(), 2_001_000_000);
    }
}
