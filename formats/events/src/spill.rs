//! Sorted runs of events, in memory while they fit and in a temporary file
//! when they do not, and their merge.

use crate::event::Event;
use crate::layout::GLOBAL;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// How many runs are merged at a time.
const FAN_IN: usize = 64;
/// Bytes before each event in a temporary file: time, capability, length.
const HEAD: usize = 8 + 2 + 4;

/// A part of a temporary file: one sorted run.
#[derive(Clone, Copy, Debug)]
struct Run {
    from: u64,
    to: u64,
}

/// Where an event is in memory.
#[derive(Clone, Copy, Debug)]
struct Entry {
    time: u64,
    at: u64,
    length: u32,
    cap: u16,
}

/// Collects events and returns them ordered by time; equal times in the order
/// in which they were added.
#[derive(Debug)]
pub(crate) struct Spill {
    memory: usize,
    dir: PathBuf,
    temp_file: fn(&Path) -> io::Result<File>,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    file: Option<File>,
    runs: Vec<Run>,
    pub(crate) runs_written: u64,
}

impl Spill {
    pub(crate) fn new(memory: usize, dir: &Path, temp_file: fn(&Path) -> io::Result<File>) -> Self {
        Self {
            memory,
            dir: dir.to_owned(),
            temp_file,
            bytes: Vec::new(),
            entries: Vec::new(),
            file: None,
            runs: Vec::new(),
            runs_written: 0,
        }
    }

    /// Adds an event.
    pub(crate) fn add(&mut self, event: &Event<'_>) -> io::Result<()> {
        // The sort itself needs half as much memory again as the entries.
        let cost = self.bytes.len() + self.entries.len() * (size_of::<Entry>() * 3 / 2);
        if cost + event.raw.len() > self.memory && !self.entries.is_empty() {
            self.spill()?;
        }
        if self.bytes.capacity() == 0 {
            // Doubling would overshoot the bound: events take about as much
            // space as their entries.
            self.bytes.reserve(self.memory / 3);
            self.entries.reserve(self.memory / 3 / size_of::<Entry>());
        }
        self.entries.push(Entry {
            time: event.time,
            at: self.bytes.len() as u64,
            length: event.raw.len() as u32,
            cap: event.cap.unwrap_or(GLOBAL),
        });
        self.bytes.extend_from_slice(&event.raw_for_moving());
        Ok(())
    }

    /// Sorts what is in memory and appends it to the temporary file.
    fn spill(&mut self) -> io::Result<()> {
        if self.entries.is_empty() {
            return Ok(());
        }
        self.entries.sort_by_key(|entry| entry.time);
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert((self.temp_file)(&self.dir)?),
        };
        let from = file.seek(SeekFrom::End(0))?;
        let mut out = RunWriter::new(file, from);
        for entry in &self.entries {
            out.write(entry.time, entry.cap, entry.raw(&self.bytes))?;
        }
        self.runs.push(out.finish()?);
        self.runs_written += 1;
        self.entries.clear();
        self.bytes.clear();
        Ok(())
    }

    /// Passes every event to `sink` in order, and drops them.
    pub(crate) fn drain(
        &mut self,
        mut sink: impl FnMut(u64, u16, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.runs.is_empty() {
            self.entries.sort_by_key(|entry| entry.time);
            for entry in &self.entries {
                sink(entry.time, entry.cap, entry.raw(&self.bytes))?;
            }
            self.entries.clear();
            self.bytes.clear();
            return Ok(());
        }
        self.spill()?;
        (self.bytes, self.entries) = (Vec::new(), Vec::new());
        let Some(mut file) = self.file.take() else {
            return Ok(());
        };
        let mut runs = std::mem::take(&mut self.runs);
        while runs.len() > FAN_IN {
            // Adjacent runs are merged, so that equal times stay in order.
            let next = (self.temp_file)(&self.dir)?;
            let mut from = 0;
            let mut merged = Vec::new();
            for group in runs.chunks(FAN_IN) {
                let mut out = RunWriter::new(&next, from);
                merge(&file, group, self.memory, |time, cap, raw| {
                    out.write(time, cap, raw)
                })?;
                let run = out.finish()?;
                from = run.to;
                merged.push(run);
            }
            (file, runs) = (next, merged);
        }
        merge(&file, &runs, self.memory, sink)
    }
}

