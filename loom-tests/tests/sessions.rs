//! Sessions that end while producers are anywhere between gate and commit.
#![cfg(loom)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use eventlog_ring::{Consumer, Epoch, GRANULE, PushError};
use loom::thread;
use loom_tests::{PlainFlag, RingMemory, explore};

/// A record with the epoch in which it was begun at both its ends.
fn begun(epoch: Epoch) -> Vec<u8> {
    let mut chunk = epoch.bits().to_ne_bytes().repeat(2);
    chunk.resize(GRANULE, 0);
    chunk.extend(epoch.bits().to_ne_bytes());
    chunk
}

/// Releases what is there; live records must have been begun in this session, stale ones in another.
fn look(consumer: &mut Consumer<'_>, session: Epoch) -> usize {
    let mut live = 0;
    let mut count = 0;
    for record in consumer.records() {
        count += 1;
        let mut bytes = vec![0; record.len()];
        record.copy_to(0, &mut bytes);
        assert_eq!(record.is_live(), bytes == begun(session), "live or not");
        live += usize::from(record.is_live());
    }
    consumer.release(count);
    live
}

/// I9: nothing begun before a reset is live after it, even when it is committed in the next session, and nothing accepted
/// in the next session is thrown away.
#[test]
fn nothing_old_is_live_in_the_next_session() {
    explore(&["old", "new", "neither"], |outcomes| {
        let memory = RingMemory::new(4);
        // SAFETY: both threads are joined and the handles dropped at the end of the model.
        let (producer, mut consumer) = unsafe { memory.ring() }.mpsc();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                thread::spawn(move || {
                    let epoch = producer.epoch();
                    match producer.push_in(epoch, &begun(epoch)) {
                        Ok(()) => Some(epoch),
                        Err(error) => {
                            assert!(matches!(error, PushError::Closed | PushError::Stale));
                            None
                        }
                    }
                })
            })
            .collect();
        consumer.reset();
        let session = consumer.open();
        let mut live = look(&mut consumer, session);
        let accepted: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        live += look(&mut consumer, session);
        assert!(consumer.is_idle());
        for epoch in &accepted {
            outcomes.saw(match epoch {
                Some(epoch) if *epoch == session => "new",
                Some(_) => "old",
                None => "neither",
            });
        }
        let accepted: Vec<_> = accepted.into_iter().flatten().collect();
        assert_eq!(live, accepted.iter().filter(|&&e| e == session).count());
        let counters = consumer.counters();
        assert_eq!(counters.delivered.records, live as u64);
        assert_eq!(counters.discarded.records, (accepted.len() - live) as u64);
    });
}

/// I9, I10: the same for the single producer, with a reset between its reservation and its commit, or at any later
/// moment.
#[test]
fn nothing_old_is_live_with_one_producer() {
    explore(&["old", "new"], |outcomes| {
        let memory = RingMemory::new(4);
        // SAFETY: the thread is joined and the handles dropped at the end of the model.
        let (mut producer, mut consumer) = unsafe { memory.ring() }.spsc();
        let first = producer.epoch();
        let other = thread::spawn(move || {
            let mut committed = 0;
            for _ in 0..2 {
                let epoch = producer.epoch();
                if let Ok(mut reservation) = producer.reserve_in(epoch, begun(epoch).len()) {
                    reservation.copy_from_slice(&begun(epoch));
                    reservation.commit();
                    committed += 1;
                    outcomes.saw(if epoch == first { "old" } else { "new" });
                }
            }
            committed
        });
        look(&mut consumer, first);
        consumer.reset();
        assert!(!consumer.records().any(|record| record.is_live()));
        let session = consumer.open();
        look(&mut consumer, session);
        let committed: u64 = other.join().unwrap();
        look(&mut consumer, session);
        let counters = consumer.counters();
        let released = counters.delivered.records + counters.discarded.records;
        assert_eq!(released, committed, "every record is released once");
        assert!(consumer.is_idle());
    });
}

/// I9, I10: after two resets with a producer in between, nothing of the first two sessions is live, not even a record whose
/// copy takes longer than both.
#[test]
fn two_resets_leave_nothing_live() {
    explore(&["first", "second", "third", "refused"], |outcomes| {
        let memory = RingMemory::new(4);
        // SAFETY: both threads are joined and the handles dropped at the end of the model.
        let (producer, mut consumer) = unsafe { memory.ring() }.mpsc();
        let first = producer.epoch();
        let mut slow = producer.reserve(begun(first).len()).unwrap();
        let copying = thread::spawn(move || {
            slow.copy_from_slice(&begun(first));
            slow.commit();
        });
        let pushing = thread::spawn(move || {
            let epoch = producer.epoch();
            producer
                .push_in(epoch, &begun(epoch))
                .is_ok()
                .then_some(epoch)
        });
        consumer.reset();
        let second = consumer.open();
        let mut live = look(&mut consumer, second);
        consumer.reset();
        let third = consumer.open();
        let mut last = look(&mut consumer, third);
        copying.join().unwrap();
        let accepted = pushing.join().unwrap();
        last += look(&mut consumer, third);
        outcomes.saw(match accepted {
            Some(epoch) if epoch == first => "first",
            Some(epoch) if epoch == second => "second",
            Some(_) => "third",
            None => "refused",
        });
        assert_eq!(last, usize::from(accepted == Some(third)));
        live += last;
        let pushed = u64::from(accepted.is_some());
        let counters = consumer.counters();
        assert_eq!(counters.delivered.records, live as u64);
        assert_eq!(counters.discarded.records, 1 + pushed - live as u64);
        assert!(consumer.is_idle());
    });
}

