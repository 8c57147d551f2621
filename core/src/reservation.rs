//! A claimed record that is not yet committed.

use core::fmt;
use core::mem;

use crate::bug::bug;
use crate::gate::Epoch;
use crate::granule::Span;
use crate::layout::{Header, Position};
use crate::loss::{NOTE_BYTES, SessionLoss};
use crate::ring::Ring;

/// Room for one record, to be filled and [committed](Self::commit). Dropped without that, it is aborted: the consumer
/// skips it.
///
/// Until then the consumer delivers nothing that was claimed later. Keep a reservation short-lived; leaking one
/// ([`mem::forget`]) stops the ring for good. Bytes that are not written are those of earlier records.
///
/// # Examples
/// ```
/// # use eventlog_ring::{Granule, HeaderWord, Ring, Storage};
/// # let mut headers = [HeaderWord::ZERO; 8];
/// # let mut granules = [Granule::ZERO; 8];
/// # let mut ring = Ring::new(Storage::new(&mut headers, &mut granules)?);
/// # let (producer, mut consumer) = ring.mpsc();
/// let mut reservation = producer.reserve(6)?;
/// reservation.write(3, b"def");
/// reservation.write(0, b"abc");
/// assert!(consumer.is_empty());
/// reservation.commit();
/// assert_eq!(consumer.records().next().unwrap().slices().0, b"abcdef");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a reservation that is dropped aborts its record"]
pub struct Reservation<'r> {
    ring: &'r Ring<'r>,
    position: Position,
    epoch: Epoch,
    len: u32,
    /// The first granule is claimed for a note, even if there is nothing to note any more.
    note: bool,
    /// What to write into the note.
    loss: Option<SessionLoss>,
}

impl<'r> Reservation<'r> {
    #[inline]
    pub(crate) fn new(
        ring: &'r Ring<'r>,
        position: Position,
        epoch: Epoch,
        len: u32,
        note: bool,
        loss: Option<SessionLoss>,
    ) -> Self {
        Self {
            ring,
            position,
            epoch,
            len,
            note,
            loss,
        }
    }

    /// Bytes reserved.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether the record has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The epoch that the record belongs to.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    #[inline]
    fn payload(&self) -> Span<'r> {
        let position = self.position + u64::from(self.note);
        self.ring.storage.span(position, self.len())
    }

    /// Copies `bytes` to `offset`.
    ///
    /// # Panics
    /// If they do not fit into the reservation.
    #[inline]
    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        // SAFETY: this reservation is the only one of its claim and not committed, because committing consumes it (I1).
        unsafe { self.payload().write(offset, bytes) }
    }

    /// Copies the whole record.
    ///
    /// # Panics
    /// If `bytes` is not as long as the reservation.
    #[inline]
    pub fn copy_from_slice(&mut self, bytes: &[u8]) {
        assert_eq!(bytes.len(), self.len(), "length of a reservation");
        self.write(0, bytes);
    }

    /// The record in place, in two parts of which the second is empty unless the record wraps around the end of the ring.
    #[cfg(not(loom))]
    pub fn as_mut_slices(&mut self) -> (&mut [u8], &mut [u8]) {
        // SAFETY: as in `write`; the slices borrow the reservation uniquely.
        unsafe { self.payload().slices_mut() }
    }

    /// Hands the record to the consumer.
    #[inline]
    pub fn commit(self) {
        self.publish(false);
        mem::forget(self);
    }

    #[inline]
    fn publish(&self, aborted: bool) {
        if self.note {
            self.write_note();
        }
        let header = Header {
            aborted: aborted && !bug!("live_abort"),
            note: self.note,
            epoch: self.epoch,
            len: self.len,
        };
        let word = self.ring.storage.header(self.position);
        self.ring.publish(word, header);
    }

    #[cold]
    fn write_note(&self) {
        let note = self.loss.unwrap_or(SessionLoss::NONE).to_note();
        let span = self.ring.storage.span(self.position, NOTE_BYTES);
        // SAFETY: the granule belongs to this claim like the payload's (I1).
        unsafe { span.write(0, &note) }
    }
}

impl Drop for Reservation<'_> {
    /// Aborts the record: the consumer then reads only its note.
    fn drop(&mut self) {
        if bug!("swallowed_note") {
            self.loss = None;
        }
        self.publish(true);
    }
}

impl fmt::Debug for Reservation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("len", &self.len)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}
