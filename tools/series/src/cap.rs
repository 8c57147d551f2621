//! The index of one capability.

use crate::checkpoints::{Checkpoints, Cursor};
use crate::machine::{self, All, CHANGES, Local, Machine, SINCE, Was};
use crate::state_event::{Act, Class, StateEvent};
use crate::transit::Transit;
use crate::varint;
use ghc_eventlog::Block;

/// Events between two entries, of whatever type.
const EVENTS: u32 = 256;

/// About this many bytes of the log between two entries, even if they hold fewer events.
const BYTES: u64 = 64 << 10;

/// An entry: the state of the machine, and where in the log to continue.
const FIELDS: usize = machine::FIELDS + 5;

/// The field of an entry with its offset in the log.
const OFFSET: usize = machine::FIELDS;

/// Where to continue in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) machine: Machine,
    /// Offset of the next event or marker.
    pub(crate) offset: u64,
    /// End of the block that contains it; not beyond `offset` for a marker.
    pub(crate) block_stop: u64,
    /// End of the capability's bytes before this entry.
    pub(crate) end_before: u64,
    /// Index of the next exception, and the number of thread events since the last one.
    exceptions: u64,
    since_exception: u64,
}

impl Entry {
    fn fields(&self) -> [u64; FIELDS] {
        let mut fields = [0; FIELDS];
        fields[..machine::FIELDS].copy_from_slice(&self.machine.fields());
        fields[machine::FIELDS..].copy_from_slice(&[
            self.offset,
            self.block_stop,
            self.end_before,
            self.exceptions,
            self.since_exception,
        ]);
        fields
    }

    fn from_fields(fields: &[u64; FIELDS]) -> Self {
        let (machine, rest) = fields.split_at(machine::FIELDS);
        let mut entry = Self {
            machine: Machine::from_fields(machine),
            offset: 0,
            block_stop: 0,
            end_before: 0,
            exceptions: 0,
            since_exception: 0,
        };
        if let [offset, stop, before, exceptions, since] = *rest {
            (entry.offset, entry.block_stop, entry.end_before) = (offset, stop, before);
            (entry.exceptions, entry.since_exception) = (exceptions, since);
        }
        entry
    }
}

/// Where a block ends; `u64::MAX` if its marker does not say: at the next marker.
pub(crate) fn block_stop(block: &Block<'_>) -> u64 {
    match (block.size as usize) < block.raw.len() {
        true => u64::MAX,
        false => block.offset + u64::from(block.size),
    }
}

/// The index of one capability.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cap {
    /// With its sums of threads [weighed](Machine::weigh).
    pub(crate) machine: Machine,
    entries: Checkpoints<FIELDS>,
    /// Exceptions: events before which a thread was not in the expected state. For each,
    /// the number of thread events since the exception before, and the actual state.
    exceptions: Vec<u8>,
    /// How many bytes of them were forgotten.
    exceptions_forgotten: u64,
    since_exception: u64,
    /// The first entry from which the log can be read again. If there is none, it is the next one,
    /// which comes with the next block.
    first: usize,
    /// Since when all is known: later than at the beginning if something was forgotten.
    pub(crate) kept_from: u64,
    events: u32,
    entry_offset: u64,
    /// End of its bytes so far.
    end: u64,
    block_stop: u64,
    /// It has written a block.
    pub(crate) spoke: bool,
    /// Up to this time its state is known.
    pub(crate) until: u64,
    /// Since when its own events show its state.
    known: Option<u64>,
    pub(crate) transit: Transit,
    /// Idle times were passed on up to here.
    idle_told: u64,
    /// When its events were lost, and how many notes of losses have been handled.
    pub(crate) losses: Vec<u64>,
    notes: usize,
    /// The previous block is incomplete.
    is_broken: bool,
}

impl Cap {
    #[inline(never)]
    fn entry(&mut self, offset: u64, block_stop: u64) {
        let entry = Entry {
            machine: self.machine.unweighed(),
            offset,
            block_stop,
            end_before: self.end,
            exceptions: self.exceptions_end(),
            since_exception: self.since_exception,
        };
        self.entries.push(entry.fields());
        self.events = 0;
        self.entry_offset = offset;
    }

    fn exceptions_end(&self) -> u64 {
        self.exceptions_forgotten + self.exceptions.len() as u64
    }

