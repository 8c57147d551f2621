//! Durations in exponential buckets, as OpenTelemetry and Prometheus have them.
//!
//! At scale `s` the bucket `i` has durations longer than `2^(i / 2^s)` seconds and not longer than
//! `2^((i + 1) / 2^s)`. Every power of two is a boundary of buckets, so that buckets between
//! powers of two are exact sums of these.

use std::collections::VecDeque;
use std::sync::LazyLock;

/// The finest scale: eight buckets to each power of two, so a bucket is 9 % wide.
const SCALE: u8 = 3;
/// A histogram that needs more buckets changes to a coarser scale.
const MOST: i32 = 320;
/// 1 ns is in the bucket -240 at scale 3, 2^64 ns in 272.
const LOWEST: i32 = -240;
const HIGHEST: i32 = 276;

/// The upper boundaries of explicit buckets, as powers of two of a second.
pub const EXPLICIT: std::ops::RangeInclusive<i32> = -20..=6;

/// `2^(i / 8)` seconds as whole nanoseconds, rounded down, from the lowest `i` on. A duration is a
/// whole number of nanoseconds, so it is not longer than the boundary if it is not longer than that.
static BOUNDARIES: LazyLock<Vec<u64>> = LazyLock::new(|| {
    (LOWEST..=HIGHEST)
        .map(|i| (f64::from(i) / 8.0).exp2() * 1e9)
        .map(|nanos| nanos as u64)
        .collect()
});

/// How many boundaries are less than each power of two.
static POWERS: LazyLock<[usize; 64]> = LazyLock::new(|| {
    std::array::from_fn(|power| BOUNDARIES.partition_point(|&boundary| boundary < 1 << power))
});

/// Durations, in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    scale: u8,
    /// The index of the first of `counts`.
    first: i32,
    counts: VecDeque<u64>,
    zero: u64,
    count: u64,
    sum: u64,
    min: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            scale: SCALE,
            first: 0,
            counts: VecDeque::new(),
            zero: 0,
            count: 0,
            sum: 0,
            min: u64::MAX,
            max: 0,
        }
    }
}

impl Histogram {
    /// Adds a duration.
    #[inline]
    pub fn record(&mut self, nanos: u64) {
        self.count += 1;
        self.sum = self.sum.saturating_add(nanos);
        self.min = self.min.min(nanos);
        self.max = self.max.max(nanos);
        match nanos {
            0 => self.zero += 1,
            _ => {
                let index = index(nanos);
                let at = (index >> (SCALE - self.scale)) - self.first;
                let place = usize::try_from(at).ok();
                match place.and_then(|place| self.counts.get_mut(place)) {
                    Some(count) => *count += 1,
                    None => self.add(index, SCALE, 1),
                }
            }
        }
    }

    /// The number of durations.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum, in nanoseconds.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The shortest and the longest, if there were any.
    pub fn range(&self) -> Option<(u64, u64)> {
        (self.min <= self.max).then_some((self.min, self.max))
    }

    /// How many durations were 0.
    pub fn zero(&self) -> u64 {
        self.zero
    }

    /// The scale: 3, or less if the durations differ too much for that.
    pub fn scale(&self) -> u8 {
        self.scale
    }

    /// The index of the first bucket.
    pub fn first(&self) -> i32 {
        self.first
    }

    /// The counts of the buckets, from the first on.
    pub fn counts(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        self.counts.iter().copied()
    }

    /// How many were not longer than each of [`EXPLICIT`].
    pub fn explicit(&self) -> impl Iterator<Item = (i32, u64)> + '_ {
        let mut buckets = (self.first..).zip(&self.counts).peekable();
        let mut sum = self.zero;
        EXPLICIT.map(move |power| {
            let end = power << self.scale;
            while let Some((_, count)) = buckets.next_if(|&(at, _)| at < end) {
                sum += count;
            }
            (power, sum)
        })
    }

    /// Adds all durations of another one.
    pub fn merge(&mut self, other: &Self) {
        for (at, &count) in (other.first..).zip(&other.counts) {
            if count > 0 {
                self.add(at, other.scale, count);
            }
        }
        self.zero += other.zero;
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// The durations added since `before`. The shortest and the longest are those of all.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let mut new = self.clone();
        for (at, &count) in (before.first..).zip(&before.counts) {
            let at = at >> before.scale.saturating_sub(new.scale);
            let place = usize::try_from(at - new.first).ok();
            if let Some(now) = place.and_then(|place| new.counts.get_mut(place)) {
                *now = now.saturating_sub(count);
            }
        }
        new.zero = new.zero.saturating_sub(before.zero);
        new.count = new.count.saturating_sub(before.count);
        new.sum = new.sum.saturating_sub(before.sum);
        new
    }

    fn add(&mut self, index: i32, scale: u8, count: u64) {
        while self.scale > scale {
            self.coarsen();
        }
        loop {
            let at = index >> (scale - self.scale);
            if self.counts.is_empty() {
                self.first = at;
            }
            let end = self.first + self.counts.len() as i32;
            let (first, end) = (self.first.min(at), end.max(at + 1));
            if end - first > MOST {
                self.coarsen();
                continue;
            }
            while self.first > first {
                self.counts.push_front(0);
                self.first -= 1;
            }
            self.counts.resize((end - first) as usize, 0);
            self.counts[(at - first) as usize] += count;
            return;
        }
    }

    /// Merges pairs of buckets.
    fn coarsen(&mut self) {
        let before = std::mem::take(&mut self.counts);
        let first = self.first;
        self.first >>= 1;
        self.scale -= 1;
        for (at, count) in (first..).zip(before) {
            let place = ((at >> 1) - self.first) as usize;
            if self.counts.len() <= place {
                self.counts.resize(place + 1, 0);
            }
            self.counts[place] += count;
        }
    }
}

