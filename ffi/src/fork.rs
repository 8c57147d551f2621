//! What a forked child inherits, and must not use.
//!
//! The poll thread does not exist in a child, but its descriptors do. The RTS
//! of a `forkProcess` child calls the writer again, `exit` in any child runs
//! this library's exit handler. So a child is marked inert before `fork` returns
//! in it, and lets go of the descriptors: a client must see the end of the
//! stream when the parent ends, not when the last child does.

use std::os::fd::RawFd;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// Which descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Slot {
    Listener,
    Client,
    WakeRead,
    WakeWrite,
    /// Of the flight recorder: its lock goes when the last descriptor does.
    RingFile,
}

static INERT: AtomicBool = AtomicBool::new(false);
static OWNED: [AtomicI32; 5] = [const { AtomicI32::new(-1) }; 5];

/// This process is a forked child of the one that was started.
pub(crate) fn is_inert() -> bool {
    // Relaxed: set by the only thread of a new process, before it goes on.
    INERT.load(Ordering::Relaxed)
}

/// Note the descriptor that a child must close, after it was opened; or that
/// there is none, before it is closed.
pub(crate) fn own(slot: Slot, fd: Option<RawFd>) {
    // Relaxed: read in a child only, which has the memory of one moment.
    OWNED[slot as usize].store(fd.unwrap_or(-1), Ordering::Relaxed);
}

extern "C" fn in_child() {
    // Stores and close(2): all of it async-signal-safe, as the child of a
    // threaded process demands.
    INERT.store(true, Ordering::Relaxed);
    for slot in &OWNED {
        let fd = slot.swap(-1, Ordering::Relaxed);
        if fd >= 0 {
            // SAFETY: a descriptor of this library; the thread that owned it does
            // not exist in this process.
            unsafe { libc::close(fd) };
        }
    }
}

/// Once in a process.
pub(crate) fn watch() {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        // SAFETY: a function that may run in a child of a threaded process. It
        // cannot be unregistered, and is never unloaded: the shared library
        // says so to the linker (build.rs).
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}
