//! Collects events into new blocks, one block per capability at a time.
//!
//! The runtime system does the same: each capability fills a block of its own,
//! and blocks of different capabilities overlap in time. All of them are
//! written together at short intervals, so that a reader that orders the result
//! by time does not have to hold back much.

use crate::block::BlockBuilder;
use crate::layout::GLOBAL;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Once this many bytes are held, over all capabilities, they should be
/// written.
const FULL: usize = 1 << 20;

/// Collects events by capability.
///
/// ```
/// use ghc_eventlog::{Blocks, EventBody, Header, encode_event};
///
/// let header = Header::standard();
/// let mut log = header.as_bytes().to_vec();
/// let mut blocks = Blocks::default();
/// for cap in [0, 1, 0, 1] {
///     let mut event = Vec::new();
///     encode_event(&header, 1000, &EventBody::RunThread { thread: 1 }, &mut event)?;
///     blocks.push(Some(cap), 1000, &event);
/// }
/// blocks.flush(&mut log)?;
/// // Two blocks of two events.
/// assert_eq!(log.len(), header.as_bytes().len() + 2 * (24 + 2 * 14));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Blocks {
    caps: BTreeMap<u16, BlockBuilder>,
    held: usize,
    /// The latest time so far.
    latest: u64,
}

impl Blocks {
    /// Adds the bytes of a whole event of that time.
    pub fn push(&mut self, cap: Option<u16>, time: u64, raw: &[u8]) {
        let block = self
            .caps
            .entry(cap.unwrap_or(GLOBAL))
            .or_insert_with(|| BlockBuilder::new(cap));
        block.push_raw(time, raw);
        self.latest = self.latest.max(time);
        self.held += raw.len();
    }

    /// Whether enough is held that it should be written.
    pub fn is_full(&self) -> bool {
        self.held >= FULL
    }

    /// Writes what is held: blocks that reach from their first event to their
    /// last. The global one is first, because it defines what all others refer
    /// to.
    ///
    /// # Errors
    ///
    /// Those of the underlying writer.
    pub fn flush(&mut self, out: &mut impl Write) -> io::Result<()> {
        // The global buffer has the highest number, so it would be last.
        let (caps, global) = (0..GLOBAL, GLOBAL..=GLOBAL);
        for (&cap, block) in self.caps.range_mut(global) {
            write_events(cap, block, out)?;
        }
        for (&cap, block) in self.caps.range_mut(caps) {
            write_events(cap, block, out)?;
        }
        self.held = 0;
        Ok(())
    }

    /// Writes what is held, in blocks that all end at the latest time so far.
    /// Capabilities without events get an empty block, which shows readers that
    /// nothing is missing; so does the global buffer, as the last block,
    /// because it may contain the deletion of capabilities.
    ///
    /// # Errors
    ///
    /// Those of the underlying writer.
    pub fn flush_together(&mut self, out: &mut impl Write) -> io::Result<()> {
        let latest = self.latest;
        self.caps
            .entry(GLOBAL)
            .or_insert_with(|| BlockBuilder::new(None));
        for (&cap, block) in &mut self.caps {
            block.cover(u64::MAX, latest);
            write(cap, block, out)?;
            // The next block begins where this one ends.
            block.cover(latest, latest);
        }
        self.held = 0;
        Ok(())
    }
}

fn write_events(cap: u16, block: &mut BlockBuilder, out: &mut impl Write) -> io::Result<()> {
    match block.is_empty() {
        true => Ok(()),
        false => write(cap, block, out),
    }
}

fn write(cap: u16, block: &mut BlockBuilder, out: &mut impl Write) -> io::Result<()> {
    out.write_all(block.finish())?;
    block.reset((cap != GLOBAL).then_some(cap));
    Ok(())
}

/// When the last block of each capability ended. That never goes back, whatever
/// the log says from which the blocks are copied.
#[derive(Clone, Debug, Default)]
pub struct BlockEnds(BTreeMap<Option<u16>, u64>);

impl BlockEnds {
    /// Writes a block, extended at least to the end of the one before it.
    ///
    /// # Errors
    ///
    /// Those of the underlying writer.
    pub fn write(&mut self, block: &mut BlockBuilder, out: &mut impl Write) -> io::Result<()> {
        let end = self.0.entry(block.cap()).or_default();
        block.cover(u64::MAX, *end);
        *end = block.end();
        out.write_all(block.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decoder, Item};

    /// Capability, begin, end and size of each block.
    fn shape(blocks: &[u8]) -> Vec<(Option<u16>, u64, u64, u32)> {
        let header = crate::Header::standard();
        let bytes = [header.as_bytes(), blocks].concat();
        let mut log = &bytes[..];
        let (mut decoder, mut shape) = (Decoder::new(), Vec::new());
        loop {
            match decoder.decode(&mut log).expect("a log") {
                Item::Block(block) => {
                    shape.push((block.cap, block.time, block.end, block.size));
                }
                Item::NeedMore => return shape,
                _ => {}
            }
        }
    }

    fn event(time: u64) -> Vec<u8> {
        let mut raw = crate::ids::GC_START.to_be_bytes().to_vec();
        raw.extend_from_slice(&time.to_be_bytes());
        raw
    }

    #[test]
    fn blocks_reach_as_far_as_their_events_or_as_the_latest_one() {
        let mut blocks = Blocks::default();
        let mut out = Vec::new();
        blocks.push(Some(1), 7, &event(7));
        blocks.push(Some(0), 5, &event(5));
        blocks.push(Some(1), 6, &event(6));
        blocks.flush(&mut out).expect("memory");
        blocks.push(Some(0), 9, &event(9));
        blocks.push(None, 9, &event(9));
        blocks.flush(&mut out).expect("memory");
        assert_eq!(
            shape(&out),
            [
                (Some(0), 5, 5, 34),
                (Some(1), 6, 7, 44),
                (None, 9, 9, 34),
                (Some(0), 9, 9, 34)
            ]
        );
        blocks.push(Some(0), 12, &event(12));
        for _ in 0..2 {
            out.clear();
            blocks.flush_together(&mut out).expect("memory");
        }
        assert_eq!(
            shape(&out),
            [
                (Some(0), 12, 12, 24),
                (Some(1), 12, 12, 24),
                (None, 12, 12, 24)
            ]
        );
    }
}
