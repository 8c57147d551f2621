//! One capability.

use crate::fact::{CapInterval, Fact};
use crate::oddity::At;
use crate::sparks::SparkCounters;
use crate::states::CapState;

/// What a collector thread is doing in a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Collector {
    /// It has logged nothing of this collection yet.
    Silent,
    Working,
    Idle,
    Done,
}

/// A collection that this capability takes part in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InCollection {
    pub(crate) since: u64,
    /// Where its start is in the stream.
    pub(crate) offset: u64,
    pub(crate) collector: Collector,
}

/// One capability, as far as it is known from the log. All times are in nanoseconds.
#[derive(Clone, Debug, Default)]
pub struct Cap {
    pub(crate) seen: bool,
    pub(crate) created: bool,
    /// Whether its creation was logged, or the number of capabilities.
    pub(crate) announced: bool,
    /// Whether it was ever announced: its deletion can be logged before its last events.
    pub(crate) known: bool,
    pub(crate) disabled: bool,
    /// Its first event.
    pub(crate) first: Option<At>,
    pub(crate) running: Option<(u32, u64)>,
    pub(crate) requested: Option<u64>,
    pub(crate) collecting: Option<InCollection>,
    pub(crate) collected_until: u64,
    /// Whether it has logged which thread runs on it, or that none does any more.
    pub(crate) scheduled: bool,
    /// Whether its events so far show if it was collecting.
    pub(crate) collections_known: bool,
    /// Threads that it owns and could run.
    pub(crate) runnable: u32,
    pub(crate) runs: u64,
    /// Nanoseconds of all runs that have ended.
    pub(crate) ran: u64,
    pub(crate) block_end: u64,
    pub(crate) allocated: Option<Allocated>,
    pub(crate) sparks: Option<(u64, SparkCounters)>,
    state: Doing,
    since: u64,
    totals: [u64; CapState::ALL.len()],
}

/// The running total of bytes allocated, when it was logged, and for which heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allocated {
    pub(crate) time: u64,
    pub(crate) capset: u32,
    pub(crate) bytes: u64,
}

/// [`CapState`], unknown to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Doing(CapState);

impl Default for Doing {
    fn default() -> Self {
        Self(CapState::Unknown)
    }
}

impl Cap {
    /// What it is doing.
    pub fn state(&self) -> CapState {
        self.state.0
    }

    /// Since when it has been doing that.
    pub fn since(&self) -> u64 {
        self.since
    }

    /// For how long it has done this, up to its last change of state.
    pub fn total(&self, state: CapState) -> u64 {
        self.totals[state as usize]
    }

    /// The thread that is running, and since when.
    pub fn running(&self) -> Option<(u32, u64)> {
        self.running
    }

    /// For how long threads ran on it up to this moment: from when one is started until it stops,
    /// whatever happens in between (such as [`CapState::WritingLog`]).
    pub fn ran_until(&self, time: u64) -> u64 {
        let open = self
            .running
            .map_or(0, |(_, since)| time.saturating_sub(since));
        self.ran.saturating_add(open)
    }

    /// How often a thread was started.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// How many of its own threads are ready to run.
    pub fn runnable(&self) -> u32 {
        self.runnable
    }

    /// Since when it has been taking part in a collection.
    pub fn collecting(&self) -> Option<u64> {
        self.collecting.map(|collection| collection.since)
    }

    /// Whether its creation was logged, or that of as many capabilities.
    pub fn is_announced(&self) -> bool {
        self.announced
    }

    /// Whether its end was logged.
    pub fn is_deleted(&self) -> bool {
        self.known && !self.announced
    }

    /// Whether it is currently not used.
    pub fn is_disabled(&self) -> bool {
        self.disabled
    }

    /// Up to when the log has all of its events: the end of its last block. 0 before its first.
    pub fn delivered(&self) -> u64 {
        self.block_end
    }

    /// Bytes that it has allocated: its latest running total.
    pub fn allocated(&self) -> Option<u64> {
        self.allocated.map(|allocated| allocated.bytes)
    }

    /// The latest running totals of its sparks.
    pub fn sparks(&self) -> Option<SparkCounters> {
        self.sparks.map(|(_, sparks)| sparks)
    }

    /// Updates the count of threads: whether one was ready to run, and whether one is now.
    #[inline]
    pub(crate) fn ready(&mut self, was: bool, is: bool) {
        self.runnable = self.runnable.saturating_sub(was.into()) + u32::from(is);
    }

    /// What it is doing, as far as is known now. `alone`: it is the only capability.
    #[inline(always)]
    fn doing(&self, alone: bool) -> CapState {
        if let Some(collection) = &self.collecting {
            // The capability that asked for the collection leads it, and works from its start to
            // its end: after its own part it counts the heap, for instance.
            let leads = alone || self.requested.is_some();
            match collection.collector {
                Collector::Working => CapState::Collecting,
                Collector::Idle => CapState::Waiting,
                Collector::Silent | Collector::Done if leads => CapState::Collecting,
                Collector::Silent | Collector::Done => CapState::Waiting,
            }
        } else if self.requested.is_some() {
            CapState::Waiting
        } else if self.running.is_some() {
            CapState::Mutator
        } else if self.runnable > 0 {
            CapState::Switching
        } else {
            CapState::Idle
        }
    }

    /// Updates the state after a change at `time`; `thread` ran until then.
    #[inline(always)]
    pub(crate) fn update(
        &mut self,
        number: u16,
        (time, thread, alone): (u64, Option<u32>, bool),
        see: &mut impl FnMut(Fact<'_>),
    ) {
        let state = self.doing(alone);
        // If no thread has stopped, the running one continues: another one was woken.
        let same_thread = state != CapState::Mutator
            || thread.is_none()
            || thread == self.running.map(|(id, _)| id);
        if state == self.state.0 && same_thread {
            return;
        }
        self.enter(number, time, (state, thread), see);
    }

    /// Changes to another state.
    #[inline(always)]
    fn enter(
        &mut self,
        number: u16,
        time: u64,
        (state, thread): (CapState, Option<u32>),
        see: &mut impl FnMut(Fact<'_>),
    ) {
        // Some events are dated back: no moment is counted twice.
        let time = time.max(self.since);
        let ended = self.state.0;
        if time > self.since && ended != CapState::Unknown {
            self.totals[ended as usize] += time - self.since;
            see(Fact::Cap(CapInterval {
                cap: number,
                state: ended,
                thread: thread.filter(|_| ended == CapState::Mutator),
                from: self.since,
                to: time,
            }));
        }
        (self.state, self.since) = (Doing(state), time);
    }

    /// Takes a block that begins at `begin` and ends at `end`: between the block before and this
    /// one, the capability wrote its buffer.
    pub(crate) fn block(
        &mut self,
        number: u16,
        (begin, end): (u64, u64),
        see: &mut impl FnMut(Fact<'_>),
    ) {
        let written = self.block_end;
        let known = self.state.0 != CapState::Unknown;
        if written != 0 && begin > written && written >= self.since && known {
            let state = self.state.0;
            let thread = self.running.map(|(thread, _)| thread);
            self.enter(number, written, (CapState::WritingLog, thread), see);
            self.enter(number, begin, (state, None), see);
        }
        self.block_end = self.block_end.max(end);
    }

    /// Ends the log.
    pub(crate) fn finish(&mut self, number: u16, time: u64, see: &mut impl FnMut(Fact<'_>)) {
        let thread = self.running.map(|(thread, _)| thread);
        self.enter(number, time, (CapState::Unknown, thread), see);
    }
}
