//! The transition from one moment to another, as events.
//!
//! A reader that has not seen the events between two moments is brought from one to the other by
//! new events, all dated at the second moment. From nothing, they are a valid beginning of a log
//! for every tool: what exists is defined and created, what is blocked has run and stopped, what
//! runs is started.
//!
//! The order matters, because all have the same time: collections end, and spans; threads that run
//! stop; definitions; sizes; threads that have ended are ended, others move to where they are now,
//! new ones are created, and the state of each is written; spans begin; threads start to run;
//! collections begin.
//!
//! The state of a reader that missed a part may contradict itself: a capability that it has heard
//! nothing more of runs a thread that another one has logged since. So the reader's state is
//! followed on the way ([`Reader`]), and each event is one that fits it.
//!
//! What cannot be expressed in events is left out: for how long a thread has run, or how often, is
//! known only to a reader that saw it.

mod reader;
mod spans;

use crate::cap::{Cap, Collector};
use crate::collections::PhaseKind;
use crate::fact::HeapKind;
use crate::profile::Band;
use crate::snapshot::Snapshot;
use crate::state::State;
use crate::states::ThreadState;
use crate::thread::Thread;
use ghc_eventlog::{EventBody, StopStatus, Text, encode_event};
use reader::Reader;

/// Passes on the events that bring a reader that knows `from` (`None`: nothing) to `to`: for each
/// the capability whose block it belongs to (`None`: the global one), and its bytes under the
/// header of `to`. All are dated `at`.
///
/// Events of types that the header does not declare are left out.
pub fn transition(
    from: Option<&Snapshot>,
    to: &Snapshot,
    at: u64,
    out: &mut impl FnMut(Option<u16>, &[u8]),
) {
    let nothing = State::new(to.header(), *to.keep());
    let from: &State = from.map_or(&nothing, |from| from);
    let mut writer = Transition {
        from,
        to,
        at,
        reader: Reader::new(from, to),
        raw: Vec::new(),
        out,
    };
    writer.collections_end();
    let again = writer.spans_end();
    writer.threads_stop();
    writer.definitions();
    writer.sizes();
    writer.threads();
    writer.spans_begin(&again);
    writer.threads_run();
    writer.sample();
    writer.collections_begin();
}

struct Transition<'a, F> {
    from: &'a State,
    to: &'a State,
    at: u64,
    reader: Reader<'a>,
    raw: Vec<u8>,
    out: &'a mut F,
}

