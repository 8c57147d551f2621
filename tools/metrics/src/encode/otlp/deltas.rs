//! What has come since the last time, for receivers that want changes instead of totals.

use crate::collected::{Attributes, Collected, Point, Value};
use crate::table::{Kind, Metric};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Whether totals are told or changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Temporality {
    /// Totals since the start.
    #[default]
    Cumulative,
    /// Counters and histograms tell what is new.
    Delta,
    /// Only histograms do.
    LowMemory,
}

impl Temporality {
    pub(super) fn is_delta(self, kind: Kind) -> bool {
        match kind {
            Kind::Gauge | Kind::UpDownCounter => false,
            Kind::Counter => self == Self::Delta,
            Kind::Histogram => self != Self::Cumulative,
        }
    }
}

/// What was told before of one program.
#[derive(Debug, Default)]
pub struct Deltas {
    temporality: Temporality,
    /// Of which program.
    instance: String,
    before: FxHashMap<(&'static str, Attributes), (Value, u64)>,
}

impl Deltas {
    /// Nothing was told yet.
    pub fn new(temporality: Temporality) -> Self {
        Self {
            temporality,
            ..Self::default()
        }
    }

    /// How it is told.
    pub fn temporality(&self) -> Temporality {
        self.temporality
    }

    /// What is new, and since when. Remembers the value for the next time.
    pub(super) fn since(
        &mut self,
        collected: &Collected,
        metric: &Metric,
        point: &Point,
    ) -> (Value, u64) {
        let instance = collected.resource.instance();
        if instance != self.instance {
            // Another program: its counters begin anew.
            self.before.clear();
            self.instance = instance;
        }
        let key = (metric.name, point.attributes.clone());
        let now = (point.value.clone(), collected.time);
        let Some((before, since)) = self.before.insert(key, now) else {
            return (point.value.clone(), point.start);
        };
        let new = match (&point.value, before) {
            (Value::Int(now), Value::Int(before)) => Value::Int(now.saturating_sub(before)),
            (Value::Nanos(now), Value::Nanos(before)) => Value::Nanos(now.saturating_sub(before)),
            (Value::Histogram(now), Value::Histogram(before)) => {
                Value::Histogram(Arc::new(now.since(&before)))
            }
            (now, _) => now.clone(),
        };
        (new, since)
    }
}
