//! What a reader must know before the first live chunk, kept for every client.
//!
//! The RTS writes its definitions once: when it starts, or when logging does.
//! Ending and starting the log again for each client would make it repeat some
//! of them, lose the others (capability sets, capabilities, the heap profile's
//! parameters), and crash it if the number of capabilities changed meanwhile.
//! So the log is started once, and what it defined is replayed from here.
//!
//! * The header is kept as it came.
//! * *Keyed* definitions say something about a thing that has a key (a
//!   capability, a capability set, a task): the latest one counts. Their number
//!   is bounded by what is alive in the program.
//! * *Bulk* definitions (info-table provenance, cost centres) are kept in the
//!   order they came, in segments that a client's queue shares instead of copying:
//!   they can be tens of megabytes.
//!
//! A definition for which there is no memory is left out, and counted. Header and event
//! types, without which nothing can be read, have theirs from the start.

mod bulk;
mod delta;
mod lesson;

use std::collections::{HashMap, HashSet};

use bulk::Bulk;
pub(crate) use delta::Delta;
pub(crate) use lesson::{Class, Key, Lesson, lesson};

use eventlog_ring::Record;

use crate::chunk::{BlockMarker, Chunk};
use crate::definitions_feed::Seam;
use crate::event_table::{Event, EventTable};
use crate::format::*;
use crate::memory::{OutOfMemory, Shared, copied, push};

/// Bytes of a header for which there is room from the start: more than any GHC writes.
const HEADER: usize = 64 * 1024;
/// Keyed definitions for which there is.
const KEYED: usize = 256;

/// Marks of deletion that are kept however old they are.
const MARKS: usize = 1024;
/// With more of them than this, they are looked at before more is learnt; at once, although
/// the way through the ring that this takes is then worth less.
const TOO_MANY_MARKS: usize = 32 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Definitions {
    /// Empty: there is none yet.
    header: Vec<u8>,
    table: EventTable,
    keyed: HashMap<Key, Known>,
    keyed_len: usize,
    /// How many of the keyed are marks of deletion.
    deleted: usize,
    /// With more of them than this, it is time to look which can be forgotten.
    too_many: usize,
    /// Global chunks of the ring of chunks that were learnt from.
    pub globals_of_ring: u64,
    cost_centres: Bulk,
    info_tables: Bulk,
    /// The latest `end` of a global block that passed through here. Those of capabilities
    /// say nothing of what the global buffer holds.
    latest: u64,
    /// Bytes of definitions for which there was no memory, be it here or for one client.
    left_out: u64,
    seam: Seam,
}

/// Definitions in which gaps can be filled.
pub(crate) trait Gaps {
    /// The latest time that a block has told.
    fn latest(&self) -> u64;
    fn saw_time(&mut self, time: u64);
    /// Add a definition that the RTS did not write, if there is none of this key.
    fn add_missing(&mut self, class: Class, key: u64, event: Vec<u8>) -> Result<(), OutOfMemory>;
    fn has_cost_centres(&self) -> bool;
    /// Add a cost centre that the RTS did not write.
    fn add_cost_centre(&mut self, event: &[u8]) -> Result<(), OutOfMemory>;
    /// Count so many bytes of a definition for which there is no memory.
    fn leave_out(&mut self, bytes: usize);
}

/// The latest that is known of a key.
#[derive(Debug)]
struct Known {
    time: u64,
    /// None: deleted then. Chunks can be learnt from out of their order (a refused
    /// one overtakes those in the ring), so an older definition must not come back.
    event: Option<Vec<u8>>,
}

/// What was learnt from a chunk.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Learnt {
    /// The chunk ends the log.
    pub ends_log: bool,
    /// When the latest of its blocks ends, if they are global.
    pub global_end: Option<u64>,
}

impl Definitions {
    /// With room for what must not be left out.
    pub(crate) fn with_room() -> Result<Definitions, OutOfMemory> {
        let mut definitions = Definitions {
            table: EventTable::with_room()?,
            seam: Seam::with_room()?,
            ..Definitions::default()
        };
        definitions.header.try_reserve_exact(HEADER)?;
        definitions.keyed.try_reserve(KEYED)?;
        Ok(definitions)
    }

