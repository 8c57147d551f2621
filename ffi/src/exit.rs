//! The end of the program: of the RTS, and of the process.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::clock::monotonic;
use crate::gate::GATE;
use crate::instance::Instance;
use crate::net::listener;
use crate::{control, log};

/// A call into the RTS that has not returned after this long is stuck; the exit goes
/// on.
const STUCK: Duration = Duration::from_secs(2);

/// The RTS begins to exit: no thread of ours is in it when this returns (but for a
/// handler that does not), and
/// whoever waits for room waits by the rules of the exit.
pub(crate) fn rts_exiting() {
    if let Some(instance) = Instance::get() {
        // Nobody who waits for a client keeps the program.
        instance.progress(|progress| progress.closed = true);
        // What the hooks log now is part of the log that ends. The program still runs:
        // nothing yet goes by the rules of the exit.
        control::finish();
        // Relaxed: the wake-up below is ordered by the futex word.
        instance.exiting.store(true, Ordering::Relaxed);
        instance.space.made();
        GATE.close(monotonic() + STUCK);
    }
}

/// `exit` may be called while the RTS runs, which then never ends its log. The
/// client gets what the ring holds, and the socket's file goes.
extern "C" fn at_exit() {
    let Some(instance) = Instance::get() else {
        return;
    };
    // Acquire: pairs with the Release in `log`.
    if instance.attached.load(Ordering::Acquire) {
        control::finish_without_rts_exit();
        log::end_log(instance, false);
    }
    listener::remove_socket_file();
}

/// Have `exit` call [`at_exit`], once.
pub(crate) fn register() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // SAFETY: a function without arguments. If it cannot be registered, a
        // socket's file may stay behind.
        unsafe { libc::atexit(at_exit) };
    });
}
