//! The program's counters, in the mapping.

use std::sync::atomic::{AtomicU64, Ordering};

use eventlog_ring::Tally;

use crate::u64_at;

/// Six numbers of eight bytes each, at [`Layout::counters_at`](crate::Layout::counters_at). Each is right, but they are
/// not all of the same moment: they are statistics, and nothing else depends on them.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Counters {
    overwritten: [AtomicU64; 2],
    refused: [AtomicU64; 2],
    /// Bytes of definitions that found no room in a slot or in the tables.
    pub left_out: AtomicU64,
    /// Not 0 if the log has ended regularly, with everything that the RTS had to log.
    pub ended: AtomicU64,
}

static_assertions::const_assert_eq!(size_of::<Counters>(), Counters::SIZE);

/// The counters, read from a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Chunks that were overwritten by newer ones, and their bytes.
    pub overwritten: (u64, u64),
    /// Chunks that were not recorded, and their bytes.
    pub refused: (u64, u64),
    /// Bytes of definitions that are missing.
    pub left_out: u64,
    /// Whether the log has ended.
    pub ended: bool,
}

impl Counters {
    /// Bytes in the file.
    pub const SIZE: usize = 48;

    /// Stores how much was overwritten, and how much was not recorded.
    pub fn tell(&self, overwritten: Tally, refused: Tally) {
        for (to, tally) in [(&self.overwritten, overwritten), (&self.refused, refused)] {
            // Relaxed: statistics.
            to[0].store(tally.records, Ordering::Relaxed);
            to[1].store(tally.bytes, Ordering::Relaxed);
        }
    }

    /// The counters that a file has at [`Layout::counters_at`](crate::Layout::counters_at).
    pub fn parse(bytes: &[u8; Counters::SIZE]) -> Counted {
        Counted {
            overwritten: (u64_at(bytes, 0), u64_at(bytes, 8)),
            refused: (u64_at(bytes, 16), u64_at(bytes, 24)),
            left_out: u64_at(bytes, 32),
            ended: u64_at(bytes, 40) != 0,
        }
    }
}
