//! Distributions of durations, in little memory.

use hdrhistogram::Histogram;

/// Collects durations in nanoseconds.
#[derive(Clone, Debug)]
pub struct Distribution {
    histogram: Option<Histogram<u64>>,
    total: u64,
    max: u64,
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
        }
    }

    /// Takes a duration.
    pub fn record(&mut self, nanos: u64) {
        self.total = self.total.saturating_add(nanos);
        self.max = self.max.max(nanos);
        if let Some(histogram) = &mut self.histogram {
            // One pause of an hour and a half is enough; a hostile log must not
            // make the table grow.
            let _ = histogram.record(nanos.min(1 << 42));
        }
    }

    /// The sum of all.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The usual figures of the durations so far.
    pub fn figures(&self) -> Figures {
        let Some(histogram) = self
            .histogram
            .as_ref()
            .filter(|histogram| !histogram.is_empty())
        else {
            return Figures::default();
        };
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
