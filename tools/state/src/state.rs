//! The fold: the state of the runtime system according to the events so far.

mod queries;
mod threads;

use crate::cap::{Allocated, Collector, InCollection};
use crate::collections::Collections;
use crate::context::{Context, Moment};
use crate::definitions::Definitions;
use crate::fact::{Fact, HeapKind, HeapValue, Part};
use crate::heap::Heaps;
use crate::limits::Keep;
use crate::losses::Losses;
use crate::oddity::{At, Odd, Oddity};
use crate::profile::Samples;
use crate::program::Programs;
use crate::scheduler::Scheduler;
use crate::spans::{Running, Spans, StartStop};
use crate::sparks::SparkCounters;
use crate::ticky::Ticky;
use crate::turn::Turn;
use ghc_eventlog::{Block, Event, EventBody, Header};
use std::sync::Arc;

/// The state of the runtime system, according to the events so far.
#[derive(Clone, Debug)]
pub struct State {
    header: Arc<Header>,
    keep: Keep,
    time: u64,
    /// The largest possible value before the first event.
    first: u64,
    pub(crate) scheduler: Scheduler,
    pub(crate) collections: Collections,
    pub(crate) heaps: Heaps,
    pub(crate) definitions: Definitions,
    programs: Programs,
    pub(crate) samples: Samples,
    pub(crate) ticky: Ticky,
    losses: Losses,
    pub(crate) spans: Spans<StartStop>,
    tells: EventClasses,
    /// Whether the log begins at the start of the program.
    whole: bool,
}

/// Which kinds of events the log contains. The runtime system writes only those that it was asked
/// for, and does not log which these were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct EventClasses {
    /// What threads do (`-ls`).
    pub scheduler: bool,
    /// Collections, and the size of the heap (`-lg`).
    pub gc: bool,
    /// The counters of sparks (`-lp`).
    pub sparks: bool,
}

impl State {
    /// A state in which only the header is known.
    pub fn new(header: &Arc<Header>, keep: Keep) -> Self {
        Self {
            header: Arc::clone(header),
            keep,
            time: 0,
            first: u64::MAX,
            scheduler: Scheduler::default(),
            collections: Collections::new(header),
            heaps: Heaps::default(),
            definitions: Definitions::default(),
            programs: Programs::default(),
            samples: Samples::new(header),
            ticky: Ticky::default(),
            losses: Losses::default(),
            spans: Spans::new(StartStop, &keep.limits),
            tells: EventClasses::default(),
            whole: false,
        }
    }

