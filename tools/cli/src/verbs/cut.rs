//! `eventlog cut`: a part of a log, as a log.

mod early;
mod selection;

use crate::analysis::feed::{Mode, Sink, feed, feed_from};
use crate::analysis::target::{Target, TargetArgs};
use crate::errors;
use crate::input::Reading;
use crate::source::SourceArgs;
use crate::units;
use anyhow::Result;
use early::Early;
use eventlog_state::{Keep, State, Turn, transition};
use ghc_eventlog::{Blocks, DATA_END, Event, EventBody, Header, definition};
use regex::bytes::Regex;
use selection::Selection;
use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::Arc;

/// Cut a part out of a log: a time range, some capabilities, some types
///
/// The result is a log that every tool can read: what was defined before the
/// range (the program, capabilities, cost centres, the threads that are alive
/// and what they do) is put at its beginning. Events are in the order of time
/// within each capability. What only makes sense together is kept or left out
/// as a whole: heap samples, the beginnings and ends of runs and collections.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    input: SourceArgs,

    #[command(flatten)]
    target: TargetArgs,

    /// Begin at this time of the log: 1.5s, 200ms, 2m
    #[arg(long, value_name = "TIME", value_parser = units::nanos)]
    from: Option<u64>,

    /// End before this time
    #[arg(long, value_name = "TIME", value_parser = units::nanos)]
    to: Option<u64>,

    /// Begin at the first user marker or message that matches
    #[arg(long, value_name = "REGEX", conflicts_with = "from")]
    from_marker: Option<Regex>,

    /// End after the first user marker or message that matches (after the beginning)
    #[arg(long, value_name = "REGEX", conflicts_with = "to")]
    to_marker: Option<Regex>,

    /// Only these capabilities (and the global events)
    #[arg(long = "cap", short, value_name = "CAP", value_delimiter = ',')]
    caps: Vec<u16>,

    /// Only these types: names, patterns (heap_*), numbers, or classes (gc, thread, ...);
    /// definitions are always kept
    #[arg(long = "type", short, value_name = "TYPE", value_delimiter = ',')]
    types: Vec<String>,

    /// Not these types
    #[arg(long, short = 'x', value_name = "TYPE", value_delimiter = ',')]
    exclude: Vec<String>,

    /// How much to hold back to bring capabilities into order
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = units::bytes)]
    memory: u64,
}

const EXAMPLES: &str = "\
Examples:
  eventlog cut program.eventlog -o second.eventlog --from 1s --to 2s
  eventlog cut program.eventlog -o round.eventlog --from-marker 'round 3' --to-marker 'round 4'
  eventlog cut program.eventlog -o small.eventlog --exclude thread_wakeup,spark_*

Exit codes: 0 done, 1 the log is faulty (what came before is cut), 3 cannot read or write.";

/// Cuts.
pub fn run(mut args: Args) -> Result<ExitCode> {
    args.input.find()?;
    if args.from.zip(args.to).is_some_and(|(from, to)| from >= to) {
        return Err(errors::usage("--from must be earlier than --to"));
    }
    let target = args.target.open(&[&args.input.source])?;
    let reading = Reading {
        progress: Some("cutting"),
        ..Reading::default()
    };
    let (input, memory) = (args.input.clone(), args.memory);
    let selection = Selection::new(&args.caps, &args.types, &args.exclude)?;
    let range = Range {
        from: args.from,
        to: args.to,
        from_marker: args.from_marker,
        to_marker: args.to_marker,
    };
    let mut cut = Cut::new(range, selection, memory, target);
    cut.live = input.follow || input.source.is_socket();
    let fed = feed(&input, reading, Mode::Time(memory), &mut cut)?;
    cut.finish()?;
    Ok(fed.report())
}

/// Cuts a range of times out of a log from any reader. Returns the fault that ended the log, if
/// any.
pub fn cut_times(
    log: impl Read,
    (from, to): (Option<u64>, Option<u64>),
    out: Target,
) -> Result<Option<ghc_eventlog::Error>> {
    const MEMORY: u64 = 64 << 20;
    let range = Range {
        from,
        to,
        ..Range::default()
    };
    let selection = Selection::new(&[], &[], &[])?;
    let mut cut = Cut::new(range, selection, MEMORY, out);
    let fault = feed_from(log, MEMORY, &mut cut)?;
    cut.finish()?;
    Ok(fault)
}

