//! `eventlog repair`: makes a valid log of everything that can be read.

use crate::analysis::target::{Target, TargetArgs};
use crate::errors;
use crate::input::{Input, Reading, Step};
use crate::source::SourceArgs;
use anyhow::Result;
use ghc_eventlog::{Block, BlockBuilder, DATA_END, Event, EventBody, Gap, Header, Item, names};
use std::collections::BTreeMap;
use std::io::Write;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::Arc;

/// Make a valid log of a damaged one
///
/// What is whole stays as it is, byte for byte. Unreadable places are left
/// out, blocks that lack their end are closed, lengths that GHC declares
/// wrongly (info tables) are corrected, as are times at which no block or
/// event can be, and the mark at the end is added. A
/// log that the program has started again is joined if it goes on in time;
/// other sessions have to be asked for with --session.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    input: SourceArgs,

    #[command(flatten)]
    target: TargetArgs,

    /// Take the Nth session of a log that has several
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    session: Option<u64>,
}

const EXAMPLES: &str = "\
Examples:
  eventlog repair crashed.eventlog -o whole.eventlog
  eventlog repair two-runs.eventlog -o second.eventlog --session 2

Exit codes: 0 there is a valid log now, 1 there was nothing to be saved, 3 cannot read or write.";

/// Bytes of a block that are held at most; larger ones are divided.
const LARGEST: usize = 8 << 20;

