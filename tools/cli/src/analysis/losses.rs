//! What is missing from a stream and says so.
//!
//! The socket library tells its losses in the stream, in a message of a fixed
//! form, where the missing chunks would have been.

use ghc_eventlog::{Event, EventBody};

/// How the messages begin.
const SIGN: &str = "eventlog-socket: lost ";

/// How messages of a recovered log begin.
pub const RECOVERED: &str = "eventlog recover: ";
/// What is in the one of them that tells of what was overwritten.
const WHOLE_FROM: &str = "whole from ";

/// Says since when nothing is missing of any capability, in nanoseconds.
pub fn whole_from_in_words(time: u64) -> String {
    let (seconds, rest) = (time / 1_000_000_000, time % 1_000_000_000);
    format!("{WHOLE_FROM}{seconds}.{rest:09} s on")
}

/// Since when nothing is missing of any capability, if the event tells it: of a recovered log, whose capabilities begin at
/// different times.
pub fn whole_from(event: &Event<'_>) -> Option<u64> {
    let EventBody::UserMsg { message } = event.body else {
        return None;
    };
    let text = message.to_str()?.strip_prefix(RECOVERED)?;
    let (_, after) = text.split_once(WHOLE_FROM)?;
    let (seconds, rest) = after.split_ascii_whitespace().next()?.split_once('.')?;
    let (seconds, rest): (u64, u64) = (seconds.parse().ok()?, rest.parse().ok()?);
    seconds.checked_mul(1_000_000_000)?.checked_add(rest)
}

/// Losses told so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Losses {
    pub notes: u64,
    pub chunks: u64,
    pub bytes: u64,
}

/// Chunks and bytes of a loss, if the event tells one.
pub fn loss(event: &Event<'_>) -> Option<(u64, u64)> {
    let text = match event.body {
        EventBody::UserMsg { message } | EventBody::LogMsg { message } => message,
        _ => return None,
    };
    let text = text.to_str()?.strip_prefix(SIGN)?;
    let mut words = text.split_ascii_whitespace();
    let chunks = words.next()?.parse().ok()?;
    let bytes = words.nth(1)?.parse().ok()?;
    Some((chunks, bytes))
}

impl Losses {
    #[inline]
    pub fn event(&mut self, event: &Event<'_>) {
        if let Some((chunks, bytes)) = loss(event) {
            self.notes += 1;
            self.chunks = self.chunks.saturating_add(chunks);
            self.bytes = self.bytes.saturating_add(bytes);
        }
    }
}
