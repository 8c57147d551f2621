//! `eventlog stats`: a summary of a log, or of a program while it runs.

mod screen;
mod text;

use crate::analysis::feed::{Mode, Sink, feed};
use crate::input::Reading;
use crate::output;
use crate::printable;
use crate::source::SourceArgs;
use crate::units;
use anyhow::Result;
use eventlog_state::report::Report;
use eventlog_state::{Keep, State, Totals, Turn};
use ghc_eventlog::notes::Note;
use ghc_eventlog::{Block, Event, Gap, Header};
use screen::Screen;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Summarise a log: time, collections, heap, threads, sparks, losses
///
/// Collections are counted by the capability that leads them; its pause is
/// that of the program. Percentiles are within 0.1 %.
///
/// "collecting" of a capability is its own part in collections: from when it
/// joins one until it continues, including the time in which it waits for the
/// others. A capability that is idle during a collection is stopped as well, but
/// has no part in it. So the parts differ from the program's pauses.
///
/// Figures that need events which are not in the log are "not in the log" (null
/// in JSON), with the option that makes the program write these events.
///
/// With --follow on a terminal the summary is drawn again in one place, as large
/// as the terminal; Ctrl-C ends that and prints it.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    input: SourceArgs,

    /// Print one JSON object per session (and per interval with --follow) and line
    #[arg(long)]
    json: bool,

    /// Also list the N threads that ran longest
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "20")]
    threads: Option<usize>,

    /// How often to print while following
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = units::some_time)]
    interval: Duration,
}

const EXAMPLES: &str = "\
Examples:
  eventlog stats program.eventlog
  eventlog stats --threads=5 program.eventlog
  eventlog stats --follow unix:/tmp/app.sock
  eventlog stats --json program.eventlog | jq .gc.pauses.p99_ns

Times in JSON are nanoseconds (_ns), sizes are bytes.
Exit codes: 0 done, 1 the log is faulty (what came before is summarised), 3 cannot read.";

/// How soon a signal or another size of the terminal is noticed.
const NOTICE: Duration = Duration::from_millis(100);

/// Summarises.
pub fn run(mut args: Args) -> Result<ExitCode> {
    args.input.find()?;
    let interval = args.interval.max(Duration::from_millis(10));
    let live = args.input.follow.then_some(interval);
    let draws = live.is_some() && !args.json && output::is_terminal();
    let mut stats = Stats {
        session: None,
        sessions: 0,
        live,
        json: args.json,
        threads: args.threads,
        printed: Instant::now(),
        before: None,
        draws,
        screen: None,
        out: output::out(),
    };
    let reading = Reading {
        // Signals and a new size of the terminal must be noticed soon.
        tick: live.map(|interval| {
            if draws {
                interval.min(NOTICE)
            } else {
                interval
            }
        }),
        progress: Some("reading"),
        ..Reading::default()
    };
    // Threads move between capabilities; everything else is per capability.
    let mode = if args.threads.is_some() {
        Mode::TIME
    } else {
        Mode::Arrival
    };
    let fed = feed(&args.input, reading, mode, &mut stats)?;
    // From now on, what is printed stays on the terminal.
    stats.draws = false;
    if stats.screen.take().is_some() {
        stats.before = None;
    }
    stats.print(true)?;
    stats.out.flush()?;
    Ok(fed.report())
}

/// What is known of the present session.
struct Session {
    state: State,
    totals: Totals,
    /// Another process serves the program now. What its relay repeats of the time before is counted
    /// already.
    told_again: Option<u64>,
}

impl Session {
    fn new(header: &Arc<Header>, threads: Option<usize>) -> Self {
        let keep = Keep {
            threads: threads.is_some(),
            ..Keep::least()
        };
        Self {
            state: State::new(header, keep),
            totals: threads.map_or_else(Totals::new, Totals::with_threads),
            told_again: None,
        }
    }

    #[inline]
    fn event(&mut self, event: &Event<'_>, turn: Turn) {
        if self.told_again.is_none() || self.is_new(event) {
            self.totals.event(event);
        }
        self.state
            .apply(event, turn, &mut |fact| self.totals.see(&fact));
    }

