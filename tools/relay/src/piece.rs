//! The parts of a session: whole blocks, as they arrived.

use bytes::Bytes;

/// A piece of a log that is passed on whole: mostly a block.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Piece {
    /// The bytes as they arrived.
    pub bytes: Bytes,
    /// Its offset, in bytes after the header of its log.
    pub offset: u64,
    /// Its kind.
    pub kind: PieceKind,
    /// The capability of the block; `None` for a global block, or if it is not a block.
    pub cap: Option<u16>,
    /// When the block begins, in nanoseconds. If it is not a block: the latest time so far.
    pub begin: u64,
    /// When it ends.
    pub end: u64,
}

/// The kind of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PieceKind {
    /// A whole block.
    Block,
    /// A part of a block that has no length, or of a very large one: whole events, and
    /// the marker in the first part.
    Part,
    /// Events outside any block.
    Events,
    /// Bytes that cannot be decoded.
    Faulty,
    /// The mark at the end of the log.
    End,
}

impl Piece {
    /// The offset of its end, in bytes after the header of its log.
    pub fn reaches(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    /// Whether a log may be cut after it without splitting a block.
    pub fn ends_whole(&self) -> bool {
        !matches!(self.kind, PieceKind::Part)
    }
}
