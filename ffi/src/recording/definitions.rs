//! What a reader of the file must know of events that were overwritten.
//!
//! As for a client, with two differences. What is deleted stays defined, but for tasks, which come and go without end: the
//! records go back to when it was there. And there is one bulk table for each kind that only grows: its newest part is
//! handed out to be written, and not kept.

use std::collections::BTreeMap;

use crate::definitions::{Class, Gaps, Key, Lesson, declare_real_length, lesson, time_of};
use crate::event_table::EventTable;
use crate::format::{EVENT_HEAP_PROF_COST_CENTRE, EVENT_IPE};

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

/// Definitions of one type, as they come.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Those that came since they were last taken: pieces of whole events.
    pub fresh: Vec<Vec<u8>>,
    pub generation: u32,
    /// Any have come.
    any: bool,
    /// A log has started since they came: if it repeats any, it repeats all.
    old: bool,
}

impl Table {
    fn add(&mut self, event: &[u8]) -> &mut [u8] {
        if std::mem::take(&mut self.old) {
            self.generation += 1;
            self.fresh.clear();
        }
        self.any = true;
        let fits = |piece: &Vec<u8>| piece.len() + event.len() <= PIECE;
        if !self.fresh.last().is_some_and(fits) {
            self.fresh.push(Vec::new());
        }
        match self.fresh.last_mut() {
            Some(piece) => {
                let start = piece.len();
                piece.extend_from_slice(event);
                &mut piece[start..]
            }
            None => &mut [],
        }
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
        for table in [&mut self.cost_centres, &mut self.info_tables] {
            table.old = table.any;
        }
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
                    declare_real_length(table.add(event.bytes), &event);
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

    /// The keyed ones, if they or the header have changed.
    pub(super) fn take_changed(&mut self) -> Option<Vec<u8>> {
        let changed = std::mem::take(&mut self.changed) && !self.header.is_empty();
        changed.then(|| {
            let events = self.keyed.values().map(|(_, event)| event.as_slice());
            events.collect::<Vec<_>>().concat()
        })
    }

    /// The tables, with the type of their events.
    pub(super) fn tables(&mut self) -> [(u16, &mut Table); 2] {
        [
            (EVENT_HEAP_PROF_COST_CENTRE, &mut self.cost_centres),
            (EVENT_IPE, &mut self.info_tables),
        ]
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
        self.cost_centres.any
    }

    fn add_cost_centre(&mut self, event: &[u8]) {
        self.cost_centres.add(event);
    }
}