impl<F: FnMut(Option<u16>, &[u8])> Transition<'_, F> {
    /// Writes a new event, unless the log's header does not declare it.
    fn event(&mut self, cap: Option<u16>, body: &EventBody<'_>) {
        self.raw.clear();
        if encode_event(self.to.header(), self.at, body, &mut self.raw).is_ok() {
            (self.out)(cap, &self.raw);
        }
    }

    /// Makes a thread run on a capability where nothing else happens.
    fn run(&mut self, cap: u16, thread: u32) {
        if self.reader.cap(cap).running == Some(thread) {
            return;
        }
        self.pause(cap);
        if self.reader.cap(cap).collecting.is_some() {
            self.end_collection(cap);
        }
        self.event(Some(cap), &EventBody::RunThread { thread });
        let known = self.reader.cap(cap);
        (known.running, known.requested) = (Some(thread), None);
        self.reader
            .is_in(thread, ThreadState::Running { cap }, Some(cap));
    }

    /// Makes nothing run on a capability for the moment.
    fn pause(&mut self, cap: u16) {
        if let Some(thread) = self.reader.cap(cap).running {
            self.stop(cap, thread, StopStatus::YIELDING, None);
        }
    }

    fn end_collection(&mut self, cap: u16) {
        self.event(Some(cap), &EventBody::GcEnd);
        let known = self.reader.cap(cap);
        (known.collecting, known.requested) = (None, None);
    }

    /// Stops a thread so that it is in this state.
    fn stop_as(&mut self, cap: u16, thread: u32, state: ThreadState) {
        match state {
            ThreadState::Blocked { why, by } => self.stop(cap, thread, why, by),
            ThreadState::Foreign => self.stop(cap, thread, StopStatus::FOREIGN_CALL, None),
            ThreadState::Finished => self.stop(cap, thread, StopStatus::FINISHED, None),
            _ => self.stop(cap, thread, StopStatus::YIELDING, None),
        }
    }

    fn stop(&mut self, cap: u16, thread: u32, status: StopStatus, by: Option<u32>) {
        let body = |info| EventBody::StopThread {
            thread,
            status,
            info,
        };
        let with = body(Some(by.unwrap_or(0)));
        self.raw.clear();
        // Old systems do not log the reason.
        let done = encode_event(self.to.header(), self.at, &with, &mut self.raw).is_ok();
        if done {
            (self.out)(Some(cap), &self.raw);
        } else {
            self.event(Some(cap), &body(None));
        }
        self.reader.cap(cap).running = None;
        let state = ThreadState::after(status, by);
        self.reader.is_in(thread, state, Some(cap));
    }

    /// Each capability at both moments.
    fn caps(&self) -> Vec<(u16, Option<Cap>, Option<Cap>)> {
        let (from, to) = (&self.from.scheduler.caps, &self.to.scheduler.caps);
        (0..from.len().max(to.len()))
            .map(|number| {
                let seen = |caps: &[Cap]| caps.get(number).filter(|cap| cap.seen).cloned();
                (number as u16, seen(from), seen(to))
            })
            .collect()
    }

    /// Ends collections that have ended, or are different ones now.
    fn collections_end(&mut self) {
        for (number, from, to) in self.caps() {
            let was = from.and_then(|cap| cap.collecting);
            let is = to.and_then(|cap| cap.collecting);
            if let Some(was) = was
                && is.is_none_or(|is| is.offset != was.offset)
            {
                self.end_collection(number);
            }
        }
        for (kind, _, end) in PHASES {
            let kind = *kind;
            let (was, is) = (self.from.phase(kind), self.to.phase(kind));
            if was.is_some() && was != is {
                self.event(None, end);
            }
        }
    }

    /// Whether the thread that the reader knows under a number is the one that has it now.
    fn is_same(&self, id: u32) -> bool {
        let both = self.from.thread(id).zip(self.to.thread(id));
        both.is_none_or(|(before, now)| now.continues(before))
    }

    /// Whether a thread that the reader knows still exists for it after the transition.
    fn goes_on(&self, id: u32) -> bool {
        let both = self.from.thread(id).zip(self.to.thread(id));
        both.is_some_and(|(before, now)| now.continues(before))
    }

    /// Stops threads that no longer run, or run elsewhere.
    fn threads_stop(&mut self) {
        for number in (0..=u16::MAX).take(self.reader.caps.len()) {
            let Some(id) = self.reader.cap(number).running else {
                continue;
            };
            let runs = ThreadState::Running { cap: number };
            let target = self.to.scheduler.caps.get(usize::from(number));
            let target = target.and_then(|cap| cap.running);
            let goes_on = target.is_some_and(|(thread, _)| thread == id);
            let threads = self.to.keep().threads;
            let known = self.reader.thread(id).map(|thread| thread.state);
            let certain = !threads || (known == Some(runs) && self.reader.runs(id) == 1);
            if goes_on && certain && self.is_same(id) {
                continue;
            }
            let state = match self.to.thread(id) {
                Some(thread) if self.is_same(id) => thread.state,
                // Without [`Keep::threads`] nothing else is known about it.
                None if !threads => ThreadState::Runnable,
                _ => ThreadState::Finished,
            };
            self.stop_as(number, id, state);
        }
    }

    fn definitions(&mut self) {
        let (from, to) = (&self.from.definitions, &self.to.definitions);
        to.changes(from, self.to.header(), self.at, self.out);
        for sample in self.to.ticky.samples() {
            let before = self.from.ticky.sample(sample.counter);
            if before.is_none_or(|before| !before.says(sample)) {
                let body = EventBody::TickyCounterSample {
                    counter: sample.counter,
                    entries: sample.entries,
                    allocs: sample.allocs,
                    allocated: sample.allocated,
                };
                self.event(sample.cap, &body);
            }
        }
    }

    /// Writes running totals and sizes that have changed.
    fn sizes(&mut self) {
        for (number, from, to) in self.caps() {
            let Some(to) = to else { continue };
            let from = from.unwrap_or_default();
            if let Some(told) = to.allocated
                && from.allocated != to.allocated
            {
                let (capset, bytes) = (told.capset, told.bytes);
                self.event(Some(number), &EventBody::HeapAllocated { capset, bytes });
            }
            if let Some((_, sparks)) = to.sparks
                && from.sparks != to.sparks
            {
                self.event(Some(number), &sparks.body());
            }
        }
        let to = self.to;
        for (capset, heap) in to.heaps() {
            let before = self.from.heaps.get(capset).copied().unwrap_or_default();
            for ((kind, now), (_, before)) in heap.told().into_iter().zip(before.told()) {
                let Some(now) = now.filter(|_| Some(now) != Some(before)) else {
                    continue;
                };
                let bytes = now.bytes;
                let body = match kind {
                    HeapKind::Size => EventBody::HeapSize { capset, bytes },
                    HeapKind::Live => EventBody::HeapLive { capset, bytes },
                    _ => EventBody::BlocksSize { capset, bytes },
                };
                self.event(now.cap, &body);
            }
            if let Some(told) = heap.returned()
                && before.returned() != heap.returned()
            {
                let body = EventBody::MemReturn {
                    capset,
                    current: told.current,
                    needed: told.needed,
                    returned: told.returned,
                };
                self.event(told.cap, &body);
            }
        }
    }

    /// The capability to which a thread belongs, which must exist.
    fn home(&self, thread: &Thread) -> u16 {
        let first = || self.to.caps().next().map_or(0, |(number, _)| number);
        thread.cap().unwrap_or_else(first)
    }

    /// Writes threads grouped by the capability that logs them, so that a block holds many: first
    /// those that have ended, then those that move, then the states of the others.
    fn threads(&mut self) {
        let (from, to) = (self.from, self.to);
        let (was, is) = (&from.scheduler.threads, &to.scheduler.threads);
        let mut over = Vec::new();
        for (id, thread) in was.sorted_beside(is) {
            let same = is.get(id).is_some_and(|now| now.continues(thread));
            if !same && !self.reader.is_over(id) {
                over.push((self.home(thread), id));
            }
        }
        over.sort_by_key(|(home, _)| *home);
        for (home, id) in over {
            self.run(home, id);
            self.stop(home, id, StopStatus::FINISHED, None);
        }
        let mut changed: Vec<u32> = is.sorted_beside(was).map(|(id, _)| id).collect();
        changed.extend(self.reader.told().filter(|&id| is.get(id).is_some()));
        changed.sort_unstable();
        changed.dedup();
        let mut elsewhere = Vec::new();
        let mut changed: Vec<(u16, u32, &Thread)> = changed
            .into_iter()
            .filter_map(|id| {
                let thread = is.get(id)?;
                let known = self.reader.thread(id);
                if let (Some(known), Some(now)) = (known, thread.cap())
                    && let Some(cap) = known.cap.filter(|&cap| cap != now)
                    && !matches!(known.state, ThreadState::Running { .. })
                {
                    elsewhere.push((cap, id, now));
                }
                Some((self.home(thread), id, thread))
            })
            .collect();
        elsewhere.sort_by_key(|(cap, ..)| *cap);
        for (cap, thread, new_cap) in elsewhere {
            self.event(Some(cap), &EventBody::MigrateThread { thread, new_cap });
            // A thread that is passed on is ready.
            let state = ThreadState::Runnable;
            self.reader.is_in(thread, state, Some(new_cap));
        }
        changed.sort_by_key(|(home, ..)| *home);
        for (home, id, thread) in changed {
            self.thread(home, id, thread);
        }
    }

    fn thread(&mut self, home: u16, id: u32, thread: &Thread) {
        let known = self.reader.thread(id);
        if known.is_none() && thread.state != ThreadState::Unknown {
            self.event(Some(home), &EventBody::CreateThread { thread: id });
            self.reader.is_in(id, ThreadState::Runnable, Some(home));
        }
        let label_known = known.and_then(|_| self.from.thread(id)?.label());
        if let Some(label) = thread.label()
            && label_known.filter(|_| self.is_same(id)) != Some(label)
        {
            let label = Text(label.as_bytes());
            let body = EventBody::ThreadLabel { thread: id, label };
            self.event(Some(home), &body);
        }
        let known = self.reader.thread(id);
        let state = known.map_or(ThreadState::Unknown, |known| known.state);
        match thread.state {
            now if now == state => {}
            ThreadState::Runnable if matches!(state, ThreadState::Blocked { .. }) => {
                let (thread, other_cap) = (id, home);
                self.event(Some(home), &EventBody::ThreadWakeup { thread, other_cap });
                self.reader.is_in(id, ThreadState::Runnable, Some(home));
            }
            ThreadState::Blocked { .. } | ThreadState::Foreign | ThreadState::Runnable => {
                self.run(home, id);
                self.stop_as(home, id, thread.state);
            }
            // A running thread is started later.
            ThreadState::Running { .. } | ThreadState::Unknown | ThreadState::Finished => {}
        }
    }

    /// Starts threads that run now and did not, or ran elsewhere.
    fn threads_run(&mut self) {
        for (number, _, to) in self.caps() {
            match to.and_then(|cap| cap.running) {
                Some((id, _)) => self.run(number, id),
                None => self.pause(number),
            }
        }
    }

    /// Writes the part of the open heap sample that has arrived.
    fn sample(&mut self) {
        let before = self.from.samples.open();
        let sample = self.to.samples.open();
        let same = before
            .zip(sample)
            .is_some_and(|(before, now)| before.begun().offset == now.begun().offset);
        if let Some(before) = before.filter(|_| !same) {
            let era = before.era();
            self.event(None, &EventBody::HeapProfSampleEnd { era });
        }
        let Some(sample) = sample else { return };
        let era = sample.era();
        let mut known = 0;
        if same {
            known = before.map_or(0, |before| before.bands().count());
        } else if sample.is_biographical() {
            let sample_time = sample.time();
            self.event(
                None,
                &EventBody::HeapBioProfSampleBegin { era, sample_time },
            );
        } else {
            self.event(None, &EventBody::HeapProfSampleBegin { era });
        }
        let profile = sample.profile();
        for (band, residency) in sample.bands().skip(known) {
            match band {
                Band::Name(label) => {
                    let body = EventBody::HeapProfSampleString {
                        profile,
                        residency,
                        label,
                    };
                    self.event(None, &body);
                }
                Band::Stack(frames) => {
                    let stack = frames.stack();
                    let body = EventBody::HeapProfSampleCostCentre {
                        profile,
                        residency,
                        stack,
                    };
                    self.event(None, &body);
                }
                // What exceeded the limits was not kept.
                Band::Other => {}
            }
        }
    }

    /// Begins collections that are going on now and were not.
    fn collections_begin(&mut self) {
        for (number, _, to) in self.caps() {
            let to = to.unwrap_or_default();
            let cap = Some(number);
            let known = *self.reader.cap(number);
            if known
                .requested
                .is_some_and(|_| known.requested != to.requested)
                && known.collecting.is_none()
            {
                // The reader missed the collection that was asked for.
                self.event(cap, &EventBody::GcStart);
                self.end_collection(number);
            }
            if to.requested.is_some() && self.reader.cap(number).requested != to.requested {
                self.event(cap, &EventBody::RequestParGc);
            }
            let Some(is) = to.collecting else { continue };
            let same = known.collecting.filter(|was| was.offset == is.offset);
            if same.is_none() {
                self.event(cap, &EventBody::GcStart);
            }
            if same.map(|was| was.collector) != Some(is.collector) {
                match is.collector {
                    Collector::Silent => {}
                    Collector::Working => self.event(cap, &EventBody::GcWork),
                    Collector::Idle => self.event(cap, &EventBody::GcIdle),
                    Collector::Done => self.event(cap, &EventBody::GcDone),
                }
            }
        }
        for (kind, begin, _) in PHASES {
            let (was, is) = (self.from.phase(*kind), self.to.phase(*kind));
            if is.is_some() && was != is {
                self.event(None, begin);
            }
        }
    }
}

/// The events that begin and end each phase of the concurrent collector.
const PHASES: &[(PhaseKind, EventBody<'static>, EventBody<'static>)] = &[
    (
        PhaseKind::Mark,
        EventBody::ConcMarkBegin,
        EventBody::ConcMarkEnd { marked: 0 },
    ),
    (
        PhaseKind::Sync,
        EventBody::ConcSyncBegin,
        EventBody::ConcSyncEnd,
    ),
    (
        PhaseKind::Sweep,
        EventBody::ConcSweepBegin,
        EventBody::ConcSweepEnd,
    ),
];
