//! The header of the eventlog, and the definitions of which the newest counts.

use std::fmt;

use crate::{NoRoom, checksum, u32_at, u64_at};

/// One state of the definitions. The program writes its two slots in turn, so that one of them is whole at every
/// moment.
///
/// ```text
///  0  u64  sequence: 1, 2, ...; 0 in a slot that was never written
///  8  u32  bytes of the header
/// 12  u32  bytes of the events
/// 16  u64  0
/// 24  u32  0
/// 28  u32  checksum of all the other bytes, up to the last event
/// 32       the header of the eventlog, from "hdrb" to "datb"
///          events, without a block marker
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot<'a> {
    /// The higher one of two is newer.
    pub sequence: u64,
    /// As the RTS wrote it.
    pub header: &'a [u8],
    /// As the RTS wrote them.
    pub events: &'a [u8],
}

const HEAD: usize = 32;
const CHECKSUM_AT: usize = HEAD - 4;

/// Why there is nothing in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotError {
    /// It was never written.
    Empty,
    /// It is cut off, was being written when the program died, or was damaged later.
    Torn,
}

impl fmt::Display for SlotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "never written",
            Self::Torn => "torn or damaged",
        })
    }
}

impl std::error::Error for SlotError {}

impl<'a> Slot<'a> {
    /// Bytes before the header.
    pub const HEAD: usize = HEAD;

    /// The bytes of the slot; `None` if they do not fit.
    pub fn encode(&self, slot_size: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        self.encode_into(slot_size, &mut bytes).ok()?;
        Some(bytes)
    }

    /// The same, replacing the contents of `bytes`; allocates only if `bytes` is too small.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn encode_into(&self, slot_size: u64, bytes: &mut Vec<u8>) -> Result<(), NoRoom> {
        let size = HEAD + self.header.len() + self.events.len();
        if size as u64 > slot_size {
            return Err(NoRoom);
        }
        let length = |part: &[u8]| u32::try_from(part.len()).map_err(|_| NoRoom);
        let (header_len, events_len) = (length(self.header)?, length(self.events)?);
        bytes.clear();
        bytes.try_reserve(size).map_err(|_| NoRoom)?;
        bytes.extend_from_slice(&self.sequence.to_ne_bytes());
        bytes.extend_from_slice(&header_len.to_ne_bytes());
        bytes.extend_from_slice(&events_len.to_ne_bytes());
        bytes.resize(CHECKSUM_AT, 0);
        let sum = checksum(&[bytes, self.header, self.events]);
        bytes.extend_from_slice(&sum.to_ne_bytes());
        bytes.extend_from_slice(self.header);
        bytes.extend_from_slice(self.events);
        Ok(())
    }

    /// Reads a slot. There may be fewer bytes, from a file that was cut off.
    ///
    /// # Errors
    /// [`SlotError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Slot<'a>, SlotError> {
        let (head, rest) = bytes.split_at_checked(HEAD).ok_or(SlotError::Torn)?;
        if head.iter().all(|&byte| byte == 0) {
            return Err(SlotError::Empty);
        }
        let (header_len, events_len) = (u32_at(head, 8) as usize, u32_at(head, 12) as usize);
        let (header, rest) = rest.split_at_checked(header_len).ok_or(SlotError::Torn)?;
        let events = rest.get(..events_len).ok_or(SlotError::Torn)?;
        if u32_at(head, CHECKSUM_AT) != checksum(&[&head[..CHECKSUM_AT], header, events]) {
            return Err(SlotError::Torn);
        }
        Ok(Slot {
            sequence: u64_at(head, 0),
            header,
            events,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_survives_its_bytes_and_nothing_else() {
        let slot = Slot {
            sequence: 3,
            header: b"hdrb..datb",
            events: b"events",
        };
        let mut bytes = slot.encode(4096).expect("room");
        assert_eq!(Slot::parse(&bytes), Ok(slot));
        for len in 0..bytes.len() {
            assert_eq!(Slot::parse(&bytes[..len]), Err(SlotError::Torn), "{len}");
        }
        for at in 0..bytes.len() {
            bytes[at] ^= 0x10;
            assert_eq!(Slot::parse(&bytes), Err(SlotError::Torn), "{at}");
            bytes[at] ^= 0x10;
        }
        assert_eq!(Slot::parse(&[0; 100]), Err(SlotError::Empty));
        assert_eq!(slot.encode(40), None);
    }
}
