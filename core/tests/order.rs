//! Records come out in the order they went in, wherever they wrap around the end of the ring.
#![cfg(not(loom))]

mod common;

use common::{RingMemory, bytes, drain, pattern};
use eventlog_ring::{GRANULE, PushError};

#[test]
fn records_come_in_order_and_stay_until_released() {
    let mut memory = RingMemory::new(8);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.mpsc();
    for chunk in [&b"one"[..], b"two", b"three"] {
        producer.push(chunk).unwrap();
    }
    for _ in 0..2 {
        let seen: Vec<_> = consumer.records().map(|record| bytes(&record)).collect();
        assert_eq!(seen, [&b"one"[..], b"two", b"three"]);
    }
    consumer.release(2);
    assert_eq!(drain(&mut consumer), [b"three"]);
    assert!(consumer.is_empty() && consumer.is_idle());
}

#[test]
fn the_iterator_goes_on_with_what_is_committed_meanwhile() {
    let mut memory = RingMemory::new(8);
    let mut ring = memory.ring();
    let (producer, consumer) = ring.mpsc();
    let mut records = consumer.records();
    assert!(records.next().is_none());
    producer.push(b"late").unwrap();
    assert_eq!(bytes(&records.next().unwrap()), b"late");
}

#[test]
fn a_record_behind_one_still_being_copied_waits() {
    let mut memory = RingMemory::new(8);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.mpsc();
    let mut slow = producer.reserve(4).unwrap();
    producer.push(b"fast").unwrap();
    assert!(consumer.is_empty() && !consumer.is_idle());
    assert_eq!(consumer.used(), 2 * GRANULE);
    slow.copy_from_slice(b"slow");
    slow.commit();
    assert_eq!(drain(&mut consumer), [b"slow", b"fast"]);
}

#[test]
fn an_empty_record_is_a_record() {
    let mut memory = RingMemory::new(2);
    let mut ring = memory.ring();
    let (mut producer, mut consumer) = ring.spsc();
    producer.push(b"").unwrap();
    producer.push(b"").unwrap();
    assert_eq!(
        producer.push(b""),
        Err(PushError::Full),
        "it takes a granule"
    );
    assert!(consumer.records().all(|record| record.is_empty()));
    assert_eq!(drain(&mut consumer), [b"", b""]);
}

#[test]
fn a_record_may_fill_the_ring_from_any_granule() {
    for start in 0..4 {
        let mut memory = RingMemory::new(4);
        let mut ring = memory.ring();
        let capacity = ring.capacity();
        let (producer, mut consumer) = ring.mpsc();
        for _ in 0..start {
            producer.push(b"").unwrap();
        }
        drain(&mut consumer);
        let chunk = pattern(start, capacity);
        producer.push(&chunk).unwrap();
        assert_eq!(producer.push(b""), Err(PushError::Full));
        assert_eq!(
            consumer.records().count(),
            1,
            "the full ring has one record"
        );
        let (first, second) = consumer.records().next().unwrap().slices();
        assert_eq!(first.len(), capacity - start as usize * GRANULE);
        assert_eq!(second.len(), start as usize * GRANULE);
        assert_eq!(drain(&mut consumer), [chunk]);
        assert!(consumer.is_idle());
    }
}

#[test]
fn every_length_survives_every_place() {
    // Laps over a small ring, with all lengths up to its capacity at shifting positions.
    let granules = 8;
    let mut memory = RingMemory::new(granules);
    let mut ring = memory.ring();
    let (mut producer, mut consumer) = ring.spsc();
    let step = if cfg!(miri) { 13 } else { 1 };
    for len in (0..=granules * GRANULE).step_by(step) {
        for _ in 0..if cfg!(miri) { 2 } else { granules + 1 } {
            let chunk = pattern(len as u64, len);
            producer.push(&chunk).unwrap();
            assert_eq!(drain(&mut consumer), [chunk]);
            producer.push(b"shift").unwrap();
            drain(&mut consumer);
        }
    }
}

#[test]
fn a_ring_larger_than_the_header_permutation_window_keeps_order() {
    // Miri is slow for every borrow of so much memory, so it gets one lap with few records.
    let (granules, laps, len) = if cfg!(miri) {
        (512, 1, 30 * GRANULE)
    } else {
        (1024, 4, 8)
    };
    let mut memory = RingMemory::new(granules);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.mpsc();
    for lap in 0..laps {
        let mut pushed = Vec::new();
        for n in 0..granules / len.div_ceil(GRANULE) {
            let chunk = pattern(lap << 32 | n as u64, len);
            producer.push(&chunk).unwrap();
            pushed.push(chunk);
        }
        assert_eq!(producer.push(&[0; 3 * GRANULE]), Err(PushError::Full));
        assert_eq!(drain(&mut consumer), pushed);
        assert!(consumer.is_idle());
    }
}

#[test]
fn releasing_more_than_there_is_stops_at_the_end() {
    let mut memory = RingMemory::new(4);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.mpsc();
    for _ in 0..4 {
        producer.push(b"x").unwrap();
    }
    consumer.release(usize::MAX);
    assert!(consumer.is_idle());
    assert_eq!(consumer.counters().delivered.records, 4);
}

#[test]
fn records_outlast_their_handles() {
    let mut memory = RingMemory::new(4);
    let mut ring = memory.ring();
    let (producer, consumer) = ring.mpsc();
    producer.push(b"first").unwrap();
    assert_eq!(consumer.records().count(), 1);
    let (mut producer, mut consumer) = ring.spsc();
    producer.push(b"second").unwrap();
    assert_eq!(drain(&mut consumer), [&b"first"[..], b"second"]);
    let (producer, mut consumer) = ring.mpsc();
    producer.push(b"third").unwrap();
    assert_eq!(drain(&mut consumer), [b"third"]);
}
