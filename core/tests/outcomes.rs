//! Every reason for not taking a chunk, and that the ring counts none of them as a loss.
#![cfg(not(loom))]

mod common;

use common::{RingMemory, drain};
use eventlog_ring::{Counters, Epoch, GRANULE, PushError, Tally};

#[test]
fn full_until_something_is_released() {
    let mut memory = RingMemory::new(4);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.mpsc();
    producer.push(&[1; 3 * GRANULE]).unwrap();
    assert_eq!(producer.push(&[2; GRANULE + 1]), Err(PushError::Full));
    assert_eq!(producer.reserve(GRANULE + 1).unwrap_err(), PushError::Full);
    producer.push(&[3; GRANULE]).unwrap();
    consumer.release(1);
    producer.push(&[4; GRANULE + 1]).unwrap();
    assert_eq!(consumer.counters().lost, Tally::default());
}

#[test]
fn oversize_is_told_at_once() {
    let mut memory = RingMemory::new(2);
    let mut ring = memory.ring();
    assert_eq!(ring.capacity(), 2 * GRANULE);
    let (mut producer, _consumer) = ring.spsc();
    assert_eq!(
        producer.push(&[0; 2 * GRANULE + 1]),
        Err(PushError::Oversize)
    );
    assert_eq!(
        producer.reserve(usize::MAX).unwrap_err(),
        PushError::Oversize
    );
    producer.push(&[0; 2 * GRANULE]).unwrap();
}

#[test]
fn closed_by_either_end_and_counted() {
    let mut memory = RingMemory::new(4);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.mpsc();
    assert!(consumer.is_open());
    consumer.close();
    assert!(!consumer.is_open());
    assert_eq!(producer.push(b"abc"), Err(PushError::Closed));
    consumer.open();
    producer.push(b"abc").unwrap();
    producer.close();
    assert!(!consumer.is_open());
    assert_eq!(producer.push(b"de"), Err(PushError::Closed));
    assert_eq!(producer.reserve(1).unwrap_err(), PushError::Closed);
    let expected = Counters {
        refused_closed: Tally {
            records: 3,
            bytes: 6,
        },
        ..Counters::default()
    };
    assert_eq!(consumer.counters(), expected);
    assert_eq!(producer.counters(), expected);
}

#[test]
fn stale_when_the_epoch_has_moved_on() {
    let mut memory = RingMemory::new(4);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.mpsc();
    let first = producer.epoch();
    producer.push_in(first, b"in time").unwrap();
    consumer.reset();
    assert_eq!(
        producer.push_in(first, b"x"),
        Err(PushError::Closed),
        "closed comes first"
    );
    let between = producer.epoch();
    let second = consumer.open();
    assert_eq!(second, producer.epoch());
    for old in [first, between] {
        assert_ne!(old, second);
        assert_eq!(producer.push_in(old, b"late"), Err(PushError::Stale));
        assert_eq!(producer.reserve_in(old, 1).unwrap_err(), PushError::Stale);
    }
    producer.push_in(second, b"new").unwrap();
    assert_eq!(drain(&mut consumer), [b"new"]);
}

#[test]
fn an_epoch_is_its_number() {
    let mut memory = RingMemory::new(2);
    let mut ring = memory.ring();
    let (mut producer, _consumer) = ring.spsc();
    let epoch = producer.epoch();
    assert_eq!(Epoch::from_bits(epoch.bits()), epoch);
    producer.push_in(epoch, b"").unwrap();
}

#[test]
fn errors_speak() {
    for error in [
        PushError::Full,
        PushError::Oversize,
        PushError::Closed,
        PushError::Stale,
    ] {
        assert!(!error.to_string().is_empty());
    }
}
