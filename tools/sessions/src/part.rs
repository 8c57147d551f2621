//! Writes a part and its index.

use crate::entry::{Entry, Head};
use crate::error::{Doing, Error};
use crate::files::{create_file, create_with, index_path, is_same, part_path};
use crate::manifest::PartSummary;
use crate::piece::Piece;
use ghc_eventlog::DATA_END;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A part being written.
#[derive(Debug)]
pub(crate) struct Part {
    path: PathBuf,
    index_path: PathBuf,
    file: File,
    /// The index file; `None` after an error: the next reader makes the index again.
    index: Option<File>,
    summary: PartSummary,
    prologue: u64,
    opened: Instant,
    /// Data of the part that is not written yet, and of the index.
    pending: Vec<u8>,
    pending_entries: Vec<Entry>,
}

/// What could not be written.
#[derive(Debug)]
pub(crate) struct Unwritten {
    pub(crate) error: io::Error,
    pub(crate) pieces: u64,
    pub(crate) bytes: u64,
}

impl Part {
    /// Begins a part with these bytes, after which the stream continues. If it cannot be begun,
    /// nothing is left of it.
    pub(crate) fn begin(
        session: &Path,
        number: u32,
        begins: &[u8],
        head: Head,
    ) -> Result<Self, Error> {
        let path = part_path(session, number);
        if path.exists() {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists)).doing("make", &path);
        }
        let file = create_with(&path, begins).doing("make", &path)?;
        let index_path = index_path(session, number);
        // An existing index belongs to a part that was removed.
        let _ = fs::remove_file(&index_path);
        let index = create_file(&index_path).and_then(|mut index| {
            index.write_all(&head.to_record())?;
            Ok(index)
        });
        let bytes = begins.len() as u64;
        Ok(Self {
            path,
            index_path,
            file,
            index: index.ok(),
            summary: PartSummary {
                number,
                bytes,
                offset: head.offset,
                begin: u64::MAX,
                ..PartSummary::default()
            },
            prologue: if head.at > 0 || head.offset != head.body {
                bytes
            } else {
                0
            },
            opened: Instant::now(),
            pending: Vec::new(),
            pending_entries: Vec::new(),
        })
    }

    /// Takes a piece, to be written by [`flush`](Self::flush).
    pub(crate) fn push(&mut self, piece: &Piece<'_>, events: u32) {
        let entry = Entry {
            offset: self.bytes(),
            begin: piece.begin,
            end: piece.end,
            size: u32::try_from(piece.bytes.len()).unwrap_or(u32::MAX),
            events,
            cap: piece.cap,
            is_block: piece.is_block,
        };
        self.pending.extend_from_slice(piece.bytes);
        self.pending_entries.push(entry);
    }

    /// Number of bytes that are not written yet.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Number of its bytes, including those that are not written yet.
    pub(crate) fn bytes(&self) -> u64 {
        self.summary.bytes + self.pending.len() as u64
    }

    /// Number of bytes before the stream itself, if it begins in the middle of the stream.
    pub(crate) fn prologue(&self) -> u64 {
        self.prologue
    }

    pub(crate) fn opened(&self) -> Instant {
        self.opened
    }

    /// The summary of the part, as far as it is written.
    pub(crate) fn summary(&self) -> PartSummary {
        let begin = if self.summary.blocks == 0 {
            0
        } else {
            self.summary.begin
        };
        PartSummary {
            begin,
            ..self.summary
        }
    }

    /// Writes the pending data. After an error the part ends after the last whole piece.
    pub(crate) fn flush(&mut self) -> Result<(), Unwritten> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(&self.pending);
        let entries = std::mem::take(&mut self.pending_entries);
        let outcome = match written {
            Ok(()) => {
                self.commit(&entries);
                Ok(())
            }
            Err(error) => {
                // Of the data that were written, only the whole pieces are kept.
                let length = self.file.metadata().map_or(0, |about| about.len());
                let whole = entries.partition_point(|entry| entry.reaches() <= length);
                let (whole, lost) = entries.split_at(whole);
                self.commit(whole);
                // If this fails, readers find the end themselves.
                let _ = self.file.set_len(self.summary.bytes);
                Err(Unwritten {
                    error,
                    pieces: lost.len() as u64,
                    bytes: lost.iter().map(|entry| u64::from(entry.size)).sum(),
                })
            }
        };
        self.pending.clear();
        // The memory for a large piece must not be kept forever.
        self.pending.shrink_to(1 << 20);
        outcome
    }

    /// Adds pieces that were written to the summary and the index.
    fn commit(&mut self, entries: &[Entry]) {
        let mut records = Vec::new();
        for entry in entries {
            records.extend_from_slice(&entry.to_record());
            self.summary.bytes += u64::from(entry.size);
            self.summary.events += u64::from(entry.events);
            if entry.is_block {
                self.summary.blocks += 1;
                self.summary.begin = self.summary.begin.min(entry.begin);
                self.summary.end = self.summary.end.max(entry.end);
            }
        }
        if let Some(index) = &mut self.index
            && index.write_all(&records).is_err()
        {
            self.index = None;
        }
    }

    /// Ends the part, if the stream continues in another one: with its own end mark.
    pub(crate) fn end_with_mark(mut self) -> PartSummary {
        let mark = DATA_END.to_be_bytes();
        // If there is no space, it is a log without an end mark.
        if self.pending.is_empty() && self.file.write_all(&mark).is_ok() {
            let entry = Entry {
                offset: self.summary.bytes,
                begin: 0,
                end: 0,
                size: mark.len() as u32,
                events: 0,
                cap: None,
                is_block: false,
            };
            self.summary.bytes += mark.len() as u64;
            if let Some(index) = &mut self.index {
                let _ = index.write_all(&entry.to_record());
            }
        }
        self.summary()
    }

    /// Whether its name still refers to it.
    pub(crate) fn is_in_place(&self) -> bool {
        is_same(&self.path, &self.file)
    }

    /// Removes the part, which has nothing of the stream in it.
    pub(crate) fn discard(self) {
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(&self.index_path);
    }

    /// Whether nothing of the stream is in it.
    pub(crate) fn is_bare(&self) -> bool {
        self.summary.blocks == 0 && self.summary.events == 0 && self.pending.is_empty()
    }
}
