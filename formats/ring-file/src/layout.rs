//! The preamble: where everything is in the file.

use std::fmt;

use crate::{checksum, u32_at, u64_at};

/// Bytes of the preamble.
pub const PREAMBLE: usize = 128;
/// The smallest capacity for records. A chunk of the RTS has up to 2 MiB.
pub const MIN_CAPACITY: u64 = 1 << 20;
/// The largest capacity for records.
pub const MAX_CAPACITY: u64 = 4 << 30;

const MAGIC: &[u8; 8] = b"EVLGRING";
const BYTE_ORDER: u32 = 0x0A0B_0C0D;
const VERSION: u32 = 1;
const CHECKSUM_AT: usize = PREAMBLE - 4;

const COUNTERS_AT: u64 = 4096;
const RECORDS_AT: u64 = 8192;
/// Bytes of a slot. No file has larger ones.
const SLOT_SIZE: u64 = 1 << 20;
/// Bytes of the tables. No file has larger ones.
const TABLES_SIZE: u64 = 64 << 20;

/// Where everything is in the file, in bytes from its start, and which process made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The page size of the machine that made the file.
    pub page_size: u32,
    /// Bytes for records, a power of two.
    pub capacity: u64,
    /// Offset of the [`Counters`](crate::Counters).
    pub counters_at: u64,
    /// Offset of the records: `capacity` bytes.
    pub records_at: u64,
    /// Offset of the header words: eight bytes for each granule of 64.
    pub words_at: u64,
    /// Offset of the two [slots](crate::Slot), one after the other.
    pub slots_at: u64,
    /// Bytes of one slot.
    pub slot_size: u64,
    /// Offset of the tables: [entries](crate::TableEntry), one after the other.
    pub tables_at: u64,
    /// Bytes for entries.
    pub tables_size: u64,
    /// Bytes of the file. Those of the tables take space on the disk only when they are written.
    pub file_size: u64,
    /// The id of the process that made the file.
    pub pid: u64,
    /// When it made the file, in nanoseconds since 1970.
    pub started: u64,
}

/// Why a file is not a ring file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// It is shorter than a preamble.
    Short,
    /// It does not start like a ring file.
    NotARingFile,
    /// It was written by a machine of the other byte order.
    ByteOrder,
    /// It is of a version that this crate does not know.
    Version(u32),
    /// Its checksum is wrong.
    Checksum,
    /// Its checksum is right, but sizes or offsets in it are impossible.
    Impossible,
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("shorter than the preamble of a ring file"),
            Self::NotARingFile => f.write_str("not a ring file: it does not start with EVLGRING"),
            Self::ByteOrder => f.write_str("written by a machine of the other byte order"),
            Self::Version(version) => write!(f, "of version {version}; only {VERSION} is known"),
            Self::Checksum => f.write_str("the checksum of the preamble is wrong"),
            Self::Impossible => f.write_str("the preamble has impossible sizes or offsets"),
        }
    }
}

impl std::error::Error for LayoutError {}

impl Layout {
    /// The layout of a new file. `capacity` is a power of two between [`MIN_CAPACITY`] and [`MAX_CAPACITY`].
    pub fn new(capacity: u64, page_size: u32, pid: u64, started: u64) -> Layout {
        let words_at = RECORDS_AT + capacity;
        let slots_at = words_at + capacity / 8;
        let tables_at = slots_at + 2 * SLOT_SIZE;
        Layout {
            page_size,
            capacity,
            counters_at: COUNTERS_AT,
            records_at: RECORDS_AT,
            words_at,
            slots_at,
            slot_size: SLOT_SIZE,
            tables_at,
            tables_size: TABLES_SIZE,
            file_size: tables_at + TABLES_SIZE,
            pid,
            started,
        }
    }

    /// The preamble.
    pub fn encode(&self) -> [u8; PREAMBLE] {
        let mut bytes = [0; PREAMBLE];
        bytes[..8].copy_from_slice(MAGIC);
        let words = [BYTE_ORDER, VERSION, self.page_size, 64];
        for (to, word) in bytes[8..24].chunks_exact_mut(4).zip(words) {
            to.copy_from_slice(&word.to_ne_bytes());
        }
        let numbers = [
            self.capacity,
            self.counters_at,
            self.records_at,
            self.words_at,
            self.slots_at,
            self.slot_size,
            self.tables_at,
            self.tables_size,
            self.file_size,
            self.pid,
            self.started,
        ];
        for (to, number) in bytes[24..].chunks_exact_mut(8).zip(numbers) {
            to.copy_from_slice(&number.to_ne_bytes());
        }
        let sum = checksum(&[&bytes[..CHECKSUM_AT]]);
        bytes[CHECKSUM_AT..].copy_from_slice(&sum.to_ne_bytes());
        bytes
    }

