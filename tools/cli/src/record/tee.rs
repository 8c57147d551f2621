//! A stream cut into pieces that can be written as they are.
//!
//! Recording must not lose a byte, whatever the decoder thinks of it. So the
//! bytes themselves are handed on; the decoder runs beside them and only tells
//! where a file may end and another one begin.

use super::carry::Carry;
use ghc_eventlog::{Ending, Error, Header, Item, Stream};
use std::io;
use std::sync::Arc;

/// What is handed on.
#[derive(Debug)]
pub enum Piece<'a> {
    /// A log begins here: with the very first header, or with that of a
    /// program that started its log again.
    Session,
    /// A block begins here: files may be cut.
    Boundary(&'a Cut<'a>),
    /// Bytes of the log.
    Bytes(&'a [u8]),
}

/// A place where the stream can be cut.
#[derive(Debug)]
pub struct Cut<'a> {
    carry: Option<&'a Carry>,
    header: &'a Header,
    /// The time at which the next block begins, in nanoseconds.
    pub time: u64,
}

impl Cut<'_> {
    /// What a file must begin with to go on from here.
    pub fn prologue(&self, told: &str) -> Vec<u8> {
        let mut bytes = self.header.as_bytes().to_vec();
        if let Some(carry) = self.carry {
            carry.blocks(self.header, told, &mut bytes);
        }
        bytes
    }

    /// The header of the log.
    pub fn header(&self) -> &Header {
        self.header
    }
}

/// See above.
#[derive(Debug, Default)]
pub struct Tee {
    stream: Stream,
    carry: Option<Carry>,
    header: Option<Arc<Header>>,
    /// Bytes not handed on yet, and their place in the stream.
    pending: Vec<u8>,
    offset: u64,
    fault: Option<Error>,
    events: u64,
    until: u64,
}

impl Tee {
    /// `carry`: whether the stream may be cut, so that the beginning of
    /// another file must be kept ready. That costs a little for each event.
    pub fn new(carry: bool) -> Self {
        Self {
            carry: carry.then(Carry::default),
            ..Self::default()
        }
    }

    /// The fault after which the bytes are handed on unseen.
    pub fn fault(&self) -> Option<Error> {
        self.fault
    }

    /// How many events have been seen, of all logs in the stream.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The time of the last event of this log.
    pub fn until(&self) -> u64 {
        self.until
    }

    /// Whether a header has been seen. Without one, nothing is handed on.
    pub fn has_header(&self) -> bool {
        self.header.is_some()
    }

    /// Whether the log has come to its end mark, with nothing after it.
    pub fn is_complete(&self) -> bool {
        self.fault.is_none() && self.stream.ending().is_complete()
    }

    /// How the stream ended, if it did in the middle of a header: there is no log in what came of it.
    pub fn ends_in_header(&self) -> Option<Ending> {
        let ending = self.stream.ending();
        (self.fault.is_none() && !ending.header && ending.left > 0).then_some(ending)
    }

    /// Takes bytes as they arrive, and hands on what is certain.
    pub fn push(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(Piece<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        self.pending.extend_from_slice(bytes);
        if self.fault.is_some() {
            return self.hand_on_all(&mut each);
        }
        self.stream.push(bytes);
        let mut done = 0;
        loop {
            let item = match self.stream.next_item() {
                Ok(Item::NeedMore) => break,
                Ok(item) => item,
                Err(fault) => {
                    self.fault = Some(fault);
                    if self.header.is_none() {
                        self.pending.clear();
                        return Ok(());
                    }
                    each(Piece::Bytes(&self.pending[done..]))?;
                    self.offset += self.pending.len() as u64;
                    self.pending.clear();
                    return Ok(());
                }
            };
            // Items are told apart before the carry sees them: the cut is
            // before the block, and the state too.
            match (&item, &self.header) {
                (Item::Block(block), Some(header)) => {
                    let at = (block.offset - self.offset) as usize;
                    each(Piece::Bytes(&self.pending[done..at]))?;
                    done = at;
                    each(Piece::Boundary(&Cut {
                        carry: self.carry.as_ref(),
                        header,
                        time: block.time,
                    }))?;
                }
                (Item::Event(event), _) => {
                    self.events += 1;
                    self.until = self.until.max(event.time);
                }
                (Item::Header, _) => {
                    self.until = 0;
                    if let Some(carry) = &mut self.carry {
                        carry.note(&item);
                    }
                    self.header = self.stream.header().cloned();
                    let length = self
                        .header
                        .as_ref()
                        .map_or(0, |header| header.as_bytes().len());
                    let end = (self.stream.decoder().offset() - self.offset) as usize;
                    let at = end.saturating_sub(length).max(done);
                    // Old systems put a few stray bytes before the header.
                    // They would make the file unreadable for most tools.
                    if self.stream.decoder().sessions() > 1 {
                        each(Piece::Bytes(&self.pending[done..at]))?;
                    }
                    done = at;
                    each(Piece::Session)?;
                    continue;
                }
                _ => {}
            }
            if let Some(carry) = &mut self.carry {
                carry.note(&item);
            }
        }
        // Before the header is complete, it is not known where it begins.
        if self.header.is_some() {
            let taken = (self.stream.decoder().offset() - self.offset) as usize;
            let taken = if self.in_header() { done } else { taken };
            each(Piece::Bytes(&self.pending[done..taken]))?;
            self.pending.drain(..taken);
            self.offset += taken as u64;
        }
        Ok(())
    }

    /// Whether a further header has begun: its bytes go to another file.
    fn in_header(&self) -> bool {
        !self.stream.ending().header
    }

    /// The stream is over: hands on what is left, complete or not.
    pub fn finish(&mut self, mut each: impl FnMut(Piece<'_>) -> io::Result<()>) -> io::Result<()> {
        self.hand_on_all(&mut each)
    }

    fn hand_on_all(
        &mut self,
        each: &mut impl FnMut(Piece<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        self.offset += self.pending.len() as u64;
        let bytes = std::mem::take(&mut self.pending);
        if bytes.is_empty() {
            Ok(())
        } else {
            each(Piece::Bytes(&bytes))
        }
    }
}
