//! Linux.

use std::ffi::{CStr, c_int, c_short};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use memmap2::{Advice, MmapRaw};

/// To look at a directory, or at a file, not even the right to read it is needed.
pub(crate) const LOOK: c_int = libc::O_PATH;

/// A peer that is gone is an error, not a signal.
pub(crate) const SEND_FLAGS: c_int = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;

/// Of `poll`: the peer sends no more, and: it is gone.
pub(crate) const HALF_CLOSED: c_short = libc::POLLRDHUP;
pub(crate) const GONE: c_short = libc::POLLERR | libc::POLLHUP;

/// The system may have these pages back; they read as zeroes then.
pub(crate) const GIVE_BACK: c_int = libc::MADV_DONTNEED;

/// Of `pthread_setcancelstate`; glibc and musl.
pub(crate) const CANCEL_DISABLE: c_int = 1;

/// When a connection is asked whether its peer is there: after 10, 20 and 30 s of silence;
/// given up after 40.
pub(crate) const KEEP_ALIVE: &[(c_int, c_int)] = &[
    (libc::TCP_KEEPIDLE, 10),
    (libc::TCP_KEEPINTVL, 10),
    (libc::TCP_KEEPCNT, 3),
];

fn owned(fd: c_int) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that was just opened, and that nobody else owns.
    super::off_standard(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A socket for streams, non-blocking and close-on-exec.
pub(crate) fn stream_socket(family: c_int) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointers.
    owned(unsafe { libc::socket(family, kind, 0) })
}

/// The next connection that waits, non-blocking and close-on-exec.
pub(crate) fn accept(listener: RawFd) -> io::Result<OwnedFd> {
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let nowhere = std::ptr::null_mut();
    // SAFETY: the peer's address is not asked for.
    owned(unsafe { libc::accept4(listener, nowhere, std::ptr::null_mut(), flags) })
}

/// `write`, at which no thread is cancelled: those of the RTS come here.
pub(crate) fn write(fd: RawFd, bytes: &[u8]) -> io::Result<()> {
    // SAFETY: there are so many bytes.
    match unsafe { libc::syscall(libc::SYS_write, fd, bytes.as_ptr(), bytes.len()) } {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Non-blocking and close-on-exec, of what could not be opened so.
#[cfg(any(eventlog_socket_pipe, test))]
pub(crate) fn prepare(fd: RawFd) -> io::Result<()> {
    // SAFETY: no pointers.
    let set = unsafe {
        libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) >= 0
            && libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) >= 0
    };
    set.then_some(()).ok_or_else(io::Error::last_os_error)
}

/// Not available here; the RTS ignores the signal.
#[cfg(any(eventlog_socket_pipe, test))]
pub(crate) fn without_sigpipe(_write_end: RawFd) -> io::Result<()> {
    Ok(())
}

/// The address of this thread's `errno`.
pub(crate) fn errno() -> *mut c_int {
    // SAFETY: no arguments.
    unsafe { libc::__errno_location() }
}

/// A descriptor that can be read when this file, or its directory, is removed or moved: of
/// inotify. `None` if there is none.
pub(crate) fn watch_file(path: &CStr, folder: &CStr) -> Option<OwnedFd> {
    // SAFETY: no pointers.
    let watch = owned(unsafe { libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC) }).ok()?;
    let fd = watch.as_raw_fd();
    let add = |path: &CStr, what: u32| {
        // SAFETY: an open descriptor, and a string.
        unsafe { libc::inotify_add_watch(fd, path.as_ptr(), what) >= 0 }
    };
    // An attribute is how many names it has: a socket that is listened on lives on
    // without any.
    let gone = libc::IN_ATTRIB | libc::IN_MOVE_SELF | libc::IN_DELETE_SELF;
    if !add(path, gone | libc::IN_DONT_FOLLOW) {
        return None;
    }
    // A directory that we may not read cannot be watched: done without.
    let gone = libc::IN_MOVE_SELF | libc::IN_DELETE_SELF;
    add(folder, gone | libc::IN_ONLYDIR);
    Some(watch)
}

