//! Two producers at once.
#![cfg(loom)]

use eventlog_ring::{Consumer, GRANULE, PushError};
use loom::thread;
use loom_tests::{RingMemory, chunk, explore, numbers, whole};

/// Looks once at what is there and releases it; adds their producers and numbers to `seen`.
fn look(consumer: &mut Consumer<'_>, seen: &mut Vec<(u8, u8)>) {
    let before = seen.len();
    for record in consumer.records() {
        assert!(record.is_live());
        seen.push(whole(&record));
    }
    let count = seen.len() - before;
    if count > 0 {
        consumer.release(count);
    }
}

/// I1 to I6: what two producers push through a ring too small for them comes out whole, once, and in each one's order.
#[test]
fn nothing_is_lost_doubled_or_torn() {
    explore(&["all accepted", "met a full ring"], |outcomes| {
        let memory = RingMemory::new(4);
        // SAFETY: both threads are joined and the handles dropped at the end of the model.
        let (producer, mut consumer) = unsafe { memory.ring() }.mpsc();
        let threads: Vec<_> = (0..2_u8)
            .map(|who| {
                thread::spawn(move || {
                    let mut accepted = Vec::new();
                    // One producer crosses the end of the ring with two granules, the other fills it.
                    for (n, len) in [(0, 1 + usize::from(who) * GRANULE), (1, GRANULE + 1)] {
                        match producer.push(&chunk(who, n, len)) {
                            Ok(()) => accepted.push(n),
                            Err(error) => {
                                assert_eq!(error, PushError::Full);
                                outcomes.saw("met a full ring");
                            }
                        }
                    }
                    accepted
                })
            })
            .collect();
        let mut seen = Vec::new();
        look(&mut consumer, &mut seen);
        look(&mut consumer, &mut seen);
        let accepted: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        look(&mut consumer, &mut seen);
        assert!(consumer.is_idle());
        for (who, accepted) in accepted.iter().enumerate() {
            assert_eq!(&numbers(&seen, who as u8), accepted);
        }
        let accepted = accepted.concat().len();
        assert_eq!(consumer.counters().delivered.records, accepted as u64);
        if accepted == 4 {
            outcomes.saw("all accepted");
        }
    });
}

/// I2, I3: a producer that claims room just released by the consumer, which it learns of only through the other
/// producer, does not write while the consumer still reads.
#[test]
fn room_is_reused_only_when_the_consumer_is_done() {
    explore(&["reused at once", "full"], |outcomes| {
        let memory = RingMemory::new(2);
        // SAFETY: both threads are joined and the handles dropped at the end of the model.
        let (producer, mut consumer) = unsafe { memory.ring() }.mpsc();
        producer.push(&chunk(2, 0, GRANULE)).unwrap();
        producer.push(&chunk(2, 1, GRANULE)).unwrap();
        let threads: Vec<_> = (0..2)
            .map(|who| thread::spawn(move || producer.push(&chunk(who, 0, GRANULE)).is_ok()))
            .collect();
        let mut seen = Vec::new();
        look(&mut consumer, &mut seen);
        assert_eq!(seen, [(2, 0), (2, 1)]);
        let accepted: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        look(&mut consumer, &mut seen);
        for (who, &accepted) in accepted.iter().enumerate() {
            assert_eq!(!numbers(&seen, who as u8).is_empty(), accepted);
            outcomes.saw(if accepted { "reused at once" } else { "full" });
        }
        assert!(consumer.is_idle());
    });
}

/// I4, I8: a reservation given up is never delivered, blocks no other record and leaves nothing behind.
#[test]
fn an_aborted_record_is_skipped() {
    explore(&[], |_| {
        let memory = RingMemory::new(4);
        // SAFETY: the thread is joined and the handles dropped at the end of the model.
        let (producer, mut consumer) = unsafe { memory.ring() }.mpsc();
        let other = thread::spawn(move || {
            let mut reservation = producer.reserve(GRANULE + 1).unwrap();
            reservation.write(GRANULE, &[1]);
            drop(reservation);
        });
        producer.push(&chunk(0, 1, 1)).unwrap();
        let mut delivered = 0;
        let mut drain = |consumer: &mut Consumer<'_>| {
            let mut count = 0;
            for record in consumer.records() {
                count += 1;
                if record.is_live() {
                    assert_eq!(whole(&record), (0, 1));
                    delivered += 1;
                }
            }
            consumer.release(count);
        };
        drain(&mut consumer);
        other.join().unwrap();
        drain(&mut consumer);
        assert_eq!(delivered, 1);
        assert!(consumer.is_idle());
        assert_eq!(consumer.counters().aborted.records, 1);
    });
}
