//! `eventlog export`: a log in the formats of other tools.

mod csv;
mod folded;
mod hp;
mod perfetto;
mod speedscope;
mod stacks;

use crate::analysis::feed::{Mode, Sink, feed};
use crate::analysis::spans::{START, STOP};
use crate::analysis::target::Target;
use crate::errors;
use crate::input::Reading;
use crate::source::SourceArgs;
use crate::units;
use anyhow::Result;
use clap::ValueEnum;
use std::path::PathBuf;
use std::process::ExitCode;

/// Convert a log for other tools: speedscope, Perfetto, flame graphs, .hp, CSV
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// What to make of the log
    #[arg(value_enum)]
    format: Format,

    #[command(flatten)]
    input: SourceArgs,

    /// Where to write the result; standard output without it
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Replace the output file if it exists
    #[arg(long)]
    force: bool,

    /// Which of the things in the log (each format has its own; see below)
    #[arg(long, value_enum, value_name = "WHAT")]
    what: Option<What>,

    /// Only from this time of the log on: 1.5s, 200ms
    #[arg(long, value_name = "TIME", value_parser = units::nanos)]
    from: Option<u64>,

    /// Only before this time
    #[arg(long, value_name = "TIME", value_parser = units::nanos)]
    to: Option<u64>,

    /// Messages that begin a span (see `eventlog spans`)
    #[arg(long, value_name = "REGEX", default_value = START, hide_default_value = true)]
    start: String,

    /// Messages that end a span
    #[arg(long, value_name = "REGEX", default_value = STOP, hide_default_value = true)]
    stop: String,
}

/// The formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// JSON for speedscope.app: flame graphs over time
    Speedscope,
    /// JSON for ui.perfetto.dev and chrome://tracing: timelines of everything
    Perfetto,
    /// One line per stack, for flame graph tools
    Folded,
    /// Heap profile as text, for hp2ps, hp2pretty, eventlog2html
    Hp,
    /// Tables for spreadsheets and data frames
    Csv,
}

/// What to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Time profile by cost centre (+RTS -p -l)
    Samples,
    /// The program's own START and STOP messages
    Spans,
    /// What threads do: running, runnable, blocked
    Threads,
    /// Heap profile (+RTS -hT -l and others)
    Heap,
    /// Collections, one by one
    Gc,
    /// Heap size, live data and allocation over time
    Memory,
    /// Spark counters over time
    Sparks,
}

impl What {
    fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }
}

const EXAMPLES: &str = "\
What each format can take (the first is the default; speedscope falls back to
spans, folded to threads, if there are no samples):
  speedscope  samples, spans
  perfetto    always everything
  folded      samples, threads, heap
  hp          heap
  csv         gc, memory, heap, threads, spans, sparks

Examples:
  eventlog export perfetto program.eventlog -o trace.json     (open in ui.perfetto.dev)
  eventlog export speedscope program.eventlog -o profile.json (open in speedscope.app)
  eventlog export folded program.eventlog | flamegraph.pl > graph.svg
  eventlog export hp program.eventlog -o program.hp && hp2ps -c program.hp
  eventlog export csv --what gc program.eventlog -o gc.csv

Exit codes: 0 done, 1 the log is faulty or has nothing to export, 3 cannot read or write.";

