//! Data that one thread changes all the time and others read sometimes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

/// How long the writer waits for readers.
const COURTESY: Duration = Duration::from_millis(2);

/// A lock whose writer lets readers in: otherwise the writer would take it again before a
/// reader wakes up.
#[derive(Debug)]
pub(crate) struct Shared<T> {
    value: RwLock<T>,
    waiting: AtomicUsize,
}

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: RwLock::new(value),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Locks it for reading.
    pub(crate) fn look(&self) -> RwLockReadGuard<'_, T> {
        // Relaxed: only a hint to the writer; the lock orders the data.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // After a panic the data is still the best available.
        let guard = self.value.read().unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        guard
    }

    /// Locks it for changes.
    pub(crate) fn change(&self) -> RwLockWriteGuard<'_, T> {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            let until = Instant::now() + COURTESY;
            while self.waiting.load(Ordering::Relaxed) > 0 && Instant::now() < until {
                std::thread::sleep(Duration::from_micros(50));
            }
        }
        self.value.write().unwrap_or_else(PoisonError::into_inner)
    }
}