/// Repairs a log.
pub fn run(mut args: Args) -> Result<ExitCode> {
    args.input.find()?;
    let reading = Reading {
        recover: true,
        progress: Some("repairing"),
        ..Reading::default()
    };
    let input = Input::open(&args.input, reading)?;
    let mut repair = Repair {
        out: args.target.open(&[&args.input.source])?,
        wanted: args.session,
        session: 0,
        taking: false,
        header: None,
        block: None,
        ends: BTreeMap::new(),
        latest: 0,
        check_time: false,
        marked: false,
        marked_inside: false,
        done: Done::default(),
    };
    let outcome = input.each(|step| {
        match step {
            Step::Header(header) => repair.header(header)?,
            Step::Item(Item::Gap(gap)) => repair.gap(&gap)?,
            Step::Item(item) if repair.taking => repair.item(&item)?,
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if let Some(damage) = outcome.damage() {
        errors::warn(format_args!(
            "{}: {damage}; what came before can be saved",
            args.input.source
        ));
    }
    let marked_inside = repair.marked_inside;
    repair.close_block(true)?;
    let ending = outcome.ending;
    if let Some(gap) = ending.gap {
        repair.gap(&gap)?;
    }
    if repair.header.is_none() {
        if let Some(fault) = outcome.fault {
            let name = args.input.source.to_string();
            return Err(anyhow::Error::new(fault).context(name));
        }
        return Err(match repair.session {
            0 => errors::no_header(&args.input.source.to_string()),
            sessions => errors::usage(format_args!(
                "{} has only {sessions} sessions",
                args.input.source
            )),
        });
    }
    if !marked_inside {
        repair.out.write_all(&DATA_END.to_be_bytes())?;
    }
    let name = args.input.source.to_string();
    let (done, marked) = (repair.done, repair.marked);
    repair.out.finish()?;
    done.tell(&name, ending.left, marked);
    Ok(ExitCode::SUCCESS)
}

/// What was repaired.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    events: u64,
    gaps: u64,
    skipped: u64,
    blocks: u64,
    info_tables: u64,
    joined: u64,
    left_out: u64,
    marks: u64,
    short: u64,
    times: u64,
}

struct Repair {
    out: Target,
    wanted: Option<u64>,
    session: u64,
    /// Whether the present session is part of the result.
    taking: bool,
    /// The header of the result.
    header: Option<Arc<Header>>,
    block: Option<Open>,
    /// When the last block of each capability ended: these times never go back.
    ends: BTreeMap<Option<u16>, u64>,
    /// The latest time of the sessions taken so far.
    latest: u64,
    /// A session has just begun: its first block decides whether it is joined.
    check_time: bool,
    /// The last item was the mark at the end; and it was inside the block.
    marked: bool,
    marked_inside: bool,
    done: Done,
}

/// A block that is being collected.
struct Open {
    /// Where it should end, by its marker.
    until: Option<u64>,
    begin: u64,
    end: u64,
    cap: Option<u16>,
    events: Vec<u8>,
    /// How many they are, the time of the first and of the last one in order of time, and where
    /// those are that are later than the block.
    count: usize,
    first: u64,
    last: u64,
    late: Vec<usize>,
    position: u64,
    /// Whether it did not say its size, or was divided.
    changed: bool,
}

impl Repair {
    fn header(&mut self, header: Arc<Header>) -> Result<()> {
        self.close_block(false)?;
        self.session += 1;
        let Some(wanted) = self.wanted else {
            match &self.header {
                None => self.take(header)?,
                Some(first) => {
                    // Undecided until the first block shows the time.
                    self.taking = first.as_bytes() == header.as_bytes();
                    self.check_time = self.taking;
                    self.done.left_out += u64::from(!self.taking);
                }
            }
            return Ok(());
        };
        self.taking = wanted == self.session;
        if self.taking {
            self.take(header)?;
        }
        Ok(())
    }

    fn take(&mut self, header: Arc<Header>) -> Result<()> {
        self.out.write_all(header.for_new_blocks().as_bytes())?;
        self.header = Some(header);
        self.taking = true;
        Ok(())
    }

    fn item(&mut self, item: &Item<'_>) -> Result<()> {
        match item {
            Item::Block(block) => {
                self.close_block(false)?;
                if std::mem::take(&mut self.check_time) {
                    // A log that was started again in the same program goes
                    // on; that of another run begins near 0.
                    self.taking = block.end >= self.latest;
                    self.done.joined += u64::from(self.taking);
                    self.done.left_out += u64::from(!self.taking);
                    if !self.taking {
                        return Ok(());
                    }
                }
                self.open(block);
            }
            Item::Event(event) => self.event(event)?,
            // The mark is written once, after everything else. Since GHC 9.2 it is counted as the
            // last two bytes of the last block.
            Item::End => {
                let inside = |open: &Open| open.until == Some(open.position + 2);
                self.marked_inside = self.block.as_ref().is_some_and(inside);
                self.marked = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn gap(&mut self, gap: &Gap) -> Result<()> {
        self.close_block(false)?;
        if self.taking {
            self.done.gaps += 1;
            self.done.skipped += gap.length;
        }
        Ok(())
    }

    fn open(&mut self, block: &Block<'_>) {
        self.marked = false;
        self.latest = self.latest.max(block.end);
        let length = block.raw.len() as u64;
        let size = u64::from(block.size);
        self.block = Some(Open {
            until: (size >= length).then_some(block.offset + size),
            begin: block.time,
            end: block.end,
            cap: block.cap,
            events: Vec::new(),
            count: 0,
            first: u64::MAX,
            last: 0,
            late: Vec::new(),
            position: block.offset + length,
            changed: size < length,
        });
    }

    fn event(&mut self, event: &Event<'_>) -> Result<()> {
        let inside = |open: &Open| open.until.is_none_or(|until| event.offset < until);
        let inside = self.block.as_ref().is_some_and(inside);
        // A mark in the middle of a block is not one.
        self.done.marks += u64::from(std::mem::take(&mut self.marked) && inside);
        if inside && let Some(open) = &mut self.block {
            open.position = event.offset + event.raw.len() as u64;
        }
        if self.is_short(event) {
            self.done.short += 1;
            return Ok(());
        }
        self.done.events += 1;
        self.latest = self.latest.max(event.time);
        let corrected = corrected(event);
        self.done.info_tables += u64::from(corrected.is_some());
        let raw = corrected.as_deref().unwrap_or(event.raw);
        if !inside {
            self.close_block(false)?;
            self.out.write_all(raw)?;
            return Ok(());
        }
        if let Some(open) = &mut self.block {
            open.push(event.time, raw);
            if open.events.len() >= LARGEST {
                open.changed = true;
                open.write(&mut self.ends, &mut self.done, &mut self.out)?;
            }
        }
        Ok(())
    }

    /// Whether the declared length of the event is too short for its fields.
    fn is_short(&self, event: &Event<'_>) -> bool {
        let kind = self
            .header
            .as_ref()
            .and_then(|of| of.event_type(event.id()));
        matches!(event.body, EventBody::Unknown { .. })
            && names::is_typed(event.id())
            && kind.is_some_and(|kind| kind.size.is_none())
    }

    /// Writes the block that is open; with the mark at the end if it has one
    /// and is the last.
    fn close_block(&mut self, last: bool) -> Result<()> {
        let marked_inside = std::mem::take(&mut self.marked_inside);
        let Some(mut open) = self.block.take() else {
            return Ok(());
        };
        if last && marked_inside {
            open.events.extend_from_slice(&DATA_END.to_be_bytes());
            open.position += 2;
        }
        // A block that only lacks the mark, which was left out because more follows, is whole.
        let by_mark = open.until == Some(open.position + 2);
        if open.until != Some(open.position) && !open.changed && !by_mark {
            self.done.blocks += 1;
        }
        open.write(&mut self.ends, &mut self.done, &mut self.out)
    }
}

impl Open {
    fn push(&mut self, time: u64, raw: &[u8]) {
        if time > self.end {
            self.late.push(self.events.len());
        }
        self.count += 1;
        self.first = self.first.min(time);
        self.last = self.last.max(time);
        self.events.extend_from_slice(raw);
    }

    /// Writes what is collected, with a marker that fits it: for a block that is whole, the marker
    /// that it had.
    fn write(
        &mut self,
        ends: &mut BTreeMap<Option<u16>, u64>,
        done: &mut Done,
        out: &mut impl Write,
    ) -> Result<()> {
        let before = ends.entry(self.cap).or_default();
        // No event is later than the end of its block. If most are, the time of the block is wrong.
        let wrong = self.begin > self.end || self.end < *before;
        let mostly = self.count > 1 && self.late.len() * 2 > self.count;
        if wrong || mostly {
            done.times += 1;
            self.end = self.last.max(*before);
            self.begin = self.begin.min(self.first).min(self.end);
        } else {
            done.times += self.late.len() as u64;
            for &at in &self.late {
                self.events[at + 2..at + 10].copy_from_slice(&self.end.to_be_bytes());
            }
        }
        *before = self.end;
        let mut block = BlockBuilder::new(self.cap);
        block.cover(self.begin, self.end);
        block.push_raw(self.end, &self.events);
        out.write_all(block.finish())?;
        self.events.clear();
        self.late.clear();
        (self.count, self.first, self.last) = (0, u64::MAX, 0);
        Ok(())
    }
}

/// An info table event with its true length, if it declares another one.
fn corrected(event: &Event<'_>) -> Option<Vec<u8>> {
    const LENGTH: std::ops::Range<usize> = 10..12;
    let length = event.true_length()?;
    let mut raw = event.raw.to_vec();
    raw[LENGTH].copy_from_slice(&length.to_be_bytes());
    Some(raw)
}

impl Done {
    fn tell(&self, name: &str, left: u64, marked: bool) {
        let mut told = Vec::new();
        let mut say = |count: u64, text: String| {
            if count > 0 {
                told.push(text);
            }
        };
        say(
            self.gaps,
            format!(
                "{} unreadable places with {} bytes left out",
                self.gaps, self.skipped
            ),
        );
        say(
            left,
            format!("an incomplete event of {left} bytes at the end left out"),
        );
        say(
            self.blocks,
            format!("{} blocks closed that lacked their end", self.blocks),
        );
        say(
            self.info_tables,
            format!("{} lengths of info tables corrected", self.info_tables),
        );
        say(
            self.short,
            format!("{} events too short for their fields left out", self.short),
        );
        say(
            self.times,
            format!("{} times of blocks and events corrected", self.times),
        );
        say(
            self.marks,
            format!("{} marks inside blocks left out", self.marks),
        );
        say(
            self.joined,
            format!("{} sessions joined to the first", self.joined),
        );
        say(
            self.left_out,
            format!(
                "{} more sessions left out (take one with --session N)",
                self.left_out
            ),
        );
        say(u64::from(!marked), "the mark at the end added".to_owned());
        if told.is_empty() {
            told.push("nothing to repair".to_owned());
        }
        errors::note(format_args!(
            "{name}: {} events saved; {}",
            self.events,
            told.join("; ")
        ));
    }
}