/// Converts.
pub fn run(args: Args) -> Result<ExitCode> {
    let what = choose(args.format, args.what)?;
    let rules =
        crate::analysis::spans::Rules::named(&args.start, &args.stop).map_err(errors::usage)?;
    if args.from.zip(args.to).is_some_and(|(from, to)| from >= to) {
        return Err(errors::usage("--from must be earlier than --to"));
    }
    let source = args.input.source.to_string();
    let mut out = Target::open(args.output.as_deref(), args.force, &[&args.input.source])?;
    let range = Range {
        from: args.from.unwrap_or(0),
        to: args.to.unwrap_or(u64::MAX),
    };
    let code = match args.format {
        Format::Speedscope => {
            let mut export = speedscope::Speedscope::new(rules, what, range, source);
            let code = convert(&args.input, Mode::TIME, &mut export)?;
            export.finish(&mut out)?;
            code
        }
        Format::Perfetto => {
            let mut export = perfetto::Perfetto::new(&mut out, rules, range)?;
            let code = convert(&args.input, Mode::TIME, &mut export)?;
            export.finish()?;
            code
        }
        Format::Folded => {
            let mut export = folded::Folded::new(what, range);
            let mode = if what == Some(What::Heap) {
                Mode::Arrival
            } else {
                Mode::TIME
            };
            let code = convert(&args.input, mode, &mut export)?;
            export.finish(&mut out)?;
            code
        }
        Format::Hp => {
            let mut export = hp::Hp::new(&mut out, range);
            let code = convert(&args.input, Mode::Arrival, &mut export)?;
            export.finish()?;
            code
        }
        Format::Csv => {
            let mut export = csv::Csv::new(&mut out, what.unwrap_or(What::Gc), rules, range)?;
            let code = convert(&args.input, Mode::TIME, &mut export)?;
            export.finish()?;
            code
        }
    };
    out.finish()?;
    Ok(code)
}

fn convert(input: &SourceArgs, mode: Mode, sink: &mut impl Sink) -> Result<ExitCode> {
    let reading = Reading {
        progress: Some("exporting"),
        ..Reading::default()
    };
    let fed = feed(input, reading, mode, sink)?;
    fed.outcome.expect_log()?;
    Ok(fed.report())
}

/// Whether the format can take what is asked for.
fn choose(format: Format, what: Option<What>) -> Result<Option<What>> {
    let allowed: &[What] = match format {
        Format::Speedscope => &[What::Samples, What::Spans],
        Format::Perfetto => &[],
        Format::Folded => &[What::Samples, What::Threads, What::Heap],
        Format::Hp => &[What::Heap],
        Format::Csv => &[
            What::Gc,
            What::Memory,
            What::Heap,
            What::Threads,
            What::Spans,
            What::Sparks,
        ],
    };
    match what {
        Some(what) if !allowed.contains(&what) => {
            let allowed: Vec<String> = allowed.iter().map(|what| what.name()).collect();
            Err(errors::usage(match allowed.is_empty() {
                true => "this format takes no --what: it always has everything".to_owned(),
                false => format!(
                    "this format cannot take {}; it can take {}",
                    what.name(),
                    allowed.join(", ")
                ),
            }))
        }
        what => Ok(what),
    }
}

/// The part of the log that is wanted.
#[derive(Clone, Copy, Debug)]
struct Range {
    from: u64,
    to: u64,
}

impl Range {
    /// Whether it leaves anything out.
    fn is_part(self) -> bool {
        self.from > 0 || self.to < u64::MAX
    }

    fn contains(self, time: u64) -> bool {
        (self.from..self.to).contains(&time)
    }

    /// The part of an interval that lies inside; `None` if nothing does.
    fn clip(self, from: u64, to: u64) -> Option<(u64, u64)> {
        let (from, to) = (from.max(self.from), to.min(self.to));
        (from < to).then_some((from, to))
    }
}

/// There is nothing of the kind in the log, or in the part that is wanted:
/// what to do about it.
fn nothing(what: What, range: Range) -> anyhow::Error {
    if range.is_part() {
        let what = what.name();
        return errors::input(format_args!(
            "there is nothing to export ({what}) between --from and --to; \
             see what there is without them"
        ));
    }
    errors::input(match what {
        What::Samples => {
            "the log has no time profile; build with profiling (-prof -fprof-auto) and run with +RTS -p -l"
        }
        What::Heap => {
            "the log has no heap profile; run with +RTS -hT -l (or -hc, -hy, ... when built with -prof)"
        }
        What::Spans => {
            "the log has no spans; write them with traceEventIO \"START name\" and \"STOP name\""
        }
        What::Threads => "the log says nothing about threads; run with +RTS -l or -ls",
        What::Gc => "the log has no collections; run with +RTS -l or -lg",
        What::Memory => "the log says nothing about the heap; run with +RTS -l or -lg",
        What::Sparks => "the log has no spark counters; run with +RTS -lp",
    })
}
