//! A strict walk over a stream: every byte is accounted for.
//!
//! What is demanded:
//! - the header is the first thing, whole and once;
//! - after it there are blocks, nothing else, and each ends where its marker
//!   says, with its last event;
//! - every event has the size that the header or the event declares;
//! - no event is later than the end of its block, and the blocks of one
//!   capability come in the order of time;
//! - what one global block has told to be over is: no event of a later one is before its
//!   end;
//! - the end mark is the last two bytes, if it is there at all.

use super::decoder;
use super::header::{self, Fault, Types, u16_at, u32_at, u64_at};
use std::collections::BTreeMap;

pub const BLOCK_MARKER: u16 = 18;
pub const USER_MSG: u16 = 19;
pub const USER_MARKER: u16 = 58;
pub const IPE: u16 = 169;
const END: u16 = 0xFFFF;
/// The "capability" of events that belong to none.
pub const GLOBAL: u16 = 0xFFFF;
const MARKER_BYTES: usize = 24;

#[derive(Debug, Clone, Copy)]
pub struct Block {
    pub offset: usize,
    pub size: usize,
    pub cap: u16,
    /// Nanoseconds.
    pub end: u64,
}

#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    pub number: u16,
    pub time: u64,
    pub payload: &'a [u8],
    /// Which block of the stream it is in.
    pub block: usize,
    pub cap: u16,
}

impl Event<'_> {
    /// The text of a user message or marker.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.payload).into_owned()
    }
}

/// A loss that the stream tells of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss {
    pub chunks: u64,
    pub bytes: u64,
    /// Seconds.
    pub since: f64,
    pub until: f64,
}

#[derive(Debug, Default)]
pub struct Stream<'a> {
    pub types: Types,
    pub blocks: Vec<Block>,
    /// How often each event occurs.
    pub counts: BTreeMap<u16, u64>,
    /// Messages and markers, except those that tell of losses.
    pub messages: Vec<Event<'a>>,
    pub losses: Vec<Loss>,
    /// Everything that describes the program rather than what it does.
    pub definitions: Vec<Event<'a>>,
    /// The bytes end with the end of a block (or of the header).
    pub whole: bool,
    /// The end mark is there.
    pub ended: bool,
}

fn is_definition(number: u16) -> bool {
    matches!(number, 25..=33 | 43 | 45..=48 | 52 | 160 | 161 | 168 | IPE)
}

impl<'a> Stream<'a> {
    /// A stream that may have been cut anywhere, by a client that left.
    #[track_caller]
    pub fn cut(bytes: &'a [u8]) -> Self {
        let stream = Self::try_cut(bytes).unwrap_or_else(|fault| report(bytes, &fault));
        decoder::agrees(bytes, &stream);
        stream
    }

    /// A whole stream with its end mark: the program has ended.
    #[track_caller]
    pub fn complete(bytes: &'a [u8]) -> Self {
        let stream = Self::try_complete(bytes).unwrap_or_else(|fault| report(bytes, &fault));
        decoder::agrees(bytes, &stream);
        stream
    }

    pub fn try_cut(bytes: &'a [u8]) -> Result<Self, Fault> {
        walk(bytes)
    }

    pub fn try_complete(bytes: &'a [u8]) -> Result<Self, Fault> {
        let stream = walk(bytes)?;
        if !stream.whole {
            return Fault::at(bytes.len(), "cut short");
        }
        if !stream.ended {
            return Fault::at(bytes.len(), "no end mark");
        }
        Ok(stream)
    }

    pub fn count(&self, number: u16) -> u64 {
        self.counts.get(&number).copied().unwrap_or(0)
    }

