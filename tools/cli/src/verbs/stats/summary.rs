//! Folds the events of one session into what `stats` tells, in little memory.

use super::report::{self, Report};
use crate::analysis::alive::Alive;
use crate::analysis::caps::Caps;
use crate::analysis::classes::Classes;
use crate::analysis::distribution::Distribution;
use crate::analysis::gc::{Collection, Collections, Concurrent};
use crate::analysis::heap::Heap;
use crate::analysis::identity::Identity;
use crate::analysis::losses::Losses;
use crate::analysis::numbers::{fraction, per_second};
use crate::analysis::sparks::Sparks;
use crate::analysis::threads::{Thread, Threads};
use ghc_eventlog::{Block, Event, EventBody, Gap, Header, StopStatus};
use std::collections::BTreeMap;

/// Percentiles of pauses are within 0.1 %.
const DIGITS: u8 = 3;

/// Generations beyond this are counted as one: a log may claim 65 535.
const GENERATIONS: u16 = 16;

#[derive(Default)]
struct Generation {
    pauses: Option<Distribution>,
    copied: Option<u64>,
}

/// One session so far.
pub struct Summary {
    identity: Identity,
    classes: Classes,
    first: u64,
    last: u64,
    events: u64,
    blocks: u64,
    bytes: (u64, u64),
    caps: Caps,
    collections: Collections,
    concurrent: Concurrent,
    pauses: Distribution,
    generations: BTreeMap<Option<u16>, Generation>,
    /// `None` until statistics of a collection come.
    copied: Option<u64>,
    fragmentation: Option<u64>,
    /// Parallel collections: how many, bytes copied by the busiest and by all,
    /// and the sum of the ideal for the busiest.
    parallel: (u64, u64, u64, u64),
    heap: Heap,
    sparks: Sparks,
    alive: Alive,
    created: u64,
    finished: u64,
    migrations: u64,
    wakeups: u64,
    stops: [u64; 32],
    messages: u64,
    markers: u64,
    heap_samples: u64,
    time_samples: u64,
    losses: Losses,
    unreadable: u64,
    threads: Option<Top>,
}

impl Summary {
    pub fn new(header: &Header, threads: Option<usize>) -> Self {
        Self {
            identity: Identity::default(),
            classes: Classes::default(),
            first: u64::MAX,
            last: 0,
            events: 0,
            blocks: 0,
            bytes: (u64::MAX, 0),
            caps: Caps::default(),
            collections: Collections::new(header),
            concurrent: Concurrent::default(),
            pauses: Distribution::new(DIGITS),
            generations: BTreeMap::new(),
            copied: None,
            fragmentation: None,
            parallel: (0, 0, 0, 0),
            heap: Heap::default(),
            sparks: Sparks::default(),
            alive: Alive::default(),
            created: 0,
            finished: 0,
            migrations: 0,
            wakeups: 0,
            stops: [0; 32],
            messages: 0,
            markers: 0,
            heap_samples: 0,
            time_samples: 0,
            losses: Losses::default(),
            unreadable: 0,
            threads: threads.map(Top::new),
        }
    }

    pub fn block(&mut self, block: &Block<'_>) {
        self.blocks += 1;
        self.bytes.0 = self.bytes.0.min(block.offset);
        self.bytes.1 = self.bytes.1.max(block.offset + block.raw.len() as u64);
    }

    pub fn gap(&mut self, gap: &Gap) {
        self.unreadable += gap.length;
    }

    #[inline]
    pub fn event(&mut self, event: &Event<'_>) {
        self.events += 1;
        self.classes.event(event);
        self.first = self.first.min(event.time);
        self.last = self.last.max(event.time);
        self.bytes.1 = self.bytes.1.max(event.offset + event.raw.len() as u64);
        if let Some(top) = &mut self.threads {
            top.event(event);
        }
        match event.body {
            EventBody::RunThread { .. } => {
                self.caps.event(event);
            }
            EventBody::StopThread { status, .. } => {
                let stop = usize::from(status.0).min(self.stops.len() - 1);
                self.stops[stop] += 1;
                if status == StopStatus::FINISHED {
                    self.finished += 1;
                    self.alive.change(event.time, -1);
                }
                self.caps.event(event);
            }
            EventBody::ThreadWakeup { .. } => self.wakeups += 1,
            _ => self.rare(event),
        }
    }

