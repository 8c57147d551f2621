//! Producers that the end of a session finds anywhere between gate and commit.
#![cfg(loom)]

use eventlog_ring::{Consumer, Epoch, GRANULE, PushError};
use loom::thread;
use loom_tests::Bed;

/// The epoch in which a record was begun, written at both its ends.
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
        assert_eq!(record.is_live(), bytes == begun(session));
        live += usize::from(record.is_live());
    }
    consumer.release(count);
    live
}

/// Nothing begun before a reset is live after it, even when it is committed in the next session; nothing accepted in the
/// next session is thrown away.
#[test]
fn nothing_old_is_live_in_the_next_session() {
    loom::model(|| {
        let bed = Bed::new(4);
        // SAFETY: both threads are joined and the handles done with at the end of the model.
        let (producer, mut consumer) = unsafe { bed.ring() }.mpsc();
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
        let accepted: Vec<_> = threads
            .into_iter()
            .filter_map(|t| t.join().unwrap())
            .collect();
        live += look(&mut consumer, session);
        assert!(consumer.is_idle());
        assert_eq!(live, accepted.iter().filter(|&&e| e == session).count());
        let counters = consumer.counters();
        assert_eq!(counters.delivered.records, live as u64);
        assert_eq!(counters.discarded.records, (accepted.len() - live) as u64);
    });
}

/// The same for the single producer, which reserves, copies and commits twice.
#[test]
fn nothing_old_is_live_with_one_producer() {
    loom::model(|| {
        let bed = Bed::new(4);
        // SAFETY: the thread is joined and the handles done with at the end of the model.
        let (mut producer, mut consumer) = unsafe { bed.ring() }.spsc();
        let other = thread::spawn(move || {
            for _ in 0..2 {
                let epoch = producer.epoch();
                if let Ok(mut reservation) = producer.reserve_in(epoch, begun(epoch).len()) {
                    reservation.copy_from_slice(&begun(epoch));
                    reservation.commit();
                }
            }
        });
        look(&mut consumer, Epoch::from_bits(1));
        consumer.reset();
        let session = consumer.open();
        look(&mut consumer, session);
        other.join().unwrap();
        look(&mut consumer, session);
        assert!(consumer.is_idle());
    });
}

/// What is accepted before or while the gate closes stays live to be drained, and nothing is accepted after.
#[test]
fn closing_keeps_what_was_accepted() {
    loom::model(|| {
        let bed = Bed::new(4);
        // SAFETY: the thread is joined and the handles done with at the end of the model.
        let (producer, mut consumer) = unsafe { bed.ring() }.mpsc();
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
        live += look(&mut consumer, session);
        assert_eq!(live, accepted);
        assert!(consumer.is_idle());
        assert_eq!(
            consumer.counters().refused_closed.records,
            3 - accepted as u64
        );
    });
}
