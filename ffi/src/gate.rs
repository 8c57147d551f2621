//! Keeping threads of ours out of the RTS, and out of handlers, while the RTS shuts down.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// Keeps our own threads out of the RTS, or out of handlers of the program, while the
/// RTS shuts down.
#[derive(Debug)]
pub(crate) struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Debug)]
struct GateState {
    closed: bool,
    inside: usize,
}

/// For what this library does in the RTS.
pub(crate) static GATE: Gate = Gate::new();
/// For handlers, which may be in the RTS, or anywhere, for as long as they like.
pub(crate) static HANDLERS: Gate = Gate::new();

impl Gate {
    const fn new() -> Gate {
        Gate {
            state: Mutex::new(GateState {
                closed: false,
                inside: 0,
            }),
            changed: Condvar::new(),
        }
    }

    /// Make a call, unless the RTS is exiting. False if it is.
    pub(crate) fn enter(&self, call: impl FnOnce()) -> bool {
        {
            let mut state = self.state.lock().unwrap_or_else(|e| e.into_inner());
            if state.closed {
                return false;
            }
            state.inside += 1;
        }
        // Without the lock: the exit hook must be able to give up on us.
        call();
        self.state.lock().unwrap_or_else(|e| e.into_inner()).inside -= 1;
        self.changed.notify_all();
        true
    }

    /// No call begins any more; returns when none is under way, or at the deadline (on
    /// the monotonic clock), when what is still there is stuck.
    pub(crate) fn close(&self, deadline: Duration) {
        let mut state = self.state.lock().unwrap_or_else(|e| e.into_inner());
        state.closed = true;
        let left = deadline.saturating_sub(crate::clock::monotonic());
        let _ = self
            .changed
            .wait_timeout_while(state, left, |state| state.inside > 0);
    }
}
