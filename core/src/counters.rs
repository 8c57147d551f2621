//! Counts of what happened to records, each kept by the side that decides it.

use core::fmt;

use crate::bug::bug;
use crate::shim::{AtomicU64, Ordering, const_unless_loom};

/// A number of records and their bytes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many records.
    pub records: u64,
    /// How many payload bytes, not rounded up to granules.
    pub bytes: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, bytes: u64) {
        self.records += 1;
        self.bytes += bytes;
    }

    pub(crate) fn is_zero(self) -> bool {
        self.records == 0
    }
}

/// Totals since the ring was made. Each is exact, but while producers run they are not all of the same instant.
///
/// While no call is in progress, `accepted == delivered + discarded + still in the ring` and
/// `reserved == accepted + aborted`, where *accepted* are the pushes and commits that succeeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Live records that the consumer has released.
    pub delivered: Tally,
    /// Stale records that the consumer has released.
    pub discarded: Tally,
    /// Reservations given up by their producer, as the consumer released them; the bytes are those reserved.
    pub aborted: Tally,
    /// What was given to `record_loss`.
    pub lost: Tally,
    /// Pushes and reservations refused because the gate was closed.
    pub refused_closed: Tally,
}

/// A tally in shared memory, which may be that of a file, so its layout is fixed.
#[repr(C)]
pub(crate) struct SharedTally {
    records: AtomicU64,
    bytes: AtomicU64,
}

impl SharedTally {
    const_unless_loom! {
        /// A tally of zero.
        pub fn new() -> Self {
            Self {
                records: AtomicU64::new(0),
                bytes: AtomicU64::new(0),
            }
        }
    }

    /// Adds to the tally, from any thread.
    pub(crate) fn add(&self, tally: Tally) {
        if bug!("torn_count") {
            return self.add_alone(tally);
        }
        // Relaxed, here and below: nothing is published through a total.
        self.records.fetch_add(tally.records, Ordering::Relaxed);
        self.bytes.fetch_add(tally.bytes, Ordering::Relaxed);
    }

    /// Adds to a tally that only one thread ever changes, without a read-modify-write.
    pub(crate) fn add_alone(&self, tally: Tally) {
        if !tally.is_zero() {
            let now = self.read();
            self.records
                .store(now.records + tally.records, Ordering::Relaxed);
            self.bytes.store(now.bytes + tally.bytes, Ordering::Relaxed);
        }
    }

    pub(crate) fn read(&self) -> Tally {
        Tally {
            records: self.records.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

impl fmt::Debug for SharedTally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read().fmt(f)
    }
}
