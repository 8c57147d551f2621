//! Garbage collections.
//!
//! Every capability that takes part in a collection writes a start and an end. The one that leads
//! it also writes statistics, and only its interval is the pause of the program. Statistics precede
//! the end in the stream, but have a later time: in a sorted log they follow it. Both orders are
//! handled.

use ghc_eventlog::{Event, EventBody, Header, ids};

/// One collection, from its leader's point of view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Collection {
    /// The leader.
    pub cap: u16,
    /// When the leader asked for it; `None` if that is not in the log (systems that are not
    /// threaded never write it).
    pub requested: Option<u64>,
    /// When all capabilities had stopped, and it began.
    pub start: u64,
    /// When the program could go on; never before `start`.
    pub end: u64,
    /// `None` in logs of systems that write no statistics.
    pub stats: Option<CollectionStats>,
}

impl Collection {
    /// For how long the program was stopped, in nanoseconds.
    pub fn pause(&self) -> u64 {
        self.end - self.start
    }

    /// From the request until all capabilities had stopped, in nanoseconds. `GC_GLOBAL_SYNC` does
    /// not give this time: it has the time at which it is written, near the end.
    pub fn sync(&self) -> Option<u64> {
        self.requested
            .map(|requested| self.start.saturating_sub(requested))
    }
}

/// The leader's statistics of a collection. All except the first and `par_threads` are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct CollectionStats {
    /// The oldest generation that was collected.
    pub generation: u16,
    /// Copied.
    pub copied: u64,
    /// Wasted at ends of blocks.
    pub slop: u64,
    /// Memory that is kept and not used.
    pub fragmentation: u64,
    /// Collector threads that took part.
    pub par_threads: u32,
    /// Copied by the busiest of them.
    pub par_max_copied: u64,
    /// Copied by all of them.
    pub par_tot_copied: u64,
    /// Copied in balance (since GHC 8.4).
    pub par_balanced_copied: Option<u64>,
}

/// A phase of the concurrent, non-moving collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
pub enum PhaseKind {
    /// Marking while the program runs.
    Mark,
    /// The final pause.
    Sync,
    /// Sweeping while the program runs.
    Sweep,
}

impl PhaseKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Mark, Self::Sync, Self::Sweep];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mark => "concurrent mark",
            Self::Sync => "final sync",
            Self::Sweep => "concurrent sweep",
        }
    }
}

/// A phase that has ended. Times are in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Phase {
    /// Which phase.
    pub kind: PhaseKind,
    /// From when on.
    pub from: u64,
    /// Until when.
    pub to: u64,
}

/// A collection, as far as one capability has logged it.
#[derive(Clone, Copy, Debug, Default)]
struct OwnCollection {
    start: Option<u64>,
    requested: Option<u64>,
    stats: Option<CollectionStats>,
    /// A part that has ended, of which it is not known whether it was the leader's.
    over: Option<(u64, u64)>,
}

/// What an event completes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Step {
    /// A capability's own part in a collection: start and end.
    pub(crate) part: Option<(u64, u64)>,
    pub(crate) collection: Option<Collection>,
}

/// Follows the collections of all capabilities, events in either order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Collections {
    caps: Vec<OwnCollection>,
    no_statistics: bool,
    last_end: u64,
    /// Nanoseconds in collections so far.
    pub(crate) paused: u64,
    /// Since when each phase of the concurrent collector has been going on, and the name of its
    /// last event.
    phases: [Option<u64>; 3],
    last_phase: Option<u16>,
}

impl Collections {
    pub(crate) fn new(header: &Header) -> Self {
        Self {
            no_statistics: header.event_type(ids::GC_STATS_GHC).is_none(),
            ..Self::default()
        }
    }

    /// Since when the phase has been going on.
    pub(crate) fn phase(&self, kind: PhaseKind) -> Option<u64> {
        self.phases[kind as usize]
    }

    fn told(&mut self, cap: u16) -> &mut OwnCollection {
        let index = usize::from(cap);
        if self.caps.len() <= index {
            self.caps.resize_with(index + 1, OwnCollection::default);
        }
        &mut self.caps[index]
    }

    /// Takes an event of a capability.
    pub(crate) fn event(&mut self, event: &Event<'_>, cap: u16) -> Step {
        let time = event.time;
        let mut step = Step::default();
        let (no_statistics, last_end) = (self.no_statistics, self.last_end);
        let told = self.told(cap);
        match event.body {
            EventBody::RequestSeqGc | EventBody::RequestParGc => {
                told.requested = Some(time);
            }
            EventBody::GcStart => {
                *told = OwnCollection {
                    start: Some(time),
                    requested: told.requested,
                    ..OwnCollection::default()
                }
            }
            EventBody::GcEnd => {
                let Some(start) = told.start.take() else {
                    return step;
                };
                let end = time.max(start);
                step.part = Some((start, end));
                match told.stats.take() {
                    Some(stats) => step.collection = Some(told.over(cap, (start, end), stats)),
                    None if no_statistics => {
                        // Of parts that overlap, the one that ends first counts for all.
                        if start >= last_end {
                            step.collection = Some(Collection {
                                cap,
                                requested: told.requested.take(),
                                start,
                                end,
                                stats: None,
                            });
                        }
                        self.last_end = last_end.max(end);
                    }
                    None => told.over = Some((start, end)),
                }
            }
            EventBody::GcStatsGhc {
                generation,
                copied,
                slop,
                fragmentation,
                par_threads,
                par_max_copied,
                par_tot_copied,
                par_balanced_copied,
                ..
            } => {
                let stats = CollectionStats {
                    generation,
                    copied,
                    slop,
                    fragmentation,
                    par_threads,
                    par_max_copied,
                    par_tot_copied,
                    par_balanced_copied,
                };
                match told.over.take() {
                    Some(interval) => step.collection = Some(told.over(cap, interval, stats)),
                    None => told.stats = Some(stats),
                }
            }
            _ => {}
        }
        if let Some(collection) = &step.collection {
            self.paused = self.paused.saturating_add(collection.pause());
        }
        step
    }

    /// Takes an event of the concurrent collector: returns a phase that has ended, and what is odd.
    pub(crate) fn concurrent(
        &mut self,
        event: &Event<'_>,
    ) -> (Option<Phase>, Option<(bool, &'static str)>) {
        let (kind, begins) = match event.body {
            EventBody::ConcMarkBegin => (PhaseKind::Mark, true),
            EventBody::ConcMarkEnd { .. } => (PhaseKind::Mark, false),
            EventBody::ConcSyncBegin => (PhaseKind::Sync, true),
            EventBody::ConcSyncEnd => (PhaseKind::Sync, false),
            EventBody::ConcSweepBegin => (PhaseKind::Sweep, true),
            EventBody::ConcSweepEnd => (PhaseKind::Sweep, false),
            _ => return (None, None),
        };
        let now = begins.then_some(event.time);
        let before = std::mem::replace(&mut self.phases[kind as usize], now);
        let repeated = self.last_phase.replace(event.id()) == Some(event.id());
        // The runtime system logs the final synchronisation twice.
        let odd = before.is_some() == begins && !(kind == PhaseKind::Sync && repeated);
        let phase = before.filter(|_| !begins).map(|from| Phase {
            kind,
            from,
            to: event.time.max(from),
        });
        (phase, odd.then(|| (begins, event.name())))
    }
}

impl OwnCollection {
    fn over(&mut self, cap: u16, (start, end): (u64, u64), stats: CollectionStats) -> Collection {
        Collection {
            cap,
            requested: self.requested.take(),
            start,
            end,
            stats: Some(stats),
        }
    }
}
