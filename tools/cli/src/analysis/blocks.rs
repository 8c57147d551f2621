//! Writes events into new blocks, one per capability at a time.
//!
//! The runtime system does the same: each capability fills a block of its own,
//! and blocks of different capabilities overlap in time. All of them are
//! written together before long, so that whoever reads the result by time need
//! not hold much back.

use ghc_eventlog::{BLOCK_MARKER, BlockBuilder};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// The capability field of the global block.
const GLOBAL: u16 = 0xffff;
/// Bytes of a marker, in every header that this writer is used with.
const MARKER: usize = 24;
/// Bytes held, over all capabilities, at which everything is written.
const LIMIT: usize = 1 << 20;

/// Makes the marker of a block with so many bytes of events.
pub fn marker(cap: Option<u16>, begin: u64, end: u64, events: usize) -> [u8; MARKER] {
    let mut marker = [0; MARKER];
    marker[..2].copy_from_slice(&BLOCK_MARKER.to_be_bytes());
    marker[2..10].copy_from_slice(&begin.to_be_bytes());
    // Beyond 4 GiB there is no telling; 0 means up to the next marker.
    let size = u32::try_from(events + MARKER).unwrap_or(0);
    marker[10..14].copy_from_slice(&size.to_be_bytes());
    marker[14..22].copy_from_slice(&end.to_be_bytes());
    marker[22..].copy_from_slice(&cap.unwrap_or(GLOBAL).to_be_bytes());
    marker
}

/// When the last block of each capability ended. That never goes back, whatever the log says that
/// blocks are copied from.
#[derive(Debug, Default)]
pub struct Ends(BTreeMap<Option<u16>, u64>);

impl Ends {
    /// Writes a block, which reaches at least to the end of the one before it.
    pub fn write(&mut self, block: &mut BlockBuilder, out: &mut impl Write) -> io::Result<()> {
        let end = self.0.entry(block.cap()).or_default();
        block.cover(u64::MAX, *end);
        *end = block.end();
        out.write_all(block.finish())
    }
}

#[derive(Debug)]
struct Block {
    bytes: Vec<u8>,
    first: u64,
    last: u64,
}

/// Collects events by capability.
#[derive(Debug, Default)]
pub struct Blocks {
    caps: BTreeMap<u16, Block>,
    held: usize,
    /// The latest time so far.
    latest: u64,
}

impl Blocks {
    /// Adds an event, byte for byte.
    pub fn push(
        &mut self,
        cap: Option<u16>,
        time: u64,
        raw: &[u8],
        out: &mut impl Write,
    ) -> io::Result<()> {
        let empty = || Block {
            bytes: Vec::new(),
            first: time,
            last: time,
        };
        let block = self.caps.entry(cap.unwrap_or(GLOBAL)).or_insert_with(empty);
        block.bytes.extend_from_slice(raw);
        block.first = block.first.min(time);
        block.last = block.last.max(time);
        self.latest = self.latest.max(time);
        self.held += raw.len();
        match self.held >= LIMIT {
            true => self.flush(out),
            false => Ok(()),
        }
    }

    /// Writes the global block that is held, which defines what all others
    /// refer to.
    pub fn flush_definitions(&mut self, out: &mut impl Write) -> io::Result<()> {
        if let Some(block) = self.caps.get_mut(&GLOBAL) {
            self.held -= block.bytes.len();
            block.write(GLOBAL, out)?;
        }
        Ok(())
    }

    /// Writes whatever is held. Capabilities without events get an empty
    /// block, which tells readers that nothing is missing; so does the global
    /// buffer, in the end, because it may take leave of capabilities.
    pub fn flush(&mut self, out: &mut impl Write) -> io::Result<()> {
        let latest = self.latest;
        let empty = || Block {
            bytes: Vec::new(),
            first: latest,
            last: latest,
        };
        self.caps.entry(GLOBAL).or_insert_with(empty);
        for (&cap, block) in &mut self.caps {
            block.last = latest;
            block.write(cap, out)?;
        }
        self.held = 0;
        Ok(())
    }
}

impl Block {
    fn write(&mut self, cap: u16, out: &mut impl Write) -> io::Result<()> {
        let cap = (cap != GLOBAL).then_some(cap);
        out.write_all(&marker(
            cap,
            self.first.min(self.last),
            self.last,
            self.bytes.len(),
        ))?;
        out.write_all(&self.bytes)?;
        self.bytes.clear();
        self.first = self.last;
        Ok(())
    }
}
