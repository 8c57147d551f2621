//! Keeps the first few of many items that arrive in any order.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

#[derive(Debug)]
struct Entry<T> {
    key: (u64, u64),
    thing: T,
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

/// The items with the lowest keys; of equal keys those that arrived first.
#[derive(Debug)]
pub(crate) struct Earliest<T> {
    most: usize,
    heap: BinaryHeap<Entry<T>>,
    total: u64,
}

impl<T> Earliest<T> {
    /// The most items to keep.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            heap: BinaryHeap::new(),
            total: 0,
        }
    }

    /// Whether an item with this key would be kept for now.
    pub(crate) fn wants(&self, key: u64) -> bool {
        let last = self.heap.peek().map(|last| last.key.0);
        self.heap.len() < self.most || last.is_some_and(|last| key < last)
    }

    /// Offers an item, which is only built if it is kept.
    pub(crate) fn push(&mut self, key: u64, make: impl FnOnce() -> T) {
        let number = self.total;
        self.total += 1;
        if !self.wants(key) {
            return;
        }
        if self.heap.len() >= self.most {
            self.heap.pop();
        }
        self.heap.push(Entry {
            key: (key, number),
            thing: make(),
        });
    }

    /// The number of offered items.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// In the order of their keys.
    pub(crate) fn into_vec(self) -> Vec<T> {
        let sorted = self.heap.into_sorted_vec();
        sorted.into_iter().map(|entry| entry.thing).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_few_in_their_order() {
        let mut earliest = Earliest::new(4);
        let keys: [u64; 9] = [50, 10, 40, 10, 30, 90, 20, 10, 5];
        for (number, key) in keys.into_iter().enumerate() {
            earliest.push(key, || number);
        }
        assert!(!earliest.wants(10) && earliest.wants(9));
        assert_eq!(earliest.total(), 9);
        assert_eq!(earliest.into_vec(), [8, 1, 3, 7]);
        let mut none = Earliest::new(0);
        none.push(1, || ());
        assert!(none.into_vec().is_empty());
    }
}
