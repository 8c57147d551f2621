//! The header word of a granule, and where it is stored.
//!
//! Headers are stored in an array of their own, one word per granule, so that a header is never a byte that some
//! payload held before: a word is either zero or a commit, never anything else. Only the word of a record's first
//! granule is ever set.

use core::fmt;

use crate::gate::Epoch;
use crate::shim::{AtomicU64, const_unless_loom};

/// Granule positions count up forever and are never reused, so nothing can be mistaken for what was there a lap ago.
pub(crate) type Position = u64;

/// Size of one payload granule in bytes.
pub const GRANULE: usize = 64;

/// Epochs are counted modulo 2^29, as many bits as a header has left for them.
pub(crate) const EPOCH_BITS: u32 = 29;

const COMMIT: u64 = 1 << 63;
const ABORT: u64 = 1 << 62;
const NOTE: u64 = 1 << 61;
const EPOCH_SHIFT: u32 = 32;
const EPOCH_MASK: u64 = (1 << EPOCH_BITS) - 1;

/// The header word of one granule, stored apart from it.
///
/// ```text
///  63       62      61     60 .. 32   31 .. 0
///  COMMIT | ABORT | NOTE | epoch    | length in bytes          0 = free, or claimed and still being copied
/// ```
pub struct HeaderWord(pub(crate) AtomicU64);

impl HeaderWord {
    /// A free header, for array repeat expressions in statics.
    #[cfg(not(loom))]
    #[allow(
        clippy::declare_interior_mutable_const,
        reason = "meant to be copied into an array, as AtomicU64::new(0) would be"
    )]
    pub const ZERO: Self = Self::new();

    const_unless_loom! {
        /// A free header.
        pub fn new() -> Self {
            Self(AtomicU64::new(0))
        }
    }
}

impl Default for HeaderWord {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for HeaderWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeaderWord(..)")
    }
}

/// The fields of a header word.
#[derive(Clone, Copy)]
pub(crate) struct Header {
    pub(crate) aborted: bool,
    /// The first granule holds a loss note, the payload starts at the second.
    pub(crate) note: bool,
    pub(crate) epoch: Epoch,
    pub(crate) len: u32,
}

impl Header {
    #[inline]
    pub(crate) fn encode(self) -> u64 {
        COMMIT
            | if self.aborted { ABORT } else { 0 }
            | if self.note { NOTE } else { 0 }
            | u64::from(self.epoch.bits()) << EPOCH_SHIFT
            | u64::from(self.len)
    }

    /// `None` for a header that is free or whose record is still being copied.
    #[inline]
    pub(crate) fn decode(word: u64) -> Option<Self> {
        (word & COMMIT != 0).then_some(Self {
            aborted: word & ABORT != 0,
            note: word & NOTE != 0,
            epoch: Epoch::from_bits((word >> EPOCH_SHIFT & EPOCH_MASK) as u32),
            len: word as u32,
        })
    }

    /// Granules that the record holds in all.
    #[inline]
    pub(crate) fn granules(self) -> u64 {
        payload_granules(self.len as usize) + u64::from(self.note)
    }
}

/// Granules that a payload needs. An empty one takes a granule too: every record needs a header.
#[inline]
pub(crate) fn payload_granules(len: usize) -> u64 {
    len.div_ceil(GRANULE).max(1) as u64
}

/// Window of the index permutation: 2^9 words, eight to a cache line.
const WINDOW: usize = 512;

/// Maps the index of a granule to the index of its header word. `capacity` is how many granules the ring has.
///
/// Inside each window the nine index bits are rotated by three, which puts the headers of neighbouring granules on
/// different cache lines: otherwise the producers of eight small records in a row, and the consumer, would contend for
/// one line. Arrays shorter than a window keep the natural order.
#[inline]
pub fn header_index(granule: usize, capacity: usize) -> usize {
    if capacity < WINDOW {
        return granule;
    }
    let low = granule % WINDOW;
    (granule - low) | (((low << 3) | (low >> 6)) % WINDOW)
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec;

    #[test]
    fn the_index_permutation_is_one_and_parts_neighbours() {
        for capacity in [2, 256, 512, 1024, 4096] {
            let mut seen = vec![false; capacity];
            for granule in 0..capacity {
                let index = header_index(granule, capacity);
                assert!(!core::mem::replace(&mut seen[index], true));
                if capacity >= WINDOW {
                    let next = header_index((granule + 1) % capacity, capacity);
                    assert_ne!(index / 8, next / 8);
                }
            }
        }
    }

    #[test]
    fn a_header_survives_its_word() {
        for (aborted, note) in [(false, false), (true, false), (false, true), (true, true)] {
            for bits in [0, 1, (1 << EPOCH_BITS) - 1] {
                for len in [0, 1, u32::MAX] {
                    let header = Header {
                        aborted,
                        note,
                        epoch: Epoch::from_bits(bits),
                        len,
                    };
                    let back = Header::decode(header.encode()).expect("committed");
                    assert_eq!(
                        (back.aborted, back.note, back.epoch, back.len),
                        (aborted, note, Epoch::from_bits(bits), len)
                    );
                }
            }
        }
        assert!(Header::decode(0).is_none());
    }

    #[test]
    fn an_empty_payload_takes_a_granule() {
        assert_eq!(payload_granules(0), 1);
        assert_eq!(payload_granules(1), 1);
        assert_eq!(payload_granules(GRANULE), 1);
        assert_eq!(payload_granules(GRANULE + 1), 2);
    }
}