    /// Reads the preamble at the start of a file.
    ///
    /// # Errors
    /// [`LayoutError`]. Otherwise the result is safe to calculate with: everything is after the preamble, in this
    /// order, and within `file_size`. The file may still be shorter.
    pub fn parse(bytes: &[u8]) -> Result<Layout, LayoutError> {
        if !bytes.starts_with(&MAGIC[..bytes.len().min(8)]) || bytes.is_empty() {
            return Err(LayoutError::NotARingFile);
        }
        let Some(bytes) = bytes.first_chunk::<PREAMBLE>() else {
            return Err(LayoutError::Short);
        };
        match u32_at(bytes, 8) {
            BYTE_ORDER => {}
            order if order == BYTE_ORDER.swap_bytes() => return Err(LayoutError::ByteOrder),
            _ => return Err(LayoutError::Checksum),
        }
        if u32_at(bytes, CHECKSUM_AT) != checksum(&[&bytes[..CHECKSUM_AT]]) {
            return Err(LayoutError::Checksum);
        }
        let version = u32_at(bytes, 12);
        if version != VERSION {
            return Err(LayoutError::Version(version));
        }
        let number = |index: usize| u64_at(bytes, 24 + 8 * index);
        let layout = Layout {
            page_size: u32_at(bytes, 16),
            capacity: number(0),
            counters_at: number(1),
            records_at: number(2),
            words_at: number(3),
            slots_at: number(4),
            slot_size: number(5),
            tables_at: number(6),
            tables_size: number(7),
            file_size: number(8),
            pid: number(9),
            started: number(10),
        };
        if layout.is_possible() && u32_at(bytes, 20) == 64 {
            Ok(layout)
        } else {
            Err(LayoutError::Impossible)
        }
    }

    fn is_possible(&self) -> bool {
        let follows = |at: u64, size: u64, next: u64| at.checked_add(size) == Some(next);
        self.capacity.is_power_of_two()
            && (MIN_CAPACITY..=MAX_CAPACITY).contains(&self.capacity)
            && self.slot_size <= SLOT_SIZE
            && self.tables_size <= TABLES_SIZE
            && self.counters_at >= PREAMBLE as u64
            && self.records_at.checked_sub(self.counters_at) >= Some(64)
            && follows(self.records_at, self.capacity, self.words_at)
            && follows(self.words_at, self.capacity / 8, self.slots_at)
            && follows(self.slots_at, 2 * self.slot_size, self.tables_at)
            && follows(self.tables_at, self.tables_size, self.file_size)
    }

    /// Bytes from the start of the file that the program maps.
    pub fn mapped(&self) -> u64 {
        self.slots_at
    }

    /// Granules in the ring.
    pub fn granules(&self) -> u64 {
        self.capacity / eventlog_ring::GRANULE as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout::new(4 << 20, 4096, 42, 7)
    }

    #[test]
    fn a_layout_survives_its_preamble() {
        assert_eq!(Layout::parse(&layout().encode()), Ok(layout()));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let bytes = layout().encode();
        assert_eq!(Layout::parse(&[]), Err(LayoutError::NotARingFile));
        assert_eq!(Layout::parse(&bytes[..8]), Err(LayoutError::Short));
        assert_eq!(
            Layout::parse(b"\x7fELF...."),
            Err(LayoutError::NotARingFile)
        );
        for at in 8..PREAMBLE {
            let mut bad = bytes;
            bad[at] ^= 1;
            assert_eq!(Layout::parse(&bad), Err(LayoutError::Checksum), "{at}");
        }
        let resealed = |change: &dyn Fn(&mut [u8])| {
            let mut bad = bytes;
            change(&mut bad);
            let sum = checksum(&[&bad[..CHECKSUM_AT]]);
            bad[CHECKSUM_AT..].copy_from_slice(&sum.to_ne_bytes());
            Layout::parse(&bad)
        };
        assert_eq!(resealed(&|bad| bad[12] = 9), Err(LayoutError::Version(9)));
        assert_eq!(resealed(&|bad| bad[24] = 1), Err(LayoutError::Impossible));
        assert_eq!(
            resealed(&|bad| bad[64..72].fill(0xFF)),
            Err(LayoutError::Impossible)
        );
        // Larger slots or tables than any program makes, at consistent offsets.
        for (slot_size, tables_size) in
            [(2 << 20, 64 << 20), (4 << 30, 64 << 20), (1 << 20, 4 << 30)]
        {
            let mut large = layout();
            (large.slot_size, large.tables_size) = (slot_size, tables_size);
            large.tables_at = large.slots_at + 2 * slot_size;
            large.file_size = large.tables_at + tables_size;
            assert_eq!(Layout::parse(&large.encode()), Err(LayoutError::Impossible));
        }
        let mut other = bytes;
        other[8..12].reverse();
        assert_eq!(Layout::parse(&other), Err(LayoutError::ByteOrder));
    }
}
