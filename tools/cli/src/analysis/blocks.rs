//! The markers of new blocks.

use ghc_eventlog::{BLOCK_MARKER, BlockBuilder};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// The capability field of the global block.
const GLOBAL: u16 = 0xffff;
/// Bytes of a marker, in every header that this writer is used with.
const MARKER: usize = 24;

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
