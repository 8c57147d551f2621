//! The counters of one program.

use crate::histogram::Histogram;
use crate::names::Names;
use eventlog_state::{CapState, Collection, Loss, Lost, SparkCounters};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Stop reasons beyond this are counted as one.
pub(crate) const REASONS: usize = 32;
/// Generations beyond this are counted as one: a log may claim 65 535.
const GENERATIONS: u16 = 16;

/// The source of a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loser {
    Program,
    Relay,
    Exporter,
}

impl Loser {
    pub(crate) const ALL: [Self; 3] = [Self::Program, Self::Relay, Self::Exporter];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Relay => "relay",
            Self::Exporter => "exporter",
        }
    }
}

/// The collections of one generation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Generation {
    pub(crate) collections: u64,
    pub(crate) pause: Arc<Histogram>,
    pub(crate) copied: u64,
}

/// All counters. Histograms are shared with the collected metrics, except those that nearly every
/// event of a thread changes: these are copied when metrics are collected.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    pub(crate) events: u64,
    pub(crate) received: u64,
    pub(crate) messages: u64,
    pub(crate) markers: u64,
    pub(crate) lost_bytes: [u64; 3],
    pub(crate) lost_chunks: [u64; 3],
    pub(crate) created: u64,
    pub(crate) finished: u64,
    pub(crate) migrations: u64,
    pub(crate) stops: [u64; REASONS],
    pub(crate) schedule: Histogram,
    pub(crate) blocked: BTreeMap<u16, Histogram>,
    pub(crate) generations: BTreeMap<Option<u16>, Generation>,
    pub(crate) sync: Arc<Histogram>,
    pub(crate) mark: Arc<Histogram>,
    pub(crate) final_sync: Arc<Histogram>,
    pub(crate) parallel_copied: u64,
    pub(crate) parallel_balanced: u64,
    pub(crate) returned: u64,
    pub(crate) caps: Vec<CapCounts>,
    pub(crate) spans: Names,
}

/// One capability.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CapCounts {
    pub(crate) seen: bool,
    /// Nanoseconds in each state.
    pub(crate) time: [u64; CapState::ALL.len()],
    /// Its own running totals.
    pub(crate) allocated: Option<u64>,
    pub(crate) sparks: Option<SparkCounters>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            events: 0,
            received: 0,
            messages: 0,
            markers: 0,
            lost_bytes: [0; 3],
            lost_chunks: [0; 3],
            created: 0,
            finished: 0,
            migrations: 0,
            stops: [0; REASONS],
            schedule: Histogram::default(),
            blocked: BTreeMap::new(),
            generations: BTreeMap::new(),
            sync: Arc::default(),
            mark: Arc::default(),
            final_sync: Arc::default(),
            parallel_copied: 0,
            parallel_balanced: 0,
            returned: 0,
            caps: Vec::new(),
            spans: Names::default(),
        }
    }
}

/// Adds a duration to a histogram; earlier collected metrics keep the old one.
pub(crate) fn record(histogram: &mut Arc<Histogram>, nanos: u64) {
    Arc::make_mut(histogram).record(nanos);
}

fn merge(histogram: &mut Arc<Histogram>, later: &Histogram) {
    Arc::make_mut(histogram).merge(later);
}

impl Counts {
    pub(crate) fn cap(&mut self, number: u16) -> &mut CapCounts {
        let index = usize::from(number);
        if self.caps.len() <= index {
            self.caps.resize(index + 1, CapCounts::default());
        }
        let cap = &mut self.caps[index];
        cap.seen = true;
        cap
    }

    pub(crate) fn collection(&mut self, collection: &Collection) {
        if let Some(took) = collection.sync() {
            record(&mut self.sync, took);
        }
        let stats = collection.stats;
        let number = stats.map(|stats| stats.generation.min(GENERATIONS));
        let generation = self.generations.entry(number).or_default();
        generation.collections += 1;
        record(&mut generation.pause, collection.pause());
        let Some(stats) = stats else { return };
        generation.copied = generation.copied.saturating_add(stats.copied);
        if stats.par_threads > 1 {
            let balanced = stats.par_balanced_copied.unwrap_or(0);
            self.parallel_copied = self.parallel_copied.saturating_add(stats.par_tot_copied);
            self.parallel_balanced = self.parallel_balanced.saturating_add(balanced);
        }
    }

    pub(crate) fn loss(&mut self, loss: &Loss) {
        let (by, chunks, bytes) = match loss.lost {
            Lost::Chunks { chunks, bytes, .. } | Lost::Overwritten { chunks, bytes } => {
                (Loser::Program, chunks, bytes)
            }
            Lost::Blocks { blocks } => (Loser::Relay, blocks, 0),
            Lost::Relayed { bytes, .. } | Lost::Unwritten { bytes, .. } => (Loser::Relay, 0, bytes),
        };
        self.lost(by, chunks, bytes);
    }

    pub(crate) fn lost(&mut self, by: Loser, chunks: u64, bytes: u64) {
        let (all_chunks, all_bytes) = (&mut self.lost_chunks, &mut self.lost_bytes);
        all_chunks[by as usize] = all_chunks[by as usize].saturating_add(chunks);
        all_bytes[by as usize] = all_bytes[by as usize].saturating_add(bytes);
    }

    /// Adds the counts of a later log of the same program.
    pub(crate) fn add(&mut self, later: Self) {
        self.events += later.events;
        self.received += later.received;
        self.messages += later.messages;
        self.markers += later.markers;
        for by in Loser::ALL {
            let by_number = by as usize;
            self.lost(
                by,
                later.lost_chunks[by_number],
                later.lost_bytes[by_number],
            );
        }
        self.created += later.created;
        self.finished += later.finished;
        self.migrations += later.migrations;
        for (stops, more) in self.stops.iter_mut().zip(later.stops) {
            *stops += more;
        }
        self.schedule.merge(&later.schedule);
        for (reason, histogram) in &later.blocked {
            self.blocked.entry(*reason).or_default().merge(histogram);
        }
        for (number, of) in &later.generations {
            let generation = self.generations.entry(*number).or_default();
            generation.collections += of.collections;
            generation.copied = generation.copied.saturating_add(of.copied);
            merge(&mut generation.pause, &of.pause);
        }
        merge(&mut self.sync, &later.sync);
        merge(&mut self.mark, &later.mark);
        merge(&mut self.final_sync, &later.final_sync);
        self.parallel_copied = self.parallel_copied.saturating_add(later.parallel_copied);
        self.parallel_balanced = self
            .parallel_balanced
            .saturating_add(later.parallel_balanced);
        self.returned = self.returned.saturating_add(later.returned);
        for (number, of) in (0..=u16::MAX).zip(&later.caps).filter(|(_, of)| of.seen) {
            let cap = self.cap(number);
            for (time, more) in cap.time.iter_mut().zip(of.time) {
                *time += more;
            }
            cap.allocated = of.allocated.or(cap.allocated);
            cap.sparks = of.sparks.or(cap.sparks);
        }
        self.spans.add(later.spans);
    }
}
