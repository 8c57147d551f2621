//! How much time a set of intervals covers together, overlaps counted once.

use std::collections::BTreeMap;

/// The most separate stretches that are kept.
const MOST: usize = 1 << 19;
/// How many of them are settled at a time.
const SETTLED: usize = MOST / 4;

/// A set of moments.
#[derive(Clone, Debug, Default)]
pub struct Cover {
    /// Beginnings and ends; they neither overlap nor touch.
    stretches: BTreeMap<u64, u64>,
    /// Stretches after all of these, in order. Nearly all intervals concern the latest few; an
    /// interval before the last of them moves them all to `stretches`.
    recent: Vec<(u64, u64)>,
    /// Nanoseconds covered by stretches that are no longer kept one by one, and the end of the last
    /// one.
    settled: u64,
    settled_until: u64,
    /// An interval reached back into those stretches, so the total is no longer known.
    inexact: bool,
}

impl Cover {
    /// Adds an interval. Intervals need not arrive in the order of their ends.
    pub fn add(&mut self, from: u64, to: u64) {
        if from < self.settled_until {
            self.inexact = true;
            return;
        }
        if self.recent.last().is_some_and(|&(begin, _)| to < begin) {
            self.stretches.extend(self.recent.drain(..));
        }
        let (mut begin, mut end) = (from, to);
        while let Some((other, until)) = self.recent.pop_if(|(_, until)| *until >= begin) {
            begin = begin.min(other);
            end = end.max(until);
        }
        if self.recent.is_empty() {
            while let Some((&other, &until)) = self.stretches.range(..=end).next_back()
                && until >= begin
            {
                begin = begin.min(other);
                end = end.max(until);
                self.stretches.remove(&other);
            }
        }
        let is_early = |(&other, _): (&u64, &u64)| other > end;
        match self.recent.is_empty() && self.stretches.last_key_value().is_some_and(is_early) {
            true => _ = self.stretches.insert(begin, end),
            false => self.recent.push((begin, end)),
        }
        if self.stretches.len() + self.recent.len() > MOST {
            self.settle();
        }
    }

    /// Replaces the earliest stretches by their sum.
    #[cold]
    fn settle(&mut self) {
        let mut settle = |(from, to): (u64, u64)| {
            self.settled += to - from;
            self.settled_until = to;
        };
        let mut left = SETTLED;
        while left > 0
            && let Some(stretch) = self.stretches.pop_first()
        {
            settle(stretch);
            left -= 1;
        }
        self.recent.drain(..left).for_each(settle);
    }

    /// The nanoseconds covered; `None` if that is not known, because there were too many stretches.
    pub fn total(&self) -> Option<u64> {
        let recent = self.recent.iter().map(|(from, to)| to - from);
        let open = self.stretches.iter().map(|(from, to)| to - from);
        let open = open.chain(recent);
        (!self.inexact).then(|| self.settled + open.sum::<u64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(intervals: &[(u64, u64)]) -> Option<u64> {
        let mut cover = Cover::default();
        for &(from, to) in intervals {
            cover.add(from, to);
        }
        cover.total()
    }

    #[test]
    fn every_moment_counts_once() {
        assert_eq!(total(&[]), Some(0));
        assert_eq!(total(&[(5, 5)]), Some(0));
        assert_eq!(total(&[(2, 4), (6, 8)]), Some(4));
        assert_eq!(total(&[(2, 4), (4, 8)]), Some(6));
        assert_eq!(total(&[(2, 4), (6, 8), (3, 7)]), Some(6));
        assert_eq!(total(&[(2, 4), (6, 8), (0, 9)]), Some(9));
        assert_eq!(total(&[(0, 9), (2, 4), (9, 9)]), Some(9));
    }

    /// Against a plain picture of the moments.
    #[test]
    fn as_marked_one_by_one() {
        let mut seed = 1u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1);
            (seed >> 33) % below
        };
        for _ in 0..200 {
            let mut cover = Cover::default();
            let mut marked = [false; 100];
            for _ in 0..next(30) {
                let from = next(90);
                let to = from + next(10);
                cover.add(from, to);
                (from..to).for_each(|at| marked[at as usize] = true);
                let count = marked.iter().filter(|at| **at).count() as u64;
                assert_eq!(cover.total(), Some(count));
            }
        }
    }

    #[test]
    fn too_many_are_counted_but_not_kept() {
        let mut cover = Cover::default();
        let count = MOST as u64 * 3;
        for at in 0..count {
            cover.add(at * 10, at * 10 + 1);
        }
        assert_eq!(cover.total(), Some(count));
        assert!(cover.stretches.len() + cover.recent.len() <= MOST);
        // Some of them late, so that not all are recent.
        let count = count + MOST as u64 * 3;
        for at in (count - MOST as u64 * 3)..count {
            let at = at ^ u64::from(at % 100_000 < 2);
            cover.add(at * 10, at * 10 + 1);
        }
        assert_eq!(cover.total(), Some(count));
        assert!(cover.stretches.len() + cover.recent.len() <= MOST);
        cover.add(5, count * 10);
        assert_eq!(cover.total(), None);
    }
}
