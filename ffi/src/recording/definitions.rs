//! What a reader of the file must know of events that were overwritten.
//!
//! As for a client, with two differences. What is deleted stays defined, as the records go back to when it was there; but
//! not tasks, which come and go without end. And there is one bulk table for each kind that only grows: its newest part is
//! handed out to be written, and not kept.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use eventlog_ring::Record;
use eventlog_ring_file::Slot;
use ghc_eventlog::definition::Class;
use ghc_eventlog::layout::EVENT_HEAD;
use ghc_eventlog::{RawEvent, ids};

use crate::definitions::{FillGaps, Key, Keyed, Log, Sink};
use crate::format::declare_real_length;
use crate::memory::{OutOfMemory, append, copied, push};

/// A reader that finds a piece damaged loses no more than that.
const PIECE: usize = 256 << 10;

#[derive(Debug, Default)]
pub(super) struct Definitions {
    log: Log,
    store: Store,
}

#[derive(Debug, Default)]
struct Store {
    keyed: Keyed,
    cost_centres: Table,
    info_tables: Table,
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
    fn add(&mut self, event: &RawEvent<'_>) -> Result<(), OutOfMemory> {
        let mut hasher = DefaultHasher::new();
        // The time is that of the writing.
        event.bytes.get(EVENT_HEAD..).hash(&mut hasher);
        let hash = hasher.finish();
        if self.seen.contains(&hash) {
            return Ok(());
        }
        self.seen.try_reserve(1)?;
        let fits = |piece: &Vec<u8>| piece.len() + event.bytes.len() <= PIECE;
        if !self.fresh.last().is_some_and(fits) {
            push(&mut self.fresh, Vec::new())?;
        }
        let piece = self.fresh.last_mut().ok_or(OutOfMemory)?;
        let start = piece.len();
        append(piece, event.bytes)?;
        declare_real_length(&mut piece[start..], event);
        self.seen.insert(hash);
        Ok(())
    }
}

impl Sink for Store {
    fn start_log(&mut self) {}

    fn define(&mut self, key: Key, event: &RawEvent<'_>) -> Result<(), OutOfMemory> {
        self.keyed
            .define(key, event.time, copied(event.bytes)?)
            .map(|_| ())
    }

    /// It stays: the records go back to when it was there. Not a task.
    fn delete(&mut self, key: Key, with: Option<Key>, _: &RawEvent<'_>) -> Result<(), OutOfMemory> {
        if key.0 == Class::Task {
            self.keyed.forget(&key);
            with.iter().for_each(|with| self.keyed.forget(with));
        }
        Ok(())
    }

    fn add_bulk(&mut self, class: Class, event: &RawEvent<'_>) -> Result<(), OutOfMemory> {
        match class {
            Class::CostCentre => self.cost_centres.add(event),
            Class::InfoTable => self.info_tables.add(event),
            _ => Ok(()),
        }
    }
}

impl Definitions {
    /// With room for what must not be left out.
    pub(super) fn with_room() -> Result<Definitions, OutOfMemory> {
        Ok(Definitions {
            log: Log::with_room()?,
            store: Store {
                keyed: Keyed::with_room()?,
                ..Store::default()
            },
        })
    }

    /// Learn from what the ring brings.
    pub(super) fn learn_record(&mut self, record: &Record<'_>) {
        self.log.learn_record(record, &mut self.store);
    }

    /// Bytes for which there was no memory, since this was last asked.
    pub(super) fn take_left_out(&mut self) -> usize {
        self.log.take_left_out() as usize
    }

    pub(super) fn header(&self) -> &[u8] {
        self.log.header()
    }

    /// The header or the keyed ones have changed since this was last asked.
    pub(super) fn take_changed(&mut self) -> bool {
        let other_header = self.log.take_changed();
        !self.log.header().is_empty() && (self.store.keyed.take_changed() | other_header)
    }

    /// Bytes of the keyed ones.
    pub(super) fn keyed_len(&self) -> usize {
        self.store.keyed.len()
    }

