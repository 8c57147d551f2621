//! The parts of a session as one log.
//!
//! If nothing was lost, that is the stream, byte for byte. Where something could not be written,
//! the log says so, and goes on with the events that bring its reader up to date.

use crate::entry::Entry;
use crate::error::{Doing, Error};
use crate::index::Index;
use crate::session::{Part, Session, State};
use eventlog_state::{Follower, Keep, MergeOptions, transition_blocks};
use ghc_eventlog::notes::{Note, RecordLoss};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A part of a session, in nanoseconds of the log's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// Include everything that is needed to know all from this time on. The result begins earlier.
    pub from: Option<u64>,
    /// Include everything that can have events before this time. The result may have later ones,
    /// too.
    pub to: Option<u64>,
}

/// A part of the stream that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The number of the part before it.
    pub after: u32,
    /// How many bytes.
    pub bytes: u64,
    /// From when to when.
    pub between: (u64, u64),
}

/// The parts of a session as one log, which can be read.
#[derive(Debug)]
pub struct Joined {
    segments: VecDeque<Segment>,
    open: Option<(io::Take<File>, PathBuf)>,
    length: u64,
    missing: Vec<Missing>,
}

#[derive(Debug)]
enum Segment {
    Bytes(Cursor<Vec<u8>>),
    File { path: PathBuf, from: u64, to: u64 },
}

impl Joined {
    /// Joins all of a session, or a range.
    ///
    /// # Errors
    ///
    /// If there is nothing, or a part cannot be read.
    pub fn of(session: &Session, range: Range) -> Result<Self, Error> {
        let is_live = session.state() == State::Recording;
        let parts: Vec<(&Part, &Index)> = session
            .parts()
            .iter()
            .filter_map(|part| Some((part, part.index.as_ref()?)))
            .collect();
        let before =
            |(_, index): &&(&Part, &Index)| range.from.is_some_and(|from| index.head.at <= from);
        let mut number = parts.iter().skip(1).take_while(before).count();
        let Some(&(first, its)) = parts.get(number) else {
            let name = session.name().to_owned();
            return Err(Error::NothingRecorded { name });
        };
        let mut joined = Self {
            segments: VecDeque::new(),
            open: None,
            length: 0,
            missing: Vec::new(),
        };
        joined.file(&first.path, 0, its.head.body);
        let mut start = its.head.body;
        while let [this, rest @ ..] = parts.get(number..).unwrap_or_default() {
            let (part, index) = *this;
            let Some(next) = rest.first() else {
                joined.blocks(part, index, (start, index.reaches()), range);
                if !is_live && range.to.is_none() {
                    // Of an event that is cut off, the part that exists.
                    joined.file(&part.path, index.reaches(), index.reaches() + index.tail);
                }
                break;
            };
            let (end, lost) = index.up_to(next.1);
            joined.blocks(part, index, (start, end), range);
            if lost == 0 {
                (number, start) = (number + 1, next.1.head.body);
                continue;
            }
            let bridge = Bridge::over(*this, end, rest)?;
            joined.missing.push(Missing {
                after: part.number,
                bytes: bridge.lost,
                between: bridge.between,
            });
            joined.insert(bridge.bytes);
            (number, start) = (number + 1 + bridge.part, bridge.resumes);
        }
        Ok(joined)
    }

    /// How many bytes it has.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// What is missing in it.
    pub fn missing(&self) -> &[Missing] {
        &self.missing
    }

    fn insert(&mut self, bytes: Vec<u8>) {
        self.length += bytes.len() as u64;
        self.segments.push_back(Segment::Bytes(Cursor::new(bytes)));
    }

    fn file(&mut self, path: &Path, from: u64, to: u64) {
        if from >= to {
            return;
        }
        self.length += to - from;
        if let Some(Segment::File {
            path: last,
            to: end,
            ..
        }) = self.segments.back_mut()
            && *end == from
            && last == path
        {
            *end = to;
            return;
        }
        let path = path.to_owned();
        self.segments.push_back(Segment::File { path, from, to });
    }

    /// Adds the blocks of a part in these bytes, as far as they are in the range.
    fn blocks(&mut self, part: &Part, index: &Index, (from, to): (u64, u64), range: Range) {
        let Some(until) = range.to else {
            return self.file(&part.path, from, to);
        };
        let wanted = |entry: &&Entry| {
            let within = entry.offset >= from && entry.reaches() <= to;
            within && (!entry.is_block || entry.begin < until)
        };
        for entry in index.entries.iter().filter(wanted) {
            self.file(&part.path, entry.offset, entry.reaches());
        }
    }
}

/// The bridge from the end of a part to a place in a later part where the log can continue.
struct Bridge {
    /// The bytes to write in between.
    bytes: Vec<u8>,
    /// The index of the later part; if there is none, one more than the last.
    part: usize,
    /// Where in it the log continues.
    resumes: u64,
    lost: u64,
    between: (u64, u64),
}

