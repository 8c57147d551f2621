//! The end of the program: of the RTS, and of the process.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::clock::monotonic;
use crate::gate::GATE;
use crate::instance::Instance;
use crate::net::listener;
use crate::{cancellation, control, flush_thread, fork, futex, log};

/// A call into the RTS that has not returned after this long is stuck; the exit goes
/// on.
const STUCK: Duration = Duration::from_secs(2);

/// The RTS begins to exit: no thread of ours is in it when this returns (but for a handler
/// that does not return), and whoever waits for room waits by the rules of the exit.
pub(crate) fn rts_exiting() {
    if let Some(instance) = Instance::get() {
        // Release callers blocked in wait(), so that the exit can proceed.
        instance.progress(|progress| progress.closed = true);
        // What the hooks log now is part of the log that ends. The program still runs:
        // the rules of the exit do not apply yet.
        control::finish();
        // Relaxed: the wake-up below is ordered by the futex word.
        instance.exiting.store(true, Ordering::Relaxed);
        instance.space.made();
        GATE.close(monotonic() + STUCK);
        flush_thread::stop();
    }
}

/// How far the end of the process has come.
static STATE: AtomicU32 = AtomicU32::new(RUNNING);
const RUNNING: u32 = 0;
const ENDING: u32 = 1;
const ENDED: u32 = 2;

thread_local! {
    /// This thread is doing it.
    static ENDS: Cell<bool> = const { Cell::new(false) };
}

/// In a child, whose parent may have been about to end.
pub(crate) fn renew() {
    // Relaxed: `fork` publishes it.
    STATE.store(RUNNING, Ordering::Relaxed);
}

/// How much longer than its client another exit may take: handlers, and a disk.
const OTHERS: Duration = Duration::from_secs(5);

/// How many threads at once may come to the end of the process and find the handler.
const EXITS_AT_ONCE: usize = 4;

/// `exit` may be called while the RTS runs, which then never ends its log. The
/// client gets what the ring holds, and the socket's file goes.
extern "C" fn at_exit() {
    cancellation::put_off(come_to_end);
}

fn come_to_end() {
    if fork::has_state_of_parent() {
        return;
    }
    let Some(instance) = Instance::get() else {
        // In the middle of a start, perhaps.
        return listener::remove_files();
    };
    let again = ENDS.replace(true);
    // Acquire: pairs with the Release below; what the other exit has done is done.
    let first = STATE.compare_exchange(RUNNING, ENDING, Ordering::Acquire, Ordering::Acquire);
    match first {
        Ok(_) => {
            end(instance);
            // Release: pairs with the Acquire above, and in `await_end`.
            STATE.store(ENDED, Ordering::Release);
            futex::wake_all(&STATE);
        }
        // A signal handler exits in the middle of it, or a handler that is told of it.
        Err(ENDING) if again => listener::remove_files(),
        // The C library lets two threads exit at once: the second finds no handlers any more,
        // and ends the process while the first is still at work. It waits here.
        Err(_) => await_end(instance),
    }
}

fn await_end(instance: &Instance) {
    let deadline = monotonic() + instance.tuning.exit_timeout + OTHERS;
    // Acquire: as above.
    while STATE.load(Ordering::Acquire) == ENDING {
        let left = deadline.saturating_sub(monotonic());
        if left.is_zero() {
            return listener::remove_files();
        }
        futex::wait(&STATE, ENDING, Some(left));
    }
}

fn end(instance: &Instance) {
    // Acquire: pairs with the Release in `log`.
    if instance.attached.load(Ordering::Acquire) {
        control::finish_without_rts_exit();
        log::end_log(instance, false);
    }
    listener::remove_files();
}

/// Have `exit` and `quick_exit` call [`at_exit`].
pub(crate) fn register() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        for _ in 0..EXITS_AT_ONCE {
            // SAFETY: a function without arguments. If it cannot be registered, a
            // socket's file may stay behind.
            unsafe { libc::atexit(at_exit) };
            #[cfg(target_os = "linux")]
            // SAFETY: as above.
            unsafe {
                at_quick_exit(at_exit)
            };
        }
    });
}

#[cfg(target_os = "linux")]
unsafe extern "C" {
    fn at_quick_exit(handler: extern "C" fn()) -> std::ffi::c_int;
}
