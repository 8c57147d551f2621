//! The recorder: which records are overwritten, which pushes are refused, and what a reader from outside sees.
#![cfg(loom)]

use std::sync::Arc;

use eventlog_ring::{GRANULE, PushError, Recorder, Stamp, StampState, Tally};
use loom::sync::atomic::{AtomicU64, Ordering, fence};
use loom::thread;
use loom_tests::{RingMemory, chunk, explore, numbers};

/// Pushes records of these lengths; returns the numbers of those that were taken.
fn push(recorder: &Recorder<'_>, who: u8, lens: &[usize]) -> Vec<u8> {
    let push = |(n, &len): (usize, &usize)| {
        let n = n as u8;
        match recorder.push(&chunk(who, n, len)) {
            Ok(()) => Some(n),
            Err(error) => {
                assert_eq!(error, PushError::Full);
                None
            }
        }
    };
    lens.iter().enumerate().filter_map(push).collect()
}

/// R2: what is left of a producer's records is the newest of them, in order. Returns how many are gone.
fn overwritten(kept: &[(u8, u8)], who: u8, taken: &[u8]) -> usize {
    let kept = numbers(kept, who);
    assert!(taken.ends_with(&kept), "{who}: {kept:?} of {taken:?}");
    taken.len() - kept.len()
}

/// R1, R2, R3: two producers that overwrite each other's records and those of a third never copy into a granule at the same
/// time, what is left is whole and the newest, and everything is counted.
#[test]
fn copies_into_a_granule_never_race() {
    explore(&["all taken", "refused"], |outcomes| {
        let mut memory = RingMemory::recording(2);
        // SAFETY: both threads are joined before `kept`.
        let recorder = unsafe { memory.recorder() };
        let lens = [GRANULE, 1];
        let mut taken = vec![push(recorder, 0, &lens)];
        let threads: Vec<_> = (1..3)
            .map(|who| thread::spawn(move || push(recorder, who, &lens[..who.into()])))
            .collect();
        taken.extend(threads.into_iter().map(|thread| thread.join().unwrap()));
        let counters = recorder.counters();
        // SAFETY: both threads are joined.
        let kept = unsafe { memory.kept() };
        let gone: usize = taken
            .iter()
            .zip(0..)
            .map(|(taken, who)| overwritten(&kept, who, taken))
            .sum();
        assert_eq!(kept.len(), 2, "there is room for two");
        assert_eq!(counters.overwritten().records, gone as u64);
        let refused = 5 - taken.concat().len();
        assert_eq!(counters.refused().records, refused as u64);
        outcomes.saw(if refused == 0 { "all taken" } else { "refused" });
    });
}

/// R3: a producer that claims room which another one made, but was too slow to claim itself, does not copy into a
/// record that it has never seen settled.
#[test]
fn room_that_another_made_is_settled() {
    explore(&["all taken", "refused"], |outcomes| {
        let mut memory = RingMemory::recording(2);
        // SAFETY: both threads are joined before `kept`.
        let recorder = unsafe { memory.recorder() };
        let threads = [1, 2].map(|who| thread::spawn(move || push(recorder, who, &[1, 1])));
        let taken = threads.map(|thread| thread.join().unwrap());
        let all = taken.concat().len();
        // SAFETY: both threads are joined.
        let kept = unsafe { memory.kept() };
        let gone = overwritten(&kept, 1, &taken[0]) + overwritten(&kept, 2, &taken[1]);
        assert_eq!((kept.len(), gone), (2, all - 2));
        outcomes.saw(if all == 4 { "all taken" } else { "refused" });
    });
}

/// R2, R5: two producers that make room at the same time take no more than both need, and neither is refused, because
/// nothing is in the way.
#[test]
fn two_that_make_room_take_what_they_need() {
    explore(&["the larger first", "the smaller first"], |outcomes| {
        let mut memory = RingMemory::recording(4);
        // SAFETY: both threads are joined before `kept`.
        let recorder = unsafe { memory.recorder() };
        assert_eq!(push(recorder, 0, &[1, 2, 3, 4]).len(), 4);
        let threads = [(1, GRANULE + 1), (2, 1)]
            .map(|(who, len)| thread::spawn(move || push(recorder, who, &[len])));
        for thread in threads {
            assert_eq!(thread.join().unwrap(), [0]);
        }
        let gone = recorder.counters().overwritten();
        assert_eq!((gone.records, gone.bytes), (3, 1 + 2 + 3));
        assert_eq!(recorder.counters().refused(), Tally::default());
        // SAFETY: both threads are joined.
        let kept = unsafe { memory.kept() };
        assert_eq!(kept[0], (0, 3));
        outcomes.saw(match kept[1..] {
            [(1, 0), (2, 0)] => "the larger first",
            [(2, 0), (1, 0)] => "the smaller first",
            _ => panic!("{kept:?}"),
        });
    });
}

