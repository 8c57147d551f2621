//! Functions that differ between systems.

#[cfg(not(target_os = "linux"))]
mod apple;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
use apple as os;
#[cfg(target_os = "linux")]
use linux as os;

pub use os::own_executable;
pub(crate) use os::{SEND, Watched, make_fifo};
