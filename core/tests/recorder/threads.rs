//! Random histories of real threads, while another thread reads the words.

use std::thread;

use eventlog_ring::{Recorder, Stamp, Tally};

use crate::common::{Random, times};
use crate::{RingMemory, bytes, tally};

const LONGEST: u64 = if cfg!(miri) { 300 } else { 3 << 20 };
/// Bytes of the producer and the number of a chunk: the rest is computed from these.
const HEAD: usize = 5;
/// A prime, so that a shift by a power of two shows.
const PERIOD: usize = 251;

fn compose(chunk: &mut Vec<u8>, who: u8, n: u32, len: usize) {
    chunk.clear();
    chunk.push(who);
    chunk.extend(n.to_ne_bytes());
    let from = n as usize * 83 + usize::from(who) * 31;
    let period: [u8; PERIOD] = std::array::from_fn(|i| ((from + i) % PERIOD) as u8);
    while chunk.len() < len {
        chunk.extend_from_slice(&period[..PERIOD.min(len - chunk.len())]);
    }
}

/// What one producer did.
#[derive(Default)]
struct Book {
    /// Number and length of the records that were committed.
    taken: Vec<(u32, usize)>,
    refused: Tally,
}

fn produce(recorder: &Recorder<'_>, who: u8, attempts: u32, seed: u64) -> Book {
    let mut random = Random::new(seed << 8 | u64::from(who));
    let (mut book, mut chunk) = (Book::default(), Vec::new());
    for n in 0..attempts {
        let longest = match random.below(64) {
            0 => LONGEST,
            1..=8 => LONGEST / 64,
            _ => 300,
        };
        let len = HEAD + random.below(longest + 1) as usize;
        compose(&mut chunk, who, n, len);
        let outcome = match random.below(8) {
            0 => recorder.reserve(len).map(drop),
            1 => recorder.reserve(len).map(|mut record| {
                let (first, second) = chunk.split_at(len / 3);
                record.write(len / 3, second);
                thread::yield_now();
                record.write(0, first);
                record.commit();
                book.taken.push((n, len));
            }),
            _ => recorder.push(&chunk).map(|()| book.taken.push((n, len))),
        };
        if outcome.is_err() {
            book.refused.records += 1;
            book.refused.bytes += len as u64;
        }
    }
    book
}

/// Looks at the words while they change: positions never go back, and no two words claim the same room.
fn look(recorder: &Recorder<'_>, granules: usize, seen: &mut [Option<Stamp>]) {
    let mut stamps: Vec<_> = recorder.stamps().collect();
    stamps.sort_by_key(|stamp| stamp.position);
    for pair in stamps.windows(2) {
        assert!(pair[0].end() <= pair[1].position, "claimed twice: {pair:?}");
    }
    for stamp in stamps {
        let place = &mut seen[stamp.position as usize % granules];
        if let Some(before) = place.replace(stamp) {
            assert!(
                before.position <= stamp.position,
                "{before:?}, then {stamp:?}"
            );
            if before.position == stamp.position {
                assert_eq!(before.len, stamp.len);
                assert!(!before.is_settled() || before.state == stamp.state);
            }
        }
    }
}

/// Every record of several threads is kept, overwritten or refused, and counted as that. Returns how many of each.
fn round(seed: u64) -> [u64; 3] {
    let mut random = Random::new(seed);
    let granules = 1
        << if cfg!(miri) {
            3 + random.below(3)
        } else {
            6 + random.below(12)
        };
    let most = if cfg!(miri) { 3 } else { 8 };
    let producers = match seed {
        1 => 1,
        2 => most,
        _ => 1 + random.below(most.into()) as u8,
    };
    let attempts = times(2000, 10) as u32;
    let mut memory = RingMemory::new(granules);
    let mut recorder = memory.recorder();
    let mut seen = vec![None; granules];
    let books: Vec<_> = thread::scope(|scope| {
        let recorder = &recorder;
        let threads: Vec<_> = (0..producers)
            .map(|who| scope.spawn(move || produce(recorder, who, attempts, seed)))
            .collect();
        let mut end = 0;
        while !threads.iter().all(|thread| thread.is_finished()) {
            look(recorder, granules, &mut seen);
            let now = Stamp::claimed_end(recorder.stamps());
            assert!(now >= end, "the end of the claims goes back");
            end = now;
            thread::yield_now();
        }
        let books = threads.into_iter().map(|thread| thread.join());
        books.collect::<Result<_, _>>().expect("no panic")
    });
    look(&recorder, granules, &mut seen);

    let (mut kept, mut kept_bytes) = (vec![Vec::new(); producers.into()], 0);
    let mut expected = Vec::new();
    recorder.for_each(|record| {
        let chunk = bytes(&record);
        let (who, n) = (
            chunk[0],
            u32::from_ne_bytes(chunk[1..HEAD].try_into().unwrap()),
        );
        compose(&mut expected, who, n, chunk.len());
        assert!(chunk == expected, "torn");
        kept[usize::from(who)].push((n, chunk.len()));
        kept_bytes += chunk.len() as u64;
    });
    for (kept, book) in kept.iter().zip(&books) {
        assert!(book.taken.ends_with(kept), "not the newest: {kept:?}");
    }
    let taken = books.iter().flat_map(|book| &book.taken);
    let taken = taken.fold(Tally::default(), |sum, &(_, len)| {
        tally(sum.records + 1, sum.bytes as usize + len)
    });
    let kept = tally(kept.concat().len() as u64, kept_bytes as usize);
    let gone = recorder.counters().overwritten();
    assert_eq!(gone.records + kept.records, taken.records);
    assert_eq!(gone.bytes + kept.bytes, taken.bytes);
    let refused = books.iter().fold(Tally::default(), |sum, book| Tally {
        records: sum.records + book.refused.records,
        bytes: sum.bytes + book.refused.bytes,
    });
    assert_eq!(recorder.counters().refused(), refused);
    [kept.records, gone.records, refused.records]
}

#[test]
fn the_books_of_threads_agree_after_any_history() {
    let mut sums = [0; 3];
    for seed in 1..=times(12, 2).max(2) {
        for (sum, n) in sums.iter_mut().zip(round(seed)) {
            *sum += n;
        }
    }
    assert!(
        sums[0] > 0 && sums[1] > 0,
        "nothing was overwritten: {sums:?}"
    );
}
