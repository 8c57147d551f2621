//! `eventlog spans`: how long things took, according to the program's own messages.

use crate::analysis::cover::Cover;
use crate::analysis::feed::{Mode, Sink, feed};
use crate::analysis::needs::{NEEDS_GC, NEEDS_SCHEDULER};
use crate::analysis::numbers::{Seconds, Share};
use crate::analysis::rules::{Rules, START, STOP};
use crate::analysis::table::Table;
use crate::errors;
use crate::input::Reading;
use crate::output;
use crate::printable;
use crate::source::SourceArgs;
use crate::units::Nanos;
use anyhow::Result;
use clap::ValueEnum;
use eventlog_state::{Distribution, Figures, Keep, Limits, Span, Spans, State, Turn};
use ghc_eventlog::{Encoded, Event, Header};
use rustc_hash::FxHashMap;
use serde::Serialize;
use serde_json::json;
use std::cmp::Reverse;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

/// Durations between the program's own messages START and STOP
///
/// A program marks spans with traceEventIO "START name" and "STOP name" (or
/// "END name"). Spans are paired per thread and may nest. Several of one name
/// in one thread at a time are distinguished by a number: "START 3 request".
///
/// With --from and --to any two messages make a span, whatever they are called:
/// an end belongs to the latest beginning in its own thread, or else to the
/// earliest in another. Where both have a group `(?P<name>...)` (or a first
/// group) or `(?P<id>...)`, these must be the same.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    input: SourceArgs,

    /// Messages that begin a span; its name is the group `(?P<name>...)`, or the first group
    #[arg(long, value_name = "REGEX", default_value = START, hide_default_value = true)]
    start: String,

    /// Messages that end a span
    #[arg(long, value_name = "REGEX", default_value = STOP, hide_default_value = true)]
    stop: String,

    /// Time between any two messages: those that match REGEX begin a span, those of --to end it
    #[arg(long, value_name = "REGEX", requires = "to", conflicts_with_all = ["start", "stop"])]
    from: Option<String>,

    /// Messages that end a span begun by --from; may be the same ones
    #[arg(long, value_name = "REGEX", requires = "from")]
    to: Option<String>,

    /// One row per name and thread
    #[arg(long)]
    per_thread: bool,

    /// Print every span instead of a table
    #[arg(long)]
    list: bool,

    /// Print JSON lines
    #[arg(long)]
    json: bool,

    /// Print at most this many rows, or spans with --list
    #[arg(long, short = 'n', value_name = "COUNT")]
    limit: Option<u64>,

    /// Order of the rows
    #[arg(long, value_enum, default_value = "total", value_name = "KEY")]
    by: Key,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Key {
    Total,
    Count,
    Name,
    P50,
    P99,
    Max,
}

const EXAMPLES: &str = "\
Examples:
  eventlog spans program.eventlog
  eventlog spans --per-thread --by p99 program.eventlog
  eventlog spans --list --json program.eventlog | jq 'select(.duration_ns > 1e6)'
  eventlog spans --start '^begin (.*)' --stop '^end (.*)' program.eventlog
  eventlog spans --from '^got request' --to '^sent answer' program.eventlog
  eventlog spans --from '^tick' --to '^tick' program.eventlog

`running` is the part in which the thread ran, `gc` that in which the program
was stopped for collections. Time outside all spans is the time of the log, from
its first event to its last, during which no span was open that ended later. In
JSON it is the last line. In all patterns `.` stands for line feeds, too.
Exit codes: 0 done, 1 the log is faulty (what came before is used), 3 cannot read.";

/// The most rows that are kept; the rest are added up in one.
const MOST_ROWS: usize = 1000;

/// Measures.
pub fn run(mut args: Args) -> Result<ExitCode> {
    args.input.find()?;
    let rules = match (&args.from, &args.to) {
        (Some(from), Some(to)) => Rules::between(from, to),
        _ => Rules::named(&args.start, &args.stop),
    }
    .map_err(errors::usage)?;
    let reading = Reading {
        progress: Some("reading"),
        ..Reading::default()
    };
    let input = args.input.clone();
    let mut verb = Verb {
        args,
        spans: Spans::new(rules, &Limits::default()),
        state: None,
        rows: FxHashMap::default(),
        count: 0,
        open: 0,
        inside: Cover::default(),
        log: 0,
        outside: Some(0),
        out: output::out(),
    };
    let fed = feed(&input, reading, Mode::TIME, &mut verb)?;
    fed.outcome.expect_log()?;
    verb.finish()?;
    verb.out.flush()?;
    Ok(fed.report())
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Name {
    name: Arc<str>,
    thread: Option<u32>,
}

#[derive(Default)]
struct Row {
    label: Option<String>,
    durations: Distribution,
    running: Part,
    gc: Part,
}

/// A part of the durations, of the spans for which it is known.
#[derive(Clone, Copy, Default)]
struct Part {
    /// How long these spans took.
    of: u64,
    /// That part; `None` if it is not known for any.
    time: Option<u64>,
}

impl Part {
    fn add(&mut self, duration: u64, time: Option<u64>) {
        if let Some(time) = time {
            self.of = self.of.saturating_add(duration);
            self.time = Some(self.time.unwrap_or(0).saturating_add(time));
        }
    }

    fn share(self) -> String {
        self.time
            .map_or("-".to_owned(), |time| Share(time, self.of).to_string())
    }
}

/// The shape of a row in JSON.
#[derive(Serialize)]
struct JsonRow<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    #[serde(flatten)]
    figures: Figures,
    running_ns: Option<u64>,
    gc_ns: Option<u64>,
}