    fn rare(&mut self, event: &Event<'_>) {
        self.caps.event(event);
        match event.body {
            EventBody::CreateThread { .. } => {
                self.created += 1;
                self.alive.change(event.time, 1);
            }
            EventBody::MigrateThread { .. } => self.migrations += 1,
            EventBody::UserMsg { .. } => {
                self.messages += 1;
                self.losses.event(event);
            }
            EventBody::LogMsg { .. } => self.losses.event(event),
            EventBody::UserMarker { .. } => self.markers += 1,
            EventBody::HeapProfSampleBegin { .. } | EventBody::HeapBioProfSampleBegin { .. } => {
                self.heap_samples += 1;
            }
            EventBody::ProfSampleCostCentre { .. } => self.time_samples += 1,
            EventBody::GcStart | EventBody::GcEnd | EventBody::GcStatsGhc { .. } => {
                if let Some(step) = self.collections.event(event) {
                    if let Some((cap, start, end)) = step.part {
                        self.caps.collected(cap, start, end);
                    }
                    if let Some(collection) = step.collection {
                        self.collected(&collection);
                    }
                }
            }
            EventBody::SparkCounters { .. } => {
                self.sparks.event(event);
            }
            _ => {
                if !self.heap.event(event) && self.concurrent.event(event).is_none() {
                    self.identity.event(event);
                }
            }
        }
    }

    fn collected(&mut self, collection: &Collection) {
        self.pauses.record(collection.pause());
        let number = collection
            .stats
            .map(|stats| stats.generation.min(GENERATIONS));
        let generation = self.generations.entry(number).or_default();
        let pauses = generation
            .pauses
            .get_or_insert_with(|| Distribution::new(DIGITS));
        pauses.record(collection.pause());
        let Some(stats) = collection.stats else {
            return;
        };
        for copied in [&mut generation.copied, &mut self.copied] {
            *copied = Some(copied.unwrap_or(0).saturating_add(stats.copied));
        }
        self.fragmentation = self.fragmentation.max(Some(stats.fragmentation));
        if stats.par_threads > 1 {
            let (count, max, total, ideal) = &mut self.parallel;
            *count += 1;
            *max = max.saturating_add(stats.par_max_copied);
            *total = total.saturating_add(stats.par_tot_copied);
            *ideal = ideal.saturating_add(stats.par_tot_copied / u64::from(stats.par_threads));
        }
    }

    /// What has come so far.
    pub fn report(&mut self, session: u64, complete: bool) -> Report {
        let whole = (self.events > 0).then_some((self.first, self.last));
        let elapsed = whole.map(|(first, last)| last - first);
        let gc = elapsed
            .filter(|_| self.classes.gc)
            .map(|elapsed| self.pauses.total.min(elapsed));
        let mutator = elapsed.zip(gc).map(|(elapsed, gc)| elapsed - gc);
        let identity = &self.identity;
        let allocated = self
            .heap
            .told_allocations
            .then(|| self.heap.allocations.total());
        let (parallel, busiest, total, ideal) = self.parallel;
        // 1 if all copied the same, 0 if one did everything.
        let balance = (parallel > 0 && busiest > 0).then(|| {
            let worst = total.saturating_sub(ideal);
            let over = busiest.saturating_sub(ideal);
            if worst == 0 {
                1.0
            } else {
                1.0 - fraction(over, worst).unwrap_or(0.0).min(1.0)
            }
        });
        let concurrent = self
            .concurrent
            .phases
            .iter()
            .any(|phase| phase.0 > 0)
            .then(|| {
                let [marks, syncs, sweeps] = self.concurrent.phases;
                report::Concurrent {
                    marks: marks.0,
                    mark_ns: marks.1,
                    syncs: syncs.0,
                    sync_ns: syncs.1,
                    longest_sync_ns: self.concurrent.longest_sync,
                    sweeps: sweeps.0,
                    sweep_ns: sweeps.1,
                }
            });
        let generations = self
            .generations
            .iter()
            .map(|(&generation, of)| report::Generation {
                generation,
                pauses: of
                    .pauses
                    .as_ref()
                    .map(Distribution::figures)
                    .unwrap_or_default(),
                copied_bytes: of.copied,
            });
        let heap = &self.heap;
        let mblock = identity.mblock.unwrap_or(1 << 20);
        Report {
            session,
            complete,
            program: report::Program {
                name: identity.program().map(str::to_owned),
                args: (!identity.args.is_empty()).then(|| identity.args.clone()),
                rts: identity.rts.clone(),
                pid: identity.pid,
                started: identity.wall_clock.map(|clock| clock.at(0).to_string()),
            },
            time: report::Time {
                first_ns: whole.map(|(first, _)| first),
                last_ns: whole.map(|(_, last)| last),
                elapsed_ns: elapsed,
                gc_ns: gc,
                mutator_ns: mutator,
                productivity: mutator
                    .zip(elapsed)
                    .and_then(|(mutator, elapsed)| fraction(mutator, elapsed)),
            },
            gc: self.classes.gc.then(|| report::Gc {
                pauses: self.pauses.figures(),
                generations: generations.collect(),
                copied_bytes: self.copied,
                max_fragmentation_bytes: self.fragmentation,
                parallel: self.copied.map(|_| parallel),
                work_balance: balance,
                concurrent,
            }),
            heap: report::Heap {
                allocated_bytes: allocated,
                allocation_rate: allocated
                    .zip(mutator)
                    .and_then(|(allocated, mutator)| per_second(allocated, mutator)),
                live_bytes: heap.live.last,
                peak_live_bytes: heap.live.peak(),
                size_bytes: heap.size.last,
                peak_size_bytes: heap.size.peak(),
                blocks_bytes: heap.blocks.last,
                returned_bytes: heap
                    .memory
                    .map(|(.., returned)| u64::from(returned).saturating_mul(mblock)),
                heap_profile_samples: self.heap_samples,
                time_profile_samples: self.time_samples,
            },
            threads: self.classes.scheduler.then(|| self.threads_report()),
            sparks: self.sparks.total(),
            capabilities: self.capabilities(elapsed),
            stream: report::Stream {
                events: self.events,
                blocks: self.blocks,
                bytes: self.bytes.1.saturating_sub(self.bytes.0),
                user_messages: self.messages,
                user_markers: self.markers,
                lost_chunks: self.losses.chunks,
                lost_bytes: self.losses.bytes,
                loss_notes: self.losses.notes,
                unreadable_bytes: self.unreadable,
            },
            interval: None,
            top_threads: self
                .threads
                .as_mut()
                .map(|top| self.classes.scheduler.then(|| top.report(complete))),
        }
    }

