//! Copying the records of a ring file, which may be overwritten meanwhile, and writing them as a log.

use super::chunk::{Checker, Chunk};
use super::definitions::Definitions;
use super::spool::Spool;
use super::summary::Summary;
use crate::errors::{self, Advise};
use anyhow::Result;
use eventlog_ring::{GRANULE, Stamp, StampState};
use eventlog_ring_file::{Counted, RingReader, Slots, Survey};
use ghc_eventlog::DATA_END;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

/// How long to wait for records that a program is writing right now. If that is too short, the
/// program has been stopped or gets no processor time.
const PATIENCE: Duration = Duration::from_millis(500);
/// The same for a slot, which takes a program no time.
const SLOT_PATIENCE: Duration = Duration::from_millis(50);
/// How often to start over when a program overwrites everything before it is copied.
const TRIES: u32 = 5;
/// Bytes that are copied before checking whether they are still valid...
const BATCH: u64 = 16 << 20;
/// ... and at least this part of the ring, because the check takes time in proportion to the ring.
const BATCHES: u64 = 16;
/// The ring is read at most this many times: damaged words may refer to the same bytes again and
/// again.
const READ: u64 = 4;

/// What was copied.
pub struct Copied {
    checker: Checker,
    slots: Slots,
    spool: Spool,
    chunks: Vec<(u64, Stamp, Chunk)>,
    summary: Summary,
}

impl Copied {
    /// Copies what there is, oldest first.
    pub fn of(reader: &RingReader, name: &str, directory: &Path) -> Result<Copied> {
        let read = || format!("cannot read {name}");
        let slots = reader
            .slots(patience(reader).min(SLOT_PATIENCE))
            .advise(read(), "")?;
        let newest = slots.newest.as_ref();
        let Some(checker) = newest.and_then(|slot| Checker::new(&slot.header)) else {
            return Err(no_header(reader, name, &slots));
        };
        let mut copied = Copied {
            checker,
            slots,
            spool: Spool::new(directory),
            chunks: Vec::new(),
            summary: Summary::default(),
        };
        for _ in 0..TRIES {
            copied.spool = Spool::new(directory);
            copied.chunks.clear();
            copied.summary = Summary::default();
            copied
                .copy(reader)
                .advise(format_args!("cannot copy {name}"), "")?;
            if !copied.chunks.is_empty() || copied.summary.overtaken.count == 0 {
                break;
            }
        }
        copied.drop_disordered(reader);
        Ok(copied)
    }

    fn copy(&mut self, reader: &RingReader) -> io::Result<()> {
        let mut bytes = Vec::new();
        let survey = reader.survey(patience(reader), |stamp| {
            bytes.clear();
            Ok(reader.copy(stamp, &mut bytes)? && self.checker.check(&mut bytes).is_some())
        })?;
        let granules = reader.layout().granules();
        self.summary.words = survey.damaged;
        self.summary.missing = reader.missing();
        self.summary.counted = reader
            .counted()?
            .filter(|counted| sensible(counted, &survey));
        // It also ends after as many bytes as the file can have.
        let there = reader.layout().capacity.min(reader.largest());
        let batch = BATCH.max(there / BATCHES);
        bytes.clear();
        let (mut waiting, mut torn) = (Vec::<Stamp>::new(), Vec::new());
        let mut done = 0;
        let mut budget = READ.saturating_mul(there);
        let last = survey.records.len();
        for (index, stamp) in survey.records.iter().enumerate() {
            let offset = offset_of(reader, stamp);
            match stamp.state {
                StampState::Aborted => {}
                StampState::Claimed => torn.push(*stamp),
                StampState::Committed if budget < stamp.len.into() => {
                    self.summary.damaged.add(stamp.len.into(), offset);
                }
                StampState::Committed if reader.copy(stamp, &mut bytes)? => {
                    budget -= u64::from(stamp.len);
                    waiting.push(*stamp);
                }
                StampState::Committed => self.summary.cut_off.add(stamp.len.into(), offset),
            }
            if bytes.len() as u64 >= batch || index + 1 == last {
                let counts = match waiting.iter().map(|stamp| stamp.end()).max() {
                    Some(end) => reader.overtaken(&survey, end)?,
                    None => 0,
                };
                let mut rest = &mut bytes[..];
                for stamp in waiting.drain(..) {
                    let (chunk, after) = rest.split_at_mut(stamp.len as usize);
                    rest = after;
                    self.take(reader, stamp, chunk, counts, &mut done)?;
                }
                bytes.clear();
            }
        }
        // Records that were being written may have been finished, and overwritten since.
        let holes = survey.holes(granules);
        let counts = match torn.is_empty() && holes.is_empty() {
            true => 0,
            false => reader.overtaken(&survey, survey.end)?,
        };
        for stamp in torn {
            let told = match stamp.position < counts {
                true => &mut self.summary.overtaken,
                false => &mut self.summary.torn,
            };
            told.add(stamp.len.into(), offset_of(reader, &stamp));
        }
        let holes = holes.iter().filter(|hole| hole.position >= counts);
        self.summary.unknown = holes.map(|hole| hole.bytes()).sum();
        Ok(())
    }

