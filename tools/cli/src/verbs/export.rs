//! `eventlog export`: a log in the formats of other tools.

use crate::analysis::feed::{Mode, Sink, feed};
use crate::analysis::rules::{Rules, START, STOP};
use crate::analysis::target::Target;
use crate::errors;
use crate::files;
use crate::input::Reading;
use crate::printable;
use crate::source::SourceArgs;
use crate::units;
use anyhow::Result;
use clap::ValueEnum;
use eventlog_export::{
    Csv, Error, Export, Exporter, Folded, Hp, Perfetto, Range, Speedscope, TraceEvents, What as Of,
};
use eventlog_state::{Rule, Turn};
use ghc_eventlog::{Block, Event, Header};
use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

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

    /// Perfetto: the older JSON, which chrome://tracing reads, too
    #[arg(long)]
    json: bool,

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
    /// For ui.perfetto.dev: timelines of everything
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

impl From<What> for Of {
    fn from(what: What) -> Self {
        match what {
            What::Samples => Self::Samples,
            What::Spans => Self::Spans,
            What::Threads => Self::Threads,
            What::Heap => Self::Heap,
            What::Gc => Self::Gc,
            What::Memory => Self::Memory,
            What::Sparks => Self::Sparks,
        }
    }
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

Perfetto's own format is written, or JSON with --json and to a name in .json.

Examples:
  eventlog export perfetto program.eventlog -o trace.pftrace  (open in ui.perfetto.dev)
  eventlog export speedscope program.eventlog -o profile.json (open in speedscope.app)
  eventlog export folded program.eventlog | flamegraph.pl > graph.svg
  eventlog export hp program.eventlog -o program.hp && hp2ps -c program.hp
  eventlog export csv --what gc program.eventlog -o gc.csv

Exit codes: 0 done, 1 the log is faulty or has nothing to export, 3 cannot read or write.";

/// Converts.
pub fn run(mut args: Args) -> Result<ExitCode> {
    args.input.find()?;
    let what = choose(args.format, args.what)?;
    let rules = Rules::named(&args.start, &args.stop).map_err(errors::usage)?;
    if args.from.zip(args.to).is_some_and(|(from, to)| from >= to) {
        return Err(errors::usage("--from must be earlier than --to"));
    }
    let source = args.input.source.to_string();
    let json = args.json || args.output.as_deref().is_some_and(is_json);
    if args.json && args.format != Format::Perfetto {
        return Err(errors::usage("--json is for perfetto"));
    }
    let binary = args.format == Format::Perfetto && !json;
    let path = args.output.as_deref();
    let stdout = path.is_none_or(files::is_standard_output);
    if binary && stdout && io::stdout().is_terminal() {
        return Err(errors::usage(
            "a Perfetto trace is not for the terminal; write it to a file with -o FILE, \
             or take --json",
        ));
    }
    let mut out = Target::open(path, args.force, &[&args.input.source])?;
    let range = Range {
        from: args.from.unwrap_or(0),
        to: args.to.unwrap_or(u64::MAX),
    };
    let raw = printable::raw();
    let of = what.map(Of::from);
    let log = Log {
        input: &args.input,
        rules,
        range,
    };
    let code = match args.format {
        Format::Speedscope => {
            let export = Speedscope::new(&mut out, of, range, source, raw);
            log.convert(Mode::TIME, export)?.1
        }
        Format::Perfetto if binary => {
            let (written, code) = log.convert(Mode::TIME, Perfetto::new(&mut out, range))?;
            told_left_out(written.left_out);
            code
        }
        Format::Perfetto => {
            let export = TraceEvents::new(&mut out, range, raw);
            let (left_out, code) = log.convert(Mode::TIME, export)?;
            told_left_out(left_out);
            code
        }
        Format::Folded => {
            let mode = if what == Some(What::Heap) {
                Mode::Arrival
            } else {
                Mode::TIME
            };
            log.convert(mode, Folded::new(&mut out, of, range, raw))?.1
        }
        Format::Hp => log.convert(Mode::Arrival, Hp::new(&mut out, range, raw))?.1,
        Format::Csv => {
            let of = of.unwrap_or(Of::Gc);
            log.convert(Mode::TIME, Csv::new(&mut out, of, range, raw))?
                .1
        }
    };
    out.finish()?;
    Ok(code)
}

/// Whether the name is that of a file of JSON, packed or not.
fn is_json(path: &Path) -> bool {
    let packed = [OsStr::new("gz"), OsStr::new("zst")];
    match path.extension() {
        Some(extension) if packed.contains(&extension) => path
            .file_stem()
            .is_some_and(|name| Path::new(name).extension() == Some(OsStr::new("json"))),
        extension => extension == Some(OsStr::new("json")),
    }
}

fn told_left_out(count: u64) {
    if count > 0 {
        errors::note(format_args!(
            "there are too many threads or spans to show each; {count} slices of the others \
             are left out"
        ));
    }
}

/// The conversion.
struct Log<'a> {
    input: &'a SourceArgs,
    rules: Rules,
    range: Range,
}

