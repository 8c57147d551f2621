//! `eventlog validate`: is this log what it should be, and if not, where.

mod findings;
mod runtime;
mod structure;
mod threads;

use crate::analysis::feed::{Mode, Sink, drain};
use crate::analysis::losses;
use crate::errors;
use crate::hints;
use crate::input::{Input, Reading, Step};
use crate::output;
use crate::source::SourceArgs;
use crate::units;
use anyhow::Result;
use findings::{At, Findings, Severity};
use ghc_eventlog::{Ending, Error, Event, Item, Order};
use runtime::Runtime;
use std::io::Write;
use std::ops::ControlFlow;
use std::process::ExitCode;
use structure::Structure;
use threads::Machines;

/// Check a log: its structure, and what threads and collections do in it
///
/// Errors are what no runtime system writes: bytes that make no sense, threads
/// that run twice, collections that never began. Warnings are what a log can
/// have when it was not recorded from beginning to end. Every finding is told
/// with its byte offset.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    input: SourceArgs,

    /// Print findings as JSON lines, and a summary as the last one
    #[arg(long)]
    json: bool,

    /// Fail because of warnings, too
    #[arg(long)]
    strict: bool,

    /// Tell at most N findings of each kind (all are counted)
    #[arg(long, value_name = "N", default_value = "10")]
    max: u64,

    /// Print nothing: the exit code says it all
    #[arg(long, short)]
    quiet: bool,

    /// How much to hold back to bring capabilities into order
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = units::bytes)]
    memory: u64,
}

const EXAMPLES: &str = "\
Examples:
  eventlog validate program.eventlog
  eventlog validate --strict --quiet program.eventlog && echo fine
  eventlog validate --json program.eventlog | jq 'select(.severity == \"error\")'

Exit codes: 0 no errors, 1 errors (or warnings with --strict), 3 cannot read.";

/// Checks.
pub fn run(args: Args) -> Result<ExitCode> {
    let mut findings = Findings::new(args.json, args.quiet, args.max);
    let reading = Reading {
        recover: true,
        progress: Some("checking"),
        ..Reading::default()
    };
    let mut structure = Structure::default();
    let mut order = Mode::Time(args.memory).order(args.input.source.is_socket());
    let mut states = States::default();
    let mut gap = None;
    let outcome = Input::open(&args.input, reading)?.each(|step| {
        match &step {
            Step::Header(header) => {
                structure.header(header, &mut findings)?;
                through(&mut order, &Item::Header, &mut states, &mut findings)?;
                states.restart(&mut findings)?;
                states.runtime = Runtime::new(header);
            }
            Step::Item(item) => {
                structure.item(item, &mut findings)?;
                if let Item::Gap(of) = item {
                    gap.get_or_insert(of.error);
                }
                if let Item::Event(event) = item
                    && let Some(time) = losses::whole_from(event)
                {
                    // Before anything comes out of the order, as it is at the beginning of such a log.
                    states.whole_from = time;
                    states.runtime.partial = true;
                }
                through(&mut order, item, &mut states, &mut findings)?;
            }
            Step::Idle => {}
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if let Some(order) = &mut order {
        order.flush();
        drain(
            order,
            &mut Checking {
                states: &mut states,
                findings: &mut findings,
            },
        )?;
    }
    states.restart(&mut findings)?;
    structure.finish(&outcome, &mut findings)?;
    findings.finish(structure.events, structure.blocks, structure.sessions)?;
    let last = outcome.ending.gap.map(|gap| gap.error);
    if !args.quiet {
        advise(&args, gap.or(last).or(outcome.fault), &outcome.ending);
    }
    let failed = findings.errors > 0 || (args.strict && findings.warnings > 0);
    Ok(if failed {
        ExitCode::from(errors::INPUT)
    } else {
        ExitCode::SUCCESS
    })
}

/// What to do about the first fault, or about a log without a header.
fn advise(args: &Args, fault: Option<Error>, ending: &Ending) {
    let name = args.input.source.to_string();
    if let Some(fault) = fault {
        errors::hint(hints::fault(fault.kind, &name));
    } else if let Some(cause) = hints::no_header(&name).filter(|_| !ending.header) {
        errors::hint(cause);
    } else if !ending.header && ending.left == 0 {
        errors::note("there is nothing in it; run the program with `+RTS -l`");
    }
}

/// Puts an item into the order, and checks what comes out of it.
fn through(
    order: &mut Option<Order>,
    item: &Item<'_>,
    states: &mut States,
    findings: &mut Findings,
) -> Result<()> {
    if let Some(order) = order {
        order.push(item);
        drain(order, &mut Checking { states, findings })?;
    }
    Ok(())
}

/// All that is checked in the order of time.
#[derive(Default)]
struct States {
    threads: Machines,
    runtime: Runtime,
    late: u64,
    late_at: Option<At>,
    /// What capabilities did before is known of some of them only.
    whole_from: u64,
}

impl States {
    /// The session is over: everything begins anew.
    fn restart(&mut self, findings: &mut Findings) -> Result<()> {
        self.threads.finish(findings)?;
        self.runtime.finish(findings)?;
        if let Some(at) = self.late_at {
            let late = self.late;
            findings.tell(Severity::Warning, "late_events", at, || {
                format!(
                    "{late} events, this one first, came too late to be put in order; the threads \
                     in them were not checked from there on (try more --memory)"
                )
            })?;
        }
        *self = Self::default();
        Ok(())
    }
}

struct Checking<'a> {
    states: &'a mut States,
    findings: &'a mut Findings,
}

impl Sink for Checking<'_> {
    fn event(&mut self, event: &Event<'_>, late: bool) -> Result<()> {
        if event.cap.is_some() && event.time < self.states.whole_from {
            return Ok(());
        }
        // The global block describes the program; when it comes is no matter.
        let late = late && event.cap.is_some();
        if late {
            self.states.late += 1;
            self.states.late_at.get_or_insert(At::event(event));
        }
        self.states.threads.event(event, late, self.findings)?;
        self.states.runtime.event(event, late, self.findings)
    }
}

impl Drop for Findings {
    fn drop(&mut self) {
        // Whatever way out is taken, what was found is told.
        let _ = self.out.flush();
    }
}

/// Where findings go.
pub(crate) type Out = output::Out;
