//! Keeping threads of ours out of the RTS, and out of handlers, while the RTS shuts down.
//!
//! Plain atomic words, with nothing to unlock or to drop: whoever is inside may be stuck there
//! or may never come back, and the exit goes on without it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::clock::monotonic;
use crate::futex;

/// Keeps our own threads out of the RTS, or out of handlers of the program, while the
/// RTS shuts down.
#[derive(Debug)]
pub(crate) struct Gate {
    /// How many are inside, and whether it is closed.
    state: AtomicU32,
}

const CLOSED: u32 = 1 << 31;

/// For what this library does in the RTS.
pub(crate) static GATE: Gate = Gate::new();
/// For handlers, which may be in the RTS, or anywhere, for as long as they like.
pub(crate) static HANDLERS: Gate = Gate::new();

/// In a child, which has not the threads of its parent.
pub(crate) fn renew() {
    for gate in [&GATE, &HANDLERS] {
        // Relaxed: `fork` publishes it.
        gate.state.store(0, Ordering::Relaxed);
    }
}

impl Gate {
    const fn new() -> Gate {
        Gate {
            state: AtomicU32::new(0),
        }
    }

    /// Begin a call, which `leave` ends. False if the RTS is exiting.
    pub(crate) fn try_enter(&self) -> bool {
        let open = |state: u32| (state & CLOSED == 0).then_some(state + 1);
        // Acquire: a call that begins after another one has ended sees what that did.
        self.state
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, open)
            .is_ok()
    }

    /// The call has returned.
    pub(crate) fn leave(&self) {
        // Release: pairs with the Acquire in `close`; its caller sees what the call did.
        if self.state.fetch_sub(1, Ordering::Release) == CLOSED + 1 {
            futex::wake_all(&self.state);
        }
    }

    /// Make a call, unless the RTS is exiting. False if it is.
    pub(crate) fn enter(&self, call: impl FnOnce()) -> bool {
        let open = self.try_enter();
        if open {
            call();
            self.leave();
        }
        open
    }

    /// No call begins any more; returns when none is under way, or at the deadline (on
    /// the monotonic clock), when what is still there is stuck.
    pub(crate) fn close(&self, deadline: Duration) {
        // Acquire, twice: pairs with the Release in `leave`.
        let mut state = self.state.fetch_or(CLOSED, Ordering::Acquire) | CLOSED;
        while state != CLOSED {
            let left = deadline.saturating_sub(monotonic());
            if left.is_zero() {
                return;
            }
            futex::wait(&self.state, state, Some(left));
            state = self.state.load(Ordering::Acquire);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_gate_lets_nobody_in_and_gives_up_on_who_stays() {
        let gate = Gate::new();
        assert!(gate.try_enter());
        let begun = monotonic();
        gate.close(begun + Duration::from_millis(30));
        assert!(monotonic() >= begun + Duration::from_millis(30));
        assert!(!gate.enter(|| unreachable!()));
        gate.leave();
        gate.close(monotonic() + Duration::from_secs(60));
    }

    #[test]
    fn closing_waits_for_who_is_inside() {
        let (gate, begun) = (Gate::new(), monotonic());
        assert!(gate.try_enter());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(30));
                gate.leave();
            });
            gate.close(begun + Duration::from_secs(60));
        });
        let took = monotonic() - begun;
        assert!(took >= Duration::from_millis(30) && took < Duration::from_secs(30));
    }
}
