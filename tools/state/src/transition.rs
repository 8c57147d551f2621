//! From one moment to another, as events.
//!
//! Whoever has not seen the events between two moments is brought from one to
//! the other by new ones, all dated at the second moment. From nothing, they
//! are a valid beginning of a log for every tool: what exists is defined and
//! created, what is blocked has run and stopped, what runs is started.
//!
//! The order matters, as all have the same time: collections end; threads that
//! run stop; definitions; sizes; threads that are over end, new ones are
//! created, all others come to be where they are; spans end and begin; threads
//! start to run; collections begin.
//!
//! What cannot be said in events is not said: for how long a thread has run, or
//! how often, is known only to who saw it.

use crate::cap::{Cap, Collector};
use crate::collections::PhaseKind;
use crate::fact::HeapKind;
use crate::profile::Band;
use crate::snapshot::Snapshot;
use crate::spans::OpenSpan;
use crate::state::State;
use crate::states::ThreadState;
use crate::thread::Thread;
use ghc_eventlog::{EventBody, StopStatus, Text, encode_event};
use std::collections::BTreeMap;

/// Hands on the events that bring a reader who knows `from` (`None`: nothing)
/// to `to`: the capability whose block each belongs into (`None`: the global
/// one), and its bytes under the header of `to`. All are dated `at`.
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
        raw: Vec::new(),
        out,
    };
    writer.collections_end();
    writer.threads_stop();
    writer.definitions();
    writer.sizes();
    writer.threads();
    writer.spans();
    writer.threads_run();
    writer.sample();
    writer.collections_begin();
}

struct Transition<'a, F> {
    from: &'a State,
    to: &'a State,
    at: u64,
    raw: Vec<u8>,
    out: &'a mut F,
}

