//! Losses: records that the caller gave up, counted until a note in the ring reports them to the consumer.

use crate::bug::{bug, unless_bug};
use crate::gate::Epoch;
use crate::shim::{AtomicU64, Ordering};

/// Records that did not make it into the ring.
///
/// The times are of whatever clock the caller uses; the ring only keeps the earliest `since` and the latest `until`.
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
pub(crate) const NOTE_BYTES: usize = 40;

/// A loss, and the session in which it was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionLoss {
    pub(crate) loss: Loss,
    session: u16,
}

impl SessionLoss {
    /// No loss, of no session.
    pub(crate) const NONE: Self = Self {
        loss: Loss::NONE,
        session: 0,
    };

    /// The note as it is stored in the ring. It never leaves this process, so its byte order is native.
    pub(crate) fn to_note(self) -> [u8; NOTE_BYTES] {
        let mut note = [0; NOTE_BYTES];
        let Loss {
            records,
            bytes,
            since,
            until,
        } = self.loss;
        let fields = [records, bytes, since, until, self.session.into()];
        for (to, field) in note.chunks_exact_mut(8).zip(fields) {
            to.copy_from_slice(&field.to_ne_bytes());
        }
        note
    }

    /// What a note reports in a session: nothing if its record claimed room for one but another had taken the losses
    /// already, or if they are of another session.
    pub(crate) fn from_note(note: [u8; NOTE_BYTES], session: Epoch) -> Option<Loss> {
        let mut fields = [0; 5];
        for (field, from) in fields.iter_mut().zip(note.chunks_exact(8)) {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(from);
            *field = u64::from_ne_bytes(bytes);
        }
        let [records, bytes, since, until, of] = fields;
        let counts = records != 0 && (of == u64::from(tag(session)) || bug!("any_session"));
        counts.then_some(Loss {
            records,
            bytes,
            since,
            until,
        })
    }
}

impl Loss {
    pub(crate) const NONE: Self = Self {
        records: 0,
        bytes: 0,
        since: 0,
        until: 0,
    };
}

/// `since` while nothing is pending, the neutral element of the minimum.
const NEVER: u64 = u64::MAX;

/// A session, for a word that it shares: enough bits of its epoch to distinguish it from the 2^15 sessions before.
fn tag(session: Epoch) -> u16 {
    session.bits() as u16
}

/// Bits of a word for the count of records; the session is in the bits above.
const RECORDS_BITS: u32 = 48;
const RECORDS: u64 = (1 << RECORDS_BITS) - 1;
/// Bits of a word for the bytes lost. More than can be lost between two instructions of `take`.
const BYTES_BITS: u32 = 56;
const BYTES: u64 = (1 << BYTES_BITS) - 1;

/// The losses that no note carries yet.
///
/// The fields are separate words, so a loss recorded while another thread takes can be split: its bytes and times are
/// in this note, its record count in the next. The count is written last and taken first, so a note that counts a
/// record has its bytes (or an earlier note had), and once all threads have finished only whole losses remain. Sums are
/// exact.
///
/// Count and bytes carry their session. Only the consumer changes it, and every loss is counted in the session that it
/// finds in the word: so a thread that takes a loss knows its session, however long that takes, and does not count
/// bytes of another session with it. Nothing is ever put back.
pub(crate) struct Pending {
    records: AtomicU64,
    bytes: AtomicU64,
    since: AtomicU64,
    until: AtomicU64,
    /// The end of the latest loss. Never taken: it dates a note whose times are in the one before.
    latest: AtomicU64,
}

impl Pending {
    pub(crate) fn new(session: Epoch) -> Self {
        let (records, bytes) = Self::nothing(tag(session));
        Self {
            records: AtomicU64::new(records),
            bytes: AtomicU64::new(bytes),
            since: AtomicU64::new(NEVER),
            until: AtomicU64::new(0),
            latest: AtomicU64::new(0),
        }
    }

    /// Nothing is pending in this session.
    fn nothing(tag: u16) -> (u64, u64) {
        let tag = u64::from(tag);
        (tag << RECORDS_BITS, tag << BYTES_BITS)
    }

