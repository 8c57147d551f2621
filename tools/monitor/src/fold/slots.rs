//! Sums in time slots.

/// The most time slots.
pub(super) const SLOTS: usize = 1 << 15;

/// A point of a series: its start, smallest, largest, sum, and number of values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) time: u64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) sum: f64,
    pub(crate) count: u64,
}

/// Amounts in time slots that get longer with the log. They can be added in any order.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    pub(super) sums: Vec<u64>,
    /// A slot is two to the power of this many nanoseconds long.
    pub(super) shift: u32,
}

impl Default for Slots {
    fn default() -> Self {
        // A quarter of a millisecond at first.
        Self {
            sums: Vec::new(),
            shift: 18,
        }
    }
}

impl Slots {
    /// Makes sure that there is a slot for this time.
    fn reach(&mut self, time: u64) {
        while time >> self.shift >= SLOTS as u64 {
            self.shift += 1;
            let half = self.sums.len().div_ceil(2);
            for at in 0..half {
                let second = self.sums.get(2 * at + 1).copied().unwrap_or(0);
                self.sums[at] = self.sums[2 * at].saturating_add(second);
            }
            self.sums.truncate(half);
        }
        let last = (time >> self.shift) as usize;
        if self.sums.len() <= last {
            self.sums.resize(last + 1, 0);
        }
    }

    /// Adds an amount to the slot of a time.
    #[inline(always)]
    pub(super) fn add(&mut self, time: u64, amount: u64) {
        match self.sums.get_mut((time >> self.shift) as usize) {
            Some(sum) => *sum = sum.saturating_add(amount),
            None => self.add_later(time, amount),
        }
    }

    #[inline(never)]
    fn add_later(&mut self, time: u64, amount: u64) {
        self.reach(time);
        self.sums[(time >> self.shift) as usize] += amount;
    }

    /// Adds the time between two times to the slots that it covers.
    #[inline(always)]
    pub(super) fn add_time(&mut self, from: u64, to: u64) {
        let (first, last) = (from >> self.shift, to >> self.shift);
        match self.sums.get_mut(last as usize) {
            // Most times are short.
            Some(sum) if first == last => *sum = sum.saturating_add(to.saturating_sub(from)),
            _ => self.add_long(from, to),
        }
    }

    #[inline(never)]
    fn add_long(&mut self, from: u64, to: u64) {
        self.reach(to);
        let (first, last) = (from >> self.shift, to >> self.shift);
        for slot in first..=last {
            let begin = slot << self.shift;
            let end = begin.saturating_add(1 << self.shift);
            let within = to.min(end).saturating_sub(from.max(begin));
            let sum = &mut self.sums[slot as usize];
            *sum = sum.saturating_add(within);
        }
    }

    /// The slots of a time range: the first one, the one after the last, and how many to join
    /// so that there are at most `count`.
    pub(super) fn window(&self, (from, to): (u64, u64), count: usize) -> (u64, u64, u64) {
        let first = from >> self.shift;
        let last = (to >> self.shift)
            .saturating_add(1)
            .min(self.sums.len() as u64);
        let together = (last.saturating_sub(first))
            .div_ceil(count.max(1) as u64)
            .max(1);
        (first / together * together, last, together)
    }

    /// The sum at each point since the point before it. The first point only marks the
    /// start.
    pub(super) fn sums(&self, window: (u64, u64), count: usize) -> Vec<Point> {
        let (first, last, together) = self.window(window, count);
        if first >= last {
            return Vec::new();
        }
        let start = Point {
            time: first << self.shift,
            min: 0.0,
            max: 0.0,
            sum: 0.0,
            count: 0,
        };
        let steps = (first..last).step_by(together as usize);
        let points = steps.map(|at| {
            let until = (at + together).min(last);
            let sums = &self.sums[at as usize..until as usize];
            let (min, max) = (sums.iter().min(), sums.iter().max());
            let time = u64::try_from(u128::from(until) << self.shift);
            Point {
                time: time.unwrap_or(u64::MAX),
                min: min.copied().unwrap_or(0) as f64,
                max: max.copied().unwrap_or(0) as f64,
                sum: sums.iter().map(|&sum| sum as f64).sum(),
                count: sums.len() as u64,
            }
        });
        std::iter::once(start).chain(points).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_count_when_they_happen_in_whatever_order_they_come() {
        let mut slots = Slots::default();
        // The block of one capability, and then that of another of the same time.
        for _ in 0..2 {
            (0..1_000_000).for_each(|event| slots.add(event * 1000, 1));
        }
        let points = slots.sums((0, 1_000_000_000), 100);
        assert!((50..=101).contains(&points.len()), "{}", points.len());
        assert_eq!(points[0].sum, 0.0);
        for pair in points[..points.len() - 1].windows(2) {
            let expected = (pair[1].time - pair[0].time) as f64 / 500.0;
            assert!((pair[1].sum - expected).abs() <= 4.0, "{pair:?}");
        }
        let all: f64 = points.iter().map(|point| point.sum).sum();
        assert_eq!(all, 2_000_000.0);
    }
}
