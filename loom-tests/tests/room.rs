//! A full ring: which producer gets the last room, and waiting for more.
#![cfg(loom)]

use std::sync::Arc;

use eventlog_ring::{Consumer, Doorbell, GRANULE, PushError};
use loom::thread;
use loom_tests::{Outcomes, RingMemory, chunk, explore, numbers, whole};

/// What a caller does to wait rather than lose a record: it uses a doorbell in the other direction.
fn push_or_sleep(
    bell: &Doorbell,
    outcomes: &Outcomes,
    mut push: impl FnMut() -> Result<(), PushError>,
) {
    loop {
        match push() {
            Ok(()) => return,
            Err(error) => assert_eq!(error, PushError::Full),
        }
        bell.arm();
        let taken = push().is_ok();
        if !taken {
            outcomes.saw("slept");
            thread::park();
        }
        bell.disarm();
        if taken {
            return;
        }
    }
}

/// Releases what is there and wakes the producers that wait for room, until `expected` records have arrived.
fn serve(
    consumer: &mut Consumer<'_>,
    sleepers: &[(Arc<Doorbell>, thread::Thread)],
    expected: usize,
) -> Vec<(u8, u8)> {
    let mut seen = Vec::new();
    let mut turns = 0;
    while seen.len() < expected {
        let before = seen.len();
        seen.extend(consumer.records().map(|record| whole(&record)));
        if seen.len() == before {
            // Loom lets the other threads go on first, so few turns are enough.
            turns += 1;
            assert!(turns < 100, "somebody waits for room that is there");
            thread::yield_now();
            continue;
        }
        consumer.release(seen.len() - before);
        for (bell, sleeper) in sleepers {
            if bell.ring() {
                sleeper.unpark();
            }
        }
    }
    assert!(consumer.is_idle());
    seen
}

/// I6, I8: a producer that found the ring full and sleeps until room is made gets it, and nothing is lost.
#[test]
fn a_producer_that_waits_for_room_gets_it() {
    explore(&["slept"], |outcomes| {
        let memory = RingMemory::new(2);
        // SAFETY: the thread is joined and the handles dropped at the end of the model.
        let (mut producer, mut consumer) = unsafe { memory.ring() }.spsc();
        let bell = Arc::new(Doorbell::new());
        let waiting = thread::spawn({
            let bell = Arc::clone(&bell);
            move || {
                for (n, len) in [(0, 1), (1, GRANULE + 1), (2, 1)] {
                    let chunk = chunk(0, n, len);
                    push_or_sleep(&bell, outcomes, || producer.push(&chunk));
                }
            }
        });
        let sleepers = [(bell, waiting.thread().clone())];
        let seen = serve(&mut consumer, &sleepers, 3);
        assert_eq!(numbers(&seen, 0), [0, 1, 2]);
        waiting.join().unwrap();
    });
}

/// I6, I8: the same with two producers that compete for the room.
#[test]
fn two_producers_that_wait_for_room_get_it() {
    explore(&["slept"], |outcomes| {
        let memory = RingMemory::new(2);
        // SAFETY: both threads are joined and the handles dropped at the end of the model.
        let (producer, mut consumer) = unsafe { memory.ring() }.mpsc();
        let (threads, sleepers): (Vec<_>, Vec<_>) = (0..2)
            .map(|who| {
                let bell = Arc::new(Doorbell::new());
                let waiting = thread::spawn({
                    let bell = Arc::clone(&bell);
                    move || {
                        let chunk = chunk(who, 0, 2 * GRANULE);
                        push_or_sleep(&bell, outcomes, || producer.push(&chunk));
                    }
                });
                let sleeper = waiting.thread().clone();
                (waiting, (bell, sleeper))
            })
            .unzip();
        let seen = serve(&mut consumer, &sleepers, 2);
        assert_eq!((numbers(&seen, 0).len(), numbers(&seen, 1).len()), (1, 1));
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// I6, I8: of two records when there is room for one, exactly one is accepted, and the refused one has claimed nothing.
#[test]
fn the_last_room_goes_to_one_of_two() {
    explore(&["first", "second"], |outcomes| {
        let memory = RingMemory::new(4);
        // SAFETY: both threads are joined and the handles dropped at the end of the model.
        let (producer, consumer) = unsafe { memory.ring() }.mpsc();
        let threads = [(0, 2), (1, 3)].map(|(who, granules)| {
            thread::spawn(move || producer.push(&chunk(who, 0, granules * GRANULE)))
        });
        let results = threads.map(|t| t.join().unwrap());
        let (winner, granules) = match results {
            [Ok(()), Err(PushError::Full)] => (0, 2),
            [Err(PushError::Full), Ok(())] => (1, 3),
            other => panic!("for one there is room: {other:?}"),
        };
        outcomes.saw(["first", "second"][winner]);
        let seen: Vec<_> = consumer.records().map(|record| whole(&record)).collect();
        assert_eq!(seen, [(winner as u8, 0)]);
        assert_eq!(consumer.used(), granules * GRANULE);
    });
}