    pub fn all(&self, number: u16) -> impl Iterator<Item = &Event<'a>> {
        self.definitions
            .iter()
            .filter(move |event| event.number == number)
    }

    pub fn has_message(&self, text: &str) -> bool {
        self.messages
            .iter()
            .any(|event| event.payload == text.as_bytes())
    }

    /// The numbers that logger `n` of the worker put into its messages, in the
    /// order of the stream.
    pub fn numbers(&self, logger: u16) -> Vec<u64> {
        let start = format!("c{logger} ");
        let numbers = self.messages.iter().filter_map(|event| {
            let rest = event.payload.strip_prefix(start.as_bytes())?;
            std::str::from_utf8(rest.get(..10)?).ok()?.parse().ok()
        });
        numbers.collect()
    }

    pub fn lost_chunks(&self) -> u64 {
        self.losses.iter().map(|loss| loss.chunks).sum()
    }

    pub fn lost_bytes(&self) -> u64 {
        self.losses.iter().map(|loss| loss.bytes).sum()
    }
}

/// Keep the stream for a look at it, and fail.
#[track_caller]
fn report(bytes: &[u8], fault: &Fault) -> ! {
    let name = format!("eventlog-socket-fault-{}.eventlog", std::process::id());
    let kept = std::env::temp_dir().join(name);
    let _ = std::fs::write(&kept, bytes);
    let from = fault.offset.saturating_sub(16).min(bytes.len());
    let to = (fault.offset + 32).min(bytes.len());
    panic!(
        "at byte {} of {}: {} (around it: {:02x?}; the stream is in {})",
        fault.offset,
        bytes.len(),
        fault.what,
        &bytes[from..to],
        kept.display()
    );
}

fn walk(bytes: &[u8]) -> Result<Stream<'_>, Fault> {
    let mut stream = Stream::default();
    let Some((types, mut at)) = header::parse(bytes)? else {
        return Ok(stream);
    };
    stream.types = types;
    let mut ends: BTreeMap<u16, u64> = BTreeMap::new();
    while at < bytes.len() {
        if stream.ended {
            return Fault::at(at, "data after the end mark");
        }
        if u16_at(bytes, at) == Some(END) {
            stream.ended = true;
            at += 2;
            continue;
        }
        let Some(block) = marker(bytes, at)? else {
            return Ok(stream);
        };
        let last = ends.entry(block.cap).or_default();
        if block.end < *last {
            let what = format!(
                "block of capability {} ends before the one before",
                block.cap
            );
            return Fault::at(at, what);
        }
        let promised = if block.cap == GLOBAL { *last } else { 0 };
        *last = block.end;
        stream.blocks.push(block);
        if !walk_block(bytes, &block, promised, &mut stream)? {
            return Ok(stream);
        }
        at += block.size;
    }
    stream.whole = true;
    Ok(stream)
}

/// The block marker at `at`; `None` if the bytes end inside it.
fn marker(bytes: &[u8], at: usize) -> Result<Option<Block>, Fault> {
    match u16_at(bytes, at) {
        Some(BLOCK_MARKER) | None => {}
        Some(number) => return Fault::at(at, format!("event {number} outside of a block")),
    }
    let (Some(size), Some(end), Some(cap)) = (
        u32_at(bytes, at + 10),
        u64_at(bytes, at + 14),
        u16_at(bytes, at + 22),
    ) else {
        return Ok(None);
    };
    let size = size as usize;
    if size < MARKER_BYTES {
        return Fault::at(at, format!("a block of {size} bytes"));
    }
    Ok(Some(Block {
        offset: at,
        size,
        cap,
        end,
    }))
}

/// Walk the events of a block; false if the bytes end inside it.
fn walk_block<'a>(
    bytes: &'a [u8],
    block: &Block,
    promised: u64,
    stream: &mut Stream<'a>,
) -> Result<bool, Fault> {
    let mut at = block.offset + MARKER_BYTES;
    let end = block.offset + block.size;
    while at < end {
        let Some(number) = u16_at(bytes, at) else {
            return Ok(false);
        };
        if number == END {
            if at + 2 != end {
                return Fault::at(at, "an end mark inside a block");
            }
            stream.ended = true;
            return Ok(true);
        }
        let Some((event, next)) = event(bytes, at, number, block, stream)? else {
            return Ok(false);
        };
        if next > end {
            return Fault::at(
                at,
                format!("event {number} leaves its block by {}", next - end),
            );
        }
        if event.time > block.end {
            let late = event.time - block.end;
            return Fault::at(
                at,
                format!("event {number} is {late} ns later than its block"),
            );
        }
        if event.time < promised {
            let early = promised - event.time;
            return Fault::at(
                at,
                format!("event {number} is {early} ns before the end of an earlier block"),
            );
        }
        note(at, event, stream)?;
        at = next;
    }
    Ok(true)
}

