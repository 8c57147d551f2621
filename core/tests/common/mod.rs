//! Helpers that several test files share.
#![allow(dead_code, reason = "no file needs all of it")]

use eventlog_ring::{Consumer, Granule, HeaderWord, Record, Ring, Storage};

/// Memory for a ring.
#[derive(Debug)]
pub struct RingMemory {
    headers: Vec<HeaderWord>,
    granules: Vec<Granule>,
}

impl RingMemory {
    pub fn new(granules: usize) -> Self {
        Self {
            headers: (0..granules).map(|_| HeaderWord::new()).collect(),
            granules: (0..granules).map(|_| Granule::new()).collect(),
        }
    }

    pub fn ring(&mut self) -> Ring<'_> {
        Ring::new(Storage::new(&mut self.headers, &mut self.granules).expect("good storage"))
    }
}

pub fn bytes(record: &Record<'_>) -> Vec<u8> {
    let (first, second) = record.slices();
    let whole = [first, second].concat();
    let mut copy = vec![0; record.len()];
    record.copy_to(0, &mut copy);
    assert_eq!(whole, copy, "both ways of reading agree");
    whole
}

/// How often to do something: `often`, a tenth of it if `RING_TEST_BRIEF` is set (as `scripts/sanitize short` does for
/// slow builds), or `miri` times under Miri, which is slower still.
pub fn times(often: u64, miri: u64) -> u64 {
    if cfg!(miri) {
        miri
    } else if std::env::var_os("RING_TEST_BRIEF").is_some() {
        often / 10
    } else {
        often
    }
}

/// Releases all that is committed; the payloads of the live records.
pub fn drain(consumer: &mut Consumer<'_>) -> Vec<Vec<u8>> {
    let mut count = 0;
    let mut live = Vec::new();
    for record in consumer.records() {
        count += 1;
        if record.is_live() {
            live.push(bytes(&record));
        }
    }
    consumer.release(count);
    live
}

/// `len` bytes that differ from their neighbours and from those of another seed.
pub fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    (0..len).map(|_| random.next() as u8).collect()
}

/// xorshift64*: the same numbers every time.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
