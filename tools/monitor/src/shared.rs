//! What one thread changes all the time and others look at now and then.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

/// How long those who look are let in first.
const COURTESY: Duration = Duration::from_millis(2);

/// A lock that the one who changes does not keep others out of: without that it would be taken
/// again before anybody else wakes up.
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

    /// To look at it.
    pub(crate) fn look(&self) -> RwLockReadGuard<'_, T> {
        // Only a hint to the other side: the lock is what counts.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // What a panic leaves behind is still the best there is.
        let guard = self.value.read().unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        guard
    }

    /// To change it: for one thread only.
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
