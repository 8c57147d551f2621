//! Limits on memory.

/// The largest number of each kind of thing that is kept. More are refused and counted
/// ([`Rows::refused`](crate::Rows::refused)); everything else stays right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Threads that are alive; one that was on several capabilities counts for each.
    pub threads: usize,
    /// Capabilities that threads can be on their way to.
    pub caps: usize,
    /// Notes of losses that are kept separately.
    pub losses: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            threads: 4 << 20,
            caps: 4096,
            losses: 4096,
        }
    }
}
