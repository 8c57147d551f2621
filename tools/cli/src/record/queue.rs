//! A bounded queue of bytes between one thread that must never wait and one
//! that may.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What the taking side gets.
#[derive(Debug)]
pub enum Taken {
    Bytes(Vec<u8>),
    /// What follows belongs in another file.
    Session,
    /// Nothing has arrived for a while.
    Idle,
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
        // A poisoned lock is harmless: no update under it is ever left incomplete.
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

    /// What follows belongs in another file.
    pub fn session(&self) {
        self.lock().chunks.push_back(Taken::Session);
        self.filled.notify_one();
    }

    /// No more bytes will be pushed.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
    }

    /// The oldest bytes; waits for some, but no longer than this.
    pub fn take(&self, patience: Duration) -> Taken {
        let mut state = self.lock();
        let until = Instant::now() + patience;
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
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Taken::Idle;
            }
            let waited = self.filled.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
