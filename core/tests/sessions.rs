//! Epochs: what a reset makes stale, and what closing leaves live.
#![cfg(not(loom))]

mod common;

use common::{RingMemory, bytes, drain};
use eventlog_ring::{Loss, RecordState};

#[test]
fn a_reservation_held_across_a_reset_is_stale_when_committed() {
    let mut memory = RingMemory::new(8);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.mpsc();
    let mut slow = producer.reserve(3).unwrap();
    let old = slow.epoch();
    consumer.reset();
    let epoch = consumer.open();
    producer.push(b"new").unwrap();
    assert_eq!(consumer.records().count(), 0, "order holds across epochs");
    slow.copy_from_slice(b"old");
    slow.commit();
    let states: Vec<_> = consumer.records().map(|record| record.state()).collect();
    assert_eq!(states, [RecordState::Stale, RecordState::Live]);
    assert_ne!(old, epoch);
    assert_eq!(drain(&mut consumer), [b"new"]);
    let counters = consumer.counters();
    assert_eq!(
        (counters.discarded.records, counters.discarded.bytes),
        (1, 3)
    );
    assert_eq!(
        (counters.delivered.records, counters.delivered.bytes),
        (1, 3)
    );
}

#[test]
fn the_same_with_one_producer() {
    let mut memory = RingMemory::new(8);
    let mut ring = memory.ring();
    let (mut producer, mut consumer) = ring.spsc();
    producer.push(b"committed").unwrap();
    let slow = producer.reserve(3).unwrap();
    consumer.reset();
    consumer.open();
    slow.commit();
    producer.push(b"new").unwrap();
    assert_eq!(drain(&mut consumer), [b"new"]);
    assert_eq!(consumer.counters().discarded.records, 2);
}

#[test]
fn a_reset_makes_stale_even_before_the_next_session() {
    let mut memory = RingMemory::new(8);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.mpsc();
    producer.push(b"x").unwrap();
    assert!(consumer.records().all(|record| record.is_live()));
    consumer.reset();
    assert!(!consumer.is_open());
    assert!(!consumer.records().any(|record| record.is_live()));
    // Also for the next handles.
    let (_, mut consumer) = ring.mpsc();
    assert_eq!(drain(&mut consumer), [b""; 0]);
    assert!(consumer.is_idle());
}

#[test]
fn closing_leaves_the_session_to_be_drained() {
    let mut memory = RingMemory::new(8);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.mpsc();
    producer.push(b"one").unwrap();
    let mut held = producer.reserve(3).unwrap();
    consumer.close();
    assert!(producer.push(b"four").is_err());
    assert_eq!(drain(&mut consumer), [b"one"]);
    assert!(consumer.is_empty() && !consumer.is_idle());
    held.copy_from_slice(b"two");
    held.commit();
    assert_eq!(drain(&mut consumer), [b"two"]);
    assert!(consumer.is_idle());
}

#[test]
fn opening_makes_what_was_left_stale() {
    let mut memory = RingMemory::new(8);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.mpsc();
    producer.push(b"left").unwrap();
    consumer.close();
    consumer.open();
    assert_eq!(
        consumer.records().next().unwrap().state(),
        RecordState::Stale
    );
}

#[test]
fn a_partly_sent_record_can_be_thrown_away() {
    let mut memory = RingMemory::new(8);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.mpsc();
    producer.push(b"half sent").unwrap();
    let sent = bytes(&consumer.records().next().unwrap())[..4].to_vec();
    assert_eq!(sent, b"half");
    consumer.reset();
    drain(&mut consumer);
    consumer.open();
    producer.push(b"whole").unwrap();
    assert_eq!(drain(&mut consumer), [b"whole"]);
}

#[test]
fn a_loss_does_not_outlive_its_session() {
    let loss = Loss {
        records: 1,
        bytes: 1,
        since: 1,
        until: 1,
    };
    for close in [false, true] {
        let mut memory = RingMemory::new(8);
        let mut ring = memory.ring();
        let (producer, mut consumer) = ring.mpsc();
        producer.record_loss(loss);
        if close {
            consumer.close();
        } else {
            consumer.reset();
        }
        consumer.open();
        producer.push(b"new").unwrap();
        assert_eq!(consumer.records().next().unwrap().loss_before(), None);
        assert_eq!(consumer.take_loss(), None);
        assert_eq!(consumer.counters().lost.records, 1, "the total remembers");
    }
}

#[test]
fn many_sessions() {
    let mut memory = RingMemory::new(4);
    let mut ring = memory.ring();
    let (mut producer, mut consumer) = ring.spsc();
    let sessions = if cfg!(miri) { 20 } else { 10_000_u64 };
    for n in 0..sessions {
        producer.push(&n.to_ne_bytes()).unwrap();
        producer.push(b"left behind").unwrap();
        let record = consumer.records().next().unwrap();
        assert!(record.is_live());
        assert_eq!(bytes(&record), n.to_ne_bytes());
        consumer.release(1);
        consumer.reset();
        drain(&mut consumer);
        consumer.open();
    }
    let counters = consumer.counters();
    assert_eq!(counters.delivered.records, sessions);
    assert_eq!(counters.discarded.records, sessions);
}
