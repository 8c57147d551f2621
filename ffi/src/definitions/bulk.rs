//! Definitions of which there are many, each of them once.

use std::sync::Arc;

use super::time_of;

/// Bytes of a segment. Large enough that a client's queue stays short, small enough
/// to be copied while it still grows.
const SEGMENT: usize = 256 * 1024;

/// One kind of them, in the order they came.
#[derive(Debug, Default)]
pub(super) struct Bulk {
    /// Full segments, which the queues of clients share.
    sealed: Vec<Arc<Vec<u8>>>,
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

    /// The copy that is kept, to be corrected.
    pub(super) fn add(&mut self, event: &[u8]) -> &mut [u8] {
        if self.old {
            *self = Bulk::default();
        }
        if self.growing.len() + event.len() > SEGMENT && !self.growing.is_empty() {
            let full = std::mem::replace(&mut self.growing, Vec::with_capacity(SEGMENT));
            self.sealed.push(Arc::new(full));
        }
        let start = self.growing.len();
        self.growing.extend_from_slice(event);
        self.len += event.len();
        self.latest = self.latest.max(time_of(event));
        &mut self.growing[start..]
    }

    /// All of them, in pieces.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Arc<Vec<u8>>> {
        let rest = (!self.growing.is_empty()).then(|| Arc::new(self.growing.clone()));
        self.sealed.iter().cloned().chain(rest)
    }
}
