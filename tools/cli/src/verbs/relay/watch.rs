//! Handles from which the state of a relay can be read.

use eventlog_relay::{Relay, Status};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The state of a relay, and of what it records.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FullStatus {
    #[serde(flatten)]
    pub relay: Status,
    #[serde(default)]
    pub recordings: Vec<eventlog_sessions::Status>,
}

/// Reads the state.
#[derive(Clone, Debug)]
pub struct Watch {
    relay: Relay,
    recordings: Recordings,
}

impl Watch {
    pub fn new(relay: &Relay, recordings: Recordings) -> Self {
        let relay = relay.clone();
        Self { relay, recordings }
    }

    pub fn status(&self) -> FullStatus {
        FullStatus {
            relay: self.relay.status(),
            recordings: self.recordings.status(),
        }
    }
}

/// The states of recordings, readable from any thread.
#[derive(Clone, Debug, Default)]
pub struct Recordings(Arc<Mutex<BTreeMap<String, Arc<Mutex<eventlog_sessions::Status>>>>>);

impl Recordings {
    /// The latest state for each source.
    pub fn status(&self) -> Vec<eventlog_sessions::Status> {
        let all = whole(&self.0);
        all.values().map(|status| whole(status).clone()).collect()
    }

    pub fn set(&self, source: &str, status: Arc<Mutex<eventlog_sessions::Status>>) {
        whole(&self.0).insert(source.to_owned(), status);
    }
}

fn whole<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock is harmless: no update under these locks is ever left incomplete.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
