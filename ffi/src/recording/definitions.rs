//! What a reader of the file must know of events that were overwritten.
//!
//! As for a client, with two differences. What is deleted stays defined, as the records go back to when it was there; but
//! not tasks, which come and go without end. And there is one bulk table for each kind that only grows: its newest part is
//! handed out to be written, and not kept.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use eventlog_ring::Record;
use eventlog_ring_file::Slot;

use crate::chunk::{BlockMarker, Chunk};
use crate::definitions::{Class, Gaps, Key, Lesson, declare_real_length, lesson, time_of};
use crate::definitions_feed::Seam;
use crate::event_table::{Event, EventTable};
use crate::format::{EVENT_HEAD, EVENT_HEAP_PROF_COST_CENTRE, EVENT_IPE};
use crate::memory::{OutOfMemory, append, copied, push};

/// A reader that finds a piece damaged loses no more than that.
const PIECE: usize = 256 << 10;
/// Bytes of a header, and keyed definitions, for which there is room from the start.
const HEADER: usize = 64 << 10;
const KEYED: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Definitions {
    header: Vec<u8>,
    table: EventTable,
    /// The latest of each: its time, and the event.
    keyed: HashMap<Key, (u64, Vec<u8>)>,
    /// Header or keyed ones are not as they were when last asked.
    changed: bool,
    cost_centres: Table,
    info_tables: Table,
    latest: u64,
    /// Bytes of definitions for which there was no memory, since they were last told.
    left_out: usize,
    seam: Seam,
}

/// Definitions of one type, each of them once: an RTS that starts its log anew writes them anew.
#[derive(Debug, Default)]
struct Table {
    /// Those that came since they were last taken: pieces of whole events.
    fresh: Vec<Vec<u8>>,
    /// Of all that came: hashes of what they define.
    seen: HashSet<u64>,
}

impl Table {
    /// The copy that is kept, to be corrected; `None` if it came before.
    fn add(&mut self, event: &[u8]) -> Result<Option<&mut [u8]>, OutOfMemory> {
        let mut hasher = DefaultHasher::new();
        // The time is that of the writing.
        event.get(EVENT_HEAD..).hash(&mut hasher);
        let hash = hasher.finish();
        if self.seen.contains(&hash) {
            return Ok(None);
        }
        self.seen.try_reserve(1)?;
        let fits = |piece: &Vec<u8>| piece.len() + event.len() <= PIECE;
        if !self.fresh.last().is_some_and(fits) {
            push(&mut self.fresh, Vec::new())?;
        }
        let piece = self.fresh.last_mut().ok_or(OutOfMemory)?;
        let start = piece.len();
        append(piece, event)?;
        self.seen.insert(hash);
        Ok(Some(&mut piece[start..]))
    }
}

impl Definitions {
    /// With room for what must not be left out.
    pub(super) fn with_room() -> Result<Definitions, OutOfMemory> {
        let mut definitions = Definitions {
            table: EventTable::with_room()?,
            seam: Seam::with_room()?,
            ..Definitions::default()
        };
        definitions.header.try_reserve_exact(HEADER)?;
        definitions.keyed.try_reserve(KEYED)?;
        Ok(definitions)
    }

    /// Learn from what the ring brings.
    pub(super) fn learn_record(&mut self, record: &Record<'_>) {
        let mut seam = std::mem::take(&mut self.seam);
        match seam.whole(record) {
            Ok(bytes) => self.learn_chunk(bytes),
            Err(OutOfMemory) => self.leave_out(record.len()),
        }
        self.seam = seam;
    }

    fn learn_chunk(&mut self, bytes: &[u8]) {
        if let Chunk::Header { .. } = Chunk::of(bytes) {
            if self.start_log(bytes).is_err() {
                self.leave_out(bytes.len());
            }
            return;
        }
        if let Some(marker) = BlockMarker::parse(bytes) {
            self.saw_time(marker.end);
        }
        self.learn(bytes);
    }

    fn start_log(&mut self, header: &[u8]) -> Result<(), OutOfMemory> {
        let more = header.len().saturating_sub(self.header.len());
        self.header.try_reserve(more)?;
        if self.table.read(header)? {
            self.changed |= self.header != header;
            self.header.clear();
            self.header.extend_from_slice(header);
        }
        Ok(())
    }

    /// Take the definitions out of a global chunk. What follows a malformed event is not looked at.
    fn learn(&mut self, chunk: &[u8]) {
        let table = std::mem::take(&mut self.table);
        let mut rest = chunk;
        while let Some(event) = table.event(rest) {
            rest = &rest[event.bytes.len()..];
            if self.learn_event(&event).is_err() {
                self.leave_out(event.bytes.len());
            }
        }
        self.table = table;
    }

