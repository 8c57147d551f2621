//! Times of a log.

use std::fmt;

/// A time of a log in seconds, exact to the nanosecond.
///
/// ```
/// assert_eq!(eventlog_export::Seconds(1_500_000_000).to_string(), "1.500000000");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Seconds(pub u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!(
            "{}.{:09}",
            self.0 / 1_000_000_000,
            self.0 % 1_000_000_000
        ))
    }
}