/// I9: closing from another thread while the consumer resets and opens brings no old session back: it closes the new
/// one, or has the same effect as if it had been earlier.
#[test]
fn closing_elsewhere_revives_no_session() {
    explore(&["ends open", "ends closed", "accepted"], |outcomes| {
        let memory = RingMemory::new(4);
        // SAFETY: both threads are joined and the handles dropped at the end of the model.
        let (producer, mut consumer) = unsafe { memory.ring() }.mpsc();
        // Not loom's: it is set before any other thread goes on, so it shows which of the two came first.
        let closed = Arc::new(AtomicBool::new(false));
        let closing = thread::spawn({
            let closed = Arc::clone(&closed);
            move || {
                producer.close();
                closed.store(true, Relaxed);
            }
        });
        let pushing = thread::spawn(move || {
            let epoch = producer.epoch();
            producer
                .push_in(epoch, &begun(epoch))
                .is_ok()
                .then_some(epoch)
        });
        consumer.reset();
        assert!(!consumer.is_open());
        let session = consumer.open();
        let closed_before = closed.load(Relaxed);
        let mut live = look(&mut consumer, session);
        closing.join().unwrap();
        let accepted = pushing.join().unwrap() == Some(session);
        if closed_before && producer.epoch() != session {
            // Loom does not know that nothing can come between a read-modify-write and the store it has read: it lets
            // the closing that has read the first epoch follow the opening. No machine may do that.
            return;
        }
        assert_eq!(producer.epoch(), session, "the gate has gone back");
        let open = consumer.is_open();
        outcomes.saw(if open { "ends open" } else { "ends closed" });
        if accepted {
            outcomes.saw("accepted");
        }
        assert_eq!(producer.push(&begun(session)).is_ok(), open);
        live += look(&mut consumer, session);
        assert_eq!(live, usize::from(accepted) + usize::from(open));
        consumer.reset();
        assert!(!consumer.is_open());
        assert!(consumer.is_idle());
    });
}

/// I9: what is accepted before or while the gate closes stays live to be drained, and nothing is accepted after.
#[test]
fn closing_keeps_what_was_accepted() {
    explore(&["0", "1", "2"], |outcomes| {
        let memory = RingMemory::new(4);
        // SAFETY: the thread is joined and the handles dropped at the end of the model.
        let (producer, mut consumer) = unsafe { memory.ring() }.mpsc();
        let session = producer.epoch();
        let other = thread::spawn(move || {
            let accepted = [(); 2].map(|()| producer.push(&begun(producer.epoch())));
            for result in accepted {
                assert!(matches!(result, Ok(()) | Err(PushError::Closed)));
            }
            assert!(
                accepted[0].is_ok() || accepted[1].is_err(),
                "closed for good"
            );
            accepted.into_iter().flatten().count()
        });
        consumer.close();
        assert_eq!(producer.push(b"late"), Err(PushError::Closed));
        let mut live = look(&mut consumer, session);
        let accepted = other.join().unwrap();
        outcomes.saw(["0", "1", "2"][accepted]);
        live += look(&mut consumer, session);
        assert_eq!(live, accepted);
        assert!(consumer.is_idle());
        assert_eq!(
            consumer.counters().refused_closed.records,
            3 - accepted as u64
        );
    });
}

/// A producer that is accepted in a session sees what its consumer did before opening it.
#[test]
fn opening_publishes() {
    explore(&["accepted"], |outcomes| {
        let memory = RingMemory::new(2);
        // SAFETY: the thread is joined and the handles dropped at the end of the model.
        let (producer, mut consumer) = unsafe { memory.ring() }.mpsc();
        let flag = Arc::new(PlainFlag::new());
        let first = producer.epoch();
        let pushing = thread::spawn({
            let flag = Arc::clone(&flag);
            move || {
                let epoch = producer.epoch();
                if epoch != first && producer.push_in(epoch, b"new").is_ok() {
                    assert!(flag.is_set());
                    outcomes.saw("accepted");
                }
            }
        });
        consumer.reset();
        flag.set();
        consumer.open();
        pushing.join().unwrap();
    });
}

/// A producer that is refused by a closed gate sees what was done before closing it.
#[test]
fn closing_publishes() {
    explore(&["refused"], |outcomes| {
        let memory = RingMemory::new(2);
        // SAFETY: the thread is joined and the handles dropped at the end of the model.
        let (producer, _consumer) = unsafe { memory.ring() }.mpsc();
        let flag = Arc::new(PlainFlag::new());
        let closing = thread::spawn({
            let flag = Arc::clone(&flag);
            move || {
                flag.set();
                producer.close();
            }
        });
        if producer.push(b"late") == Err(PushError::Closed) {
            assert!(flag.is_set());
            outcomes.saw("refused");
        }
        closing.join().unwrap();
    });
}
