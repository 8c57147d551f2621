//! Which file a descriptor is of, so that one which the program has closed, and perhaps
//! opened anew as something of its own, is neither closed by us nor read or written.

use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// A descriptor that is closed when it is dropped, if it is still the one that was opened.
#[derive(Debug)]
pub(crate) struct OwnDescriptor {
    descriptor: ManuallyDrop<OwnedFd>,
    identity: Option<Identity>,
}

/// Device and inode: no two files or sockets that are there at the same time share them.
pub(crate) type Identity = (u64, u64);

impl OwnDescriptor {
    pub(crate) fn new(descriptor: OwnedFd) -> OwnDescriptor {
        OwnDescriptor {
            identity: identity(descriptor.as_raw_fd()),
            descriptor: ManuallyDrop::new(descriptor),
        }
    }

    /// It is still the one that was opened: neither closed nor reused for another file.
    pub(crate) fn is_still_open(&self) -> bool {
        self.identity.is_some() && identity(self.as_raw_fd()) == self.identity
    }

    /// The program has reused its number for something of its own.
    pub(crate) fn is_another(&self) -> bool {
        is_another(self.as_raw_fd(), self.identity)
    }

    /// The program has closed it: what has its number now is not to be closed.
    pub(crate) fn forget(&mut self) {
        self.identity = None;
    }

    /// Its size in bytes, if it is still the one that was opened. The answer may be old by the time it is used: no system call
    /// does both.
    pub(crate) fn size(&self) -> Option<u64> {
        let file = stat(self.as_raw_fd())?;
        let ours = self.identity == Some(named(&file));
        ours.then(|| u64::try_from(file.st_size).unwrap_or(0))
    }
}

impl AsRawFd for OwnDescriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

impl Drop for OwnDescriptor {
    fn drop(&mut self) {
        if self.is_still_open() {
            // SAFETY: dropped once, here.
            unsafe { ManuallyDrop::drop(&mut self.descriptor) };
        }
    }
}

/// Of which file a descriptor is, if it is open. Async-signal-safe.
pub(crate) fn identity(fd: RawFd) -> Option<Identity> {
    stat(fd).map(|file| named(&file))
}

/// A descriptor is open, and of another file than this one. What the system does not tell is
/// no reason to give up what works. Async-signal-safe.
pub(crate) fn is_another(fd: RawFd, file: Option<Identity>) -> bool {
    file.is_some() && identity(fd).is_some_and(|found| Some(found) != file)
}

pub(crate) fn named(file: &libc::stat) -> Identity {
    #[allow(clippy::unnecessary_cast, reason = "of other types elsewhere")]
    (file.st_dev as u64, file.st_ino as u64)
}

pub(crate) fn stat(fd: RawFd) -> Option<libc::stat> {
    let mut file = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: room for the answer; a descriptor that is none is an error.
    if unsafe { libc::fstat(fd, file.as_mut_ptr()) } < 0 {
        return None;
    }
    // SAFETY: filled in.
    Some(unsafe { file.assume_init() })
}
