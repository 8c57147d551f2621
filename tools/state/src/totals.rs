//! Totals over a session, as shown by `eventlog stats`.
//!
//! They take little memory, and do not depend on the order of blocks.

use crate::alive::Alive;
use crate::collections::{Collection, Phase};
use crate::distribution::Distribution;
use crate::fact::{Fact, HeapKind, HeapValue, Part};
use crate::gauge::Gauge;
use crate::report::{self, Report, fraction, per_second};
use crate::sparks::SparkCounters;
use crate::state::State;
use crate::top::Top;
use ghc_eventlog::{Block, Encoded, Event, EventBody, Gap, StopStatus, ids};
use std::collections::BTreeMap;

/// Percentiles of pauses are within 0.1 %.
const DIGITS: u8 = 3;
/// Generations beyond this are counted as one: a log may claim 65 535.
const GENERATIONS: u16 = 16;
/// Reasons to stop beyond this are counted as one.
const REASONS: usize = 32;

/// What is counted over one session, in addition to its [`State`].
///
/// Pass it each block, each event, and each fact that the state reports, in any
/// order of blocks. The state need not keep anything ([`Keep`](crate::Keep))
/// except, for [`with_threads`](Self::with_threads), its threads.
#[derive(Clone, Debug)]
pub struct Totals {
    events: u64,
    blocks: u64,
    /// Where the log begins and ends in its stream.
    bytes: (u64, u64),
    unreadable: u64,
    messages: u64,
    markers: u64,
    caps: Vec<CapTotals>,
    /// The capability that logged the event before.
    told: Option<u16>,
    created: u64,
    finished: u64,
    alive: Alive,
    migrations: u64,
    wakeups: u64,
    stops: [u64; REASONS],
    collections: CollectionTotals,
    phases: [PhaseTotals; 3],
    /// `None` until an event describes it.
    allocated: Option<u64>,
    live: Gauge,
    size: Gauge,
    in_blocks: Gauge,
    top: Option<Top>,
}

/// One capability.
#[derive(Clone, Copy, Debug, Default)]
struct CapTotals {
    /// Whether it has logged something.
    told: bool,
    /// Nanoseconds of its own parts in collections, and where the last one ended.
    collected: u64,
    collected_until: u64,
}

/// All collections.
#[derive(Clone, Debug, Default)]
struct CollectionTotals {
    all: GenerationTotals,
    generations: BTreeMap<Option<u16>, GenerationTotals>,
    fragmentation: Option<u64>,
    /// Parallel ones, and bytes copied in them by the busiest thread and by
    /// all, and what the busiest would copy if all copied the same.
    parallel: u64,
    busiest: u64,
    copied: u64,
    ideal: u64,
}

#[derive(Clone, Debug)]
struct GenerationTotals {
    pauses: Distribution,
    /// `None` until statistics of a collection arrive.
    copied: Option<u64>,
}

impl Default for GenerationTotals {
    fn default() -> Self {
        Self {
            pauses: Distribution::new(DIGITS),
            copied: None,
        }
    }
}

/// The phases of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct PhaseTotals {
    count: u64,
    total: u64,
    longest: u64,
}

impl Default for Totals {
    fn default() -> Self {
        Self {
            events: 0,
            blocks: 0,
            bytes: (u64::MAX, 0),
            unreadable: 0,
            messages: 0,
            markers: 0,
            caps: Vec::new(),
            told: None,
            created: 0,
            finished: 0,
            alive: Alive::default(),
            migrations: 0,
            wakeups: 0,
            stops: [0; REASONS],
            collections: CollectionTotals::default(),
            phases: [PhaseTotals::default(); 3],
            allocated: None,
            live: Gauge::default(),
            size: Gauge::default(),
            in_blocks: Gauge::default(),
            top: None,
        }
    }
}

impl Totals {
    /// Totals in which nothing is counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, including the `count` threads that ran longest. The state has
    /// to keep threads, and events have to be ordered by time.
    pub fn with_threads(count: usize) -> Self {
        Self {
            top: Some(Top::new(count)),
            ..Self::default()
        }
    }