    /// A log has started. What was defined stays true; an RTS that writes bulk
    /// definitions again writes all of a kind.
    pub(crate) fn start_log(&mut self, header: &[u8]) {
        match self.read_header(header) {
            Ok(true) => {
                self.cost_centres.start_log();
                self.info_tables.start_log();
            }
            Ok(false) => {}
            Err(OutOfMemory) => self.leave_out(header.len()),
        }
    }

    /// False if it is none.
    fn read_header(&mut self, header: &[u8]) -> Result<bool, OutOfMemory> {
        let more = header.len().saturating_sub(self.header.len());
        self.header.try_reserve(more)?;
        let whole = self.table.read(header)?;
        if whole {
            self.header.clear();
            self.header.extend_from_slice(header);
        }
        Ok(whole)
    }

    pub(crate) fn has_header(&self) -> bool {
        !self.header.is_empty()
    }

    /// Bytes that were left out so far.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Bytes kept, marks of deletion included.
    pub(crate) fn len(&self) -> usize {
        let marks = self.deleted * size_of::<(Key, Known)>();
        self.header.len() + self.keyed_len + marks + self.bulk_len()
    }

    fn bulk_len(&self) -> usize {
        self.cost_centres.len() + self.info_tables.len()
    }

    /// Learn from a chunk of either ring.
    pub(crate) fn learn_record(
        &mut self,
        record: &Record<'_>,
        delta: Option<&mut Delta>,
    ) -> Learnt {
        let mut seam = std::mem::take(&mut self.seam);
        let learnt = match seam.whole(record) {
            Ok(bytes) => self.learn_chunk(bytes, delta),
            Err(OutOfMemory) => {
                self.leave_out(record.len());
                Learnt::default()
            }
        };
        self.seam = seam;
        learnt
    }

    fn learn_chunk(&mut self, bytes: &[u8], delta: Option<&mut Delta>) -> Learnt {
        if let Chunk::Header { .. } = Chunk::of(bytes) {
            self.start_log(bytes);
            return Learnt::default();
        }
        self.learn(bytes, delta)
    }

    /// Take the definitions out of a global chunk, and note them in `delta` for a
    /// client whose stream lacks the chunk.
    ///
    /// What follows a malformed event is not looked at.
    pub(crate) fn learn(&mut self, chunk: &[u8], mut delta: Option<&mut Delta>) -> Learnt {
        let table = std::mem::take(&mut self.table);
        let mut rest = chunk;
        let mut learnt = Learnt::default();
        while let Some(event) = table.event(rest) {
            if let Some(marker) = BlockMarker::parse(event.bytes)
                && marker.capability == GLOBAL_CAPABILITY
            {
                self.saw_time(marker.end);
                learnt.global_end = learnt.global_end.max(Some(marker.end));
            }
            if self.learn_event(&event, delta.as_deref_mut()).is_err() {
                self.leave_out(event.bytes.len());
            }
            // An info-table event may declare more than it has; the next event
            // follows what it has.
            rest = &rest[event.bytes.len()..];
        }
        self.table = table;
        learnt.ends_log = rest == END_MARKER;
        learnt
    }

    fn learn_event(
        &mut self,
        event: &Event<'_>,
        delta: Option<&mut Delta>,
    ) -> Result<(), OutOfMemory> {
        let lesson = lesson(event);
        let time = time_of(event.bytes);
        match lesson {
            Lesson::Nothing => return Ok(()),
            // Of a task that is gone.
            Lesson::Define((Class::TaskMigrate, task))
                if !self.was_alive((Class::Task, task), time) =>
            {
                return Ok(());
            }
            _ => {}
        }
        // A block that holds it must not end before it.
        self.saw_time(time);
        match lesson {
            Lesson::Nothing => {}
            Lesson::Define(key) => {
                let fresh = self
                    .keyed
                    .get(&key)
                    .is_none_or(|known| known.event.is_none());
                if self.set(key, time, Some(copied(event.bytes)?))?
                    && let Some(delta) = delta
                {
                    delta.define(key, event.bytes, fresh)?;
                }
            }
            Lesson::Delete(key, with) => {
                if let Some(with) = with {
                    self.delete(with, time)?;
                }
                if self.delete(key, time)?
                    && let Some(delta) = delta
                {
                    delta.delete(key, with, event.bytes)?;
                }
            }
            Lesson::Bulk => {
                let bulk = match event.kind {
                    EVENT_HEAP_PROF_COST_CENTRE => &mut self.cost_centres,
                    _ => &mut self.info_tables,
                };
                let kept = bulk.add(event.bytes)?;
                declare_real_length(kept, event);
                if let Some(delta) = delta {
                    delta.add_bulk(kept)?;
                }
            }
        }
        Ok(())
    }

