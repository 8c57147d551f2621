//! The thread that writes definitions into the file. It calls nothing of the RTS, takes no signal, and may wait for a disk.

use std::sync::atomic::Ordering;

use eventlog_ring_file::{Layout, Slot, TableEntry};

use super::definitions::Definitions;
use super::file::{Descriptor, Memory};
use super::{Recording, bus_error};
use crate::alone;
use crate::definitions_feed::DefinitionsFeed;
use crate::facts::{Facts, Moment};
use crate::memory::Shared;
use crate::status::Result;
use crate::threads::Waiting;
use crate::{futex, lock};

/// How much of the mapping gets pages ahead of its use.
const POPULATED: usize = 256 << 20;
/// How much at a time: the system holds a lock on the address space meanwhile.
const POPULATE_SLICE: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct RecorderThread {
    recording: &'static Recording,
    layout: Layout,
    descriptor: Descriptor,
    memory: Memory,
    feed: DefinitionsFeed,
    definitions: Definitions,
    /// The events of a slot, and the bytes of a slot or an entry of the tables.
    events: Vec<u8>,
    bytes: Vec<u8>,
    /// Of the slot that was written last.
    sequence: u64,
    /// Bytes that a slot was without, at most: those that have no room, or all of it when it could not be written.
    slot_left_out: usize,
    /// Bytes of the tables that are used.
    tables_used: u64,
    populated: usize,
    /// Facts for which there was no memory yet.
    later: Option<(Shared<Facts>, Moment)>,
}

/// The thread, which waits to be given what it runs.
pub(super) fn prepare() -> Result<Waiting<RecorderThread>> {
    Waiting::start(c"eventlog-record", RecorderThread::run)
}

impl RecorderThread {
    pub(super) fn new(
        recording: &'static Recording,
        layout: Layout,
        descriptor: Descriptor,
        memory: Memory,
        feed: DefinitionsFeed,
        definitions: Definitions,
    ) -> RecorderThread {
        RecorderThread {
            recording,
            layout,
            descriptor,
            memory,
            feed,
            definitions,
            events: Vec::new(),
            bytes: Vec::new(),
            sequence: 0,
            slot_left_out: 0,
            tables_used: 0,
            populated: 0,
            later: None,
        }
    }

    fn run(mut self) {
        alone::join_ours();
        lock::signals_stay_blocked();
        // It has all signals blocked.
        bus_error::let_through();
        loop {
            let asked = self.recording.requests().asked;
            self.learn();
            // The header first: without it nothing can be read.
            self.write_slot();
            self.write_tables();
            self.recording.tell_unless_lost();
            self.answer(asked);
            if !self.populate_more() {
                self.sleep();
            }
        }
    }

    fn learn(&mut self) {
        // Before the feed: what was flushed before the request is in that.
        let facts = self.recording.requests().facts.take();
        let facts = facts.or_else(|| self.later.take());
        let definitions = &mut self.definitions;
        self.feed.drain(usize::MAX, |record| {
            definitions.learn_record(record);
            true
        });
        if let Some((facts, moment)) = facts
            && facts.fill_gaps(definitions, moment).is_err()
        {
            // Whenever there is something to do again.
            self.later = Some((facts, moment));
        }
        self.recording.leave_out(self.definitions.take_left_out());
    }

    fn write_slot(&mut self) {
        if !self.definitions.take_changed() {
            return;
        }
        match self.write_events() {
            Some(left_out) => {
                self.sequence += 1;
                self.leave_out_of_slot(left_out);
            }
            None => {
                let all = self.definitions.header().len() + self.definitions.keyed_len();
                self.leave_out_of_slot(all);
                // Whenever there is something to do again.
                self.definitions.change();
            }
        }
    }

    /// How many bytes had no room; `None` if there was no memory, or nothing was written.
    fn write_events(&mut self) -> Option<usize> {
        let size = self.layout.slot_size;
        let left_out = self.definitions.events(size, &mut self.events).ok()?;
        let slot = Slot {
            sequence: self.sequence + 1,
            header: self.definitions.header(),
            events: &self.events,
        };
        slot.encode_into(size, &mut self.bytes).ok()?;
        let at = self.layout.slots_at + (slot.sequence % 2) * size;
        self.write(&self.bytes, at).then_some(left_out)
    }

    /// Those that are not in this slot were perhaps not in the one before, and are counted.
    fn leave_out_of_slot(&mut self, bytes: usize) {
        let more = bytes.saturating_sub(self.slot_left_out);
        self.slot_left_out += more;
        self.recording.leave_out(more);
    }

    fn write_tables(&mut self) {
        while let Some((kind, events)) = self.definitions.next_of_tables() {
            if !self.write_entry(kind, &events) {
                self.recording.leave_out(events.len());
            }
        }
    }

    fn write_entry(&mut self, kind: u16, events: &[u8]) -> bool {
        let entry = TableEntry {
            kind: kind.into(),
            generation: 1,
            events,
        };
        let at = self.layout.tables_at + self.tables_used;
        let left = self.layout.tables_size - self.tables_used;
        let encoded = entry.encode_into(&mut self.bytes).is_ok();
        let len = self.bytes.len() as u64;
        let written = encoded && len <= left && self.write(&self.bytes, at);
        if written {
            self.tables_used += len;
        }
        written
    }

    /// False if it could not be written, or may not be any more.
    fn write(&self, bytes: &[u8], at: u64) -> bool {
        !self.recording.is_lost() && self.descriptor.write_at(bytes, at).is_ok()
    }

    fn answer(&self, asked: u64) {
        let mut requests = self.recording.requests();
        if requests.done != asked {
            requests.done = asked;
            self.recording.answered.tell();
        }
    }

    /// Get pages for one more slice, so that the callback need not wait for them. False if that is far enough.
    fn populate_more(&mut self) -> bool {
        let end = self.memory.len.min(POPULATED);
        let left = end.saturating_sub(self.populated);
        let slice = left.min(POPULATE_SLICE);
        let done =
            slice > 0 && !self.recording.is_lost() && self.memory.populate(self.populated, slice);
        self.populated += slice;
        done
    }

    fn sleep(&self) {
        let recording = self.recording;
        // Acquire: pairs with the Release in `Recording::wake_thread`.
        let seen = recording.wakeups.load(Ordering::Acquire);
        recording.bell.arm();
        // After arming: whoever commits from now on wakes us.
        let asked_for = {
            let requests = recording.requests();
            requests.asked != requests.done || requests.facts.is_some()
        };
        if !asked_for && self.feed.is_empty() {
            futex::wait(&recording.wakeups, seen, None);
        }
        recording.bell.disarm();
    }
}
