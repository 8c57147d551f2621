//! Shares and times.

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
