//! What a chunk is, told by its first bytes.
//!
//! The RTS hands over whole buffers: the header of a log, or one or more whole
//! blocks, each starting with a 24-byte block marker, or (GHC 9.0) the bare
//! two-byte end marker. GHC 9.0 puts a block marker before the header of a log
//! that was started again.
//!
//! The callback asks this on a thread of the RTS, in the middle of whatever it does and on a
//! stack of any size. So it is a few comparisons at fixed places, written out here, and
//! nothing that grows with what a decoder of whole logs has to deal with: of
//! `ghc_eventlog` there are only the constants.

use ghc_eventlog::layout::{GLOBAL, HEADER_SIGN, HEADER_TAIL, MARKER_LEN};
use ghc_eventlog::{BLOCK_MARKER, DATA_END};

/// What ends a log, in place of an event.
pub(crate) const END_MARKER: [u8; 2] = DATA_END.to_be_bytes();

/// The first block marker of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockMarker {
    /// When the buffer was last emptied, nanoseconds since the RTS started.
    pub begin: u64,
    /// When it was handed over: no event of the block is later.
    pub end: u64,
    /// The capability, or [`GLOBAL`].
    pub capability: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// The header of a log starts at `offset`.
    Header { offset: usize },
    /// Events of the buffer that all capabilities share: definitions, heap
    /// profile samples.
    Global(BlockMarker),
    /// Events of one capability.
    Capability(BlockMarker),
    /// The end of the log, alone.
    End,
    /// Something else, which no RTS of GHC 9.0 to 9.14 writes.
    Other,
}

impl Chunk {
    /// Looks at no more than the first 36 bytes. Never fails: the callback could
    /// not report it.
    pub(crate) fn of(bytes: &[u8]) -> Chunk {
        if bytes.starts_with(HEADER_SIGN) {
            return Chunk::Header { offset: 0 };
        }
        let Some(marker) = BlockMarker::parse(bytes) else {
            return if bytes == END_MARKER {
                Chunk::End
            } else {
                Chunk::Other
            };
        };
        if bytes[MARKER_LEN..].starts_with(HEADER_SIGN) {
            Chunk::Header { offset: MARKER_LEN }
        } else if marker.is_global() {
            Chunk::Global(marker)
        } else {
            Chunk::Capability(marker)
        }
    }

    /// The times between which the events of this chunk lie, if it says so.
    pub(crate) fn span(&self) -> Option<(u64, u64)> {
        match self {
            Chunk::Global(marker) | Chunk::Capability(marker) => Some((marker.begin, marker.end)),
            _ => None,
        }
    }
}

/// A whole header and nothing else: no more than a look, without allocating anything.
pub(crate) fn is_header(bytes: &[u8]) -> bool {
    fn event_type(bytes: &[u8]) -> Option<&[u8]> {
        // Number and size; then a description and more, each after its length.
        let mut rest = bytes.strip_prefix(b"etb\0")?.get(4..)?;
        for _ in 0..2 {
            let (len, behind) = rest.split_first_chunk::<4>()?;
            rest = behind.get(u32::from_be_bytes(*len) as usize..)?;
        }
        rest.strip_prefix(b"ete\0")
    }
    let Some(mut rest) = bytes.strip_prefix(HEADER_SIGN) else {
        return false;
    };
    while let Some(behind) = event_type(rest) {
        rest = behind;
    }
    rest == HEADER_TAIL
}

impl BlockMarker {
    /// Of the buffer that all capabilities share.
    pub(crate) fn is_global(&self) -> bool {
        self.capability == GLOBAL
    }

    pub(crate) fn parse(bytes: &[u8]) -> Option<BlockMarker> {
        let marker = bytes.first_chunk::<MARKER_LEN>()?;
        if u16::from_be_bytes([marker[0], marker[1]]) != BLOCK_MARKER {
            return None;
        }
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&marker[at..at + 8]);
            u64::from_be_bytes(word)
        };
        Some(BlockMarker {
            begin: word(2),
            end: word(14),
            capability: u16::from_be_bytes([marker[22], marker[23]]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::note_block;
    use ghc_eventlog::notes::Note;

    #[test]
    fn tells_the_chunks_of_every_rts_apart() {
        assert_eq!(Chunk::of(b"hdrbhetb...."), Chunk::Header { offset: 0 });
        assert_eq!(Chunk::of(&[0xFF, 0xFF]), Chunk::End);
        assert_eq!(Chunk::of(b""), Chunk::Other);
        let global = note_block(3, 9, Note::Sync(1));
        assert_eq!(
            Chunk::of(&global),
            Chunk::Global(BlockMarker {
                begin: 3,
                end: 9,
                capability: GLOBAL
            })
        );
        let mut capability = global.to_vec();
        capability[22..24].copy_from_slice(&[0, 1]);
        assert!(matches!(Chunk::of(&capability), Chunk::Capability(m) if m.capability == 1));
        assert_eq!(Chunk::of(&capability).span(), Some((3, 9)));
        let mut restarted = global[..MARKER_LEN].to_vec();
        restarted.extend_from_slice(b"hdrbhetb");
        assert_eq!(Chunk::of(&restarted), Chunk::Header { offset: MARKER_LEN });
    }
}
