//! What is missing from a stream and says so.
//!
//! The socket library tells its losses in the stream, in a message of a fixed
//! form, where the missing chunks would have been.

use ghc_eventlog::{Event, EventBody};

/// How the messages begin.
const SIGN: &str = "eventlog-socket: lost ";

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
