//! Hands what is in a log to a [`Sink`], in one of two orders.
//!
//! In *arrival* order events are handed on as they are in the stream: fast, and enough for an
//! analysis that looks at one capability at a time. In *time* order the events of all capabilities
//! are merged, in bounded memory: for an analysis that follows a thread from one capability to the
//! next.

use crate::errors;
use crate::input::{Input, Outcome, Reading, Step};
use crate::source::SourceArgs;
use anyhow::Result;
use eventlog_state::{Merge, MergeOptions, Patience, Step as Told, Take, Turn};
use ghc_eventlog::{Block, Encoded, Error, Event, Gap, Header, Item, Part, ReadError, Reader, Run};
use std::io::Read;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often it is checked, while nothing arrives, whether events are held for too long.
const TICK: Duration = Duration::from_millis(500);

/// A consumer of a log.
pub trait Sink {
    /// A header: the log begins, or begins again.
    fn session(&mut self, _header: &Arc<Header>) -> Result<()> {
        Ok(())
    }

    /// The header of the same log once more: the connection was lost, and another process serves
    /// the program now. The log goes on; what was sent in between is missing.
    fn rejoined(&mut self, header: &Arc<Header>) -> Result<()> {
        self.session(header)
    }

    /// A block begins. Called when the block arrives, in time order as well.
    fn block(&mut self, _block: &Block<'_>) -> Result<()> {
        Ok(())
    }

    /// In time order only: a block begins, and those of its events whose turn it is follow.
    fn block_in_turn(&mut self, _block: &Block<'_>) -> Result<()> {
        Ok(())
    }

    /// An event. In time order, a `late` one follows an event with a later time.
    fn event(&mut self, event: &Event<'_>, late: bool) -> Result<()>;

    /// In time order only: the same for an event that is not decoded yet.
    fn encoded(&mut self, event: &Encoded<'_>, late: bool) -> Result<()> {
        self.event(&event.decode(), late)
    }

    /// The mark at the end of a log.
    fn end(&mut self) -> Result<()> {
        Ok(())
    }

    /// Bytes that could not be decoded were skipped.
    fn gap(&mut self, _gap: &Gap) -> Result<()> {
        Ok(())
    }

    /// Nothing has arrived for a tick.
    fn idle(&mut self) -> Result<()> {
        Ok(())
    }

    /// Whether somebody is watching while the log arrives: then events are held only for a moment,
    /// even if earlier ones may still arrive.
    fn is_watched(&self) -> bool {
        false
    }

    /// Whether the rest of the log is not needed.
    fn has_enough(&self) -> bool {
        false
    }
}

/// The order in which events are handed on.
#[derive(Clone, Copy, Debug)]
pub enum Mode {
    /// As they are in the stream.
    Arrival,
    /// By time, holding back at most this many bytes.
    Time(u64),
}

impl Mode {
    /// By time, in the usual amount of memory.
    pub const TIME: Self = Self::Time(64 << 20);

    pub(crate) fn order(self, live: bool) -> Option<InOrder> {
        let Self::Time(bytes) = self else { return None };
        Some(InOrder {
            merge: Merge::new(MergeOptions {
                max_bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
                stale_after: live.then_some(MergeOptions::LIVE_STALE_AFTER),
                recovery: true,
            }),
            header: None,
        })
    }
}

/// Puts the events of a stream into the order of time.
pub(crate) struct InOrder {
    merge: Merge,
    header: Option<Arc<Header>>,
}

impl InOrder {
    /// A header is complete.
    pub(crate) fn header(&mut self, header: &Arc<Header>) {
        self.header = Some(Arc::clone(header));
        self.merge.push(&Item::Header, Some(header));
    }

    /// Takes any item except events, which arrive as runs.
    pub(crate) fn item(&mut self, item: &Item<'_>) {
        self.merge.push(item, self.header.as_ref());
    }

    /// Takes events.
    pub(crate) fn run(&mut self, run: &Run<'_>) {
        self.merge.push_run(run, self.header.as_ref());
    }

    /// The stream is over.
    pub(crate) fn flush(&mut self) {
        self.merge.flush();
    }

