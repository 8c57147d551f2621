//! What a session consists of: whole blocks, as they came.

use bytes::Bytes;

/// A piece of a log that is handed on whole: mostly a block.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Piece {
    /// As they came.
    pub bytes: Bytes,
    /// Where it lies, in bytes behind the header of its log.
    pub offset: u64,
    /// What it is.
    pub kind: PieceKind,
    /// The capability of the block; `None`: the global one, or no block.
    pub cap: Option<u16>,
    /// When the block begins, in nanoseconds. Of what is not a block: the latest time so far.
    pub begin: u64,
    /// When it ends.
    pub end: u64,
}

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PieceKind {
    /// A whole block.
    Block,
    /// A part of a block that says no length, or a very large one: whole events, and the
    /// marker in the first part.
    Part,
    /// Events outside any block.
    Events,
    /// Bytes that cannot be decoded.
    Faulty,
    /// The mark at the end of the log.
    End,
}

impl Piece {
    /// Where it ends, in bytes behind the header of its log.
    pub fn reaches(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    /// Whether a log may be cut behind it without tearing a block apart.
    pub fn ends_whole(&self) -> bool {
        !matches!(self.kind, PieceKind::Part)
    }
}
