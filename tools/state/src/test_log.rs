//! Logs for tests.

use ghc_eventlog::{BlockBuilder, Decoder, Event, EventBody, Header, Item};

/// Builds a log: one block per event.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) header: Header,
    pub(crate) bytes: Vec<u8>,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self::with(Header::standard())
    }

    pub(crate) fn with(header: Header) -> Self {
        let bytes = header.as_bytes().to_vec();
        Self { header, bytes }
    }

    pub(crate) fn push(&mut self, cap: Option<u16>, time: u64, body: EventBody<'_>) {
        let mut block = BlockBuilder::new(cap);
        block
            .push_body(&self.header, time, &body)
            .expect("the header has every type");
        self.bytes.extend_from_slice(block.finish());
    }

    /// Adds an event unchanged, in a block of its own.
    pub(crate) fn push_raw(&mut self, cap: Option<u16>, raw: &[u8]) {
        let mut marker = vec![0; 24];
        marker[..2].copy_from_slice(&ghc_eventlog::BLOCK_MARKER.to_be_bytes());
        let size = (24 + raw.len()) as u32;
        marker[2..10].copy_from_slice(&raw[2..10]);
        marker[10..14].copy_from_slice(&size.to_be_bytes());
        marker[14..22].copy_from_slice(&raw[2..10]);
        marker[22..].copy_from_slice(&cap.unwrap_or(0xffff).to_be_bytes());
        self.bytes.extend_from_slice(&marker);
        self.bytes.extend_from_slice(raw);
    }

    pub(crate) fn each(&self, mut see: impl FnMut(&Event<'_>)) {
        let mut decoder = Decoder::new();
        let mut rest = self.bytes.as_slice();
        loop {
            match decoder.decode(&mut rest).expect("a sound log") {
                Item::Event(event) => see(&event),
                Item::NeedMore => break,
                _ => {}
            }
        }
        assert!(rest.is_empty(), "{} bytes are left", rest.len());
    }
}
