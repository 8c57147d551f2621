//! Which file a descriptor is of, so that one which the program has closed, and perhaps
//! opened anew as something of its own, is not closed by us.

use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// A socket that is closed when it is dropped, if it is still the one that was opened.
#[derive(Debug)]
pub(super) struct OwnSocket {
    socket: ManuallyDrop<OwnedFd>,
    identity: Option<Identity>,
}

/// Device and inode: no two sockets that are open at the same time share them.
type Identity = (libc::dev_t, libc::ino_t);

impl OwnSocket {
    pub(super) fn new(socket: OwnedFd) -> OwnSocket {
        OwnSocket {
            identity: identity(socket.as_raw_fd()),
            socket: ManuallyDrop::new(socket),
        }
    }
}

impl AsRawFd for OwnSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl Drop for OwnSocket {
    fn drop(&mut self) {
        if identity(self.as_raw_fd()) == self.identity {
            // SAFETY: dropped once, here.
            unsafe { ManuallyDrop::drop(&mut self.socket) };
        }
    }
}

fn identity(fd: RawFd) -> Option<Identity> {
    let mut file = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: room for the answer; a descriptor that is none is an error.
    if unsafe { libc::fstat(fd, file.as_mut_ptr()) } < 0 {
        return None;
    }
    // SAFETY: filled in.
    let file = unsafe { file.assume_init() };
    Some((file.st_dev, file.st_ino))
}
