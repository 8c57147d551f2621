//! What a reader of the file must know of events that were overwritten.
//!
//! As for a client, with two differences. What is deleted stays defined, as the records go back to when it was there; but
//! not tasks, which come and go without end. And there is one bulk table for each kind that only grows: its newest part is
//! handed out to be written, and not kept.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use eventlog_ring_file::Slot;

use crate::definitions::{Class, Gaps, Key, Lesson, declare_real_length, lesson, time_of};
use crate::event_table::EventTable;
use crate::format::{EVENT_HEAD, EVENT_HEAP_PROF_COST_CENTRE, EVENT_IPE};

/// A reader that finds a piece damaged loses no more than that.
const PIECE: usize = 256 << 10;

#[derive(Debug, Default)]
pub(super) struct Definitions {
    header: Vec<u8>,
    table: EventTable,
    /// The latest of each: its time, and the event.
    keyed: BTreeMap<Key, (u64, Vec<u8>)>,
    /// Header or keyed ones are not as they were when last asked.
    changed: bool,
    cost_centres: Table,
    info_tables: Table,
    latest: u64,
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
    fn add(&mut self, event: &[u8]) -> Option<&mut [u8]> {
        let mut hasher = DefaultHasher::new();
        // The time is that of the writing.
        event.get(EVENT_HEAD..).hash(&mut hasher);
        if !self.seen.insert(hasher.finish()) {
            return None;
        }
        let fits = |piece: &Vec<u8>| piece.len() + event.len() <= PIECE;
        if !self.fresh.last().is_some_and(fits) {
            self.fresh.push(Vec::new());
        }
        let piece = self.fresh.last_mut()?;
        let start = piece.len();
        piece.extend_from_slice(event);
        Some(&mut piece[start..])
    }
}

impl Definitions {
    pub(super) fn start_log(&mut self, header: &[u8]) {
        let Some(table) = EventTable::parse(header) else {
            return;
        };
        self.table = table;
        self.changed |= self.header != header;
        header.clone_into(&mut self.header);
    }

    /// Take the definitions out of a global chunk. What follows a malformed event is not looked at.
    pub(super) fn learn(&mut self, chunk: &[u8]) {
        let table = std::mem::take(&mut self.table);
        let mut rest = chunk;
        while let Some(event) = table.event(rest) {
            rest = &rest[event.bytes.len()..];
            let time = time_of(event.bytes);
            match lesson(&event) {
                Lesson::Nothing => continue,
                // Of a task that is gone.
                Lesson::Define((Class::TaskMigrate, task))
                    if !self.keyed.contains_key(&(Class::Task, task)) =>
                {
                    continue;
                }
                Lesson::Define(key) => self.set(key, time, event.bytes),
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
                    if let Some(kept) = table.add(event.bytes) {
                        declare_real_length(kept, &event);
                    }
                }
            }
            self.saw_time(time);
        }
        self.table = table;
    }

    /// The chunks come in the order of the one ring that brings them, but those of several threads may have passed each
    /// other before.
    fn set(&mut self, key: Key, time: u64, event: &[u8]) {
        let newer = self.keyed.get(&key).is_none_or(|known| known.0 <= time);
        if newer {
            self.keyed.insert(key, (time, event.to_vec()));
            self.changed = true;
        }
    }

    pub(super) fn header(&self) -> &[u8] {
        &self.header
    }

    /// The keyed ones, if they or the header have changed: as many as have room beside the header in so many bytes, and how
    /// many bytes have not. Those without which a reader understands least come first.
    pub(super) fn take_changed(&mut self, room: u64) -> Option<(Vec<u8>, usize)> {
        if !std::mem::take(&mut self.changed) || self.header.is_empty() {
            return None;
        }
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let room = room.saturating_sub(self.header.len() + Slot::HEAD);
        let (mut events, mut left_out) = (Vec::new(), 0);
        for (_, event) in self.keyed.values() {
            if left_out == 0 && events.len() + event.len() <= room {
                events.extend_from_slice(event);
            } else {
                left_out += event.len();
            }
        }
        Some((events, left_out))
    }

    /// What was taken could not be written.
    pub(super) fn change(&mut self) {
        self.changed = true;
    }

    /// What is new in the tables, with the type of its events.
    pub(super) fn take_tables(&mut self) -> Vec<(u16, Vec<u8>)> {
        let tables = [
            (EVENT_HEAP_PROF_COST_CENTRE, &mut self.cost_centres),
            (EVENT_IPE, &mut self.info_tables),
        ];
        let fresh = tables.map(|(kind, table)| (kind, std::mem::take(&mut table.fresh)));
        let pieces =
            |(kind, fresh): (u16, Vec<Vec<u8>>)| fresh.into_iter().map(move |piece| (kind, piece));
        fresh.into_iter().flat_map(pieces).collect()
    }
}

impl Gaps for Definitions {
    fn latest(&self) -> u64 {
        self.latest
    }

    fn saw_time(&mut self, time: u64) {
        self.latest = self.latest.max(time);
    }

    fn add_missing(&mut self, class: Class, key: u64, event: Vec<u8>) {
        if !self.keyed.contains_key(&(class, key)) {
            self.set((class, key), time_of(&event), &event);
        }
    }

    fn has_cost_centres(&self) -> bool {
        !self.cost_centres.seen.is_empty()
    }

    fn add_cost_centre(&mut self, event: &[u8]) {
        self.cost_centres.add(event);
    }
}
