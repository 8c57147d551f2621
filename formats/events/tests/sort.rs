//! Sorting whole logs, in memory and with temporary files.

mod common;

use common::*;
use ghc_eventlog::{Item, Reader, SortOptions, sort};
use std::path::PathBuf;

struct TempDir(PathBuf);

impl TempDir {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("eventlog-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn files(&self) -> usize {
        std::fs::read_dir(&self.0).unwrap().count()
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn events(bytes: &[u8]) -> Vec<(u64, Option<u16>, Vec<u8>)> {
    let mut out = Vec::new();
    let mut reader = Reader::new(bytes);
    while let Some(item) = reader.next_item().unwrap() {
        if let Item::Event(event) = item {
            out.push(raw(&event));
        }
    }
    out
}

/// A log of many blocks with overlapping times and many equal ones.
fn disorder(count: u64) -> Vec<u8> {
    let mut parts = Vec::new();
    let mut state = 1u64;
    for n in 0..count {
        let events: Vec<_> = (0..50)
            .map(|k| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                run(n * 10 + (state >> 60), (n * 50 + k) as u32)
            })
            .collect();
        let cap = [None, Some(0), Some(1), Some(2)][(state >> 62) as usize];
        parts.push(block(cap, n * 10, n * 10 + 20, &events));
    }
    parts.push(vec![0xff, 0xff]);
    log(&parts)
}

#[test]
fn sorted_in_memory_and_through_files_alike() {
    let bytes = disorder(400);
    let mut expected = events(&bytes);
    expected.sort_by_key(|event| event.0);
    // The last splits 20 000 events into some 2000 runs: several passes.
    for (memory, least_runs) in [(64 << 20, 0), (200_000, 3), (600, 1000)] {
        let dir = TempDir::new(&format!("sort-{memory}"));
        let options = SortOptions {
            memory,
            temp_dir: dir.0.clone(),
            ..SortOptions::default()
        };
        let mut out = Vec::new();
        let summary = sort(&bytes[..], &mut out, &options).unwrap();
        assert_eq!(summary.events, expected.len() as u64);
        assert_eq!(summary.written, out.len() as u64);
        assert!(summary.runs >= least_runs, "{} runs", summary.runs);
        assert!(summary.ending.is_complete());
        assert!(events(&out) == expected, "with {memory} bytes");
        assert!(decode(&out).ending.is_complete());
        assert_eq!(dir.files(), 0, "no temporary file is left");
    }
}

#[test]
fn a_sorted_log_has_blocks_that_cover_their_events() {
    let mut out = Vec::new();
    sort(&disorder(20)[..], &mut out, &SortOptions::default()).unwrap();
    let (mut begin, mut end, mut cap_now) = (0, 0, None);
    for item in decode(&out).items {
        match item {
            Owned::Block {
                time,
                end: until,
                cap,
                ..
            } => {
                assert!(time >= end, "blocks do not overlap");
                (begin, end, cap_now) = (time, until, cap);
            }
            Owned::Event { time, cap, .. } => {
                assert!((begin..=end).contains(&time));
                assert_eq!(cap, cap_now);
            }
            _ => {}
        }
    }
}

#[test]
fn sessions_are_sorted_one_by_one() {
    let first = log(&[
        block(Some(0), 0, 100, &[run(90, 1), run(10, 2)]),
        vec![0xff, 0xff],
    ]);
    let second = log(&[block(Some(0), 0, 100, &[run(80, 3), run(5, 4)])]);
    let mut out = Vec::new();
    let bytes = [first, second].concat();
    let summary = sort(&bytes[..], &mut out, &SortOptions::default()).unwrap();
    assert!(!summary.ending.marked);
    let lines = decode(&out).lines();
    let threads: Vec<_> = lines
        .iter()
        .map(|line| line.rsplit('=').next().unwrap())
        .collect();
    assert_eq!(threads, ["2", "1", "4", "3"]);
    assert_eq!(
        out.windows(8)
            .filter(|window| *window == b"hdrbhetb")
            .count(),
        2
    );
}

#[test]
fn a_log_that_is_cut_is_sorted_as_far_as_it_goes() {
    let bytes = disorder(10);
    let mut out = Vec::new();
    let summary = sort(&bytes[..bytes.len() - 9], &mut out, &SortOptions::default()).unwrap();
    assert!(summary.ending.left > 0 && !summary.ending.marked);
    assert_eq!(events(&out).len(), 499);
    assert!(!decode(&out).ending.marked);
}

#[test]
fn what_comes_before_a_fault_is_sorted_and_written() {
    let bytes = [
        log(&[block(Some(0), 0, 9, &[run(5, 1), run(2, 2)])]),
        vec![0x77; 99],
    ]
    .concat();
    let mut out = Vec::new();
    assert!(sort(&bytes[..], &mut out, &SortOptions::default()).is_err());
    assert_eq!(
        decode(&out).lines(),
        ["0: run_thread thread=2", "0: run_thread thread=1"]
    );
    let recovering = SortOptions {
        recovery: true,
        ..SortOptions::default()
    };
    let mut out = Vec::new();
    let summary = sort(&bytes[..], &mut out, &recovering).unwrap();
    assert_eq!(summary.ending.gap.unwrap().length, 99);
}

#[test]
fn generated_logs_sort_to_the_same_events() {
    let dir = TempDir::new("sort-generated");
    for (name, bytes) in kept_logs().into_iter().chain(generated_logs()) {
        let options = SortOptions {
            memory: 300_000,
            temp_dir: dir.0.clone(),
            recovery: true,
            ..SortOptions::default()
        };
        let mut expected = events(&bytes);
        expected.sort_by_key(|event| event.0);
        let mut out = Vec::new();
        sort(&bytes[..], &mut out, &options).unwrap();
        let actual = events(&out);
        if decode(&bytes)
            .items
            .iter()
            .filter(|item| matches!(item, Owned::Header(_)))
            .count()
            == 1
        {
            assert!(actual == expected, "{name}");
        }
        assert_eq!(actual.len(), expected.len(), "{name}");
    }
    assert_eq!(dir.files(), 0);
}

/// No other user may read the contents of a log, even while it is sorted.
#[cfg(unix)]
#[test]
fn temporary_files_have_no_name_and_are_for_their_owner_alone() {
    use std::os::unix::fs::MetadataExt;
    let dir = std::env::temp_dir().join(format!("events-temporary-{}", std::process::id()));
    std::fs::create_dir(&dir).unwrap();
    let file = ghc_eventlog::temp_file(&dir).unwrap();
    let about = file.metadata().unwrap();
    assert_eq!((about.mode() & 0o777, about.nlink()), (0o600, 0));
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
    std::fs::remove_dir(&dir).unwrap();
    assert!(ghc_eventlog::temp_file(&dir).is_err());
}
