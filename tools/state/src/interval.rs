//! Intervals of threads and capabilities.

use crate::states::{CapState, ThreadState};

/// A thread was in a state for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadInterval {
    /// The thread.
    pub thread: u32,
    /// What it did.
    pub state: ThreadState,
    /// From when on.
    pub from: u64,
    /// Until when; never before `from`.
    pub to: u64,
}

/// A capability did something for some time. Intervals of one capability follow
/// each other without gap or overlap; empty ones are not reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapInterval {
    /// The capability.
    pub cap: u16,
    /// What it did.
    pub state: CapState,
    /// The thread, if one ran.
    pub thread: Option<u32>,
    /// From when on.
    pub from: u64,
    /// Until when; never before `from`.
    pub to: u64,
}
