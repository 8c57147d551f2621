//! The header word of a [`Recorder`](crate::Recorder): the state, lap and length of the record that begins there.
//!
//! Nobody clears the words of records that were overwritten. So a word says of which lap it is, which with its place in the
//! array gives the position that it speaks of: one that speaks of a position too far back is of a record that is gone.
//!
//! Laps are counted modulo 2^30. Until they come round, words tell the order of records; then they start again at the
//! bottom, and old ones look new. With a ring of 1 MiB that is after 2^50 bytes.

use crate::bug::bug;
use crate::layout::{Position, payload_granules};

/// How far a record has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StampState {
    /// Claimed: its bytes are being copied, or were when the program died.
    Claimed,
    /// Whole.
    Committed,
    /// Given up by its producer: it holds nothing.
    Aborted,
}

/// A header word, read.
///
/// ```text
///  63 62   61 .. 32                    31 .. 0
///  state | lap, counted modulo 2^30  | length in bytes          0 = never used
/// ```
/// The states are 1 claimed, 2 committed, 3 aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// How far it has come.
    pub state: StampState,
    /// Granules that were claimed before this record, ever. As far as 2^30 laps.
    pub position: u64,
    /// Bytes of payload.
    pub len: u32,
}

const LAP_BITS: u32 = 30;
const LAP_MASK: u64 = (1 << LAP_BITS) - 1;
const LAP_SHIFT: u32 = 32;
const STATE_SHIFT: u32 = 62;

impl Stamp {
    /// What a word says that belongs to the granule with this index, of so many in the ring (a power of two). `None` if
    /// that granule never was the first of a record.
    #[inline]
    pub fn read(word: u64, granule: usize, granules: usize) -> Option<Stamp> {
        let state = match word >> STATE_SHIFT {
            0 => return None,
            1 => StampState::Claimed,
            2 => StampState::Committed,
            _ => StampState::Aborted,
        };
        let lap = word >> LAP_SHIFT & LAP_MASK;
        // Wrapping: a file may say that it is larger than any that we have written.
        let position = lap
            .wrapping_mul(granules as u64)
            .wrapping_add(granule as u64);
        Some(Stamp {
            state,
            position,
            len: word as u32,
        })
    }

    /// What a word says if it is that of the record at `position`, after however many laps.
    #[inline]
    pub(crate) fn at(word: u64, position: Position, granules: u64) -> Option<Stamp> {
        if (word ^ Stamp::lap(position, granules)) & LAP_MASK << LAP_SHIFT != 0 {
            return None;
        }
        let stamp = Stamp::read(word, 0, 0)?;
        Some(Stamp { position, ..stamp })
    }

    /// Length of the record at `position`, and whether it is whole, if a word says that it is that record's and settled.
    #[inline]
    pub(crate) fn settled(word: u64, position: Position, granules: u64) -> Option<(u32, bool)> {
        // The same as `at`, in one comparison: every push asks. Both states have the upper bit.
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

    /// The length that a word says.
    #[inline]
    pub(crate) fn len_of(word: u64) -> usize {
        word as u32 as usize
    }

    /// The lap of a position, where it is in a word.
    #[inline]
    fn lap(position: Position, granules: u64) -> u64 {
        // A power of two: the compiler cannot know, and would divide.
        let lap = position >> granules.trailing_zeros();
        (lap & LAP_MASK) << LAP_SHIFT
    }

    /// Whether nothing is copied into it any more.
    #[inline]
    pub fn is_settled(self) -> bool {
        self.state != StampState::Claimed
    }

    /// The position after its last granule.
    #[inline]
    pub fn end(self) -> u64 {
        // Saturating: the word may have been written by anything.
        self.position
            .saturating_add(payload_granules(self.len as usize))
    }

    /// Where the claims end that these words tell of. What lies more than the ring's granules before that is overwritten,
    /// or about to be.
    ///
    /// A reader of a ring that is being written to takes what is committed, copies it, *then* reads all words again, with
    /// an acquire fence before: what this function now says is still there was whole when it was copied.
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
