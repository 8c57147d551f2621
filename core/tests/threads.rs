//! Real threads: no record lost, doubled, torn or out of order, whatever the consumer does to the sessions.
#![cfg(not(loom))]

mod common;

use common::{RingMemory, bytes, times};
use eventlog_ring::{Doorbell, Epoch, PushError, RecordState, Ring};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;

/// thread | sequence number | epoch | filler that repeats a byte made of the two.
fn compose(thread: u64, n: u64, epoch: Epoch, len: usize) -> Vec<u8> {
    let mut chunk = Vec::with_capacity(20 + len);
    chunk.extend(thread.to_ne_bytes());
    chunk.extend(n.to_ne_bytes());
    chunk.extend(epoch.bits().to_ne_bytes());
    chunk.resize(20 + len, (n * 31 + thread) as u8);
    chunk
}

fn dissect(chunk: &[u8]) -> (u64, u64, Epoch) {
    let thread = u64::from_ne_bytes(chunk[..8].try_into().unwrap());
    let n = u64::from_ne_bytes(chunk[8..16].try_into().unwrap());
    let epoch = u32::from_ne_bytes(chunk[16..20].try_into().unwrap());
    let filler = (n * 31 + thread) as u8;
    assert!(chunk[20..].iter().all(|&byte| byte == filler), "torn");
    (thread, n, Epoch::from_bits(epoch))
}

#[test]
fn producers_that_retry_lose_nothing() {
    const THREADS: u64 = 3;
    let records = times(30_000, 12);
    let mut memory = RingMemory::new(32);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.mpsc();
    let epoch = producer.epoch();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for n in 0..records {
                    let chunk = compose(thread, n, epoch, (n * 13 % 400) as usize);
                    while let Err(error) = producer.push_in(epoch, &chunk) {
                        assert_eq!(error, PushError::Full);
                        thread::yield_now();
                    }
                }
            });
        }
        let mut next = [0; THREADS as usize];
        while next.iter().sum::<u64>() < THREADS * records {
            let mut count = 0;
            for record in consumer.records() {
                count += 1;
                assert_eq!(record.state(), RecordState::Live);
                assert_eq!(record.loss_before(), None);
                let (thread, n, _) = dissect(&bytes(&record));
                assert_eq!(n, next[thread as usize], "first in, first out per producer");
                next[thread as usize] += 1;
            }
            consumer.release(count);
            if count == 0 {
                thread::yield_now();
            }
        }
    });
    assert!(consumer.is_idle());
    assert_eq!(consumer.counters().delivered.records, THREADS * records);
}

#[test]
fn one_producer_loses_nothing_over_many_laps() {
    let records = times(100_000, 40);
    let mut memory = RingMemory::new(8);
    let mut ring = memory.ring();
    let (mut producer, mut consumer) = ring.spsc();
    let epoch = producer.epoch();
    thread::scope(|scope| {
        scope.spawn(move || {
            for n in 0..records {
                let chunk = compose(0, n, epoch, (n * 13 % 300) as usize);
                while producer.push(&chunk).is_err() {
                    thread::yield_now();
                }
            }
        });
        let mut next = 0;
        while next < records {
            let mut count = 0;
            for record in consumer.records() {
                count += 1;
                assert_eq!(dissect(&bytes(&record)), (0, next, epoch));
                next += 1;
            }
            consumer.release(count);
            if count == 0 {
                thread::yield_now();
            }
        }
    });
}

