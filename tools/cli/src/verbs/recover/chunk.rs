//! Whether bytes are a chunk: whole blocks, with whole events in them.

use ghc_eventlog::{DATA_END, Decoder, Error, Event, EventBody, Header, Item, names};
use std::borrow::Cow;
use std::sync::Arc;

/// Bytes of a block marker.
const MARKER: usize = 24;
/// Where an event declares its length: after type and time.
const LENGTH: std::ops::Range<usize> = 10..12;

/// What is known about a chunk after the check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// When the first block begins, and the last event or block ends.
    pub begin: u64,
    pub end: u64,
    /// When the first and the last block of each capability end.
    pub ends: Vec<(Option<u16>, u64, u64)>,
    /// What tasks do in it.
    pub tasks: Vec<Task>,
    /// Bytes without the end marker.
    pub len: usize,
}

impl Chunk {
    /// Whether there are blocks that belong to no capability in it.
    pub fn is_global(&self) -> bool {
        self.ends.iter().any(|&(cap, ..)| cap.is_none())
    }
}

/// What a task does: readers expect that it was created before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    Create(u64),
    /// Leaves this capability.
    Migrate(u64, u16),
    Delete(u64),
}

impl Task {
    pub fn of(event: &Event<'_>) -> Option<Task> {
        match event.body {
            EventBody::TaskCreate { task, .. } => Some(Task::Create(task)),
            EventBody::TaskMigrate { task, old_cap, .. } => Some(Task::Migrate(task, old_cap)),
            EventBody::TaskDelete { task } => Some(Task::Delete(task)),
            _ => None,
        }
    }
}

/// Checks chunks under a header, which declares the lengths of events.
#[derive(Clone, Debug)]
pub struct Checker {
    decoder: Decoder,
    pub header: Arc<Header>,
}

impl Checker {
    /// `None` if that is not a header.
    pub fn new(header: &[u8]) -> Option<Checker> {
        let mut decoder = Decoder::new();
        let mut rest = header;
        let item = decoder.decode(&mut rest);
        let whole = matches!(item, Ok(Item::Header)) && rest.is_empty();
        let header = Arc::clone(decoder.header().filter(|_| whole)?);
        Some(Checker { decoder, header })
    }

    /// Checks all of a chunk. An end marker behind the last event is removed, and lengths that GHC
    /// declares wrongly are corrected, because most tools rely on them.
    pub fn check(&self, bytes: &mut [u8]) -> Option<Chunk> {
        let mut chunk = Chunk::default();
        let mut lengths = Vec::new();
        let (mut marker, mut ended) = (0, false);
        self.items(bytes, |item, at| {
            match item {
                Item::Block(block) => {
                    marker = at;
                    if chunk.ends.is_empty() {
                        chunk.begin = block.time;
                    }
                    chunk.end = chunk.end.max(block.end);
                    let known = chunk.ends.iter_mut().find(|(cap, ..)| *cap == block.cap);
                    match known {
                        Some((_, _, last)) if *last > block.end => return false,
                        Some((_, _, last)) => *last = block.end,
                        None => chunk.ends.push((block.cap, block.end, block.end)),
                    }
                }
                Item::Event(event) => {
                    if self.is_short(event) {
                        return false;
                    }
                    lengths.extend(event.true_length().map(|length| (at, length)));
                    chunk.tasks.extend(Task::of(event));
                }
                _ => ended = true,
            }
            true
        })?;
        chunk.len = bytes.len();
        for (at, length) in lengths {
            bytes[at..][LENGTH].copy_from_slice(&length.to_be_bytes());
        }
        if ended {
            chunk.len -= 2;
            // Since GHC 9.2 the marker is counted as part of the last block.
            let size = &mut bytes[marker + 10..marker + 14];
            if size != ((chunk.len - marker) as u32).to_be_bytes() {
                size.copy_from_slice(&((chunk.len - marker) as u32).to_be_bytes());
            }
        }
        Some(chunk)
    }

    /// Calls `each` with the items of a chunk, and their places in it, until it returns false.
    /// `None` if the chunk is not whole.
    fn items(&self, bytes: &[u8], mut each: impl FnMut(&Item<'_>, usize) -> bool) -> Option<()> {
        let mut decoder = self.decoder.clone();
        let base = decoder.offset();
        let mut rest = bytes;
        // Where the present block ends, in the chunk and in time.
        let (mut until, mut end) = (0, 0);
        while !rest.is_empty() {
            let at = (decoder.offset() - base) as usize;
            let item = decoder.decode(&mut rest).ok()?;
            let sound = match &item {
                Item::Block(block) => {
                    let starts = at == until;
                    until = at + block.size as usize;
                    end = block.end;
                    let fits = until <= bytes.len() && block.size as usize >= block.raw.len();
                    starts && fits && block.raw.len() == MARKER && block.time <= block.end
                }
                Item::Event(event) => at + event.raw.len() <= until && event.time <= end,
                Item::End => rest.is_empty() && (at == until || at + 2 == until),
                _ => false,
            };
            if !sound || !each(&item, at) {
                return None;
            }
        }
        let ended = bytes.ends_with(&DATA_END.to_be_bytes()) && until + 2 == bytes.len();
        (until > 0 && (until == bytes.len() || ended)).then_some(())
    }

    /// Calls `each` with the events of a chunk that was checked, and whether they belong to no
    /// capability.
    pub fn events(&self, bytes: &[u8], mut each: impl FnMut(&Event<'_>)) {
        let mut decoder = self.decoder.clone();
        let mut rest = bytes;
        while !rest.is_empty() {
            match decoder.decode(&mut rest) {
                Ok(Item::Event(event)) => each(&event),
                Ok(Item::NeedMore) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    /// The event as it is to be written: with its true length, and `None` if it is too short for
    /// its fields.
    pub fn repaired<'a>(&self, event: &Event<'a>) -> Option<Cow<'a, [u8]>> {
        if self.is_short(event) {
            return None;
        }
        let mut raw = Cow::Borrowed(event.raw);
        if let Some(length) = event.true_length() {
            raw.to_mut()[LENGTH].copy_from_slice(&length.to_be_bytes());
        }
        Some(raw)
    }

    /// Whether the declared length of the event is too short for its fields.
    fn is_short(&self, event: &Event<'_>) -> bool {
        matches!(event.body, EventBody::Unknown { .. })
            && names::is_typed(event.id())
            && self
                .header
                .event_type(event.id())
                .is_some_and(|kind| kind.size.is_none())
    }

    /// Calls `each` with events that have no block around them, and returns how many bytes at the
    /// end are not events.
    pub fn bare_events(
        &self,
        bytes: &[u8],
        mut each: impl FnMut(&Event<'_>),
    ) -> (usize, Option<Error>) {
        let mut decoder = self.decoder.clone();
        let mut rest = bytes;
        while !rest.is_empty() {
            let before = rest.len();
            match decoder.decode(&mut rest) {
                Ok(Item::Event(event)) => each(&event),
                Err(error) => return (before, Some(error)),
                Ok(_) => return (before, None),
            }
        }
        (0, None)
    }
}
