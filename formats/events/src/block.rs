//! Block markers: reading and recognising them, and making new blocks.

use crate::body::EventBody;
use crate::encode::{EncodeError, encode_event};
use crate::event::{Block, Event};
use crate::header::Header;
use crate::ids::BLOCK_MARKER;
use crate::layout::{GLOBAL, MARKER_LEN, block_marker};

impl<'a> Block<'a> {
    /// Reads a marker of at least 24 bytes.
    pub(crate) fn parse(raw: &'a [u8], offset: u64) -> Self {
        let at = |from: usize| -> u64 {
            raw.get(from..)
                .and_then(|bytes| bytes.first_chunk())
                .map_or(0, |bytes| u64::from_be_bytes(*bytes))
        };
        let cap = at(16) as u16;
        Self {
            time: at(2),
            size: (at(10) >> 32) as u32,
            end: at(14),
            cap: (cap != GLOBAL).then_some(cap),
            raw,
            offset,
        }
    }

    /// Whether these bytes, found among bytes that cannot be decoded, start a
    /// block.
    pub(crate) fn is_plausible(bytes: &[u8]) -> bool {
        let Some(raw) = bytes.get(..MARKER_LEN) else {
            return false;
        };
        let block = Block::parse(raw, 0);
        raw[..2] == BLOCK_MARKER.to_be_bytes()
            && (MARKER_LEN as u32..=1 << 26).contains(&block.size)
            && block.time <= block.end
            && block.end < 1 << 60
            && block.cap.is_none_or(|cap| cap < 1 << 14)
    }
}

/// Collects events into a new block.
///
/// ```
/// use ghc_eventlog::{BlockBuilder, EventBody, Header};
///
/// let header = Header::standard();
/// let mut block = BlockBuilder::new(Some(0));
/// block.push_body(&header, 1000, &EventBody::RunThread { thread: 1 })?;
/// let mut log = header.as_bytes().to_vec();
/// log.extend_from_slice(block.finish());
/// # Ok::<(), ghc_eventlog::EncodeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct BlockBuilder {
    bytes: Vec<u8>,
    first: u64,
    last: u64,
}

impl BlockBuilder {
    /// An empty block of a capability, or of the global buffer (`None`).
    pub fn new(cap: Option<u16>) -> Self {
        Self {
            bytes: block_marker(cap, 0, 0, 0).to_vec(),
            first: u64::MAX,
            last: 0,
        }
    }

    /// The capability.
    pub fn cap(&self) -> Option<u16> {
        let cap = u16::from_be_bytes([self.bytes[22], self.bytes[23]]);
        (cap != GLOBAL).then_some(cap)
    }

    /// Drops the events and begins a block of another capability, in the same
    /// memory.
    pub fn reset(&mut self, cap: Option<u16>) {
        self.bytes.truncate(MARKER_LEN);
        self.bytes[22..24].copy_from_slice(&cap.unwrap_or(GLOBAL).to_be_bytes());
        (self.first, self.last) = (u64::MAX, 0);
    }

    /// Appends a decoded event, byte for byte except for a length that it must
    /// not declare at its new place ([`Event::raw_for_moving`]).
    pub fn push(&mut self, event: &Event<'_>) {
        self.push_raw(event.time, &event.raw_for_moving());
    }

    /// Appends the bytes of a whole event of that time, as in [`Event::raw`].
    pub fn push_raw(&mut self, time: u64, raw: &[u8]) {
        self.bytes.extend_from_slice(raw);
        self.spans(time);
    }

    /// Appends a new event, encoded as the header declares its type.
    ///
    /// # Errors
    ///
    /// If the header does not allow the event; nothing is appended then.
    pub fn push_body(
        &mut self,
        header: &Header,
        time: u64,
        body: &EventBody<'_>,
    ) -> Result<(), EncodeError> {
        encode_event(header, time, body, &mut self.bytes)?;
        self.spans(time);
        Ok(())
    }

    fn spans(&mut self, time: u64) {
        self.first = self.first.min(time);
        self.last = self.last.max(time);
    }

    /// Makes the block reach from `begin` to `end`, or further if its events
    /// do.
    pub fn cover(&mut self, begin: u64, end: u64) {
        self.first = self.first.min(begin);
        self.last = self.last.max(end);
    }

    /// The latest time so far: when the block ends.
    pub fn end(&self) -> u64 {
        self.last
    }

    /// Bytes so far, the marker included.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the block has no events.
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == MARKER_LEN
    }

    /// The block, complete. More events can be appended afterwards, to get a
    /// longer one.
    pub fn finish(&mut self) -> &[u8] {
        let first = if self.first == u64::MAX {
            self.last
        } else {
            self.first
        };
        let events = self.bytes.len() - MARKER_LEN;
        let marker = block_marker(self.cap(), first, self.last, events);
        self.bytes[..MARKER_LEN].copy_from_slice(&marker);
        &self.bytes
    }
}
