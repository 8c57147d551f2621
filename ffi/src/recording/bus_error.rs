//! What happens when somebody truncates the file, or its file system cannot find room for what was promised.
//!
//! Touching a page of a mapping that has no file behind it any more is a SIGBUS, which ends the program, in the middle of
//! a chunk. There is no system call that prevents that for a file with a name: locks and leases bind nobody who does not
//! ask. So the signal is caught. If its address is in the mapping, anonymous memory takes the place of the whole mapping,
//! the instruction goes on in it, and nothing is recorded any more. Any other bus error is passed on to
//! the handler that was there before.
//!
//! The signal is delivered to the thread that touched the page. A thread that blocks it would be killed, so
//! each thread that records unblocks it, once.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

use crate::fork;

static START: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
static LEN: AtomicUsize = AtomicUsize::new(0);
static STRUCK: AtomicBool = AtomicBool::new(false);

/// The handler that was there before. Written before ours is installed, by `guard`.
static mut BEFORE: MaybeUninit<libc::sigaction> = MaybeUninit::uninit();

/// The mapping is no longer one of the file.
#[inline]
pub(super) fn has_struck() -> bool {
    // Relaxed: a thread that sees it late writes to memory that is never read.
    STRUCK.load(Ordering::Relaxed)
}

/// The file was found to be truncated before anybody has touched what is missing.
pub(super) fn give_up() {
    // Relaxed: as in `has_struck`.
    STRUCK.store(true, Ordering::Relaxed);
}

/// In a child, which has not the mapping of its parent.
pub(super) fn renew() {
    // Relaxed: nothing is mapped yet.
    LEN.store(0, Ordering::Relaxed);
    START.store(ptr::null_mut(), Ordering::Relaxed);
    STRUCK.store(false, Ordering::Relaxed);
}

/// Survive bus errors at these addresses, from now on.
pub(super) fn guard(start: NonNull<u8>, len: usize) {
    // Relaxed: the mapping is handed to other threads after this, which orders it.
    LEN.store(len, Ordering::Relaxed);
    START.store(start.as_ptr(), Ordering::Relaxed);
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: all zeroes is a valid sigaction; `BEFORE` is written here only, before the handler can run that reads it.
        unsafe {
            let action = action.as_mut_ptr();
            (*action).sa_sigaction = handle as *const () as usize;
            // On the alternative stack, if the thread has one, as the RTS's own handlers.
            (*action).sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
            libc::sigemptyset(&raw mut (*action).sa_mask);
            libc::sigaction(libc::SIGBUS, ptr::null(), (&raw mut BEFORE).cast());
            libc::sigaction(libc::SIGBUS, action, ptr::null_mut());
        }
    });
}

/// Unblock the signal in this thread.
#[inline]
pub(super) fn let_through() {
    thread_local! {
        // Without a destructor, so that it may be used at any time, also in a signal handler.
        static DONE: Cell<bool> = const { Cell::new(false) };
    }
    if !DONE.with(|done| done.replace(true)) {
        unblock();
    }
}

#[cold]
fn unblock() {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: room for the set, which sigemptyset initialises. Async-signal-safe, all of it.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGBUS);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), ptr::null_mut());
    }
}

/// Async-signal-safe: atomics and system calls.
extern "C" fn handle(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel hands over a valid description.
    let (address, code) = unsafe { ((*info).si_addr() as usize, (*info).si_code) };
    let (start, len) = (START.load(Ordering::Relaxed), LEN.load(Ordering::Relaxed));
    // A real fault: an address was touched. Not a signal that somebody has sent.
    // A child has no such mapping, and perhaps one of its own there.
    let touched = code > 0 && address.wrapping_sub(start as usize) < len && !fork::is_inert();
    if touched && (replace(start, len) || replace_page(address)) {
        return;
    }
    // SAFETY: written before this handler was there.
    let before = unsafe { (&raw const BEFORE).cast::<libc::sigaction>().read() };
    pass_on(&before, signal, info, context, code > 0);
}

/// Anonymous memory in the place of the mapping. False if there is none.
fn replace(start: *mut u8, len: usize) -> bool {
    // SAFETY: the addresses of our own mapping, which nobody reads as anything but numbers and bytes. Threads that are inside
    // a copy go on in the new memory.
    let replaced = unsafe {
        libc::mmap(
            start.cast(),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    let done = replaced != libc::MAP_FAILED;
    STRUCK.fetch_or(done, Ordering::Relaxed);
    done
}

/// The same for one page, where a system that promises no more memory than it has refuses all of them.
fn replace_page(address: usize) -> bool {
    const LARGEST_PAGE: usize = 64 << 10;
    for size in [4096, LARGEST_PAGE] {
        let start = address - address % size;
        if replace(std::ptr::with_exposed_provenance_mut(start), size) {
            return true;
        }
    }
    false
}

/// Do what would have happened without this library.
fn pass_on(
    before: &libc::sigaction,
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
    synchronous: bool,
) {
    match before.sa_sigaction {
        libc::SIG_IGN if !synchronous => {}
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: gives the signal back. A faulting instruction is met again when this returns; what was sent is sent
            // once more.
            unsafe {
                libc::sigaction(signal, before, ptr::null_mut());
                if !synchronous {
                    libc::raise(signal);
                }
            }
        }
        handler if before.sa_flags & libc::SA_SIGINFO != 0 => {
            type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
            // SAFETY: a handler that was registered with this signature.
            let handler = unsafe { std::mem::transmute::<usize, Handler>(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: a handler that was registered with this signature.
            let handler =
                unsafe { std::mem::transmute::<usize, extern "C" fn(libc::c_int)>(handler) };
            handler(signal);
        }
    }
}