    /// How many events there were.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// How many threads were created.
    pub fn threads_created(&self) -> u64 {
        self.created
    }

    /// Takes the beginning of a block.
    pub fn block(&mut self, block: &Block<'_>) {
        self.blocks += 1;
        self.bytes.0 = self.bytes.0.min(block.offset);
        self.reaches(block.offset, block.raw);
    }

    /// Takes bytes that could not be decoded.
    pub fn gap(&mut self, gap: &Gap) {
        self.unreadable += gap.length;
    }

    #[inline]
    fn reaches(&mut self, offset: u64, raw: &[u8]) {
        self.bytes.1 = self.bytes.1.max(offset + raw.len() as u64);
    }

    /// Takes an event.
    #[inline]
    pub fn event(&mut self, event: &Event<'_>) {
        self.happens(event.cap, event.offset, event.raw);
        self.count(event.time, &event.body);
    }

    /// The same for an event that is not decoded: faster, if nothing else needs it decoded.
    #[inline(always)]
    pub fn event_encoded(&mut self, event: &Encoded<'_>) {
        self.happens(event.cap, event.offset, event.raw);
        match event.id() {
            ids::STOP_THREAD => self.count(event.time, &event.body_as(ids::STOP_THREAD)),
            ids::CREATE_THREAD | ids::USER_MSG | ids::USER_MARKER => self.count_rare(event),
            _ => {}
        }
    }

    #[inline(never)]
    fn count_rare(&mut self, event: &Encoded<'_>) {
        self.count(event.time, &event.body());
    }

    #[inline(always)]
    fn happens(&mut self, cap: Option<u16>, offset: u64, raw: &[u8]) {
        self.events += 1;
        self.reaches(offset, raw);
        if cap != self.told {
            self.tells(cap);
        }
    }

    #[inline(always)]
    fn count(&mut self, time: u64, body: &EventBody<'_>) {
        match *body {
            EventBody::RunThread { .. } | EventBody::ThreadWakeup { .. } => {}
            EventBody::StopThread { status, .. } => {
                self.stops[usize::from(status.0).min(REASONS - 1)] += 1;
                if status == StopStatus::FINISHED {
                    self.ends(time);
                }
            }
            EventBody::CreateThread { .. } => {
                self.created += 1;
                self.alive.change(time, 1);
            }
            EventBody::UserMsg { .. } => self.messages += 1,
            EventBody::UserMarker { .. } => self.markers += 1,
            _ => {}
        }
    }

    #[inline(never)]
    fn ends(&mut self, time: u64) {
        self.finished += 1;
        self.alive.change(time, -1);
    }

    /// Takes an event of another capability than the one before.
    #[inline(never)]
    fn tells(&mut self, cap: Option<u16>) {
        self.told = cap;
        if let Some(number) = cap {
            self.cap(number).told = true;
        }
    }

    fn cap(&mut self, number: u16) -> &mut CapTotals {
        let index = usize::from(number);
        if self.caps.len() <= index {
            self.caps.resize(index + 1, CapTotals::default());
        }
        &mut self.caps[index]
    }

    /// Takes a fact that the state reports.
    #[inline(always)]
    pub fn see(&mut self, fact: &Fact<'_>) {
        match fact {
            Fact::Wakeup(_) => self.wakeups += 1,
            Fact::Thread(_) | Fact::Cap(_) => {}
            _ => self.see_rare(fact),
        }
    }

    #[inline(never)]
    fn see_rare(&mut self, fact: &Fact<'_>) {
        match fact {
            Fact::Migration(_) => self.migrations += 1,
            Fact::Gone { id, thread } => {
                if let Some(top) = &mut self.top {
                    top.gone(*id, thread);
                }
            }
            Fact::Part(part) => self.part(part),
            Fact::Collection(collection) => self.collections.add(collection),
            Fact::Phase(phase) => self.phase(phase),
            Fact::Heap(value) => self.heap(value),
            _ => {}
        }
    }

    fn part(&mut self, part: &Part) {
        let cap = self.cap(part.cap);
        // Parts are dated back; a moment must not be counted twice.
        let from = part.from.max(cap.collected_until);
        cap.collected += part.to.saturating_sub(from);
        cap.collected_until = cap.collected_until.max(part.to);
    }

