//! Waiting for room in the ring: the `block` policy, and the exit of the program.
//!
//! A futex word counts how often room was made. A waiter looks at it, tries
//! again, and sleeps only if it has not moved since; the poll thread moves it
//! only if somebody waits. No lock: a writer in a signal handler takes none that
//! the code it interrupted may hold.

use std::sync::atomic::{AtomicU32, Ordering, fence};
use std::time::Duration;

use crate::futex;

/// The longest single sleep: it bounds what a missed wake-up could cost. The tests below would
/// not notice one that this hides.
const NAP: Duration = if cfg!(test) {
    Duration::MAX
} else {
    Duration::from_millis(100)
};

#[derive(Debug, Default)]
pub(crate) struct Space {
    made: AtomicU32,
    waiters: AtomicU32,
}

impl Space {
    /// Call `attempt` until it returns something, sleeping until room was made in
    /// between, for `patience` at most.
    pub(crate) fn wait_until<T>(
        &self,
        patience: Duration,
        mut attempt: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        let started = crate::clock::monotonic();
        // SeqCst, with the fence below: pairs with the fence in `made`. Either
        // the poll thread sees this waiter, or the attempt sees its room.
        self.waiters.fetch_add(1, Ordering::SeqCst);
        let outcome = loop {
            // Acquire: pairs with the Release in `made`; the attempt after it sees
            // the room that was made before.
            let seen = self.made.load(Ordering::Acquire);
            fence(Ordering::SeqCst);
            if let Some(outcome) = attempt() {
                break Some(outcome);
            }
            let left = patience.saturating_sub(crate::clock::monotonic() - started);
            if left.is_zero() {
                break None;
            }
            futex::wait(&self.made, seen, Some(left.min(NAP)));
        };
        self.waiters.fetch_sub(1, Ordering::Relaxed);
        outcome
    }

    /// Room was made, or the wait has become pointless.
    pub(crate) fn made(&self) {
        fence(Ordering::SeqCst);
        // Relaxed: ordered by the fence, which pairs with the one in `wait_until`.
        if self.waiters.load(Ordering::Relaxed) != 0 {
            // Release: pairs with the Acquire in `wait_until`.
            self.made.fetch_add(1, Ordering::Release);
            futex::wake_all(&self.made);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn gives_up_when_patience_ends() {
        let space = Space::default();
        assert_eq!(
            space.wait_until(Duration::from_millis(20), || None::<()>),
            None
        );
        assert_eq!(space.waiters.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn room_wakes_the_waiter() {
        const PATIENCE: Duration = Duration::from_secs(60);
        let (space, room) = (Space::default(), AtomicBool::new(false));
        let attempts = AtomicU32::new(0);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                let begun = std::time::Instant::now();
                let outcome = space.wait_until(PATIENCE, || {
                    let room = room.load(Ordering::SeqCst);
                    attempts.fetch_add(1, Ordering::SeqCst);
                    room.then_some(7)
                });
                (outcome, begun.elapsed())
            });
            // It has found none; nothing but the wake-up makes it look again.
            while attempts.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            std::thread::sleep(Duration::from_millis(10));
            room.store(true, Ordering::SeqCst);
            space.made();
            let (outcome, took) = waiter.join().unwrap();
            assert_eq!(outcome, Some(7));
            assert!(took < PATIENCE / 2, "nobody woke it: {took:?}");
        });
    }
}