impl Log<'_> {
    /// Reads the log. Returns the report of the exporter, and the exit code.
    fn convert<E>(self, mode: Mode, exporter: E) -> Result<(E::Report, ExitCode)>
    where
        E: Exporter<Error = Error>,
    {
        let reading = Reading {
            progress: Some("exporting"),
            ..Reading::default()
        };
        let turn = match mode {
            Mode::Arrival => Turn::Early,
            Mode::Time(_) => Turn::Certain,
        };
        let mut sink = Exported {
            export: Export::new(exporter, self.rules),
            turn,
            range: self.range,
        };
        let fed = feed(self.input, reading, mode, &mut sink)?;
        fed.outcome.expect_log()?;
        // A fault of the log may be the reason why there is nothing to export.
        let code = fed.report();
        let report = sink.export.finish();
        let report = report.map_err(|error| told(error, self.range))?;
        Ok((report, code))
    }
}

/// Hands the log on.
struct Exported<E, R> {
    export: Export<E, R>,
    /// That of events in their turn.
    turn: Turn,
    range: Range,
}

impl<E, R> Sink for Exported<E, R>
where
    E: Exporter<Error = Error>,
    R: Rule,
{
    fn session(&mut self, header: &Arc<Header>) -> Result<()> {
        let result = self.export.header(header);
        result.map_err(|error| told(error, self.range))
    }

    fn block_in_turn(&mut self, block: &Block<'_>) -> Result<()> {
        let result = self.export.block(block);
        result.map_err(|error| told(error, self.range))
    }

    fn event(&mut self, event: &Event<'_>, late: bool) -> Result<()> {
        let turn = if late { Turn::Late } else { self.turn };
        let result = self.export.event(event, turn);
        result.map_err(|error| told(error, self.range))
    }
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

/// The error as it is reported to the user.
fn told(error: Error, range: Range) -> anyhow::Error {
    match error {
        Error::Write(error) => error.into(),
        Error::Nothing(what) => nothing(what, range),
        error => errors::io(error),
    }
}

/// Nothing of this kind is in the log, or in the part that is wanted: the error, with what to do
/// about it.
fn nothing(what: Of, range: Range) -> anyhow::Error {
    if range.is_part() {
        return errors::input(format_args!(
            "there is nothing to export ({}) between --from and --to; \
             see what there is without them",
            what.name()
        ));
    }
    errors::input(match what {
        Of::Samples => {
            "the log has no time profile; build with profiling (-prof -fprof-auto) and run with +RTS -p -l"
        }
        Of::Heap => {
            "the log has no heap profile; run with +RTS -hT -l (or -hc, -hy, ... when built with -prof)"
        }
        Of::Spans => {
            "the log has no spans; write them with traceEventIO \"START name\" and \"STOP name\""
        }
        Of::Threads => "the log says nothing about threads; run with +RTS -l or -ls",
        Of::Gc => "the log has no collections; run with +RTS -l or -lg",
        Of::Memory => "the log says nothing about the heap; run with +RTS -l or -lg",
        Of::Sparks => "the log has no spark counters; run with +RTS -lp",
    })
}
