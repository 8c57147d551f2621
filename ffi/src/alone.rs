//! The end of a process in which only threads of this library are left.
//!
//! A program may leave `main` with `pthread_exit` and go on in other threads; when the last of
//! them ends, the C library ends the process. Threads of this library must not prevent that: nothing
//! would be left that ends the process, or that a signal could reach.
//!
//! So the poll thread looks, but only in a process whose main thread is gone: a destructor of
//! thread-specific data, which runs when a thread ends and not at `exit`, tells it. Then it
//! looks now and then whether there are any threads but ours, and if not, has `exit` called,
//! as the C library would have. Where the main thread could not be asked to tell (the
//! library was loaded and started by other threads) it looks every few seconds.

use std::ffi::c_void;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering, fence};
use std::time::Duration;

use crate::threads::{self, Signals};
use crate::{futex, system};

/// How often to look when the main thread is gone.
const LOOK: Duration = Duration::from_millis(200);
/// How often, if it could not be asked to tell.
const LOOK_UNASKED: Duration = Duration::from_secs(5);

/// Threads of ours. Never more than there are: each counts itself when it runs, and no longer
/// when it is about to end.
static OURS: AtomicU32 = AtomicU32::new(0);
/// The process whose main thread tells when it ends: a child that was forked by another thread
/// has one that does not.
static MAIN_TELLS: AtomicI32 = AtomicI32::new(0);
/// It is this process.
static ASKED: AtomicBool = AtomicBool::new(false);
/// 1: it has ended, or is about to.
static MAIN_GONE: AtomicU32 = AtomicU32::new(0);
/// Makes the poll thread look.
static WAKE: OnceLock<fn()> = OnceLock::new();
/// The process is being ended.
static ENDING: AtomicBool = AtomicBool::new(false);

/// What the thread-specific data says a thread is.
const MAIN: usize = 1;
const OWN: usize = 2;

/// Of that data; `None` if the process has no key to give.
static KEY: OnceLock<Option<libc::pthread_key_t>> = OnceLock::new();

/// Remember what the calling thread is, until it ends. False if that cannot be.
fn mark(what: usize) -> bool {
    let key = *KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: room for the key, and a destructor that may run in any thread.
        let error = unsafe { libc::pthread_key_create(&mut key, Some(gone)) };
        (error == 0).then_some(key)
    });
    let value = std::ptr::without_provenance::<c_void>(what);
    // SAFETY: a key of this process; the value is a number.
    key.is_some_and(|key| unsafe { libc::pthread_setspecific(key, value) } == 0)
}

/// The thread ends: by returning, by `pthread_exit`, or cancelled.
extern "C" fn gone(what: *mut c_void) {
    if what.addr() != MAIN {
        // Release: pairs with the Acquire in `is_alone`.
        OURS.fetch_sub(1, Ordering::Release);
        return;
    }
    MAIN_GONE.store(1, Ordering::Relaxed);
    futex::wake_all(&MAIN_GONE);
    // SeqCst: pairs with the fence in `watch`. Either this finds whom to wake, or that finds
    // that the main thread is gone.
    fence(Ordering::SeqCst);
    if let Some(wake) = WAKE.get() {
        wake();
    }
}

/// In a child, whose threads are others. The one that has forked is its main thread, and
/// was perhaps not its parent's.
pub(crate) fn renew() {
    // Relaxed: `fork` publishes it.
    OURS.store(0, Ordering::Relaxed);
    ASKED.store(false, Ordering::Relaxed);
    MAIN_GONE.store(0, Ordering::Relaxed);
    ENDING.store(false, Ordering::Relaxed);
}

/// The calling thread is one of ours.
pub(crate) fn join_ours() {
    if mark(OWN) {
        // Relaxed: the thread itself is seen by the system before.
        OURS.fetch_add(1, Ordering::Relaxed);
    }
}

