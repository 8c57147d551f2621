//! What each system has its own way to do: one file for each, with the same functions.
//!
//! What a file does for one of them alone stays there. Here is what would be in several.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

#[cfg(not(target_os = "linux"))]
mod apple;
#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
compile_error!("this library is for Linux and for Apple's systems");
#[cfg(all(target_os = "linux", not(eventlog_socket_pipe)))]
mod eventfd;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(not(target_os = "linux"), eventlog_socket_pipe, test))]
mod pipe;

#[cfg(not(target_os = "linux"))]
pub(crate) use apple::*;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

/// What wakes a poll. The switch has the one for other systems tested on this one.
#[cfg(all(target_os = "linux", not(eventlog_socket_pipe)))]
pub(crate) use eventfd::Bell;
#[cfg(any(not(target_os = "linux"), eventlog_socket_pipe))]
pub(crate) use pipe::Bell;

/// A descriptor that was just opened, away from the numbers of standard input, output and error
/// output. A program that was started without one of those gets its number for the next thing that
/// is opened; what it prints all the same is not to reach a client, or the ring file.
pub(crate) fn off_standard(descriptor: OwnedFd) -> io::Result<OwnedFd> {
    if descriptor.as_raw_fd() > libc::STDERR_FILENO {
        return Ok(descriptor);
    }
    let from = libc::STDERR_FILENO + 1;
    // SAFETY: no pointers.
    let moved = unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_DUPFD_CLOEXEC, from) };
    if moved < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that was just opened, and that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(moved) })
}
