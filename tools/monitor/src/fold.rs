//! Folds the events of a log as they arrive.

pub(crate) mod figures;
pub(crate) mod heap;
pub(crate) mod slots;
pub(crate) mod threads;

use crate::kept::Kept;
use eventlog_relay::{Piece, PieceKind};
use eventlog_state::{
    Collection, Fact, Keep, Limits, Loss, Merge, MergeOptions, Phase, Span, SparkCounters, State,
    Step, Take, Totals, Turn,
};
use figures::Figures;
use ghc_eventlog::{Encoded, EventBody, Header, StopStatus, ids};
use heap::Heap;
use std::sync::Arc;
use threads::Threads;

/// The most bytes that wait for capabilities that lag.
const ORDER: usize = 32 << 20;
/// The most bytes of definitions.
const DEFINITIONS: usize = 256 << 20;
/// The most threads that are alive, their most labels, and the most bytes of one. With these, the
/// server stays below 256 MiB for a log that is nothing but threads.
const THREADS: usize = 3 << 17;
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
    #[inline(always)]
    fn fact(&mut self, fact: &Fact<'_>) {
        match fact {
            Fact::Thread(interval) => self.threads.interval(interval),
            Fact::Cap(interval) => self.figures.cap(interval),
            Fact::Wakeup(_) | Fact::Migration(_) | Fact::Part(_) => {}
            _ => self.rare(fact),
        }
    }

    #[inline(never)]
    fn rare(&mut self, fact: &Fact<'_>) {
        match fact {
            Fact::Gone { id, thread } => self.threads.gone(*id, thread),
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

    #[inline(always)]
    fn event(&mut self, event: &Encoded<'_>) {
        self.figures.event(event.time);
        // Most events need not be decoded.
        match event.id() {
            ids::STOP_THREAD => {
                if let EventBody::StopThread {
                    status: StopStatus::FINISHED,
                    ..
                } = event.body_as(ids::STOP_THREAD)
                {
                    self.figures.thread(event.time, -1);
                }
            }
            ids::CREATE_THREAD => {
                if let EventBody::CreateThread { .. } = event.body_as(ids::CREATE_THREAD) {
                    self.figures.thread(event.time, 1);
                }
            }
            ids::SPARK_COUNTERS => self.sparks(event),
            _ => {}
        }
    }

    #[inline(never)]
    fn sparks(&mut self, event: &Encoded<'_>) {
        if let (Some(cap), Some(now)) = (event.cap, SparkCounters::from_body(&event.body())) {
            self.figures.sparks(event.time, cap, &now);
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

    /// Adds the next piece.
    pub(crate) fn push(&mut self, piece: &Piece) {
        match piece.kind {
            PieceKind::Block => self.merge.push_block(&piece.bytes),
            _ => self.merge.push_bytes(&piece.bytes),
        }
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
        let taking = &mut Taking {
            state: &mut self.state,
            totals: &mut self.totals,
            seen: &mut self.seen,
        };
        let result = self.merge.drain_apart(taking, &is_apart);
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
        self.merge.waiting_bytes()
    }
}

/// Whether an event has to be in order with those of its own capability only: one that makes its
/// thread run, stop or wait there. Who owns the thread does not change with it, and what becomes
/// of it are sums.
#[inline(always)]
fn is_apart(event: &Encoded<'_>) -> bool {
    match event.id() {
        ids::RUN_THREAD | ids::THREAD_WAKEUP => true,
        ids::STOP_THREAD => match event.body_as(ids::STOP_THREAD) {
            EventBody::StopThread { status, .. } => status != StopStatus::FINISHED,
            _ => false,
        },
        _ => false,
    }
}

/// Takes what the merge passes on, events without decoding them.
struct Taking<'a> {
    state: &'a mut State,
    totals: &'a mut Totals,
    seen: &'a mut Seen,
}

impl Take for Taking<'_> {
    #[inline(always)]
    fn event(&mut self, event: &Encoded<'_>, turn: Turn) {
        let (totals, seen) = (&mut *self.totals, &mut *self.seen);
        totals.event_encoded(event);
        seen.event(event);
        self.state.apply_encoded(event, turn, &mut |fact| {
            totals.see(&fact);
            seen.fact(&fact);
        });
    }

    fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Block(block) => {
                let (totals, seen) = (&mut *self.totals, &mut *self.seen);
                totals.block(block);
                self.state.block(block, &mut |fact| {
                    totals.see(&fact);
                    seen.fact(&fact);
                });
            }
            Step::Event(event, turn) => self.event(&event.encoded(), turn),
            Step::Gap(gap) => self.totals.gap(gap),
            Step::Session(_) | Step::End => {}
        }
    }
}