/// Room on the disk for so much of a file from its start, which becomes as long. The error
/// is its number.
pub(crate) fn reserve(file: RawFd, size: libc::off_t) -> c_int {
    // SAFETY: no pointers.
    unsafe { libc::posix_fallocate(file, 0, size) }
}

/// Rename a file of a directory, if nothing has the name yet. `None`: this system, or this
/// file system, cannot do that in one step.
pub(crate) fn rename_to_new(folder: RawFd, name: &CStr, to: &CStr) -> Option<io::Result<()>> {
    let (name, to, never) = (name.as_ptr(), to.as_ptr(), libc::RENAME_NOREPLACE);
    // By its number: older C libraries have no function for it.
    // SAFETY: strings.
    match unsafe { libc::syscall(libc::SYS_renameat2, folder, name, folder, to, never) } {
        0.. => Some(Ok(())),
        _ => match io::Error::last_os_error() {
            error if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL)) => None,
            error => Some(Err(error)),
        },
    }
}

/// Keep this memory out of forked children (best effort).
pub(crate) fn keep_from_children(map: &MmapRaw) {
    let _ = map.advise(Advice::DontFork);
}

/// Keep this memory out of core dumps (best effort).
pub(crate) fn keep_from_dumps(map: &MmapRaw) {
    let _ = map.advise(Advice::DontDump);
}

/// Put pages behind this much of a mapping. False if the system will not: since Linux 5.14.
/// What has no file behind it any more is an error here, not a signal.
pub(crate) fn populate(map: &MmapRaw, start: usize, len: usize) -> bool {
    map.advise_range(Advice::PopulateWrite, start, len).is_ok()
}

/// Name the thread that calls this, with at most 15 bytes.
pub(crate) fn name_this_thread(name: &CStr) {
    // SAFETY: the calling thread, and a string. It is a plain system call; to name another
    // thread would open a file.
    unsafe { libc::pthread_setname_np(libc::pthread_self(), name.as_ptr()) };
}

/// The calling thread is the one that `main` runs on.
pub(crate) fn is_main_thread() -> bool {
    // SAFETY: no pointers.
    unsafe { libc::gettid() == libc::getpid() }
}

/// How many threads the process has besides the main one, if that has ended: it stays as a
/// zombie until all have. `None` if it has not, or if the system does not say.
pub(crate) fn threads_without_main(_told: bool) -> Option<u32> {
    let mut buffer = [0; 1024];
    match read_stat(&mut buffer).and_then(zombie_and_threads)? {
        (true, threads) => threads.checked_sub(1),
        (false, _) => None,
    }
}

fn read_stat(buffer: &mut [u8]) -> Option<&[u8]> {
    use std::io::Read;
    let mut file = std::fs::File::open("/proc/self/stat").ok()?;
    let length = file.read(buffer).ok()?;
    buffer.get(..length)
}

/// Whether the main thread has ended, and how many threads there are, itself included.
fn zombie_and_threads(stat: &[u8]) -> Option<(bool, u32)> {
    // The name before it may have anything in it.
    let after_name = stat.iter().rposition(|byte| *byte == b')')?;
    let text = std::str::from_utf8(stat.get(after_name + 1..)?).ok()?;
    let mut fields = text.split_ascii_whitespace();
    let state = fields.next()?;
    let threads = fields.nth(16)?.parse().ok()?;
    Some((state == "Z", threads))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_behind_the_name() {
        let stat = |state: &str| {
            let name = "1 (a) Z (b) 9";
            format!("{name}) {state} 1 2 3 0 -1 4 5 6 7 8 9 10 11 12 20 0 17 0 18 19\n")
        };
        let read = |text: &str| zombie_and_threads(text.as_bytes());
        assert_eq!(read(&stat("S")), Some((false, 17)));
        assert_eq!(read(&stat("Z")), Some((true, 17)));
        assert_eq!(read("1 (cut) S 1 2"), None);
        assert_eq!(read(""), None);
    }

    /// The layout is that of this system.
    #[test]
    fn the_systems_stat_is_understood() {
        let mut buffer = [0; 1024];
        let (zombie, threads) = read_stat(&mut buffer)
            .and_then(zombie_and_threads)
            .expect("a stat");
        assert!(!zombie && (1..10_000).contains(&threads), "{threads}");
    }
}