/// From now on `wake` is called when the main thread ends.
pub(crate) fn watch(wake: fn()) {
    ask_main();
    // SAFETY: no pointers.
    let here = unsafe { libc::getpid() };
    // Relaxed: a thread that reads the old value is woken below, or looks once more for nothing.
    ASKED.store(
        MAIN_TELLS.load(Ordering::Relaxed) == here,
        Ordering::Relaxed,
    );
    let _ = WAKE.set(wake);
    // SeqCst: pairs with the fence in `gone`.
    fence(Ordering::SeqCst);
    // Who has looked already has perhaps gone to sleep for longer than it should.
    if interval().is_some() {
        wake();
    }
}

/// Have the main thread tell when it ends, if this is it.
fn ask_main() {
    if system::is_main_thread() && mark(MAIN) {
        // SAFETY: no pointers.
        let process = unsafe { libc::getpid() };
        MAIN_TELLS.store(process, Ordering::Relaxed);
        ASKED.store(true, Ordering::Relaxed);
    }
}

extern "C" fn at_load() {
    ask_main();
}

/// The main thread is the one that loads a library which is linked to the program, whoever
/// starts it later.
#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[cfg_attr(
    not(target_os = "linux"),
    unsafe(link_section = "__DATA,__mod_init_func")
)]
static AT_LOAD: extern "C" fn() = at_load;

/// A plugin that has this library in it may be unloaded if it has not started it. The main
/// thread must not call what is gone then. (Apple's systems unload nothing that has
/// thread-local variables.)
#[cfg(target_os = "linux")]
#[used]
#[unsafe(link_section = ".fini_array")]
static AT_UNLOAD: extern "C" fn() = at_unload;

#[cfg(target_os = "linux")]
extern "C" fn at_unload() {
    if let Some(Some(key)) = KEY.get() {
        // SAFETY: the key of this library. No destructor is called for it any more.
        unsafe { libc::pthread_key_delete(*key) };
    }
}

/// How often to look.
pub(crate) fn interval() -> Option<Duration> {
    // Relaxed, both: whoever reads too early is woken, or set before there was anybody.
    if MAIN_GONE.load(Ordering::Relaxed) != 0 {
        Some(LOOK)
    } else if ASKED.load(Ordering::Relaxed) || cfg!(not(target_os = "linux")) {
        None
    } else {
        Some(LOOK_UNASKED)
    }
}

/// End the process if nobody else is left in it.
pub(crate) fn end_if_alone() {
    // Relaxed: one thread at a time looks.
    if !ENDING.load(Ordering::Relaxed) && is_alone() {
        ENDING.store(spawn_exit(), Ordering::Relaxed);
    }
}

/// For the rest of the life of the process, on a thread that has nothing else to do.
pub(crate) fn keep_watch() -> ! {
    loop {
        match interval() {
            None => futex::wait(&MAIN_GONE, 0, None),
            Some(interval) => std::thread::sleep(interval),
        }
        end_if_alone();
    }
}

fn is_alone() -> bool {
    // Acquire: pairs with the Release in `gone`. Before the look at the system: a thread
    // that ends in between is counted there, if at all.
    let ours = OURS.load(Ordering::Acquire);
    // Relaxed: whoever reads too early looks again.
    let told = MAIN_GONE.load(Ordering::Relaxed) != 0;
    system::threads_without_main(told) == Some(ours)
}

/// A thread that ends the process as the C library does when the last thread has ended. Not
/// this one, which the exit waits for. False if it cannot be started.
fn spawn_exit() -> bool {
    threads::start(Signals::Inherited, exit, std::ptr::null_mut()).is_ok()
}

extern "C" fn exit(_: *mut c_void) -> *mut c_void {
    let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset initialises the set. This is the only thread that signals of the
    // program can reach.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_UNBLOCK, all.as_ptr(), std::ptr::null_mut());
    }
    // SAFETY: runs the program's exit handlers, as its last thread would.
    unsafe { libc::exit(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The main thread ends between the start of the poll thread, which then sleeps without a
    /// limit, and `watch`.
    #[test]
    fn a_main_thread_that_ends_before_it_is_watched() {
        static WOKEN: AtomicBool = AtomicBool::new(false);
        gone(std::ptr::without_provenance_mut(MAIN));
        watch(|| WOKEN.store(true, Ordering::Relaxed));
        assert!(WOKEN.load(Ordering::Relaxed));
        assert_eq!(interval(), Some(LOOK));
    }
}