struct Verb {
    args: Args,
    spans: Spans<Rules>,
    /// The runtime system of the present session.
    state: Option<State>,
    rows: FxHashMap<Name, Row>,
    count: u64,
    /// Spans of earlier sessions that did not end.
    open: u64,
    /// What spans of the present session cover.
    inside: Cover,
    /// Nanoseconds of the log, and those outside all spans, in earlier sessions.
    log: u64,
    outside: Option<u64>,
    out: output::Out,
}

impl Sink for Verb {
    fn session(&mut self, header: &Arc<Header>) -> Result<()> {
        self.open += self.spans.open_count() as u64;
        self.end_session();
        self.spans.restart();
        self.state = Some(State::new(header, keep()));
        Ok(())
    }

    fn event(&mut self, event: &Event<'_>, late: bool) -> Result<()> {
        self.encoded(&event.encoded(), late)
    }

    fn encoded(&mut self, event: &Encoded<'_>, late: bool) -> Result<()> {
        let Some(state) = &mut self.state else {
            return Ok(());
        };
        let turn = if late { Turn::Late } else { Turn::Certain };
        state.apply_encoded(event, turn, &mut |_| {});
        let Some(span) = self.spans.encoded(event, state) else {
            return Ok(());
        };
        if self.has_enough() {
            return Ok(());
        }
        self.count += 1;
        self.inside.add(span.start, span.end);
        match self.args.list {
            true => self.list(&span),
            false => {
                self.add(span);
                Ok(())
            }
        }
    }

    fn idle(&mut self) -> Result<()> {
        Ok(self.out.flush()?)
    }

    fn is_watched(&self) -> bool {
        self.args.list
    }

    fn has_enough(&self) -> bool {
        self.args.list && self.args.limit.is_some_and(|limit| self.count >= limit)
    }
}

/// The parts of the state that spans need: which thread runs where, and for how long the program is
/// stopped.
fn keep() -> Keep {
    Keep {
        threads: true,
        ..Keep::least()
    }
}

impl Verb {
    fn end_session(&mut self) {
        let inside = std::mem::take(&mut self.inside).total();
        let state = self.state.as_ref();
        let Some((from, to)) = state.and_then(|state| Some((state.first()?, state.time()))) else {
            return;
        };
        self.log += to - from;
        self.outside = self
            .outside
            .zip(inside)
            .map(|(sum, inside)| sum + (to - from).saturating_sub(inside));
    }

    /// How much of the log is in none of the spans.
    fn outside(&mut self) -> Result<()> {
        if self.args.json {
            let summary = json!({
                "summary": {
                    "spans": self.count,
                    "log_ns": self.log,
                    "outside_ns": self.outside,
                }
            });
            printable::write_json(&mut self.out, &summary)?;
            writeln!(self.out)?;
        } else if self.count > 0
            && let Some(outside) = self.outside
        {
            writeln!(
                self.out,
                "outside all spans: {} of {} ({})",
                Nanos(outside),
                Nanos(self.log),
                Share(outside, self.log)
            )?;
        }
        Ok(())
    }

    fn add(&mut self, span: Span) {
        let thread = span.thread.filter(|_| self.args.per_thread);
        let mut name = Name {
            name: span.name,
            thread,
        };
        if self.rows.len() >= MOST_ROWS && !self.rows.contains_key(&name) {
            name = Name {
                name: "(others)".into(),
                thread: None,
            };
        }
        let row = self.rows.entry(name).or_default();
        let duration = span.end - span.start;
        row.durations.record(duration);
        row.running.add(duration, span.running);
        row.gc.add(duration, span.paused);
        if self.args.per_thread && span.label.is_some() {
            row.label = span.label;
        }
    }

