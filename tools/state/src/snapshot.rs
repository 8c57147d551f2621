//! The state of the runtime system at one moment.

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

impl Snapshot {
    /// The same, for a [`transition`](crate::transition()) from the state of a reader that has
    /// followed an earlier part of the log, but not the part in between: a thread that both know is
    /// one thread, even if this state got its creation later. (The runtime system does not reuse
    /// numbers; nothing else distinguishes threads.)
    #[must_use]
    pub fn resuming(mut self, before: &Self) -> Self {
        let threads = &mut self.0.scheduler.threads;
        for (id, thread) in before.threads() {
            if let Some(same) = threads.get_mut(id) {
                same.was_created_as(thread);
            }
        }
        threads.seal();
        self
    }
}

impl State {
    /// The current state of the runtime system.
    pub fn snapshot(&mut self) -> Snapshot {
        self.scheduler.threads.seal();
        Snapshot(self.clone())
    }
}
