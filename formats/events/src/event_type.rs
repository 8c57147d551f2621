//! Types of events, as a header declares them.

/// The mark at the end of a log.
pub const DATA_END: u16 = 0xffff;

/// An event type as the header declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventType {
    /// Its number.
    pub id: u16,
    /// The bytes of its payload; `None` if each event contains its own size.
    /// GHC 6.12 declares some sizes wrongly: these are the ones that it writes.
    pub size: Option<u16>,
    /// The description in the log.
    pub description: String,
    /// Bytes for which no meaning is defined; empty in practice.
    pub extra: Vec<u8>,
}
