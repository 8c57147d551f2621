//! Sparks: work offered for evaluation in parallel.

use ghc_eventlog::EventBody;

/// Running totals, as each capability logs them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SparkCounters {
    /// Put into the pool.
    pub created: u64,
    /// Evaluated already when sparked.
    pub dud: u64,
    /// Lost to a full pool.
    pub overflowed: u64,
    /// Evaluated in parallel.
    pub converted: u64,
    /// Found unreachable.
    pub gcd: u64,
    /// Evaluated by someone else first.
    pub fizzled: u64,
    /// In the pool now.
    pub remaining: u64,
}

impl SparkCounters {
    /// The counters in an event; `None` if it is another one.
    pub fn from_body(body: &EventBody<'_>) -> Option<Self> {
        let EventBody::SparkCounters {
            created,
            dud,
            overflowed,
            converted,
            gcd,
            fizzled,
            remaining,
        } = *body
        else {
            return None;
        };
        Some(Self {
            created,
            dud,
            overflowed,
            converted,
            gcd,
            fizzled,
            remaining,
        })
    }

    pub(crate) fn body(self) -> EventBody<'static> {
        EventBody::SparkCounters {
            created: self.created,
            dud: self.dud,
            overflowed: self.overflowed,
            converted: self.converted,
            gcd: self.gcd,
            fizzled: self.fizzled,
            remaining: self.remaining,
        }
    }

    /// Whether a total is lower than it was.
    pub(crate) fn falls_below(&self, before: &Self) -> bool {
        let totals = |of: &Self| {
            [
                of.created,
                of.dud,
                of.overflowed,
                of.converted,
                of.gcd,
                of.fizzled,
            ]
        };
        totals(self)
            .iter()
            .zip(&totals(before))
            .any(|(now, before)| now < before)
    }

    /// The sums of several capabilities.
    #[must_use]
    pub fn plus(self, of: Self) -> Self {
        Self {
            created: self.created.saturating_add(of.created),
            dud: self.dud.saturating_add(of.dud),
            overflowed: self.overflowed.saturating_add(of.overflowed),
            converted: self.converted.saturating_add(of.converted),
            gcd: self.gcd.saturating_add(of.gcd),
            fizzled: self.fizzled.saturating_add(of.fizzled),
            remaining: self.remaining.saturating_add(of.remaining),
        }
    }
}