#[test]
fn nothing_of_an_old_session_is_live_in_a_new_one() {
    const THREADS: u64 = 3;
    let sessions = times(2_000, 4);
    let mut memory = RingMemory::new(64);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.mpsc();
    let (stop, accepted, reserved) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (stop, accepted, reserved) = (&stop, &accepted, &reserved);
            scope.spawn(move || {
                for n in 0.. {
                    if stop.load(Relaxed) {
                        break;
                    }
                    let epoch = producer.epoch();
                    let chunk = compose(thread, n, epoch, (n * 29 % 500) as usize);
                    match producer.reserve_in(epoch, chunk.len()) {
                        Ok(mut reservation) => {
                            assert_eq!(reservation.epoch(), epoch);
                            reserved.fetch_add(1, Relaxed);
                            reservation.copy_from_slice(&chunk);
                            if n % 7 == 0 {
                                thread::yield_now();
                            }
                            if n % 11 != 0 {
                                reservation.commit();
                                accepted.fetch_add(1, Relaxed);
                            }
                        }
                        Err(PushError::Oversize) => unreachable!(),
                        Err(_) => thread::yield_now(),
                    }
                }
            });
        }
        let mut session = consumer.open();
        for round in 0..sessions {
            for look in 0..=round % 4 {
                let mut count = 0;
                for record in consumer.records() {
                    count += 1;
                    match record.state() {
                        RecordState::Live => {
                            assert_eq!(dissect(&bytes(&record)).2, session, "an old record");
                        }
                        RecordState::Stale => {
                            assert_ne!(dissect(&bytes(&record)).2, session, "a fresh record");
                        }
                        RecordState::Aborted => {}
                    }
                }
                // Leave some of them to the next look.
                consumer.release(if look == 2 { count / 2 } else { count });
                thread::yield_now();
            }
            if round % 5 == 0 {
                consumer.close();
            } else {
                consumer.reset();
            }
            session = consumer.open();
        }
        stop.store(true, Relaxed);
    });
    consumer.release(usize::MAX);
    assert!(consumer.is_idle());
    let counters = consumer.counters();
    let (delivered, discarded) = (counters.delivered.records, counters.discarded.records);
    assert_eq!(accepted.load(Relaxed), delivered + discarded);
    assert_eq!(
        reserved.load(Relaxed),
        delivered + discarded + counters.aborted.records
    );
}

#[test]
fn a_sleeping_consumer_is_woken() {
    const THREADS: u64 = 2;
    let records = times(20_000, 10);
    let bell = Doorbell::new();
    let mut memory = RingMemory::new(16);
    let mut ring = memory.ring();
    let (producer, mut consumer) = ring.mpsc();
    let sleeper = thread::current();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (bell, sleeper, epoch) = (&bell, sleeper.clone(), producer.epoch());
            scope.spawn(move || {
                for n in 0..records {
                    let chunk = compose(thread, n, epoch, 40);
                    while producer.push(&chunk).is_err() {
                        thread::yield_now();
                    }
                    if bell.ring() {
                        sleeper.unpark();
                    }
                }
            });
        }
        let mut seen = 0;
        while seen < THREADS * records {
            let count = consumer.records().count();
            consumer.release(count);
            seen += count as u64;
            if count == 0 {
                bell.arm();
                if consumer.is_empty() {
                    // No timeout: a lost wake-up hangs the test.
                    thread::park();
                }
                bell.disarm();
            }
        }
    });
}

#[test]
fn closing_is_seen_by_every_producer_and_leaves_what_was_accepted() {
    const THREADS: u64 = 3;
    for _ in 0..times(300, 1) {
        let mut memory = RingMemory::new(64);
        let mut ring = memory.ring();
        let (accepted, closer) = (AtomicU64::new(0), AtomicU64::new(0));
        let (producer, mut consumer) = ring.mpsc();
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (accepted, closer) = (&accepted, &closer);
                scope.spawn(move || {
                    for n in 0.. {
                        match producer.push(&compose(thread, n, producer.epoch(), 10)) {
                            Ok(()) => accepted.fetch_add(1, Relaxed),
                            Err(PushError::Full) => {
                                thread::yield_now();
                                closer.fetch_add(1, Relaxed)
                            }
                            Err(PushError::Closed) => break,
                            Err(error) => panic!("{error}"),
                        };
                        if thread == 0 && n == 40 {
                            producer.close();
                        }
                    }
                });
            }
            while consumer.is_open() {
                let count = consumer.records().count();
                consumer.release(count);
                thread::yield_now();
            }
        });
        let left = consumer.records().filter(|record| record.is_live()).count();
        consumer.release(left);
        assert!(consumer.is_idle());
        assert_eq!(
            consumer.counters().delivered.records,
            accepted.load(Relaxed)
        );
        assert_eq!(consumer.counters().refused_closed.records, THREADS);
    }
}

#[test]
fn handles_may_cross_threads() {
    fn crosses<T: Send>(_: &T) {}
    fn is_shared<T: Sync>(_: &T) {}
    let mut memory = RingMemory::new(4);
    let mut ring: Ring<'_> = memory.ring();
    is_shared(&ring);
    {
        let (producer, consumer) = ring.mpsc();
        crosses(&producer);
        is_shared(&producer);
        crosses(&consumer);
        crosses(&producer.reserve(1).unwrap());
    }
    let (producer, _) = ring.spsc();
    crosses(&producer);
}
