//! What went wrong on the way to a client, counted.
//!
//! Nothing here changes what the library does: each counter stands where a failure of
//! the system or of a client is dealt with, so that it can be seen
//! nevertheless. One set for the process: descriptors are used before an instance exists.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::renewable::Renewable;

pub(crate) static FAULTS: Renewable<Faults> = Renewable::new(Faults::new());

/// In a child, in which nothing has gone wrong yet.
///
/// # Safety
/// As for [`Renewable::renew`].
pub(crate) unsafe fn renew() {
    // SAFETY: the contract is the same.
    unsafe { FAULTS.renew(Faults::new()) };
}

/// Statistics, all of them Relaxed: each is exact, but they are not of one instant.
#[derive(Debug)]
pub(crate) struct Faults {
    /// Calls that a signal interrupted, and that were made again.
    pub interrupted: Counter,
    /// Sends of which the socket took a part.
    pub sends_partial: Counter,
    /// Sends that met a full socket.
    pub sends_full: Counter,
    /// Sends deferred for lack of memory.
    pub sends_deferred: Counter,
    /// Connections that were gone before they could be accepted.
    pub accepts_aborted: Counter,
    /// Accepts deferred, for lack of descriptors or memory, or for another reason.
    pub accepts_deferred: Counter,
    pub polls_failed: Counter,
    /// Wake-ups that found the eventfd full.
    pub wakeups_pending: Counter,
    pub wakeups_failed: Counter,
    /// Options of a socket that could not be set, which does no harm.
    pub options_failed: Counter,
    /// Connections that an error ended: a reset, a broken pipe.
    pub clients_broken: Counter,
    /// Clients that have closed their sending side, and perhaps have gone.
    pub clients_half_closed: Counter,
    /// Clients that took nothing for too long while another waited.
    pub clients_displaced: Counter,
    /// Times that the socket's file was found to be gone, or another one.
    pub socket_files_removed: Counter,
    /// Times that it was made again.
    pub socket_files_remade: Counter,
    /// Clients that were refused for lack of memory.
    pub clients_refused: Counter,
}

#[derive(Debug)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    const fn new() -> Counter {
        Counter(AtomicU64::new(0))
    }

    pub(crate) fn count(&self) {
        // Relaxed: a statistic. Async-signal-safe, as wake-ups must be.
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Faults {
    const fn new() -> Faults {
        Faults {
            interrupted: Counter::new(),
            sends_partial: Counter::new(),
            sends_full: Counter::new(),
            sends_deferred: Counter::new(),
            accepts_aborted: Counter::new(),
            accepts_deferred: Counter::new(),
            polls_failed: Counter::new(),
            wakeups_pending: Counter::new(),
            wakeups_failed: Counter::new(),
            options_failed: Counter::new(),
            clients_broken: Counter::new(),
            clients_half_closed: Counter::new(),
            clients_displaced: Counter::new(),
            socket_files_removed: Counter::new(),
            socket_files_remade: Counter::new(),
            clients_refused: Counter::new(),
        }
    }
}
