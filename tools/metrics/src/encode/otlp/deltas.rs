//! Changes since the last export, for receivers that expect deltas instead of totals.

use crate::collected::{Attributes, Collected, Point, Value};
use crate::table::{Kind, Metric};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Whether totals or changes are exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Temporality {
    /// Totals since the start.
    #[default]
    Cumulative,
    /// Counters and histograms export changes.
    Delta,
    /// Only histograms export changes.
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

/// The values of one program that were exported before.
#[derive(Debug, Default)]
pub struct Deltas {
    temporality: Temporality,
    /// The program.
    instance: String,
    before: FxHashMap<(&'static str, Attributes), (Value, u64)>,
}

impl Deltas {
    /// Nothing was exported yet.
    pub fn new(temporality: Temporality) -> Self {
        Self {
            temporality,
            ..Self::default()
        }
    }

    /// The temporality.
    pub fn temporality(&self) -> Temporality {
        self.temporality
    }

    /// The change, and since when. Stores the value for the next time.
    pub(super) fn since(
        &mut self,
        collected: &Collected,
        metric: &Metric,
        point: &Point,
    ) -> (Value, u64) {
        let instance = collected.resource.instance();
        if instance != self.instance {
            // Another program: its counters start again at 0.
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
