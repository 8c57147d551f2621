//! The state of a capability according to its own events, in the order in which it wrote
//! them.
//!
//! Events run through this machine twice: when the index is built, and again between two
//! entries of it. Tests check that it agrees with `eventlog-state`.

use crate::state_event::{Act, CLASSES, Class, StateEvent, after};

/// The state of a capability, as far as its own events show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Local {
    Unknown,
    Mutator,
    Collecting,
    Waiting,
    /// It takes part in a collection without writing events about it: it collects if it is
    /// the only capability, and otherwise waits.
    Quiet,
    Switching,
    /// None of its own threads is ready, but one may be on its way to it.
    Idle,
    WritingLog,
}

/// How many of them have time sums: all but `Unknown`.
pub(crate) const LOCALS: usize = 7;

impl Local {
    const ALL: [Self; 8] = [
        Self::Unknown,
        Self::Mutator,
        Self::Collecting,
        Self::Waiting,
        Self::Quiet,
        Self::Switching,
        Self::Idle,
        Self::WritingLog,
    ];

    /// Its place among the sums.
    pub(crate) fn index(self) -> Option<usize> {
        (self as usize).checked_sub(1)
    }
}

/// The activity of a collector thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Collector {
    None,
    Silent,
    Working,
    Idle,
    Done,
}

const COLLECTORS: [Collector; 5] = [
    Collector::None,
    Collector::Silent,
    Collector::Working,
    Collector::Idle,
    Collector::Done,
];

/// What a machine sums up. Reading a part of the log again is for one of the two only.
pub(crate) trait Sums {
    /// The time of the capability by state; if not, its state is not followed, either.
    const CAP: bool;
    /// The time of its threads by class.
    const THREADS: bool;
}

/// For the index.
#[derive(Debug)]
pub(crate) enum All {}

impl Sums for All {
    const CAP: bool = true;
    const THREADS: bool = true;
}

/// For the row of the capability.
#[derive(Debug)]
pub(crate) enum OfCap {}

impl Sums for OfCap {
    const CAP: bool = true;
    const THREADS: bool = false;
}

/// For the row of all threads.
#[derive(Debug)]
pub(crate) enum OfThreads {}

impl Sums for OfThreads {
    const CAP: bool = false;
    const THREADS: bool = true;
}

/// The interval that ends when a capability changes its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Was {
    pub(crate) doing: Local,
    pub(crate) thread: Option<u32>,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// The capability, and the time that it and its threads have spent in each state so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    /// Since when it is in its present state.
    pub(crate) since: u64,
    pub(crate) doing: Local,
    /// How often its state has changed.
    pub(crate) changes: u64,
    /// Up to `since`.
    pub(crate) sums: [u64; LOCALS],
    /// The latest event about a thread.
    pub(crate) thread_time: u64,
    /// Threads here, by class, and their time up to `thread_time`.
    pub(crate) counts: [u64; CLASSES],
    pub(crate) thread_sums: [u64; CLASSES],
    /// The end of the latest block.
    pub(crate) delivered: u64,
    running: Option<u32>,
    /// The thread that runs is still counted as such.
    counted: bool,
    /// The thread of the present interval.
    shown: Option<u32>,
    requested: bool,
    collector: Collector,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            since: 0,
            doing: Local::Unknown,
            changes: 0,
            sums: [0; LOCALS],
            thread_time: 0,
            counts: [0; CLASSES],
            thread_sums: [0; CLASSES],
            delivered: 0,
            running: None,
            counted: false,
            shown: None,
            requested: false,
            collector: Collector::None,
        }
    }
}

/// The numbers that a machine is made of.
pub(crate) const FIELDS: usize = 6 + LOCALS + 2 * CLASSES;

/// Where `since` and `thread_time` are among them.
pub(crate) const SINCE: usize = 0;
pub(crate) const THREAD_TIME: usize = 1;
pub(crate) const CHANGES: usize = 2;

impl Machine {
    /// The thread that runs.
    pub(crate) fn running(&self) -> Option<u32> {
        self.running
    }

    /// The present interval, up to `to`.
    pub(crate) fn open(&self, to: u64) -> Was {
        Was {
            doing: self.doing,
            thread: self.shown,
            from: self.since,
            to,
        }
    }

    /// Sums up to `time`, which is not earlier than the present interval.
    pub(crate) fn sums_at(&self, time: u64) -> [u64; LOCALS] {
        let mut sums = self.sums;
        if let Some(index) = self.doing.index() {
            sums[index] = sums[index].wrapping_add(time.saturating_sub(self.since));
        }
        sums
    }

