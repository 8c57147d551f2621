//! The events between two moments as blocks, as a log has them.

use crate::snapshot::Snapshot;
use crate::transition::transition;
use ghc_eventlog::{BlockBuilder, EventBody, Text};

/// Bytes of a block after which the next one begins.
const FULL: usize = 1 << 20;

/// Hands on the [`transition`] from one moment to another as blocks, each whole:
/// from nothing (`None`), what a log begins with, right behind its header.
///
/// All blocks reach from `at` to `at`, and the order of the events is kept. So
/// a new block begins wherever the capability changes, and where one is full.
/// The `note`, if there is one, comes first, as a message in the global block:
/// so that nobody takes these events for the program's own.
///
/// ```
/// use eventlog_state::{Keep, State, Turn, transition_blocks};
/// use ghc_eventlog::{BlockBuilder, EventBody, Header, Item, Reader};
/// use std::sync::Arc;
///
/// let header = Arc::new(Header::standard());
/// let mut block = BlockBuilder::new(Some(2));
/// block.push_body(&header, 7, &EventBody::CreateThread { thread: 1 })?;
/// let log = [header.as_bytes(), block.finish()].concat();
///
/// let mut state = State::new(&header, Keep::all());
/// let mut reader = Reader::new(&log[..]);
/// while let Some(item) = reader.next_item()? {
///     if let Item::Event(event) = item {
///         state.apply(&event, Turn::Certain, &mut |_| {});
///     }
/// }
///
/// let mut late = header.as_bytes().to_vec();
/// transition_blocks(None, &state.snapshot(), 100, Some("joined"), &mut |block| {
///     late.extend_from_slice(block);
/// });
/// let mut reader = Reader::new(&late[..]);
/// let mut told = Vec::new();
/// while let Some(item) = reader.next_item()? {
///     if let Item::Event(event) = item {
///         told.push(format!("{} {event}", event.time));
///     }
/// }
/// assert_eq!(told, ["100 log_msg message=joined", "100 create_thread thread=1"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn transition_blocks(
    from: Option<&Snapshot>,
    to: &Snapshot,
    at: u64,
    note: Option<&str>,
    out: &mut impl FnMut(&[u8]),
) {
    let mut block = BlockBuilder::new(None);
    if let Some(note) = note {
        let message = Text(note.as_bytes());
        // A header can lack either; then there is no note.
        let _ = block
            .push_body(to.header(), at, &EventBody::LogMsg { message })
            .or_else(|_| block.push_body(to.header(), at, &EventBody::UserMsg { message }));
    }
    transition(from, to, at, &mut |cap, event| {
        if block.cap() != cap || block.len() + event.len() > FULL {
            finish(&mut block, at, out);
            block.reset(cap);
        }
        block.push_raw(at, event);
    });
    finish(&mut block, at, out);
}

fn finish(block: &mut BlockBuilder, at: u64, out: &mut impl FnMut(&[u8])) {
    if !block.is_empty() {
        block.cover(at, at);
        out(block.finish());
    }
}
