//! Writing in place, and aborting.
#![cfg(not(loom))]

mod common;

use common::{RingMemory, drain, pattern};
use eventlog_ring::{GRANULE, RecordState, Tally};

#[test]
fn two_slices_at_the_wrap() {
    let mut memory = RingMemory::new(4);
    let mut ring = memory.ring();
    let (mut producer, mut consumer) = ring.spsc();
    for _ in 0..3 {
        producer.push(b"").unwrap();
    }
    drain(&mut consumer);
    let chunk = pattern(7, 2 * GRANULE + 5);
    let mut reservation = producer.reserve(chunk.len()).unwrap();
    let (first, second) = reservation.as_mut_slices();
    assert_eq!((first.len(), second.len()), (GRANULE, GRANULE + 5));
    first.copy_from_slice(&chunk[..GRANULE]);
    second.copy_from_slice(&chunk[GRANULE..]);
    reservation.commit();
    let (first, second) = consumer.records().next().unwrap().slices();
    assert_eq!((first, second), chunk.split_at(GRANULE));
}

#[test]
fn one_slice_when_the_record_ends_with_the_ring() {
    let mut memory = RingMemory::new(4);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.mpsc();
    producer.push(b"").unwrap();
    drain(&mut consumer);
    let mut reservation = producer.reserve(3 * GRANULE).unwrap();
    let (first, second) = reservation.as_mut_slices();
    assert_eq!((first.len(), second.len()), (3 * GRANULE, 0));
    reservation.commit();
    assert!(consumer.records().next().unwrap().slices().1.is_empty());
}

#[test]
fn pieces_may_be_written_in_any_order_across_the_wrap() {
    let chunk = pattern(3, 3 * GRANULE - 1);
    for cut in [0, 1, GRANULE - 1, GRANULE, GRANULE + 1, chunk.len()] {
        let mut memory = RingMemory::new(4);
        let mut ring = memory.ring();
        let (producer, mut consumer) = ring.mpsc();
        producer.push(&[0; 3 * GRANULE]).unwrap();
        drain(&mut consumer);
        let mut reservation = producer.reserve(chunk.len()).unwrap();
        reservation.write(cut, &chunk[cut..]);
        reservation.write(0, &chunk[..cut]);
        reservation.commit();
        let record = consumer.records().next().unwrap();
        let mut tail = vec![0; chunk.len() - cut];
        record.copy_to(cut, &mut tail);
        assert_eq!(tail, chunk[cut..]);
        assert_eq!(drain(&mut consumer), [&chunk[..]]);
    }
}

#[test]
fn a_dropped_reservation_is_skipped() {
    let mut memory = RingMemory::new(8);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.mpsc();
    producer.push(b"before").unwrap();
    let given_up = producer.reserve(100).unwrap();
    producer.push(b"after").unwrap();
    drop(given_up);
    let states: Vec<_> = consumer.records().map(|record| record.state()).collect();
    let expected = [RecordState::Live, RecordState::Aborted, RecordState::Live];
    assert_eq!(states, expected);
    assert_eq!(drain(&mut consumer), [&b"before"[..], b"after"]);
    assert!(consumer.is_idle());
    let counters = consumer.counters();
    let aborted = Tally {
        records: 1,
        bytes: 100,
    };
    assert_eq!(counters.aborted, aborted);
    assert_eq!(counters.delivered.records, 2);
}

#[test]
fn a_panic_while_writing_aborts() {
    let mut memory = RingMemory::new(4);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.mpsc();
    let result = std::panic::catch_unwind(|| {
        let mut reservation = producer.reserve(4).unwrap();
        reservation.write(1, b"four");
    });
    assert!(result.is_err(), "it does not fit");
    producer.push(b"next").unwrap();
    assert_eq!(drain(&mut consumer), [b"next"]);
}

#[test]
#[should_panic(expected = "past the end")]
fn an_offset_past_the_end_is_refused() {
    let mut memory = RingMemory::new(4);
    let mut ring = memory.ring();
    let (producer, _consumer) = ring.mpsc();
    producer.reserve(4).unwrap().write(usize::MAX, b"");
}

#[test]
#[should_panic(expected = "length of a reservation")]
fn a_whole_copy_has_the_whole_length() {
    let mut memory = RingMemory::new(4);
    let mut ring = memory.ring();
    let (producer, _consumer) = ring.mpsc();
    producer.reserve(4).unwrap().copy_from_slice(b"abc");
}
