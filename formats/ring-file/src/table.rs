//! Definitions that are all kept, and can be many: cost centres, info tables.

use std::fmt;

use crate::{NoRoom, checksum, u32_at};

/// Bytes of an entry before its events.
pub const TABLE_HEAD: usize = 24;

const MAGIC: u32 = u32::from_ne_bytes(*b"TABL");
const CHECKSUM_AT: usize = TABLE_HEAD - 4;

/// An entry with some of these definitions. Entries follow each other; after the last one there are zeroes.
///
/// ```text
///  0  u32  "TABL"
///  4  u32  type of the events: that of cost centres, or of info tables
///  8  u32  generation: entries of an earlier one than the last of their type do not count
/// 12  u32  bytes of the events
/// 16  u32  0
/// 20  u32  checksum of all the other bytes, up to the last event
/// 24       events, without a block marker; then zeroes up to a multiple of 8
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableEntry<'a> {
    /// Type of the events.
    pub kind: u32,
    /// An RTS that starts its log again writes each table again.
    pub generation: u32,
    /// As the RTS wrote them, each with its real length.
    pub events: &'a [u8],
}

/// Why there is no entry where one was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableError {
    /// There is no entry: the end of the tables.
    End,
    /// It is damaged. If its length can be read, the next one may be so many bytes further.
    Torn(Option<usize>),
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::End => "no entry",
            Self::Torn(_) => "torn or damaged",
        })
    }
}

impl std::error::Error for TableError {}

impl<'a> TableEntry<'a> {
    /// The bytes of the entry; `None` if there are more events than an entry can have.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        self.encode_into(&mut bytes).ok()?;
        Some(bytes)
    }

    /// The same, replacing the contents of `bytes`; allocates only if `bytes` is too small.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn encode_into(&self, bytes: &mut Vec<u8>) -> Result<(), NoRoom> {
        let len = u32::try_from(self.events.len()).map_err(|_| NoRoom)?;
        bytes.clear();
        let size = TABLE_HEAD + self.events.len() + 7;
        bytes.try_reserve(size).map_err(|_| NoRoom)?;
        for word in [MAGIC, self.kind, self.generation, len, 0] {
            bytes.extend_from_slice(&word.to_ne_bytes());
        }
        let sum = checksum(&[bytes, self.events]);
        bytes.extend_from_slice(&sum.to_ne_bytes());
        bytes.extend_from_slice(self.events);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        Ok(())
    }

    /// The entry at the start of `bytes`, and how many bytes it takes.
    ///
    /// # Errors
    /// [`TableError`].
    pub fn parse(bytes: &'a [u8]) -> Result<(TableEntry<'a>, usize), TableError> {
        let Some((head, rest)) = bytes.split_at_checked(TABLE_HEAD) else {
            return Err(match bytes.iter().all(|&byte| byte == 0) {
                true => TableError::End,
                false => TableError::Torn(None),
            });
        };
        if head.iter().all(|&byte| byte == 0) {
            return Err(TableError::End);
        }
        if u32_at(head, 0) != MAGIC {
            return Err(TableError::Torn(None));
        }
        let len = u32_at(head, 12) as usize;
        let size = TABLE_HEAD + len.next_multiple_of(8);
        let Some(events) = rest.get(..len) else {
            return Err(TableError::Torn(None));
        };
        if u32_at(head, CHECKSUM_AT) != checksum(&[&head[..CHECKSUM_AT], events]) {
            return Err(TableError::Torn(Some(size)));
        }
        let entry = TableEntry {
            kind: u32_at(head, 4),
            generation: u32_at(head, 8),
            events,
        };
        Ok((entry, size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_one_after_the_other() {
        let entries =
            [(7, 1, &b"abc"[..]), (8, 2, b"")].map(|(kind, generation, events)| TableEntry {
                kind,
                generation,
                events,
            });
        let mut bytes: Vec<u8> = entries.iter().flat_map(|e| e.encode().unwrap()).collect();
        let (first, size) = TableEntry::parse(&bytes).unwrap();
        assert_eq!((first, size), (entries[0], 32));
        assert_eq!(TableEntry::parse(&bytes[32..]), Ok((entries[1], 24)));
        assert_eq!(TableEntry::parse(&bytes[56..]), Err(TableError::End));
        assert_eq!(TableEntry::parse(&[0; 99]), Err(TableError::End));
        bytes[25] ^= 1;
        assert_eq!(TableEntry::parse(&bytes), Err(TableError::Torn(Some(32))));
        bytes[0] ^= 1;
        assert_eq!(TableEntry::parse(&bytes), Err(TableError::Torn(None)));
        assert_eq!(TableEntry::parse(&bytes[..9]), Err(TableError::Torn(None)));
    }
}
