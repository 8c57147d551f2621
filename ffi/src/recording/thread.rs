//! The thread that writes definitions into the file. It calls nothing of the RTS, takes no signal, and may wait for a disk.

use std::sync::atomic::Ordering;

use eventlog_ring_file::{Layout, Slot, TableEntry};

use super::definitions::Definitions;
use super::file::{Descriptor, Memory};
use super::{Recording, bus_error};
use crate::alone;
use crate::chunk::{BlockMarker, Chunk};
use crate::definitions::Gaps;
use crate::definitions_feed::DefinitionsFeed;
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
    /// Of the slot that was written last.
    sequence: u64,
    /// Bytes that a slot was without, at most: those that have no room, or all of it when it could not be written.
    slot_left_out: usize,
    /// Bytes of the tables that are used.
    tables_used: u64,
    populated: usize,
}

/// The thread, to be given what it runs.
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
    ) -> RecorderThread {
        RecorderThread {
            recording,
            layout,
            descriptor,
            memory,
            feed,
            definitions: Definitions::default(),
            sequence: 0,
            slot_left_out: 0,
            tables_used: 0,
            populated: 0,
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
        let definitions = &mut self.definitions;
        self.feed.drain(usize::MAX, |bytes| {
            if let Chunk::Header { .. } = Chunk::of(bytes) {
                definitions.start_log(bytes);
                return;
            }
            if let Some(marker) = BlockMarker::parse(bytes) {
                definitions.saw_time(marker.end);
            }
            definitions.learn(bytes);
        });
        if let Some((facts, moment)) = facts {
            facts.fill_gaps(definitions, moment);
        }
    }

    fn write_slot(&mut self) {
        let Some((events, left_out)) = self.definitions.take_changed(self.layout.slot_size) else {
            return;
        };
        let slot = Slot {
            sequence: self.sequence + 1,
            header: self.definitions.header(),
            events: &events,
        };
        let at = self.layout.slots_at + (slot.sequence % 2) * self.layout.slot_size;
        let bytes = slot.encode(self.layout.slot_size);
        if bytes.is_some_and(|bytes| self.write(&bytes, at)) {
            self.sequence += 1;
            self.leave_out_of_slot(left_out);
        } else {
            let all = slot.header.len() + events.len() + left_out;
            self.leave_out_of_slot(all);
            // Whenever there is something to do again.
            self.definitions.change();
        }
    }

    /// Those that are not in this slot were perhaps not in the one before, and are counted.
    fn leave_out_of_slot(&mut self, bytes: usize) {
        let more = bytes.saturating_sub(self.slot_left_out);
        self.slot_left_out += more;
        self.recording.leave_out(more);
    }

    fn write_tables(&mut self) {
        for (kind, events) in self.definitions.take_tables() {
            let entry = TableEntry {
                kind: kind.into(),
                generation: 1,
                events: &events,
            };
            let at = self.layout.tables_at + self.tables_used;
            let left = self.layout.tables_size - self.tables_used;
            let bytes = entry.encode().filter(|bytes| bytes.len() as u64 <= left);
            match bytes.filter(|bytes| self.write(bytes, at)) {
                Some(bytes) => self.tables_used += bytes.len() as u64,
                None => self.recording.leave_out(events.len()),
            }
        }
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
