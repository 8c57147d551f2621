//! Operating system threads that work for the runtime system.

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Task {
    /// Its number; an address in the program.
    pub id: u64,
    /// The capability that it is for now.
    pub cap: u16,
    /// The operating system's number of the thread.
    pub kernel_thread: u64,
    /// When it joined the runtime system. Nanoseconds.
    pub created: u64,
}