    /// Hands on everything whose place in the order is certain by now.
    pub(crate) fn drain_to(&mut self, each: &mut impl Take) -> Result<()> {
        Ok(self.merge.drain_to(each)?)
    }
}

/// What a log was like, once it is over.
#[derive(Debug)]
pub struct Fed {
    pub outcome: Outcome,
    /// Events that arrived too late to be put in order.
    pub late: u64,
}

impl Fed {
    /// Reports on standard error what was wrong with the log, if anything; returns the exit code.
    pub fn report(&self) -> ExitCode {
        if self.late > 0 {
            errors::note(format_args!(
                "{} events came too late to be put in order; `eventlog sort` the log first if that matters",
                self.late
            ));
        }
        self.outcome.report()
    }
}

/// Reads a log to its end, or to the first fault.
pub fn feed<S: Sink>(args: &SourceArgs, reading: Reading, mode: Mode, sink: &mut S) -> Result<Fed> {
    let live = args.follow || args.source.is_socket();
    let mut order = mode.order(live);
    let is_watched = live && order.is_some() && sink.is_watched();
    let mut told = Handing {
        patience: is_watched.then(|| Patience::new(Patience::LIVE)),
        ..Handing::default()
    };
    let mut rejoined = false;
    let reading = Reading {
        runs_only: order.is_some(),
        tick: reading.tick.or(is_watched.then_some(TICK)),
        ..reading
    };
    let outcome = Input::open(args, reading)?.each(|step| {
        // Before anything new, since what belongs between is about to arrive: a flush hands over
        // one capability after the other.
        if let Some(order) = &mut order {
            told.hurry(order, sink)?;
        }
        match (step, &mut order) {
            (Step::Item(Item::Event(event)), None) => sink.event(&event, false)?,
            // These events arrive as a run, too.
            (Step::Item(Item::Event(_)), Some(_)) => return Ok(ControlFlow::Continue(())),
            (Step::Run(run), Some(order)) => {
                order.run(&run);
                told.hand_on(order, sink)?;
            }
            (Step::Run(_), None) => {}
            (Step::Item(item), order) => {
                if let Some(order) = order {
                    order.item(&item);
                    told.hand_on(order, sink)?;
                }
                match item {
                    Item::Block(block) => sink.block(&block)?,
                    Item::Gap(gap) => sink.gap(&gap)?,
                    Item::End => sink.end()?,
                    _ => {}
                }
            }
            (Step::Header(header), order) => {
                if let Some(order) = order {
                    order.header(&header);
                    told.hand_on(order, sink)?;
                }
                match std::mem::take(&mut rejoined) {
                    true => sink.rejoined(&header)?,
                    false => sink.session(&header)?,
                }
            }
            (Step::Rejoined, _) => rejoined = true,
            (Step::Idle, _) => sink.idle()?,
        }
        Ok(match sink.has_enough() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    })?;
    if let Some(mut order) = order {
        order.flush();
        told.hand_on(&mut order, sink)?;
    }
    let late = told.late;
    Ok(Fed { outcome, late })
}

/// Reads a log from any reader, in the order of time. Returns the fault that ended it, if any.
pub fn feed_from<S: Sink>(log: impl Read, bytes: u64, sink: &mut S) -> Result<Option<Error>> {
    let mut reader = Reader::new(log);
    let Some(mut order) = Mode::Time(bytes).order(false) else {
        return Ok(None);
    };
    let mut told = Handing::default();
    let fault = loop {
        // The loop below borrows the reader, so its header cannot be read there.
        let flow = reader.for_each_run(|part| {
            match part {
                Part::Item(Item::Header) => return ControlFlow::Break(Ok(())),
                // These events arrive as a run, too.
                Part::Item(Item::Event(_)) => return ControlFlow::Continue(()),
                Part::Item(item) => order.item(&item),
                Part::Run(run) => order.run(&run),
            }
            match told.hand_on(&mut order, sink) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(Err(error)),
            }
        });
        match flow {
            Ok(ControlFlow::Break(paused)) => {
                paused?;
                if let Some(header) = reader.header() {
                    order.header(header);
                    told.hand_on(&mut order, sink)?;
                    sink.session(header)?;
                }
            }
            Ok(ControlFlow::Continue(())) => break None,
            Err(ReadError::Format(fault)) => break Some(fault),
            Err(ReadError::Io(error)) => return Err(error.into()),
        }
    };
    order.flush();
    told.hand_on(&mut order, sink)?;
    Ok(fault)
}

/// Hands on events in the order of time.
#[derive(Default)]
struct Handing {
    /// The latest time of an event of a capability so far.
    reached: u64,
    /// How many events were late. Late events of the global block do not count: they describe the
    /// program, whenever they arrive, and GHC 9.0 writes them at exit.
    late: u64,
    /// Only for a running program that is watched.
    patience: Option<Patience>,
}

impl Handing {
    /// Passes on what is certain.
    fn hand_on(&mut self, order: &mut InOrder, sink: &mut impl Sink) -> Result<()> {
        let moved = self.drain(order, sink)?;
        if let Some(patience) = &mut self.patience {
            patience.came(moved, Instant::now());
        }
        Ok(())
    }

    /// Passes on what was held for long enough.
    fn hurry(&mut self, order: &mut InOrder, sink: &mut impl Sink) -> Result<()> {
        let patience = self.patience.as_mut();
        if patience.is_some_and(|patience| patience.is_over(Instant::now())) {
            order.flush();
            self.drain(order, sink)?;
        }
        Ok(())
    }

    /// Returns whether any event of a capability was passed on.
    fn drain(&mut self, order: &mut InOrder, sink: &mut impl Sink) -> Result<bool> {
        let mut passing = Passing {
            handing: self,
            sink,
            moved: false,
            outcome: Ok(()),
        };
        let merged = order.drain_to(&mut passing);
        passing.outcome?;
        merged?;
        Ok(passing.moved)
    }
}

/// Passes on what a merge does, until the sink fails.
struct Passing<'a, S> {
    handing: &'a mut Handing,
    sink: &'a mut S,
    /// Whether any event of a capability was passed on.
    moved: bool,
    outcome: Result<()>,
}

impl<S: Sink> Take for Passing<'_, S> {
    fn step(&mut self, step: Told<'_>) {
        if self.outcome.is_err() {
            return;
        }
        match step {
            Told::Session(_) => self.handing.reached = 0,
            Told::Block(block) => self.outcome = self.sink.block_in_turn(block),
            Told::Event(event, turn) => self.event(&event.encoded(), turn),
            _ => {}
        }
    }

    #[inline]
    fn event(&mut self, event: &Encoded<'_>, turn: Turn) {
        if self.outcome.is_err() {
            return;
        }
        let handing = &mut *self.handing;
        let late = match event.cap {
            None => event.time < handing.reached,
            Some(_) => turn == Turn::Late,
        };
        if event.cap.is_some() {
            self.moved = true;
            handing.late += u64::from(late);
            handing.reached = handing.reached.max(event.time);
        }
        self.outcome = self.sink.encoded(event, late);
    }
}