impl Bridge {
    /// `end`: where the part ends.
    fn over(
        (part, index): (&Part, &Index),
        end: u64,
        rest: &[(&Part, &Index)],
    ) -> Result<Self, Error> {
        let mut before = Follow::new();
        before.push(part, 0, end)?;
        let since = before.0.position().time();
        let known = before.0.delivered();
        let ended = index.head.offset + (end - index.head.body);
        let mut after = Follow::new();
        // The next bytes do not continue what `after` has followed so far.
        let mut is_new = true;
        for (number, &(part, its)) in rest.iter().enumerate() {
            if std::mem::take(&mut is_new) {
                after = Follow::new();
                after.push(part, 0, its.head.body)?;
            }
            let next = rest.get(number + 1).map(|(_, next)| its.up_to(next));
            let end = next.map_or(its.reaches(), |(end, _)| end);
            let mut at = its.head.body;
            let places = std::iter::once(at).chain(its.entries.iter().map(Entry::reaches));
            for place in places.take_while(|place| *place <= end) {
                after.push(part, at, place)?;
                at = place;
                // The last event of a capability must not be followed by older ones.
                if after.0.at() < since {
                    continue;
                }
                let until = after.0.at();
                let (Some(known), Some((state, window))) = (&known, after.0.cut()) else {
                    continue;
                };
                let lost = its.head.offset + (at - its.head.body) - ended;
                let between = (since, until);
                let note = note(lost, between);
                let mut bytes = Vec::new();
                let mut write = |of: &[u8]| bytes.extend_from_slice(of);
                let state = state.resuming(known);
                transition_blocks(Some(known), &state, until, Some(&note), &mut write);
                window.write(&mut write);
                return Ok(Self {
                    bytes,
                    part: number,
                    resumes: at,
                    lost,
                    between,
                });
            }
            is_new = next.is_some_and(|(_, lost)| lost > 0);
        }
        // There is too little after the gap to continue with.
        let last = rest.last().map_or(index, |(_, last)| last);
        let lost = last.stream_end() - ended;
        let times = rest.iter().filter_map(|(_, its)| Some(its.times()?.1));
        let between = (since, times.fold(since, u64::max));
        let mut bytes = Vec::new();
        if let Some(known) = &known {
            let (note, mut write) = (note(lost, between), |of: &[u8]| bytes.extend_from_slice(of));
            transition_blocks(Some(known), known, since, Some(&note), &mut write);
        }
        Ok(Self {
            bytes,
            part: rest.len(),
            resumes: 0,
            lost,
            between,
        })
    }
}

fn note(bytes: u64, between: (u64, u64)) -> String {
    Note::RecordLoss(RecordLoss { bytes, between }).to_string()
}

/// Follows the bytes of parts.
struct Follow(Follower);

impl Follow {
    fn new() -> Self {
        let keep = Keep::for_beginnings();
        Self(Follower::new(MergeOptions::default(), keep))
    }

    /// Takes these bytes of a part, which must be the next ones.
    fn push(&mut self, part: &Part, from: u64, to: u64) -> Result<(), Error> {
        let path = &*part.path;
        let mut file = File::open(path).doing("open", path)?;
        file.seek(SeekFrom::Start(from)).doing("read", path)?;
        let mut bytes = file.take(to.saturating_sub(from));
        let mut buffer = vec![0; (to.saturating_sub(from)).min(1 << 18) as usize];
        while !buffer.is_empty() {
            let count = bytes.read(&mut buffer).doing("read", path)?;
            if count == 0 {
                break;
            }
            let pushed = self.0.push_bytes(&buffer[..count], &mut |_| {});
            pushed.map_err(|fault| Error::Damaged {
                path: path.to_owned(),
                fault,
            })?;
        }
        Ok(())
    }
}

impl Read for Joined {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some((file, path)) = &mut self.open {
                let count = file.read(buffer)?;
                if count > 0 {
                    return Ok(count);
                }
                if file.limit() > 0 {
                    let told = format!("{} has become shorter", path.display());
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, told));
                }
                self.open = None;
            }
            match self.segments.front_mut() {
                None => return Ok(0),
                Some(Segment::Bytes(bytes)) => {
                    let count = bytes.read(buffer)?;
                    if count > 0 {
                        return Ok(count);
                    }
                    self.segments.pop_front();
                }
                Some(Segment::File { path, from, to }) => {
                    let named = |error: io::Error| {
                        let told = format!("cannot read {}: {error}", path.display());
                        io::Error::new(error.kind(), told)
                    };
                    let mut file = File::open(&*path).map_err(named)?;
                    file.seek(SeekFrom::Start(*from)).map_err(named)?;
                    self.open = Some((file.take(*to - *from), path.clone()));
                    self.segments.pop_front();
                }
            }
        }
    }
}