    /// From now on the sums of threads are kept as if all had been in their class since time 0, so
    /// that an event changes two of them instead of all. Where they are summed up they have to be; a
    /// machine at the beginning is.
    pub(crate) fn weigh(&mut self) {
        for (sum, count) in self.thread_sums.iter_mut().zip(self.counts) {
            *sum = sum.wrapping_sub(count.wrapping_mul(self.thread_time));
        }
    }

    /// The same machine with its sums of threads up to `thread_time`, if they were weighed.
    pub(crate) fn unweighed(&self) -> Self {
        Self {
            thread_sums: self.weighed_sums_at(self.thread_time),
            ..*self
        }
    }

    /// [`thread_sums_at`](Self::thread_sums_at) of sums that were [weighed](Self::weigh).
    pub(crate) fn weighed_sums_at(&self, time: u64) -> [u64; CLASSES] {
        let mut sums = self.thread_sums;
        for (sum, count) in sums.iter_mut().zip(self.counts) {
            *sum = sum.wrapping_add(count.wrapping_mul(time));
        }
        sums
    }

    /// Sums of threads up to `time`, which is not earlier than the latest event of one.
    pub(crate) fn thread_sums_at(&self, time: u64) -> [u64; CLASSES] {
        let passed = time.saturating_sub(self.thread_time);
        let mut sums = self.thread_sums;
        for (sum, count) in sums.iter_mut().zip(self.counts) {
            *sum = sum.wrapping_add(count.wrapping_mul(passed));
        }
        sums
    }

    /// Handles an event. `before` is the state of the thread on this capability, if the
    /// event is about a thread.
    #[inline(always)]
    pub(crate) fn take<S: Sums>(
        &mut self,
        time: u64,
        told: StateEvent,
        before: Class,
    ) -> Option<Was> {
        match told {
            StateEvent::Thread(thread, act) => self.thread::<S>(time, thread, act, before),
            _ if !S::CAP => None,
            _ => {
                self.collection(told);
                self.update(time)
            }
        }
    }

    fn collection(&mut self, told: StateEvent) {
        match told {
            StateEvent::RequestGc => self.requested = true,
            StateEvent::GcStart => self.collector = Collector::Silent,
            StateEvent::GcEnd => (self.collector, self.requested) = (Collector::None, false),
            StateEvent::GcWork => self.collects(Collector::Working),
            StateEvent::GcIdle => self.collects(Collector::Idle),
            StateEvent::GcDone => self.collects(Collector::Done),
            StateEvent::OtherGc | StateEvent::Thread(..) => {}
        }
    }

    fn collects(&mut self, collector: Collector) {
        if self.collector != Collector::None {
            self.collector = collector;
        }
    }

    #[inline(always)]
    fn thread<S: Sums>(&mut self, time: u64, thread: u32, act: Act, before: Class) -> Option<Was> {
        if S::THREADS {
            self.thread_time = self.thread_time.max(time);
        }
        let after = after(act, before);
        if let (Act::Run | Act::Stop(..), Some(other)) = (act, self.running)
            && other != thread
            && self.counted
        {
            // The log does not say what became of it.
            self.go::<S>(Class::Running, Class::Unknown);
        }
        self.go::<S>(before, after);
        match act {
            Act::Run => {
                (self.running, self.counted) = (Some(thread), after == Class::Running);
                if self.collector == Collector::None {
                    self.requested = false;
                }
            }
            Act::Stop(..) => self.running = None,
            // These do not change the state.
            Act::Wake if before != Class::Blocked => return None,
            Act::Create if !matches!(before, Class::Away | Class::Refused) => return None,
            Act::Migrate(_) if before == Class::Running => return None,
            _ => {}
        }
        match S::CAP {
            true => self.update(time),
            false => None,
        }
    }

    #[inline(always)]
    fn go<S: Sums>(&mut self, before: Class, after: Class) {
        if let Some(index) = before.index()
            && self.counts[index] > 0
        {
            self.counts[index] -= 1;
            if S::THREADS {
                self.thread_sums[index] = self.thread_sums[index].wrapping_add(self.thread_time);
            }
        }
        if let Some(index) = after.index() {
            self.counts[index] += 1;
            if S::THREADS {
                self.thread_sums[index] = self.thread_sums[index].wrapping_sub(self.thread_time);
            }
        }
    }

    #[inline]
    fn runnable(&self) -> u64 {
        let [_, runnable, ..] = self.counts;
        runnable
    }

