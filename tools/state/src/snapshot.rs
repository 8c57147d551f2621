//! The runtime system at a moment.

use crate::state::State;
use std::ops::Deref;

/// A [`State`] that does not change any more. Making one is cheap, and so is
/// keeping it: what the two have in common is shared.
#[derive(Clone, Debug)]
pub struct Snapshot(State);

impl Deref for Snapshot {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}

impl State {
    /// The runtime system as it is now.
    pub fn snapshot(&mut self) -> Snapshot {
        self.scheduler.threads.seal();
        Snapshot(self.clone())
    }
}