impl Entry {
    fn raw<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.at as usize..][..self.length as usize]
    }
}

/// Writes one run.
struct RunWriter<'f> {
    out: BufWriter<&'f File>,
    run: Run,
}

impl<'f> RunWriter<'f> {
    /// `from` is the end of the file, and the file's current position.
    fn new(file: &'f File, from: u64) -> Self {
        Self {
            out: BufWriter::with_capacity(1 << 18, file),
            run: Run { from, to: from },
        }
    }

    fn write(&mut self, time: u64, cap: u16, raw: &[u8]) -> io::Result<()> {
        let mut head = [0; HEAD];
        head[..8].copy_from_slice(&time.to_le_bytes());
        head[8..10].copy_from_slice(&cap.to_le_bytes());
        head[10..].copy_from_slice(&(raw.len() as u32).to_le_bytes());
        self.out.write_all(&head)?;
        self.out.write_all(raw)?;
        self.run.to += (HEAD + raw.len()) as u64;
        Ok(())
    }

    fn finish(mut self) -> io::Result<Run> {
        self.out.flush()?;
        Ok(self.run)
    }
}

/// Reads one run; several share a file, so each seeks to its own place.
struct RunReader<'f> {
    file: &'f File,
    run: Run,
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
}

impl<'f> RunReader<'f> {
    fn new(file: &'f File, run: Run, buffer: usize) -> Self {
        Self {
            file,
            run,
            buffer: vec![0; buffer],
            at: 0,
            filled: 0,
        }
    }

    /// Makes `count` bytes available; `false` at the end of the run.
    fn need(&mut self, count: usize) -> io::Result<bool> {
        if self.filled - self.at >= count {
            return Ok(true);
        }
        self.buffer.copy_within(self.at..self.filled, 0);
        self.filled -= self.at;
        self.at = 0;
        if self.buffer.len() < count {
            self.buffer.resize(count, 0);
        }
        let left = usize::try_from(self.run.to - self.run.from).unwrap_or(usize::MAX);
        let end = self.buffer.len().min(self.filled.saturating_add(left));
        self.file.seek(SeekFrom::Start(self.run.from))?;
        self.file.read_exact(&mut self.buffer[self.filled..end])?;
        self.run.from += (end - self.filled) as u64;
        self.filled = end;
        Ok(self.filled >= count)
    }

    /// Time, capability and length of the event at the front.
    fn front(&mut self) -> io::Result<Option<(u64, u16, usize)>> {
        if !self.need(HEAD)? {
            return Ok(None);
        }
        let head = &self.buffer[self.at..];
        let time = head
            .first_chunk()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let cap = u16::from_le_bytes([head[8], head[9]]);
        let length = u32::from_le_bytes([head[10], head[11], head[12], head[13]]) as usize;
        Ok(self.need(HEAD + length)?.then_some((time, cap, length)))
    }
}

fn merge(
    file: &File,
    runs: &[Run],
    memory: usize,
    mut sink: impl FnMut(u64, u16, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let buffer = (memory / 2 / runs.len().max(1)).clamp(4 << 10, 1 << 20);
    let mut readers: Vec<_> = runs
        .iter()
        .map(|run| RunReader::new(file, *run, buffer))
        .collect();
    let mut fronts = BinaryHeap::with_capacity(readers.len());
    for (index, reader) in readers.iter_mut().enumerate() {
        if let Some((time, ..)) = reader.front()? {
            fronts.push(Reverse((time, index)));
        }
    }
    while let Some(Reverse((_, index))) = fronts.pop() {
        let reader = &mut readers[index];
        // Go on with this run for as long as it has the least time.
        let next = fronts.peek().map(|Reverse(key)| *key);
        while let Some((time, cap, length)) = reader.front()? {
            if next.is_some_and(|next| (time, index) > next) {
                fronts.push(Reverse((time, index)));
                break;
            }
            let from = reader.at + HEAD;
            sink(time, cap, &reader.buffer[from..from + length])?;
            reader.at = from + length;
        }
    }
    Ok(())
}