type Found<'a> = Option<(Event<'a>, usize)>;

/// The event at `at` and where it ends; `None` if the bytes end inside it.
fn event<'a>(
    bytes: &'a [u8],
    at: usize,
    number: u16,
    block: &Block,
    stream: &Stream<'_>,
) -> Result<Found<'a>, Fault> {
    if number == BLOCK_MARKER {
        return Fault::at(at, "a block marker inside a block");
    }
    let Some(size) = stream.types.get(&number) else {
        return Fault::at(at, format!("event {number} is not in the header"));
    };
    let (payload, length) = match size {
        Some(size) => (at + 10, usize::from(*size)),
        None => match u16_at(bytes, at + 10) {
            Some(length) => (at + 12, usize::from(length)),
            None => return Ok(None),
        },
    };
    let length = match number {
        IPE => match ipe_length(bytes, payload) {
            None => return Ok(None),
            // Some GHCs declare one byte too many, and long ones do not fit.
            Some(real) if length == real % 65536 || length == (real + 1) % 65536 => real,
            Some(real) => {
                return Fault::at(at, format!("IPE of {real} bytes declares {length}"));
            }
        },
        _ => length,
    };
    let (Some(time), Some(payload)) = (u64_at(bytes, at + 2), bytes.get(payload..payload + length))
    else {
        return Ok(None);
    };
    let next = payload.as_ptr() as usize - bytes.as_ptr() as usize + length;
    let event = Event {
        number,
        time,
        payload,
        block: stream.blocks.len() - 1,
        cap: block.cap,
    };
    Ok(Some((event, next)))
}

/// A pointer and six strings, each with its NUL.
fn ipe_length(bytes: &[u8], payload: usize) -> Option<usize> {
    let strings = bytes.get(payload + 8..)?;
    let nuls = strings.iter().enumerate().filter(|(_, byte)| **byte == 0);
    nuls.map(|(at, _)| 8 + at + 1).nth(5)
}

fn note<'a>(at: usize, event: Event<'a>, stream: &mut Stream<'a>) -> Result<(), Fault> {
    *stream.counts.entry(event.number).or_default() += 1;
    if matches!(event.number, USER_MSG | USER_MARKER) {
        if event.payload.starts_with(b"eventlog-socket: lost ") {
            let Some(loss) = loss(&event) else {
                return Fault::at(at, format!("a loss told badly: {:?}", event.text()));
            };
            stream.losses.push(loss);
        } else {
            stream.messages.push(event);
        }
    } else if is_definition(event.number) {
        stream.definitions.push(event);
    }
    Ok(())
}

/// "eventlog-socket: lost N chunks, M bytes, between A s and B s", a message
/// of no capability.
fn loss(event: &Event<'_>) -> Option<Loss> {
    let text = std::str::from_utf8(event.payload).ok()?;
    let rest = text.strip_prefix("eventlog-socket: lost ")?;
    let (chunks, rest) = rest.split_once(" chunks, ")?;
    let (bytes, rest) = rest.split_once(" bytes, between ")?;
    let (since, rest) = rest.split_once(" s and ")?;
    let loss = Loss {
        chunks: chunks.parse().ok()?,
        bytes: bytes.parse().ok()?,
        since: since.parse().ok()?,
        until: rest.strip_suffix(" s")?.parse().ok()?,
    };
    let sound = event.cap == GLOBAL
        && event.number == USER_MSG
        && loss.chunks > 0
        && loss.since <= loss.until;
    sound.then_some(loss)
}