/// The bucket of a duration at the finest scale. It is not 0.
#[inline]
fn index(nanos: u64) -> i32 {
    // Of the boundaries from this power of two to the next one, all are compared: that is faster
    // than a search, whose turns cannot be predicted.
    let from = POWERS[nanos.ilog2() as usize];
    let within = &BOUNDARIES[from..from + 8];
    let lower = within.iter().filter(|&&boundary| boundary < nanos);
    LOWEST + (from + lower.count()) as i32 - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(nanos: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        nanos.iter().for_each(|&nanos| histogram.record(nanos));
        histogram
    }

    #[test]
    fn buckets_are_those_of_the_definition() {
        let mut durations: Vec<u64> = (0..40).map(|power| 3u64.pow(power)).collect();
        durations.extend((0..63).flat_map(|power| [1 << power, (1 << power) + 1]));
        durations.extend([1_000_000_000, 1_000_000_001, 500_000_000, 62_500_000]);
        // An f64 cannot represent larger ones exactly.
        for nanos in durations.into_iter().filter(|&nanos| nanos < 1 << 52) {
            let index = f64::from(index(nanos));
            let seconds = nanos as f64 / 1e9;
            let near = 1e-12;
            assert!((index / 8.0).exp2() < seconds * (1.0 + near), "{nanos}");
            assert!(
                seconds <= ((index + 1.0) / 8.0).exp2() * (1.0 + near),
                "{nanos}"
            );
        }
        // As a search finds it, near each boundary as well.
        let near = |&nanos: &u64| [nanos.max(2) - 1, nanos.max(1), nanos.saturating_add(1)];
        for nanos in BOUNDARIES.iter().flat_map(near) {
            let upper = BOUNDARIES.partition_point(|&boundary| boundary < nanos);
            assert_eq!(index(nanos), LOWEST + upper as i32 - 1, "{nanos}");
        }
        // A boundary belongs to the bucket below it.
        assert_eq!(index(1_000_000_000), -1);
        assert_eq!(index(1_000_000_001), 0);
        assert_eq!(index(62_500_000), -33);
        assert_eq!((index(1), index(u64::MAX)), (LOWEST, 272));
    }

    #[test]
    fn explicit_buckets_are_exact() {
        // 2^-20 s is 953.67 ns.
        let nanos = [
            0,
            1,
            953,
            954,
            1_000_000_000,
            1_000_000_001,
            64_000_000_000,
            u64::MAX,
        ];
        let histogram = of(&nanos);
        for (power, count) in histogram.explicit() {
            let boundary = f64::from(power).exp2() * 1e9;
            let exact = nanos.iter().filter(|&&nanos| nanos as f64 <= boundary);
            assert_eq!(count, exact.count() as u64, "2^{power}");
        }
        assert_eq!(histogram.explicit().count(), 27);
        assert_eq!(histogram.count(), 8);
    }

    #[test]
    fn a_wide_range_makes_it_coarser() {
        let narrow = of(&[1_000, 1_000_000_000]);
        assert_eq!(narrow.scale(), 3);
        let wide = of(&[1, 1_000_000, u64::MAX]);
        assert_eq!(wide.scale(), 2);
        assert!(wide.counts().len() <= 320);
        assert_eq!(wide.counts().sum::<u64>(), 3);
        // The same in any order.
        assert_eq!(wide, of(&[u64::MAX, 1, 1_000_000]));
        let mut merged = of(&[1]);
        merged.merge(&of(&[u64::MAX, 1_000_000]));
        assert_eq!(merged, wide);
        let mut merged = wide.clone();
        merged.merge(&narrow);
        assert_eq!(merged.count(), 5);
        assert_eq!(merged.counts().sum::<u64>(), 5);
    }

    #[test]
    fn what_is_new_is_the_difference() {
        let before = of(&[0, 5_000, 7_000_000]);
        let mut now = before.clone();
        let later = of(&[0, 9_000, 7_000_000, u64::MAX, 1]);
        now.merge(&later);
        let new = now.since(&before);
        assert_eq!((new.count(), new.zero()), (5, 1));
        assert_eq!(new.counts().sum::<u64>(), 4);
        let counts = |histogram: &Histogram| -> Vec<(i32, u64)> { histogram.explicit().collect() };
        assert_eq!(counts(&new), counts(&later));
    }
}