impl<F: FnMut(Option<u16>, &[u8])> Transition<'_, F> {
    /// A new event, unless the log's header has no place for it.
    fn event(&mut self, cap: Option<u16>, body: &EventBody<'_>) {
        self.raw.clear();
        if encode_event(self.to.header(), self.at, body, &mut self.raw).is_ok() {
            (self.out)(cap, &self.raw);
        }
    }

    fn run(&mut self, cap: u16, thread: u32) {
        self.event(Some(cap), &EventBody::RunThread { thread });
    }

    fn stop(&mut self, cap: u16, thread: u32, status: StopStatus, by: Option<u32>) {
        let body = |info| EventBody::StopThread {
            thread,
            status,
            info,
        };
        let with = body(Some(by.unwrap_or(0)));
        self.raw.clear();
        // Old systems do not tell why.
        let done = encode_event(self.to.header(), self.at, &with, &mut self.raw).is_ok();
        if done {
            (self.out)(Some(cap), &self.raw);
        } else {
            self.event(Some(cap), &body(None));
        }
    }

    /// Both moments of a capability.
    fn caps(&self) -> Vec<(u16, Option<Cap>, Option<Cap>)> {
        let (from, to) = (&self.from.scheduler.caps, &self.to.scheduler.caps);
        (0..from.len().max(to.len()))
            .map(|number| {
                let seen = |caps: &[Cap]| caps.get(number).filter(|cap| cap.seen).cloned();
                (number as u16, seen(from), seen(to))
            })
            .collect()
    }

    /// Collections that are over, or are other ones by now.
    fn collections_end(&mut self) {
        for (number, from, to) in self.caps() {
            let was = from.and_then(|cap| cap.collecting);
            let is = to.and_then(|cap| cap.collecting);
            if let Some(was) = was
                && is.is_none_or(|is| is.offset != was.offset)
            {
                self.event(Some(number), &EventBody::GcEnd);
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

    /// Threads that ran and do so no longer, or elsewhere.
    fn threads_stop(&mut self) {
        for (number, from, _) in self.caps() {
            let Some((id, _)) = from.and_then(|cap| cap.running) else {
                continue;
            };
            let runs = ThreadState::Running { cap: number };
            let is = self.to.thread(id);
            match is.map(|thread| thread.state) {
                Some(state) if state == runs => {}
                Some(ThreadState::Blocked { why, by }) => self.stop(number, id, why, by),
                Some(ThreadState::Foreign) => {
                    self.stop(number, id, StopStatus::FOREIGN_CALL, None);
                }
                Some(_) => self.stop(number, id, StopStatus::YIELDING, None),
                // Without the threads nothing is known of it but that.
                None if !self.to.keep().threads => {
                    self.stop(number, id, StopStatus::YIELDING, None);
                }
                None => self.stop(number, id, StopStatus::FINISHED, None),
            }
        }
    }

    fn definitions(&mut self) {
        let (from, to) = (&self.from.definitions, &self.to.definitions);
        to.changes(from, self.to.header(), self.at, self.out);
        for sample in self.to.ticky.samples() {
            let before = self.from.ticky.sample(sample.counter);
            if before.is_none_or(|before| before.time != sample.time) {
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

    /// Running totals and sizes that are other ones by now.
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

    /// Where a thread is at home: a capability that is there.
    fn home(&self, thread: &Thread) -> u16 {
        let first = || self.to.caps().next().map_or(0, |(number, _)| number);
        thread.cap().unwrap_or_else(first)
    }

    /// Threads by the capability that tells of them, so that a block holds many:
    /// first those that are over, then those that go elsewhere, then what the
    /// others do.
    fn threads(&mut self) {
        let (from, to) = (self.from, self.to);
        let (was, is) = (&from.scheduler.threads, &to.scheduler.threads);
        let mut over = Vec::new();
        for (id, thread) in was.sorted_beside(is) {
            let same = is.get(id).is_some_and(|now| now.is_same(thread));
            let runs = matches!(thread.state, ThreadState::Running { .. });
            // That of a running one was told above.
            if !same && !runs {
                over.push((self.home(thread), id));
            }
        }
        over.sort_by_key(|(home, _)| *home);
        for (home, id) in over {
            self.run(home, id);
            self.stop(home, id, StopStatus::FINISHED, None);
        }
        let before = |id, thread: &Thread| was.get(id).filter(|before| before.is_same(thread));
        let mut gone_elsewhere = Vec::new();
        let mut changed = Vec::new();
        for (id, thread) in is.sorted_beside(was) {
            let cap = before(id, thread).and_then(Thread::cap);
            if let (Some(cap), Some(now)) = (cap, thread.cap())
                && cap != now
            {
                gone_elsewhere.push((cap, id, now));
            }
            changed.push((self.home(thread), id, thread));
        }
        gone_elsewhere.sort_by_key(|(cap, ..)| *cap);
        for (cap, thread, new_cap) in gone_elsewhere {
            self.event(Some(cap), &EventBody::MigrateThread { thread, new_cap });
        }
        changed.sort_by_key(|(home, ..)| *home);
        for (home, id, thread) in changed {
            self.thread(home, id, (before(id, thread), thread));
        }
    }

    fn thread(&mut self, home: u16, id: u32, (before, thread): (Option<&Thread>, &Thread)) {
        let was = before.map(|before| before.state);
        if before.is_none() && thread.state != ThreadState::Unknown {
            let cap = match thread.state {
                ThreadState::Running { cap } => cap,
                _ => home,
            };
            self.event(Some(cap), &EventBody::CreateThread { thread: id });
        }
        if let Some(label) = thread.label()
            && before.and_then(Thread::label) != Some(label)
        {
            let label = Text(label.as_bytes());
            let body = EventBody::ThreadLabel { thread: id, label };
            self.event(Some(home), &body);
        }
        // One that ran has stopped already.
        let stopped = matches!(was, Some(ThreadState::Running { cap }) if thread.state != ThreadState::Running { cap });
        if stopped || was == Some(thread.state) {
            return;
        }
        match thread.state {
            ThreadState::Blocked { why, by } => {
                self.run(home, id);
                self.stop(home, id, why, by);
            }
            ThreadState::Foreign => {
                self.run(home, id);
                self.stop(home, id, StopStatus::FOREIGN_CALL, None);
            }
            ThreadState::Runnable if before.is_some() => {
                self.run(home, id);
                self.stop(home, id, StopStatus::YIELDING, None);
            }
            _ => {}
        }
    }

    /// Threads that run now and did not, or ran elsewhere.
    fn threads_run(&mut self) {
        for (number, from, to) in self.caps() {
            let Some((id, _)) = to.and_then(|cap| cap.running) else {
                continue;
            };
            let ran = from.and_then(|cap| cap.running);
            if ran.is_none_or(|(before, _)| before != id) {
                self.run(number, id);
            }
        }
    }

    /// What has come of the heap sample that is open.
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
                // What was too much to be kept cannot be told.
                Band::Other => {}
            }
        }
    }

    /// Spans that are over, and those that have begun. Their messages belong to
    /// the thread that runs: that of a thread which does not is started for them.
    fn spans(&mut self) {
        let open = |state: &State| -> BTreeMap<_, OpenSpan> {
            let spans = state.spans.open();
            spans.map(|span| (span.number(), span.clone())).collect()
        };
        let (before, now) = (open(self.from), open(self.to));
        let over = before
            .iter()
            .filter(|(number, _)| !now.contains_key(number));
        let begun = now
            .iter()
            .filter(|(number, _)| !before.contains_key(number));
        let messages = over
            .map(|(_, span)| ("STOP", span))
            .chain(begun.map(|(_, span)| ("START", span)));
        for (word, span) in messages {
            let text = match span.id {
                Some(id) => format!("{word} {id} {}", span.name),
                None => format!("{word} {}", span.name),
            };
            let message = Text(text.as_bytes());
            let body = EventBody::UserMsg { message };
            let thread = span.thread.and_then(|id| Some((id, self.to.thread(id)?)));
            match thread {
                Some((id, thread)) if !matches!(thread.state, ThreadState::Running { .. }) => {
                    let home = self.home(thread);
                    self.run(home, id);
                    self.event(Some(home), &body);
                    match thread.state {
                        ThreadState::Blocked { why, by } => self.stop(home, id, why, by),
                        ThreadState::Foreign => {
                            self.stop(home, id, StopStatus::FOREIGN_CALL, None);
                        }
                        _ => self.stop(home, id, StopStatus::YIELDING, None),
                    }
                }
                Some((id, thread)) => {
                    // It is about to be started.
                    let home = self.home(thread);
                    let runs = self.from.cap(home).and_then(|cap| cap.running());
                    let runs = runs.is_some_and(|(other, _)| other == id);
                    if !runs {
                        self.run(home, id);
                    }
                    self.event(Some(home), &body);
                    if !runs {
                        self.stop(home, id, StopStatus::YIELDING, None);
                    }
                }
                None => self.event(span.cap, &body),
            }
        }
    }

    /// Collections that go on now and did not.
    fn collections_begin(&mut self) {
        for (number, from, to) in self.caps() {
            let (from, to) = (from.unwrap_or_default(), to.unwrap_or_default());
            let cap = Some(number);
            if to.requested.is_some() && from.requested != to.requested {
                self.event(cap, &EventBody::RequestParGc);
            }
            let Some(is) = to.collecting else { continue };
            let same = from.collecting.filter(|was| was.offset == is.offset);
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

/// How each phase of the concurrent collector begins and ends.
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