    /// The keyed ones: as many as have room beside the header in so many bytes, and how many bytes have not. Those without
    /// which a reader understands least come first.
    pub(super) fn events(&self, room: u64, to: &mut Vec<u8>) -> Result<usize, OutOfMemory> {
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let room = room.saturating_sub(self.header().len() + Slot::HEAD);
        let order = self.store.keyed.in_order()?;
        to.clear();
        to.try_reserve(self.keyed_len().min(room))?;
        let mut left_out = 0;
        for defined in order {
            let event = defined.event;
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
        self.store.keyed.change();
    }

    /// A piece of what is new in the tables, with the type of its events.
    pub(super) fn next_of_tables(&mut self) -> Option<(u16, Vec<u8>)> {
        let tables = [
            (ids::HEAP_PROF_COST_CENTRE, &mut self.store.cost_centres),
            (ids::IPE, &mut self.store.info_tables),
        ];
        for (kind, table) in tables {
            if !table.fresh.is_empty() {
                return Some((kind, table.fresh.remove(0)));
            }
        }
        None
    }
}

impl FillGaps for Definitions {
    fn parts(&mut self) -> (&mut Log, &mut Keyed) {
        (&mut self.log, &mut self.store.keyed)
    }

    fn has_cost_centres(&self) -> bool {
        !self.store.cost_centres.seen.is_empty()
    }

    fn add_cost_centre(&mut self, event: &RawEvent<'_>) -> Result<(), OutOfMemory> {
        self.store.cost_centres.add(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::listed;
    use ghc_eventlog::definition::Op;
    use ghc_eventlog::layout::block_marker;

    /// What every type of event does here is what the list says.
    #[test]
    fn what_each_event_defines_is_recorded_and_nothing_else() {
        let mut definitions = Definitions::with_room().unwrap();
        let mut recorded = 0;
        listed::for_each(|case| {
            definitions.store = Store::default();
            definitions.take_changed();
            let Definitions { log, store } = &mut definitions;
            log.learn_chunk(&case.header, store);
            let before = b"before".to_vec();
            if let Some(listed) = case.listed {
                // A task that migrates is there; what is deleted, too.
                let classes = match listed.op {
                    Op::Define if listed.class == Class::TaskMigrate => [Some(Class::Task), None],
                    Op::Delete { with } => [Some(listed.class), with],
                    _ => [None, None],
                };
                for class in classes.into_iter().flatten() {
                    let known = store.keyed.define((class, listed.key), 1, before.clone());
                    assert_eq!(known, Ok(true));
                }
            }
            let known = store.keyed.in_order().unwrap().len();
            let marker = block_marker(None, 1, 9, case.event.len());
            log.learn_chunk(&[&marker[..], &case.event].concat(), store);
            let fresh = |table: &Table| table.fresh.concat();
            let tables = (fresh(&store.cost_centres), fresh(&store.info_tables));
            let defined = store.keyed.in_order().unwrap();
            let events = |wanted: &[u8]| defined.iter().filter(|d| d.event == wanted).count();
            let (old, new) = (events(&before), events(&case.event));
            let (event, none) = (case.event.clone(), Vec::new());
            let expected = match case.listed.map(|listed| (listed.op, listed.class)) {
                None => (0, 0, (none.clone(), none)),
                Some((Op::Define, _)) => (known, 1, (none.clone(), none)),
                // Only tasks are forgotten.
                Some((Op::Delete { .. }, Class::Task)) => (0, 0, (none.clone(), none)),
                Some((Op::Delete { .. }, _)) => (known, 0, (none.clone(), none)),
                Some((Op::Bulk, Class::CostCentre)) => (0, 0, (event, none)),
                Some((Op::Bulk, _)) => (0, 0, (none, event)),
            };
            assert_eq!((old, new, tables), expected, "{}", case.id);
            recorded += usize::from(case.listed.is_some());
        });
        assert!(recorded > 100, "{recorded}");
    }
}
