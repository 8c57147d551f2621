//! Waking a poll by an eventfd: one descriptor, a counter.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

#[derive(Debug)]
pub(crate) struct Bell(OwnedFd);

impl Bell {
    pub(crate) fn new() -> io::Result<Bell> {
        // SAFETY: no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just opened, owned by nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Bell(super::off_standard(fd)?))
    }

    pub(crate) fn read_end(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// If that is another descriptor.
    pub(crate) fn write_end(&self) -> Option<RawFd> {
        None
    }

    /// Make it readable.
    pub(crate) fn ring(&self) -> io::Result<()> {
        super::write(self.read_end(), &1u64.to_ne_bytes())
    }

    /// Take what has come. False if what was read is nothing that comes from here.
    pub(crate) fn clear(&self) -> io::Result<bool> {
        let mut sink = [0u8; 512];
        // SAFETY: an open descriptor, and a buffer of the length given. One read resets it.
        let read = unsafe { libc::read(self.read_end(), sink.as_mut_ptr().cast(), sink.len()) };
        match usize::try_from(read) {
            // It is read whole, and never at its end.
            Ok(read) => Ok(read == size_of::<u64>()),
            Err(_) => Err(io::Error::last_os_error()),
        }
    }
}
