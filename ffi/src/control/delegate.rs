//! Handlers on a thread of the program's.
//!
//! A thread of this library may enter an RTS only if that tells its exit. Where it does
//! not, as in a `-threaded -dynamic` program that started from Haskell, a Haskell thread
//! fetches the handlers that are due, one at a time, and runs them. When the RTS exits,
//! that thread is ended as every Haskell thread is.

use super::call::Call;
use crate::lock::{Changes, Held, Lock};
use crate::renewable::Renewable;

#[derive(Debug)]
pub(crate) struct Delegate {
    state: Lock<State>,
    changed: Changes,
}

#[derive(Debug)]
struct State {
    /// The thread has announced itself.
    expected: bool,
    due: Option<Call>,
    /// Fetched, and not finished.
    fetched: bool,
}

pub(crate) static DELEGATE: Renewable<Delegate> = Renewable::new(IDLE);

#[allow(clippy::declare_interior_mutable_const, reason = "what it begins with")]
const IDLE: Delegate = Delegate {
    state: Lock::new(State {
        expected: false,
        due: None,
        fetched: false,
    }),
    changed: Changes::new(),
};

/// In a child, with the locks of its parent.
///
/// # Safety
/// As for [`Renewable::renew`].
pub(crate) unsafe fn renew() {
    // SAFETY: the contract is the same.
    unsafe { DELEGATE.renew(IDLE) };
}

impl Delegate {
    fn state(&self) -> Held<'_, State> {
        self.state.lock()
    }

    fn wait<'a>(&'a self, state: Held<'a, State>) -> Held<'a, State> {
        self.changed.wait(&self.state, state, None)
    }

    /// A thread of the program will fetch handlers.
    pub(crate) fn expect(&self) {
        self.state().expected = true;
    }

    pub(super) fn is_expected(&self) -> bool {
        self.state().expected
    }

    /// Have a handler called; returns when it was. For the control thread alone, which
    /// nobody waits for when the RTS does not tell its exit.
    pub(super) fn call(&self, call: Call) {
        let mut state = self.state();
        state.due = Some(call);
        self.changed.tell();
        while state.due.is_some() || state.fetched {
            state = self.wait(state);
        }
    }

    /// Wait for what is due. The one that was fetched before is done.
    pub(crate) fn next(&self) -> Call {
        let mut state = self.state();
        state.fetched = false;
        self.changed.tell();
        loop {
            if let Some(call) = state.due.take() {
                state.fetched = true;
                return call;
            }
            state = self.wait(state);
        }
    }
}
