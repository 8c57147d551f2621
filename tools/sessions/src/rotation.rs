//! When a part is long enough.

use std::time::Duration;

/// When a file is closed and the next one begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// At about so many bytes.
    pub size: Option<u64>,
    /// After so long.
    pub age: Option<Duration>,
}

impl Rotation {
    /// Whether files are ever closed before the log ends.
    pub fn is_wanted(&self) -> bool {
        self.size.is_some() || self.age.is_some()
    }

    /// Whether a file has reached its limit so many times. Once: it is closed at the next
    /// place that is good for it; twice: at any. `prologue` counts the bytes with which
    /// it began before the stream itself.
    pub fn has_reached(&self, times: u32, bytes: u64, prologue: u64, age: Duration) -> bool {
        let size = self.size.map(|size| {
            // Half of each is the stream, however much has to be told first.
            let size = size.saturating_mul(times.into());
            size.max(prologue.saturating_add(size / 2))
        });
        let limit = self.age.map(|limit| limit.saturating_mul(times));
        size.is_some_and(|size| bytes >= size) || limit.is_some_and(|limit| age >= limit)
    }
}