    #[inline(always)]
    fn now(&self) -> Local {
        match self.collector {
            Collector::Working => Local::Collecting,
            Collector::Idle => Local::Waiting,
            // The capability that asked for the collection leads it.
            Collector::Silent | Collector::Done if self.requested => Local::Collecting,
            Collector::Silent | Collector::Done => Local::Quiet,
            Collector::None if self.requested => Local::Waiting,
            Collector::None if self.running.is_some() => Local::Mutator,
            Collector::None if self.runnable() > 0 => Local::Switching,
            Collector::None => Local::Idle,
        }
    }

    #[inline(always)]
    fn update(&mut self, time: u64) -> Option<Was> {
        let doing = self.now();
        let thread = self.running.filter(|_| doing == Local::Mutator);
        if doing == self.doing && thread == self.shown {
            return None;
        }
        Some(self.enter(time, doing, thread))
    }

    #[inline(always)]
    fn enter(&mut self, time: u64, doing: Local, thread: Option<u32>) -> Was {
        // Some events have an earlier time than those before: no time may count twice.
        let time = time.max(self.since);
        let was = self.open(time);
        if let Some(index) = self.doing.index() {
            self.sums[index] = self.sums[index].wrapping_add(time - self.since);
        }
        self.changes += 1;
        (self.since, self.doing, self.shown) = (time, doing, thread);
        was
    }

    /// A block begins at `begin` and ends at `end`: between the one before and this one the
    /// buffer was written. Returns the interval that ended when the write began, and that
    /// of the write.
    pub(crate) fn block(&mut self, begin: u64, end: u64) -> Option<[Was; 2]> {
        let written = self.delivered;
        self.delivered = written.max(end);
        let known = self.doing != Local::Unknown;
        if written == 0 || begin <= written || written < self.since || !known {
            return None;
        }
        let (doing, thread) = (self.doing, self.shown);
        let first = self.enter(written, Local::WritingLog, None);
        let second = self.enter(begin, doing, thread);
        Some([first, second])
    }

    /// The state is unknown from `time` on, until an event shows it again.
    pub(crate) fn lose(&mut self, time: u64) -> Was {
        self.thread_time = self.thread_time.max(time);
        let lost = self.counts.iter().sum();
        self.thread_sums = self.weighed_sums_at(self.thread_time);
        self.counts = [0, 0, 0, 0, lost];
        self.weigh();
        (self.running, self.counted) = (None, false);
        (self.requested, self.collector) = (false, Collector::None);
        self.enter(time, Local::Unknown, None)
    }

    pub(crate) fn fields(&self) -> [u64; FIELDS] {
        let thread = |thread: Option<u32>| thread.map_or(0, |thread| u64::from(thread) + 1);
        let flags = u64::from(self.doing as u8)
            | u64::from(self.collector as u8) << 3
            | u64::from(self.requested) << 6
            | u64::from(self.counted) << 7;
        let shown = self.shown.is_some();
        let mut fields = [0; FIELDS];
        fields[..6].copy_from_slice(&[
            self.since,
            self.thread_time,
            self.changes,
            self.delivered,
            thread(self.running),
            flags | u64::from(shown) << 8,
        ]);
        let mut rest = fields[6..].iter_mut();
        let numbers = self
            .sums
            .iter()
            .chain(&self.counts)
            .chain(&self.thread_sums);
        for number in numbers {
            if let Some(place) = rest.next() {
                *place = *number;
            }
        }
        fields
    }

    pub(crate) fn from_fields(fields: &[u64]) -> Self {
        let [
            since,
            thread_time,
            changes,
            delivered,
            running,
            flags,
            rest @ ..,
        ] = fields
        else {
            return Self::default();
        };
        let running = running.checked_sub(1).map(|thread| thread as u32);
        let mut machine = Self {
            since: *since,
            thread_time: *thread_time,
            changes: *changes,
            delivered: *delivered,
            running,
            shown: running.filter(|_| flags >> 8 & 1 == 1),
            doing: Local::ALL[(flags & 7) as usize],
            collector: COLLECTORS[((flags >> 3 & 7) as usize).min(4)],
            requested: flags >> 6 & 1 == 1,
            counted: flags >> 7 & 1 == 1,
            ..Self::default()
        };
        let mut rest = rest.iter();
        let sums = machine.sums.iter_mut().chain(&mut machine.counts);
        for (place, number) in sums.chain(&mut machine.thread_sums).zip(&mut rest) {
            *place = *number;
        }
        machine
    }
}
