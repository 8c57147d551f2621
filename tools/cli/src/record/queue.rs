//! A bounded queue of bytes between one thread that must never wait and one
//! that may.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What the taking side gets.
#[derive(Debug)]
pub enum Taken {
    Bytes(Vec<u8>),
    /// What follows belongs into another file.
    Session,
    Closed,
}

/// The queue.
#[derive(Debug)]
pub struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    limit: usize,
}

#[derive(Debug, Default)]
struct State {
    chunks: VecDeque<Taken>,
    bytes: usize,
    closed: bool,
}

impl Queue {
    /// A queue that is full at `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            state: Mutex::default(),
            filled: Condvar::new(),
            limit,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is ever left half done under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How full it is: 0 empty, 1 full. More is possible, since `push` never
    /// refuses.
    pub fn fullness(&self) -> f64 {
        self.lock().bytes as f64 / self.limit as f64
    }

    /// Appends, without waiting.
    pub fn push(&self, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let mut state = self.lock();
        state.bytes += bytes.len();
        state.chunks.push_back(Taken::Bytes(bytes));
        self.filled.notify_one();
    }

    /// What follows belongs into another file.
    pub fn session(&self) {
        self.lock().chunks.push_back(Taken::Session);
        self.filled.notify_one();
    }

    /// There is nothing more to come.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
    }

    /// The oldest bytes; waits for some.
    pub fn take(&self) -> Taken {
        let mut state = self.lock();
        loop {
            if let Some(taken) = state.chunks.pop_front() {
                if let Taken::Bytes(bytes) = &taken {
                    state.bytes -= bytes.len();
                }
                return taken;
            }
            if state.closed {
                return Taken::Closed;
            }
            state = self
                .filled
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}
