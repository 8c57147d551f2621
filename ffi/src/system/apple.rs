//! Apple's systems. It compiles and links (scripts/cross); it was never run.

use std::ffi::{CStr, c_int, c_short, c_void};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// To look at a directory, the right to read it is not needed; versions that do not know
/// this need it.
pub(crate) const LOOK: c_int = libc::O_SEARCH;

/// That a peer that is gone is no signal is an option of the socket here (see `accept`).
pub(crate) const SEND_FLAGS: c_int = libc::MSG_DONTWAIT;

/// Of `poll`: there is no event of its own for a peer that sends no more, and POLLHUP may be
/// that, too. Only what is sent tells whether the peer is gone.
pub(crate) const HALF_CLOSED: c_short = 0;
pub(crate) const GONE: c_short = libc::POLLERR;

/// The system may have these pages back when it needs them, and not before: they keep what
/// was in them, or read as zeroes.
pub(crate) const GIVE_BACK: c_int = libc::MADV_FREE;

/// Of `pthread_setcancelstate`.
pub(crate) const CANCEL_DISABLE: c_int = 0;

/// As on Linux. The last one ends a connection whose peer has not acknowledged for 40 s what
/// it was sent, which `tcp::silence` looks for elsewhere.
pub(crate) const KEEP_ALIVE: &[(c_int, c_int)] = &[
    (libc::TCP_KEEPALIVE, 10),
    (libc::TCP_KEEPINTVL, 10),
    (libc::TCP_KEEPCNT, 3),
    (TCP_RXT_CONNDROPTIME, 40),
];
/// Of `netinet/tcp.h`.
const TCP_RXT_CONNDROPTIME: c_int = 0x80;

fn check(outcome: c_int) -> io::Result<c_int> {
    if outcome < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(outcome)
}

fn prepared(fd: c_int) -> io::Result<OwnedFd> {
    let fd = check(fd)?;
    // SAFETY: a descriptor that was just opened, and that nobody else owns.
    let owned = super::off_standard(unsafe { OwnedFd::from_raw_fd(fd) })?;
    prepare(owned.as_raw_fd())?;
    Ok(owned)
}

/// Non-blocking and close-on-exec, of what could not be opened so: a program that is started
/// by another thread in between has the descriptor, too.
pub(crate) fn prepare(fd: RawFd) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    // SAFETY: as above.
    check(unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) })?;
    Ok(())
}

/// A write into a pipe that nobody can read is an error, not a signal.
pub(crate) fn without_sigpipe(write_end: RawFd) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::fcntl(write_end, libc::F_SETNOSIGPIPE, 1) })?;
    Ok(())
}

/// A socket for streams, non-blocking and close-on-exec.
pub(crate) fn stream_socket(family: c_int) -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    prepared(unsafe { libc::socket(family, libc::SOCK_STREAM, 0) })
}

/// The next connection that waits, non-blocking and close-on-exec.
pub(crate) fn accept(listener: RawFd) -> io::Result<OwnedFd> {
    let nowhere = std::ptr::null_mut();
    // SAFETY: the peer's address is not asked for.
    let socket = prepared(unsafe { libc::accept(listener, nowhere, std::ptr::null_mut()) })?;
    let on: c_int = 1;
    // SAFETY: an open descriptor, and a value of the length given.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NOSIGPIPE,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if set < 0 {
        // The peer is gone again. To write to it without this would be a signal.
        return Err(io::Error::from_raw_os_error(libc::ECONNABORTED));
    }
    Ok(socket)
}

