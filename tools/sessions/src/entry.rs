//! Records of the index of a part: where its blocks are.
//!
//! A file of records of 40 bytes, numbers in big-endian order, each followed by the CRC-32 of its
//! first 36 bytes. The first record is the head:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `ELOGIDX` and the version, 1 |
//! | 8 | where in the part the stream begins, after header and prologue |
//! | 8 | which byte of the stream that is, counted from its header |
//! | 8 | the moment of the state with which the part begins; 0 if there is none |
//! | 4 | 0 |
//!
//! Then one for each block, in the order of the part and without gaps: offset (8), begin
//! (8) and end (8) in nanoseconds, size (4), events (4), capability (2; 0xffff: the global
//! one), kind (2; 0: a block, 1: bytes of other kinds, whose times are not known).

use std::fs::File;
use std::os::unix::fs::FileExt;

/// Bytes of a record.
pub(crate) const RECORD: usize = 40;
const CHECKED: usize = RECORD - 4;
const MAGIC: [u8; 8] = *b"ELOGIDX\x01";
const GLOBAL: u16 = 0xffff;
/// Bytes of a block marker that the index can check: type, time, size, end, capability.
const MARKER: usize = 24;

/// The head of an index: where the stream begins in a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Where it begins in the part.
    pub body: u64,
    /// Which byte of the stream that is, counted from its header.
    pub offset: u64,
    /// The moment of the state with which the part begins; 0 if it begins with nothing.
    pub at: u64,
}

/// A block of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it is in the part.
    pub offset: u64,
    /// The time that it covers, in nanoseconds.
    pub begin: u64,
    /// See `begin`.
    pub end: u64,
    /// Its bytes.
    pub size: u32,
    /// Its events.
    pub events: u32,
    /// The capability; `None`: the global one.
    pub cap: Option<u16>,
    /// Whether it is a block. For anything else the times are not known.
    pub is_block: bool,
}

/// Adds the checksum.
fn record(checked: [u8; CHECKED]) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    record[..CHECKED].copy_from_slice(&checked);
    record[CHECKED..].copy_from_slice(&crc32fast::hash(&checked).to_be_bytes());
    record
}

/// The fields of a record, if its checksum is right.
fn checked(record: &[u8]) -> Option<Fields<'_>> {
    let (fields, check) = record.split_at_checked(CHECKED)?;
    (crc32fast::hash(fields).to_be_bytes() == check).then_some(Fields(fields))
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u64(&self, at: usize) -> u64 {
        let bytes = self.0.get(at..).and_then(|bytes| bytes.first_chunk());
        bytes.map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }

    fn u32(&self, at: usize) -> u32 {
        (self.u64(at - 4) & 0xffff_ffff) as u32
    }

    fn u16(&self, at: usize) -> u16 {
        (self.u64(at - 6) & 0xffff) as u16
    }
}

impl Head {
    pub(crate) fn to_record(self) -> [u8; RECORD] {
        let mut fields = [0; CHECKED];
        fields[..8].copy_from_slice(&MAGIC);
        fields[8..16].copy_from_slice(&self.body.to_be_bytes());
        fields[16..24].copy_from_slice(&self.offset.to_be_bytes());
        fields[24..32].copy_from_slice(&self.at.to_be_bytes());
        record(fields)
    }

    pub(crate) fn of_record(record: &[u8]) -> Option<Self> {
        let fields = checked(record)?;
        fields.0.starts_with(&MAGIC).then(|| Self {
            body: fields.u64(8),
            offset: fields.u64(16),
            at: fields.u64(24),
        })
    }
}

impl Entry {
    /// Where it ends.
    pub fn reaches(&self) -> u64 {
        self.offset + u64::from(self.size)
    }

    pub(crate) fn to_record(self) -> [u8; RECORD] {
        let mut fields = [0; CHECKED];
        fields[..8].copy_from_slice(&self.offset.to_be_bytes());
        fields[8..16].copy_from_slice(&self.begin.to_be_bytes());
        fields[16..24].copy_from_slice(&self.end.to_be_bytes());
        fields[24..28].copy_from_slice(&self.size.to_be_bytes());
        fields[28..32].copy_from_slice(&self.events.to_be_bytes());
        fields[32..34].copy_from_slice(&self.cap.unwrap_or(GLOBAL).to_be_bytes());
        fields[34..36].copy_from_slice(&u16::from(!self.is_block).to_be_bytes());
        record(fields)
    }

    pub(crate) fn of_record(record: &[u8]) -> Option<Self> {
        let fields = checked(record)?;
        let cap = fields.u16(32);
        Some(Self {
            offset: fields.u64(0),
            begin: fields.u64(8),
            end: fields.u64(16),
            size: fields.u32(24),
            events: fields.u32(28),
            cap: (cap != GLOBAL).then_some(cap),
            is_block: fields.u16(34) == 0,
        })
    }

    /// Whether the part has this block at its offset, according to its marker.
    pub(crate) fn is_in(&self, part: &File) -> bool {
        let mut marker = [0; MARKER];
        if !self.is_block || (self.size as usize) < MARKER {
            return true;
        }
        if part.read_exact_at(&mut marker, self.offset).is_err() {
            return false;
        }
        let fields = Fields(&marker);
        let cap = fields.u16(22);
        // A piece of a very large block has a marker only if it is the first, and that has another
        // size.
        marker[..2] != ghc_eventlog::BLOCK_MARKER.to_be_bytes()
            || (fields.u64(2), fields.u64(14)) == (self.begin, self.end)
                && (cap != GLOBAL).then_some(cap) == self.cap
    }
}
