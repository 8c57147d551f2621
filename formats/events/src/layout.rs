//! How a log is stored: lengths, marks, and the block marker.
//!
//! All numbers are big-endian. A log is a header, then blocks of events, then
//! the mark [`DATA_END`](crate::DATA_END). An event is its type (two bytes), its
//! time (eight), the length of its payload (two, if its type has no fixed
//! size), and the payload.

use crate::ids::BLOCK_MARKER;

/// The bytes of an event before its payload, or before the length of the
/// payload: type and time.
pub const EVENT_HEAD: usize = 10;

/// The bytes of a block marker in every log seen so far. The size in the marker
/// includes them.
pub const MARKER_LEN: usize = 24;

/// The capability field of a block of the global buffer, whose events belong
/// to no capability.
pub const GLOBAL: u16 = 0xffff;

/// The bytes that every header begins with.
pub(crate) const HEADER_BEGIN: &[u8; 4] = b"hdrb";

/// The beginning of a header, long enough to be unlikely to appear by chance.
pub const HEADER_SIGN: &[u8; 8] = b"hdrbhetb";

/// The end of a header, after the types that it declares.
pub const HEADER_TAIL: &[u8; 12] = b"hetehdredatb";

/// The longest header that is accepted. Real ones have about 3 KiB.
pub const MAX_HEADER: usize = 1 << 20;

/// The longest item that is accepted. The format allows 64 KiB; info table
/// events of old systems could be longer.
pub const MAX_ITEM: usize = 1 << 20;

/// The marker of a block with `events` bytes of events, of a capability or of
/// the global buffer. For a block of 4 GiB or more its size is 0: it reaches to
/// the next marker.
pub fn block_marker(cap: Option<u16>, begin: u64, end: u64, events: usize) -> [u8; MARKER_LEN] {
    let size = events.checked_add(MARKER_LEN);
    let size = size.and_then(|size| u32::try_from(size).ok()).unwrap_or(0);
    let mut marker = [0; MARKER_LEN];
    marker[..2].copy_from_slice(&BLOCK_MARKER.to_be_bytes());
    marker[2..10].copy_from_slice(&begin.to_be_bytes());
    marker[10..14].copy_from_slice(&size.to_be_bytes());
    marker[14..22].copy_from_slice(&end.to_be_bytes());
    marker[22..].copy_from_slice(&cap.unwrap_or(GLOBAL).to_be_bytes());
    marker
}
