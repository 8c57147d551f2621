//! Durations by name, for any number of names.

use crate::histogram::Histogram;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The limit on names that wait for a place, as a multiple of the places.
const WAITING: usize = 20;

/// A histogram for each of some names, and one for all others together.
///
/// A counter must not move from one series to another, so a name that has a place keeps it.
/// Whenever values are collected, free places go to the new names with the longest total
/// time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    named: BTreeMap<Arc<str>, Arc<Histogram>>,
    waiting: BTreeMap<Arc<str>, Histogram>,
    other: Option<Arc<Histogram>>,
}

impl Names {
    pub(crate) fn record(&mut self, name: &Arc<str>, nanos: u64, places: usize) {
        if let Some(histogram) = self.named.get_mut(name) {
            Arc::make_mut(histogram).record(nanos);
        } else if self.named.len() >= places || self.waiting.len() >= places * WAITING {
            // Names that wait already keep their entries.
            match self.waiting.get_mut(name) {
                Some(histogram) => histogram.record(nanos),
                None => Arc::make_mut(self.other.get_or_insert_default()).record(nanos),
            }
        } else {
            self.waiting
                .entry(Arc::clone(name))
                .or_default()
                .record(nanos);
        }
    }

    /// Assigns the free places. Names without one count as others from now on.
    pub(crate) fn settle(&mut self, places: usize) {
        let mut waiting: Vec<_> = std::mem::take(&mut self.waiting).into_iter().collect();
        waiting.sort_by(|a, b| b.1.sum().cmp(&a.1.sum()).then_with(|| a.0.cmp(&b.0)));
        for (name, histogram) in waiting {
            if self.named.len() < places {
                self.named.insert(name, Arc::new(histogram));
            } else {
                Arc::make_mut(self.other.get_or_insert_default()).merge(&histogram);
            }
        }
    }

    pub(crate) fn add(&mut self, later: Self) {
        let waiting = later.waiting.into_iter();
        let named = later.named.into_iter();
        let all = named.map(|(name, of)| (name, (*of).clone())).chain(waiting);
        for (name, histogram) in all {
            match self.named.get_mut(&name) {
                Some(own) => Arc::make_mut(own).merge(&histogram),
                None => self.waiting.entry(name).or_default().merge(&histogram),
            }
        }
        if let Some(other) = later.other {
            Arc::make_mut(self.other.get_or_insert_default()).merge(&other);
        }
    }

    /// Each name that has a place, and `None` for all others.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Option<&Arc<str>>, &Arc<Histogram>)> {
        let named = self.named.iter().map(|(name, of)| (Some(name), of));
        named.chain(self.other.as_ref().map(|other| (None, other)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(of: &Names) -> Vec<(String, u64)> {
        let told = of.iter().map(|(name, of)| {
            let name = name.map_or("(other)", |name| &**name);
            (name.to_owned(), of.count())
        });
        told.collect()
    }

    #[test]
    fn the_largest_get_the_places_and_keep_them() {
        let mut of = Names::default();
        for (name, nanos) in [("a", 1), ("b", 50), ("c", 10), ("b", 1), ("d", 2)] {
            of.record(&name.into(), nanos, 2);
        }
        of.settle(2);
        let told = |told: &[(&str, u64)]| -> Vec<(String, u64)> {
            let told = told.iter().map(|&(name, count)| (name.to_owned(), count));
            told.collect()
        };
        assert_eq!(names(&of), told(&[("b", 2), ("c", 1), ("(other)", 2)]));
        // The largest, but too late.
        of.record(&"a".into(), 1_000, 2);
        of.record(&"c".into(), 1, 2);
        of.settle(2);
        assert_eq!(names(&of), told(&[("b", 2), ("c", 2), ("(other)", 3)]));
    }

    #[test]
    fn millions_of_names_take_no_memory() {
        let mut of = Names::default();
        for number in 0..10_000 {
            of.record(&format!("request {number}").into(), 5, 50);
        }
        assert!(of.waiting.len() <= 50 * WAITING);
        of.settle(50);
        assert_eq!(of.iter().count(), 51);
        let count: u64 = of.iter().map(|(_, of)| of.count()).sum();
        assert_eq!(count, 10_000);
    }
}
