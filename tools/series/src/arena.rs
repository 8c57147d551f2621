//! Storage for bytes that never move. The oldest can be forgotten.

use std::collections::VecDeque;

/// Size of a piece in bytes.
const PIECE: usize = 1 << 18;

/// Fixed-size pieces of memory, filled one after the other, so that growing moves nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arena {
    pieces: VecDeque<Piece>,
    /// The number of the first piece: that many were forgotten.
    first: u64,
    /// How far the log has come.
    now: u64,
}

#[derive(Clone, Debug)]
struct Piece {
    bytes: Vec<u8>,
    /// How far the log had come when it was begun: what is in earlier pieces is from before that.
    begun: u64,
}

impl Arena {
    /// The log has come so far: all that is pushed from now on is from before that.
    pub(crate) fn reaches(&mut self, offset: u64) {
        self.now = offset;
    }

    /// Stores bytes and returns their place. Later bytes have later places.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> u64 {
        let room = self.pieces.back().map_or(0, |piece| {
            piece.bytes.capacity().max(PIECE) - piece.bytes.len()
        });
        if self.pieces.is_empty() || room < bytes.len() {
            self.pieces.push_back(Piece {
                bytes: Vec::with_capacity(PIECE.max(bytes.len())),
                begun: self.now,
            });
        }
        let index = self.pieces.len() - 1;
        let piece = &mut self.pieces[index].bytes;
        let at = piece.len();
        piece.extend_from_slice(bytes);
        (self.first + index as u64) << 32 | at as u64
    }

    /// The bytes from a place on, up to the end of its piece. None if they were forgotten.
    pub(crate) fn from(&self, place: u64) -> &[u8] {
        let index = (place >> 32).checked_sub(self.first);
        let piece = index.and_then(|index| self.pieces.get(index as usize));
        piece
            .and_then(|piece| piece.bytes.get(place as u32 as usize..))
            .unwrap_or_default()
    }

    /// Forgets what is only from before `offset` in the log.
    pub(crate) fn forget(&mut self, offset: u64) {
        while self.pieces.get(1).is_some_and(|next| next.begun <= offset) {
            self.pieces.pop_front();
            self.first += 1;
        }
    }

    /// The first place that was not forgotten.
    pub(crate) fn first_place(&self) -> u64 {
        self.first << 32
    }

    /// Bytes of memory.
    pub(crate) fn memory(&self) -> usize {
        let pieces = self.pieces.iter();
        pieces.map(|piece| piece.bytes.capacity()).sum()
    }
}
