//! A decoder with a buffer, for bytes that arrive in pieces.

use crate::decoder::{Decoder, build};
use crate::error::Error;
use crate::event::{Ending, Item};
use crate::header::Header;
use std::sync::Arc;

/// Push bytes in any split, pull items.
///
/// Memory is at most what has been pushed and not yet pulled; once everything
/// is pulled only an incomplete item is kept.
///
/// ```
/// use ghc_eventlog::{Header, Item, Stream};
///
/// let mut stream = Stream::new();
/// let mut seen = Vec::new();
/// for byte in Header::standard().as_bytes() {
///     stream.push(&[*byte]);
///     loop {
///         match stream.next_item()? {
///             Item::NeedMore => break,
///             item => seen.push(matches!(item, Item::Header)),
///         }
///     }
/// }
/// assert_eq!(seen, [true]);
/// # Ok::<(), ghc_eventlog::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Stream {
    decoder: Decoder,
    bytes: Vec<u8>,
    taken: usize,
}

impl Stream {
    /// A stream that stops at the first fault.
    pub fn new() -> Self {
        Self::default()
    }

    /// A stream with a given decoder.
    pub fn with_decoder(decoder: Decoder) -> Self {
        Self {
            decoder,
            ..Self::default()
        }
    }

    /// Appends bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next item, or [`Item::NeedMore`].
    ///
    /// # Errors
    ///
    /// A fault in the bytes, after everything before it has been delivered.
    #[inline]
    pub fn next_item(&mut self) -> Result<Item<'_>, Error> {
        let rest = &self.bytes[self.taken..];
        if let Some(plain) = self.decoder.plain(rest) {
            self.taken += plain.length;
            return Ok(Item::Event(plain.event(&rest[..plain.length])));
        }
        let frame = self.decoder.other(&self.bytes, &mut self.taken)?;
        Ok(build(&frame, &self.bytes[..self.taken]))
    }

    /// The header of the current session.
    pub fn header(&self) -> Option<&Arc<Header>> {
        self.decoder.header()
    }

    /// The decoder.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// The bytes not taken yet.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// How the stream ends if nothing more is pushed.
    pub fn ending(&self) -> Ending {
        self.decoder.ending(self.rest())
    }
}