    /// What is known of it was defined by then.
    fn was_alive(&self, key: Key, time: u64) -> bool {
        self.keyed
            .get(&key)
            .is_some_and(|known| known.event.is_some() && known.time <= time)
    }

    /// False if something later is known.
    fn delete(&mut self, key: Key, time: u64) -> Result<bool, OutOfMemory> {
        if key.0 != Class::TaskMigrate {
            // Tasks, too: their ids are addresses, which are used again. So there are not
            // many of them, and an older task of the same id may still be in the ring.
            return self.set(key, time, None);
        }
        // It needs no mark: nothing is learnt of a task that is gone.
        let known = self.was_alive(key, time);
        let gone = known.then(|| self.keyed.remove(&key)).flatten();
        self.keyed_len -= gone.and_then(|gone| gone.event).map_or(0, |e| e.len());
        Ok(known)
    }

    /// False if something later is known.
    fn set(&mut self, key: Key, time: u64, event: Option<Vec<u8>>) -> Result<bool, OutOfMemory> {
        if self.keyed.get(&key).is_some_and(|known| known.time > time) {
            return Ok(false);
        }
        self.keyed.try_reserve(1)?;
        self.keyed_len += event.as_ref().map_or(0, Vec::len);
        self.deleted += usize::from(event.is_none());
        if let Some(older) = self.keyed.insert(key, Known { time, event }) {
            self.keyed_len -= older.event.as_ref().map_or(0, Vec::len);
            self.deleted -= usize::from(older.event.is_none());
        }
        Ok(true)
    }

    /// There are so many marks of deletion that it is worth looking for those that are
    /// needed.
    pub(crate) fn has_many_marks(&self) -> bool {
        self.deleted > self.too_many.max(2 * MARKS)
    }

    /// There are so many that it cannot wait.
    pub(crate) fn has_too_many_marks(&self) -> bool {
        self.deleted > self.too_many.max(TOO_MANY_MARKS)
    }

    /// Of the marks, those that a chunk is in the way of: it defines the same once more when
    /// it is learnt from, and is older perhaps.
    pub(crate) fn add_marks_needed(
        &mut self,
        record: &Record<'_>,
        needed: &mut HashSet<Key>,
    ) -> Result<(), OutOfMemory> {
        let mut seam = std::mem::take(&mut self.seam);
        let added = seam
            .whole(record)
            .and_then(|chunk| self.add_marks_of(chunk, needed));
        self.seam = seam;
        added
    }

    fn add_marks_of(&self, chunk: &[u8], needed: &mut HashSet<Key>) -> Result<(), OutOfMemory> {
        let mut rest = chunk;
        while let Some(event) = self.table.event(rest) {
            rest = &rest[event.bytes.len()..];
            if let Lesson::Define(key) = lesson(&event)
                && self
                    .keyed
                    .get(&key)
                    .is_some_and(|known| known.event.is_none())
            {
                needed.try_reserve(1)?;
                needed.insert(key);
            }
        }
        Ok(())
    }

    /// Forget the marks but these and the latest: what comes from now on is not older than
    /// those that are forgotten. `None`: that cannot be told now.
    pub(crate) fn forget_marks(&mut self, needed: Option<&HashSet<Key>>) {
        let mut times: Vec<u64> = Vec::new();
        if let Some(needed) = needed
            && times.try_reserve_exact(self.deleted).is_ok()
        {
            let marks = self.keyed.values().filter(|known| known.event.is_none());
            // As many as there was room made for.
            times.extend(marks.map(|known| known.time).take(self.deleted));
            let oldest = times.len().saturating_sub(MARKS);
            let kept_from = match oldest {
                0 => 0,
                _ => *times.select_nth_unstable(oldest).1,
            };
            self.keyed.retain(|key, known| {
                known.event.is_some() || known.time >= kept_from || needed.contains(key)
            });
            let marks = self.keyed.values().filter(|known| known.event.is_none());
            self.deleted = marks.count();
            // The table has become large while there were many, and would stay so. That it
            // is made anew asks for memory, but the table is no worse off without any.
            if self.keyed.capacity() / 8 > self.keyed.len().max(KEYED) {
                self.move_to_smaller_table();
            }
        }
        self.too_many = 2 * self.deleted;
    }

