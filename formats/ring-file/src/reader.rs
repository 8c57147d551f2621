//! Reads a ring file, even if it is being written, cut off, or damaged.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::{Duration, Instant};

use eventlog_ring::{GRANULE, Stamp, header_index};

use crate::{Counted, Counters, Layout, LayoutError, PREAMBLE, Slot, SlotError, u32_at, u64_at};

/// Number of bytes that are read at a time.
const PIECE: usize = 256 << 10;
/// How long to wait before reading a slot again that is being written.
const PAUSE: Duration = Duration::from_millis(5);

/// A ring file, open for reading.
///
/// Nothing is locked, and the program is not disturbed. The file is read by system calls, not mapped: if it is
/// truncated meanwhile, there is only less to read. No more memory is allocated than the file can have bytes on the
/// disk: it may claim to be far larger, with holes in it. It may be used by several threads.
#[derive(Debug)]
pub struct RingReader {
    file: File,
    layout: Layout,
    len: u64,
    largest: u64,
}

/// A record or an entry may be this large in any file. A chunk of the RTS has up to 2 MiB.
const LARGEST: u64 = 16 << 20;
/// File systems with compression store at most this many bytes in one.
const PACKED: u64 = 32;

/// Why a file cannot be read as a ring file.
#[derive(Debug)]
pub enum OpenError {
    /// The system reports an error.
    Io(io::Error),
    /// The preamble is missing or not valid.
    Layout(LayoutError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Layout(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

/// The state of the definitions that is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definitions {
    /// Of two slots, the one with the higher sequence was chosen.
    pub sequence: u64,
    /// The header of the eventlog.
    pub header: Vec<u8>,
    /// Events, without a block marker.
    pub events: Vec<u8>,
}

/// The contents of the two slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    /// The newer one of those that are whole.
    pub newest: Option<Definitions>,
    /// How many are damaged, or were being written when the program died: 0, 1 or 2.
    pub torn: u32,
}

impl RingReader {
    /// Reads the preamble.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(file: File) -> Result<RingReader, OpenError> {
        let about = file.metadata().map_err(OpenError::Io)?;
        let (len, on_disk) = (about.len(), about.blocks().saturating_mul(512));
        let largest = LARGEST.max(on_disk.saturating_mul(PACKED));
        let mut preamble = [0; PREAMBLE];
        let got = read_at(&file, 0, &mut preamble).map_err(OpenError::Io)?;
        let layout = Layout::parse(&preamble[..got]).map_err(OpenError::Layout)?;
        Ok(RingReader {
            file,
            layout,
            len,
            largest,
        })
    }

    /// Where everything is.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Bytes that are missing at the end of the file.
    pub fn missing(&self) -> u64 {
        self.layout.file_size.saturating_sub(self.len)
    }

    /// The largest size that anything in the file can have, alone and together: 16 MiB, or more if the file takes much
    /// space on the disk. What claims to be larger is damaged.
    pub fn largest(&self) -> u64 {
        self.largest
    }

    /// The program's counters; `None` if the file ends before them.
    ///
    /// # Errors
    /// Those of the system.
    pub fn counted(&self) -> io::Result<Option<Counted>> {
        let mut bytes = [0; Counters::SIZE];
        let got = read_at(&self.file, self.layout.counters_at, &mut bytes)?;
        Ok((got == bytes.len()).then(|| Counters::parse(&bytes)))
    }