    /// The log before `offset` cannot be read again: forgets what only helps to do so.
    pub(crate) fn forget(&mut self, offset: u64) {
        self.entries.forget_below(OFFSET, offset);
        let before = offset.checked_sub(1);
        let last = before.and_then(|before| self.entries.cursor().last_not_above(OFFSET, before));
        self.first = last.map_or(0, |last| last + 1);
        let entry = self.entries().get(self.first);
        let known = entry.machine.since.max(entry.machine.thread_time);
        self.kept_from = self.kept_from.max(known);
        let forgotten = entry.exceptions - self.exceptions_forgotten;
        self.exceptions.drain(..forgotten as usize);
        self.exceptions_forgotten = entry.exceptions;
        self.transit.forget(self.kept_from);
    }

    /// A block begins. `lost`: the times of losses, from the notes in the log.
    pub(crate) fn block(&mut self, block: &Block<'_>, lost: &[(u64, u64)]) {
        let (before, begin) = (self.machine.delivered, block.time);
        let notes = lost.get(self.notes..).unwrap_or_default();
        let gap = self.spoke && begin > before;
        let is_lost = gap && notes.iter().any(|(from, to)| *from < begin && before < *to);
        self.notes = lost.len();
        let mut anew = !self.spoke
            || block.offset.saturating_sub(self.entry_offset) > BYTES
            || self.first == self.entries.len();
        if is_lost || self.is_broken {
            let since = match self.is_broken {
                true => self.until.min(before),
                false => before,
            };
            let was = self.machine.lose(since);
            self.was(&was);
            self.losses.push(self.machine.since);
            // The time in between is unknown, not "writing".
            self.machine.delivered = before.max(begin);
            anew = true;
        }
        self.is_broken = false;
        self.spoke = true;
        if anew {
            self.entry(block.offset, block.offset);
        }
        for was in self
            .machine
            .block(block.time, block.end)
            .into_iter()
            .flatten()
        {
            self.was(&was);
        }
        self.end = block.offset + block.raw.len() as u64;
        self.block_stop = block_stop(block);
        self.events += 1;
    }

    /// The block ends, or the part of it that exists.
    pub(crate) fn block_is_over(&mut self, end: u64, is_whole: bool) {
        let reached = self.machine.since.max(self.machine.thread_time);
        self.until = self.until.max(match is_whole {
            true => end.max(reached),
            false => reached,
        });
        self.is_broken = !is_whole;
    }

    /// Counts an event of any type.
    #[inline(always)]
    pub(crate) fn event(&mut self, offset: u64, length: usize) {
        if self.events >= EVENTS || offset - self.entry_offset > BYTES {
            self.entry(offset, self.block_stop);
        }
        self.events += 1;
        self.end = offset + length as u64;
    }

    /// Handles an event. `before`: the state of its thread before it.
    #[inline(always)]
    pub(crate) fn take(&mut self, time: u64, told: StateEvent, before: Class) {
        if let StateEvent::Thread(_, act) = told {
            if before == act.expects() {
                self.since_exception += 1;
            } else {
                self.exception(before);
            }
        }
        if let Some(was) = self.machine.take::<All>(time, told, before) {
            self.was(&was);
        }
    }

    #[inline(never)]
    fn exception(&mut self, before: Class) {
        varint::push(&mut self.exceptions, self.since_exception);
        self.exceptions.push(before as u8);
        self.since_exception = 0;
    }

    /// Its state has changed.
    #[inline(always)]
    fn was(&mut self, was: &Was) {
        match was.doing {
            Local::Idle => self.was_idle(was.from, was.to),
            Local::Unknown if self.known.is_none() => {
                self.was_idle(was.from, was.to);
                self.known = Some(was.to);
            }
            _ => {}
        }
    }

    #[inline(never)]
    fn was_idle(&mut self, from: u64, to: u64) {
        let from = from.max(self.idle_told);
        if from < to {
            self.transit.was_idle(from, to);
            self.idle_told = to;
        }
    }

    /// Whether it may be switching now although its own events do not show it.
    fn may_switch(&self) -> bool {
        match self.machine.doing {
            Local::Idle => true,
            Local::Unknown => self.known.is_none(),
            _ => false,
        }
    }

