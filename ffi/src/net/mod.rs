//! Sockets: every descriptor is made here, non-blocking and close-on-exec.

pub(crate) mod client;
mod file_watch;
pub(crate) mod listener;
mod peer;
mod port_file;
pub(crate) mod tcp;
pub(crate) mod unix;

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::faults::FAULTS;
use crate::system;

/// Clients that may wait for their turn.
pub(crate) const BACKLOG: c_int = 64;

fn socket(family: c_int) -> io::Result<OwnedFd> {
    system::stream_socket(family)
}

fn listen(socket: &OwnedFd, backlog: c_int) -> io::Result<()> {
    // SAFETY: an open descriptor.
    if unsafe { libc::listen(socket.as_raw_fd(), backlog) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn set_option<T>(socket: &impl AsRawFd, level: c_int, name: c_int, value: T) -> io::Result<()> {
    // SAFETY: an open descriptor, and a value of the length given.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    if set < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Set an option that the stream works without (best effort).
fn set_best_effort<T>(socket: &impl AsRawFd, level: c_int, name: c_int, value: T) {
    if set_option(socket, level, name, value).is_err() {
        FAULTS.options_failed.count();
    }
}
