//! When a part is long enough.

use std::time::Duration;

/// When a file is closed and the next one begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// At about this many bytes.
    pub size: Option<u64>,
    /// After this time.
    pub age: Option<Duration>,
}

impl Rotation {
    /// Whether files are ever closed before the log ends.
    pub fn is_wanted(&self) -> bool {
        self.size.is_some() || self.age.is_some()
    }

    /// Whether a file has reached its limit `times` times. Once: it is closed at the next suitable
    /// place; twice: at any place. `prologue` is the number of bytes with which it began before the
    /// stream itself.
    pub fn has_reached(&self, times: u32, bytes: u64, prologue: u64, age: Duration) -> bool {
        let size = self.size.map(|size| {
            // At least half of each file is the stream, however long its prologue is.
            let size = size.saturating_mul(times.into());
            size.max(prologue.saturating_add(size / 2))
        });
        let limit = self.age.map(|limit| limit.saturating_mul(times));
        size.is_some_and(|size| bytes >= size) || limit.is_some_and(|limit| age >= limit)
    }
}
