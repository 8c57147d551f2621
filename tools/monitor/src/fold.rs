//! Folds the events of a log as they arrive.

pub(crate) mod figures;
pub(crate) mod heap;
pub(crate) mod slots;
pub(crate) mod threads;

use crate::kept::Kept;
use eventlog_state::{
    Collection, Fact, Keep, Limits, Loss, Merge, MergeOptions, Phase, Span, SparkCounters, State,
    Step, Totals, Turn,
};
use figures::Figures;
use ghc_eventlog::{Event, EventBody, Header, StopStatus};
use heap::Heap;
use std::sync::Arc;
use threads::Threads;

/// The most bytes that wait for capabilities that lag.
const ORDER: usize = 32 << 20;
/// The most bytes of definitions.
const DEFINITIONS: usize = 256 << 20;
/// The most threads that are alive, their most labels, and the most bytes of one. With these, the
/// server stays below 256 MiB for a log that is nothing but threads.
const THREADS: usize = 1 << 19;
const LABELS: usize = 1 << 17;
const LABEL: usize = 256;
/// The most items of a kind that are kept.
const SPANS: usize = 1 << 18;
const COLLECTIONS: usize = 1 << 18;
const PHASES: usize = 1 << 16;
const LOSSES: usize = 1 << 12;

/// Everything about a log except its bytes and its rows.
#[derive(Debug)]
pub(crate) struct Fold {
    merge: Merge,
    state: State,
    totals: Totals,
    seen: Seen,
    ended: bool,
}

/// Everything that has happened so far.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) figures: Figures,
    pub(crate) threads: Threads,
    pub(crate) heap: Heap,
    pub(crate) spans: Kept<Span>,
    pub(crate) collections: Kept<Collection>,
    pub(crate) phases: Kept<Phase>,
    pub(crate) losses: Kept<Loss>,
}

impl Seen {
    fn fact(&mut self, fact: &Fact<'_>) {
        match fact {
            Fact::Thread(interval) => self.threads.interval(interval),
            Fact::Gone { id, thread } => self.threads.gone(*id, thread),
            Fact::Cap(interval) => self.figures.cap(interval),
            Fact::Collection(collection) => {
                self.figures.collection(collection);
                self.collections.push(**collection);
            }
            Fact::Phase(phase) => self.phases.push(*phase),
            Fact::Heap(value) => self.figures.heap(value),
            Fact::Sample(sample) => self.heap.sample(sample),
            Fact::Span(span) => self.spans.push((*span).clone()),
            Fact::Loss(loss) => self.losses.push(*loss),
            _ => {}
        }
    }

    #[inline]
    fn event(&mut self, event: &Event<'_>) {
        self.figures.event(event.time);
        match event.body {
            EventBody::CreateThread { .. } => self.figures.thread(event.time, 1),
            EventBody::StopThread {
                status: StopStatus::FINISHED,
                ..
            } => self.figures.thread(event.time, -1),
            EventBody::SparkCounters {
                created,
                dud,
                overflowed,
                converted,
                gcd,
                fizzled,
                remaining,
            } => {
                let Some(cap) = event.cap else { return };
                let mut now = SparkCounters::default();
                (now.created, now.dud, now.overflowed) = (created, dud, overflowed);
                (now.converted, now.gcd, now.fizzled) = (converted, gcd, fizzled);
                now.remaining = remaining;
                self.figures.sparks(event.time, cap, &now);
            }
            _ => {}
        }
    }
}

impl Fold {
    /// A fold with only the header. `live`: the program runs.
    pub(crate) fn new(header: &Arc<Header>, live: bool) -> Self {
        let keep = Keep {
            definitions: false,
            oddities: false,
            limits: Limits {
                threads: THREADS,
                labels: LABELS,
                label_bytes: LABEL,
                definition_bytes: DEFINITIONS,
                ..Limits::default()
            },
            ..Keep::all()
        };
        let mut merge = Merge::new(MergeOptions {
            max_bytes: ORDER,
            stale_after: live.then_some(MergeOptions::LIVE_STALE_AFTER),
            recovery: true,
        });
        merge.push_bytes(header.as_bytes());
        Self {
            merge,
            state: State::new(header, keep),
            totals: Totals::new(),
            seen: Seen {
                figures: Figures::default(),
                threads: Threads::default(),
                heap: Heap::default(),
                spans: Kept::new(SPANS),
                collections: Kept::new(COLLECTIONS),
                phases: Kept::new(PHASES),
                losses: Kept::new(LOSSES),
            },
            ended: false,
        }
    }

    /// Adds the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.merge.push_bytes(bytes);
        self.drain();
    }

    /// Nothing has arrived for a while: waiting events are folded now.
    pub(crate) fn flush(&mut self) {
        self.merge.flush();
        self.drain();
    }

    /// The log has ended.
    pub(crate) fn finish(&mut self) {
        self.flush();
        if !std::mem::replace(&mut self.ended, true) {
            let (totals, seen) = (&mut self.totals, &mut self.seen);
            self.state.finish(&mut |fact| {
                totals.see(&fact);
                seen.fact(&fact);
            });
        }
    }

    fn drain(&mut self) {
        let (state, totals, seen) = (&mut self.state, &mut self.totals, &mut self.seen);
        let result = self.merge.drain(&mut |step| match step {
            Step::Block(block) => {
                totals.block(block);
                state.block(block, &mut |fact| {
                    totals.see(&fact);
                    seen.fact(&fact);
                });
            }
            Step::Event(event, turn) => apply(event, turn, state, totals, seen),
            Step::Gap(gap) => totals.gap(gap),
            Step::Session(_) | Step::End => {}
        });
        // With recovery no error ends it.
        debug_assert!(result.is_ok());
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    pub(crate) fn totals(&self) -> &Totals {
        &self.totals
    }

    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Events that arrived out of order.
    pub(crate) fn late(&self) -> u64 {
        self.merge.late()
    }

    /// Bytes of events that wait to be put in order.
    pub(crate) fn held(&self) -> usize {
        self.merge.held_bytes()
    }
}

#[inline]
fn apply(event: &Event<'_>, turn: Turn, state: &mut State, totals: &mut Totals, seen: &mut Seen) {
    totals.event(event);
    seen.event(event);
    state.apply(event, turn, &mut |fact| {
        totals.see(&fact);
        seen.fact(&fact);
    });
}