    /// `shrink_to` would abort the program without memory.
    fn move_to_smaller_table(&mut self) {
        let mut smaller = HashMap::new();
        if smaller.try_reserve(2 * self.keyed.len().max(KEYED)).is_ok() {
            smaller.extend(self.keyed.drain());
            self.keyed = smaller;
        }
    }

    /// Header and all definitions up to a time, as the pieces of a stream to begin with: the
    /// header and one block; and when that ends. Those that are later go to `delta`, but for
    /// the tables. Nothing without a header.
    pub(crate) fn replay(&self, until: u64, delta: &mut Delta) -> Result<Replay, OutOfMemory> {
        let mut pieces = Vec::new();
        if !self.has_header() {
            return Ok((pieces, 0));
        }
        let mut order: Vec<(&Key, u64, &Vec<u8>)> = Vec::new();
        order.try_reserve_exact(self.keyed.len())?;
        for (key, known) in &self.keyed {
            if let Some(event) = &known.event {
                order.push((key, known.time, event));
            }
        }
        // Each key once, so that an unstable order is none.
        order.sort_unstable_by_key(|(key, ..)| **key);
        let (mut begin, mut end) = (u64::MAX, self.latest.min(until));
        let marker_at = self.header.len();
        let events_at = marker_at + MARKER_LEN;
        let mut opening = Vec::new();
        opening.try_reserve_exact(events_at + self.keyed_len)?;
        opening.extend_from_slice(&self.header);
        opening.extend_from_slice(&[0; MARKER_LEN]);
        for (key, time, event) in order {
            if time > until {
                delta.define(*key, event, true)?;
                continue;
            }
            begin = begin.min(time);
            end = end.max(time);
            opening.extend_from_slice(event);
        }
        for bulk in [&self.cost_centres, &self.info_tables] {
            end = end.max(bulk.latest());
        }
        let len = opening.len() - events_at + self.bulk_len();
        let marker = block_marker(begin.min(end), end, len);
        opening[marker_at..events_at].copy_from_slice(&marker);
        push(&mut pieces, Shared::new(opening)?)?;
        self.cost_centres.add_pieces(&mut pieces)?;
        self.info_tables.add_pieces(&mut pieces)?;
        Ok((pieces, end))
    }
}

/// The pieces of a stream to begin with, and when its first block ends.
type Replay = (Vec<Shared<Vec<u8>>>, u64);

impl Gaps for Definitions {
    fn latest(&self) -> u64 {
        self.latest
    }

    fn saw_time(&mut self, time: u64) {
        self.latest = self.latest.max(time);
    }

    fn add_missing(&mut self, class: Class, key: u64, event: Vec<u8>) -> Result<(), OutOfMemory> {
        if !self.keyed.contains_key(&(class, key)) {
            self.set((class, key), time_of(&event), Some(event))?;
        }
        Ok(())
    }

    fn has_cost_centres(&self) -> bool {
        self.cost_centres.len() > 0
    }

    fn add_cost_centre(&mut self, event: &[u8]) -> Result<(), OutOfMemory> {
        self.cost_centres.add(event).map(|_| ())
    }

    fn leave_out(&mut self, bytes: usize) {
        self.left_out += bytes as u64;
    }
}

pub(crate) fn time_of(event: &[u8]) -> u64 {
    event
        .get(2..EVENT_HEAD)
        .and_then(|time| time.try_into().ok())
        .map_or(0, u64::from_be_bytes)
}

