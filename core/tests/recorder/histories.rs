//! Random histories of one thread, compared with a simple model; and words that another program has overwritten.

use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use eventlog_ring::{
    GRANULE, Granule, PushError, Recorder, RecorderCounters, Stamp, StampState, Storage, Tally,
    header_index,
};

use crate::common::{Random, pattern, times};
use crate::{RingMemory, bytes, kept};

/// What is in the ring, kept the simple way.
#[derive(Default)]
struct Simple {
    /// Position, granules, and the record unless it was given up.
    records: VecDeque<(u64, u64, Option<Vec<u8>>)>,
    tail: u64,
    overwritten: Tally,
    refused: Tally,
}

impl Simple {
    fn push(&mut self, chunk: &[u8], capacity: u64, given_up: bool) -> bool {
        let need = chunk.len().div_ceil(GRANULE).max(1) as u64;
        if need > capacity {
            self.refused.records += 1;
            self.refused.bytes += chunk.len() as u64;
            return false;
        }
        while let Some((position, _, record)) = self.records.front()
            && position + capacity < self.tail + need
        {
            if let Some(record) = record {
                self.overwritten.records += 1;
                self.overwritten.bytes += record.len() as u64;
            }
            self.records.pop_front();
        }
        let record = (!given_up).then(|| chunk.to_vec());
        self.records.push_back((self.tail, need, record));
        self.tail += need;
        true
    }
}

#[test]
fn any_history_leaves_the_newest() {
    for seed in 1..=times(40, 3) {
        let mut random = Random::new(seed);
        let granules = 2 << random.below(6);
        let (mut memory, mut simple) = (RingMemory::new(granules), Simple::default());
        let mut recorder = memory.recorder();
        for n in 0..times(400, 60) {
            let longest = [9, 200, granules * GRANULE + 20][random.below(3) as usize];
            let chunk = pattern(n, random.below(longest as u64 + 1) as usize);
            let (at, given_up) = (simple.tail, random.below(8) == 0);
            let taken = simple.push(&chunk, granules as u64, given_up);
            let outcome = match random.below(2) {
                _ if given_up => recorder.reserve(chunk.len()).map(drop),
                0 => recorder.push(&chunk),
                _ => recorder.reserve(chunk.len()).map(|mut record| {
                    assert_eq!(record.position(), at);
                    let (first, second) = chunk.split_at(chunk.len() / 2);
                    record.write(first.len(), second);
                    record.write(0, first);
                    record.commit();
                }),
            };
            let expected = if taken {
                Ok(())
            } else {
                Err(PushError::Oversize)
            };
            assert_eq!(outcome, expected);
            assert_eq!(recorder.counters().overwritten(), simple.overwritten);
            assert_eq!(recorder.counters().refused(), simple.refused);
            if n % 8 == 0 {
                let expected: Vec<_> = simple
                    .records
                    .iter()
                    .filter_map(|(_, _, r)| r.clone())
                    .collect();
                assert_eq!(kept(&mut recorder), expected, "seed {seed}");
                assert_eq!(Stamp::claimed_end(recorder.stamps()), simple.tail);
            }
        }
    }
}

/// If the words are in a file, another program may write to them.
#[test]
fn words_that_make_no_sense_do_no_harm() {
    const GRANULES: usize = 16;
    let capacity = GRANULES * GRANULE;
    // An eighth for the words.
    let mut memory: Vec<_> = (0..GRANULES + GRANULES / 8)
        .map(|_| Granule::new())
        .collect();
    let region: NonNull<u8> = NonNull::from(&mut memory[..]).cast();
    for seed in 1..=times(300, 4) {
        // SAFETY: as large as it must be, used otherwise only for the words, and alive until the end.
        unsafe { region.write_bytes(0, Storage::region_size(capacity)) };
        // SAFETY: zeroed in the line above; as for that.
        let storage = unsafe { Storage::from_region(region, capacity) }.unwrap();
        let counters = RecorderCounters::new();
        let mut recorder = Recorder::new(storage, &counters);
        let mut random = Random::new(seed);
        let (mut open, mut attempts) = (Vec::new(), 0);
        for _ in 0..40 {
            if random.below(3) == 0 {
                let index = header_index(random.below(16) as usize, GRANULES);
                // SAFETY: the words are behind the granules.
                let word = unsafe {
                    let words: NonNull<AtomicU64> = region.add(capacity).cast();
                    words.add(index).as_ref()
                };
                let any = random.next() << 32 | random.next() & 0xFFFF_FFFF;
                // Any word, or one that is nearly right: with another lap, state or length.
                let near = random.below(4) << 62 | random.below(4) << 32 | random.below(1100);
                let value = if random.below(2) == 0 { any } else { near };
                word.store(value, Ordering::Relaxed);
            }
            let chunk = pattern(seed, random.below(300) as usize);
            attempts += 1;
            match random.below(4) {
                0 => open.extend(recorder.reserve(chunk.len()).map(|record| (record, chunk))),
                1 if !open.is_empty() => {
                    let (mut record, chunk) =
                        open.swap_remove(random.below(open.len() as u64) as usize);
                    record.write(0, &chunk);
                    record.commit();
                    attempts -= 1;
                }
                _ => match recorder.push(&chunk) {
                    Ok(()) => {}
                    Err(error) => assert_eq!(error, PushError::Full),
                },
            }
            let ends = recorder.stamps().map(|stamp| stamp.end());
            assert!(ends.max() <= Some(Stamp::claimed_end(recorder.stamps())));
        }
        assert!(counters.refused().records <= attempts);
        drop(open);
        let mut room = 0;
        recorder.for_each(|record| room += bytes(&record).len().max(1));
        assert!(room <= capacity, "no more than there is");
    }
}

#[test]
fn words_of_a_ring_larger_than_any_are_read_without_a_panic() {
    for granules in [2, 1 << 33, 1 << 62] {
        let stamp = Stamp::read(u64::MAX, 1, granules).unwrap();
        assert_eq!(stamp.len, u32::MAX);
        assert!(stamp.end() >= stamp.position);
    }
    let last = Stamp {
        state: StampState::Committed,
        position: u64::MAX,
        len: 1,
    };
    assert_eq!(Stamp::claimed_end([last]), u64::MAX);
}
