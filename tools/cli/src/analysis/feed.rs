//! Hands what is in a log to a [`Sink`], in one of two orders.
//!
//! In *arrival* order events come as they lie in the stream: fast, and right
//! for whatever looks at one capability at a time. In *time* order events of
//! all capabilities are merged, in bounded memory: for whatever follows a
//! thread from one capability to the next.

use crate::errors;
use crate::input::{Input, Outcome, Reading, Step};
use crate::source::SourceArgs;
use anyhow::Result;
use ghc_eventlog::{Block, Event, Gap, Header, Item, Order, OrderOptions};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::Arc;

/// How long a capability of a running program may be silent before the others
/// are not held back for it any more.
const STALE: u64 = 2_000_000_000;

/// Who is interested in a log.
pub trait Sink {
    /// A header: the log begins, or begins anew.
    fn session(&mut self, _header: &Arc<Header>) -> Result<()> {
        Ok(())
    }

    /// A block begins; also in time order it is told when it arrives.
    fn block(&mut self, _block: &Block<'_>) -> Result<()> {
        Ok(())
    }

    /// An event. A `late` one comes after one of a later time (in time order
    /// only).
    fn event(&mut self, event: &Event<'_>, late: bool) -> Result<()>;

    /// The mark at the end of a log.
    fn end(&mut self) -> Result<()> {
        Ok(())
    }

    /// Bytes that could not be decoded were skipped.
    fn gap(&mut self, _gap: &Gap) -> Result<()> {
        Ok(())
    }

    /// Nothing has come for a tick.
    fn idle(&mut self) -> Result<()> {
        Ok(())
    }

    /// Whether the rest of the log does not matter.
    fn has_enough(&self) -> bool {
        false
    }
}

/// In which order events are wanted.
#[derive(Clone, Copy, Debug)]
pub enum Mode {
    /// As they lie in the stream.
    Arrival,
    /// By time, holding back at most so many bytes.
    Time(u64),
}

impl Mode {
    /// By time, in the usual amount of memory.
    pub const TIME: Self = Self::Time(64 << 20);

    pub(crate) fn order(self, live: bool) -> Option<Order> {
        let Self::Time(bytes) = self else { return None };
        Some(Order::new(OrderOptions {
            max_bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
            stale_after: live.then_some(STALE),
            ..OrderOptions::default()
        }))
    }
}

/// What a log was like, once it is over.
#[derive(Debug)]
pub struct Fed {
    pub outcome: Outcome,
    /// Events that came too late to be put in order.
    pub late: u64,
}

impl Fed {
    /// Says on standard error what was wrong with the log, if anything, and
    /// with what to exit.
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
    let mut order = mode.order(args.follow || args.source.is_socket());
    let mut late = 0;
    let outcome = Input::open(args, reading)?.each(|step| {
        match step {
            Step::Item(Item::Event(event)) if order.is_none() => sink.event(&event, false)?,
            Step::Item(item) => late += take(&item, order.as_mut(), sink)?,
            Step::Header(header) => {
                if let Some(order) = &mut order {
                    order.push(&Item::Header);
                    late += drain(order, sink)?;
                }
                sink.session(&header)?;
            }
            Step::Idle => sink.idle()?,
        }
        Ok(match sink.has_enough() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    })?;
    if let Some(mut order) = order {
        order.flush();
        late += drain(&mut order, sink)?;
    }
    Ok(Fed { outcome, late })
}

/// Takes any item but a header, and an event only if there is an order. The
/// answer is how many events came out late.
fn take(item: &Item<'_>, order: Option<&mut Order>, sink: &mut impl Sink) -> Result<u64> {
    let mut late = 0;
    if let Some(order) = order {
        order.push(item);
        late = drain(order, sink)?;
    }
    match item {
        Item::Block(block) => sink.block(block)?,
        Item::Gap(gap) => sink.gap(gap)?,
        Item::End => sink.end()?,
        _ => {}
    }
    Ok(late)
}

/// Hands on whatever is certain by now; the answer is how many of these events
/// were late. What is late in the global block does not count: it describes the
/// program, whenever it comes, and GHC 9.0 writes it at exit.
pub fn drain(order: &mut Order, sink: &mut impl Sink) -> Result<u64> {
    let mut late = 0;
    while let Some(next) = order.next_event() {
        late += u64::from(next.late && next.event.cap.is_some());
        sink.event(&next.event, next.late)?;
    }
    Ok(late)
}
