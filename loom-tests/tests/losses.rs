//! Losses that are recorded and reported at the same time.
#![cfg(loom)]

use eventlog_ring::{Consumer, GRANULE, Loss, PushError, Tally};
use loom::thread;
use loom_tests::{RingMemory, explore};

const fn loss(records: u64, bytes: u64, since: u64, until: u64) -> Loss {
    Loss {
        records,
        bytes,
        since,
        until,
    }
}

const NOTHING_TOLD: Loss = loss(0, 0, u64::MAX, 0);

/// Adds up the losses that records report, live or not, and releases everything; returns how many records.
fn listen(consumer: &mut Consumer<'_>, told: &mut Loss) -> usize {
    let mut count = 0;
    for record in consumer.records() {
        count += 1;
        add(told, record.loss_before());
    }
    consumer.release(count);
    count
}

fn add(told: &mut Loss, note: Option<Loss>) {
    if let Some(note) = note {
        assert!(note.records > 0 && note.since <= note.until);
        told.records += note.records;
        told.bytes += note.bytes;
        told.since = told.since.min(note.since);
        told.until = told.until.max(note.until);
    }
}

/// I5: every loss is reported exactly once, by a note or at the end, however notes and losses interleave.
#[test]
fn losses_add_up() {
    explore(
        &[
            "told meanwhile",
            "told in two parts",
            "told after the threads",
        ],
        |outcomes| {
            let memory = RingMemory::new(8);
            // SAFETY: both threads are joined and the handles dropped at the end of the model.
            let (producer, mut consumer) = unsafe { memory.ring() }.mpsc();
            let threads = [loss(1, 10, 5, 6), loss(2, 30, 4, 4)].map(|loss| {
                thread::spawn(move || {
                    producer.record_loss(loss);
                    producer.push(&[0; GRANULE]).unwrap();
                })
            });
            let mut told = NOTHING_TOLD;
            listen(&mut consumer, &mut told);
            for thread in threads {
                thread.join().unwrap();
            }
            let (halfway, all) = (told.records, &mut told);
            listen(&mut consumer, all);
            add(all, consumer.take_loss());
            assert_eq!(told, loss(3, 40, 4, 6));
            outcomes.saw(match halfway {
                0 => "told after the threads",
                3 => "told meanwhile",
                _ => "told in two parts",
            });
            let expected = Tally {
                records: 3,
                bytes: 40,
            };
            assert_eq!(consumer.counters().lost, expected);
            assert!(consumer.is_idle());
        },
    );
}

/// I5: losses taken by the consumer while they are being recorded are reported exactly once, within the times they
/// happened.
#[test]
fn losses_taken_halfway_add_up() {
    explore(&["split over two takes"], |outcomes| {
        let memory = RingMemory::new(2);
        // SAFETY: both threads are joined and the handles dropped at the end of the model.
        let (producer, mut consumer) = unsafe { memory.ring() }.mpsc();
        let threads = [loss(1, 10, 5, 6), loss(1, 30, 4, 4)]
            .map(|loss| thread::spawn(move || producer.record_loss(loss)));
        let mut told = NOTHING_TOLD;
        for _ in 0..2 {
            let note = consumer.take_loss();
            if note.is_some_and(|note| note.bytes == 0) {
                outcomes.saw("split over two takes");
            }
            add(&mut told, note);
        }
        for thread in threads {
            thread.join().unwrap();
        }
        add(&mut told, consumer.take_loss());
        assert_eq!(told, loss(2, 40, 4, 6));
    });
}

/// I5: each of the records that two producers try to push, and give up when the ring is full, is delivered or reported
/// as lost, and never both.
#[test]
fn every_attempt_is_delivered_or_told() {
    const LEN: usize = GRANULE + 1;
    explore(&["lost", "told by a note"], |outcomes| {
        let memory = RingMemory::new(4);
        // SAFETY: both threads are joined and the handles dropped at the end of the model.
        let (producer, mut consumer) = unsafe { memory.ring() }.mpsc();
        let attempt = move || match producer.push(&[0; LEN]) {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error, PushError::Full);
                outcomes.saw("lost");
                producer.record_loss(loss(1, LEN as u64, 1, 1));
            }
        };
        attempt();
        let threads = [(); 2].map(|()| thread::spawn(attempt));
        let mut told = NOTHING_TOLD;
        let mut delivered = listen(&mut consumer, &mut told);
        attempt();
        for thread in threads {
            thread.join().unwrap();
        }
        delivered += listen(&mut consumer, &mut told);
        if told.records > 0 {
            outcomes.saw("told by a note");
        }
        add(&mut told, consumer.take_loss());
        assert_eq!(delivered as u64 + told.records, 4);
        assert_eq!(told.bytes, told.records * LEN as u64);
        assert!(consumer.is_idle());
    });
}

