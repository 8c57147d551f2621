//! Garbage collections.
//!
//! Every capability that takes part in a collection writes a start and an end.
//! The one that leads it also writes statistics, and only its interval is the
//! pause of the program. Statistics come before the end in the stream, but
//! bear a later time: in a sorted log they follow it. Both are understood.

use ghc_eventlog::{Event, EventBody, Header, ids};
use std::collections::BTreeMap;

/// One collection, from its leader's point of view.
#[derive(Clone, Copy, Debug)]
pub struct Collection {
    pub start: u64,
    pub end: u64,
    /// `None` in logs of systems that write no statistics.
    pub stats: Option<Stats>,
}

impl Collection {
    pub fn pause(&self) -> u64 {
        self.end - self.start
    }
}

/// What the leader tells.
#[derive(Clone, Copy, Debug)]
pub struct Stats {
    pub generation: u16,
    pub copied: u64,
    pub fragmentation: u64,
    pub par_threads: u32,
    pub par_max_copied: u64,
    pub par_tot_copied: u64,
}

/// What an event completes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Step {
    /// A capability's own part in a collection: start and end.
    pub part: Option<(u16, u64, u64)>,
    /// A collection.
    pub collection: Option<Collection>,
}

#[derive(Debug, Default)]
struct Cap {
    start: Option<u64>,
    stats: Option<Stats>,
    /// A part that is over, of which it is not known whether it was the
    /// leader's.
    over: Option<(u64, u64)>,
}

/// Follows the collections of all capabilities, events in either order.
#[derive(Debug, Default)]
pub struct Collections {
    caps: BTreeMap<u16, Cap>,
    no_statistics: bool,
    last_end: u64,
}

impl Collections {
    pub fn new(header: &Header) -> Self {
        Self {
            no_statistics: header.event_type(ids::GC_STATS_GHC).is_none(),
            ..Self::default()
        }
    }

    #[inline]
    pub fn event(&mut self, event: &Event<'_>) -> Option<Step> {
        match event.body {
            EventBody::GcStart | EventBody::GcEnd | EventBody::GcStatsGhc { .. } => {}
            _ => return None,
        }
        let number = event.cap?;
        let cap = self.caps.entry(number).or_default();
        let mut step = Step::default();
        match event.body {
            EventBody::GcStart => {
                *cap = Cap {
                    start: Some(event.time),
                    ..Cap::default()
                }
            }
            EventBody::GcEnd => {
                let start = cap.start.take()?;
                let end = event.time.max(start);
                step.part = Some((number, start, end));
                match cap.stats.take() {
                    Some(stats) => step.collection = Some(collection((start, end), stats)),
                    None if self.no_statistics => {
                        // Whoever ends first speaks for all that overlap.
                        if start >= self.last_end {
                            let stats = None;
                            step.collection = Some(Collection { start, end, stats });
                        }
                        self.last_end = self.last_end.max(end);
                    }
                    None => cap.over = Some((start, end)),
                }
            }
            EventBody::GcStatsGhc {
                generation,
                copied,
                fragmentation,
                par_threads,
                par_max_copied,
                par_tot_copied,
                ..
            } => {
                let stats = Stats {
                    generation,
                    copied,
                    fragmentation,
                    par_threads,
                    par_max_copied,
                    par_tot_copied,
                };
                match cap.over.take() {
                    Some(interval) => step.collection = Some(collection(interval, stats)),
                    None => cap.stats = Some(stats),
                }
            }
            _ => return None,
        }
        Some(step)
    }
}

fn collection((start, end): (u64, u64), stats: Stats) -> Collection {
    Collection {
        start,
        end,
        stats: Some(stats),
    }
}

/// The phases of the concurrent, non-moving collector.
#[derive(Debug, Default)]
pub struct Concurrent {
    open: [Option<u64>; 3],
    /// Count and time of marking, final pauses, sweeping.
    pub phases: [(u64, u64); 3],
    pub longest_sync: u64,
}

impl Concurrent {
    #[inline]
    pub fn event(&mut self, event: &Event<'_>) -> Option<(&'static str, u64, u64)> {
        let (phase, begins) = match event.body {
            EventBody::ConcMarkBegin => (0, true),
            EventBody::ConcMarkEnd { .. } => (0, false),
            EventBody::ConcSyncBegin => (1, true),
            EventBody::ConcSyncEnd => (1, false),
            EventBody::ConcSweepBegin => (2, true),
            EventBody::ConcSweepEnd => (2, false),
            _ => return None,
        };
        if begins {
            self.open[phase] = Some(event.time);
            return None;
        }
        let start = self.open[phase].take()?;
        let took = event.time.saturating_sub(start);
        self.phases[phase].0 += 1;
        self.phases[phase].1 += took;
        if phase == 1 {
            self.longest_sync = self.longest_sync.max(took);
        }
        Some((
            ["concurrent mark", "final sync", "concurrent sweep"][phase],
            start,
            event.time,
        ))
    }
}
