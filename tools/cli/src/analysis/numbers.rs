//! Shares and rates.

pub use eventlog_export::Seconds;

use std::fmt;

/// A share, as a percentage.
#[derive(Clone, Copy, Debug)]
pub struct Share(pub u64, pub u64);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            0 => f.pad("-"),
            whole => f.pad(&format!("{:.1}%", 100.0 * self.0 as f64 / whole as f64)),
        }
    }
}

/// A share as a fraction, rounded so that JSON stays readable; none of nothing.
pub fn fraction(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 1e6).round() / 1e6)
}

/// An amount per second of a time in nanoseconds; none if there was no time.
pub fn per_second(amount: u64, nanos: u64) -> Option<u64> {
    let rate = (u128::from(amount) * 1_000_000_000).checked_div(u128::from(nanos))?;
    Some(u64::try_from(rate).unwrap_or(u64::MAX))
}