/// I5, I9: a loss of the new session is reported in it, even if a producer left over from the old one takes it.
#[test]
fn an_old_record_swallows_no_new_loss() {
    explore(&["old record, new loss"], |outcomes| {
        let memory = RingMemory::new(4);
        // SAFETY: both threads are joined and the handles dropped at the end of the model.
        let (producer, mut consumer) = unsafe { memory.ring() }.mpsc();
        let first = producer.epoch();
        let pushing = thread::spawn(move || producer.push_in(first, b"old").is_ok());
        let losing = thread::spawn(move || {
            let now = producer.epoch();
            let new = now != first && producer.push_in(now, b"new").is_ok();
            if new {
                producer.record_loss(loss(1, 10, 5, 6));
            }
            new
        });
        consumer.reset();
        consumer.open();
        let mut told = NOTHING_TOLD;
        listen(&mut consumer, &mut told);
        let pushed = pushing.join().unwrap();
        let lost = losing.join().unwrap();
        listen(&mut consumer, &mut told);
        add(&mut told, consumer.take_loss());
        assert_eq!(told.records, u64::from(lost));
        assert_eq!(told.bytes, u64::from(lost) * 10);
        if pushed && lost {
            outcomes.saw("old record, new loss");
        }
    });
}

/// I5, I9: a loss that was recorded before a session ended is not reported in the next one, whichever thread took it
/// meanwhile; and a loss of the next session is reported, with all of its bytes.
#[test]
fn a_loss_stays_in_its_session() {
    explore(&["taken, and too late", "both"], |outcomes| {
        let memory = RingMemory::new(8);
        // SAFETY: both threads are joined and the handles dropped at the end of the model.
        let (producer, mut consumer) = unsafe { memory.ring() }.mpsc();
        let first = producer.epoch();
        producer.record_loss(loss(1, 1000, 1, 1));
        let taking = thread::spawn(move || match producer.reserve_in(first, 3) {
            Ok(reservation) => {
                drop(reservation);
                true
            }
            Err(_) => false,
        });
        let losing = thread::spawn(move || {
            let new = producer.epoch() != first && producer.push(b"new").is_ok();
            if new {
                producer.record_loss(loss(1, 10, 5, 6));
            }
            new
        });
        consumer.reset();
        consumer.open();
        let mut told = NOTHING_TOLD;
        listen(&mut consumer, &mut told);
        let taken = taking.join().unwrap();
        let lost = losing.join().unwrap();
        listen(&mut consumer, &mut told);
        add(&mut told, consumer.take_loss());
        let expected = if lost { (1, 10) } else { (0, 0) };
        assert_eq!(
            (told.records, told.bytes),
            expected,
            "a loss of another session"
        );
        if taken {
            outcomes.saw("taken, and too late");
        }
        if taken && lost {
            outcomes.saw("both");
        }
    });
}

/// I5: a reservation given up keeps its note, which is reported exactly once.
#[test]
fn an_aborted_record_passes_its_note_on() {
    explore(&[], |_| {
        let memory = RingMemory::new(8);
        // SAFETY: the thread is joined and the handles dropped at the end of the model.
        let (producer, mut consumer) = unsafe { memory.ring() }.mpsc();
        let other = thread::spawn(move || {
            producer.record_loss(loss(1, 10, 5, 6));
            drop(producer.reserve(1).unwrap());
        });
        producer.push(b"x").unwrap();
        let mut told = NOTHING_TOLD;
        listen(&mut consumer, &mut told);
        other.join().unwrap();
        listen(&mut consumer, &mut told);
        add(&mut told, consumer.take_loss());
        assert_eq!(told, loss(1, 10, 5, 6));
    });
}

/// I5: the totals count every loss and every refusal of two threads.
#[test]
fn totals_miss_nothing() {
    explore(&[], |_| {
        let memory = RingMemory::new(2);
        // SAFETY: both threads are joined and the handles dropped at the end of the model.
        let (producer, consumer) = unsafe { memory.ring() }.mpsc();
        producer.close();
        let threads = [3, 4].map(|len| {
            thread::spawn(move || {
                let chunk = [0; 4];
                assert_eq!(producer.push(&chunk[..len]), Err(PushError::Closed));
                producer.record_loss(loss(1, len as u64, 1, 1));
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
        let expected = Tally {
            records: 2,
            bytes: 7,
        };
        assert_eq!(consumer.counters().refused_closed, expected);
        assert_eq!(consumer.counters().lost, expected);
    });
}
