//! What is missing from a stream and says so.
//!
//! The socket library tells its losses in the stream, in a message of a fixed
//! form, where the missing chunks would have been.

use ghc_eventlog::Event;
use ghc_eventlog::notes::Note;

/// Losses told so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Losses {
    pub notes: u64,
    pub chunks: u64,
    pub bytes: u64,
}

impl Losses {
    #[inline]
    pub fn event(&mut self, event: &Event<'_>) {
        if let Some(Note::Loss(loss)) = Note::of(event) {
            self.notes += 1;
            self.chunks = self.chunks.saturating_add(loss.chunks);
            self.bytes = self.bytes.saturating_add(loss.bytes);
        }
    }
}
