//! What one client was not told.

use std::collections::BTreeMap;

use super::lesson::{Class, Key};

/// Definitions that one client has not been told yet: those of refused chunks.
///
/// What came and went meanwhile leaves no trace, so it stays as small as what is
/// alive, however long the client takes.
#[derive(Debug, Default)]
pub(crate) struct Delta {
    keyed: BTreeMap<Key, Vec<u8>>,
    pub(super) bulk: Vec<u8>,
}

impl Delta {
    pub(super) fn define(&mut self, key: Key, event: &[u8]) {
        self.keyed.insert(key, event.to_vec());
    }

    pub(super) fn delete(&mut self, key: Key, with: Option<Key>, event: &[u8]) {
        with.map(|key| self.keyed.remove(&key));
        // A task is created once: one that the client has not been told of need
        // not be told to be gone.
        let unknown = self.keyed.remove(&key).is_some() && key.0 == Class::Task;
        if !unknown {
            self.keyed.insert(key, event.to_vec());
        }
    }

    /// The events to tell, and nothing is left.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let keyed = std::mem::take(&mut self.keyed);
        let mut events = keyed.into_values().collect::<Vec<_>>().concat();
        events.append(&mut self.bulk);
        events
    }
}
