//! The same stream, read by the project's own decoder.

use super::stream::Stream;
use ghc_eventlog::{Item, Reader};
use std::collections::BTreeMap;

/// The decoder finds the same events as the strict walk, and no fault.
#[track_caller]
pub fn agrees(bytes: &[u8], stream: &Stream<'_>) {
    let mut counts: BTreeMap<u16, u64> = BTreeMap::new();
    let mut blocks = 0;
    let mut reader = Reader::new(bytes);
    while let Some(item) = reader.next_item().expect("a stream without faults") {
        match item {
            Item::Event(event) => *counts.entry(event.body.id()).or_default() += 1,
            Item::Block(_) => blocks += 1,
            _ => {}
        }
    }
    assert_eq!(counts, stream.counts);
    assert_eq!(blocks, stream.blocks.len());
    assert_eq!(reader.ending().is_complete(), stream.whole && stream.ended);
}