    fn phase(&mut self, phase: &Phase) {
        let totals = &mut self.phases[phase.kind as usize];
        let took = phase.to - phase.from;
        totals.count += 1;
        totals.total = totals.total.saturating_add(took);
        totals.longest = totals.longest.max(took);
    }

    fn heap(&mut self, value: &HeapValue) {
        let gauge = match value.kind {
            HeapKind::Allocated => {
                let total = self.allocated.get_or_insert(0);
                *total = total.saturating_add(value.growth);
                return;
            }
            HeapKind::Live => &mut self.live,
            HeapKind::Size => &mut self.size,
            HeapKind::Blocks => &mut self.in_blocks,
        };
        gauge.record(value.capset, value.time, value.bytes);
    }

    /// The totals so far, together with the state. If the session has ended,
    /// call [`State::finish`] first.
    pub fn report(&self, state: &State) -> Report {
        let tells = state.classes();
        let last = state.time();
        let first = state.first().filter(|_| self.events > 0);
        let elapsed = first.map(|first| last - first);
        let gc = elapsed.filter(|_| tells.gc);
        let gc = gc.map(|elapsed| self.collections.all.pauses.total().min(elapsed));
        let mutator = elapsed.zip(gc).map(|(elapsed, gc)| elapsed - gc);
        Report {
            session: 1,
            complete: false,
            program: report::Program::of(state),
            time: report::Time {
                first_ns: first,
                last_ns: first.map(|_| last),
                elapsed_ns: elapsed,
                gc_ns: gc,
                mutator_ns: mutator,
                productivity: mutator
                    .zip(elapsed)
                    .and_then(|(mutator, elapsed)| fraction(mutator, elapsed)),
            },
            gc: tells.gc.then(|| self.collections.report(self.concurrent())),
            heap: self.heap_report(state, mutator),
            threads: tells.scheduler.then(|| self.threads(state)),
            sparks: state
                .caps()
                .filter_map(|(_, cap)| cap.sparks())
                .reduce(SparkCounters::plus),
            capabilities: self.capabilities(state, elapsed),
            stream: report::Stream {
                events: self.events,
                blocks: self.blocks,
                bytes: self.bytes.1.saturating_sub(self.bytes.0),
                user_messages: self.messages,
                user_markers: self.markers,
                lost_chunks: state.losses().chunks,
                lost_bytes: state.losses().bytes,
                lost_blocks: state.losses().blocks,
                loss_notes: state.losses().notes,
                unreadable_bytes: self.unreadable,
            },
            interval: None,
            top_threads: self
                .top
                .as_ref()
                .map(|top| tells.scheduler.then(|| top.report(state))),
        }
    }

    fn concurrent(&self) -> Option<report::Concurrent> {
        let [mark, sync, sweep] = self.phases;
        let any = self.phases.iter().any(|phase| phase.count > 0);
        any.then_some(report::Concurrent {
            marks: mark.count,
            mark_ns: mark.total,
            syncs: sync.count,
            sync_ns: sync.total,
            longest_sync_ns: sync.longest,
            sweeps: sweep.count,
            sweep_ns: sweep.total,
        })
    }

    fn heap_report(&self, state: &State, mutator: Option<u64>) -> report::Heap {
        let returned = state.heaps().filter_map(|(capset, heap)| {
            let program = state.programs().of_capset(capset);
            let program = program.or_else(|| state.programs().first());
            let parameters = program.and_then(|program| program.heap);
            // If the log does not say: a megabyte.
            let megablock = parameters.map_or(1 << 20, |heap| heap.mblock_size);
            Some(u64::from(heap.returned()?.returned).saturating_mul(megablock))
        });
        let samples = state.samples();
        report::Heap {
            allocated_bytes: self.allocated,
            allocation_rate: self
                .allocated
                .zip(mutator)
                .and_then(|(allocated, mutator)| per_second(allocated, mutator)),
            live_bytes: self.live.last(),
            peak_live_bytes: self.live.peak(),
            size_bytes: self.size.last(),
            peak_size_bytes: self.size.peak(),
            blocks_bytes: self.in_blocks.last(),
            returned_bytes: returned.reduce(u64::saturating_add),
            heap_profile_samples: samples.complete()
                + samples.incomplete()
                + u64::from(samples.open().is_some()),
            time_profile_samples: samples.stacks(),
        }
    }