    /// A record was copied. `counts` is the lowest position that is still valid, `done` the end of
    /// the chunk before it.
    fn take(
        &mut self,
        reader: &RingReader,
        stamp: Stamp,
        bytes: &mut [u8],
        counts: u64,
        done: &mut u64,
    ) -> io::Result<()> {
        let offset = offset_of(reader, &stamp);
        if stamp.position < counts {
            // What was copied before it is older: with it there would be a gap in the middle.
            for (_, older, _) in std::mem::take(&mut self.chunks) {
                let offset = offset_of(reader, &older);
                self.summary.overtaken.add(older.len.into(), offset);
            }
            self.summary.overtaken.add(stamp.len.into(), offset);
            return Ok(());
        }
        if bytes == DATA_END.to_be_bytes() {
            // The end of a log, alone.
            return Ok(());
        }
        match self.checker.check(bytes) {
            Some(chunk) if stamp.position >= *done => {
                let at = self.spool.push(&bytes[..chunk.len])?;
                self.chunks.push((at, stamp, chunk));
                *done = stamp.end();
            }
            _ => self.summary.damaged.add(stamp.len.into(), offset),
        }
        Ok(())
    }

    /// Chunks of one capability are recorded in the order of time. Chunks that are not in order are
    /// damaged: as few as possible are left out, so that the others are in order.
    fn drop_disordered(&mut self, reader: &RingReader) {
        let mut caps: BTreeMap<Option<u16>, Vec<(usize, u64, u64)>> = BTreeMap::new();
        for (index, (_, _, chunk)) in self.chunks.iter().enumerate() {
            for &(cap, first, last) in &chunk.ends {
                caps.entry(cap).or_default().push((index, first, last));
            }
        }
        let mut keep = vec![true; self.chunks.len()];
        for (_, ends) in caps {
            let in_order = ends.windows(2).all(|pair| pair[0].2 <= pair[1].1);
            if !in_order {
                leave_out_least(&ends, &mut keep);
            }
        }
        let mut index = 0;
        let told = &mut self.summary;
        self.chunks.retain(|(_, stamp, _)| {
            index += 1;
            if !keep[index - 1] {
                told.damaged.add(stamp.len.into(), offset_of(reader, stamp));
            }
            keep[index - 1]
        });
    }

    /// Writes all but the end marker.
    pub fn write(
        mut self,
        reader: &RingReader,
        name: &str,
        out: &mut impl Write,
    ) -> Result<Summary> {
        // Read again: what was overwritten since may have been defined nowhere else.
        let again = reader
            .slots(patience(reader).min(SLOT_PATIENCE))
            .advise(format_args!("cannot read {name}"), "")?;
        let same = |slots: &Slots| {
            let header = |slots: &Slots| slots.newest.as_ref().map(|slot| slot.header.clone());
            header(slots) == header(&self.slots)
        };
        let slots = if same(&again) {
            again
        } else {
            self.slots.clone()
        };
        let Some(slot) = slots.newest else {
            return Err(no_header(reader, name, &self.slots));
        };
        let definitions = Definitions::read(reader, &self.checker, &slot.events);
        let mut definitions = definitions.advise(format_args!("cannot read {name}"), "")?;
        let mut bytes = Vec::new();
        for (at, _, chunk) in self.chunks.iter().filter(|(.., chunk)| chunk.is_global()) {
            self.spool.read(*at, chunk.len, &mut bytes)?;
            self.checker
                .events(&bytes, |event| definitions.repeated(event.raw));
        }
        let told = &mut self.summary;
        told.slots = slots.torn;
        told.tables = (definitions.torn.places, definitions.torn.bytes);
        if definitions.unreadable > 0 {
            told.tables.0 += 1;
            told.tables.1 += definitions.unreadable;
        }
        for (_, stamp, chunk) in &self.chunks {
            told.recovered.count += 1;
            told.recovered.bytes += u64::from(stamp.len);
            let span = told.span.get_or_insert((chunk.begin, chunk.end));
            *span = (span.0.min(chunk.begin), span.1.max(chunk.end));
        }
        let mut first_of_caps = BTreeMap::new();
        for (.., chunk) in &self.chunks {
            for cap in chunk.ends.iter().filter_map(|&(cap, ..)| cap) {
                first_of_caps.entry(cap).or_insert(chunk.begin);
            }
        }
        told.whole_from = first_of_caps.into_values().max().unwrap_or(0);
        // Blocks that belong to no capability have to be in order, too: what comes before the
        // first of them ends before its first event, which may be long before its end.
        let mut global = self.chunks.iter().filter(|(.., chunk)| chunk.is_global());
        let limit = global.next().map(|(.., chunk)| chunk.begin);
        let latest = self.chunks.iter().flat_map(|(.., chunk)| &chunk.ends);
        let latest = latest
            .filter(|(cap, ..)| cap.is_none())
            .map(|&(.., last)| last)
            .max();
        let begin = told.span.map_or(0, |(begin, _)| begin);
        let limit = limit.unwrap_or(u64::MAX);
        let header = &self.checker.header;
        let did = self.chunks.iter().flat_map(|(.., chunk)| &chunk.tasks);
        told.tasks = definitions.create_tasks(header, begin.min(limit), did);
        let [first, last] = definitions.blocks(limit, latest.unwrap_or(0));
        out.write_all(header.for_new_blocks().as_bytes())?;
        out.write_all(&first)?;
        let defined = first.get(14..22).map_or(0, be64);
        out.write_all(&told.block(header, begin.max(defined).min(limit)))?;
        for (at, _, chunk) in &self.chunks {
            self.spool.read(*at, chunk.len, &mut bytes)?;
            out.write_all(&bytes)?;
        }
        out.write_all(&last)?;
        Ok(self.summary)
    }
}

