//! What each system has its own way to do: one file for each, with the same functions.
//!
//! What a file does for one of them alone stays there. Here is what would be in several.

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
