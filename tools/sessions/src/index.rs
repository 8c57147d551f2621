//! The index of a part, read from its file, or made from the part itself.

use crate::entry::{Entry, Head, RECORD};
use crate::error::{Doing, Error};
use crate::files::{index_path, part_path};
use crate::scan::{Found, scan};
use ghc_eventlog::DATA_END;
use std::fs::{self, File};
use std::path::Path;

/// Where the blocks of a part are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// Where the stream begins.
    pub head: Head,
    /// The blocks that are whole.
    pub entries: Vec<Entry>,
    /// Bytes after them.
    pub tail: u64,
    /// How many entries are not from the index file, but from the part itself.
    pub from_part: usize,
}

impl Index {
    /// The index of a part. What is missing or wrong in its file is found in the part.
    pub(crate) fn load(session: &Path, number: u32) -> Result<Option<Self>, Error> {
        let path = part_path(session, number);
        let part = File::open(&path).doing("open", &path)?;
        let length = part.metadata().doing("read", &path)?.len();
        let known = fs::read(index_path(session, number)).unwrap_or_default();
        let mut index = Self::parse(&known, &part, length);
        let found = scan(
            &path,
            &part,
            index.as_ref().map(|it| (it.head, it.reaches())),
        );
        let Some(Found { head, entries, end }) = found.doing("read", &path)? else {
            return Ok(None);
        };
        let index = index.get_or_insert_default();
        index.head = head;
        index.from_part = entries.len();
        index.entries.extend(entries);
        index.tail = length.saturating_sub(end);
        Ok(Some(index.clone()))
    }

    /// The valid entries of an index file. `None` if even the head is wrong.
    fn parse(bytes: &[u8], part: &File, length: u64) -> Option<Self> {
        let mut records = bytes.chunks_exact(RECORD);
        let head = Head::of_record(records.next()?)?;
        if head.body > length {
            return None;
        }
        let mut entries: Vec<Entry> = Vec::new();
        let mut end = head.body;
        for record in records {
            let Some(entry) = Entry::of_record(record) else {
                break;
            };
            if entry.offset != end || entry.reaches() > length {
                break;
            }
            end = entry.reaches();
            entries.push(entry);
        }
        let first_and_last = [entries.first(), entries.last()];
        let belongs = first_and_last.iter().flatten().all(|it| it.is_in(part));
        belongs.then_some(Self {
            head,
            entries,
            ..Self::default()
        })
    }

    /// Where the whole blocks end in the part.
    pub fn reaches(&self) -> u64 {
        self.entries.last().map_or(self.head.body, Entry::reaches)
    }

    /// Which byte of the stream is after the whole blocks, counted from its header.
    pub fn stream_end(&self) -> u64 {
        self.head.offset + (self.reaches() - self.head.body)
    }

    /// Where the stream ends in this part if it continues in the next one, and how many bytes of it
    /// are missing between them.
    pub fn up_to(&self, next: &Self) -> (u64, u64) {
        let goes_on = |end: u64| self.head.offset + (end - self.head.body);
        let end = self.reaches();
        if let Some(more) = goes_on(end).checked_sub(next.head.offset) {
            return (end.saturating_sub(more).max(self.head.body), 0);
        }
        // A part that was closed has its own end mark.
        let mark = DATA_END.to_be_bytes().len();
        let last = self.entries.last();
        let marked = last.filter(|last| !last.is_block && last.size as usize == mark);
        let end = marked.map_or(end, |mark| mark.offset);
        (end, next.head.offset - goes_on(end))
    }

    /// The time that its blocks cover.
    pub fn times(&self) -> Option<(u64, u64)> {
        let blocks = || self.entries.iter().filter(|entry| entry.is_block);
        let begin = blocks().map(|entry| entry.begin).min()?;
        let end = blocks().map(|entry| entry.end).max()?;
        Some((begin, end))
    }

    /// Events of its blocks.
    pub fn events(&self) -> u64 {
        self.entries
            .iter()
            .map(|entry| u64::from(entry.events))
            .sum()
    }
}
