//! How a writer wakes the poll thread out of `poll`.
//!
//! An eventfd on Linux, a pipe elsewhere. Writing to either is async-signal-safe
//! and, non-blocking as they are, never waits: if it cannot be written, a wake-up
//! is pending already.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::faults::FAULTS;
use crate::fork;

#[derive(Debug)]
pub(crate) struct Wake {
    read: OwnedFd,
    /// The same descriptor as `read` for an eventfd.
    write: Option<OwnedFd>,
    lost: AtomicBool,
}

impl Wake {
    #[cfg(target_os = "linux")]
    pub(crate) fn new() -> io::Result<Wake> {
        // SAFETY: no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        fork::own(fork::Slot::WakeRead, Some(fd));
        Ok(Wake {
            // SAFETY: just opened, owned by nobody else.
            read: unsafe { OwnedFd::from_raw_fd(fd) },
            write: None,
            lost: AtomicBool::new(false),
        })
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn new() -> io::Result<Wake> {
        let mut ends = [-1; 2];
        // SAFETY: room for two descriptors.
        if unsafe { libc::pipe(ends.as_mut_ptr()) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just opened, owned by nobody else.
        let [read, write] = ends.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        for end in [&read, &write] {
            let fd = end.as_raw_fd();
            // SAFETY: an open descriptor.
            let set = unsafe {
                libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) >= 0
                    && libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) >= 0
            };
            if !set {
                return Err(io::Error::last_os_error());
            }
        }
        fork::own(fork::Slot::WakeRead, Some(read.as_raw_fd()));
        fork::own(fork::Slot::WakeWrite, Some(write.as_raw_fd()));
        Ok(Wake {
            read,
            write: Some(write),
            lost: AtomicBool::new(false),
        })
    }

    /// To be polled for input.
    pub(crate) fn fd(&self) -> RawFd {
        self.read.as_raw_fd()
    }

    /// Make `poll` return.
    pub(crate) fn wake(&self) {
        // Relaxed: whoever is a moment too early writes where the descriptor was.
        if self.lost.load(Ordering::Relaxed) {
            return;
        }
        let one = 1u64;
        let fd = self.write.as_ref().unwrap_or(&self.read).as_raw_fd();
        // SAFETY: an open descriptor, and eight bytes.
        if unsafe { write(fd, (&raw const one).cast(), size_of_val(&one)) } < 0 {
            match io::Error::last_os_error().raw_os_error() {
                // Full, so readable.
                Some(libc::EAGAIN) => FAULTS.wakeups_pending.count(),
                _ => FAULTS.wakeups_failed.count(),
            }
        }
    }

    /// The program has closed the descriptor, which may be another one now.
    pub(crate) fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
        fork::own(fork::Slot::WakeRead, None);
        fork::own(fork::Slot::WakeWrite, None);
    }

    /// Take the wake-ups that have come. False if what could be read was none, or if
    /// nothing ever can be: the descriptor is not ours any more.
    pub(crate) fn clear(&self) -> bool {
        let mut sink = [0u8; 512];
        // SAFETY: an open descriptor, and a buffer of the length given. An eventfd
        // is reset by one read; what is left in a pipe wakes once more.
        let read = unsafe { libc::read(self.fd(), sink.as_mut_ptr().cast(), sink.len()) };
        let ours = if read < 0 {
            // There may be none. What else fails, such as a read of what is open for
            // writing alone, fails for ever, and may be ready for ever.
            let error = io::Error::last_os_error().raw_os_error();
            matches!(error, Some(libc::EAGAIN | libc::EINTR))
        } else {
            // An eventfd is read whole, and never at its end; a pipe in any piece.
            (read > 0 && self.write.is_some()) || read == size_of::<u64>() as isize
        };
        if !ours {
            FAULTS.wakeups_failed.count();
        }
        ours
    }
}

/// `write`, at which no thread is cancelled: those of the RTS come here.
///
/// # Safety
/// There are so many bytes at the address.
#[cfg(target_os = "linux")]
unsafe fn write(fd: RawFd, bytes: *const libc::c_void, count: usize) -> libc::c_long {
    // SAFETY: by the contract of this function.
    unsafe { libc::syscall(libc::SYS_write, fd, bytes, count) }
}

#[cfg(not(target_os = "linux"))]
use libc::write;

impl Drop for Wake {
    fn drop(&mut self) {
        fork::own(fork::Slot::WakeRead, None);
        fork::own(fork::Slot::WakeWrite, None);
    }
}
