//! What one client was not told.

use std::collections::BTreeMap;

use super::lesson::{Class, Key};

/// Definitions that one client has not been told yet: those of refused chunks.
///
/// What came and went meanwhile leaves no trace, so it stays as small as what is
/// alive and what the client knows, however long it takes.
#[derive(Debug, Default)]
pub(crate) struct Delta {
    keyed: BTreeMap<Key, Untold>,
    pub(super) bulk: Vec<u8>,
}

/// Of one key. Its id may be used again: what the client knows by it is gone first.
#[derive(Debug, Default)]
struct Untold {
    gone: Vec<u8>,
    defined: Vec<u8>,
}

impl Delta {
    pub(super) fn define(&mut self, key: Key, event: &[u8]) {
        self.keyed.entry(key).or_default().defined = event.to_vec();
    }

    pub(super) fn delete(&mut self, key: Key, with: Option<Key>, event: &[u8]) {
        with.map(|key| self.keyed.remove(&key));
        let untold = self.keyed.entry(key).or_default();
        let defined = std::mem::take(&mut untold.defined);
        // Tasks are not defined twice: one that the client has not been told of need
        // not be told to be gone. The one before it still has to be.
        if defined.is_empty() || key.0 != Class::Task {
            untold.gone = event.to_vec();
        } else if untold.gone.is_empty() {
            self.keyed.remove(&key);
        }
    }

    /// The events to tell, and nothing is left.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let keyed = std::mem::take(&mut self.keyed);
        let mut events = Vec::new();
        for untold in keyed.into_values() {
            events.extend(untold.gone);
            events.extend(untold.defined);
        }
        events.append(&mut self.bulk);
        events
    }
}
