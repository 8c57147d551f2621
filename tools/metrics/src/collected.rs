//! The values of all metrics at a moment.

use crate::histogram::Histogram;
use crate::resource::Resource;
use crate::table::Metric;
use ghc_eventlog::WallClock;
use std::fmt;
use std::sync::Arc;

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attribute {
    /// A text.
    Text(Arc<str>),
    /// A number.
    Int(i64),
    /// A Boolean.
    Bool(bool),
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Int(number) => number.fmt(f),
            Self::Bool(yes) => yes.fmt(f),
        }
    }
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<u16> for Attribute {
    fn from(number: u16) -> Self {
        Self::Int(number.into())
    }
}

/// Names and values of attributes.
pub type Attributes = Vec<(&'static str, Attribute)>;

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
