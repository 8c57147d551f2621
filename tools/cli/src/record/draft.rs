//! A block made of events that are encoded already.

use ghc_eventlog::{BLOCK_MARKER, EventBody, Header, encode_event};

/// Bytes of a block marker.
const MARKER: usize = 24;

/// A block in the making.
#[derive(Debug)]
pub struct Draft {
    bytes: Vec<u8>,
    first: u64,
    last: u64,
}

impl Draft {
    pub fn new(cap: Option<u16>) -> Self {
        let mut bytes = vec![0; MARKER];
        bytes[..2].copy_from_slice(&BLOCK_MARKER.to_be_bytes());
        bytes[22..].copy_from_slice(&cap.unwrap_or(0xffff).to_be_bytes());
        Self {
            bytes,
            first: u64::MAX,
            last: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.len() == MARKER
    }

    /// Appends an event as a log had it.
    pub fn raw(&mut self, time: u64, raw: &[u8]) {
        self.bytes.extend_from_slice(raw);
        self.spans(time);
    }

    /// Appends a new event, unless the header does not declare its type: then
    /// it cannot be told.
    pub fn event(&mut self, header: &Header, time: u64, body: &EventBody<'_>) {
        if encode_event(header, time, body, &mut self.bytes).is_ok() {
            self.spans(time);
        }
    }

    fn spans(&mut self, time: u64) {
        self.first = self.first.min(time);
        self.last = self.last.max(time);
    }

    /// Appends the complete block to `out`.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        let size = u32::try_from(self.bytes.len()).unwrap_or(0);
        self.bytes[2..10].copy_from_slice(&self.first.min(self.last).to_be_bytes());
        self.bytes[10..14].copy_from_slice(&size.to_be_bytes());
        self.bytes[14..22].copy_from_slice(&self.last.to_be_bytes());
        out.append(&mut self.bytes);
    }
}
