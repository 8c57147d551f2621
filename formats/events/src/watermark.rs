//! Up to which time a live stream is complete.
//!
//! Every capability flushes its own buffer at any time. A block that ends at
//! `t` proves that its capability will not write anything earlier any more, so
//! the stream is complete up to the lowest such `t` over all capabilities.
//! Capabilities that are known but have delivered nothing count as 0.

use crate::layout::GLOBAL;
use std::collections::{BTreeMap, BTreeSet};

/// The delivered block end of each known capability, and the lowest of them.
#[derive(Clone, Debug)]
pub struct Watermark {
    ends: BTreeMap<u16, u64>,
    sorted: BTreeSet<(u64, u16)>,
    stale_after: Option<u64>,
    /// Capabilities that were deleted, and when: their last blocks may still
    /// arrive.
    deleted: BTreeMap<u16, u64>,
}

impl Watermark {
    /// A watermark that knows only the global buffer, with nothing delivered.
    ///
    /// A capability that lags more than `stale_after` nanoseconds behind the
    /// most advanced one does not count until it delivers again: otherwise an
    /// idle one would hold everything back.
    pub fn new(stale_after: Option<u64>) -> Self {
        let mut watermark = Self {
            ends: BTreeMap::new(),
            sorted: BTreeSet::new(),
            stale_after,
            deleted: BTreeMap::new(),
        };
        watermark.announce(None);
        watermark
    }

    /// A capability exists (`None`: the global buffer).
    pub fn announce(&mut self, cap: Option<u16>) {
        let cap = cap.unwrap_or(GLOBAL);
        self.ends.entry(cap).or_insert_with(|| {
            self.sorted.insert((0, cap));
            0
        });
    }

    /// A capability will not deliver any more.
    pub fn forget(&mut self, cap: u16) {
        if let Some(end) = self.ends.remove(&cap) {
            self.sorted.remove(&(end, cap));
        }
    }

    /// A capability was deleted at that time. The event for this is in the
    /// global buffer, which is often written first: the capability counts until
    /// it has delivered everything up to then.
    pub fn delete(&mut self, cap: u16, time: u64) {
        if self.of(Some(cap)).is_some_and(|end| end < time) {
            self.deleted.insert(cap, time);
        } else {
            self.forget(cap);
        }
    }

    /// A block that ends at `end` has been delivered completely.
    pub fn delivered(&mut self, cap: Option<u16>, end: u64) {
        self.announce(cap);
        let cap = cap.unwrap_or(GLOBAL);
        if let Some(known) = self.ends.get_mut(&cap)
            && *known < end
        {
            self.sorted.remove(&(*known, cap));
            self.sorted.insert((end, cap));
            *known = end;
        }
        if self.deleted.get(&cap).is_some_and(|&time| time <= end) {
            self.deleted.remove(&cap);
            self.forget(cap);
        }
    }

    /// The time up to which nothing is missing.
    pub fn low(&self) -> u64 {
        let (Some(&(lowest, _)), Some(&(highest, _))) = (self.sorted.first(), self.sorted.last())
        else {
            return 0;
        };
        match self.stale_after {
            Some(lag) if highest - lowest > lag => {
                let fresh = self.sorted.range((highest - lag, 0)..).next();
                fresh.map_or(highest, |&(end, _)| end)
            }
            _ => lowest,
        }
    }

    /// The capabilities that are known (`None`: the global buffer), and how far each has come.
    pub fn caps(&self) -> impl Iterator<Item = (Option<u16>, u64)> {
        let ends = self.ends.iter();
        ends.map(|(&cap, &end)| ((cap != GLOBAL).then_some(cap), end))
    }

    /// How far one capability has come; `None` if it is not known.
    pub fn of(&self, cap: Option<u16>) -> Option<u64> {
        self.ends.get(&cap.unwrap_or(GLOBAL)).copied()
    }
}
