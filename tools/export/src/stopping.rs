//! The name of a thread that has just finished.
//!
//! Its last interval is reported when the thread is not in the state any more.

use eventlog_state::State;

/// The thread that is stopping, and its name.
#[derive(Debug, Default)]
pub(crate) struct Stopping {
    thread: u32,
    label: String,
}

impl Stopping {
    /// Notes that this thread is stopping, perhaps for the last time.
    pub(crate) fn stops(&mut self, state: &State, thread: u32) {
        self.thread = thread;
        self.label.clear();
        if let Some(label) = state.thread(thread).and_then(|thread| thread.label()) {
            self.label.push_str(label);
        }
    }

    /// A thread's name, while it is alive and when it has just stopped.
    pub(crate) fn label<'a>(&'a self, state: &'a State, thread: u32) -> Option<&'a str> {
        match state.thread(thread) {
            Some(thread) => thread.label(),
            None if self.thread == thread && !self.label.is_empty() => Some(&self.label),
            None => None,
        }
    }
}
