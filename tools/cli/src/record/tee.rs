//! A stream cut into pieces that can be written as they are.
//!
//! Recording must not lose a byte, whether or not the decoder accepts it. So the bytes themselves
//! are handed on; the decoder runs beside them and only reports where one file may end and the next
//! begin.

use eventlog_state::{Follower, Keep, MergeOptions};
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
    Boundary(&'a mut Cut<'a>),
    /// Bytes of the log.
    Bytes(&'a [u8]),
}

/// A place where the stream can be cut.
#[derive(Debug)]
pub struct Cut<'a> {
    follower: Option<&'a mut Follower>,
    header: &'a Header,
    offset: u64,
    /// The time at which the next block begins, in nanoseconds.
    pub time: u64,
}

impl Cut<'_> {
    /// Whether a cut here separates nothing that belongs together.
    pub fn is_clean(&self) -> bool {
        self.follower.as_ref().is_some_and(|it| it.may_cut())
    }

    /// What a file must begin with to go on from here, behind this one; `None` if
    /// it cannot.
    pub fn prologue(&mut self, file: &str) -> Option<Vec<u8>> {
        let beginning = self.follower.as_mut()?.beginning()?;
        Some(beginning.prologue(self.offset, file))
    }

    /// The header of the log.
    pub fn header(&self) -> &Header {
        self.header
    }
}

/// A stream that is cut into pieces.
#[derive(Debug, Default)]
pub struct Tee {
    stream: Stream,
    /// How the stream is followed, so that it can be cut.
    options: Option<MergeOptions>,
    follower: Option<Follower>,
    /// Where the header of the log begins in the stream.
    begin: u64,
    header: Option<Arc<Header>>,
    /// Bytes not handed on yet, and their place in the stream.
    pending: Vec<u8>,
    offset: u64,
    fault: Option<Error>,
    events: u64,
    until: u64,
}

impl Tee {
    /// With options, the stream can be cut. It is followed for that, which costs
    /// a little for each event.
    pub fn new(options: Option<MergeOptions>) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    /// The fault after which the bytes are handed on without being decoded.
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

    /// Whether the log has reached its end mark, with nothing after it.
    pub fn is_complete(&self) -> bool {
        self.fault.is_none() && self.stream.ending().is_complete()
    }

    /// How the stream ended, if it ended in the middle of a header: what was received contains no
    /// log.
    pub fn ends_in_header(&self) -> Option<Ending> {
        let ending = self.stream.ending();
        (self.fault.is_none() && !ending.header && ending.left > 0).then_some(ending)
    }

    /// Takes bytes as they arrive, and hands on everything whose place is certain.
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
            match (&item, &self.header) {
                (Item::Block(block), Some(header)) => {
                    let at = (block.offset - self.offset) as usize;
                    let bytes = &self.pending[done..at];
                    follow(&mut self.follower, bytes);
                    each(Piece::Bytes(bytes))?;
                    done = at;
                    each(Piece::Boundary(&mut Cut {
                        follower: self.follower.as_mut(),
                        header,
                        offset: block.offset - self.begin,
                        time: block.time,
                    }))?;
                }
                (Item::Event(event), _) => {
                    self.events += 1;
                    self.until = self.until.max(event.time);
                }
                (Item::Header, _) => {
                    self.until = 0;
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
                    self.begin = self.offset + at as u64;
                    let follower = |options| Follower::new(options, Keep::for_beginnings());
                    self.follower = self.options.map(follower);
                    each(Piece::Session)?;
                }
                _ => {}
            }
        }
        // Before the header is complete, it is not known where it begins.
        if self.header.is_some() {
            let taken = (self.stream.decoder().offset() - self.offset) as usize;
            let taken = if self.in_header() { done } else { taken };
            let bytes = &self.pending[done..taken];
            follow(&mut self.follower, bytes);
            each(Piece::Bytes(bytes))?;
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

/// Takes bytes that were handed on.
fn follow(follower: &mut Option<Follower>, bytes: &[u8]) {
    let fault = |follower: &mut Follower| follower.push_bytes(bytes, &mut |_| {}).is_err();
    // Where it cannot follow, the stream is not cut any more.
    if follower.as_mut().is_some_and(fault) {
        *follower = None;
    }
}
