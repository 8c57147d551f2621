//! A decoder over [`Read`]: files, pipes, sockets.

use crate::decoder::{Decoder, Frame, build};
use crate::error::Error;
use crate::event::{Ending, Item, Run};
use crate::header::Header;
use std::fmt;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::sync::Arc;

/// How much is read at a time. Larger reads gain nothing: this still fits into
/// a second-level cache.
const READ: usize = 256 * 1024;

/// Why a reader stopped.
#[derive(Debug)]
pub enum ReadError {
    /// The source failed. Nothing is lost: after `Interrupted` or `WouldBlock`
    /// the caller may simply ask again.
    Io(io::Error),
    /// The bytes are at fault.
    Format(Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Format(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Format(error) => Some(error),
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        Self::Format(error)
    }
}

/// What [`Reader::for_each_part`] passes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// An item.
    Item(Item<'a>),
    /// The events just before, once more and all together: for callers that
    /// keep their bytes.
    Run(Run<'a>),
}

/// Items of a source, one after the other.
///
/// ```no_run
/// use ghc_eventlog::{Item, Reader};
///
/// let mut reader = Reader::new(std::fs::File::open("program.eventlog")?);
/// while let Some(item) = reader.next_item()? {
///     if let Item::Event(event) = item {
///         println!("{} {:?} {event}", event.time, event.cap);
///     }
/// }
/// if !reader.ending().marked {
///     eprintln!("the program was killed, or is still running");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    decoder: Decoder,
    buffer: Vec<u8>,
    taken: usize,
    filled: usize,
}

impl<R: Read> Reader<R> {
    /// A reader that stops at the first fault.
    pub fn new(source: R) -> Self {
        Self::with_decoder(source, Decoder::new())
    }

    /// A reader with a given decoder, for example one that recovers.
    pub fn with_decoder(source: R, decoder: Decoder) -> Self {
        Self {
            source,
            decoder,
            buffer: vec![0; READ],
            taken: 0,
            filled: 0,
        }
    }

    /// The next item; `None` when the source has no more bytes for now. If the
    /// file grows, call it again. Never returns [`Item::NeedMore`].
    ///
    /// [`for_each`](Self::for_each) returns the same at about twice the speed.
    ///
    /// # Errors
    ///
    /// Those of the source, and faults in the bytes.
    #[inline]
    pub fn next_item(&mut self) -> Result<Option<Item<'_>>, ReadError> {
        let rest = &self.buffer[self.taken..self.filled];
        if let Some(plain) = self.decoder.plain(rest) {
            let raw = self.taken..self.taken + plain.length;
            self.taken = raw.end;
            return Ok(Some(Item::Event(plain.event(&self.buffer[raw]))));
        }
        self.other_item()
    }

    #[inline(never)]
    fn other_item(&mut self) -> Result<Option<Item<'_>>, ReadError> {
        let frame = loop {
            let bytes = &self.buffer[..self.filled];
            match self.decoder.other(bytes, &mut self.taken)? {
                Frame::NeedMore if self.fill()? => {}
                Frame::NeedMore => return Ok(None),
                frame => break frame,
            }
        };
        Ok(Some(build(&frame, &self.buffer[..self.taken])))
    }

    /// Calls `each` with every item until the source has no more, or until it
    /// breaks. The items are the same as from [`next_item`](Self::next_item),
    /// but faster.
    ///
    /// # Errors
    ///
    /// Those of the source, and faults in the bytes.
    pub fn for_each<B>(
        &mut self,
        mut each: impl FnMut(Item<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, ReadError> {
        self.for_each_part(|part| match part {
            Part::Item(item) => each(item),
            Part::Run(_) => ControlFlow::Continue(()),
        })
    }

    /// The same, and after every few events their bytes: each event is in one
    /// [`Run`], unless `each` breaks before that run.
    ///
    /// # Errors
    ///
    /// Those of the source, and faults in the bytes.
    pub fn for_each_part<B>(
        &mut self,
        each: impl FnMut(Part<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, ReadError> {
        self.parts::<true, B>(each)
    }

    /// The same without most of the events themselves, which are then not
    /// decoded: each of them is in a [`Run`], and only a few are also passed on
    /// before it as an item.
    ///
    /// # Errors
    ///
    /// Those of the source, and faults in the bytes.
    pub fn for_each_run<B>(
        &mut self,
        each: impl FnMut(Part<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, ReadError> {
        self.parts::<false, B>(each)
    }

    fn parts<const EVENTS: bool, B>(
        &mut self,
        mut each: impl FnMut(Part<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, ReadError> {
        loop {
            let bytes = &self.buffer[..self.filled];
            let (before, place) = (self.taken, self.decoder.place());
            let flow = self
                .decoder
                .plain_events::<_, true>(bytes, &mut self.taken, |event| match EVENTS {
                    true => each(Part::Item(Item::Event(event))),
                    false => ControlFlow::Continue(()),
                });
            if flow.is_break() {
                return Ok(flow);
            }
            for run in place.runs(&bytes[before..self.taken]) {
                let flow = each(Part::Run(run));
                if flow.is_break() {
                    return Ok(flow);
                }
            }
            match self.decoder.other(bytes, &mut self.taken)? {
                Frame::NeedMore => {
                    if !self.fill()? {
                        return Ok(ControlFlow::Continue(()));
                    }
                }
                frame => {
                    let item = build(&frame, &bytes[..self.taken]);
                    let mut flow = each(Part::Item(item));
                    if let (Item::Event(event), true) = (item, flow.is_continue()) {
                        flow = each(Part::Run(event.into()));
                    }
                    if flow.is_break() {
                        return Ok(flow);
                    }
                }
            }
        }
    }

    /// Reads more; `false` at the end of the source.
    #[inline(never)]
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.copy_within(self.taken..self.filled, 0);
        self.filled -= self.taken;
        self.taken = 0;
        if self.filled == self.buffer.len() {
            // One item fills the whole buffer. The decoder bounds the length of
            // items.
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        loop {
            match self.source.read(&mut self.buffer[self.filled..]) {
                Ok(count) => {
                    self.filled += count;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The header of the current session.
    pub fn header(&self) -> Option<&Arc<Header>> {
        self.decoder.header()
    }

    /// The decoder.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Bytes that were read but are not a complete item.
    pub fn rest(&self) -> &[u8] {
        &self.buffer[self.taken..self.filled]
    }

    /// How the source ended, after `None`.
    pub fn ending(&self) -> Ending {
        self.decoder.ending(self.rest())
    }

    /// The source.
    pub fn get_ref(&self) -> &R {
        &self.source
    }
}