/// What of the log is wanted.
#[derive(Debug, Default)]
struct Range {
    from: Option<u64>,
    to: Option<u64>,
    from_marker: Option<Regex>,
    to_marker: Option<Regex>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Before,
    Inside,
    After,
}

struct Cut {
    range: Range,
    /// Whether the program still runs.
    live: bool,
    selection: Selection,
    early: Early,
    out: Target,
    /// What was defined before the range.
    before: Option<State>,
    blocks: Blocks,
    place: Place,
    begins_at: u64,
    /// Whether the heap sample that is open now is kept.
    sample: Option<bool>,
    events: u64,
    sessions: u64,
}

/// The same event at another time.
fn dated(raw: &[u8], time: u64) -> Vec<u8> {
    let mut raw = raw.to_vec();
    if let Some(place) = raw.get_mut(2..10) {
        place.copy_from_slice(&time.to_be_bytes());
    }
    raw
}

impl Cut {
    fn new(range: Range, selection: Selection, memory: u64, out: Target) -> Self {
        Self {
            range,
            live: false,
            selection,
            early: Early::new(memory),
            out,
            before: None,
            blocks: Blocks::default(),
            place: Place::Before,
            begins_at: 0,
            sample: None,
            events: 0,
            sessions: 0,
        }
    }

    /// The log is over: completes the result, unless there was no log at all.
    fn finish(mut self) -> Result<()> {
        if self.before.is_none() {
            return Ok(());
        }
        self.early_until(u64::MAX)?;
        if self.place == Place::Before {
            let what = if self.range.from_marker.is_some() {
                "marker"
            } else {
                "time"
            };
            errors::warn(format_args!(
                "the log has no such {what}: there are only definitions in the result"
            ));
            self.begin(self.range.from.unwrap_or(0))?;
        }
        self.blocks.flush_together(&mut self.out)?;
        self.out.write_all(&DATA_END.to_be_bytes())?;
        self.out.finish()?;
        if self.sessions > 1 {
            errors::warn(
                "only the first session was cut; take another with `eventlog repair --session N`",
            );
        }
        let events = self.events;
        errors::note(format_args!("{events} events kept"));
        Ok(())
    }

    /// The range begins: writes the definitions and the state that hold at its beginning.
    fn begin(&mut self, time: u64) -> Result<()> {
        (self.place, self.begins_at) = (Place::Inside, time);
        let Some(before) = &mut self.before else {
            return Ok(());
        };
        let snapshot = before.snapshot();
        let (selection, blocks, out) = (&mut self.selection, &mut self.blocks, &mut self.out);
        let mut result = Ok(());
        transition(None, &snapshot, time, &mut |cap, raw| {
            if result.is_ok() && selection.keeps_raw(snapshot.header(), cap, raw) {
                blocks.push(cap, time, raw);
                if blocks.is_full() {
                    result = blocks.flush(out);
                }
            }
        });
        result.and_then(|()| blocks.flush(out))?;
        let (threads, labels) = before.refused();
        let definitions = before.definitions().refused();
        if threads + labels + definitions > 0 {
            errors::warn(format_args!(
                "there are too many things before the range: {threads} threads, {labels} labels \
                 and {definitions} definitions are not in the result"
            ));
        }
        Ok(())
    }

    /// Writes an event, if it is wanted, as of this time.
    fn keep(&mut self, event: &Event<'_>, time: u64) -> Result<()> {
        let definition = definition(&event.body);
        if !self.selection.keeps(event.cap, event.id(), definition) {
            return Ok(());
        }
        if time == event.time {
            self.events += 1;
            self.blocks.push(event.cap, time, &event.raw_for_moving());
        } else {
            self.blocks
                .push(event.cap, time, &dated(&event.raw_for_moving(), time));
        }
        if self.blocks.is_full() {
            self.blocks.flush_together(&mut self.out)?;
        }
        Ok(())
    }