    /// A thread arrives from another capability.
    pub(crate) fn arrives(&mut self, thread: u32, time: u64, act: Act) {
        if matches!(act, Act::Run | Act::Stop(..) | Act::Migrate(_)) {
            if self.may_switch() {
                // Its state so far was caused by this thread.
                self.was_idle(self.machine.since, time);
            }
            self.transit.arrives(thread, time);
        }
    }

    /// The entries.
    pub(crate) fn entries(&self) -> Entries<'_> {
        Entries {
            cap: self,
            cursor: self.entries.cursor(),
        }
    }

    /// Since when its own events show its state.
    pub(crate) fn known_since(&self) -> u64 {
        self.known.unwrap_or(u64::MAX)
    }

    /// How long it was switching up to `time` although its own events do not show it, and
    /// how much of that time they show as idle.
    pub(crate) fn switching(&self, time: u64) -> (u64, u64) {
        let mut all = self.transit.sum_at(time);
        let unknown = self.transit.sum_at(time.min(self.known_since()));
        let mut idle = all.wrapping_sub(unknown);
        if let Some((from, to)) = self.open_switching()
            && time > from
        {
            let open = time.min(to) - from;
            all = all.wrapping_add(open);
            if self.machine.doing == Local::Idle {
                idle = idle.wrapping_add(open);
            }
        }
        (all, idle)
    }

    /// The same for the current idle time.
    pub(crate) fn open_switching(&self) -> Option<(u64, u64)> {
        let since = self.transit.pending_since().filter(|_| self.may_switch())?;
        let from = since.max(self.machine.since).max(self.idle_told);
        (from < self.until).then_some((from, self.until))
    }

    pub(crate) fn exceptions(&self, entry: &Entry) -> Exceptions<'_> {
        let from = entry.exceptions.saturating_sub(self.exceptions_forgotten);
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let mut exceptions = Exceptions {
            input: self.exceptions.get(from..).unwrap_or_default(),
            left: 0,
        };
        exceptions.next(entry.since_exception);
        exceptions
    }

    pub(crate) fn memory(&self) -> usize {
        self.entries.memory() + self.exceptions.capacity() + self.transit.memory()
    }
}

/// The entries of a capability, and after the last one its current state.
#[derive(Clone, Debug)]
pub(crate) struct Entries<'a> {
    cap: &'a Cap,
    cursor: Cursor<'a, FIELDS>,
}

impl Entries<'_> {
    pub(crate) fn len(&self) -> usize {
        self.cap.entries.len()
    }

    pub(crate) fn get(&mut self, index: usize) -> Entry {
        let cap = self.cap;
        match self.cursor.get(index) {
            Some(fields) => Entry::from_fields(fields),
            None => Entry {
                machine: cap.machine.unweighed(),
                offset: cap.end,
                block_stop: cap.block_stop,
                end_before: cap.end,
                exceptions: cap.exceptions_end(),
                since_exception: cap.since_exception,
            },
        }
    }

    /// The first one from which the log can be read again.
    pub(crate) fn first(&self) -> usize {
        self.cap.first
    }

    /// The last one of which that number is not above `value`.
    pub(crate) fn last_not_above(&mut self, field: usize, value: u64) -> Option<usize> {
        let now = match field {
            SINCE => self.cap.machine.since,
            _ => self.cap.machine.thread_time,
        };
        match now <= value {
            true => Some(self.len()),
            false => self.cursor.last_not_above(field, value),
        }
    }

    /// How often its state had changed by then.
    pub(crate) fn changes(&mut self, index: usize) -> u64 {
        let fields = self.cursor.get(index);
        fields.map_or(self.cap.machine.changes, |fields| fields[CHANGES])
    }
}

/// Reproduces the states of threads before each event.
#[derive(Clone, Debug)]
pub(crate) struct Exceptions<'a> {
    input: &'a [u8],
    /// Events until the next exception.
    left: u64,
}

impl Exceptions<'_> {
    fn next(&mut self, passed: u64) {
        self.left = match self.input.is_empty() {
            true => u64::MAX,
            false => varint::take(&mut self.input).saturating_sub(passed),
        };
    }

    /// The state of the thread before the next thread event.
    #[inline]
    pub(crate) fn before(&mut self, act: Act) -> Class {
        if self.left > 0 {
            self.left -= 1;
            return act.expects();
        }
        let code = self.input.split_first();
        let code = code.map_or(0, |(code, rest)| {
            self.input = rest;
            *code
        });
        self.next(0);
        Class::from_code(code)
    }
}