/// `write`, at which no thread is cancelled: those of the RTS come here.
pub(crate) fn write(fd: RawFd, bytes: &[u8]) -> io::Result<()> {
    unsafe extern "C" {
        #[link_name = "write$NOCANCEL"]
        fn write_nocancel(fd: c_int, bytes: *const c_void, count: libc::size_t) -> libc::ssize_t;
    }
    // SAFETY: there are so many bytes.
    match unsafe { write_nocancel(fd, bytes.as_ptr().cast(), bytes.len()) } {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The address of this thread's `errno`.
pub(crate) fn errno() -> *mut c_int {
    // SAFETY: no arguments.
    unsafe { libc::__error() }
}

/// A descriptor that tells when this file goes. A kqueue would need the file open, which a
/// socket's cannot be, and tells of a directory only that something in it has changed.
pub(crate) fn watch_file(_path: &CStr, _folder: &CStr) -> Option<OwnedFd> {
    None
}

/// Room on the disk for so much of a file that is empty. The error is its number.
pub(crate) fn reserve(file: RawFd, size: libc::off_t) -> c_int {
    let wanted = libc::fstore_t {
        fst_flags: libc::F_ALLOCATEALL,
        fst_posmode: libc::F_PEOFPOSMODE,
        fst_offset: 0,
        fst_length: size,
        fst_bytesalloc: 0,
    };
    // SAFETY: what this operation reads, which lives for the call.
    match check(unsafe { libc::fcntl(file, libc::F_PREALLOCATE, &raw const wanted) }) {
        Ok(_) => 0,
        Err(error) => error.raw_os_error().unwrap_or(libc::EIO),
    }
}

/// Rename a file of a directory, if nothing has the name yet. `None`: this file system
/// cannot do that in one step.
pub(crate) fn rename_to_new(folder: RawFd, name: &CStr, to: &CStr) -> Option<io::Result<()>> {
    let (name, to) = (name.as_ptr(), to.as_ptr());
    // SAFETY: strings.
    match check(unsafe { libc::renameatx_np(folder, name, folder, to, libc::RENAME_EXCL) }) {
        Ok(_) => Some(Ok(())),
        Err(error) => match error.raw_os_error() {
            Some(libc::ENOTSUP | libc::EINVAL) => None,
            _ => Some(Err(error)),
        },
    }
}

/// Keep this memory out of forked children (best effort).
pub(crate) fn keep_from_children(map: &memmap2::MmapRaw) {
    // SAFETY: a mapping of ours.
    unsafe { libc::minherit(map.as_mut_ptr().cast(), map.len(), libc::VM_INHERIT_NONE) };
}

/// Keep this memory out of core dumps. Not available here.
pub(crate) fn keep_from_dumps(_map: &memmap2::MmapRaw) {}

/// Put pages behind this much of a mapping. False if the system will not: here it cannot.
pub(crate) fn populate(_map: &memmap2::MmapRaw, _start: usize, _len: usize) -> bool {
    false
}

/// Name the thread that calls this.
pub(crate) fn name_this_thread(name: &CStr) {
    // SAFETY: a string.
    unsafe { libc::pthread_setname_np(name.as_ptr()) };
}

/// The calling thread is the one that `main` runs on.
pub(crate) fn is_main_thread() -> bool {
    // SAFETY: no arguments.
    unsafe { libc::pthread_main_np() != 0 }
}

/// How many threads the process has besides the main one, if that has told that it ends.
/// Once it has, it is not counted any more.
pub(crate) fn threads_without_main(told: bool) -> Option<u32> {
    if !told {
        return None;
    }
    let mut about = std::mem::MaybeUninit::<libc::proc_taskinfo>::uninit();
    let size = size_of_val(&about) as c_int;
    // SAFETY: room for as much as is said.
    let told = unsafe {
        let room = about.as_mut_ptr().cast();
        libc::proc_pidinfo(libc::getpid(), libc::PROC_PIDTASKINFO, 0, room, size)
    };
    if told < size {
        return None;
    }
    // SAFETY: filled in.
    u32::try_from(unsafe { about.assume_init() }.pti_threadnum).ok()
}

// The system calls that the C++ library of these systems sleeps and wakes by, in any version
// since 2016. Those that are documented came in 2024.
unsafe extern "C" {
    fn __ulock_wait(operation: u32, word: *mut c_void, seen: u64, microseconds: u32) -> c_int;
    fn __ulock_wake(operation: u32, word: *mut c_void, value: u64) -> c_int;
}
const COMPARE_AND_WAIT: u32 = 1;
const WAKE_ALL: u32 = 0x100;
/// Errors are returned: `errno` stays as it is.
const NO_ERRNO: u32 = 0x0100_0000;

/// As `futex::wait` says.
pub(crate) fn wait(word: &AtomicU32, seen: u32, limit: Option<Duration>) {
    let limit = limit.map_or(0, |limit| {
        // 0 is no limit.
        u32::try_from(limit.as_micros()).unwrap_or(u32::MAX).max(1)
    });
    let word = word.as_ptr().cast();
    // SAFETY: a word that lives for the call.
    unsafe { __ulock_wait(COMPARE_AND_WAIT | NO_ERRNO, word, seen.into(), limit) };
}

/// As `futex::wake_all_at` says.
pub(crate) fn wake_all_at(word: *const AtomicU32) {
    let word = word.cast_mut().cast();
    // SAFETY: the system does not touch the word, but looks up its address.
    unsafe { __ulock_wake(COMPARE_AND_WAIT | WAKE_ALL | NO_ERRNO, word, 0) };
}