    fn list(&mut self, span: &Span) -> Result<()> {
        let duration = span.end - span.start;
        if self.args.json {
            let told = json!({
                "name": &*span.name,
                "id": span.id,
                "thread": span.thread,
                "label": span.label,
                "start_ns": span.start,
                "end_ns": span.end,
                "duration_ns": duration,
                "running_ns": span.running,
                "gc_ns": span.paused,
            });
            printable::write_json(&mut self.out, &told)?;
            writeln!(self.out)?;
            return Ok(());
        }
        let thread = span
            .thread
            .map_or("-".to_owned(), |thread| thread.to_string());
        let id = span.id.map_or(String::new(), |id| format!(" {id}"));
        writeln!(
            self.out,
            "{:>16} s  {:>8}  thread {thread:>5}  {}{id}",
            Seconds(span.start),
            Nanos(duration),
            printable::printable(&span.name)
        )?;
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let open = self.open + self.spans.open_count() as u64;
        self.end_session();
        if !self.args.list {
            self.table()?;
            self.outside()?;
        }
        self.out.flush()?;
        if self.count == 0 {
            errors::note(
                "no spans: programs mark them with traceEventIO \"START name\" and \"STOP name\", \
                 or give --start and --stop, or --from and --to",
            );
        }
        let (unopened, unfollowed) = (self.spans.unopened(), self.spans.refused());
        if open + unopened + unfollowed > 0 && !self.has_enough() {
            let parts = [
                (open, "spans that did not end"),
                (unopened, "ends without a beginning"),
                (unfollowed, "beginnings left out, too many at a time"),
            ];
            let parts = parts.iter().filter(|(count, _)| *count > 0);
            let parts: Vec<_> = parts
                .map(|(count, what)| format!("{what}: {count}"))
                .collect();
            errors::note(parts.join("; "));
        }
        Ok(())
    }

    fn table(&mut self) -> Result<()> {
        let mut rows: Vec<(&Name, &Row, Figures)> = self
            .rows
            .iter()
            .map(|(name, row)| (name, row, row.durations.figures()))
            .collect();
        rows.sort_by(|(a, _, _), (b, _, _)| (&a.name, a.thread).cmp(&(&b.name, b.thread)));
        rows.sort_by_key(|(_, _, figures)| match self.args.by {
            Key::Total => Reverse(figures.total_ns),
            Key::Count => Reverse(figures.count),
            Key::Name => Reverse(0),
            Key::P50 => Reverse(figures.p50_ns),
            Key::P99 => Reverse(figures.p99_ns),
            Key::Max => Reverse(figures.max_ns),
        });
        let all = rows.len();
        let limit = self
            .args
            .limit
            .and_then(|limit| usize::try_from(limit).ok());
        rows.truncate(limit.unwrap_or(all));
        let left_out = all - rows.len();
        if self.args.json {
            for (name, row, figures) in rows {
                let told = JsonRow {
                    name: &name.name,
                    thread: name.thread,
                    label: row.label.as_deref(),
                    figures,
                    running_ns: row.running.time,
                    gc_ns: row.gc.time,
                };
                printable::write_json(&mut self.out, &told)?;
                writeln!(self.out)?;
            }
            return Ok(());
        }
        if rows.is_empty() {
            return Ok(());
        }
        let figures = [
            "count", "total", "mean", "p50", "p90", "p99", "max", "running", "gc",
        ];
        let words: &[&str] = if self.args.per_thread {
            &["name", "thread"]
        } else {
            &["name"]
        };
        let mut table = Table::new(words.len(), &[words, &figures].concat());
        for (name, row, figures) in rows {
            let mut cells = vec![name.name.to_string()];
            if self.args.per_thread {
                let thread = name
                    .thread
                    .map_or("-".to_owned(), |thread| thread.to_string());
                cells.push(match &row.label {
                    Some(label) => format!("{thread} {label}"),
                    None => thread,
                });
            }
            cells.push(figures.count.to_string());
            let times = [
                figures.total_ns,
                figures.mean_ns,
                figures.p50_ns,
                figures.p90_ns,
                figures.p99_ns,
                figures.max_ns,
            ];
            cells.extend(times.map(|time| Nanos(time).to_string()));
            cells.extend([row.running.share(), row.gc.share()]);
            table.row(&cells);
        }
        table.write(&mut self.out, 0)?;
        if left_out > 0 {
            writeln!(self.out, "... {left_out} more rows")?;
        }
        let tells = self.state.as_ref().map(State::classes).unwrap_or_default();
        if !tells.scheduler {
            writeln!(self.out, "-: running is {NEEDS_SCHEDULER}")?;
        }
        if !tells.gc {
            writeln!(self.out, "-: gc is {NEEDS_GC}")?;
        }
        Ok(())
    }
}
