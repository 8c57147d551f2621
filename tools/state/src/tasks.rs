//! Operating system threads that work for the runtime system.

/// An operating system thread of the runtime system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Task {
    /// Its number; an address in the program.
    pub id: u64,
    /// The capability that it currently works for.
    pub cap: u16,
    /// The operating system's number of the thread.
    pub kernel_thread: u64,
    /// When it joined the runtime system, in nanoseconds.
    pub created: u64,
}
