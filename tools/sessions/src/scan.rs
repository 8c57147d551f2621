//! Finds the blocks of a part in the part itself.

use crate::entry::{Entry, Head};
use eventlog_state::{Follower, Keep, MergeOptions, PrologueSearch};
use ghc_eventlog::notes::Note;
use ghc_eventlog::{Block, DATA_END, Decoder, Header, Item, ReadError, Reader};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

/// What was found in a part.
pub(crate) struct Found {
    pub(crate) head: Head,
    /// The blocks after those that were known.
    pub(crate) entries: Vec<Entry>,
    /// Where the last one ends.
    pub(crate) end: u64,
}

/// Scans a part from where a block begins, if that is known; otherwise all of it. `None` if it has
/// no complete header, or is cut off before the stream begins.
pub(crate) fn scan(
    path: &Path,
    part: &File,
    known: Option<(Head, u64)>,
) -> io::Result<Option<Found>> {
    let length = part.metadata()?.len();
    let (head, from) = match known {
        Some((head, from)) if from == length => {
            let entries = Vec::new();
            return Ok(Some(Found {
                head,
                entries,
                end: from,
            }));
        }
        Some(known) => known,
        None => match head(path)? {
            Some(head) => (head, head.body),
            None => return Ok(None),
        },
    };
    let Some(header) = header(path)? else {
        return Ok(None);
    };
    let (entries, end) = entries(path, header, from)?;
    Ok(Some(Found { head, entries, end }))
}

/// The header of a part; `None` if it is incomplete or not valid.
pub(crate) fn header(path: &Path) -> io::Result<Option<Arc<Header>>> {
    let mut reader = Reader::new(File::open(path)?);
    loop {
        match reader.next_item() {
            Ok(Some(Item::Header)) => return Ok(reader.header().cloned()),
            Ok(Some(_)) => {}
            Ok(None) | Err(ReadError::Format(_)) => return Ok(None),
            Err(ReadError::Io(error)) => return Err(error),
        }
    }
}

/// Where the stream begins in a part.
fn head(path: &Path) -> io::Result<Option<Head>> {
    let mut reader = Reader::new(File::open(path)?);
    let mut search = PrologueSearch::default();
    let mut body = None;
    loop {
        match reader.next_item() {
            Ok(Some(Item::Header)) if body.is_none() => body = Some(reader.decoder().offset()),
            Ok(Some(Item::Event(event))) => {
                let is_first = search.is_new();
                let found = search.event(&event);
                if is_first && !matches!(Note::of(&event), Some(Note::Prologue { .. })) {
                    break;
                }
                if let Some(prologue) = found {
                    let Some(offset) = prologue.offset else { break };
                    let at = state_at(path, prologue.end)?;
                    let body = prologue.end;
                    return Ok(Some(Head { body, offset, at }));
                }
            }
            Ok(Some(_)) => {}
            // The prologue is cut off: there is nothing of the stream here.
            Ok(None) | Err(ReadError::Format(_)) if !search.is_new() => return Ok(None),
            Ok(None) | Err(ReadError::Format(_)) => break,
            Err(ReadError::Io(error)) => return Err(error),
        }
    }
    Ok(body.map(|body| Head {
        body,
        offset: body,
        at: 0,
    }))
}

/// The moment of the state that the first bytes of a part make up.
fn state_at(path: &Path, bytes: u64) -> io::Result<u64> {
    let mut follower = Follower::new(MergeOptions::default(), Keep::for_beginnings());
    let mut prologue = File::open(path)?.take(bytes);
    let mut buffer = vec![0; 1 << 18];
    loop {
        match prologue.read(&mut buffer)? {
            0 => return Ok(follower.at()),
            // A fault is final, and the state stays where it is.
            count => _ = follower.push_bytes(&buffer[..count], &mut |_| {}),
        }
    }
}

/// The blocks from `from` on, and where the last whole one ends.
fn entries(path: &Path, header: Arc<Header>, from: u64) -> io::Result<(Vec<Entry>, u64)> {
    let mut part = File::open(path)?;
    part.seek(SeekFrom::Start(from))?;
    let decoder = Decoder::at(header, None, from, from).with_recovery(true);
    let mut reader = Reader::with_decoder(BufReader::new(part), decoder);
    let mut blocks = Blocks {
        entries: Vec::new(),
        open: None,
        at: from,
    };
    let read = reader.for_each(|item| {
        match item {
            Item::Block(block) => blocks.begin(&block),
            Item::Event(event) => {
                blocks.reach(event.offset, event.offset + event.raw.len() as u64);
                blocks.count();
            }
            Item::Gap(gap) => blocks.reach(gap.offset, gap.offset + gap.length),
            Item::End => blocks.end(),
            _ => {}
        }
        ControlFlow::<()>::Continue(())
    });
    match read {
        Ok(_) | Err(ReadError::Format(_)) => {}
        Err(ReadError::Io(error)) => return Err(error),
    }
    Ok(blocks.finish())
}

/// Collects entries.
struct Blocks {
    entries: Vec<Entry>,
    /// The block that has not ended, and where it ends according to its marker.
    open: Option<(Entry, u64)>,
    /// Up to where all items are whole.
    at: u64,
}

impl Blocks {
    fn begin(&mut self, block: &Block<'_>) {
        self.close();
        let entry = Entry {
            offset: self.at,
            begin: block.time,
            end: block.end,
            size: 0,
            events: 0,
            cap: block.cap,
            is_block: true,
        };
        self.open = Some((entry, block.offset + u64::from(block.size)));
        self.reach(block.offset, block.offset + block.raw.len() as u64);
    }

    /// Takes whole items between these offsets.
    fn reach(&mut self, from: u64, to: u64) {
        let ends = self.open.as_ref().map(|(_, ends)| *ends);
        // An event after the end of its block is in no block.
        if ends.is_some_and(|ends| ends > self.open_begin() && from >= ends) {
            self.close();
        }
        let at = self.at;
        self.open.get_or_insert_with(|| {
            let entry = Entry {
                offset: at,
                begin: 0,
                end: 0,
                size: 0,
                events: 0,
                cap: None,
                is_block: false,
            };
            (entry, 0)
        });
        self.at = to;
    }

    fn open_begin(&self) -> u64 {
        self.open.as_ref().map_or(0, |(entry, _)| entry.offset)
    }

    fn count(&mut self) {
        if let Some((entry, _)) = &mut self.open {
            entry.events = entry.events.saturating_add(1);
        }
    }

    /// The mark at the end of a log is a piece of its own.
    fn end(&mut self) {
        self.close();
        let to = self.at + DATA_END.to_be_bytes().len() as u64;
        self.reach(self.at, to);
        self.close();
    }

    fn close(&mut self) {
        if let Some((mut entry, _)) = self.open.take() {
            entry.size = u32::try_from(self.at - entry.offset).unwrap_or(u32::MAX);
            self.entries.push(entry);
        }
    }

    /// Ends the scan. The last block may not be whole.
    fn finish(mut self) -> (Vec<Entry>, u64) {
        if let Some((entry, ends)) = &self.open
            && *ends > self.at
        {
            let end = entry.offset;
            return (self.entries, end);
        }
        self.close();
        (self.entries, self.at)
    }
}
