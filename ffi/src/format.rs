//! The little of the eventlog format that this library writes itself.
//!
//! What the format is stands in `ghc_eventlog`, of which this library uses what allocates
//! nothing: the numbers of event types, the framing of events, what each of them defines,
//! the messages. Its writer needs memory; what is written here does with its own, or says
//! that there is none.

use std::fmt::{self, Write};
use std::ops::Deref;

use eventlog_ring::Loss;
use ghc_eventlog::layout::{EVENT_HEAD, MARKER_LEN, block_marker};
use ghc_eventlog::notes::{self, Note};
use ghc_eventlog::{RawEvent, ids};

use crate::memory::{OutOfMemory, append};

/// When an event happened.
pub(crate) fn time_of(event: &[u8]) -> u64 {
    event
        .get(2..EVENT_HEAD)
        .and_then(|time| time.try_into().ok())
        .map_or(0, u64::from_be_bytes)
}

/// GHC 9.6.5 and later declare one byte more than an info-table event has. Not every reader
/// knows; what is told again, in this copy, is right for all of them.
pub(crate) fn declare_real_length(copy: &mut [u8], event: &RawEvent<'_>) {
    const PAYLOAD_AT: usize = EVENT_HEAD + 2;
    let has_length = event.bytes.len() == PAYLOAD_AT + event.payload.len();
    if event.id == ids::IPE
        && has_length
        && let Ok(len) = u16::try_from(event.payload.len())
        && let Some(declared) = copy.get_mut(EVENT_HEAD..PAYLOAD_AT)
    {
        declared.copy_from_slice(&len.to_be_bytes());
    }
}

/// An event of fixed size.
pub(crate) fn fixed_event(kind: u16, time: u64, payload: &[&[u8]]) -> Result<Vec<u8>, OutOfMemory> {
    let mut event = Vec::new();
    event.try_reserve_exact(EVENT_HEAD + payload.iter().map(|p| p.len()).sum::<usize>())?;
    event.extend_from_slice(&kind.to_be_bytes());
    event.extend_from_slice(&time.to_be_bytes());
    payload
        .iter()
        .for_each(|part| event.extend_from_slice(part));
    Ok(event)
}

/// An event of variable size. A payload over 65,535 bytes, which the format
/// cannot express, is cut there.
pub(crate) fn variable_event(
    kind: u16,
    time: u64,
    payload: &[&[u8]],
) -> Result<Vec<u8>, OutOfMemory> {
    let mut event = fixed_event(kind, time, &[&[0, 0]])?;
    for part in payload {
        append(&mut event, part)?;
    }
    let max = usize::from(u16::MAX);
    event.truncate(EVENT_HEAD + 2 + max);
    let len = (event.len() - EVENT_HEAD - 2) as u16;
    event[EVENT_HEAD..EVENT_HEAD + 2].copy_from_slice(&len.to_be_bytes());
    Ok(event)
}

/// Bytes of the longest [`Block`]: one with the message of a loss.
const BLOCK: usize = 192;

/// A small block made by this library, without allocation.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    bytes: [u8; BLOCK],
    len: usize,
}

impl Block {
    /// As many of these bytes as there is room for.
    pub(crate) fn of(bytes: &[u8]) -> Block {
        let mut block = Block {
            bytes: [0; BLOCK],
            len: 0,
        };
        block.add(bytes);
        block
    }

    fn add(&mut self, bytes: &[u8]) {
        let room = &mut self.bytes[self.len..];
        let taken = bytes.len().min(room.len());
        room[..taken].copy_from_slice(&bytes[..taken]);
        self.len += taken;
    }
}

impl Write for Block {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.add(text.as_bytes());
        Ok(())
    }
}

impl Deref for Block {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// A global block with one user message, as `traceEvent` would have made it.
pub(crate) fn note_block(begin: u64, end: u64, note: Note<'_>) -> Block {
    const HEAD: usize = MARKER_LEN + EVENT_HEAD + 2;
    let mut block = Block::of(&[0; HEAD]);
    let _ = write!(block, "{note}");
    let payload = block.len - HEAD;
    let marker = block_marker(None, begin, end, block.len - MARKER_LEN);
    block.bytes[..MARKER_LEN].copy_from_slice(&marker);
    let (kind, time) = (ids::USER_MSG.to_be_bytes(), end.to_be_bytes());
    let len = (payload as u16).to_be_bytes();
    let head = kind.iter().chain(&time).chain(&len);
    for (to, byte) in block.bytes[MARKER_LEN..HEAD].iter_mut().zip(head) {
        *to = *byte;
    }
    block
}

/// The message in the stream where chunks are missing from it.
pub(crate) fn loss_block(now: u64, loss: &Loss) -> Block {
    let loss = notes::Loss {
        chunks: loss.records,
        bytes: loss.bytes,
        between: Some((loss.since, loss.until)),
    };
    note_block(now, now, Note::Loss(loss))
}

/// The events of the tests, which have memory.
#[cfg(test)]
pub(crate) mod made {
    use ghc_eventlog::layout::{HEADER_SIGN, HEADER_TAIL};

    pub(crate) fn fixed_event(kind: u16, time: u64, payload: &[&[u8]]) -> Vec<u8> {
        super::fixed_event(kind, time, payload).unwrap()
    }

    pub(crate) fn variable_event(kind: u16, time: u64, payload: &[&[u8]]) -> Vec<u8> {
        super::variable_event(kind, time, payload).unwrap()
    }

    /// A header that declares these types.
    pub(crate) fn header(types: &[(u16, u16)]) -> Vec<u8> {
        let mut header = HEADER_SIGN.to_vec();
        for (kind, size) in types {
            header.extend_from_slice(b"etb\0");
            header.extend_from_slice(&kind.to_be_bytes());
            header.extend_from_slice(&size.to_be_bytes());
            header.extend_from_slice(&[0, 0, 0, 1, b'x', 0, 0, 0, 0]);
            header.extend_from_slice(b"ete\0");
        }
        header.extend_from_slice(HEADER_TAIL);
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_as_long_as_its_marker_says_and_has_room_for_any_loss() {
        let most = u64::MAX;
        let loss = Loss {
            records: most,
            bytes: most,
            since: most,
            until: most,
        };
        let block = loss_block(most, &loss);
        assert_eq!(block[10..14], (block.len() as u32).to_be_bytes());
        let text = &block[MARKER_LEN + EVENT_HEAD + 2..];
        let event = made::variable_event(ids::USER_MSG, most, &[text]);
        assert_eq!(block[MARKER_LEN..], event);
        assert!(text.ends_with(b" s"), "{}", text.escape_ascii());
        let logs_nothing = note_block(most, most, Note::LogsNothing);
        assert!(logs_nothing.ends_with(b" by commands"));
    }
}
