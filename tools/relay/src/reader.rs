//! A log of a source in this process.

use std::io::{self, Read};
use std::time::Duration;

/// Where a reader begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// As a client does: with the state as it is now, unless nothing has come yet.
    #[default]
    Now,
    /// With the first byte of the session, if all since then is still in the ring; if not, now.
    First,
}

/// The log of a source, as a client of a socket gets it: valid, however late it begins.
///
/// Reading waits for more; 0 bytes are the end of the log. If [`Options::follow_restarts`]
/// (crate::Options::follow_restarts) is set that comes only when the source is over, and further
/// logs begin with their headers, as they do for clients. A reader that falls off the ring is
/// treated as a client is.
#[derive(Debug)]
pub struct Reader {
    tick: Option<Duration>,
}

impl Reader {
    /// From now on reads fail with `WouldBlock` when nothing comes for that long; `None` waits
    /// for as long as it takes.
    pub fn set_tick(&mut self, tick: Option<Duration>) {
        self.tick = tick;
    }
}

impl Read for Reader {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
