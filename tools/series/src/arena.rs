//! Bytes that are written once and stay where they are.

/// Bytes of a piece.
const PIECE: usize = 1 << 18;

/// Pieces of memory, filled one after the other: nothing is moved when there is more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arena {
    pieces: Vec<Vec<u8>>,
}

impl Arena {
    /// Keeps bytes; the answer is where they are.
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

    /// What begins at a place, and whatever follows it.
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