    fn threads_report(&self) -> report::Threads {
        let last = self.stops.len() - 1;
        let mut stops: Vec<report::Stops> = (0u16..)
            .zip(self.stops)
            .filter(|&(_, count)| count > 0)
            .map(|(code, count)| {
                let reason = match StopStatus(code).name() {
                    Some(name) => name.to_owned(),
                    None if usize::from(code) == last => "other".to_owned(),
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
            switches: self.caps.iter().map(|(_, cap)| cap.switches).sum(),
            migrations: self.migrations,
            wakeups: self.wakeups,
            stops,
        }
    }

    fn capabilities(&self, elapsed: Option<u64>) -> Vec<report::Capability> {
        let caps = self.caps.iter().map(|(number, cap)| {
            let open = cap
                .running
                .map_or(0, |since| self.last.saturating_sub(since));
            let running = self.classes.scheduler.then_some(cap.ran + open);
            report::Capability {
                cap: number,
                running_ns: running,
                gc_ns: self.classes.gc.then_some(cap.collected),
                utilisation: running
                    .zip(elapsed)
                    .and_then(|(running, elapsed)| fraction(running, elapsed)),
                switches: self.classes.scheduler.then_some(cap.switches),
            }
        });
        caps.collect()
    }
}

/// The threads that ran longest, of those that are over and those alive.
struct Top {
    count: usize,
    threads: Threads,
    over: Vec<Thread>,
}

impl Top {
    fn new(count: usize) -> Self {
        Self {
            count: count.min(1 << 16),
            threads: Threads::default(),
            over: Vec::new(),
        }
    }

    fn event(&mut self, event: &Event<'_>) {
        if let Some(gone) = self.threads.event(event) {
            self.over.push(*gone);
            if self.over.len() > 2 * self.count + 64 {
                self.prune();
            }
        }
    }

    fn prune(&mut self) {
        self.over
            .sort_by_key(|thread| std::cmp::Reverse(thread.running));
        self.over.truncate(self.count);
    }

    fn report(&mut self, complete: bool) -> Vec<report::TopThread> {
        if complete {
            self.over.extend(self.threads.finish());
            self.prune();
            return self.over.iter().map(row).collect();
        }
        self.prune();
        let mut all: Vec<report::TopThread> = self
            .over
            .iter()
            .chain(self.threads.alive())
            .map(row)
            .collect();
        all.sort_by_key(|row| std::cmp::Reverse(row.running_ns));
        all.truncate(self.count);
        all
    }
}

fn row(thread: &Thread) -> report::TopThread {
    report::TopThread {
        thread: thread.id,
        label: thread.label.clone(),
        running_ns: thread.running,
        runnable_ns: thread.runnable,
        blocked_ns: thread.blocked,
        foreign_ns: thread.foreign,
        runs: thread.runs,
        migrations: thread.migrations,
        state: thread.state.name(),
    }
}