/// GHC 9.6.5 and later declare one byte more than an info-table event has. Not
/// every reader knows; what is replayed is right for all of them.
pub(crate) fn declare_real_length(bytes: &mut [u8], event: &Event<'_>) {
    if event.kind != EVENT_IPE {
        return;
    }
    if let Ok(len) = u16::try_from(event.payload.len()) {
        bytes[EVENT_HEAD..EVENT_HEAD + 2].copy_from_slice(&len.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_table::tests::header;
    use crate::format::made::{fixed_event, variable_event};

    fn store() -> Definitions {
        let mut store = Definitions::default();
        store.start_log(&header(&[
            (EVENT_BLOCK_MARKER, 14),
            (EVENT_CAP_CREATE, 2),
            (EVENT_TASK_CREATE, 18),
            (EVENT_TASK_DELETE, 8),
            (EVENT_IPE, 0xFFFF),
            (EVENT_USER_MSG, 0xFFFF),
        ]));
        store
    }

    fn chunk(events: &[Vec<u8>]) -> Vec<u8> {
        let events = events.concat();
        let mut chunk = block_marker(1, 2, events.len()).to_vec();
        chunk.extend_from_slice(&events);
        chunk
    }

    fn replayed(store: &Definitions) -> Vec<u8> {
        let (pieces, _) = store.replay(u64::MAX, &mut Delta::default()).unwrap();
        let bytes: Vec<u8> = pieces
            .iter()
            .flat_map(|piece| piece.iter().copied())
            .collect();
        bytes.strip_prefix(&store.header[..]).unwrap().to_vec()
    }

    #[test]
    fn the_latest_definition_of_a_key_is_replayed_once() {
        let mut store = store();
        let cap = |time| fixed_event(EVENT_CAP_CREATE, time, &[&[0, 1]]);
        store.learn(&chunk(&[cap(1), cap(2)]), None);
        let replay = replayed(&store);
        assert_eq!(&replay[MARKER_LEN..], cap(2));
        assert_eq!(replay[10..14], (replay.len() as u32).to_be_bytes());
    }

    #[test]
    fn what_is_deleted_is_not_replayed() {
        let mut store = store();
        let task = 7u64.to_be_bytes();
        let create = fixed_event(EVENT_TASK_CREATE, 1, &[&task, &[0; 10]]);
        let delete = fixed_event(EVENT_TASK_DELETE, 2, &[&task]);
        store.learn(&chunk(&[create]), None);
        assert!(replayed(&store).len() > MARKER_LEN);
        store.learn(&chunk(&[delete]), None);
        assert_eq!(replayed(&store).len(), MARKER_LEN);
    }

    #[test]
    fn events_that_define_nothing_are_passed_over() {
        let mut store = store();
        let message = variable_event(EVENT_USER_MSG, 1, &[b"hello"]);
        let cap = fixed_event(EVENT_CAP_CREATE, 1, &[&[0, 1]]);
        let mut delta = Delta::default();
        store.learn(&chunk(&[message, cap.clone()]), Some(&mut delta));
        assert_eq!(delta.take(u64::MAX).unwrap().events, cap);
        assert_eq!(delta.take(u64::MAX).unwrap().events, []);
    }

    #[test]
    fn megabytes_of_provenance_are_replayed_whole_with_their_real_length() {
        let mut store = store();
        let mut expected = Vec::new();
        for address in 0..20_000u64 {
            let strings = b"table\0descr\0type\0label\0module\0file:1:2\0";
            let exact = variable_event(EVENT_IPE, 1, &[&address.to_be_bytes(), strings]);
            let mut declared = exact.clone();
            declared[11] += 1;
            store.learn(&chunk(&[declared]), None);
            expected.extend_from_slice(&exact);
        }
        assert_eq!(&replayed(&store)[MARKER_LEN..], expected);
        let (pieces, _) = store.replay(u64::MAX, &mut Delta::default()).unwrap();
        assert!(pieces.len() > 3, "in shared segments");
    }

    #[test]
    fn definitions_survive_a_new_log_and_are_not_doubled_by_it() {
        let mut store = store();
        let cap = fixed_event(EVENT_CAP_CREATE, 1, &[&[0, 1]]);
        let ipe = variable_event(EVENT_IPE, 1, &[&[0; 8], b"a\0b\0c\0d\0e\0f\0"]);
        store.learn(&chunk(&[cap.clone(), ipe.clone()]), None);
        let header = store.header.clone();
        store.start_log(&header);
        assert_eq!(&replayed(&store)[MARKER_LEN..], [&cap[..], &ipe].concat());
        store.learn(&chunk(std::slice::from_ref(&ipe)), None);
        assert_eq!(&replayed(&store)[MARKER_LEN..], [cap, ipe].concat());
    }

    #[test]
    fn what_does_not_belong_to_a_log_is_survived() {
        let mut store = store();
        store.learn(&[0; 100], None);
        store.learn(&[0xFF; 100], None);
        store.learn(&chunk(&[])[..20], None);
        assert_eq!(replayed(&store).len(), MARKER_LEN);
    }

    fn task(kind: u16, time: u64, id: u64) -> Vec<u8> {
        let rest: &[u8] = if kind == EVENT_TASK_CREATE {
            &[0xFF; 10]
        } else {
            &[]
        };
        fixed_event(kind, time, &[&id.to_be_bytes(), rest])
    }

    #[test]
    fn what_is_learnt_out_of_order_does_not_come_back() {
        let mut store = store();
        store.learn(&chunk(&[task(EVENT_TASK_DELETE, 9, 7)]), None);
        store.learn(&chunk(&[task(EVENT_TASK_CREATE, 5, 7)]), None);
        assert_eq!(replayed(&store).len(), MARKER_LEN);
    }

    #[test]
    fn what_came_and_went_is_not_told() {
        let (mut store, mut delta) = (store(), Delta::default());
        let events = [
            task(EVENT_TASK_CREATE, 1, 7),
            task(EVENT_TASK_DELETE, 2, 7),
            task(EVENT_TASK_CREATE, 3, 8),
            task(EVENT_TASK_DELETE, 4, 6),
        ];
        store.learn(&chunk(&events), Some(&mut delta));
        assert_eq!(
            delta.take(u64::MAX).unwrap().events,
            [&events[3][..], &events[2]].concat()
        );
    }

    /// What a client that knows task 7 is told when these came in chunks it did not get.
    fn told(events: &[Vec<u8>]) -> Vec<u8> {
        let (mut store, mut delta) = (store(), Delta::default());
        store.learn(&chunk(&[task(EVENT_TASK_CREATE, 1, 7)]), None);
        for event in events {
            store.learn(&chunk(std::slice::from_ref(event)), Some(&mut delta));
        }
        delta.take(u64::MAX).unwrap().events
    }

    #[test]
    fn the_end_of_a_task_is_told_though_its_id_is_used_again() {
        let create = |time| task(EVENT_TASK_CREATE, time, 7);
        let delete = |time| task(EVENT_TASK_DELETE, time, 7);
        assert_eq!(told(&[delete(2)]), delete(2));
        let again = [delete(2), create(3)];
        assert_eq!(told(&again), again.concat());
        assert_eq!(told(&[delete(2), create(3), delete(4)]), delete(2));
        let twice = [delete(2), create(3), delete(4), create(5)];
        assert_eq!(told(&twice), [delete(2), create(5)].concat());
        // It has come in a chunk that the client has got, and will go in one.
        assert_eq!(told(&[create(3), delete(4)]), []);
    }

    #[test]
    fn an_older_task_of_the_same_id_does_not_come_back() {
        let mut store = store();
        let create = |time| task(EVENT_TASK_CREATE, time, 7);
        let delete = |time| task(EVENT_TASK_DELETE, time, 7);
        // Refused: these overtake.
        for event in [delete(2), create(3), delete(4)] {
            store.learn(&chunk(&[event]), None);
        }
        store.learn(&chunk(&[create(1)]), None);
        assert_eq!(replayed(&store).len(), MARKER_LEN);
        // Alive, with its end in the ring; that of the next is refused.
        store.learn(&chunk(&[create(5)]), None);
        store.learn(&chunk(&[delete(8)]), None);
        for event in [delete(6), create(7)] {
            store.learn(&chunk(&[event]), None);
        }
        assert_eq!(replayed(&store).len(), MARKER_LEN);
    }

    #[test]
    fn the_end_of_an_older_task_does_not_end_one_of_the_same_id() {
        let mut store = store();
        let task = |kind, time| task(kind, time, 7);
        store.learn(&chunk(&[task(EVENT_TASK_CREATE, 1)]), None);
        store.learn(&chunk(&[task(EVENT_TASK_CREATE, 3)]), None);
        store.learn(&chunk(&[task(EVENT_TASK_DELETE, 2)]), None);
        let replay = replayed(&store);
        assert_eq!(&replay[MARKER_LEN..], task(EVENT_TASK_CREATE, 3));
    }

    #[test]
    fn only_the_end_marker_after_the_last_event_ends_the_log() {
        let mut store = store();
        // The payload of this one ends in the same bytes.
        let mut chunk = chunk(&[task(EVENT_TASK_CREATE, 1, 7)]);
        assert!(chunk.ends_with(&END_MARKER));
        assert!(!store.learn(&chunk, None).ends_log);
        chunk.extend_from_slice(&END_MARKER);
        assert!(store.learn(&chunk, None).ends_log);
        // The capability of an empty global block.
        assert!(!store.learn(&block_marker(1, 2, 0), None).ends_log);
        assert!(store.learn(&END_MARKER, None).ends_log);
    }
}
