//! Losses are reported once, at the right place, and add up.
#![cfg(not(loom))]

mod common;

use common::{RingMemory, drain, times};
use eventlog_ring::{GRANULE, Loss, PushError, RecordState};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

const fn loss(records: u64, bytes: u64, since: u64, until: u64) -> Loss {
    Loss {
        records,
        bytes,
        since,
        until,
    }
}

#[test]
fn the_next_record_carries_the_note() {
    let mut memory = RingMemory::new(8);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.mpsc();
    producer.push(b"before").unwrap();
    producer.record_loss(loss(1, 10, 5, 6));
    producer.record_loss(loss(2, 20, 3, 9));
    producer.push(b"after").unwrap();
    producer.push(b"later").unwrap();
    let notes: Vec<_> = consumer.records().map(|r| r.loss_before()).collect();
    assert_eq!(notes, [None, Some(loss(3, 30, 3, 9)), None]);
    assert_eq!(consumer.used(), 4 * GRANULE, "a note takes a granule");
    assert_eq!(drain(&mut consumer), [&b"before"[..], b"after", b"later"]);
    assert!(consumer.is_idle());
    let counters = consumer.counters();
    assert_eq!((counters.lost.records, counters.lost.bytes), (3, 30));
    assert_eq!(counters.delivered.bytes, 16, "a note is not payload");
}

#[test]
fn a_note_may_be_the_last_granule_and_its_record_the_first() {
    let mut memory = RingMemory::new(4);
    let mut ring = memory.ring();
    let (mut producer, mut consumer) = ring.spsc();
    producer.push(&[0; 3 * GRANULE]).unwrap();
    drain(&mut consumer);
    producer.record_loss(loss(1, 1, 1, 1));
    producer.push(&[7; 3 * GRANULE]).unwrap();
    let record = consumer.records().next().unwrap();
    assert_eq!(record.loss_before(), Some(loss(1, 1, 1, 1)));
    assert_eq!(record.slices(), (&[7; 3 * GRANULE][..], &b""[..]));
}

#[test]
fn a_note_waits_for_a_record_that_leaves_it_room() {
    let mut memory = RingMemory::new(4);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.mpsc();
    producer.record_loss(loss(1, 10, 5, 6));
    producer.push(&[1; 4 * GRANULE]).unwrap();
    assert_eq!(consumer.records().next().unwrap().loss_before(), None);
    producer.record_loss(loss(1, 10, 7, 8));
    drain(&mut consumer);
    producer.push(&[2; 3 * GRANULE]).unwrap();
    let record = consumer.records().next().unwrap();
    assert_eq!(record.loss_before(), Some(loss(2, 20, 5, 8)));
}

#[test]
fn a_note_never_makes_a_record_fail() {
    let mut memory = RingMemory::new(2);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.mpsc();
    producer.push(b"").unwrap();
    producer.record_loss(loss(1, 1, 1, 1));
    producer.push(b"just fits").unwrap();
    assert_eq!(producer.push(b""), Err(PushError::Full));
    assert_eq!(consumer.take_loss(), Some(loss(1, 1, 1, 1)));
    assert_eq!(consumer.take_loss(), None);
}

#[test]
fn an_aborted_record_keeps_its_note() {
    let mut memory = RingMemory::new(8);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.mpsc();
    producer.record_loss(loss(2, 20, 3, 4));
    drop(producer.reserve(10).unwrap());
    producer.push(b"next").unwrap();
    let seen: Vec<_> = consumer
        .records()
        .map(|record| (record.state(), record.loss_before()))
        .collect();
    let expected = [
        (RecordState::Aborted, Some(loss(2, 20, 3, 4))),
        (RecordState::Live, None),
    ];
    assert_eq!(seen, expected);
    assert_eq!(drain(&mut consumer), [b"next"]);
    assert!(consumer.is_idle());
    assert_eq!(consumer.counters().lost.records, 2, "counted once");
}

#[test]
fn no_records_are_no_loss() {
    let mut memory = RingMemory::new(2);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.spsc();
    producer.record_loss(loss(0, 10, 1, 1));
    assert_eq!(consumer.take_loss(), None);
    assert_eq!(consumer.counters().lost.bytes, 0);
}

#[test]
fn notes_add_up_under_many_threads() {
    const THREADS: u64 = 4;
    let attempts = times(20_000, 30);
    let mut memory = RingMemory::new(16);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.mpsc();
    let (accepted, lost, lost_bytes, running) = (
        AtomicU64::new(0),
        AtomicU64::new(0),
        AtomicU64::new(0),
        AtomicU64::new(THREADS),
    );
    let mut told = Loss::default();
    let mut delivered = 0;
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (accepted, lost, lost_bytes, running) = (&accepted, &lost, &lost_bytes, &running);
            scope.spawn(move || {
                for n in 0..attempts {
                    let len = (n * 37 + thread) as usize % 200;
                    let now = n + 1;
                    match producer.push(&vec![thread as u8; len]) {
                        Ok(()) => accepted.fetch_add(1, Relaxed),
                        Err(PushError::Full) => {
                            producer.record_loss(loss(1, len as u64, now, now));
                            lost_bytes.fetch_add(len as u64, Relaxed);
                            lost.fetch_add(1, Relaxed)
                        }
                        Err(other) => panic!("{other}"),
                    };
                    if n % 64 == 0 {
                        thread::yield_now();
                    }
                }
                running.fetch_sub(1, Relaxed);
            });
        }
        loop {
            let finished = running.load(Relaxed) == 0;
            let mut count = 0;
            for record in consumer.records() {
                count += 1;
                if let Some(note) = record.loss_before() {
                    assert!(1 <= note.since && note.since <= note.until && note.until <= attempts);
                    told.records += note.records;
                    told.bytes += note.bytes;
                }
            }
            consumer.release(count);
            delivered += count as u64;
            if finished && count == 0 {
                break;
            }
            thread::yield_now();
        }
    });
    if let Some(rest) = consumer.take_loss() {
        told.records += rest.records;
        told.bytes += rest.bytes;
    }
    assert_eq!(told.records, lost.load(Relaxed));
    assert_eq!(told.bytes, lost_bytes.load(Relaxed));
    assert_eq!(delivered, accepted.load(Relaxed));
    assert_eq!(delivered + told.records, THREADS * attempts);
    let counters = consumer.counters();
    assert_eq!(counters.lost.records, told.records);
    assert_eq!(counters.lost.bytes, told.bytes);
    assert_eq!(counters.delivered.records, delivered);
    assert!(consumer.is_idle());
}
