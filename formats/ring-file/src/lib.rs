//! The file of a flight recorder: the newest megabytes of a program's eventlog, in memory that the kernel keeps when the
//! program is killed.
//!
//! The program writes records through a mapping, as an [`eventlog_ring::Recorder`] does, and what a reader must know
//! about earlier events through system calls, from a separate thread. The file needs no clean-up when the program is
//! gone, and a part that is only half written can always be recognised. The format, byte by byte, is in
//! `docs/ring-file.md`.
//!
//! ```text
//!   0          preamble: what is where           written once, with a checksum
//!   4096       counters                          in the mapping
//!   8192       records: a power of two of bytes  in the mapping
//!              words: one for each granule       in the mapping
//!              two slots for definitions         the newer one with a right checksum counts
//!              tables: entries, one after the other, each with a checksum
//! ```
//!
//! * [`Layout`] is the preamble.
//! * [`Counters`] has the program's counters.
//! * [`Slot`] holds the header of the eventlog, and the definitions of which only the newest is valid.
//! * [`TableEntry`] holds definitions that are all kept: cost centres, info tables.
//! * An [`eventlog_ring::Stamp`] is a decoded word.
//! * [`RingReader`] reads a file, and a [`Survey`] finds the records in it that count.
//!
//! All numbers are in the byte order of the machine that wrote them.

mod counters;
mod layout;
mod reader;
mod slot;
mod survey;
mod table;
mod tables;

pub use counters::{Counted, Counters};
pub use layout::{Layout, LayoutError, MAX_CAPACITY, MIN_CAPACITY, PREAMBLE};
pub use reader::{Definitions, OpenError, RingReader, Slots};
pub use slot::{Slot, SlotError};
pub use survey::{Hole, Survey};
pub use table::{TABLE_HEAD, TableEntry, TableError};
pub use tables::TornTables;

/// Something does not fit into its place in the file, or there is no memory for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

impl std::fmt::Display for NoRoom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("does not fit, or there is no memory for it")
    }
}

impl std::error::Error for NoRoom {}

/// The number at an offset, which must be within the bytes.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_ne_bytes(word)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_ne_bytes(word)
}

/// The checksum of several parts taken together: CRC-32 as in zip and PNG.
fn checksum(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}
