//! Reads the log of a source in this process.

use crate::block_on::block_on;
use crate::clients::Registered;
use crate::feed::{Feed, Step};
use std::io::{self, Read};
use std::time::{Duration, Instant};

/// The log of a source, as a client of a socket gets it: valid, also when it begins late.
///
/// Reads wait for more; 0 bytes mean the end of the log. If
/// [`Options::follow_restarts`](crate::Options::follow_restarts) is set that happens only when the
/// source has ended, and further logs begin with their headers, as they do for clients. A reader that
/// falls off the ring is treated as a client is. When the relay is dropped without having been
/// [drained](crate::Relay::drain), the log ends without an end mark.
#[derive(Debug)]
pub struct Reader {
    feed: Feed,
    tick: Option<Duration>,
    _registered: Registered,
}

impl Reader {
    pub(crate) fn new(feed: Feed, registered: Registered) -> Self {
        Self {
            feed,
            tick: None,
            _registered: registered,
        }
    }

    /// From now on reads fail with `WouldBlock` when nothing arrives for that long; with
    /// `None` they wait without a limit.
    pub fn set_tick(&mut self, tick: Option<Duration>) {
        self.tick = tick;
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let until = self.tick.map(|tick| Instant::now() + tick);
        loop {
            let room = buffer.len();
            let step = self.feed.step(room, &mut |slices| {
                let mut filled = 0;
                for slice in slices {
                    let count = slice.len().min(room - filled);
                    buffer[filled..filled + count].copy_from_slice(&slice[..count]);
                    filled += count;
                }
                Ok(filled)
            })?;
            match step {
                Step::Wrote(count) => return Ok(count),
                Step::Over(_) => return Ok(0),
                Step::Waits => {
                    if block_on(self.feed.wait(), until).is_none() {
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                }
            }
        }
    }
}
