//! Threads that take no signals.

use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::mpsc::{SyncSender, sync_channel};

use crate::status::Result;

/// A thread with all signals blocked that does `work` with what is sent to it; it ends if
/// that is nothing. A system that has no thread to give thus says so before there is
/// anything that could not be taken back.
pub(crate) fn thread_in_waiting<T: Send + 'static>(
    name: &str,
    work: fn(T),
) -> Result<SyncSender<T>> {
    let (give, take) = sync_channel::<T>(1);
    blocked_while(|| {
        std::thread::Builder::new()
            .name(name.to_owned())
            .stack_size(256 * 1024)
            .spawn(move || {
                if let Ok(given) = take.recv() {
                    work(given);
                }
            })
    })?;
    Ok(give)
}

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
