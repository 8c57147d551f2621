//! Keeps the newest of many items.

/// Items in the order in which they were added: the newest ones, at least half of the limit.
///
/// They are stored in two halves. When the newer one is full the older one is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Kept<T> {
    half: usize,
    older: Vec<T>,
    newer: Vec<T>,
    total: u64,
}

impl<T> Kept<T> {
    /// An empty collection with a limit.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            half: (most / 2).max(1),
            older: Vec::new(),
            newer: Vec::new(),
            total: 0,
        }
    }

    pub(crate) fn push(&mut self, thing: T) {
        if self.newer.len() >= self.half {
            // A separate vector for each half, so that dropping one frees its memory.
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.push(thing);
        self.total += 1;
    }

    /// The kept items, the oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.older.iter().chain(&self.newer)
    }

    /// The number of items added in total.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The number of kept items.
    pub(crate) fn len(&self) -> usize {
        self.older.len() + self.newer.len()
    }

    /// The oldest kept item, if older ones were dropped.
    pub(crate) fn first_of_rest(&self) -> Option<&T> {
        let all = self.len() as u64 == self.total;
        self.iter().next().filter(|_| !all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept() {
        let mut kept = Kept::new(10);
        for n in 0..7 {
            kept.push(n);
        }
        assert_eq!(kept.first_of_rest(), None);
        for n in 7..1234 {
            kept.push(n);
            assert!(kept.len() <= 10);
        }
        assert!(kept.len() >= 5);
        let all: Vec<_> = kept.iter().copied().collect();
        assert_eq!(all, (1234 - all.len()..1234).collect::<Vec<_>>());
        assert_eq!(kept.first_of_rest(), all.first());
        assert_eq!(kept.total(), 1234);
    }
}
