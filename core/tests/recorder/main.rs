//! The recorder: which records stay, which are refused, and what the counters and words report.
#![cfg(not(loom))]

#[path = "../common/mod.rs"]
mod common;
mod histories;
mod single;
mod threads;

use eventlog_ring::recorder::Recorded;
use eventlog_ring::{Granule, HeaderWord, Recorder, RecorderCounters, Storage, Tally};

/// Memory for a recorder.
struct RingMemory {
    headers: Vec<HeaderWord>,
    granules: Vec<Granule>,
    counters: RecorderCounters,
}

impl RingMemory {
    fn new(granules: usize) -> Self {
        Self {
            headers: (0..granules).map(|_| HeaderWord::new()).collect(),
            granules: (0..granules).map(|_| Granule::new()).collect(),
            counters: RecorderCounters::default(),
        }
    }

    fn recorder(&mut self) -> Recorder<'_> {
        let storage = Storage::new(&mut self.headers, &mut self.granules).expect("good storage");
        Recorder::new(storage, &self.counters)
    }
}

fn bytes(record: &Recorded<'_>) -> Vec<u8> {
    let (first, second) = record.slices();
    let whole = [first, second].concat();
    let mut copy = vec![0; record.len()];
    record.copy_to(0, &mut copy);
    assert_eq!(whole, copy, "both ways of reading agree");
    whole
}

fn kept(recorder: &mut Recorder<'_>) -> Vec<Vec<u8>> {
    let mut kept = Vec::new();
    recorder.for_each(|record| kept.push(bytes(&record)));
    kept
}

fn tally(records: u64, bytes: usize) -> Tally {
    let bytes = bytes as u64;
    Tally { records, bytes }
}
