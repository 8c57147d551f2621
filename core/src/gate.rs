//! The gate: whether producers are accepted, and in which epoch.
//!
//! The gate is one word. Producers read it before they claim and stamp what they claim with the epoch they read; only
//! the consumer moves the epoch on. A record is therefore known to be of an old session by its own header, however long
//! its producer took between the gate and the commit.

use crate::bug::{bug, unless_bug};
use crate::layout::EPOCH_BITS;
use crate::shim::{AtomicU64, Ordering};

/// One session of the ring, from [`open`](crate::Consumer::open) to the next one.
///
/// Counted modulo 2^29 and moved at most twice per session: an epoch would have to be kept for 2^28 sessions to be
/// mistaken for a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(u32);

impl Epoch {
    /// The epoch as a number, to be kept in an atomic for instance.
    #[inline]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The epoch with this number (modulo 2^29).
    #[inline]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & ((1 << EPOCH_BITS) - 1))
    }

    fn next(self) -> Self {
        let bits = self.0.wrapping_add(1);
        Self::from_bits(if bug!("short_epochs") { bits % 4 } else { bits })
    }
}

const OPEN: u64 = 1 << 32;

/// The state of the gate at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Pass {
    pub(crate) open: bool,
    pub(crate) epoch: Epoch,
}

pub(crate) struct Gate(AtomicU64);

impl Gate {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(OPEN | u64::from(Epoch(0).next().bits())))
    }

    #[inline]
    pub(crate) fn read(&self) -> Pass {
        // Acquire pairs with the Release in `open`: a producer that is accepted in a session sees what its consumer did
        // before.
        let word = self.0.load(unless_bug!("relaxed_pass", Ordering::Acquire));
        Pass {
            open: word & OPEN != 0,
            epoch: Epoch::from_bits(word as u32),
        }
    }

    /// Refuses from now on, keeping the epoch. Any thread may call it.
    pub(crate) fn close(&self) {
        // Release pairs with the Acquire in `read`: a producer that is refused sees what was done before closing. The
        // read half needs no ordering: the epoch bits are kept, whatever they are.
        let order = unless_bug!("relaxed_close", Ordering::Release);
        if bug!("torn_close") {
            let word = self.0.load(Ordering::Relaxed);
            self.0.store(word & !OPEN, order);
        } else {
            self.0.fetch_and(!OPEN, order);
        }
    }

    /// Closes the gate, and moves to an epoch that no record will ever carry. Consumer only.
    pub(crate) fn condemn(&self) -> Epoch {
        self.advance(0)
    }

    /// Opens the gate in the next epoch. Consumer only.
    pub(crate) fn open(&self) -> Epoch {
        self.advance(OPEN)
    }

    /// The epoch that the next opening starts. Consumer only.
    pub(crate) fn next(&self) -> Epoch {
        // Relaxed: as in `advance`.
        Epoch::from_bits(self.0.load(Ordering::Relaxed) as u32).next()
    }

    fn advance(&self, flag: u64) -> Epoch {
        // Only the consumer moves the epoch, so a load and a store are enough. A `close` that falls between them is
        // either repeated (closing) or overwritten (opening), as if it had been a little earlier. The load reads the
        // consumer's own last store or a `close` on top of it: Relaxed. The store is Release for `read`.
        let epoch = self.next();
        let order = unless_bug!("relaxed_open", Ordering::Release);
        self.0.store(flag | u64::from(epoch.bits()), order);
        epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_wrap_within_their_bits() {
        let last = Epoch::from_bits(u32::MAX);
        assert_eq!(last.bits(), (1 << EPOCH_BITS) - 1);
        assert_eq!(last.next(), Epoch::from_bits(0));
    }
}