    /// Takes the beginning of a block, just before its first event.
    pub fn block(&mut self, block: &Block<'_>, see: &mut impl FnMut(Fact<'_>)) {
        if let Some(number) = block.cap {
            let cap = self.scheduler.cap(number);
            cap.block(number, (block.time, block.end), see);
        }
    }

    pub(super) fn rare(&mut self, event: &Event<'_>, turn: Turn, see: &mut impl FnMut(Fact<'_>)) {
        match event.body {
            EventBody::ThreadLabel { thread, label } => {
                self.scheduler.label(event, thread, label, &self.keep);
            }
            EventBody::Unknown { id: 0..=2, .. } => self.scheduler.blind = true,
            EventBody::RequestSeqGc
            | EventBody::RequestParGc
            | EventBody::GcStart
            | EventBody::GcEnd
            | EventBody::GcIdle
            | EventBody::GcWork
            | EventBody::GcDone
            | EventBody::GcGlobalSync
            | EventBody::GcStatsGhc { .. } => {
                self.tells.gc = true;
                self.collection(event, turn, see);
            }
            EventBody::ConcMarkBegin
            | EventBody::ConcMarkEnd { .. }
            | EventBody::ConcSyncBegin
            | EventBody::ConcSyncEnd
            | EventBody::ConcSweepBegin
            | EventBody::ConcSweepEnd => {
                self.tells.gc = true;
                let (phase, odd) = self.collections.concurrent(event);
                if let Some(phase) = phase {
                    see(Fact::Phase(phase));
                }
                if let Some((begins, event_name)) = odd {
                    let odd = match begins {
                        true => Odd::PhaseBeginsTwice { event: event_name },
                        false => Odd::PhaseNeverBegan { event: event_name },
                    };
                    self.odd(event, odd, see);
                }
            }
            EventBody::HeapAllocated { capset, bytes } => {
                self.tells.gc = true;
                self.allocated(event, (capset, bytes), turn, see);
            }
            EventBody::SparkCounters { .. } => self.sparks(event, turn, see),
            EventBody::HeapSize { .. }
            | EventBody::HeapLive { .. }
            | EventBody::BlocksSize { .. }
            | EventBody::MemReturn { .. } => {
                self.tells.gc = true;
                if let Some(value) = self.heaps.event(event, turn) {
                    see(Fact::Heap(value));
                }
            }
            EventBody::UserMsg { .. } | EventBody::UserMarker { .. } | EventBody::LogMsg { .. } => {
                self.message(event, see);
            }
            EventBody::HeapProfSampleBegin { .. }
            | EventBody::HeapBioProfSampleBegin { .. }
            | EventBody::HeapProfSampleEnd { .. }
            | EventBody::HeapProfSampleString { .. }
            | EventBody::HeapProfSampleCostCentre { .. }
            | EventBody::ProfSampleCostCentre { .. } => self.profile(event, see),
            EventBody::TickyCounterSample { .. } | EventBody::TickyCounterBeginSample => {
                self.ticky.event(event, &self.keep);
            }
            _ => self.definition(event, see),
        }
    }

    fn message(&mut self, event: &Event<'_>, see: &mut impl FnMut(Fact<'_>)) {
        if let Some(loss) = self.losses.event(event) {
            see(Fact::Loss(loss));
        }
        if self.keep.spans {
            let running = View {
                scheduler: &self.scheduler,
                collections: &self.collections,
                tells: self.tells,
            };
            if let Some(span) = self.spans.event(event, &running) {
                see(Fact::Span(&span));
            }
        }
    }

    fn profile(&mut self, event: &Event<'_>, see: &mut impl FnMut(Fact<'_>)) {
        let mut oddities = [None; 4];
        let mut free = oddities.iter_mut();
        let mut odd = |odd| {
            if let Some(place) = free.next() {
                *place = Some(odd);
            }
        };
        let with = (&self.keep, self.definitions.symbols());
        self.samples.event(event, with, &mut odd, &mut |sample| {
            see(Fact::Sample(sample))
        });
        for odd in oddities.into_iter().flatten() {
            self.odd(event, odd, see);
        }
    }

    #[cold]
    fn definition(&mut self, event: &Event<'_>, see: &mut impl FnMut(Fact<'_>)) {
        let mut odd = None;
        self.programs
            .event(event, &self.keep.limits, &mut |what| odd = Some(what));
        match event.body {
            EventBody::Startup { capabilities } => {
                for number in 0..capabilities {
                    let cap = self.scheduler.cap(number);
                    (cap.announced, cap.known) = (true, true);
                }
            }
            EventBody::CapCreate { created_cap } => {
                // Systems before 8.0 log their number first (`startup`).
                let cap = self.scheduler.cap(created_cap);
                (cap.announced, cap.known) = (true, true);
                if std::mem::replace(&mut cap.created, true) {
                    odd = Some(Odd::CapCreatedTwice { cap: created_cap });
                }
            }
            EventBody::CapDelete { deleted_cap } => {
                let cap = self.scheduler.cap(deleted_cap);
                (cap.announced, cap.created, cap.disabled) = (false, false, false);
            }
            EventBody::CapDisable { disabled_cap } => {
                self.scheduler.cap(disabled_cap).disabled = true;
            }
            EventBody::CapEnable { enabled_cap } => {
                self.scheduler.cap(enabled_cap).disabled = false;
            }
            EventBody::RtsIdentifier { .. } => self.whole = event.time < 1_000_000_000,
            EventBody::HeapInfoGhc { .. } => self.tells.gc = true,
            EventBody::HeapProfBegin { .. } | EventBody::ProfBegin { .. } => {
                self.profile(event, see);
            }
            EventBody::TickyCounterDef { .. } => self.ticky.event(event, &self.keep),
            EventBody::TaskCreate { .. }
            | EventBody::TaskMigrate { .. }
            | EventBody::TaskDelete { .. } => self.tells.scheduler = true,
            _ => {}
        }
        self.definitions.event(event, &self.keep);
        if let Some(odd) = odd {
            self.odd(event, odd, see);
        }
    }

    /// Ends the session: what is still going on ends now, and oddities of the whole session are
    /// reported.
    pub fn finish(&mut self, see: &mut impl FnMut(Fact<'_>)) {
        if self.keep.oddities {
            self.finish_oddities(see);
        }
        let mut odd = |_, _| {};
        self.samples
            .finish(&mut odd, &mut |sample| see(Fact::Sample(sample)));
        self.scheduler.finish(self.time, see);
    }

    fn finish_oddities(&mut self, see: &mut impl FnMut(Fact<'_>)) {
        let mut odd = |at, odd| see(Fact::Odd(Oddity { at, odd }));
        if let Some((at, thread)) = self.scheduler.first_uncreated {
            let count = self.scheduler.uncreated;
            odd(at, Odd::ThreadsNotCreated { count, thread });
        }
        if self.scheduler.refused_threads > 0 {
            let limit = self.keep.limits.threads;
            odd(At::default(), Odd::TooManyThreads { limit });
        }
        self.samples.clone().finish(&mut odd, &mut |_| {});
        self.ticky.finish(&mut odd);
        // Capabilities are announced in the global block. If that is missing altogether, one note
        // says so; if it is there, it must name them all.
        let mut silent = (0..=u16::MAX)
            .zip(&self.scheduler.caps)
            .filter(|(_, cap)| !cap.known)
            .filter_map(|(number, cap)| Some((number, cap.first?)));
        if let Some((cap, at)) = silent.next() {
            let count = 1 + silent.count();
            let none = !self.scheduler.caps.iter().any(|cap| cap.known);
            let what = match none {
                true => Odd::NoCapAnnounced,
                false => Odd::CapsNotAnnounced { count, cap },
            };
            odd(at, what);
        }
    }

    #[cold]
    fn odd(&self, event: &Event<'_>, odd: Odd, see: &mut impl FnMut(Fact<'_>)) {
        let with = Context {
            event: &Moment::of(event),
            turn: Turn::Certain,
            keep: &self.keep,
            losses: &self.losses,
        };
        with.odd(odd, see);
    }

    fn collection(&mut self, event: &Event<'_>, turn: Turn, see: &mut impl FnMut(Fact<'_>)) {
        let Some(number) = event.cap else { return };
        let time = event.time;
        let cap = self.scheduler.cap(number);
        let mut odd = None;
        match event.body {
            EventBody::RequestSeqGc | EventBody::RequestParGc => cap.requested = Some(time),
            EventBody::GcStart => {
                let collection = InCollection {
                    since: time,
                    offset: event.offset,
                    collector: Collector::Silent,
                };
                if let Some(before) = cap.collecting.replace(collection) {
                    odd = Some(Odd::CollectionTwice {
                        since: before.offset,
                    });
                }
                cap.collections_known = true;
            }
            EventBody::GcEnd => {
                cap.collected_until = time;
                let began = cap.collecting.take().is_some();
                cap.requested = None;
                // The first collection of a log may have begun before the log.
                let known = std::mem::replace(&mut cap.collections_known, true);
                let whole = self.whole && self.losses.whole_from.is_none();
                odd = (!began && (known || whole)).then_some(Odd::CollectionNeverBegan);
            }
            EventBody::GcWork | EventBody::GcIdle | EventBody::GcDone => {
                match &mut cap.collecting {
                    Some(collection) => {
                        collection.collector = match event.body {
                            EventBody::GcWork => Collector::Working,
                            EventBody::GcIdle => Collector::Idle,
                            _ => Collector::Done,
                        };
                    }
                    // The end is dated back, so the last events may be just after it.
                    None if time > cap.collected_until + 10_000_000 => {
                        odd = Some(Odd::CollectorOutsideCollection {
                            event: event.name(),
                        });
                    }
                    None => {}
                }
            }
            _ => {}
        }
        let thread = cap.running.map(|(thread, _)| thread);
        self.scheduler.update(number, time, thread, see);
        let step = self.collections.event(event, number);
        if let Some((from, to)) = step.part {
            see(Fact::Part(Part {
                cap: number,
                from,
                to,
            }));
        }
        if let Some(collection) = &step.collection {
            see(Fact::Collection(collection));
        }
        if let Some(odd) = odd
            && turn != Turn::Late
        {
            self.odd(event, odd, see);
        }
    }

    fn allocated(
        &mut self,
        event: &Event<'_>,
        (capset, bytes): (u32, u64),
        turn: Turn,
        see: &mut impl FnMut(Fact<'_>),
    ) {
        let mut growth = bytes;
        if let Some(number) = event.cap {
            let cap = self.scheduler.cap(number);
            let before = cap.allocated.replace(Allocated {
                time: event.time,
                capset,
                bytes,
            });
            let before = before.map_or(0, |before| before.bytes);
            growth = bytes.checked_sub(before).unwrap_or(bytes);
            if bytes < before && turn != Turn::Late {
                self.odd(event, Odd::AllocationShrinks { before, bytes }, see);
            }
        }
        see(Fact::Heap(HeapValue {
            capset,
            cap: event.cap,
            kind: HeapKind::Allocated,
            time: event.time,
            bytes,
            growth,
        }));
    }

    fn sparks(&mut self, event: &Event<'_>, turn: Turn, see: &mut impl FnMut(Fact<'_>)) {
        let (Some(number), Some(sparks)) = (event.cap, SparkCounters::from_body(&event.body))
        else {
            return;
        };
        self.tells.sparks = true;
        let cap = self.scheduler.cap(number);
        let before = cap.sparks.replace((event.time, sparks));
        if before.is_some_and(|(_, before)| sparks.falls_below(&before)) && turn != Turn::Late {
            self.odd(event, Odd::SparkCountersShrink, see);
        }
    }
}

/// What spans need to know.
struct View<'a> {
    scheduler: &'a Scheduler,
    collections: &'a Collections,
    tells: EventClasses,
}

impl Running for View<'_> {
    fn thread_on(&self, cap: u16) -> Option<u32> {
        let cap = self.scheduler.caps.get(usize::from(cap))?;
        cap.running.map(|(thread, _)| thread)
    }

    fn life(&self, thread: u32) -> Option<u64> {
        self.scheduler.life(thread)
    }

    fn ran(&self, thread: u32, time: u64) -> Option<u64> {
        Some(self.scheduler.threads.get(thread)?.ran_until(time))
    }

    fn label(&self, thread: u32) -> Option<&str> {
        self.scheduler.threads.get(thread)?.label()
    }

    fn paused(&self) -> Option<u64> {
        self.tells.gc.then_some(self.collections.paused)
    }
}