fn be64(bytes: &[u8]) -> u64 {
    bytes
        .first_chunk()
        .map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// Where a record begins in the file.
fn offset_of(reader: &RingReader, stamp: &Stamp) -> u64 {
    let layout = reader.layout();
    layout.records_at + stamp.position % layout.granules() * GRANULE as u64
}

/// No longer than the program may take to write.
fn patience(reader: &RingReader) -> Duration {
    let process = format!("/proc/{}", reader.layout().pid);
    match Path::new(&process).exists() {
        true => PATIENCE,
        false => Duration::ZERO,
    }
}

/// Whether the counters of the program are possible. They have no checksum.
fn sensible(counted: &Counted, survey: &Survey) -> bool {
    let ever = survey.end.saturating_mul(GRANULE as u64);
    let overwritten = counted.overwritten;
    overwritten.1 <= ever && overwritten.0 <= survey.end && counted.refused.0 < 1 << 48
}

/// Marks the fewest chunks to be left out so that the ends of blocks never go back: all except
/// those of a longest sequence that is in order.
fn leave_out_least(ends: &[(usize, u64, u64)], keep: &mut [bool]) {
    // best[n]: the entry with the earliest end that n + 1 entries in order can end with.
    let mut best: Vec<usize> = Vec::new();
    let mut before = vec![None; ends.len()];
    for (entry, &(_, first, last)) in ends.iter().enumerate() {
        let longest = best.partition_point(|&other| ends[other].2 <= first);
        before[entry] = longest.checked_sub(1).map(|at| best[at]);
        match best.get_mut(longest) {
            Some(other) if ends[*other].2 > last => *other = entry,
            Some(_) => {}
            None => best.push(entry),
        }
    }
    let mut kept = vec![false; ends.len()];
    let mut next = best.last().copied();
    while let Some(entry) = next {
        kept[entry] = true;
        next = before[entry];
    }
    for (&(index, ..), kept) in ends.iter().zip(kept) {
        keep[index] &= kept;
    }
}

/// The error without a header: the lengths of events are unknown.
fn no_header(reader: &RingReader, name: &str, slots: &Slots) -> anyhow::Error {
    let survey = reader
        .survey(Duration::ZERO, |_| Ok(true))
        .unwrap_or_default();
    let records = survey
        .records
        .iter()
        .filter(|stamp| stamp.state == StampState::Committed);
    let (count, bytes) = records.fold((0u64, 0u64), |(count, bytes), stamp| {
        (count + 1, bytes + u64::from(stamp.len))
    });
    let why = match (slots.torn, &slots.newest) {
        (_, Some(_)) => "the header in it makes no sense",
        (0, None) => "the program has not written a header yet",
        _ => "no copy of the header is whole",
    };
    errors::input(format_args!(
        "cannot recover {name}: {why}; there are {count} chunks with {bytes} bytes, which cannot be read without"
    ))
}
