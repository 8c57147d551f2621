//! Chance that can be had again: everything follows from a seed, which a test that
//! fails names.

use std::time::{Duration, SystemTime};

/// The same function as in `writers.c`.
pub fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another one, for another thread.
    pub fn fork(&mut self) -> Self {
        Self(self.next())
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0)
    }

    /// Less than `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    pub fn millis(&mut self, bound: u64) -> Duration {
        Duration::from_millis(self.below(bound))
    }
}

/// A number of the environment.
pub fn setting(name: &str, usual: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name}={text:?} is not a number")),
        Err(_) => usual,
    }
}

/// How often a test is to do what it does: `EVENTLOG_TEST_ROUNDS` times as often
/// as usual.
pub fn rounds(usual: u64) -> u64 {
    usual * setting("EVENTLOG_TEST_ROUNDS", 1)
}

/// `EVENTLOG_TEST_SEED`, or another one each time.
pub fn first_seed() -> u64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    setting("EVENTLOG_TEST_SEED", mix(now.as_nanos() as u64) >> 32)
}

/// Says the seed and what it stands for if the test fails meanwhile.
#[derive(Debug)]
pub struct Seeded {
    pub seed: u64,
    pub what: String,
}

impl Drop for Seeded {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("EVENTLOG_TEST_SEED={}: {}", self.seed, self.what);
        }
    }
}
