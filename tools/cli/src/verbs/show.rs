//! `eventlog show`: the events of a log, one per line.

mod lines;
mod sorted;
mod text;

use crate::errors;
use crate::filter::{Filter, FilterArgs};
use crate::input::{Input, Reading, Step};
use crate::source::SourceArgs;
use eventlog_source::Source;
use eventlog_state::MergeOptions;
use ghc_eventlog::{Event, Item, Order, OrderOptions, WallClock};
use lines::{Format, Lines};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long a line may wait for more output when a live log is watched.
const FLUSH: Duration = Duration::from_millis(100);

/// Print the events of a log, one per line
///
/// Times are seconds since the program's start. Events are printed in the order of the log, where
/// capabilities take turns in large blocks; --sort puts them into the order of time.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  eventlog show program.eventlog
  eventlog show --sort --type gc,user program.eventlog
  eventlog show --from 1.5s --to 2s --cap 0-3 program.eventlog
  eventlog show --grep 'request \\d+' --thread worker program.eventlog
  eventlog show --json --type heap_live unix:/tmp/app.sock | jq .bytes
  eventlog show --follow program.eventlog")]
pub struct Args {
    #[command(flatten)]
    input: SourceArgs,

    /// Print one JSON object per line: time (ns), cap, event, and the event's fields
    #[arg(long)]
    json: bool,

    /// Print in the order of time. Of a finished log the order is exact, by way of a temporary file
    /// if it is large; of a live one events are held back until their turn is certain
    #[arg(long, short)]
    sort: bool,

    /// Memory to use for sorting
    #[arg(long, value_name = "SIZE", value_parser = crate::units::bytes, default_value = "64M")]
    sort_memory: u64,

    /// Print the time of day (UTC) as well
    #[arg(long, short)]
    wall: bool,

    /// Print the blocks in which the log was flushed, too
    #[arg(long, conflicts_with = "sort")]
    blocks: bool,

    /// Stop after this many events
    #[arg(long, short = 'n', value_name = "COUNT")]
    limit: Option<u64>,

    /// Go on after a fault in the log, at the next block that can be read
    #[arg(long)]
    recover: bool,

    #[command(flatten)]
    filter: FilterArgs,
}

/// Prints.
pub fn run(mut args: Args) -> anyhow::Result<ExitCode> {
    args.input.find()?;
    let filter = args.filter.build()?;
    let format = if args.json {
        Format::Json
    } else {
        Format::Text
    };
    let mut printer = Printer {
        lines: Lines::new(format, args.blocks),
        filter,
        left: args.limit.unwrap_or(u64::MAX),
        flushed: Instant::now(),
        live: is_live(&args.input),
        rejoined: false,
    };
    if args.wall {
        printer.lines.with_wall(find_wall_clock(&args)?);
    }
    if printer.left == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let code = match (args.sort, printer.live) {
        (true, false) => sorted::show(&args, &mut printer)?,
        (true, true) => show_live_sorted(&args, &mut printer)?,
        (false, _) => show_plain(&args, &mut printer)?,
    };
    printer.lines.flush()?;
    // With a limit the log was not read to its end.
    if printer.left > 0
        && let Some(complaint) = printer.filter.complaint()
    {
        errors::note(complaint);
    }
    Ok(code)
}

/// Filters and prints; counts what may still be printed.
struct Printer {
    lines: Lines,
    filter: Filter,
    left: u64,
    flushed: Instant,
    live: bool,
    /// The next header is that of the same log once more.
    rejoined: bool,
}

