//! Losses: what the caller gave up, until a note in the ring has told the consumer.

use crate::bug::{bug, unless_bug};
use crate::shim::{AtomicU64, Ordering};

/// Records that did not make it into the ring.
///
/// The times are whatever clock the caller reads; the ring only keeps the earliest `since` and the latest `until`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// How many records.
    pub records: u64,
    /// Their bytes together.
    pub bytes: u64,
    /// When the first of them was lost.
    pub since: u64,
    /// When the last of them was lost.
    pub until: u64,
}

/// Bytes of a note at the start of its granule.
pub(crate) const NOTE_BYTES: usize = 32;

impl Loss {
    pub(crate) const NONE: Self = Self {
        records: 0,
        bytes: 0,
        since: 0,
        until: 0,
    };

    /// The note as it lies in the ring. It never leaves this process, hence native endian.
    pub(crate) fn to_note(self) -> [u8; NOTE_BYTES] {
        let mut note = [0; NOTE_BYTES];
        let fields = [self.records, self.bytes, self.since, self.until];
        for (to, field) in note.chunks_exact_mut(8).zip(fields) {
            to.copy_from_slice(&field.to_ne_bytes());
        }
        note
    }

    /// `None` for the note of a record that claimed room for one but found another had taken the losses.
    pub(crate) fn from_note(note: [u8; NOTE_BYTES]) -> Option<Self> {
        let mut fields = [0; 4];
        for (field, from) in fields.iter_mut().zip(note.chunks_exact(8)) {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(from);
            *field = u64::from_ne_bytes(bytes);
        }
        let [records, bytes, since, until] = fields;
        (records != 0).then_some(Self {
            records,
            bytes,
            since,
            until,
        })
    }
}

/// `since` while nothing is pending, the neutral element of the minimum.
const NEVER: u64 = u64::MAX;

/// The losses that no note carries yet.
///
/// The fields are separate words, so a loss recorded while another thread takes can be split: its bytes and times go with
/// this note, its record count with the next. The count is written last and taken first, hence a note that counts a record
/// has its bytes (or an earlier note had), and once everybody has finished nothing but whole losses remains. Sums are exact.
pub(crate) struct Pending {
    records: AtomicU64,
    bytes: AtomicU64,
    since: AtomicU64,
    until: AtomicU64,
    /// The end of the latest loss, never taken: dates a note whose times went with the one before.
    latest: AtomicU64,
}

impl Pending {
    pub(crate) fn new() -> Self {
        Self {
            records: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            since: AtomicU64::new(NEVER),
            until: AtomicU64::new(0),
            latest: AtomicU64::new(0),
        }
    }

    /// A hint: the taker finds out for itself.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        // Relaxed: decides nothing but whether to make room for a note.
        self.records.load(Ordering::Relaxed) != 0
    }

    /// Adds a loss, which must count at least one record.
    pub(crate) fn add(&self, loss: Loss) {
        debug_assert_ne!(loss.records, 0);
        if bug!("count_first") {
            self.records.fetch_add(loss.records, Ordering::Release);
        }
        // Relaxed: published by the count below.
        self.latest.store(loss.until, Ordering::Relaxed);
        self.bytes.fetch_add(loss.bytes, Ordering::Relaxed);
        self.since.fetch_min(loss.since, Ordering::Relaxed);
        self.until.fetch_max(loss.until, Ordering::Relaxed);
        // Release pairs with the Acquire in `take`, through any number of other additions (a release sequence).
        if !bug!("count_first") {
            let order = unless_bug!("relaxed_loss", Ordering::Release);
            self.records.fetch_add(loss.records, order);
        }
    }

    /// Takes all that is pending.
    pub(crate) fn take(&self) -> Option<Loss> {
        // Acquire pairs with the Release in `add`: the other fields include every loss counted here.
        let order = unless_bug!("relaxed_take", Ordering::Acquire);
        let records = self.records.swap(0, order);
        if records == 0 {
            return None;
        }
        // Relaxed: ordered after the count by its Acquire.
        let bytes = self.bytes.swap(0, Ordering::Relaxed);
        let since = self.since.swap(NEVER, Ordering::Relaxed);
        let until = self.until.swap(0, Ordering::Relaxed);
        let (since, until) = match (since, until) {
            // The times of this loss went with the note before.
            (NEVER, 0) => {
                let latest = self.latest.load(Ordering::Relaxed);
                (latest, latest)
            }
            (NEVER, until) => (until, until),
            (since, until) => (since, until.max(since)),
        };
        Some(Loss {
            records,
            bytes,
            since,
            until,
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const LOSS: Loss = Loss {
        records: 1,
        bytes: 10,
        since: 5,
        until: 7,
    };

    #[test]
    fn pending_losses_add_up_and_are_taken_once() {
        let pending = Pending::new();
        assert_eq!(pending.take(), None);
        pending.add(LOSS);
        pending.add(Loss {
            records: 2,
            bytes: 1,
            since: 3,
            until: 4,
        });
        assert!(pending.any());
        let sum = Loss {
            records: 3,
            bytes: 11,
            since: 3,
            until: 7,
        };
        assert_eq!(pending.take(), Some(sum));
        assert_eq!(pending.take(), None);
    }

    #[test]
    fn a_count_whose_times_were_taken_is_dated_by_the_latest_loss() {
        let pending = Pending::new();
        pending.add(LOSS);
        pending.take();
        // As if a taker had come between the two halves of `add`.
        pending.records.store(1, Ordering::Relaxed);
        let rest = Loss {
            records: 1,
            bytes: 0,
            since: 7,
            until: 7,
        };
        assert_eq!(pending.take(), Some(rest));
    }

    #[test]
    fn a_note_survives_its_bytes() {
        assert_eq!(Loss::from_note(LOSS.to_note()), Some(LOSS));
        assert_eq!(Loss::from_note(Loss::NONE.to_note()), None);
    }
}
