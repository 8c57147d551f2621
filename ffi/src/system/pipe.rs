//! Waking a poll by a pipe, where there is no eventfd.
//!
//! A byte for each time. When it is full, whoever sleeps is to be woken anyhow.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

#[derive(Debug)]
pub(crate) struct Bell {
    read: OwnedFd,
    write: OwnedFd,
}

impl Bell {
    pub(crate) fn new() -> io::Result<Bell> {
        let mut ends = [-1; 2];
        // SAFETY: room for two descriptors.
        if unsafe { libc::pipe(ends.as_mut_ptr()) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just opened, owned by nobody else.
        let [read, write] = ends.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        let (read, write) = (super::off_standard(read)?, super::off_standard(write)?);
        for end in [&read, &write] {
            super::prepare(end.as_raw_fd())?;
        }
        super::without_sigpipe(write.as_raw_fd())?;
        Ok(Bell { read, write })
    }

    pub(crate) fn read_end(&self) -> RawFd {
        self.read.as_raw_fd()
    }

    /// If that is another descriptor.
    pub(crate) fn write_end(&self) -> Option<RawFd> {
        Some(self.write.as_raw_fd())
    }

    /// Make it readable.
    pub(crate) fn ring(&self) -> io::Result<()> {
        super::write(self.write.as_raw_fd(), &[1])
    }

    /// Take what has come. False if what was read is nothing that comes from here.
    pub(crate) fn clear(&self) -> io::Result<bool> {
        let mut sink = [0u8; 512];
        // SAFETY: an open descriptor, and a buffer of the length given. What is left wakes
        // once more.
        let read = unsafe { libc::read(self.read_end(), sink.as_mut_ptr().cast(), sink.len()) };
        match usize::try_from(read) {
            // We have the other end: it is never at its end.
            Ok(read) => Ok(sink[..read].first() == Some(&1)),
            Err(_) => Err(io::Error::last_os_error()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_readable(bell: &Bell) -> bool {
        let mut entry = libc::pollfd {
            fd: bell.read_end(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one entry, as said.
        unsafe { libc::poll(&mut entry, 1, 0) == 1 }
    }

    fn would_block<T: std::fmt::Debug>(outcome: io::Result<T>) -> bool {
        outcome.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    #[test]
    fn a_ring_is_seen_until_it_is_cleared() {
        let bell = Bell::new().expect("a pipe");
        assert!(!is_readable(&bell));
        assert!(would_block(bell.clear()));
        for _ in 0..3 {
            bell.ring().expect("room");
        }
        assert!(is_readable(&bell));
        assert!(bell.clear().expect("what has come"));
        assert!(!is_readable(&bell));
    }

    /// A ring never blocks, and none is lost.
    #[test]
    fn a_full_pipe_wakes_still() {
        let bell = Bell::new().expect("a pipe");
        let rung = (0..10_000_000).find(|_| would_block(bell.ring()));
        let rung = rung.expect("a pipe that is full");
        let cleared =
            std::iter::repeat_with(|| bell.clear()).take_while(|it| matches!(it, Ok(true)));
        assert_eq!(cleared.count(), usize::div_ceil(rung, 512));
        assert!(!is_readable(&bell));
        bell.ring().expect("room again");
        assert!(is_readable(&bell));
    }

    /// A program that is started by a fork of this one has neither end.
    #[test]
    fn both_ends_are_closed_in_other_programs() {
        let bell = Bell::new().expect("a pipe");
        for fd in [Some(bell.read_end()), bell.write_end()] {
            let fd = fd.expect("a descriptor");
            // SAFETY: an open descriptor.
            let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
            assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
        }
    }
}
