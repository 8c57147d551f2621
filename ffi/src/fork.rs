//! What a forked child inherits, and must not use.
//!
//! The poll thread does not exist in a child, but its descriptors do. The RTS
//! of a `forkProcess` child calls the writer again, `exit` in any child runs
//! this library's exit handler. So a child is marked inert before `fork` returns
//! in it, and lets go of the descriptors: a client must see the end of the
//! stream when the parent ends, not when the last child does.
//!
//! A program may have closed them, and have files of its own under their numbers,
//! which its children need: only what is still the same file is closed.
//!
//! A child of `forkProcess` has an RTS that works, and tells so: it ends and starts its log
//! with our writer. Such a child may start streaming by itself (`renewal`).

use std::ffi::c_int;
use std::os::fd::RawFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};

use crate::futex;
use crate::identity::identity;

/// Which descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Slot {
    Listener,
    Client,
    WakeRead,
    WakeWrite,
    /// Of the flight recorder: its lock goes when the last descriptor does.
    RingFile,
    /// The directory of the socket's file.
    SocketFolder,
    /// What tells that the file was removed.
    SocketWatch,
}

static INERT: AtomicBool = AtomicBool::new(false);
/// The RTS works in this child, and its writer is ours.
static HAS_RTS: AtomicBool = AtomicBool::new(false);
/// Whether the state of this library is this process's own.
static AGE: AtomicU32 = AtomicU32::new(OWN);
/// It is this process's own.
const OWN: u32 = 0;
/// It is the parent's.
const PARENTS: u32 = 1;
/// It is being renewed.
const RENEWED: u32 = 2;

/// What else a child does at once; set by [`in_each_child`].
static AT_ONCE: OnceLock<fn()> = OnceLock::new();

/// Whether a child is inert: tells that the parent has an instance.
static STARTED: AtomicBool = AtomicBool::new(false);
static OWNED: [Owned; 7] = [const { Owned::nothing() }; 7];

/// A descriptor, or -1, and the file it is of.
///
/// All eventfds, epolls and timers of a system share one inode: which of them a number
/// stands for cannot be told. A child may so lose one that its parent has opened in the
/// place of our eventfd.
struct Owned {
    fd: AtomicI32,
    device: AtomicU64,
    inode: AtomicU64,
}

impl Owned {
    const fn nothing() -> Owned {
        Owned {
            fd: AtomicI32::new(-1),
            device: AtomicU64::new(0),
            inode: AtomicU64::new(0),
        }
    }

    /// It is `fd` now, if that is open.
    fn note(&self, fd: RawFd) {
        // Relaxed, and Release below: a child that is forked meanwhile, and has but a
        // part of this, closes nothing.
        self.fd.store(-1, Ordering::Relaxed);
        if let Some((device, inode)) = identity(fd) {
            self.device.store(device, Ordering::Relaxed);
            self.inode.store(inode, Ordering::Relaxed);
            self.fd.store(fd, Ordering::Release);
        }
    }

    /// The descriptor, if there is one and it is still of that file; nothing is left.
    fn take(&self) -> Option<RawFd> {
        // Acquire: pairs with the Release above.
        let fd = self.fd.swap(-1, Ordering::Acquire);
        let noted = (
            self.device.load(Ordering::Relaxed),
            self.inode.load(Ordering::Relaxed),
        );
        (fd >= 0 && identity(fd) == Some(noted)).then_some(fd)
    }
}

/// This process is a forked child of the one that was started.
pub(crate) fn is_inert() -> bool {
    // Relaxed: set by the only thread of a new process, before it goes on.
    INERT.load(Ordering::Relaxed)
}

/// Note the descriptor that a child must close, after it was opened; or that
/// there is none, before it is closed.
pub(crate) fn own(slot: Slot, fd: Option<RawFd>) {
    OWNED[slot as usize].note(fd.unwrap_or(-1));
}

/// There is this one no more, before it is closed. Another one may be noted already.
pub(crate) fn disown(slot: Slot, fd: RawFd) {
    // Relaxed: nothing is published by it.
    let noted = &OWNED[slot as usize].fd;
    let _ = noted.compare_exchange(fd, -1, Ordering::Relaxed, Ordering::Relaxed);
}

/// Children of this process are inert from now on.
pub(crate) fn started() {
    // Relaxed: read in the child, after all that this thread does before a fork.
    STARTED.store(true, Ordering::Relaxed);
}

/// In a child, the RTS has begun a log with our writer: `forkProcess` does.
pub(crate) fn rts_works() {
    // Relaxed: on the only thread of a new process.
    HAS_RTS.store(true, Ordering::Relaxed);
}

/// This is a child whose RTS has our writer since it was forked.
pub(crate) fn has_inherited_writer() -> bool {
    HAS_RTS.load(Ordering::Relaxed)
}

/// The state of this library is a parent's, with locks that may be held forever.
pub(crate) fn has_state_of_parent() -> bool {
    // Relaxed: set before this process goes on; who renews it, or has waited for that, sees
    // its own stores.
    AGE.load(Ordering::Relaxed) != OWN
}

/// Call `renew` if what this library knows is a parent's, once, and if this process may
/// start by itself. Others wait until it has returned.
pub(crate) fn renew_with(renew: impl FnOnce()) {
    if is_inert() && !has_inherited_writer() {
        return;
    }
    loop {
        // Acquire: pairs with the Release below.
        match AGE.compare_exchange(PARENTS, RENEWED, Ordering::Acquire, Ordering::Acquire) {
            Ok(_) => break,
            Err(OWN) => return,
            Err(renewed) => futex::wait(&AGE, renewed, None),
        }
    }
    renew();
    STARTED.store(false, Ordering::Relaxed);
    INERT.store(false, Ordering::Relaxed);
    // Release: pairs with the Acquire above; who goes on finds everything new.
    AGE.store(OWN, Ordering::Release);
    futex::wake_all(&AGE);
}

extern "C" fn in_child() {
    // Stores, loads, fstat(2), close(2), and what promises the same: all of it
    // async-signal-safe, as the child of a threaded process demands.
    if STARTED.load(Ordering::Relaxed) {
        INERT.store(true, Ordering::Relaxed);
    }
    HAS_RTS.store(false, Ordering::Relaxed);
    AGE.store(PARENTS, Ordering::Relaxed);
    if let Some(at_once) = AT_ONCE.get() {
        at_once();
    }
    for fd in OWNED.iter().filter_map(Owned::take) {
        // SAFETY: a descriptor of this library; the thread that owned it does
        // not exist in this process.
        unsafe { libc::close(fd) };
    }
}

/// Have this called in each child before `fork` returns there. It must be async-signal-safe;
/// only the first one counts.
pub(crate) fn in_each_child(at_once: fn()) {
    // One is there already: the same, as there is only one caller.
    let _ = AT_ONCE.set(at_once);
}

/// Once in a process: a second time does no harm. The errno if there is no
/// memory to register it: a child would take itself for its parent.
pub(crate) fn watch() -> Result<(), c_int> {
    static WATCHES: AtomicBool = AtomicBool::new(false);
    // Relaxed: it publishes nothing.
    if !WATCHES.load(Ordering::Relaxed) {
        // SAFETY: a function that may run in a child of a threaded process. It
        // cannot be unregistered, and is never unloaded: the shared library
        // says so to the linker (build.rs).
        match unsafe { libc::pthread_atfork(None, None, Some(in_child)) } {
            0 => WATCHES.store(true, Ordering::Relaxed),
            error => return Err(error),
        }
    }
    Ok(())
}
