//! The header word of a [`Recorder`](crate::Recorder): the state, lap and length of the record that begins there.
//!
//! The words of overwritten records are not cleared. So a word contains its lap, which together with its place in the
//! array gives the position it is for: if that is too far back, the record has been overwritten.
//!
//! Laps are counted modulo 2^30. Until the count wraps, words give the order of records; then it starts again at zero,
//! and old words look new. With a ring of 1 MiB that is after 2^50 bytes.

use crate::bug::bug;
use crate::layout::{Position, payload_granules};

/// The state of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StampState {
    /// Claimed: its bytes are being copied, or were when the program died.
    Claimed,
    /// The record is whole.
    Committed,
    /// Given up by its producer: it holds nothing.
    Aborted,
}

/// A header word, decoded.
///
/// ```text
///  63 62   61 .. 32                    31 .. 0
///  state | lap, counted modulo 2^30  | length in bytes          0 = never used
/// ```
/// The states are 1 claimed, 2 committed, 3 aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The state of the record.
    pub state: StampState,
    /// Granules that were claimed before this record since the ring was made, modulo 2^30 laps.
    pub position: u64,
    /// Bytes of payload.
    pub len: u32,
}

const LAP_BITS: u32 = 30;
const LAP_MASK: u64 = (1 << LAP_BITS) - 1;
const LAP_SHIFT: u32 = 32;
const STATE_SHIFT: u32 = 62;

impl Stamp {
    /// What the word of the granule with this index says, in a ring of `granules` granules (a power of two). `None` if
    /// that granule was never the first of a record.
    #[inline]
    pub fn read(word: u64, granule: usize, granules: usize) -> Option<Stamp> {
        let state = match word >> STATE_SHIFT {
            0 => return None,
            1 => StampState::Claimed,
            2 => StampState::Committed,
            _ => StampState::Aborted,
        };
        let lap = word >> LAP_SHIFT & LAP_MASK;
        // Wrapping: a file may claim to be larger than any that we have written.
        let position = lap
            .wrapping_mul(granules as u64)
            .wrapping_add(granule as u64);
        Some(Stamp {
            state,
            position,
            len: word as u32,
        })
    }

    /// What a word says if it is that of the record at `position`, in whatever lap.
    #[inline]
    pub(crate) fn at(word: u64, position: Position, granules: u64) -> Option<Stamp> {
        if (word ^ Stamp::lap(position, granules)) & LAP_MASK << LAP_SHIFT != 0 {
            return None;
        }
        let stamp = Stamp::read(word, 0, 0)?;
        Some(Stamp { position, ..stamp })
    }

    /// Length of the record at `position`, and whether it is whole, if the word belongs to that record and is settled.
    #[inline]
    pub(crate) fn settled(word: u64, position: Position, granules: u64) -> Option<(u32, bool)> {
        // The same as `at`, in one comparison, because every push does it. Both states have the upper bit.
        const SETTLED: u64 = 2 << STATE_SHIFT;
        let word = if bug!("pass_unsettled") {
            word | SETTLED
        } else {
            word
        };
        let difference = word ^ (SETTLED | Stamp::lap(position, granules));
        let ours = difference & (SETTLED | LAP_MASK << LAP_SHIFT) == 0;
        ours.then_some((word as u32, word >> STATE_SHIFT == 2))
    }

    /// The word for a record at `position`.
    #[inline]
    pub(crate) fn word(state: StampState, position: Position, granules: u64, len: u32) -> u64 {
        Stamp::lap(position, granules) | Stamp::in_state(u64::from(len), state)
    }

    /// The same word in another state.
    #[inline]
    pub(crate) fn in_state(word: u64, state: StampState) -> u64 {
        let state = match state {
            StampState::Claimed => 1,
            StampState::Committed => 2,
            StampState::Aborted => 3,
        };
        word & !(3 << STATE_SHIFT) | state << STATE_SHIFT
    }

    /// The length in a word.
    #[inline]
    pub(crate) fn len_of(word: u64) -> usize {
        word as u32 as usize
    }

    /// The lap of a position, shifted to its place in a word.
    #[inline]
    fn lap(position: Position, granules: u64) -> u64 {
        // A power of two: the compiler does not know that, and would divide.
        let lap = position >> granules.trailing_zeros();
        (lap & LAP_MASK) << LAP_SHIFT
    }

    /// Whether copying into the record has ended.
    #[inline]
    pub fn is_settled(self) -> bool {
        self.state != StampState::Claimed
    }

    /// The position after its last granule.
    #[inline]
    pub fn end(self) -> u64 {
        // Saturating: the word may have been written by another program.
        self.position
            .saturating_add(payload_granules(self.len as usize))
    }

    /// The end of the claims, according to these words. What is further before it than the ring has granules is
    /// overwritten, or about to be.
    ///
    /// A reader of a ring that is being written to takes what is committed, copies it, *then* issues an acquire fence
    /// and reads all words again: what is not overwritten according to this function was whole when it was copied.
    pub fn claimed_end(words: impl IntoIterator<Item = Stamp>) -> u64 {
        words.into_iter().map(Stamp::end).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_survives_its_word() {
        for state in [
            StampState::Claimed,
            StampState::Committed,
            StampState::Aborted,
        ] {
            for (position, len) in [(0, 0), (63, 1), (64, u32::MAX), ((1 << 36) - 1, 64)] {
                let word = Stamp::word(state, position, 64, len);
                let index = (position % 64) as usize;
                assert_eq!(
                    Stamp::read(word, index, 64),
                    Some(Stamp {
                        state,
                        position,
                        len
                    })
                );
            }
        }
        assert_eq!(Stamp::read(0, 5, 64), None);
    }

    #[test]
    fn a_settled_word_is_that_of_its_position_alone() {
        for (state, expected) in [
            (StampState::Claimed, None),
            (StampState::Committed, Some((9, true))),
            (StampState::Aborted, Some((9, false))),
        ] {
            for position in [0, 5, 64, 69, 69 + (64 << 30)] {
                let word = Stamp::word(state, position, 64, 9);
                assert_eq!(Stamp::settled(word, position, 64), expected);
                assert_eq!(Stamp::settled(word, position + 64, 64), None);
                assert_eq!(
                    Stamp::at(word, position, 64),
                    Some(Stamp {
                        state,
                        position,
                        len: 9
                    })
                );
                assert_eq!(Stamp::at(word, position + 64, 64), None);
            }
        }
        assert_eq!(Stamp::settled(0, 0, 64), None);
    }

    #[test]
    fn laps_come_round_after_2_to_the_30() {
        let word = Stamp::word(StampState::Committed, 3 + (64 << 30), 64, 1);
        assert_eq!(
            Stamp::read(word, 3, 64).map(|stamp| stamp.position),
            Some(3)
        );
    }
}
