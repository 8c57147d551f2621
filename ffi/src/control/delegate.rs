//! Handlers on a thread of the program's.
//!
//! A thread of this library may enter an RTS only if that tells its exit. Where it does
//! not, as in a `-threaded -dynamic` program that started from Haskell, a Haskell thread
//! fetches the handlers that are due, one at a time, and runs them. When the RTS exits,
//! that thread is ended as every Haskell thread is.

use std::ffi::c_void;
use std::sync::{Condvar, Mutex, MutexGuard};

/// `EventlogSocketRtsCall`: a handler, and what it is called with. A hook has neither
/// namespace nor number.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub(super) handler: *const c_void,
    pub(super) data: *const c_void,
    pub(super) namespace: *const c_void,
    pub(super) id: u8,
}

// SAFETY: the pointers are only handed to the handler's caller, on a thread that those
// who registered it have agreed to.
unsafe impl Send for Call {}

#[derive(Debug)]
pub(crate) struct Delegate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// It has said that it will come.
    expected: bool,
    due: Option<Call>,
    /// Fetched, and not done.
    fetched: bool,
}

pub(crate) static DELEGATE: Delegate = Delegate {
    state: Mutex::new(State {
        expected: false,
        due: None,
        fetched: false,
    }),
    changed: Condvar::new(),
};

impl Delegate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(|e| e.into_inner())
    }

    /// A thread will come for handlers.
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
        self.changed.notify_all();
        while state.due.is_some() || state.fetched {
            state = self.wait(state);
        }
    }

    /// Wait for what is due. The one that was fetched before is done.
    pub(crate) fn next(&self) -> Call {
        let mut state = self.state();
        state.fetched = false;
        self.changed.notify_all();
        loop {
            if let Some(call) = state.due.take() {
                state.fetched = true;
                return call;
            }
            state = self.wait(state);
        }
    }
}
