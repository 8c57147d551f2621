//! Decodes the events of a time from the log.

use crate::places::Place;
use crate::raw::Raw;
use eventlog_series::ReadAt;
use ghc_eventlog::{Decoder, Event, Header, Item};
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The bytes of one read.
const READ: usize = 256 << 10;
/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// A log that can be read again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log<'a> {
    pub(crate) header: &'a Arc<Header>,
    pub(crate) raw: &'a Raw,
}

/// The limits of a request: a time limit, and whether the client still waits.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    until: Instant,
    wanted: Arc<AtomicBool>,
}

impl Limit {
    /// The usual time limit from now on, while the given flag is set.
    pub(crate) fn usual(wanted: &Arc<AtomicBool>) -> Self {
        Self {
            until: Instant::now() + PATIENCE,
            wanted: Arc::clone(wanted),
        }
    }

    /// Whether to stop.
    pub(crate) fn is_over(&self) -> bool {
        // Relaxed: it guards no other data.
        !self.wanted.load(Ordering::Relaxed) || Instant::now() >= self.until
    }
}

impl Log<'_> {
    /// Calls `each` with the events of a place, in the order of the log, until it breaks.
    pub(crate) fn events<B>(
        &self,
        place: &Place,
        mut each: impl FnMut(&Event<'_>) -> ControlFlow<B>,
    ) -> io::Result<ControlFlow<B>> {
        let (begin, end) = place.bytes;
        let mut decoder = Decoder::at(Arc::clone(self.header), None, begin, 0).with_recovery(true);
        let mut bytes = Vec::new();
        let mut at = begin;
        while at < end {
            let kept = bytes.len();
            let room = usize::try_from(end - at).map_or(READ, |left| left.min(READ));
            bytes.resize(kept + room, 0);
            let count = self.raw.read_at(at, &mut bytes[kept..])?;
            if count == 0 {
                let message = "the log is shorter than it was; has the file been changed?";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
            }
            bytes.truncate(kept + count);
            at += count as u64;
            let mut rest = &bytes[..];
            loop {
                if let ControlFlow::Break(value) =
                    decoder.for_each_event(&mut rest, |event| each(&event))
                {
                    return Ok(ControlFlow::Break(value));
                }
                match decoder.decode(&mut rest) {
                    Ok(Item::NeedMore) | Err(_) => break,
                    Ok(Item::Event(event)) => {
                        if let ControlFlow::Break(value) = each(&event) {
                            return Ok(ControlFlow::Break(value));
                        }
                    }
                    // Continue after an end mark or a header.
                    Ok(_) => {}
                }
            }
            let taken = bytes.len() - rest.len();
            bytes.drain(..taken);
        }
        Ok(ControlFlow::Continue(()))
    }
}
