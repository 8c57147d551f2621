//! A log, chunk by chunk: which of its events define something.
//!
//! What is done with them is different for a client and for a file: see [`Sink`].

use eventlog_ring::Record;
use ghc_eventlog::definition::{Class, Op};
use ghc_eventlog::{BLOCK_MARKER, ErrorKind, RawEvent, RawEvents, SizeTable, definition_of};

use super::Key;
use crate::chunk::{BlockMarker, Chunk, END_MARKER};
use crate::definitions_feed::WrapBuffer;
use crate::memory::OutOfMemory;

/// Bytes of a header for which there is room from the start: more than any GHC writes.
const HEADER: usize = 64 * 1024;
/// Types of events with numbers of 256 and more for which there is room. No GHC has one.
const HIGH_TYPES: usize = 256;

/// The header of a log, and how far it has come.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Empty: there is none yet.
    header: Vec<u8>,
    /// The header is not as it was when last asked.
    changed: bool,
    sizes: SizeTable,
    /// The latest `end` of a global block that passed through here. Those of capabilities
    /// say nothing of what the global buffer holds.
    latest: u64,
    /// Bytes of definitions for which there was no memory.
    left_out: u64,
    seam: WrapBuffer,
}

/// What definitions are handed to. If there is no memory for one, it is left out.
pub(crate) trait Sink {
    /// A log has started. What was defined stays true.
    fn start_log(&mut self);
    /// It counts until there is a later one of the same key.
    fn define(&mut self, key: Key, event: &RawEvent<'_>) -> Result<(), OutOfMemory>;
    /// There is no such thing any more, and no `with` either.
    fn delete(
        &mut self,
        key: Key,
        with: Option<Key>,
        event: &RawEvent<'_>,
    ) -> Result<(), OutOfMemory>;
    /// One of many, each of them once.
    fn add_bulk(&mut self, class: Class, event: &RawEvent<'_>) -> Result<(), OutOfMemory>;
}

/// What was learnt from a chunk.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Learnt {
    /// The chunk ends the log.
    pub ends_log: bool,
    /// When the latest of its blocks ends, if they are global.
    pub global_end: Option<u64>,
}

impl Log {
    /// With room for what must not be left out.
    pub(crate) fn with_room() -> Result<Log, OutOfMemory> {
        let mut log = Log {
            sizes: SizeTable::with_room(HIGH_TYPES)?,
            seam: WrapBuffer::with_room()?,
            ..Log::default()
        };
        log.header.try_reserve_exact(HEADER)?;
        Ok(log)
    }

    /// Empty if there is none yet.
    pub(crate) fn header(&self) -> &[u8] {
        &self.header
    }

    /// The header is another since this was last asked.
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The latest time that a block has told.
    pub(crate) fn latest(&self) -> u64 {
        self.latest
    }

    pub(crate) fn saw_time(&mut self, time: u64) {
        self.latest = self.latest.max(time);
    }

    /// Count so many bytes of a definition for which there is no memory.
    pub(crate) fn leave_out(&mut self, bytes: usize) {
        self.left_out += bytes as u64;
    }

    /// Bytes that were left out so far, or since they were taken.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out
    }

    pub(crate) fn take_left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }

    /// Learn from a chunk of a ring.
    pub(crate) fn learn_record(&mut self, record: &Record<'_>, sink: &mut impl Sink) -> Learnt {
        let mut seam = std::mem::take(&mut self.seam);
        let learnt = match seam.whole(record) {
            Ok(bytes) => self.learn_chunk(bytes, sink),
            Err(OutOfMemory) => {
                self.leave_out(record.len());
                Learnt::default()
            }
        };
        self.seam = seam;
        learnt
    }

    pub(crate) fn learn_chunk(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Learnt {
        if let Chunk::Header { .. } = Chunk::of(bytes) {
            self.start(bytes, sink);
            return Learnt::default();
        }
        self.learn(bytes, sink)
    }

    /// A log has started with this header.
    fn start(&mut self, header: &[u8], sink: &mut impl Sink) {
        match self.read_header(header) {
            Ok(true) => sink.start_log(),
            Ok(false) => {}
            Err(OutOfMemory) => self.leave_out(header.len()),
        }
    }

    /// False if it is not one.
    fn read_header(&mut self, header: &[u8]) -> Result<bool, OutOfMemory> {
        let more = header.len().saturating_sub(self.header.len());
        self.header.try_reserve(more)?;
        match self.sizes.read(header) {
            Ok(()) => {}
            Err(ErrorKind::HeaderTooLarge) => return Err(OutOfMemory),
            Err(_) => return Ok(false),
        }
        self.changed |= self.header != header;
        self.header.clear();
        self.header.extend_from_slice(header);
        Ok(true)
    }

    /// Take the definitions out of a global chunk. What follows a malformed event is not
    /// looked at.
    fn learn(&mut self, chunk: &[u8], sink: &mut impl Sink) -> Learnt {
        let mut learnt = Learnt::default();
        let mut events = self.sizes.events(chunk);
        for event in events.by_ref() {
            if event.id == BLOCK_MARKER
                && let Some(marker) = BlockMarker::parse(event.bytes)
                && marker.is_global()
            {
                self.latest = self.latest.max(marker.end);
                learnt.global_end = learnt.global_end.max(Some(marker.end));
            }
            let Some(definition) = definition_of(event.id, event.payload) else {
                continue;
            };
            // A block that holds it must not end before it.
            self.latest = self.latest.max(event.time);
            let key = (definition.class, definition.key);
            let taken = match definition.op {
                Op::Define => sink.define(key, &event),
                Op::Delete { with } => {
                    sink.delete(key, with.map(|class| (class, definition.key)), &event)
                }
                Op::Bulk => sink.add_bulk(definition.class, &event),
            };
            if taken.is_err() {
                self.left_out += event.bytes.len() as u64;
            }
        }
        learnt.ends_log = events.rest() == END_MARKER;
        learnt
    }

    /// The events of a chunk of a ring.
    pub(crate) fn events_of<'a>(
        &'a mut self,
        record: &Record<'a>,
    ) -> Result<RawEvents<'a>, OutOfMemory> {
        let bytes = self.seam.whole(record)?;
        Ok(self.sizes.events(bytes))
    }
}
