//! The pieces that a recording is made of.

use eventlog_state::Beginning;

/// A piece of a log, usually a block.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// Its bytes, unchanged.
    pub bytes: &'a [u8],
    /// Its offset, in bytes from the beginning of the log's header.
    pub offset: u64,
    /// The capability of the block; `None`: the global one.
    pub cap: Option<u16>,
    /// The time that it covers, in nanoseconds.
    pub begin: u64,
    /// See `begin`.
    pub end: u64,
    /// Whether it is a block, or a part of one: for anything else the times are
    /// not known.
    pub is_block: bool,
    /// Whether it can be decoded.
    pub is_sound: bool,
    /// Whether a part may end after it: not in the middle of a block.
    pub is_whole: bool,
}

/// The beginning of a part that continues after the last piece.
#[derive(Debug)]
pub struct Cut {
    /// The state at that place.
    pub beginning: Beginning,
    /// The place, in bytes from the beginning of the log's header.
    pub offset: u64,
    /// Whether nothing is split that belongs together: no heap sample is open.
    pub is_clean: bool,
}