    /// Whether an event after a lost connection has not been counted yet.
    #[cold]
    fn is_new(&mut self, event: &Event<'_>) -> bool {
        if let Some(Note::Joined(joined)) = Note::of(event) {
            self.told_again = Some(joined.at);
            return false;
        }
        self.told_again.is_none_or(|until| event.time > until)
    }

    /// What has arrived so far, or all of it.
    fn report(&mut self, is_all: bool) -> Report {
        if is_all {
            self.state.finish(&mut |fact| self.totals.see(&fact));
        }
        let mut report = self.totals.report(&self.state);
        report.complete = is_all;
        report
    }
}

struct Stats {
    session: Option<Box<Session>>,
    sessions: u64,
    live: Option<Duration>,
    json: bool,
    threads: Option<usize>,
    printed: Instant,
    /// What was printed last, to compute what is new.
    before: Option<Report>,
    /// Whether to draw on the terminal instead of printing one report after the other.
    draws: bool,
    screen: Option<Screen>,
    out: output::Out,
}

impl Stats {
    /// Prints the present session, if it is time to.
    fn tick(&mut self) -> Result<()> {
        match self.live {
            Some(interval) if self.printed.elapsed() >= interval => self.print(false),
            _ => self.refit(),
        }
    }

    /// Draws the last report again if the terminal has another size now.
    fn refit(&mut self) -> Result<()> {
        if let (Some(screen), Some(report)) = (&mut self.screen, &self.before)
            && screen.is_resized()
        {
            screen.draw(&drawn(report)?, &mut self.out)?;
        }
        Ok(())
    }

    fn print(&mut self, last: bool) -> Result<()> {
        let Some(session) = &mut self.session else {
            return Ok(());
        };
        let mut report = session.report(last);
        report.session = self.sessions;
        if self.live.is_some() {
            report.interval = self.before.as_ref().map(|before| report.since(before));
        }
        if self.json {
            printable::write_json(&mut self.out, &report)?;
            writeln!(self.out)?;
        } else if self.draws {
            let screen = match &mut self.screen {
                Some(screen) => screen,
                none => none.insert(Screen::enter(&mut self.out)?),
            };
            screen.draw(&drawn(&report)?, &mut self.out)?;
        } else {
            if self.before.is_some() || self.sessions > 1 {
                writeln!(self.out)?;
            }
            text::write(&report, &mut self.out)?;
        }
        self.out.flush()?;
        self.printed = Instant::now();
        self.before = Some(report);
        Ok(())
    }
}

/// The report for people.
fn drawn(report: &Report) -> Result<String> {
    let mut text = Vec::new();
    text::write(report, &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

impl Sink for Stats {
    fn session(&mut self, header: &Arc<Header>) -> Result<()> {
        self.print(true)?;
        self.before = None;
        self.sessions += 1;
        self.session = Some(Box::new(Session::new(header, self.threads)));
        Ok(())
    }

    fn rejoined(&mut self, header: &Arc<Header>) -> Result<()> {
        match &mut self.session {
            Some(session) if session.state.header().as_bytes() == header.as_bytes() => {
                session.told_again = Some(0);
                Ok(())
            }
            _ => self.session(header),
        }
    }

    fn block(&mut self, block: &Block<'_>) -> Result<()> {
        if let Some(session) = &mut self.session {
            session.totals.block(block);
        }
        self.tick()
    }

    #[inline]
    fn event(&mut self, event: &Event<'_>, late: bool) -> Result<()> {
        let turn = match (self.threads, late) {
            (None, _) => Turn::Early,
            (Some(_), false) => Turn::Certain,
            (Some(_), true) => Turn::Late,
        };
        if let Some(session) = &mut self.session {
            session.event(event, turn);
        }
        Ok(())
    }

    fn gap(&mut self, gap: &Gap) -> Result<()> {
        if let Some(session) = &mut self.session {
            session.totals.gap(gap);
        }
        Ok(())
    }

    fn idle(&mut self) -> Result<()> {
        self.tick()
    }

    fn is_watched(&self) -> bool {
        self.live.is_some()
    }

    fn has_enough(&self) -> bool {
        self.screen.as_ref().is_some_and(Screen::is_over)
    }
}
