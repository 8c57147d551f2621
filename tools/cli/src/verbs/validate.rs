//! `eventlog validate`: whether a log is as it should be, and if not, where.

mod findings;
mod structure;

use crate::analysis::feed::{InOrder, Mode};
use crate::errors;
use crate::hints;
use crate::input::{Input, Reading, Step};
use crate::output;
use crate::source::SourceArgs;
use crate::units;
use anyhow::Result;
use eventlog_state::{Fact, Keep, Oddity, State, Step as Told, Take, Turn};
use findings::{At, Findings, Severity};
use ghc_eventlog::{Encoded, Ending, Error, Header, Item};
use std::io::Write;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::Arc;
use structure::Structure;

/// Check a log: its structure, and what threads and collections do in it
///
/// Errors are what no runtime system writes: bytes that make no sense, threads
/// that run twice, collections that never began. Warnings are what a log can
/// have when it was not recorded from beginning to end. Every finding is printed
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

    /// Print at most N findings of each kind (all are counted)
    #[arg(long, value_name = "N", default_value = "10")]
    max: u64,

    /// Print nothing; the exit code is the result
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

/// Checks a log.
pub fn run(mut args: Args) -> Result<ExitCode> {
    args.input.find()?;
    let mut findings = Findings::new(args.json, args.quiet, args.max);
    let reading = Reading {
        recover: true,
        runs_only: true,
        progress: Some("checking"),
        ..Reading::default()
    };
    let mut structure = Structure::default();
    let mut order = Mode::Time(args.memory).order(args.input.source.is_socket());
    let mut runtime = Runtime::default();
    let mut gap = None;
    let outcome = Input::open(&args.input, reading)?.each(|step| {
        match &step {
            Step::Header(header) => {
                structure.header(header, &mut findings)?;
                if let Some(order) = &mut order {
                    order.header(header);
                    runtime.check(order, &mut findings)?;
                }
            }
            Step::Item(item) => {
                structure.item(item, &mut findings)?;
                match item {
                    // These events arrive as a run, too.
                    Item::Event(_) => return Ok(ControlFlow::Continue(())),
                    Item::Gap(of) => _ = gap.get_or_insert(of.error),
                    _ => {}
                }
                if let Some(order) = &mut order {
                    order.item(item);
                    runtime.check(order, &mut findings)?;
                }
            }
            Step::Run(run) => {
                structure.run(run, &mut findings)?;
                if let Some(order) = &mut order {
                    order.run(run);
                    runtime.check(order, &mut findings)?;
                }
            }
            Step::Rejoined | Step::Idle => {}
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if let Some(order) = &mut order {
        order.flush();
        runtime.check(order, &mut findings)?;
    }
    runtime.finish(&mut findings)?;
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

/// Follows the state of the runtime system in the order of time, and finds what is odd in it.
#[derive(Default)]
struct Runtime {
    state: Option<State>,
    late: u64,
    late_at: Option<At>,
    /// What was found and is not reported yet.
    found: Vec<Oddity>,
}

impl Runtime {
    /// Takes everything whose place in the order is certain by now.
    fn check(&mut self, order: &mut InOrder, findings: &mut Findings) -> Result<()> {
        let mut checking = Checking {
            runtime: self,
            findings,
            failed: None,
        };
        order.drain_to(&mut checking)?;
        checking.failed.map_or(Ok(()), Err)
    }

    fn begin(&mut self, header: &Arc<Header>, findings: &mut Findings) -> Result<()> {
        self.finish(findings)?;
        let keep = Keep {
            definitions: false,
            info_tables: false,
            spans: false,
            ..Keep::all()
        };
        self.state = Some(State::new(header, keep));
        Ok(())
    }

    #[inline]
    fn event(&mut self, event: &Encoded<'_>, turn: Turn, findings: &mut Findings) -> Result<()> {
        if turn == Turn::Late {
            self.late += 1;
            self.late_at.get_or_insert(At::encoded(event));
        }
        let found = &mut self.found;
        if let Some(state) = &mut self.state {
            state.apply_encoded(event, turn, &mut |fact| note(&fact, found));
        }
        match self.found.is_empty() {
            true => Ok(()),
            false => self.tell(findings),
        }
    }

    #[cold]
    fn tell(&mut self, findings: &mut Findings) -> Result<()> {
        for Oddity { at, odd } in self.found.drain(..) {
            findings.tell(odd.severity(), odd.name(), at, || odd.to_string())?;
        }
        Ok(())
    }

    /// The session is over.
    fn finish(&mut self, findings: &mut Findings) -> Result<()> {
        let found = &mut self.found;
        if let Some(mut state) = self.state.take() {
            state.finish(&mut |fact| note(&fact, found));
        }
        self.tell(findings)?;
        let late = std::mem::take(&mut self.late);
        if let Some(at) = self.late_at.take() {
            findings.tell(Severity::Warning, "late_events", at, || {
                format!(
                    "{late} events, this one first, came too late to be put in order; the threads \
                     in them were not checked from there on (try more --memory)"
                )
            })?;
        }
        Ok(())
    }
}

/// Takes events in their turn, until a finding cannot be reported.
struct Checking<'a> {
    runtime: &'a mut Runtime,
    findings: &'a mut Findings,
    failed: Option<anyhow::Error>,
}

impl Take for Checking<'_> {
    fn step(&mut self, step: Told<'_>) {
        if let (Told::Session(header), None) = (step, &self.failed) {
            self.failed = self.runtime.begin(header, self.findings).err();
        }
    }

    #[inline]
    fn event(&mut self, event: &Encoded<'_>, turn: Turn) {
        if self.failed.is_none() {
            self.failed = self.runtime.event(event, turn, self.findings).err();
        }
    }
}

fn note(fact: &Fact<'_>, found: &mut Vec<Oddity>) {
    if let Fact::Odd(odd) = fact {
        found.push(*odd);
    }
}

impl Drop for Findings {
    fn drop(&mut self) {
        // What was found is reported even on an early return.
        let _ = self.out.flush();
    }
}

/// Where findings go.
pub(crate) type Out = output::Out;
