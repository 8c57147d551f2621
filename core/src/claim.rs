//! Claiming room in the ring: the one algorithm behind both kinds of producer.

use core::fmt;

use crate::Tally;
use crate::bug::{bug, unless_bug};
use crate::gate::Epoch;
use crate::layout::{Header, HeaderWord, Position, payload_granules};
use crate::reservation::Reservation;
use crate::ring::Ring;
use crate::shim::{Ordering, pause};

/// Why a chunk was not taken. It does not count as lost yet: the caller may retry, wait, or give it up and report that
/// with `record_loss`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushError {
    /// There is no room for it now.
    Full,
    /// There will never be room for it: it exceeds the capacity or 4 GiB.
    Oversize,
    /// The gate is closed.
    Closed,
    /// The gate is open in another epoch than the one asked for.
    Stale,
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the ring has no room for the chunk",
            Self::Oversize => "the chunk is larger than the ring",
            Self::Closed => "the ring is closed",
            Self::Stale => "the ring is in another epoch",
        })
    }
}

impl core::error::Error for PushError {}

/// How a producer reads head and tail, and moves the tail.
pub(crate) trait Side {
    /// A head this side has seen before. What the consumer did before storing it happens-before the return.
    fn seen_head(&self, ring: &Ring<'_>) -> Position;
    /// Remembers a head just loaded with Acquire.
    fn remember_head(&mut self, ring: &Ring<'_>, head: Position);
    fn tail(&self, ring: &Ring<'_>) -> Position;
    /// Moves the tail from `from` to `to`; `false` if another producer was faster.
    fn advance(&mut self, ring: &Ring<'_>, from: Position, to: Position) -> bool;
}

struct Claim {
    position: Position,
    /// Whether the first granule is for a loss note.
    note: bool,
}

/// A claim for `len` bytes, in the epoch that was read before it.
struct Admitted {
    claim: Claim,
    epoch: Epoch,
    len: u32,
}

/// Claims `need` granules, and one more for a note if losses are pending and the room allows.
///
/// Lock-free: an attempt is repeated only when another producer has claimed or the consumer has released in the meantime.
#[inline]
fn claim(ring: &Ring<'_>, side: &mut impl Side, need: u64) -> Option<Claim> {
    let capacity = ring.storage.granules() + u64::from(bug!("one_too_many"));
    let mut head = side.seen_head(ring);
    loop {
        // Loaded after a head, the tail is not behind it: every claim below that head happens-before the store of that
        // head, through the record's commit and the consumer's look at it. So `used` never underflows. It may exceed the
        // capacity when the head is an old one.
        let tail = side.tail(ring);
        let used = tail - head;
        let mut note = ring.producers.pending.any();
        if used + need + u64::from(note && !bug!("unpaid_note")) > capacity {
            // Acquire pairs with the Release in `Consumer::release`: the consumer's reads of the granules and its zeroing
            // of the headers happen-before our writing them (I2, I3).
            let order = unless_bug!("relaxed_refresh", Ordering::Acquire);
            let fresh = ring.consumer.head.load(order);
            if fresh != head && !bug!("stale_head") {
                side.remember_head(ring, fresh);
                head = fresh;
                continue;
            }
            if used + need > capacity {
                if bug!("waits_for_room") {
                    continue;
                }
                return None;
            }
            // Just enough for the payload: the note waits for a later record.
            note = false;
        }
        if side.advance(ring, tail, tail + need + u64::from(note)) {
            return Some(Claim {
                position: tail,
                note,
            });
        }
        pause();
    }
}

impl Ring<'_> {
    /// Claims room for `len` bytes in the current epoch, or in `wanted` if that is the current one.
    #[inline]
    fn admit(
        &self,
        side: &mut impl Side,
        wanted: Option<Epoch>,
        len: usize,
    ) -> Result<Admitted, PushError> {
        // The gate is read first: the record carries the epoch read before its claim, whatever happens later (I9).
        let pass = self.producers.gate.read();
        if !pass.open {
            return Err(self.refuse_closed(len));
        }
        if wanted.is_some_and(|epoch| epoch != pass.epoch) {
            return Err(PushError::Stale);
        }
        let need = payload_granules(len);
        let bytes = u32::try_from(len).map_err(|_| PushError::Oversize)?;
        if need > self.storage.granules() {
            return Err(PushError::Oversize);
        }
        let claim = claim(self, side, need).ok_or(PushError::Full)?;
        Ok(Admitted {
            claim,
            epoch: pass.epoch,
            len: bytes,
        })
    }

    #[cold]
    fn refuse_closed(&self, len: usize) -> PushError {
        self.refusals.refused_closed.add(Tally {
            records: 1,
            bytes: len as u64,
        });
        PushError::Closed
    }

    #[inline]
    fn reservation(&self, admitted: Admitted) -> Reservation<'_> {
        let Admitted { claim, epoch, len } = admitted;
        let loss = if claim.note {
            // The loss may be of another session than this record: the note says of which.
            self.producers.pending.take()
        } else {
            None
        };
        Reservation::new(self, claim.position, epoch, len, claim.note, loss)
    }

    /// Claims room for a record, to be written in place.
    #[inline]
    pub(crate) fn reserve(
        &self,
        side: &mut impl Side,
        wanted: Option<Epoch>,
        len: usize,
    ) -> Result<Reservation<'_>, PushError> {
        let admitted = self.admit(side, wanted, len)?;
        Ok(self.reservation(admitted))
    }

    #[inline]
    pub(crate) fn push(
        &self,
        side: &mut impl Side,
        wanted: Option<Epoch>,
        chunk: &[u8],
    ) -> Result<(), PushError> {
        let admitted = self.admit(side, wanted, chunk.len())?;
        if admitted.claim.note {
            self.fill_noted(admitted, chunk);
            return Ok(());
        }
        // What follows cannot fail, so there is no need for a reservation, which would handle a failure.
        let position = admitted.claim.position;
        let word = self.storage.header(position);
        // SAFETY: the granules are of our claim, which is not yet committed (I1).
        unsafe { self.storage.span(position, chunk.len()).write(0, chunk) };
        let header = Header {
            aborted: false,
            note: false,
            epoch: admitted.epoch,
            len: admitted.len,
        };
        self.publish(word, header);
        Ok(())
    }

    /// The rest of a push that found losses to report.
    #[cold]
    fn fill_noted(&self, admitted: Admitted, chunk: &[u8]) {
        let mut reservation = self.reservation(admitted);
        reservation.write(0, chunk);
        reservation.commit();
    }

    /// Commits a record: the word is that of its first granule.
    #[inline]
    pub(crate) fn publish(&self, word: &HeaderWord, mut header: Header) {
        if bug!("late_stamp") {
            header.epoch = self.producers.gate.read().epoch;
        }
        // Release pairs with the Acquire in `Consumer::committed`: the payload happens-before its delivery (I3).
        let order = unless_bug!("relaxed_commit", Ordering::Release);
        word.0.store(header.encode(), order);
    }
}
