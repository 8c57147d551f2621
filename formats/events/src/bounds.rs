//! Where an event ends: what `decoder/framing.rs` and `raw.rs` have in common.
//!
//! # Info tables
//!
//! Most releases since 9.6.5 declare these events one byte longer than they
//! are; in older ones, lengths beyond 64 KiB wrap around. What is reliable is
//! their shape, eight bytes and six strings, so they are delimited by that. A
//! declared length that differs in another way may be from a later system that
//! has added fields: it is used if an item can begin where it ends.

use crate::error::ErrorKind;
use crate::ids::{BLOCK_MARKER, CREATE_THREAD, IPE};
use crate::layout::EVENT_HEAD;
use crate::sizes::SizeTable;

/// Strings of an info table event.
const IPE_STRINGS: u8 = 6;
/// Where its strings begin: after type, time, length and address.
const IPE_FIRST_STRING: usize = EVENT_HEAD + 2 + 8;

/// How far the search for the end of an incomplete info table event has come,
/// so that it does not start again with every byte that arrives.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scan {
    at: usize,
    strings: u8,
}

/// The bounds of an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) payload_at: usize,
    /// Length of the whole event. Fewer bytes may have arrived.
    pub(crate) length: usize,
}

impl SizeTable {
    /// The bounds of the event at the front of `rest`, whose type is declared.
    /// `None` if more bytes are needed to decide. The end of an info table is
    /// looked for in the first `limit` bytes.
    pub(crate) fn bounds(
        &self,
        id: u16,
        rest: &[u8],
        limit: usize,
        scan: &mut Scan,
    ) -> Result<Option<Bounds>, ErrorKind> {
        let fixed = match id {
            BLOCK_MARKER => Some(self.marker_length() - EVENT_HEAD),
            _ => self.fixed(self.get(id)),
        };
        // The bytes that the shortest such event has before its payload.
        let payload_at = match fixed {
            Some(_) => EVENT_HEAD,
            None => EVENT_HEAD + 2,
        };
        if rest.len() < payload_at {
            return Ok(None);
        }
        let length = match fixed {
            Some(size) => payload_at + size,
            None if id == IPE => match self.info_table(rest, limit, scan)? {
                Some(length) => length,
                None => return Ok(None),
            },
            None => payload_at + usize::from(be16(rest, EVENT_HEAD)),
        };
        Ok(Some(Bounds { payload_at, length }))
    }

    /// The length of the info table event at the front of `rest`, which does
    /// not exceed `limit`; `None` if more bytes are needed to decide.
    fn info_table(
        &self,
        rest: &[u8],
        limit: usize,
        scan: &mut Scan,
    ) -> Result<Option<usize>, ErrorKind> {
        let declared = EVENT_HEAD + 2 + usize::from(be16(rest, EVENT_HEAD));
        scan.at = scan.at.max(IPE_FIRST_STRING);
        let window = &rest[..rest.len().min(limit)];
        while scan.strings < IPE_STRINGS {
            let Some(nul) = window
                .get(scan.at..)
                .and_then(|w| w.iter().position(|&b| b == 0))
            else {
                scan.at = scan.at.max(window.len());
                return match window.len() < limit {
                    true => Ok(None),
                    // Not of the known shape: only the declared length is left.
                    false if declared <= limit => Ok(Some(declared)),
                    false => Err(ErrorKind::TooLong(IPE)),
                };
            };
            scan.at += nul + 1;
            scan.strings += 1;
        }
        let excess = (declared as u64).wrapping_sub(scan.at as u64) & 0xffff;
        if excess <= 1 {
            return Ok(Some(scan.at));
        }
        if declared > limit {
            return Ok(Some(scan.at));
        }
        if declared == limit {
            return Ok(Some(declared));
        }
        let Some(next) = rest.get(declared..).and_then(|next| next.first_chunk()) else {
            return Ok(None);
        };
        let believed = self.declares(u16::from_be_bytes(*next));
        Ok(Some(if believed { declared } else { scan.at }))
    }
}

/// Whether an event is all zeros, which is a hole in the log.
pub(crate) fn is_hole(id: u16, time: u64, payload: &[u8]) -> bool {
    id == CREATE_THREAD && time == 0 && payload.iter().all(|&b| b == 0)
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    bytes
        .get(at..)
        .and_then(|bytes| bytes.first_chunk())
        .map_or(0, |bytes| u16::from_be_bytes(*bytes))
}
