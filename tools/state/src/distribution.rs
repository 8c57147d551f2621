//! Distributions of durations, in little memory.

use hdrhistogram::Histogram;
use std::borrow::Cow;

/// How many durations wait to be counted together.
const WAITING: usize = 16;

/// Collects durations in nanoseconds.
#[derive(Clone, Debug)]
pub struct Distribution {
    histogram: Option<Histogram<u64>>,
    total: u64,
    max: u64,
    /// The latest durations, not in the histogram yet. Where there are many histograms, each count
    /// has to be fetched from far memory; several at a time hardly take longer than one.
    waiting: [u64; WAITING],
    /// How many these are, fewer than [`WAITING`].
    waits: usize,
}

/// The usual figures, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Figures {
    /// How many there were.
    pub count: u64,
    /// Their sum.
    pub total_ns: u64,
    /// Their mean.
    pub mean_ns: u64,
    /// The shortest.
    pub min_ns: u64,
    /// Half of them are not longer.
    pub p50_ns: u64,
    /// Nine in ten are not longer.
    pub p90_ns: u64,
    /// 99 in a hundred are not longer.
    pub p99_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

impl Default for Distribution {
    fn default() -> Self {
        Self::new(2)
    }
}

impl Distribution {
    /// A distribution with `digits` significant digits, 1 to 5.
    pub fn new(digits: u8) -> Self {
        // It grows as needed, so only an invalid number of digits can fail.
        Self {
            histogram: Histogram::new(digits).ok(),
            total: 0,
            max: 0,
            waiting: [0; WAITING],
            waits: 0,
        }
    }

    /// Takes a duration.
    pub fn record(&mut self, nanos: u64) {
        self.total = self.total.saturating_add(nanos);
        self.max = self.max.max(nanos);
        self.waiting[self.waits] = nanos;
        self.waits += 1;
        if self.waits == WAITING {
            self.waits = 0;
            if let Some(histogram) = &mut self.histogram {
                count(histogram, &self.waiting);
            }
        }
    }

    /// The sum of all.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The usual figures of the durations so far.
    pub fn figures(&self) -> Figures {
        let Some(mut histogram) = self.histogram.as_ref().map(Cow::Borrowed) else {
            return Figures::default();
        };
        if self.waits > 0 {
            count(histogram.to_mut(), &self.waiting[..self.waits]);
        }
        if histogram.is_empty() {
            return Figures::default();
        }
        let at = |share: f64| histogram.value_at_quantile(share).min(self.max);
        Figures {
            count: histogram.len(),
            total_ns: self.total,
            mean_ns: self.total / histogram.len(),
            min_ns: histogram.min().min(self.max),
            p50_ns: at(0.5),
            p90_ns: at(0.9),
            p99_ns: at(0.99),
            max_ns: self.max,
        }
    }
}

/// Takes durations.
fn count(histogram: &mut Histogram<u64>, durations: &[u64]) {
    for &nanos in durations {
        // One pause of an hour and a half is enough; a hostile log must not
        // make the table grow.
        let _ = histogram.record(nanos.min(1 << 42));
    }
}
