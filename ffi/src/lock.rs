//! Locks that code in signal handlers may take, too.
//!
//! A handler may call `exit`, which runs the end of this library on the thread that it has
//! interrupted. Were that thread in the middle of something with one of our locks held, it
//! would wait for itself. So no signal is let in while a lock is held, and none is held during
//! a wait. What is locked is short: nothing of the program or the RTS is called inside.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::futex;

thread_local! {
    /// All signals are blocked for good. Without a destructor, so that it may be used at any time.
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// The calling thread has all signals blocked and keeps them so, which saves system calls.
pub(crate) fn signals_stay_blocked() {
    IS_QUIET.set(true);
}

/// Data behind a lock.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(Mutex<T>);

/// The data, while it is locked.
#[derive(Debug)]
pub(crate) struct Held<'a, T> {
    // Dropped in this order: signals come when the lock is free.
    data: MutexGuard<'a, T>,
    _signals: Option<Blocked>,
}

impl<T> Lock<T> {
    pub(crate) const fn new(data: T) -> Lock<T> {
        Lock(Mutex::new(data))
    }

    pub(crate) fn lock(&self) -> Held<'_, T> {
        let signals = (!IS_QUIET.get()).then(Blocked::new);
        Held {
            data: self.0.lock().unwrap_or_else(|e| e.into_inner()),
            _signals: signals,
        }
    }
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.data
    }
}

impl<T> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.data
    }
}

/// Do something with all signals blocked: a thread inherits the mask of the one that starts it.
pub(crate) fn blocked_while<T>(work: impl FnOnce() -> T) -> T {
    let _signals = Blocked::new();
    work()
}

/// All signals of this thread are blocked, until it is dropped.
struct Blocked(libc::sigset_t);

impl std::fmt::Debug for Blocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Blocked(..)")
    }
}

impl Blocked {
    fn new() -> Blocked {
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: room for the sets; sigfillset initialises the one that is read, and
        // pthread_sigmask, which cannot fail so, the one that is kept.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            Blocked(before.assume_init())
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: the mask that this thread had.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, null_mut()) };
    }
}

/// That something behind a lock has changed, for those who wait for it.
#[derive(Debug, Default)]
pub(crate) struct Changes(AtomicU32);

impl Changes {
    pub(crate) const fn new() -> Changes {
        Changes(AtomicU32::new(0))
    }

    /// After the change: wake all who wait.
    pub(crate) fn tell(&self) {
        // Relaxed: what has changed is published by the lock. A waiter that read this before
        // has let go of the lock since, and finds it moved when it goes to sleep.
        self.0.fetch_add(1, Ordering::Relaxed);
        futex::wake_all(&self.0);
    }

    /// Release the lock until something changes, for `limit` at most (`None`: forever).
    /// Returns for any reason: the caller looks again.
    pub(crate) fn wait<'a, T>(
        &self,
        lock: &'a Lock<T>,
        held: Held<'a, T>,
        limit: Option<Duration>,
    ) -> Held<'a, T> {
        // Relaxed: with the lock held, as above.
        let seen = self.0.load(Ordering::Relaxed);
        drop(held);
        futex::wait(&self.0, seen, limit);
        lock.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    static LOCK: Lock<u32> = Lock::new(0);
    static HANDLED: AtomicBool = AtomicBool::new(false);

    extern "C" fn handle(_: libc::c_int) {
        *LOCK.lock() += 1;
        HANDLED.store(true, Ordering::SeqCst);
    }

    /// A handler that locks comes when the lock is free; the mask is as before then.
    #[test]
    fn no_signal_while_locked() {
        // SAFETY: a handler that takes no lock but this one.
        unsafe { libc::signal(libc::SIGUSR2, handle as *const () as libc::sighandler_t) };
        for count in 1..=3 {
            HANDLED.store(false, Ordering::SeqCst);
            let held = LOCK.lock();
            // SAFETY: a signal that has a handler.
            unsafe { libc::raise(libc::SIGUSR2) };
            assert!(!HANDLED.load(Ordering::SeqCst));
            drop(held);
            assert!(HANDLED.load(Ordering::SeqCst));
            assert_eq!(*LOCK.lock(), count);
        }
    }

    #[test]
    fn changes_wake_who_waits() {
        const LONG: Duration = Duration::from_secs(60);
        let (lock, changes) = (Lock::new(false), Changes::new());
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                let begun = std::time::Instant::now();
                let mut held = lock.lock();
                while !*held {
                    held = changes.wait(&lock, held, Some(LONG));
                }
                begun.elapsed()
            });
            std::thread::sleep(Duration::from_millis(20));
            *lock.lock() = true;
            changes.tell();
            let took = waiter.join().expect("the waiter");
            assert!(took < LONG / 2, "nobody woke it: {took:?}");
        });
    }
}
