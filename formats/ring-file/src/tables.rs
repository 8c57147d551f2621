//! Reads the tables of a file, even if some entries are damaged.

use std::io;

use crate::reader::RingReader;
use crate::{TABLE_HEAD, TableEntry, u32_at};

/// Number of bytes that are read at a time in the search for the next entry.
const PIECE: u64 = 1 << 20;
/// The largest entry that is looked for after a damaged one; other entries can be of any size.
const LARGEST_AFTER_DAMAGE: u64 = 1 << 20;
/// The most bytes whose checksum is computed without finding an entry: noise may look like entries everywhere.
const VAIN: u64 = 1 << 30;

/// What could not be read in the tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TornTables {
    /// Number of places with a damaged entry.
    pub places: u64,
    /// Bytes from the last entry before each of them to the next one after it. After the last entry of all: up to the
    /// last byte that is not zero.
    pub bytes: u64,
}

impl RingReader {
    /// Calls `take` with each entry of the tables that is whole, in their order.
    ///
    /// # Errors
    /// Those of the system, and of `take`.
    pub fn tables(
        &self,
        mut take: impl FnMut(TableEntry<'_>) -> io::Result<()>,
    ) -> io::Result<TornTables> {
        let mut torn = TornTables::default();
        let (mut at, mut vain) = (0, 0);
        let mut bytes = Vec::new();
        loop {
            let limit = self.layout().tables_size;
            while let Some(size) = self.entry(at, limit, &mut bytes, &mut vain)? {
                if let Ok((entry, _)) = TableEntry::parse(&bytes) {
                    take(entry)?;
                }
                at += size;
            }
            // The end, or a damaged entry: then there are more bytes that are not zero.
            let Some(found) = self.next_entry(at, &mut vain)? else {
                return Ok(torn);
            };
            torn.places += 1;
            torn.bytes += found.until - at;
            at = found.until;
            if !found.entry {
                return Ok(torn);
            }
        }
    }

    /// Reads the entry at this offset, if there is a whole one, and returns its size.
    fn entry(
        &self,
        at: u64,
        limit: u64,
        bytes: &mut Vec<u8>,
        vain: &mut u64,
    ) -> io::Result<Option<u64>> {
        self.tables_at(at, TABLE_HEAD as u64, bytes)?;
        if bytes.len() < TABLE_HEAD || bytes[..4] != *b"TABL" {
            return Ok(None);
        }
        let len = u64::from(u32_at(bytes, 12));
        if len > limit.min(self.largest()) {
            return Ok(None);
        }
        let wanted = TABLE_HEAD as u64 + len;
        self.tables_at(at, wanted, bytes)?;
        if (bytes.len() as u64) < wanted {
            return Ok(None);
        }
        let size = TableEntry::parse(bytes).ok().map(|(_, size)| size as u64);
        if size.is_none() {
            *vain += wanted;
        }
        Ok(size)
    }

    /// The next entry at `from` or after it. If there is none, the place of the last byte that is not zero; `None` if
    /// all are zero.
    fn next_entry(&self, from: u64, vain: &mut u64) -> io::Result<Option<Found>> {
        let (mut piece, mut bytes) = (Vec::new(), Vec::new());
        let (mut at, mut last) = (from, None);
        loop {
            self.tables_at(at, PIECE, &mut piece)?;
            if piece.is_empty() {
                let found = last.map(|last| Found {
                    until: last + 1,
                    entry: false,
                });
                return Ok(found);
            }
            for (index, word) in words_that_say_something(&piece) {
                let Some(in_word) = word.iter().rposition(|&byte| byte != 0) else {
                    continue;
                };
                let offset = at + 8 * index as u64;
                last = Some(offset + in_word as u64);
                let promises = word.starts_with(b"TABL") && *vain < VAIN;
                if promises
                    && self
                        .entry(offset, LARGEST_AFTER_DAMAGE, &mut bytes, vain)?
                        .is_some()
                {
                    return Ok(Some(Found {
                        until: offset,
                        entry: true,
                    }));
                }
            }
            at += piece.len().next_multiple_of(8) as u64;
        }
    }
}

/// The words of eight bytes, with their index, without pages of zeroes, which usually make up nearly all of the tables.
fn words_that_say_something(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    const ZEROES: [u8; 4096] = [0; 4096];
    let pages = bytes.chunks(ZEROES.len()).enumerate();
    let written = pages.filter(|(_, page)| **page != ZEROES[..page.len()]);
    written.flat_map(|(number, page)| {
        let before = number * (ZEROES.len() / 8);
        let words = page.chunks(8).enumerate();
        words.map(move |(index, word)| (before + index, word))
    })
}

struct Found {
    until: u64,
    entry: bool,
}
