//! A quantity that goes up and down, summed over several heaps.

use std::collections::BTreeMap;

/// The number of heaps that are distinguished: a log may claim any number.
const MOST: usize = 1 << 10;

/// The latest value of each heap, and the highest of all together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gauge {
    /// By heap: when, and the value.
    latest: BTreeMap<u32, (u64, u64)>,
    sum: u128,
    peak: u128,
}

impl Gauge {
    /// Takes the value of a heap at a time.
    pub(crate) fn record(&mut self, heap: u32, time: u64, value: u64) {
        if self.latest.len() >= MOST && !self.latest.contains_key(&heap) {
            return;
        }
        let (at, before) = self.latest.entry(heap).or_insert((time, 0));
        let sum = self.sum - u128::from(*before) + u128::from(value);
        self.peak = self.peak.max(sum);
        // A late value can be the highest, but not the latest.
        if time >= *at {
            (*at, *before) = (time, value);
            self.sum = sum;
        }
    }

    /// The latest value; `None` if there is none.
    pub(crate) fn last(&self) -> Option<u64> {
        self.told(self.sum)
    }

    /// The highest value; `None` if there is none.
    pub(crate) fn peak(&self) -> Option<u64> {
        self.told(self.peak)
    }

    fn told(&self, value: u128) -> Option<u64> {
        let told = !self.latest.is_empty();
        told.then(|| u64::try_from(value).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heaps_add_up() {
        let mut gauge = Gauge::default();
        assert_eq!((gauge.last(), gauge.peak()), (None, None));
        gauge.record(0, 10, 5);
        gauge.record(7, 11, 100);
        gauge.record(0, 12, 2);
        assert_eq!((gauge.last(), gauge.peak()), (Some(102), Some(105)));
        // An earlier time than the latest: it counts only for the peak.
        gauge.record(0, 11, 50);
        assert_eq!((gauge.last(), gauge.peak()), (Some(102), Some(150)));
        gauge.record(1, 13, u64::MAX);
        assert_eq!(
            (gauge.last(), gauge.peak()),
            (Some(u64::MAX), Some(u64::MAX))
        );
    }
}
