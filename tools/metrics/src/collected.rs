//! The values of all metrics at a moment.

pub use crate::attribute::{Attribute, Attributes};
use crate::histogram::Histogram;
use crate::resource::Resource;
use crate::table::Metric;
use ghc_eventlog::WallClock;
use std::sync::Arc;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Int(u64),
    /// Nanoseconds, exported as seconds.
    Nanos(u64),
    /// Durations.
    Histogram(Arc<Histogram>),
}

/// A value with its attributes.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Its attributes.
    pub attributes: Attributes,
    /// The value.
    pub value: Value,
    /// Since when a counter counts: nanoseconds of the log.
    pub start: u64,
}

/// All values of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// The metric.
    pub metric: &'static Metric,
    /// Its values.
    pub points: Vec<Point>,
}

/// All metrics of one program at a moment.
#[derive(Clone, Debug)]
pub struct Collected {
    /// The program.
    pub resource: Arc<Resource>,
    /// When: nanoseconds of the log.
    pub time: u64,
    /// The time of day, if it is known.
    pub clock: Option<WallClock>,
    /// The metrics that have values.
    pub families: Vec<Family>,
}

impl Collected {
    /// A time of the log as Unix time in nanoseconds.
    pub fn unix(&self, time: u64) -> Option<u64> {
        let nanos = self.clock?.at(time).unix_nanos();
        u64::try_from(nanos).ok()
    }

    /// The values of a metric.
    pub fn family(&self, name: &str) -> Option<&Family> {
        self.families
            .iter()
            .find(|family| family.metric.name == name)
    }
}

/// Nanoseconds as seconds, with only the necessary decimals.
pub fn seconds(nanos: u64) -> String {
    let (whole, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    if rest == 0 {
        return whole.to_string();
    }
    let text = format!("{whole}.{rest:09}");
    text.trim_end_matches('0').to_owned()
}
