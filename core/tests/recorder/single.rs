//! A recorder used by one thread.

use std::mem;

use eventlog_ring::{GRANULE, PushError, Stamp, StampState, Tally};

use crate::common::{pattern, times};
use crate::{RingMemory, kept, tally};

#[test]
fn a_new_recorder_holds_nothing() {
    let mut memory = RingMemory::new(4);
    let mut recorder = memory.recorder();
    assert_eq!(recorder.capacity(), 4 * GRANULE);
    assert!(kept(&mut recorder).is_empty());
    assert_eq!(recorder.stamps().count(), 0);
    assert_eq!(Stamp::claimed_end(recorder.stamps()), 0);
    assert_eq!(recorder.counters().overwritten(), Tally::default());
    assert_eq!(recorder.counters().refused(), Tally::default());
}

#[test]
fn every_length_up_to_the_capacity_is_kept_whole() {
    let mut memory = RingMemory::new(8);
    let mut recorder = memory.recorder();
    let capacity = recorder.capacity();
    let step = times(1, 41) as usize;
    for len in (0..=capacity).step_by(step.max(1)).chain([capacity]) {
        // Three, so that each length lies in several places.
        for n in 0..3 {
            let chunk = pattern(len as u64 * 3 + n, len);
            recorder.push(&chunk).unwrap();
            assert_eq!(kept(&mut recorder).last(), Some(&chunk));
        }
    }
    assert_eq!(recorder.counters().refused(), Tally::default());
}

#[test]
fn what_is_larger_than_the_ring_is_refused_and_changes_nothing() {
    let mut memory = RingMemory::new(4);
    let mut recorder = memory.recorder();
    recorder.push(&[1; 3]).unwrap();
    recorder.push(&[2; GRANULE]).unwrap();
    let stamps: Vec<_> = recorder.stamps().collect();
    let over = recorder.capacity() + 1;
    assert_eq!(recorder.push(&vec![3; over]), Err(PushError::Oversize));
    let error = recorder.reserve(usize::MAX).expect_err("a large one");
    assert_eq!(error, PushError::Oversize);
    let refused = recorder.counters().refused();
    assert_eq!(refused.records, 2);
    assert_eq!(refused.bytes, (over as u64).wrapping_add(usize::MAX as u64));
    assert_eq!(recorder.counters().overwritten(), Tally::default());
    assert_eq!(recorder.stamps().collect::<Vec<_>>(), stamps);
    assert_eq!(kept(&mut recorder), [vec![1; 3], vec![2; GRANULE]]);
}

#[test]
fn a_record_of_the_whole_ring_takes_the_place_of_all_others() {
    let mut memory = RingMemory::new(4);
    let mut recorder = memory.recorder();
    for n in 0..3 {
        recorder.push(&[n; 1]).unwrap();
    }
    let whole = pattern(1, recorder.capacity());
    recorder.push(&whole).unwrap();
    assert_eq!(kept(&mut recorder), std::slice::from_ref(&whole));
    assert_eq!(recorder.counters().overwritten(), tally(3, 3));
    recorder.push(&whole).unwrap();
    assert_eq!(recorder.counters().overwritten(), tally(4, 3 + 4 * GRANULE));
    recorder.push(&[]).unwrap();
    assert_eq!(kept(&mut recorder), [vec![]; 1]);
}

#[test]
fn a_record_in_the_making_is_in_the_way_after_one_lap() {
    let mut memory = RingMemory::new(4);
    let mut recorder = memory.recorder();
    let mut half = recorder.reserve(GRANULE + 1).unwrap();
    assert_eq!(half.position(), 0);
    half.write(0, &[7; GRANULE]);
    recorder.push(&[1]).unwrap();
    recorder.push(&[2]).unwrap();
    let stamps: Vec<_> = recorder.stamps().collect();
    for len in [0, 1, 200] {
        assert_eq!(recorder.push(&vec![0; len]), Err(PushError::Full));
    }
    assert_eq!(recorder.reserve(9).expect_err("full"), PushError::Full);
    assert_eq!(recorder.counters().refused(), tally(4, 1 + 200 + 9));
    assert_eq!(recorder.counters().overwritten(), Tally::default());
    assert_eq!(recorder.stamps().collect::<Vec<_>>(), stamps);
    half.write(GRANULE, &[7]);
    half.commit();
    assert_eq!(kept(&mut recorder), [vec![7; 65], vec![1], vec![2]]);
    recorder.push(&[3]).unwrap();
    assert_eq!(kept(&mut recorder), [[1], [2], [3]]);
    assert_eq!(recorder.counters().overwritten(), tally(1, 65));
}