    /// Whether a marker or message of the program matches.
    fn matches(rule: Option<&Regex>, event: &Event<'_>) -> bool {
        let text = match event.body {
            EventBody::UserMarker { marker } => marker,
            EventBody::UserMsg { message } => message,
            _ => return false,
        };
        rule.is_some_and(|rule| rule.is_match(text.as_bytes()))
    }
}

impl Sink for Cut {
    /// In the log of a running program, nothing after the end of the range is needed. In a file it
    /// may be: GHC 9.0 writes at the end which program it was.
    fn has_enough(&self) -> bool {
        self.live && self.place == Place::After && self.sample != Some(true)
    }

    fn session(&mut self, header: &Arc<Header>) -> Result<()> {
        self.sessions += 1;
        if self.before.is_none() {
            self.out.write_all(header.for_new_blocks().as_bytes())?;
            self.before = Some(State::new(header, Keep::for_beginnings()));
        }
        Ok(())
    }

    fn event(&mut self, event: &Event<'_>, late: bool) -> Result<()> {
        if self.sessions > 1 {
            return Ok(());
        }
        if event.cap.is_none() {
            if !self.early.takes(event) {
                return self.in_turn(event, late);
            }
            while let Some(event) = self.early.too_many() {
                self.again(&event)?;
            }
            return Ok(());
        }
        self.early_until(event.time)?;
        self.in_turn(event, late)
    }
}

impl Cut {
    /// Global events that had to wait for this time.
    fn early_until(&mut self, time: u64) -> Result<()> {
        while let Some(event) = self.early.until(time) {
            self.again(&event)?;
        }
        Ok(())
    }

    fn again(&mut self, event: &early::Waiting) -> Result<()> {
        let Some(header) = self
            .before
            .as_ref()
            .map(|before| Arc::clone(before.header()))
        else {
            return Ok(());
        };
        event.with(header, |event| self.in_turn(event, false))
    }

    /// Takes an event in the order of time.
    fn in_turn(&mut self, event: &Event<'_>, late: bool) -> Result<()> {
        if self.place == Place::Before {
            let begins = match (&self.range.from_marker, self.range.from) {
                (Some(rule), _) => Self::matches(Some(rule), event),
                (None, Some(from)) => event.time >= from,
                (None, None) => true,
            };
            if !begins {
                let turn = if late { Turn::Late } else { Turn::Certain };
                if let Some(before) = &mut self.before {
                    before.apply(event, turn, &mut |_| {});
                }
            } else {
                self.begin(self.range.from.unwrap_or(event.time))?;
            }
        }
        let inside = self.place == Place::Inside && self.range.to.is_none_or(|to| event.time < to);
        // GHC 9.0 writes which program it is, and what its heap was, at the end.
        let too_late = late && event.time < self.begins_at;
        // A sample stays whole: it belongs to where it begins.
        let sample = match event.body {
            EventBody::HeapProfSampleBegin { .. } | EventBody::HeapBioProfSampleBegin { .. } => {
                self.sample = Some(inside && !too_late);
                self.sample
            }
            EventBody::HeapProfSampleEnd { .. } => Some(self.sample.take().unwrap_or(false)),
            EventBody::HeapProfSampleString { .. } | EventBody::HeapProfSampleCostCentre { .. } => {
                Some(self.sample.unwrap_or(false))
            }
            _ => None,
        };
        if self.place == Place::Before {
            return Ok(());
        }
        let belated = too_late && definition(&event.body).is_some();
        if belated && !matches!(event.body, EventBody::WallClockTime { .. }) {
            self.keep(event, self.begins_at)?;
        } else if sample.unwrap_or(inside || belated) {
            self.keep(event, event.time)?;
        }
        if self.place == Place::Inside && Self::matches(self.range.to_marker.as_ref(), event) {
            self.place = Place::After;
        }
        if self.range.to.is_some_and(|to| event.time >= to) {
            self.place = Place::After;
        }
        Ok(())
    }
}
