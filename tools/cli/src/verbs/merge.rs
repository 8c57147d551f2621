//! `eventlog merge`: several logs into one.

mod join;
mod open_telemetry;
mod renumber;
mod stack_profiler;
mod survey;

use crate::analysis::target::{Target, TargetArgs};
use crate::errors::{self, Advise};
use crate::progress::Progress;
use anyhow::Result;
use clap::ValueEnum;
use eventlog_source::{Connection, Source};
use ghc_eventlog::{BlockBuilder, BlockEnds, DATA_END, Header, Item, ReadError, Reader};
use renumber::Renumber;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use survey::Survey;

/// Merge several logs into one
///
/// Logs of different programs are put side by side: capabilities, threads,
/// tasks, capability sets, cost centres, info tables, ticky counters, and what
/// the packages ghc-stack-profiler and opentelemetry number, get new numbers in
/// the later ones, and times are brought into line by the wall clock. Parts of one recording
/// (as `eventlog record` writes them, or of one process) are put together in
/// the order given, without what they repeat.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// The logs: regular files, because each is read twice
    #[arg(required = true, num_args = 1.., value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    target: TargetArgs,

    /// How times are brought into line
    #[arg(long, value_enum, default_value = "wall-clock", value_name = "HOW")]
    align: Align,

    /// Whether the files are parts of one recording
    #[arg(long, value_enum, default_value = "auto", value_name = "WHETHER")]
    parts: Parts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Align {
    /// By the wall clock, if all logs contain it
    WallClock,
    /// All programs start at the same time
    Start,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Parts {
    /// If they are from one process
    Auto,
    Yes,
    No,
}

const EXAMPLES: &str = "\
Examples:
  eventlog merge client.eventlog server.eventlog -o both.eventlog
  eventlog merge program.eventlog program.2.eventlog -o whole.eventlog
  eventlog merge slow.eventlog fast.eventlog -o compare.eventlog --align start

Heap profiles of several programs cannot be distinguished in one log.
Exit codes: 0 done, 1 a log is faulty (what came before is merged), 3 cannot read or write.";

/// The most bytes of a block that are held.
const LARGEST: usize = 8 << 20;

/// Merges.
pub fn run(args: Args) -> Result<ExitCode> {
    // Not left to clap, which counts only files that are next to each other.
    if args.files.len() < 2 {
        return Err(errors::usage("merge takes at least two logs"));
    }
    let surveys: Vec<Survey> = args
        .files
        .iter()
        .map(|path| survey::survey(path))
        .collect::<Result<_>>()?;
    let parts = match args.parts {
        Parts::Yes => true,
        Parts::No => false,
        Parts::Auto => survey::one_recording(&surveys),
    };
    let header = Arc::new(union(&args.files, &surveys)?);
    let renumbers = renumber::plan(&surveys, args.align == Align::WallClock);
    if !parts && args.align == Align::WallClock && surveys.iter().any(|of| of.clock.is_none()) {
        errors::warn(
            "not all logs contain the wall clock: all programs start at time 0 of the result",
        );
    }
    let sources: Vec<Source> = args
        .files
        .iter()
        .map(|path| Source::File(path.clone()))
        .collect();
    let mut out = args.target.open(&sources.iter().collect::<Vec<_>>())?;
    if parts {
        return put_together(&args.files, &surveys, &header, out);
    }
    out.write_all(header.as_bytes())?;
    announce(&surveys, &mut out)?;
    let mut inputs = Vec::new();
    for (path, renumber) in args.files.iter().zip(renumbers) {
        inputs.push(Input::open(path, renumber, Arc::clone(&header))?);
    }
    let mut ends = BlockEnds::default();
    // The block that ends first is written first, so that a reader that sorts the result by time
    // has little to hold back.
    loop {
        let ready = inputs
            .iter()
            .enumerate()
            .filter_map(|(at, input)| Some((input.ready?, at)));
        let Some((_, next)) = ready.min() else { break };
        inputs[next].write(&mut ends, &mut out)?;
    }
    out.write_all(&DATA_END.to_be_bytes())?;
    out.finish()?;
    let mut code = ExitCode::SUCCESS;
    let mut dropped = 0;
    for input in &inputs {
        dropped += input.dropped;
        if let Some(fault) = input.fault {
            errors::fault(&input.name, fault);
            code = ExitCode::from(errors::INPUT);
        }
    }
    if dropped > 0 {
        errors::warn(format_args!(
            "{dropped} events have no place under a common header and were left out"
        ));
    }
    Ok(code)
}

/// Joins the parts of one recording, in the order of the command line.
fn put_together(
    files: &[PathBuf],
    surveys: &[Survey],
    header: &Arc<Header>,
    mut out: Target,
) -> Result<ExitCode> {
    let mut join = join::Join::new(header);
    let mut faults: Vec<_> = surveys.iter().map(|survey| survey.fault).collect();
    if join::is_marked(surveys) {
        out.write_all(surveys[0].header.as_bytes())?;
        join.repeated = join::copy(files, surveys, &mut out)?;
    } else {
        out.write_all(header.as_bytes())?;
        for (at, (path, survey)) in files.iter().zip(surveys).enumerate() {
            // The first file needs what it repeats of files that are not here.
            let prologue = survey.prologue.filter(|_| at > 0);
            let from = prologue.map_or(0, |prologue| prologue.end);
            faults[at] = join.part(path, from, &mut out)?;
        }
    }
    let mut code = ExitCode::SUCCESS;
    for (path, fault) in files.iter().zip(faults) {
        if let Some(fault) = fault {
            errors::fault(&path.display().to_string(), fault);
            code = ExitCode::from(errors::INPUT);
        }
    }
    out.write_all(&DATA_END.to_be_bytes())?;
    out.finish()?;
    errors::note(format_args!(
        "the files are parts of one recording and were joined in this order; {} events that repeat \
         earlier ones were left out (--parts no treats them as several programs)",
        join.repeated
    ));
    if join.dropped > 0 {
        let dropped = join.dropped;
        errors::warn(format_args!(
            "{dropped} events have no place under a common header and were left out"
        ));
    }
    Ok(code)
}

/// Writes an empty block for every capability. Some logs name their capabilities only at the end,
/// but a reader that sorts by time needs to know early which ones to wait for.
fn announce(surveys: &[Survey], out: &mut impl Write) -> Result<()> {
    let caps: u32 = surveys.iter().map(|survey| survey.caps).sum();
    let caps = u16::try_from(caps).ok().filter(|&caps| caps < u16::MAX);
    let caps =
        caps.ok_or_else(|| errors::input("the logs have too many capabilities for one log"))?;
    for cap in 0..caps {
        out.write_all(BlockBuilder::new(Some(cap)).finish())?;
    }
    Ok(())
}

/// One header that declares all types of all logs.
fn union(paths: &[PathBuf], surveys: &[Survey]) -> Result<Header> {
    let mut types: Vec<ghc_eventlog::EventType> = Vec::new();
    for (path, survey) in paths.iter().zip(surveys) {
        for kind in survey.header.types() {
            let Some(known) = types.iter_mut().find(|known| known.id == kind.id) else {
                types.push(kind.clone());
                continue;
            };
            match (known.size, kind.size) {
                // Later systems append fields; they are filled with zeros.
                (Some(known_size), Some(size)) if size > known_size => *known = kind.clone(),
                (Some(_), Some(_)) | (None, None) => {}
                _ => {
                    return Err(errors::input(format_args!(
                        "{} declares event type {} in another way than the logs before it",
                        path.display(),
                        kind.id
                    )));
                }
            }
        }
    }
    let header = Header::from_types(types)
        .ok_or_else(|| errors::input("the headers do not fit into one"))?;
    Ok(header.for_new_blocks().into_owned())
}

/// One of the logs, a block at a time.
struct Input {
    name: String,
    reader: Reader<Connection>,
    renumber: Renumber,
    header: Arc<Header>,
    block: BlockBuilder,
    /// The marker that follows the block that is being collected.
    next: Option<(Option<u16>, u64, u64)>,
    /// When the collected block ends.
    ready: Option<u64>,
    fault: Option<ghc_eventlog::Error>,
    dropped: u64,
    sessions: u64,
}

impl Input {
    fn open(path: &Path, renumber: Renumber, header: Arc<Header>) -> Result<Self> {
        let name = path.display().to_string();
        let mut file = Connection::open(path).advise(format_args!("cannot open {name}"), "")?;
        let size = Source::File(path.to_owned()).log_size();
        Progress::always("merging", size).watch(&mut file);
        let mut input = Self {
            name,
            reader: Reader::new(file),
            renumber,
            header,
            block: BlockBuilder::new(None),
            next: Some((None, 0, 0)),
            ready: None,
            fault: None,
            dropped: 0,
            sessions: 0,
        };
        input.collect()?;
        Ok(input)
    }

    /// Writes the block, and collects the next one.
    fn write(&mut self, ends: &mut BlockEnds, out: &mut impl Write) -> Result<()> {
        ends.write(&mut self.block, out)?;
        self.collect()
    }

    /// Collects events up to the next marker.
    fn collect(&mut self) -> Result<()> {
        self.ready = None;
        let Some((cap, begin, end)) = self.next.take() else {
            return Ok(());
        };
        self.block.reset(self.renumber.cap(cap));
        let (begin, end) = (self.renumber.time(begin), self.renumber.time(end));
        let mut last = begin;
        loop {
            match self.reader.next_item() {
                Ok(Some(Item::Event(event))) => {
                    let time = self.renumber.time(event.time);
                    last = last.max(time);
                    let body = self.renumber.body(&event);
                    let fits =
                        self.renumber
                            .push(&mut self.block, &self.header, time, &body, &event);
                    self.dropped += u64::from(!fits);
                    if self.block.len() >= LARGEST {
                        self.next = Some((cap, event.time, end));
                        break;
                    }
                }
                Ok(Some(Item::Block(block))) => {
                    self.next = Some((block.cap, block.time, block.end));
                    // The very first block of a log has no events before it.
                    if self.block.is_empty() && begin == end {
                        return self.collect();
                    }
                    break;
                }
                Ok(Some(Item::Header)) => {
                    self.sessions += 1;
                    if self.sessions > 1 {
                        errors::warn(format_args!(
                            "{} has several sessions; only the first is merged",
                            self.name
                        ));
                        break;
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(ReadError::Format(fault)) => {
                    self.fault = Some(fault);
                    break;
                }
                Err(ReadError::Io(error)) => {
                    return Err(error).advise(format_args!("cannot read {}", self.name), "");
                }
            }
        }
        let end = if self.next.is_some_and(|(next, _, _)| next == cap) {
            last
        } else {
            end.max(last)
        };
        self.block.cover(begin.min(end), end);
        self.ready = Some(end);
        Ok(())
    }
}
