//! Real logs: the kept ones, and those of `corpus/make.sh` if it has been run.
//! What ghc-events counts in them is in `corpus/logs/counts.txt`.

mod common;

use common::*;
use ghc_eventlog::{EventBody, Item, Reader, WallClock};
use std::collections::BTreeMap;
use std::path::Path;

#[test]
fn every_log_is_decoded_to_its_end() {
    for (name, bytes) in kept_logs().into_iter().chain(generated_logs()) {
        let outcome = decode(&bytes);
        assert_eq!(outcome.error, None, "{name}");
        assert!(outcome.bytes() == bytes, "{name}");
        let killed = name.ends_with("killed");
        assert_eq!(
            outcome.ending.is_complete(),
            !killed,
            "{name}: {:?}",
            outcome.ending
        );
        // None of their events is unknown.
        let unknown = outcome
            .items
            .iter()
            .find(|item| matches!(item, Owned::Event { text, .. } if text.contains("payload=")));
        assert_eq!(unknown, None, "{name}");
    }
}

#[test]
fn blocks_are_as_long_as_they_say() {
    for (name, bytes) in kept_logs().into_iter().chain(generated_logs()) {
        let mut end = None;
        let mut reader = Reader::new(&bytes[..]);
        while let Some(item) = reader.next_item().unwrap() {
            match item {
                Item::Block(block) => {
                    if let Some(end) = end {
                        assert_eq!(block.offset, end, "{name}");
                    }
                    end = Some(block.offset + u64::from(block.size));
                }
                Item::Event(event) => assert!(event.offset < end.unwrap(), "{name}"),
                _ => {}
            }
        }
    }
}

#[test]
fn ghc_events_counts_the_same() {
    let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/logs");
    let Ok(counts) = std::fs::read_to_string(logs.join("counts.txt")) else {
        eprintln!("not compared with ghc-events: corpus/make.sh has not been run");
        return;
    };
    let mut compared = 0;
    for line in counts.lines() {
        let (name, count) = line.split_once(' ').unwrap();
        // ghc-events cannot read every log: then the count is followed by
        // words.
        let Ok(count) = count.parse::<usize>() else {
            continue;
        };
        let bytes = std::fs::read(logs.join(format!("{name}.eventlog"))).unwrap();
        assert_eq!(decode(&bytes).events(), count, "{name}");
        compared += 1;
    }
    assert!(compared > 0);
}

#[test]
fn the_logs_have_what_they_were_made_for() {
    let expected = [
        ("mix", "run_thread"),
        ("mix", "thread_label"),
        ("mix", "user_marker"),
        ("mix", "wall_clock_time"),
        ("mix-all", "spark_create"),
        ("messages", "user_msg"),
        ("messages-raw", "user_msg"),
        ("hello-ipe", "ipe"),
        ("nonmoving", "conc_mark_begin"),
        ("heap-T", "heap_prof_sample_string"),
        ("heap-c", "heap_prof_sample_cost_centre"),
        ("heap-b", "heap_bio_prof_sample_begin"),
        ("time", "prof_sample_cost_centre"),
        ("ipe", "ipe"),
        ("ticky", "ticky_counter_def"),
    ];
    for (name, bytes) in generated_logs() {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for item in decode(&bytes).items {
            if let Owned::Event { name, .. } = item {
                *seen.entry(name).or_default() += 1;
            }
        }
        let kind = name.split_once('-').map_or("", |(_, kind)| kind);
        for (_, event) in expected.iter().filter(|(wanted, _)| *wanted == kind) {
            // Ticky counters are in the eventlog since 9.2.
            if name != "9.0.2-ticky" {
                assert!(seen.contains_key(event), "{name} has no {event}: {seen:?}");
            }
        }
    }
}

#[test]
fn every_complete_log_tells_the_time_of_day() {
    for (name, bytes) in kept_logs().into_iter().chain(generated_logs()) {
        let mut clocks = Vec::new();
        let mut pid = false;
        let mut reader = Reader::new(&bytes[..]);
        while let Some(item) = reader.next_item().unwrap() {
            if let Item::Event(event) = item {
                clocks.extend(WallClock::from_event(&event));
                pid |= matches!(event.body, EventBody::OsprocessPid { .. });
            }
        }
        if reader.ending().is_complete() {
            assert!(pid, "{name}");
            // A year of this century.
            let year = &clocks[0].at(0).to_string()[..2];
            assert_eq!(year, "20", "{name}");
        }
    }
}
