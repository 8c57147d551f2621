//! What times and totals mean.

mod common;

use common::*;
use ghc_eventlog::{Allocations, EventBody, Item, Reader, UnixTime, WallClock};

#[test]
fn the_wall_clock_is_that_of_the_event_not_of_the_start() {
    let told = EventBody::WallClockTime {
        capset: 1,
        seconds: 1_700_000_000,
        nanoseconds: 250,
    };
    let bytes = log(&[event(1_000_000_000, told), run(3_000_000_000, 1)]);
    let mut reader = Reader::new(&bytes[..]);
    let mut clock = None;
    let mut seen = Vec::new();
    while let Some(item) = reader.next_item().unwrap() {
        if let Item::Event(event) = item {
            clock = clock.or(WallClock::from_event(&event));
            seen.push(clock.unwrap().at(event.time).to_string());
        }
    }
    assert_eq!(
        seen,
        [
            "2023-11-14T22:13:20.000000250Z",
            "2023-11-14T22:13:22.000000250Z"
        ]
    );
    let clock = clock.unwrap();
    assert_eq!(clock.at(0).unix_nanos(), 1_699_999_999_000_000_250);
    assert_eq!(clock.log_time(clock.at(12_345)), Some(12_345));
    assert_eq!(clock.log_time(UnixTime::from_unix_nanos(0)), None);
}

#[test]
fn dates_are_right() {
    let day = 86_400_000_000_000i128;
    for (nanos, text) in [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (11_016 * day, "2000-02-29T00:00:00.000000000Z"),
        (11_017 * day, "2000-03-01T00:00:00.000000000Z"),
        (20_789 * day + 1, "2026-12-02T00:00:00.000000001Z"),
        (47_540 * day, "2100-02-28T00:00:00.000000000Z"),
        (47_541 * day, "2100-03-01T00:00:00.000000000Z"),
    ] {
        assert_eq!(UnixTime::from_unix_nanos(nanos).to_string(), text);
    }
    // Nothing overflows, whatever a log contains.
    let clock = WallClock::new(0, u64::MAX, u32::MAX);
    assert!(clock.at(u64::MAX).unix_nanos() > 0);
    let _ = clock.at(u64::MAX).to_string();
}

#[test]
fn allocations_are_running_totals_of_each_capability() {
    let allocated = |time, bytes| event(time, EventBody::HeapAllocated { capset: 0, bytes });
    let bytes = log(&[
        block(Some(0), 1, 9, &[allocated(1, 1000), allocated(2, 1500)]),
        block(Some(1), 1, 9, &[allocated(1, 10), run(3, 1)]),
        block(Some(0), 9, 19, &[allocated(11, 1500), allocated(12, 4000)]),
    ]);
    let mut allocations = Allocations::new();
    let mut growth = Vec::new();
    let mut reader = Reader::new(&bytes[..]);
    while let Some(item) = reader.next_item().unwrap() {
        if let Item::Event(event) = item {
            growth.push(allocations.observe(&event));
        }
    }
    assert_eq!(
        growth,
        [Some(1000), Some(500), Some(10), None, Some(0), Some(2500)]
    );
    assert_eq!(allocations.total(), 4010);
    assert_eq!(
        (allocations.of_cap(0), allocations.of_cap(1)),
        (Some(4000), Some(10))
    );
    assert_eq!(allocations.of_cap(2), None);
}

#[test]
fn a_total_that_falls_is_that_of_a_new_run() {
    let mut allocations = Allocations::new();
    assert_eq!(allocations.record(0, 100), 100);
    assert_eq!(allocations.record(0, 30), 30);
    assert_eq!(allocations.total(), 130);
    assert_eq!(allocations.record(0, u64::MAX), u64::MAX - 30);
    assert_eq!(allocations.total(), u64::MAX);
}
