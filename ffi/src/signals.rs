//! Threads that take no signals.

use std::mem::MaybeUninit;
use std::ptr::null_mut;

/// Start a thread with all signals blocked: it inherits the mask of the one that
/// starts it. Signals of the program are for its own threads.
pub(crate) fn blocked_while<T>(start: impl FnOnce() -> T) -> T {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: room for the sets; sigfillset initialises the one that is read.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
    }
    let started = start();
    // SAFETY: `before` was initialised by the call above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), null_mut()) };
    started
}
