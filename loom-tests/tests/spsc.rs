//! One producer.
#![cfg(loom)]

use eventlog_ring::{GRANULE, PushError};
use loom::thread;
use loom_tests::{RingMemory, chunk, explore, whole};

/// I1 to I4, I6: records that fill the ring and wrap around its end, padded to granules, come out whole, once, and in the
/// order they were pushed; what is refused is not there at all.
#[test]
fn records_wrap_whole_and_in_order() {
    explore(&["all accepted", "met a full ring"], |outcomes| {
        let memory = RingMemory::new(4);
        // SAFETY: the thread is joined and the handles dropped at the end of the model.
        let (mut producer, mut consumer) = unsafe { memory.ring() }.spsc();
        let other = thread::spawn(move || {
            let mut accepted = Vec::new();
            for (n, len) in [
                (0, 2 * GRANULE + 1),
                (1, 1),
                (2, GRANULE + 9),
                (3, 2 * GRANULE),
            ] {
                match producer.push(&chunk(0, n, len)) {
                    Ok(()) => accepted.push((0, n)),
                    Err(error) => {
                        assert_eq!(error, PushError::Full);
                        outcomes.saw("met a full ring");
                    }
                }
            }
            accepted
        });
        let mut seen = Vec::new();
        for _ in 0..3 {
            let before = seen.len();
            seen.extend(consumer.records().map(|record| whole(&record)));
            consumer.release(seen.len() - before);
        }
        let accepted = other.join().unwrap();
        let before = seen.len();
        seen.extend(consumer.records().map(|record| whole(&record)));
        consumer.release(seen.len() - before);
        assert_eq!(seen, accepted);
        assert!(consumer.is_idle());
        if accepted.len() == 4 {
            outcomes.saw("all accepted");
        }
    });
}