impl Printer {
    fn event(&mut self, event: &Event<'_>, late: bool) -> anyhow::Result<ControlFlow<()>> {
        self.lines.learn(event);
        if self.filter.wants(event) {
            self.lines
                .event(event, self.filter.running(event.cap), late)?;
            self.left -= 1;
            if self.left == 0 {
                return Ok(ControlFlow::Break(()));
            }
            if self.live && self.flushed.elapsed() > FLUSH {
                self.idle()?;
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn item(&mut self, item: &Item<'_>) -> anyhow::Result<ControlFlow<()>> {
        match item {
            Item::Event(event) => return self.event(event, false),
            Item::Block(block) => self.lines.block(block)?,
            Item::Gap(gap) => self.lines.gap(gap)?,
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    }

    fn header(&mut self) -> anyhow::Result<()> {
        self.filter.restart();
        match std::mem::take(&mut self.rejoined) {
            true => self.lines.rejoined()?,
            false => self.lines.session()?,
        }
        Ok(())
    }

    fn idle(&mut self) -> anyhow::Result<()> {
        self.flushed = Instant::now();
        Ok(self.lines.flush()?)
    }
}

/// Whether lines should appear at once.
fn is_live(input: &SourceArgs) -> bool {
    match &input.source {
        _ if input.follow => true,
        Source::Unix(_) | Source::Tcp(_) => true,
        Source::File(_) => input.source.size().is_none(),
        Source::Stdin => false,
    }
}

fn show_plain(args: &Args, printer: &mut Printer) -> anyhow::Result<ExitCode> {
    let outcome = Input::open(&args.input, reading(args))?.each(|step| {
        match step {
            Step::Header(_) => printer.header()?,
            Step::Item(item) => return printer.item(&item),
            Step::Rejoined => printer.rejoined = true,
            Step::Run(_) => {}
            Step::Idle => printer.idle()?,
        }
        Ok(ControlFlow::Continue(()))
    })?;
    printer.lines.flush()?;
    Ok(outcome.report())
}

fn show_live_sorted(args: &Args, printer: &mut Printer) -> anyhow::Result<ExitCode> {
    let mut order = Order::new(OrderOptions {
        max_bytes: usize::try_from(args.sort_memory).unwrap_or(usize::MAX),
        // An idle capability flushes nothing.
        stale_after: Some(MergeOptions::LIVE_STALE_AFTER),
        ..OrderOptions::default()
    });
    let outcome = Input::open(&args.input, reading(args))?.each(|step| {
        match step {
            Step::Header(_) => {
                order.push(&Item::Header);
                let flow = drain(&mut order, printer)?;
                printer.header()?;
                return Ok(flow);
            }
            Step::Item(item) => {
                order.push(&item);
                // Once per block is often enough, and much cheaper.
                let held_up = order.held_bytes() as u64 > args.sort_memory;
                if held_up || !matches!(item, Item::Event(_)) {
                    return drain(&mut order, printer);
                }
            }
            Step::Rejoined => printer.rejoined = true,
            Step::Run(_) => {}
            Step::Idle => {
                let flow = drain(&mut order, printer)?;
                printer.idle()?;
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if !outcome.stopped {
        order.flush();
        let _ = drain(&mut order, printer)?;
    }
    printer.lines.flush()?;
    if order.late() > 0 {
        errors::note(format_args!(
            "{} events came too late for their turn; they are marked",
            order.late()
        ));
    }
    Ok(outcome.report())
}

fn drain(order: &mut Order, printer: &mut Printer) -> anyhow::Result<ControlFlow<()>> {
    while let Some(ordered) = order.next_event() {
        if printer.event(&ordered.event, ordered.late)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn reading(args: &Args) -> Reading {
    let live = is_live(&args.input);
    Reading {
        runs_only: false,
        tick: live.then_some(FLUSH),
        recover: args.recover,
        progress: (!live).then_some("reading"),
    }
}

/// The wall clock of a file, from any place in it. For other sources it is learnt while reading.
fn find_wall_clock(args: &Args) -> anyhow::Result<Option<WallClock>> {
    if args.input.source.size().is_none() {
        return Ok(None);
    }
    let mut clock = None;
    let input = SourceArgs {
        follow: false,
        ..args.input.clone()
    };
    Input::open(
        &input,
        Reading {
            recover: args.recover,
            ..Reading::default()
        },
    )?
    .each(|step| {
        if let Step::Item(Item::Event(event)) = step {
            clock = WallClock::from_event(&event);
        }
        Ok(if clock.is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    })?;
    if clock.is_none() {
        errors::note("the log does not contain the time of day");
    }
    Ok(clock)
}
