//! Append-only storage for bytes that never move.

/// Size of a piece in bytes.
const PIECE: usize = 1 << 18;

/// Fixed-size pieces of memory, filled one after the other, so that growing moves nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arena {
    pieces: Vec<Vec<u8>>,
}

impl Arena {
    /// Stores bytes and returns their place.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> u64 {
        let room = self
            .pieces
            .last()
            .map_or(0, |piece| piece.capacity().max(PIECE) - piece.len());
        if self.pieces.is_empty() || room < bytes.len() {
            self.pieces.push(Vec::with_capacity(PIECE.max(bytes.len())));
        }
        let index = self.pieces.len() - 1;
        let piece = &mut self.pieces[index];
        let at = piece.len();
        piece.extend_from_slice(bytes);
        (index as u64) << 32 | at as u64
    }

    /// The bytes from a place on, up to the end of its piece.
    pub(crate) fn from(&self, place: u64) -> &[u8] {
        let piece = self.pieces.get((place >> 32) as usize);
        piece
            .and_then(|piece| piece.get(place as u32 as usize..))
            .unwrap_or_default()
    }

    /// Bytes of memory.
    pub(crate) fn memory(&self) -> usize {
        self.pieces.iter().map(Vec::capacity).sum()
    }
}
