//! What each system has its own way to do.

#[cfg(not(target_os = "linux"))]
mod apple;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
pub use apple::*;
#[cfg(target_os = "linux")]
pub use linux::*;
