//! Logs to test with.
#![allow(dead_code)]

pub mod ghc_events;
pub mod program;

use ghc_eventlog::{BlockBuilder, EventBody, Header, Item, Reader, encode_event};
use std::path::PathBuf;
use std::sync::LazyLock;

/// The standard header, made once.
pub fn header() -> &'static Header {
    static STANDARD: LazyLock<Header> = LazyLock::new(Header::standard);
    &STANDARD
}

/// A typed event under the standard header.
pub fn event(time: u64, body: EventBody<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    encode_event(header(), time, &body, &mut out).unwrap();
    out
}

/// A block around finished events.
pub fn block(cap: Option<u16>, time: u64, end: u64, events: &[Vec<u8>]) -> Vec<u8> {
    let body = events.concat();
    [marker(cap, time, 24 + body.len() as u32, end), body].concat()
}

/// A marker with these fields, whether they are right or not.
pub fn marker(cap: Option<u16>, time: u64, size: u32, end: u64) -> Vec<u8> {
    let mut bytes = BlockBuilder::new(cap).finish().to_vec();
    bytes[2..10].copy_from_slice(&time.to_be_bytes());
    bytes[10..14].copy_from_slice(&size.to_be_bytes());
    bytes[14..22].copy_from_slice(&end.to_be_bytes());
    bytes
}

/// A log: the standard header and these parts.
pub fn log(parts: &[Vec<u8>]) -> Vec<u8> {
    [header().as_bytes().to_vec(), parts.concat()].concat()
}

/// A deterministic generator of random numbers.
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// The same log with size 0 in all its markers.
pub fn without_sizes(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let mut reader = Reader::new(bytes);
    while let Some(item) = reader.next_item().unwrap() {
        if let Item::Block(block) = item {
            out[block.offset as usize + 10..][..4].fill(0);
        }
    }
    out
}

/// Logs of real programs: the ones in the repository, the generated ones if they exist, and
/// those in the directory that `EVENTLOG_LOGS` names.
pub fn real_logs() -> Vec<(String, Vec<u8>)> {
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../formats/events/corpus");
    let mut logs = Vec::new();
    let others = std::env::var_os("EVENTLOG_LOGS").map(PathBuf::from);
    for dir in [corpus.clone(), corpus.join("logs")]
        .into_iter()
        .chain(others)
    {
        let Ok(entries) = std::fs::read_dir(dir) else {
            continue;
        };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.extension().is_some_and(|ext| ext == "eventlog") {
                let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                logs.push((name, std::fs::read(path).unwrap()));
            }
        }
    }
    logs.sort();
    assert!(!logs.is_empty());
    logs
}
