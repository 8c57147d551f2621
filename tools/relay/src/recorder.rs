//! A reader that misses nothing: the source waits for it.

use crate::error::Error;
use crate::piece::Piece;
use eventlog_state::Beginning;
use ghc_eventlog::Header;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Gets every piece of a source. What it has not taken stays in the ring, and when the ring is
/// full of that, the source is not read until it takes more.
///
/// One source has one recorder at most. Its sessions come one after the other.
#[derive(Debug)]
pub struct Recorder {
    _private: (),
}

/// What a recorder gets.
#[derive(Debug)]
#[non_exhaustive]
pub enum Recorded {
    /// A session begins. Also the first thing, if the source has a session already.
    Began(Began),
    /// The next piece of it.
    Piece(Piece),
    /// Nothing has come for as long as it was waited.
    Idle,
    /// The session is over.
    Ended {
        /// Whether its log has an end mark (which was the last piece).
        marked: bool,
        /// Bytes at its end that were no whole block.
        cut_off: u64,
    },
    /// There will be no more sessions.
    Over,
}

/// A session that begins.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Began {
    /// Which of its source's, from 1 on.
    pub number: u64,
    /// The header of its log.
    pub header: Arc<Header>,
    /// When that came.
    pub since: SystemTime,
    /// Where the first piece lies, in bytes behind the header. If that is not 0 the recorder came
    /// late, and the recording has to begin with a [`Cut`].
    pub offset: u64,
}

/// What a file begins with that goes on where a recorder stands, behind the piece that it got
/// last.
#[derive(Debug)]
#[non_exhaustive]
pub struct Cut {
    /// The header.
    pub header: Arc<Header>,
    /// What holds there: written behind the header.
    pub beginning: Beginning,
    /// The place, in bytes behind the header of the log.
    pub offset: u64,
    /// Whether nothing is torn apart that belongs together: no heap sample is open.
    pub clean: bool,
}

impl Recorder {
    /// What is next; waits for it no longer than this.
    pub fn next(&mut self, _patience: Duration) -> Recorded {
        Recorded::Over
    }

    /// What a file has to begin with that goes on here. `None` if the log cannot be followed to
    /// this place: because of a fault in it.
    ///
    /// # Errors
    ///
    /// If there is no session.
    pub fn cut(&mut self) -> Result<Option<Cut>, Error> {
        Ok(None)
    }
}
