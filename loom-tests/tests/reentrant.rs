//! A push on the thread that consumes, as when the caller's own code logs on it.
#![cfg(loom)]

use eventlog_ring::{Consumer, PushError};
use loom::thread;
use loom_tests::{RingMemory, chunk, explore, numbers, whole};

/// I1, I4, I8: the thread that consumes may push between its look and its release, and in the middle of another copy of
/// its own as a signal handler does; it does not wait, and everything accepted comes out once and in order.
#[test]
fn the_consumers_own_pushes_are_like_any_other() {
    explore(&["all accepted", "met a full ring"], |outcomes| {
        let memory = RingMemory::new(4);
        // SAFETY: the thread is joined and the handles dropped at the end of the model.
        let (producer, mut consumer) = unsafe { memory.ring() }.mpsc();
        let push = move |who, n| match producer.push(&chunk(who, n, 1)) {
            Ok(()) => Some(n),
            Err(error) => {
                assert_eq!(error, PushError::Full);
                outcomes.saw("met a full ring");
                None
            }
        };
        let other = thread::spawn(move || [0, 1].map(|n| push(1, n)));
        let mut seen = Vec::new();
        let look = |consumer: &mut Consumer<'_>, seen: &mut Vec<(u8, u8)>| {
            let before = seen.len();
            seen.extend(consumer.records().map(|record| whole(&record)));
            seen.len() - before
        };

        let mut half = producer.reserve(1).ok();
        let mut own = vec![half.is_some().then_some(0)];
        own.push(push(0, 1));
        let count = look(&mut consumer, &mut seen);
        assert!(
            half.is_none() || numbers(&seen, 0).is_empty(),
            "overtaken by a record claimed later"
        );
        consumer.release(count);
        if let Some(mut half) = half.take() {
            half.copy_from_slice(&chunk(0, 0, 1));
            half.commit();
        }
        let count = look(&mut consumer, &mut seen);
        own.push(push(0, 2));
        consumer.release(count);

        let others = other.join().unwrap();
        let count = look(&mut consumer, &mut seen);
        consumer.release(count);
        let own: Vec<u8> = own.into_iter().flatten().collect();
        let others: Vec<u8> = others.into_iter().flatten().collect();
        assert_eq!(numbers(&seen, 0), own);
        assert_eq!(numbers(&seen, 1), others);
        assert!(consumer.is_idle());
        if own.len() + others.len() == 5 {
            outcomes.saw("all accepted");
        }
    });
}
