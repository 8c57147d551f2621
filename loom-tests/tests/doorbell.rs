//! No lost wake-up: a lost one leaves the consumer parked for ever, which loom reports as a deadlock.
#![cfg(loom)]

use std::sync::Arc;

use eventlog_ring::{Consumer, Doorbell};
use loom::thread;
use loom_tests::{Bed, chunk};

/// Sleeps whenever there is nothing, until `expected` records have come.
fn consume(consumer: &mut Consumer<'_>, bell: &Doorbell, expected: usize) {
    let mut seen = 0;
    while seen < expected {
        let count = consumer.records().count();
        if count > 0 {
            consumer.release(count);
            seen += count;
            continue;
        }
        bell.arm();
        if consumer.is_empty() {
            thread::park();
        }
        bell.disarm();
    }
    assert!(consumer.is_idle());
}

fn model(producers: u8, records: u8) {
    loom::model(move || {
        let bed = Bed::new(4);
        let bell = Arc::new(Doorbell::new());
        // SAFETY: all threads are joined and the handles done with at the end of the model.
        let (producer, mut consumer) = unsafe { bed.ring() }.mpsc();
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
        consume(&mut consumer, &bell, usize::from(producers * records));
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// A consumer asleep means that nothing is committed or a wake is under way, with one producer.
#[test]
fn one_producer_wakes_the_consumer() {
    model(1, 2);
}

/// The same with two producers, of which the later one may commit first.
#[test]
fn two_producers_wake_the_consumer() {
    model(2, 1);
}
