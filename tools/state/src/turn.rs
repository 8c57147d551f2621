//! Whether events are ordered by time.

/// Whether an event is in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing earlier can still arrive.
    Certain,
    /// Something earlier may still arrive: from a capability whose block has
    /// not arrived. In the order in which blocks are in a stream, all events
    /// are.
    Early,
    /// Something later was passed on before it.
    Late,
}

impl Turn {
    /// Whether the event is, or may be, out of order.
    pub fn is_late(self) -> bool {
        self != Self::Certain
    }
}
