//! Definitions of which there are many, each of them once.

use ghc_eventlog::RawEvent;

use crate::format::declare_real_length;
use crate::memory::{OutOfMemory, Shared, append, copied, push};

/// Bytes of a segment. Large enough that a client's queue stays short, small enough
/// to be copied while it still grows.
const SEGMENT: usize = 256 * 1024;

/// One kind of them, in the order they came.
#[derive(Debug, Default)]
pub(super) struct Bulk {
    /// Full segments, which the queues of clients share.
    sealed: Vec<Shared<Vec<u8>>>,
    /// The one that grows.
    growing: Vec<u8>,
    len: usize,
    /// The time of the latest.
    latest: u64,
    /// A log has started since they came: if it repeats any, it repeats all.
    old: bool,
}

impl Bulk {
    /// Bytes kept.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The time of the latest of them.
    pub(super) fn latest(&self) -> u64 {
        self.latest
    }

    /// A log has started.
    pub(super) fn start_log(&mut self) {
        self.old = true;
    }

    /// The copy that is kept.
    pub(super) fn add(&mut self, event: &RawEvent<'_>) -> Result<&[u8], OutOfMemory> {
        if self.old {
            *self = Bulk::default();
        }
        if self.growing.len() + event.bytes.len() > SEGMENT && !self.growing.is_empty() {
            self.seal()?;
        }
        let start = self.growing.len();
        append(&mut self.growing, event.bytes)?;
        self.len += event.bytes.len();
        self.latest = self.latest.max(event.time);
        let kept = &mut self.growing[start..];
        declare_real_length(kept, event);
        Ok(kept)
    }

    /// Begin a new segment. As it was, if there is no memory for that.
    fn seal(&mut self) -> Result<(), OutOfMemory> {
        self.sealed.try_reserve(1)?;
        let mut next = Vec::new();
        next.try_reserve_exact(SEGMENT)?;
        let mut full = Shared::new(Vec::new())?;
        if let Some(room) = full.get_mut() {
            *room = std::mem::replace(&mut self.growing, next);
        }
        self.sealed.push(full);
        Ok(())
    }

    /// Add all of them to these pieces.
    pub(super) fn add_pieces(&self, to: &mut Vec<Shared<Vec<u8>>>) -> Result<(), OutOfMemory> {
        to.try_reserve(self.sealed.len() + 1)?;
        to.extend(self.sealed.iter().cloned());
        if !self.growing.is_empty() {
            push(to, Shared::new(copied(&self.growing)?)?)?;
        }
        Ok(())
    }
}