    /// The definitions that are valid. Waits for a slot that is being written, but no longer than `patience`: zero if
    /// no program can be writing.
    ///
    /// # Errors
    /// Those of the system.
    pub fn slots(&self, patience: Duration) -> io::Result<Slots> {
        let until = Instant::now() + patience;
        loop {
            let slots = self.slots_now()?;
            let settled = slots.torn == 0 && slots.newest.is_some();
            if settled || Instant::now() >= until {
                return Ok(slots);
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn slots_now(&self) -> io::Result<Slots> {
        let mut slots = Slots::default();
        for index in 0..2 {
            match self.slot(self.layout.slots_at + index * self.layout.slot_size)? {
                Ok(found) => {
                    let newer = |old: &Definitions| old.sequence > found.sequence;
                    if !slots.newest.as_ref().is_some_and(newer) {
                        slots.newest = Some(found);
                    }
                }
                Err(SlotError::Torn) => slots.torn += 1,
                Err(SlotError::Empty) => {}
            }
        }
        Ok(slots)
    }

    fn slot(&self, at: u64) -> io::Result<Result<Definitions, SlotError>> {
        let mut bytes = vec![0; Slot::HEAD];
        if read_at(&self.file, at, &mut bytes)? < bytes.len() {
            return Ok(Err(SlotError::Torn));
        }
        let size = Slot::HEAD as u64 + u64::from(u32_at(&bytes, 8)) + u64::from(u32_at(&bytes, 12));
        let there = self.layout.slot_size.min(self.len.saturating_sub(at));
        if size > there {
            return Ok(Err(SlotError::Torn));
        }
        bytes.resize(size as usize, 0);
        let got = read_at(&self.file, at, &mut bytes)?;
        Ok(Slot::parse(&bytes[..got]).map(|slot| Definitions {
            sequence: slot.sequence,
            header: slot.header.to_vec(),
            events: slot.events.to_vec(),
        }))
    }

    /// Up to `len` bytes of the tables, from this offset in them on. Fewer if the tables or the file end before.
    pub(crate) fn tables_at(&self, offset: u64, len: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
        let at = self.layout.tables_at + offset;
        let there = self.layout.tables_size.saturating_sub(offset);
        let len = len.min(there).min(self.len.saturating_sub(at));
        bytes.resize(len as usize, 0);
        let got = read_at(&self.file, at, bytes)?;
        bytes.truncate(got);
        Ok(())
    }

    /// Calls `take` with each word of these granules that is not 0, in no particular order. The granules are indices,
    /// and the range is widened to whole pages of words. Words that the file does not contain count as 0.
    ///
    /// # Errors
    /// Those of the system.
    pub fn words(&self, granules: Range<u64>, mut take: impl FnMut(u64, u64)) -> io::Result<()> {
        // Within a window of 512 the words are permuted.
        const WINDOW: u64 = 512;
        let count = self.layout.granules();
        let places: Vec<u64> = {
            let mut places = vec![0; WINDOW as usize];
            for low in 0..WINDOW {
                places[header_index(low as usize, count as usize) % WINDOW as usize] = low;
            }
            places
        };
        let mut next = granules.start / WINDOW * WINDOW;
        let end = granules.end.min(count).next_multiple_of(WINDOW);
        let mut piece = vec![0; PIECE];
        while next < end {
            let wanted = (((end - next) * 8) as usize).min(PIECE);
            let at = self.layout.words_at + next * 8;
            let got = read_at(&self.file, at, &mut piece[..wanted])?;
            for (index, word) in piece[..got].chunks_exact(8).enumerate() {
                let word = u64_at(word, 0);
                if word != 0 {
                    let index = next + index as u64;
                    take(
                        index / WINDOW * WINDOW + places[(index % WINDOW) as usize],
                        word,
                    );
                }
            }
            if got < wanted {
                break;
            }
            next += wanted as u64 / 8;
        }
        Ok(())
    }

    /// Copies a record to the end of `bytes`; false, with nothing appended, if the file does not have all of it.
    ///
    /// # Errors
    /// Those of the system.
    pub fn copy(&self, stamp: &Stamp, bytes: &mut Vec<u8>) -> io::Result<bool> {
        let capacity = self.layout.capacity;
        let (len, start) = (u64::from(stamp.len), bytes.len());
        let from = stamp.position % self.layout.granules() * GRANULE as u64;
        let first = len.min(capacity - from);
        let there = |from: u64, len: u64| self.layout.records_at + from + len <= self.len;
        if len > capacity.min(self.largest) || !there(from, first) {
            return Ok(false);
        }
        bytes.resize(start + len as usize, 0);
        let (head, tail) = bytes[start..].split_at_mut(first as usize);
        let mut got = read_at(&self.file, self.layout.records_at + from, head)?;
        got += read_at(&self.file, self.layout.records_at, tail)?;
        let whole = got as u64 == len;
        if !whole {
            bytes.truncate(start);
        }
        Ok(whole)
    }
}

/// Reads until `bytes` are full or the file ends.
fn read_at(file: &File, at: u64, bytes: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < bytes.len() {
        match file.read_at(&mut bytes[got..], at + got as u64) {
            Ok(0) => break,
            Ok(count) => got += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}