/// R2, R5: the record of a producer that was stopped in the middle of a copy is never overwritten. A push that reaches
/// it is refused, which is counted and changes nothing else.
#[test]
fn a_record_in_the_making_is_not_overwritten() {
    explore(
        &["in the way until the end", "refused once", "overwritten"],
        |outcomes| {
            let mut memory = RingMemory::recording(2);
            // SAFETY: the thread is joined and the recording settled before `kept`.
            let recorder = unsafe { memory.recorder() };
            let mut half = recorder.reserve(GRANULE).unwrap();
            let other = thread::spawn(move || push(recorder, 1, &[1, 2, 3]));
            half.write(0, &chunk(0, 0, GRANULE));
            half.commit();
            let taken = other.join().unwrap();
            let (gone, refused) = (
                recorder.counters().overwritten(),
                recorder.counters().refused(),
            );
            // SAFETY: the thread is joined and the recording settled.
            let kept = unsafe { memory.kept() };
            match taken[..] {
                [0] => {
                    assert_eq!(kept, [(0, 0), (1, 0)]);
                    assert_eq!((gone.records, gone.bytes), (0, 0));
                    assert_eq!((refused.records, refused.bytes), (2, 2 + 3));
                    outcomes.saw("in the way until the end");
                }
                [0, n] => {
                    assert_eq!(n, 2, "made way and was in it again");
                    assert_eq!(kept, [(1, 0), (1, 2)]);
                    assert_eq!((gone.records, gone.bytes), (1, GRANULE as u64));
                    assert_eq!((refused.records, refused.bytes), (1, 2));
                    outcomes.saw("refused once");
                }
                _ => {
                    assert_eq!(taken, [0, 1, 2]);
                    assert_eq!(kept, [(1, 1), (1, 2)]);
                    assert_eq!((gone.records, gone.bytes), (2, GRANULE as u64 + 1));
                    assert_eq!(refused.records, 0);
                    outcomes.saw("overwritten");
                }
            }
        },
    );
}

/// R5: no push is refused because of a record that was settled by the time the ring looked full, however old the words
/// and ends are that this thread happens to see. One push beside a thread that pushes one record after the other has
/// nothing in its way.
#[test]
fn a_lone_push_is_not_refused() {
    explore(&["among the others", "the last"], |outcomes| {
        let mut memory = RingMemory::recording(2);
        // SAFETY: the thread is joined before `kept`.
        let recorder = unsafe { memory.recorder() };
        let other = thread::spawn(move || push(recorder, 1, &[1, 1, 1]));
        recorder
            .push(&chunk(0, 0, 1))
            .expect("nothing is in the way");
        other.join().unwrap();
        // SAFETY: the thread is joined.
        let kept = unsafe { memory.kept() };
        outcomes.saw(if kept.last() == Some(&(0, 0)) {
            "the last"
        } else {
            "among the others"
        });
    });
}

/// R2, R5: a push that interrupts another of the same thread, as in a signal handler, does not wait: it is taken until
/// it reaches the interrupted one, which is then completed as if nothing had happened.
#[test]
fn a_push_within_a_push_does_not_wait() {
    explore(&["came round", "did not"], |outcomes| {
        let mut memory = RingMemory::recording(2);
        // SAFETY: the thread is joined and the recording settled before `kept`.
        let recorder = unsafe { memory.recorder() };
        let other = thread::spawn(move || push(recorder, 1, &[1]));
        let mut half = recorder.reserve(GRANULE).unwrap();
        half.write(0, &chunk(0, 0, 1));
        let within = push(recorder, 2, &[1]);
        half.write(1, &chunk(0, 0, GRANULE - 1));
        half.commit();
        let others = other.join().unwrap();
        let refused = recorder.counters().refused().records as usize;
        assert_eq!(within.len() + others.len() + refused, 2);
        // SAFETY: the thread is joined and the recording settled.
        let kept = unsafe { memory.kept() };
        for (who, taken) in [(0, &vec![0]), (1, &others), (2, &within)] {
            overwritten(&kept, who, taken);
        }
        outcomes.saw(if refused > 0 { "came round" } else { "did not" });
    });
}

/// The oldest position that is not overwritten yet according to the words, and the committed stamps from there on.
fn present(recorder: &Recorder<'_>, granules: u64) -> (u64, Vec<Stamp>) {
    let stamps: Vec<_> = recorder.stamps().collect();
    let first = Stamp::claimed_end(stamps.iter().copied()).saturating_sub(granules);
    let committed = |stamp: &Stamp| stamp.state == StampState::Committed && stamp.position >= first;
    (first, stamps.into_iter().filter(committed).collect())
}

/// R4: what a reader copies from outside while it is being overwritten, and is still there according to the words
/// afterwards, is what its producer wrote.
#[test]
fn a_reader_from_outside_keeps_only_what_is_whole() {
    const GRANULES: u64 = 2;
    explore(&["kept all", "dropped", "saw the new"], |outcomes| {
        let memory = RingMemory::recording(GRANULES as usize);
        // SAFETY: the thread is joined before the end.
        let recorder = unsafe { memory.recorder() };
        // Stands in for the granules, because loom forbids reading what may be being written. Nothing orders it.
        let payload: Arc<Vec<AtomicU64>> =
            Arc::new((0..GRANULES).map(|_| AtomicU64::new(0)).collect());
        let cell = |position: u64| (position % GRANULES) as usize;
        let record = move |payload: &[AtomicU64]| {
            let record = recorder.reserve(1).unwrap();
            let position = record.position();
            payload[cell(position)].store(1 + position, Ordering::Relaxed);
            record.commit();
        };
        record(&payload);
        record(&payload);
        let reader = thread::spawn({
            let payload = Arc::clone(&payload);
            move || {
                let (_, stamps) = present(recorder, GRANULES);
                let copied: Vec<_> = stamps
                    .iter()
                    .map(|stamp| payload[cell(stamp.position)].load(Ordering::Relaxed))
                    .collect();
                fence(Ordering::Acquire);
                let (first, _) = present(recorder, GRANULES);
                let (mut kept, mut new) = (0, false);
                for (stamp, copy) in stamps.iter().zip(&copied) {
                    new |= stamp.position == GRANULES;
                    if stamp.position >= first {
                        assert_eq!(*copy, 1 + stamp.position, "torn");
                        kept += 1;
                    }
                }
                match (new, kept == stamps.len()) {
                    (true, _) => "saw the new",
                    (_, true) => "kept all",
                    _ => "dropped",
                }
            }
        });
        record(&payload);
        outcomes.saw(reader.join().unwrap());
    });
}