#[test]
fn a_record_that_was_given_up_is_no_record() {
    let mut memory = RingMemory::new(4);
    let mut recorder = memory.recorder();
    recorder.push(&[1]).unwrap();
    let mut given_up = recorder.reserve(2 * GRANULE).unwrap();
    given_up.write(3, &[9]);
    drop(given_up);
    recorder.push(&[2]).unwrap();
    assert_eq!(kept(&mut recorder), [[1], [2]]);
    // Its room was reused, like that of the record before it; but it is not counted as overwritten.
    recorder.push(&[3; 3 * GRANULE]).unwrap();
    assert_eq!(kept(&mut recorder), [vec![2], vec![3; 3 * GRANULE]]);
    assert_eq!(recorder.counters().overwritten(), tally(1, 1));
}

#[test]
fn a_forgotten_record_stops_the_recorder_after_a_lap() {
    let mut memory = RingMemory::new(4);
    let mut recorder = memory.recorder();
    recorder.push(&[0]).unwrap();
    mem::forget(recorder.reserve(1).unwrap());
    // Also in the place of the first.
    for n in 1..4 {
        recorder.push(&[n]).unwrap();
    }
    for _ in 0..9 {
        assert_eq!(recorder.push(&[9]), Err(PushError::Full));
    }
    assert_eq!(kept(&mut recorder), [[1], [2], [3]]);
    assert_eq!(recorder.counters().refused(), tally(9, 9));
}

#[test]
#[should_panic(expected = "write past the end")]
fn nothing_is_written_behind_a_record() {
    let mut memory = RingMemory::new(4);
    let recorder = memory.recorder();
    recorder.reserve(10).unwrap().write(8, &[0; 3]);
}

#[test]
fn the_words_tell_where_records_are_and_how_far_they_have_come() {
    let mut memory = RingMemory::new(4);
    let recorder = memory.recorder();
    let stamp = |state, position, len| Stamp {
        state,
        position,
        len,
    };
    recorder.push(&[0; GRANULE + 1]).unwrap();
    drop(recorder.reserve(5).unwrap());
    let half = recorder.reserve(0).unwrap();
    assert_eq!(half.position(), 3);
    let mut stamps: Vec<_> = recorder.stamps().collect();
    stamps.sort_by_key(|stamp| stamp.position);
    let expected = [
        stamp(StampState::Committed, 0, 65),
        stamp(StampState::Aborted, 2, 5),
        stamp(StampState::Claimed, 3, 0),
    ];
    assert_eq!(stamps, expected);
    assert!(stamps.iter().take(2).all(|stamp| stamp.is_settled()));
    assert!(!stamps[2].is_settled());
    assert_eq!(stamps[2].end(), 4);
    assert_eq!(Stamp::claimed_end(stamps), 4);
    half.commit();
    // The next lap: the words of the last one stay until their granule is the first of a record again.
    recorder.push(&[0; 3 * GRANULE]).unwrap();
    let mut stamps: Vec<_> = recorder.stamps().collect();
    stamps.sort_by_key(|stamp| stamp.position);
    let expected = [
        stamp(StampState::Aborted, 2, 5),
        stamp(StampState::Committed, 3, 0),
        stamp(StampState::Committed, 4, 192),
    ];
    assert_eq!(stamps, expected);
    assert_eq!(Stamp::claimed_end(stamps), 7);
}
