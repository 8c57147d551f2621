//! How much a program has allocated.
//!
//! `heap_allocated` does not say how much was allocated since the last such
//! event: it is a running total, and each capability keeps its own. The
//! program's total is the sum of the latest totals of all capabilities.

use crate::body::EventBody;
use crate::event::Event;
use std::collections::BTreeMap;

/// Adds up `heap_allocated` events.
///
/// ```
/// use ghc_eventlog::Allocations;
///
/// let mut allocations = Allocations::new();
/// assert_eq!(allocations.record(0, 100), 100);
/// assert_eq!(allocations.record(1, 10), 10);
/// assert_eq!(allocations.record(0, 150), 50);
/// assert_eq!(allocations.total(), 160);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Allocations {
    /// Per capability: the latest running total.
    latest: BTreeMap<u16, u64>,
    /// The sum of the last totals of counters that were then reset.
    before: u64,
}

impl Allocations {
    /// A state in which nothing is allocated yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records an event. Returns how much the capability has allocated since
    /// its last one, or `None` if the event is not about allocations.
    pub fn observe(&mut self, event: &Event<'_>) -> Option<u64> {
        match (event.body, event.cap) {
            (EventBody::HeapAllocated { bytes, .. }, Some(cap)) => Some(self.record(cap, bytes)),
            _ => None,
        }
    }

    /// Records a capability's running total, and returns by how much it has
    /// grown. A total that is lower than the one before is that of a program
    /// that has started again.
    pub fn record(&mut self, cap: u16, total: u64) -> u64 {
        let latest = self.latest.entry(cap).or_default();
        let before = std::mem::replace(latest, total);
        match total.checked_sub(before) {
            Some(growth) => growth,
            None => {
                self.before = self.before.saturating_add(before);
                total
            }
        }
    }

    /// Bytes allocated by all capabilities.
    pub fn total(&self) -> u64 {
        self.latest
            .values()
            .fold(self.before, |sum, &total| sum.saturating_add(total))
    }

    /// The running total of one capability.
    pub fn of_cap(&self, cap: u16) -> Option<u64> {
        self.latest.get(&cap).copied()
    }
}
