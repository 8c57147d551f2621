//! `eventlog cut`: a part of a log, as a log.

use crate::analysis::blocks::Blocks;
use crate::analysis::feed::{Mode, Sink, feed};
use crate::analysis::snapshot::{Snapshot, dated, defines};
use crate::analysis::target::{Target, TargetArgs};
use crate::errors;
use crate::filter::TypeSet;
use crate::input::Reading;
use crate::source::SourceArgs;
use crate::units;
use anyhow::Result;
use ghc_eventlog::{DATA_END, Event, EventBody, Header};
use regex::bytes::Regex;
use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

/// Cut a part out of a log: a time range, some capabilities, some types
///
/// The result is a log that every tool can read: what was told before the
/// range (the program, capabilities, cost centres, the threads that are alive
/// and what they do) is put at its beginning. Events are in the order of time
/// within each capability. Heap samples are kept or left out as a whole.
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

fn types(args: &Args) -> Result<TypeSet> {
    let mut types = if args.types.is_empty() {
        TypeSet::all()
    } else {
        TypeSet::none()
    };
    for name in &args.types {
        types.set(name, true).map_err(errors::usage)?;
    }
    for name in &args.exclude {
        types.set(name, false).map_err(errors::usage)?;
    }
    if types.is_empty() {
        return Err(errors::usage(
            "--exclude takes out all that --type lets through: nothing can match",
        ));
    }
    Ok(types)
}

/// Cuts.
pub fn run(args: Args) -> Result<ExitCode> {
    if args.from.zip(args.to).is_some_and(|(from, to)| from >= to) {
        return Err(errors::usage("--from must be earlier than --to"));
    }
    let target = args.target.open(&[&args.input.source])?;
    let reading = Reading {
        progress: Some("cutting"),
        ..Reading::default()
    };
    let (input, memory) = (args.input.clone(), args.memory);
    let mut cut = Cut {
        caps: args.caps.iter().copied().collect(),
        types: types(&args)?,
        args,
        out: target,
        header: None,
        snapshot: Snapshot::default(),
        blocks: Blocks::default(),
        place: Place::Before,
        begins_at: 0,
        sample: None,
        events: 0,
        sessions: 0,
    };
    let fed = feed(&input, reading, Mode::Time(memory), &mut cut)?;
    if cut.header.is_none() {
        return Ok(fed.report());
    }
    if cut.place == Place::Before {
        let what = if cut.args.from_marker.is_some() {
            "marker"
        } else {
            "time"
        };
        errors::warn(format_args!(
            "the log has no such {what}: there are only definitions in the result"
        ));
        cut.begin(cut.args.from.unwrap_or(0))?;
    }
    cut.blocks.flush(&mut cut.out)?;
    cut.out.write_all(&DATA_END.to_be_bytes())?;
    let (events, more) = (cut.events, cut.sessions > 1);
    cut.out.finish()?;
    if more {
        errors::warn(
            "only the first session was cut; take another with `eventlog repair --session N`",
        );
    }
    errors::note(format_args!("{events} events kept"));
    Ok(fed.report())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Before,
    Inside,
    After,
}

struct Cut {
    args: Args,
    caps: BTreeSet<u16>,
    types: TypeSet,
    out: Target,
    header: Option<Arc<Header>>,
    snapshot: Snapshot,
    blocks: Blocks,
    place: Place,
    begins_at: u64,
    /// Whether the heap sample that is open now is kept.
    sample: Option<bool>,
    events: u64,
    sessions: u64,
}

impl Cut {
    /// The range begins: brings the reader up to date.
    fn begin(&mut self, time: u64) -> Result<()> {
        self.place = Place::Inside;
        let Some(header) = self.header.clone() else {
            return Ok(());
        };
        let (blocks, out, caps) = (&mut self.blocks, &mut self.out, &self.caps);
        self.snapshot
            .write(&header, time, |cap, raw| match chosen(caps, cap) {
                true => blocks.push(cap, time, raw, out),
                false => Ok(()),
            })?;
        self.blocks.flush_definitions(&mut self.out)?;
        self.begins_at = time;
        Ok(())
    }

    fn keeps(&self, event: &Event<'_>) -> bool {
        chosen(&self.caps, event.cap) && (defines(&event.body) || self.types.contains(event.id()))
    }

    fn keep(&mut self, event: &Event<'_>) -> Result<()> {
        if self.keeps(event) {
            self.events += 1;
            self.blocks.push(
                event.cap,
                event.time,
                &event.raw_for_moving(),
                &mut self.out,
            )?;
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

fn chosen(caps: &BTreeSet<u16>, cap: Option<u16>) -> bool {
    caps.is_empty() || cap.is_none_or(|cap| caps.contains(&cap))
}

impl Sink for Cut {
    /// Of a program that runs, what comes after the end will never be wanted.
    /// Of a file it may be: GHC 9.0 tells at the end what the program was.
    fn has_enough(&self) -> bool {
        let live = self.args.input.follow || self.args.input.source.is_socket();
        live && self.place == Place::After && self.sample != Some(true)
    }

    fn session(&mut self, header: &Arc<Header>) -> Result<()> {
        self.sessions += 1;
        if self.header.is_none() {
            self.out.write_all(header.for_new_blocks().as_bytes())?;
            self.header = Some(Arc::clone(header));
        }
        Ok(())
    }

    fn event(&mut self, event: &Event<'_>, late: bool) -> Result<()> {
        if self.sessions > 1 {
            return Ok(());
        }
        if self.place == Place::Before {
            let begins = match (&self.args.from_marker, self.args.from) {
                (Some(rule), _) => Self::matches(Some(rule), event),
                (None, Some(from)) => event.time >= from,
                (None, None) => true,
            };
            if !begins {
                self.snapshot.event(event);
            } else {
                self.begin(self.args.from.unwrap_or(event.time))?;
            }
        }
        // A sample stays whole: it belongs to where it begins.
        let inside = self.place == Place::Inside && self.args.to.is_none_or(|to| event.time < to);
        let sample = match event.body {
            EventBody::HeapProfSampleBegin { .. } | EventBody::HeapBioProfSampleBegin { .. } => {
                self.sample = Some(inside);
                Some(inside)
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
        // GHC 9.0 tells what the program is when it ends.
        let belated = defines(&event.body) && late && event.time < self.begins_at;
        if belated && !matches!(event.body, EventBody::WallClockTime { .. }) {
            let raw = dated(&event.raw_for_moving(), self.begins_at);
            self.blocks
                .push(event.cap, self.begins_at, &raw, &mut self.out)?;
        } else if sample.unwrap_or(inside || belated) {
            self.keep(event)?;
        }
        if self.place == Place::Inside && Self::matches(self.args.to_marker.as_ref(), event) {
            self.place = Place::After;
        }
        if self.args.to.is_some_and(|to| event.time >= to) {
            self.place = Place::After;
        }
        Ok(())
    }
}
