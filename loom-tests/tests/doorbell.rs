//! Sleeping and waking. A lost wake-up leaves the consumer parked forever, which loom reports as a deadlock.
#![cfg(loom)]

use std::sync::Arc;

use eventlog_ring::{Consumer, Doorbell, RecordState};
use loom::thread;
use loom_tests::{Outcomes, RingMemory, chunk, explore};

/// Releases `expected` records, sleeping whenever there is nothing; returns what they were.
fn consume(
    consumer: &mut Consumer<'_>,
    bell: &Doorbell,
    outcomes: &Outcomes,
    expected: usize,
) -> Vec<RecordState> {
    let mut seen = Vec::new();
    while seen.len() < expected {
        let before = seen.len();
        seen.extend(consumer.records().map(|record| record.state()));
        if seen.len() > before {
            consumer.release(seen.len() - before);
            continue;
        }
        bell.arm();
        if consumer.is_empty() {
            outcomes.saw("slept");
            thread::park();
        }
        bell.disarm();
    }
    seen
}

fn woken_by(producers: u8, records: u8) {
    explore(&["slept"], move |outcomes| {
        let memory = RingMemory::new(4);
        let bell = Arc::new(Doorbell::new());
        // SAFETY: all threads are joined and the handles dropped at the end of the model.
        let (producer, mut consumer) = unsafe { memory.ring() }.mpsc();
        let sleeper = thread::current();
        let threads: Vec<_> = (0..producers)
            .map(|who| {
                let (bell, sleeper) = (Arc::clone(&bell), sleeper.clone());
                thread::spawn(move || {
                    for n in 0..records {
                        producer.push(&chunk(who, n, 1)).unwrap();
                        if bell.ring() {
                            sleeper.unpark();
                        }
                    }
                })
            })
            .collect();
        let expected = usize::from(producers * records);
        consume(&mut consumer, &bell, outcomes, expected);
        assert!(consumer.is_idle());
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// I7: a consumer asleep means that nothing is committed or a wake-up is under way, with one producer.
#[test]
fn one_producer_wakes_the_consumer() {
    woken_by(1, 2);
}

/// I7: the same with two producers, of which the later one may commit first.
#[test]
fn two_producers_wake_the_consumer() {
    woken_by(2, 1);
}

/// A wake-up is asked for only while the bell is armed, and of one producer for each arming.
#[test]
fn a_wake_is_asked_for_once_and_only_of_an_armed_bell() {
    explore(&["woken", "seen without a wake"], |outcomes| {
        let memory = RingMemory::new(4);
        let bell = Arc::new(Doorbell::new());
        // SAFETY: all threads are joined and the handles dropped at the end of the model.
        let (producer, consumer) = unsafe { memory.ring() }.mpsc();
        let sleeper = thread::current();
        assert!(!bell.ring(), "awake from the start");
        let threads = [0, 1].map(|who| {
            let (bell, sleeper) = (Arc::clone(&bell), sleeper.clone());
            thread::spawn(move || {
                producer.push(&chunk(who, 0, 1)).unwrap();
                let asked = bell.ring();
                if asked {
                    sleeper.unpark();
                }
                asked
            })
        });
        bell.arm();
        let empty = consumer.is_empty();
        if empty {
            thread::park();
            assert!(!bell.ring(), "the one wake was asked for");
        }
        bell.disarm();
        let asked = threads.map(|t| t.join().unwrap());
        assert!(asked != [true, true], "asked twice");
        if empty {
            assert!(asked.contains(&true), "woken by nobody");
            outcomes.saw("woken");
        } else {
            outcomes.saw("seen without a wake");
        }
        assert!(!bell.ring(), "awake again");
    });
}

/// I7, I9: a consumer that resets while a record is being copied, and then sleeps, is woken by the commit of that stale
/// record and by the first live one of the next session.
#[test]
fn a_sleeper_is_woken_across_a_reset() {
    explore(&["slept"], |outcomes| {
        let memory = RingMemory::new(4);
        let bell = Arc::new(Doorbell::new());
        // SAFETY: the thread is joined and the handles dropped at the end of the model.
        let (producer, mut consumer) = unsafe { memory.ring() }.mpsc();
        let half = producer.reserve(1).unwrap();
        let (old, sleeper) = (half.epoch(), thread::current());
        let other = thread::spawn({
            let bell = Arc::clone(&bell);
            move || {
                half.commit();
                if bell.ring() {
                    sleeper.unpark();
                }
                loop {
                    let epoch = producer.epoch();
                    if epoch != old && producer.push_in(epoch, &chunk(0, 1, 1)).is_ok() {
                        break;
                    }
                    thread::yield_now();
                }
                if bell.ring() {
                    sleeper.unpark();
                }
            }
        });
        consumer.reset();
        consumer.open();
        let seen = consume(&mut consumer, &bell, outcomes, 2);
        assert_eq!(seen, [RecordState::Stale, RecordState::Live]);
        assert!(consumer.is_idle());
        other.join().unwrap();
    });
}

/// I7: a consumer that has closed the gate and sleeps until the ring is drained is woken by the commit of a record that was
/// being copied meanwhile.
#[test]
fn a_sleeper_is_woken_by_the_last_record_after_closing() {
    explore(&["slept"], |outcomes| {
        let memory = RingMemory::new(4);
        let bell = Arc::new(Doorbell::new());
        // SAFETY: the thread is joined and the handles dropped at the end of the model.
        let (producer, mut consumer) = unsafe { memory.ring() }.mpsc();
        let half = producer.reserve(1).unwrap();
        let sleeper = thread::current();
        let other = thread::spawn({
            let bell = Arc::clone(&bell);
            move || {
                half.commit();
                if bell.ring() {
                    sleeper.unpark();
                }
            }
        });
        consumer.close();
        assert!(!consumer.is_idle(), "claimed before closing");
        let seen = consume(&mut consumer, &bell, outcomes, 1);
        assert_eq!(seen, [RecordState::Live]);
        assert!(consumer.is_idle());
        other.join().unwrap();
    });
}
