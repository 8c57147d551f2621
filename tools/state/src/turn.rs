//! Whether events come in the order of time.

/// Whether an event comes in its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing earlier can still come.
    Certain,
    /// Something earlier may still come: of a capability whose block has not
    /// arrived. In the order in which blocks lie in a stream, all events are.
    Early,
    /// Something later has come before it.
    Late,
}

impl Turn {
    /// Whether the order is not that of time, or may not be.
    pub fn is_late(self) -> bool {
        self != Self::Certain
    }
}