    /// Whether something is pending. Only a hint: `take` checks again.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        // Relaxed: it only decides whether to make room for a note.
        self.records.load(Ordering::Relaxed) & RECORDS != 0
    }

    /// Adds a loss, which must count at least one record.
    pub(crate) fn add(&self, loss: Loss) {
        debug_assert_ne!(loss.records, 0);
        // It would take years to reach a sum that needs more bits.
        let (records, bytes) = (loss.records & RECORDS, loss.bytes & BYTES);
        if bug!("count_first") {
            self.records.fetch_add(records, Ordering::Release);
        }
        // Relaxed: published by the count below.
        self.latest.store(loss.until, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.since.fetch_min(loss.since, Ordering::Relaxed);
        self.until.fetch_max(loss.until, Ordering::Relaxed);
        // Release pairs with the Acquire in `take`, through any number of other additions (a release sequence).
        if !bug!("count_first") {
            let order = unless_bug!("relaxed_loss", Ordering::Release);
            self.records.fetch_add(records, order);
        }
    }

    /// Forgets what is pending: from now on losses are counted in this session. Consumer only.
    pub(crate) fn begin(&self, session: Epoch) {
        let (records, bytes) = Self::nothing(tag(session));
        // Relaxed: a thread that records a loss of the session has passed its gate, which is opened after this.
        // Exchanges, not stores, so that no release sequence of `add` is broken.
        self.records.swap(records, Ordering::Relaxed);
        self.bytes.swap(bytes, Ordering::Relaxed);
        self.since.swap(NEVER, Ordering::Relaxed);
        self.until.swap(0, Ordering::Relaxed);
    }

    /// Takes all that is pending.
    pub(crate) fn take(&self) -> Option<SessionLoss> {
        // Acquire pairs with the Release in `add`: the other fields include every loss counted here.
        let order = unless_bug!("relaxed_take", Ordering::Acquire);
        let word = self.records.fetch_and(!RECORDS, order);
        let records = word & RECORDS;
        if records == 0 {
            return None;
        }
        let session = (word >> RECORDS_BITS) as u16;
        let bytes = self.take_bytes(session);
        // Relaxed: ordered after the count by its Acquire.
        let since = self.since.swap(NEVER, Ordering::Relaxed);
        let until = self.until.swap(0, Ordering::Relaxed);
        let (since, until) = match (since, until) {
            // The times of this loss are in the note before.
            (NEVER, 0) => {
                let latest = self.latest.load(Ordering::Relaxed);
                (latest, latest)
            }
            (NEVER, until) => (until, until),
            (since, until) => (since, until.max(since)),
        };
        let loss = Loss {
            records,
            bytes,
            since,
            until,
        };
        Some(SessionLoss { loss, session })
    }

    /// The bytes of a session; none if another has begun.
    fn take_bytes(&self, session: u16) -> u64 {
        let (_, none) = Self::nothing(session);
        // Relaxed: as for the times in `take`.
        let taken = self
            .bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                (word & !BYTES == none || bug!("any_bytes")).then_some(word & !BYTES)
            });
        taken.map_or(0, |word| word & BYTES)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const SESSION: Epoch = Epoch::from_bits(7);

    const LOSS: Loss = Loss {
        records: 1,
        bytes: 10,
        since: 5,
        until: 7,
    };

    #[test]
    fn pending_losses_add_up_and_are_taken_once() {
        let pending = Pending::new(SESSION);
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
        assert_eq!(pending.take().map(|taken| taken.loss), Some(sum));
        assert_eq!(pending.take(), None);
    }

    #[test]
    fn a_count_whose_times_were_taken_is_dated_by_the_latest_loss() {
        let pending = Pending::new(SESSION);
        pending.add(LOSS);
        pending.take();
        // As if another thread had taken the losses between the two halves of `add`.
        pending.records.fetch_add(1, Ordering::Relaxed);
        let rest = Loss {
            records: 1,
            bytes: 0,
            since: 7,
            until: 7,
        };
        assert_eq!(pending.take().map(|taken| taken.loss), Some(rest));
    }

    #[test]
    fn a_note_survives_its_bytes() {
        let pending = Pending::new(SESSION);
        pending.add(LOSS);
        let note = pending.take().unwrap().to_note();
        assert_eq!(SessionLoss::from_note(note, SESSION), Some(LOSS));
        let next = Epoch::from_bits(SESSION.bits() + 1);
        assert_eq!(SessionLoss::from_note(note, next), None);
        let note = SessionLoss::NONE.to_note();
        assert_eq!(SessionLoss::from_note(note, Epoch::from_bits(0)), None);
    }

    #[test]
    fn a_taker_that_was_stopped_takes_nothing_of_the_next_session() {
        let pending = Pending::new(SESSION);
        pending.add(LOSS);
        // As if the session began between the two halves of `take`.
        pending.records.fetch_and(!RECORDS, Ordering::Relaxed);
        pending.begin(Epoch::from_bits(SESSION.bits() + 2));
        pending.add(LOSS);
        assert_eq!(pending.take_bytes(tag(SESSION)), 0);
        assert_eq!(pending.take().unwrap().loss.bytes, LOSS.bytes);
    }
}
