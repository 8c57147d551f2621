//! The little of the eventlog format that this library writes itself.
//!
//! All integers are big-endian (GHC's `rts/eventlog/EventLogFormat.h`).
//! An event is a u16 type, a u64 time in nanoseconds, then its payload, which
//! starts with its u16 length if the type has a variable size.

use std::fmt::{self, Write};
use std::ops::Deref;

use eventlog_ring::Loss;

use crate::memory::{OutOfMemory, append};

/// First bytes of a log.
pub(crate) const HEADER_MAGIC: &[u8] = b"hdrbhetb";
/// The end of a header, after which events begin.
pub(crate) const HEADER_END: &[u8] = b"hetehdredatb";
/// What ends a log, in place of an event.
pub(crate) const END_MARKER: [u8; 2] = [0xFF, 0xFF];
/// Length of a block marker, which its own `size` field includes.
pub(crate) const MARKER_LEN: usize = 24;
/// In a block marker: events that belong to no capability.
pub(crate) const GLOBAL_CAPABILITY: u16 = 0xFFFF;
/// Bytes of an event before its payload.
pub(crate) const EVENT_HEAD: usize = 10;

pub(crate) const EVENT_BLOCK_MARKER: u16 = 18;
pub(crate) const EVENT_USER_MSG: u16 = 19;
pub(crate) const EVENT_CAPSET_CREATE: u16 = 25;
pub(crate) const EVENT_CAPSET_DELETE: u16 = 26;
pub(crate) const EVENT_CAPSET_ASSIGN_CAP: u16 = 27;
pub(crate) const EVENT_CAPSET_REMOVE_CAP: u16 = 28;
pub(crate) const EVENT_RTS_IDENTIFIER: u16 = 29;
pub(crate) const EVENT_PROGRAM_ARGS: u16 = 30;
pub(crate) const EVENT_PROGRAM_ENV: u16 = 31;
pub(crate) const EVENT_OSPROCESS_PID: u16 = 32;
pub(crate) const EVENT_OSPROCESS_PPID: u16 = 33;
pub(crate) const EVENT_WALL_CLOCK_TIME: u16 = 43;
pub(crate) const EVENT_CAP_CREATE: u16 = 45;
pub(crate) const EVENT_CAP_DELETE: u16 = 46;
pub(crate) const EVENT_CAP_DISABLE: u16 = 47;
pub(crate) const EVENT_CAP_ENABLE: u16 = 48;
pub(crate) const EVENT_HEAP_INFO_GHC: u16 = 52;
pub(crate) const EVENT_TASK_CREATE: u16 = 55;
pub(crate) const EVENT_TASK_MIGRATE: u16 = 56;
pub(crate) const EVENT_TASK_DELETE: u16 = 57;
pub(crate) const EVENT_HEAP_PROF_BEGIN: u16 = 160;
pub(crate) const EVENT_HEAP_PROF_COST_CENTRE: u16 = 161;
pub(crate) const EVENT_PROF_BEGIN: u16 = 168;
pub(crate) const EVENT_IPE: u16 = 169;
pub(crate) const EVENT_TICKY_COUNTER_DEF: u16 = 210;

/// The capability sets that every RTS creates: its OS process, and its clock.
pub(crate) const CAPSET_OSPROCESS: u32 = 0;
pub(crate) const CAPSET_CLOCKDOMAIN: u32 = 1;
pub(crate) const CAPSET_TYPE_OSPROCESS: u16 = 2;
pub(crate) const CAPSET_TYPE_CLOCKDOMAIN: u16 = 3;

/// The marker of a global block with `payload` bytes of events.
pub(crate) fn block_marker(begin: u64, end: u64, payload: usize) -> [u8; MARKER_LEN] {
    let size = u32::try_from(MARKER_LEN + payload).unwrap_or(u32::MAX);
    let mut marker = [0; MARKER_LEN];
    marker[..2].copy_from_slice(&EVENT_BLOCK_MARKER.to_be_bytes());
    marker[2..10].copy_from_slice(&begin.to_be_bytes());
    marker[10..14].copy_from_slice(&size.to_be_bytes());
    marker[14..22].copy_from_slice(&end.to_be_bytes());
    marker[22..].copy_from_slice(&GLOBAL_CAPABILITY.to_be_bytes());
    marker
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

/// A small block of our own, which takes no memory but its own.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    bytes: [u8; BLOCK],
    len: usize,
}

impl Block {
    /// As much of these bytes as has room.
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

/// A block with one user message, as `traceEvent` would have made it.
pub(crate) fn user_message_block(begin: u64, end: u64, text: fmt::Arguments<'_>) -> Block {
    const HEAD: usize = MARKER_LEN + EVENT_HEAD + 2;
    let mut block = Block::of(&[0; HEAD]);
    let _ = block.write_fmt(text);
    let payload = block.len - HEAD;
    let marker = block_marker(begin, end, block.len - MARKER_LEN);
    block.bytes[..MARKER_LEN].copy_from_slice(&marker);
    let (kind, time) = (EVENT_USER_MSG.to_be_bytes(), end.to_be_bytes());
    let len = (payload as u16).to_be_bytes();
    let head = kind.iter().chain(&time).chain(&len);
    for (to, byte) in block.bytes[MARKER_LEN..HEAD].iter_mut().zip(head) {
        *to = *byte;
    }
    block
}

/// What is said in the stream where chunks are missing from it. One regular form,
/// for programs to read.
pub(crate) fn loss_block(now: u64, loss: &Loss) -> Block {
    user_message_block(
        now,
        now,
        format_args!(
            "eventlog-socket: lost {} chunks, {} bytes, between {:.6} s and {:.6} s",
            loss.records,
            loss.bytes,
            loss.since as f64 / 1e9,
            loss.until as f64 / 1e9,
        ),
    )
}

/// What every client of a program is told whose RTS logs nothing, and why.
pub(crate) fn logs_nothing_block(now: u64) -> Block {
    user_message_block(
        now,
        now,
        format_args!(
            "eventlog-socket: this program runs without +RTS -l, so there are no events; \
             start it with +RTS -l, or switch event classes on by commands"
        ),
    )
}

/// The events of the tests, which have memory.
#[cfg(test)]
pub(crate) mod made {
    pub(crate) fn fixed_event(kind: u16, time: u64, payload: &[&[u8]]) -> Vec<u8> {
        super::fixed_event(kind, time, payload).unwrap()
    }

    pub(crate) fn variable_event(kind: u16, time: u64, payload: &[&[u8]]) -> Vec<u8> {
        super::variable_event(kind, time, payload).unwrap()
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
        let event = made::variable_event(EVENT_USER_MSG, most, &[text]);
        assert_eq!(block[MARKER_LEN..], event);
        assert!(text.ends_with(b" s"), "{}", text.escape_ascii());
        assert!(logs_nothing_block(most).ends_with(b" by commands"));
    }
}