    fn threads(&self, state: &State) -> report::Threads {
        let mut stops: Vec<report::Stops> = (0..=u16::MAX)
            .zip(self.stops)
            .filter(|&(_, count)| count > 0)
            .map(|(code, count)| {
                let reason = match StopStatus(code).name() {
                    Some(name) => name.to_owned(),
                    None if usize::from(code) == REASONS - 1 => "other".to_owned(),
                    None => format!("status_{code}"),
                };
                report::Stops { reason, count }
            })
            .collect();
        stops.sort_by_key(|stops| std::cmp::Reverse(stops.count));
        report::Threads {
            created: self.created,
            finished: self.finished,
            peak_alive: self.alive.peak(),
            switches: state.caps().map(|(_, cap)| cap.runs()).sum(),
            migrations: self.migrations,
            wakeups: self.wakeups,
            stops,
        }
    }

    fn capabilities(&self, state: &State, elapsed: Option<u64>) -> Vec<report::Capability> {
        let tells = state.classes();
        let told = (0..=u16::MAX).zip(&self.caps).filter(|(_, cap)| cap.told);
        told.map(|(number, of)| {
            let cap = state.cap(number);
            let ran = cap.map_or(0, |cap| cap.ran_until(state.time()));
            let ran = tells.scheduler.then_some(ran);
            let runs = cap.map_or(0, crate::Cap::runs);
            report::Capability {
                cap: number,
                running_ns: ran,
                gc_ns: tells.gc.then_some(of.collected),
                utilisation: ran
                    .zip(elapsed)
                    .and_then(|(ran, elapsed)| fraction(ran, elapsed)),
                switches: tells.scheduler.then_some(runs),
            }
        })
        .collect()
    }
}

impl CollectionTotals {
    fn add(&mut self, collection: &Collection) {
        let stats = collection.stats;
        let number = stats.map(|stats| stats.generation.min(GENERATIONS));
        let generation = self.generations.entry(number).or_default();
        for totals in [generation, &mut self.all] {
            totals.pauses.record(collection.pause());
            if let Some(stats) = &stats {
                let copied = totals.copied.unwrap_or(0);
                totals.copied = Some(copied.saturating_add(stats.copied));
            }
        }
        let Some(stats) = stats else { return };
        self.fragmentation = self.fragmentation.max(Some(stats.fragmentation));
        if stats.par_threads > 1 {
            let ideal = stats.par_tot_copied / u64::from(stats.par_threads);
            self.parallel += 1;
            self.busiest = self.busiest.saturating_add(stats.par_max_copied);
            self.copied = self.copied.saturating_add(stats.par_tot_copied);
            self.ideal = self.ideal.saturating_add(ideal);
        }
    }

    fn report(&self, concurrent: Option<report::Concurrent>) -> report::Gc {
        let generations = self.generations.iter();
        let generations = generations.map(|(&generation, of)| report::Generation {
            generation,
            pauses: of.pauses.figures(),
            copied_bytes: of.copied,
        });
        report::Gc {
            pauses: self.all.pauses.figures(),
            generations: generations.collect(),
            copied_bytes: self.all.copied,
            max_fragmentation_bytes: self.fragmentation,
            parallel: self.all.copied.map(|_| self.parallel),
            work_balance: self.balance(),
            concurrent,
        }
    }

    /// 1 if all copied the same amount, 0 if one did everything.
    fn balance(&self) -> Option<f64> {
        if self.parallel == 0 || self.busiest == 0 {
            return None;
        }
        let over = self.busiest.saturating_sub(self.ideal);
        let worst = self.copied.saturating_sub(self.ideal);
        Some(fraction(over, worst).map_or(1.0, |share| 1.0 - share.min(1.0)))
    }
}

#[cfg(test)]
#[path = "totals/tests.rs"]
mod tests;
