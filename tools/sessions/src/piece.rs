//! What a recording is made of.

use eventlog_state::Beginning;

/// A piece of a log: mostly a block.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// As they came.
    pub bytes: &'a [u8],
    /// Where it lies, in bytes from the beginning of the log's header.
    pub offset: u64,
    /// The capability of the block; `None`: the global one.
    pub cap: Option<u16>,
    /// From when to when it reaches, in nanoseconds.
    pub begin: u64,
    /// See `begin`.
    pub end: u64,
    /// Whether it is a block, or a part of one: of anything else the times are
    /// not known.
    pub is_block: bool,
    /// Whether it can be decoded.
    pub is_sound: bool,
    /// Whether a part may end behind it: not in the middle of a block.
    pub is_whole: bool,
}

/// What a part begins with that goes on behind the last piece.
#[derive(Debug)]
pub struct Cut {
    /// What holds there.
    pub beginning: Beginning,
    /// The place, in bytes from the beginning of the log's header.
    pub offset: u64,
    /// Whether nothing is torn apart that belongs together: no heap sample is
    /// open.
    pub is_clean: bool,
}
