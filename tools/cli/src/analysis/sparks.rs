//! Sparks: work offered for evaluation in parallel.

use ghc_eventlog::{Event, EventBody};
use serde::Serialize;
use std::collections::BTreeMap;

/// Running totals, as each capability writes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    pub created: u64,
    pub dud: u64,
    pub overflowed: u64,
    pub converted: u64,
    pub gcd: u64,
    pub fizzled: u64,
    pub remaining: u64,
}

/// The latest counters of every capability.
#[derive(Clone, Debug, Default)]
pub struct Sparks {
    caps: BTreeMap<u16, Counters>,
}

impl Sparks {
    /// The counters, if the event has some.
    #[inline]
    pub fn event(&mut self, event: &Event<'_>) -> Option<Counters> {
        let EventBody::SparkCounters {
            created,
            dud,
            overflowed,
            converted,
            gcd,
            fizzled,
            remaining,
        } = event.body
        else {
            return None;
        };
        let counters = Counters {
            created,
            dud,
            overflowed,
            converted,
            gcd,
            fizzled,
            remaining,
        };
        self.caps.insert(event.cap?, counters);
        Some(counters)
    }

    /// Of all capabilities together; `None` if none has told any.
    pub fn total(&self) -> Option<Counters> {
        self.caps.values().copied().reduce(|sum, of| Counters {
            created: sum.created.saturating_add(of.created),
            dud: sum.dud.saturating_add(of.dud),
            overflowed: sum.overflowed.saturating_add(of.overflowed),
            converted: sum.converted.saturating_add(of.converted),
            gcd: sum.gcd.saturating_add(of.gcd),
            fizzled: sum.fizzled.saturating_add(of.fizzled),
            remaining: sum.remaining.saturating_add(of.remaining),
        })
    }
}