    fn learn_event(&mut self, event: &Event<'_>) -> Result<(), OutOfMemory> {
        let time = time_of(event.bytes);
        match lesson(event) {
            Lesson::Nothing => return Ok(()),
            // Of a task that is gone.
            Lesson::Define((Class::TaskMigrate, task))
                if !self.keyed.contains_key(&(Class::Task, task)) =>
            {
                return Ok(());
            }
            Lesson::Define(key) => self.set(key, time, event.bytes)?,
            Lesson::Delete(key @ (Class::Task, _), with) => {
                self.changed |= self.keyed.remove(&key).is_some();
                with.map(|with| self.keyed.remove(&with));
            }
            Lesson::Delete(..) => {}
            Lesson::Bulk => {
                let table = match event.kind {
                    EVENT_HEAP_PROF_COST_CENTRE => &mut self.cost_centres,
                    _ => &mut self.info_tables,
                };
                if let Some(kept) = table.add(event.bytes)? {
                    declare_real_length(kept, event);
                }
            }
        }
        self.saw_time(time);
        Ok(())
    }

    /// The chunks come in the order of the one ring that brings them, but those of several threads may have passed each
    /// other before.
    fn set(&mut self, key: Key, time: u64, event: &[u8]) -> Result<(), OutOfMemory> {
        let newer = self.keyed.get(&key).is_none_or(|known| known.0 <= time);
        if newer {
            let event = copied(event)?;
            self.keyed.try_reserve(1)?;
            self.keyed.insert(key, (time, event));
            self.changed = true;
        }
        Ok(())
    }

    /// Bytes for which there was no memory, since this was last asked.
    pub(super) fn take_left_out(&mut self) -> usize {
        std::mem::take(&mut self.left_out)
    }

    pub(super) fn header(&self) -> &[u8] {
        &self.header
    }

    /// The header or the keyed ones have changed since this was last asked.
    pub(super) fn take_changed(&mut self) -> bool {
        !self.header.is_empty() && std::mem::take(&mut self.changed)
    }

    /// Bytes of the keyed ones.
    pub(super) fn keyed_len(&self) -> usize {
        self.keyed.values().map(|(_, event)| event.len()).sum()
    }

    /// The keyed ones: as many as have room beside the header in so many bytes, and how many bytes have not. Those without
    /// which a reader understands least come first.
    pub(super) fn events(&self, room: u64, to: &mut Vec<u8>) -> Result<usize, OutOfMemory> {
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let room = room.saturating_sub(self.header.len() + Slot::HEAD);
        let mut order: Vec<(&Key, &Vec<u8>)> = Vec::new();
        order.try_reserve_exact(self.keyed.len())?;
        order.extend(self.keyed.iter().map(|(key, (_, event))| (key, event)));
        // Each key once, so that an unstable order is none.
        order.sort_unstable_by_key(|(key, _)| **key);
        to.clear();
        to.try_reserve(self.keyed_len().min(room))?;
        let mut left_out = 0;
        for (_, event) in order {
            if left_out == 0 && to.len() + event.len() <= room {
                to.extend_from_slice(event);
            } else {
                left_out += event.len();
            }
        }
        Ok(left_out)
    }

    /// What was taken could not be written.
    pub(super) fn change(&mut self) {
        self.changed = true;
    }

    /// A piece of what is new in the tables, with the type of its events.
    pub(super) fn next_of_tables(&mut self) -> Option<(u16, Vec<u8>)> {
        let tables = [
            (EVENT_HEAP_PROF_COST_CENTRE, &mut self.cost_centres),
            (EVENT_IPE, &mut self.info_tables),
        ];
        for (kind, table) in tables {
            if !table.fresh.is_empty() {
                return Some((kind, table.fresh.remove(0)));
            }
        }
        None
    }
}

impl Gaps for Definitions {
    fn latest(&self) -> u64 {
        self.latest
    }

    fn saw_time(&mut self, time: u64) {
        self.latest = self.latest.max(time);
    }

    fn add_missing(&mut self, class: Class, key: u64, event: Vec<u8>) -> Result<(), OutOfMemory> {
        if !self.keyed.contains_key(&(class, key)) {
            self.set((class, key), time_of(&event), &event)?;
        }
        Ok(())
    }

    fn has_cost_centres(&self) -> bool {
        !self.cost_centres.seen.is_empty()
    }

    fn add_cost_centre(&mut self, event: &[u8]) -> Result<(), OutOfMemory> {
        self.cost_centres.add(event).map(|_| ())
    }

    fn leave_out(&mut self, bytes: usize) {
        self.left_out += bytes;
    }
}
