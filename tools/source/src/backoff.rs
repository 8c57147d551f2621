//! How long to wait between attempts.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Pauses between attempts: each twice as long as the one before, up to a cap, and each randomly a
/// little longer or shorter, so that many clients of one program do not all come back at the same
/// time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
}

/// The part of a pause that is randomly added to it or subtracted from it.
const JITTER: f64 = 0.25;

impl Default for Backoff {
    /// From 100 ms to 5 s.
    fn default() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(5))
    }
}

impl Backoff {
    /// The first pause, and the longest, both before the random variation of up to a quarter.
    pub fn new(first: Duration, cap: Duration) -> Self {
        Self { first, cap }
    }

    /// The pause after failed attempt number `attempt`, counted from 0.
    ///
    /// `chance` is a number from 0 to 1, for three quarters to five quarters of the pause. Numbers
    /// outside count as the nearest of these, and NaN as the middle.
    pub fn pause(&self, attempt: u32, chance: f64) -> Duration {
        let factor = 1u32.checked_shl(attempt).unwrap_or(u32::MAX);
        let pause = self.first.saturating_mul(factor).min(self.cap);
        let chance = if chance.is_nan() {
            0.5
        } else {
            chance.clamp(0.0, 1.0)
        };
        let longer = pause.as_secs_f64() * (1.0 - JITTER + 2.0 * JITTER * chance);
        Duration::try_from_secs_f64(longer).unwrap_or(pause)
    }

    /// The same, with a random `chance`.
    pub fn random_pause(&self, attempt: u32) -> Duration {
        // The standard library seeds these from the system, each differently.
        let random = RandomState::new().hash_one(attempt);
        self.pause(attempt, (random >> 11) as f64 / (1u64 << 53) as f64)
    }
}
