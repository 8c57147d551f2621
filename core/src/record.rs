//! A committed record as the consumer sees it.

use core::fmt;

use crate::bug::bug;
use crate::gate::Epoch;
use crate::granule::Span;
use crate::layout::Header;
use crate::loss::{Loss, NOTE_BYTES, SessionLoss};

/// How a record relates to the current session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordState {
    /// Of this session: to be delivered.
    Live,
    /// Of an earlier session: to be released unread, except for its [note](Record::loss_before).
    Stale,
    /// Given up by its producer: to be released unread, except for its [note](Record::loss_before).
    Aborted,
}

/// One committed record, in place. The borrow must end before the consumer can release it:
/// ```compile_fail,E0502
/// # use eventlog_ring::{Granule, HeaderWord, Ring, Storage};
/// # let mut headers = [HeaderWord::ZERO; 8];
/// # let mut granules = [Granule::ZERO; 8];
/// # let mut ring = Ring::new(Storage::new(&mut headers, &mut granules).unwrap());
/// # let (producer, mut consumer) = ring.mpsc();
/// # producer.push(b"chunk").unwrap();
/// let record = consumer.records().next().unwrap();
/// consumer.release(1);
/// record.len();
/// ```
#[derive(Clone, Copy)]
pub struct Record<'c> {
    header: Header,
    session: Epoch,
    payload: Span<'c>,
    note: Option<Span<'c>>,
}

impl<'c> Record<'c> {
    /// The header was seen with Acquire, the spans are those of its record, and the record is not released during `'c`.
    pub(crate) fn new(
        header: Header,
        session: Epoch,
        payload: Span<'c>,
        note: Option<Span<'c>>,
    ) -> Self {
        debug_assert!(note.is_none_or(|span| span.len() == NOTE_BYTES));
        Self {
            header,
            session,
            payload,
            note,
        }
    }

    /// How the record relates to the current session.
    #[inline]
    pub fn state(&self) -> RecordState {
        state(self.header, self.session)
    }

    /// Whether the record is to be delivered.
    #[inline]
    pub fn is_live(&self) -> bool {
        self.state() == RecordState::Live
    }

    /// Payload bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.payload.len()
    }

    /// Whether the payload is empty.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The payload in place, in two parts of which the second is empty unless the record wraps around the end of the ring.
    #[cfg(not(loom))]
    #[inline]
    pub fn slices(&self) -> (&'c [u8], &'c [u8]) {
        // SAFETY: the record is committed and not released during 'c, because releasing needs a unique borrow of the
        // consumer (I3).
        unsafe { self.payload.slices() }
    }

    /// Copies the payload from `offset` on.
    ///
    /// # Panics
    /// If `to` is longer than the payload from there on.
    pub fn copy_to(&self, offset: usize, to: &mut [u8]) {
        // SAFETY: as in `slices`.
        unsafe { self.payload.read(offset, to) }
    }

    /// What had been lost in the current session, and not yet reported, when room for this record was claimed. Records
    /// in any state can have one: the first to claim gets what was lost before, even if it is stale or aborted.
    pub fn loss_before(&self) -> Option<Loss> {
        let span = self.note?;
        if bug!("live_notes") && !self.is_live() {
            return None;
        }
        let mut note = [0; NOTE_BYTES];
        // SAFETY: the note was written before the same commit as the payload, and is released with it (I3).
        unsafe { span.read(0, &mut note) };
        SessionLoss::from_note(note, self.session)
    }
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("state", &self.state())
            .field("len", &self.len())
            .field("loss_before", &self.loss_before())
            .finish_non_exhaustive()
    }
}

#[inline]
pub(crate) fn state(header: Header, session: Epoch) -> RecordState {
    if header.aborted {
        RecordState::Aborted
    } else if header.epoch == session {
        RecordState::Live
    } else {
        RecordState::Stale
    }
}
