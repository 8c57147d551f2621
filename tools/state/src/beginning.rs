//! The events of a transition between two moments, as blocks of a log.

use crate::merge::Window;
use crate::snapshot::Snapshot;
use crate::transition::transition;
use ghc_eventlog::{BlockBuilder, Blocks, EventBody, Text, ids};
use std::collections::BTreeMap;

/// Size of a block, in bytes, after which the next one begins.
const FULL: usize = 1 << 20;

/// Passes the [`transition`] from one moment to another on as whole blocks: from nothing (`None`),
/// these are the beginning of a log, directly after its header.
///
/// All blocks reach from `at` to `at`, and the order of the events is kept. So a new block begins
/// wherever the capability changes, and when one is full. The `note`, if there is one, is first, as
/// a message in the global block, so that these events are not mistaken for the program's own.
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
        // A header may declare neither; then there is no note.
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

/// The beginning of a log that goes on in the middle of a stream, after its header: the state
/// there, and the bytes that are not in it yet. It is followed by the stream, byte for byte.
///
/// Blocks of one capability must not go back in time, nor global ones, and those that follow can
/// end as early as the last one before. So nothing is dated later than what its capability, or the
/// global buffer, has logged.
#[derive(Debug)]
pub struct Beginning {
    state: Snapshot,
    window: Window,
    at: u64,
    global_at: u64,
    /// A heap sample that is open keeps its time.
    sample_at: u64,
    reached: BTreeMap<u16, u64>,
}

impl Beginning {
    /// `reached`: up to when capabilities have delivered their events.
    pub(crate) fn new(
        (state, window): (Snapshot, Window),
        (at, global_end): (u64, u64),
        reached: BTreeMap<u16, Option<u64>>,
    ) -> Self {
        let global_at = at.min(global_end);
        let sample = state.samples().open().and_then(|it| it.begun().time);
        let known = reached.into_iter();
        Self {
            sample_at: sample.map_or(global_at, |time| time.min(global_end)),
            reached: known.filter_map(|(cap, to)| Some((cap, to?))).collect(),
            state,
            window,
            at,
            global_at,
        }
    }

    /// The state with which the log begins.
    pub fn state(&self) -> &Snapshot {
        &self.state
    }

    /// The moment of the state: events that capabilities logged later are not in it.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The time for a global block before it.
    pub fn begins_at(&self) -> u64 {
        self.global_at
    }

    /// The time for a global block after it.
    pub fn ends_at(&self) -> u64 {
        self.global_at.max(self.sample_at)
    }

    /// The time of the events that describe a capability.
    fn cap_at(&self, cap: u16) -> u64 {
        match self.reached.get(&cap) {
            None | Some(0) => self.at,
            Some(&reached) => self.at.min(reached),
        }
    }

    fn finish(&self, block: &mut BlockBuilder, out: &mut impl FnMut(&[u8])) {
        if let Some(cap) = block.cap() {
            finish(block, self.cap_at(cap), out);
        }
    }

    /// Passes the blocks on: global ones first, then those of capabilities, then the part of the
    /// stream that is not in the state.
    pub fn write(&self, out: &mut impl FnMut(&[u8])) {
        let mut blocks = Blocks::default();
        let (mut dated, mut bytes) = (Vec::new(), Vec::new());
        transition(None, &self.state, self.global_at, &mut |cap, raw| {
            if cap.is_none() {
                let time = match is_of_sample(raw) {
                    true => self.sample_at,
                    false => self.global_at,
                };
                redate(&mut dated, raw, time);
                blocks.push(None, time, &dated);
            }
        });
        // Writing to memory does not fail.
        let _ = blocks.flush(&mut bytes);
        if !bytes.is_empty() {
            out(&bytes);
        }
        // Their order matters. What messages of several capabilities define must be known before
        // the first of them goes on.
        let caps = self.state.caps().filter(|(_, cap)| cap.is_announced());
        let first = caps.map(|(cap, _)| self.cap_at(cap)).min();
        let mut block = BlockBuilder::new(None);
        transition(None, &self.state, self.at, &mut |cap, raw| {
            let Some(number) = cap else { return };
            let to = self.cap_at(number);
            // The end of a collection is dated back, and so are the events in between.
            let collection = self.state.cap(number).and_then(|cap| cap.collecting());
            let starts = raw.starts_with(&ids::GC_START.to_be_bytes());
            let time = match collection.filter(|_| starts) {
                Some(since) => since.min(to),
                None if raw.starts_with(&ids::USER_BINARY_MSG.to_be_bytes()) => {
                    first.map_or(to, |first| first.min(to))
                }
                None => to,
            };
            redate(&mut dated, raw, time);
            if block.cap() != cap || block.len() + dated.len() > FULL {
                self.finish(&mut block, out);
                block.reset(cap);
            }
            block.push_raw(time, &dated);
        });
        self.finish(&mut block, out);
        self.window.write(out);
    }
}

/// Whether an event is part of a heap sample.
fn is_of_sample(raw: &[u8]) -> bool {
    let of_sample = [
        ids::HEAP_PROF_SAMPLE_BEGIN,
        ids::HEAP_BIO_PROF_SAMPLE_BEGIN,
        ids::HEAP_PROF_SAMPLE_STRING,
        ids::HEAP_PROF_SAMPLE_COST_CENTRE,
    ];
    of_sample
        .iter()
        .any(|id| raw.starts_with(&id.to_be_bytes()))
}

/// Makes `dated` the same event at another time. A wall clock in it is moved by the same amount.
fn redate(dated: &mut Vec<u8>, raw: &[u8], time: u64) {
    dated.clear();
    dated.extend_from_slice(raw);
    let Some(place) = dated.first_chunk_mut::<WALL_CLOCK>() else {
        if let Some(place) = dated.get_mut(2..10) {
            place.copy_from_slice(&time.to_be_bytes());
        }
        return;
    };
    let was = number(&place[2..10]);
    place[2..10].copy_from_slice(&time.to_be_bytes());
    if place.starts_with(&ids::WALL_CLOCK_TIME.to_be_bytes()) {
        let told = number(&place[14..22]) * 1_000_000_000 + number(&place[22..26]);
        let now = (told + i128::from(time) - was).max(0);
        let (seconds, rest) = (now / 1_000_000_000, now % 1_000_000_000);
        place[14..22].copy_from_slice(&(seconds as u64).to_be_bytes());
        place[22..26].copy_from_slice(&(rest as u32).to_be_bytes());
    }
}

/// Bytes of a wall clock event: type, time, capability set, seconds, nanoseconds.
const WALL_CLOCK: usize = 26;

fn number(bytes: &[u8]) -> i128 {
    bytes
        .iter()
        .fold(0, |number, &byte| number << 8 | i128::from(byte))
}
