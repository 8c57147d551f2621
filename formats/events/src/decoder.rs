//! The decoder: a state machine over slices, without a buffer of its own.
//!
//! It is given the bytes that have arrived and takes one item off their front.
//! An item that is not complete is left where it is, for the caller to offer
//! again with more behind it. [`Stream`](crate::Stream) and
//! [`Reader`](crate::Reader) do that bookkeeping.
//!
//! There are two paths through it. Ordinary events, nearly all of a log, are
//! decoded in a few instructions by `plain.rs`. For everything else
//! `framing.rs` finds the next item and its bounds, as numbers only
//! ([`Frame`]), and the frame is then turned into an [`Item`] that borrows the
//! bytes.

mod framing;
mod plain;
mod turns;

use crate::bounds::Scan;
use crate::error::Error;
use crate::event::{Block, Ending, Event, Gap, Item};
use crate::header::Header;
use crate::header_parser::HeaderParser;
use crate::old::Form;
use crate::sizes::SizeTable;
use plain::{BlockCap, Place, Plain};
use std::ops::ControlFlow;
use std::sync::Arc;

/// An incremental decoder of one stream.
///
/// ```
/// use ghc_eventlog::{Decoder, Header, Item};
///
/// let bytes = Header::standard().as_bytes().to_vec();
/// let mut input = &bytes[..];
/// let mut decoder = Decoder::new();
/// assert_eq!(decoder.decode(&mut input)?, Item::Header);
/// assert_eq!(decoder.decode(&mut input)?, Item::NeedMore);
/// assert!(input.is_empty());
/// # Ok::<(), ghc_eventlog::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    pub(crate) state: State,
    /// Bytes taken so far.
    pub(crate) offset: u64,
    /// Where the current block ends; events at or after it are in no block.
    pub(crate) block_end: u64,
    pub(crate) block_cap: BlockCap,
    pub(crate) sizes: SizeTable,
    pub(crate) header: Option<Arc<Header>>,
    pub(crate) headers: u64,
    pub(crate) marked: bool,
    pub(crate) recovery: bool,
    /// Search state of the info table at this offset.
    pub(crate) scan: (u64, Scan),
}

#[derive(Clone, Debug, Default)]
pub(crate) enum State {
    /// Nothing has been taken yet, or only a block marker.
    #[default]
    Start,
    /// Inside a header.
    Header(Box<HeaderParser>),
    /// Between blocks and events.
    Items,
    /// Looking for a place to go on after a fault.
    Resync { error: Error, from: u64 },
    /// After a final fault.
    Failed(Error),
}

/// An item by its bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Frame {
    /// `length` bytes, to be decoded in this form.
    Event {
        form: Form,
        cap: Option<u16>,
        length: u32,
        offset: u64,
    },
    /// A marker of `length` bytes.
    Block { length: u32, offset: u64 },
    /// The header is complete; its bytes were taken already.
    Header,
    /// The mark at the end of the log.
    End,
    /// A gap has ended; the bytes were taken already.
    Gap(Gap),
    /// Not enough bytes; some may have been taken.
    NeedMore,
}

impl Decoder {
    /// A decoder for a stream that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// A decoder for the events of a block from `offset` on, which must be the
    /// beginning of an event: after the marker, or further on. `cap` is the
    /// capability of the block, `block_end` is where it ends according to its
    /// marker ([`Block`]); for a block of size 0 that is `u64::MAX`.
    ///
    /// The rest of the stream can be decoded after it.
    ///
    /// ```
    /// use ghc_eventlog::{BlockBuilder, Decoder, EventBody, Header, Item};
    /// use std::sync::Arc;
    ///
    /// let header = Arc::new(Header::standard());
    /// let mut block = BlockBuilder::new(Some(3));
    /// block.push_body(&header, 1000, &EventBody::RunThread { thread: 1 })?;
    /// let bytes = block.finish();
    ///
    /// let end = bytes.len() as u64;
    /// let mut decoder = Decoder::at(header, Some(3), 24, end);
    /// let mut input = &bytes[24..];
    /// let Item::Event(event) = decoder.decode(&mut input)? else { panic!() };
    /// assert_eq!((event.cap, event.offset), (Some(3), 24));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn at(header: Arc<Header>, cap: Option<u16>, offset: u64, block_end: u64) -> Self {
        Self {
            state: State::Items,
            offset,
            block_end,
            block_cap: BlockCap::new(cap),
            sizes: header.sizes().clone(),
            header: Some(header),
            headers: 1,
            ..Self::default()
        }
    }

    /// Whether to go on after a fault, at the next place that looks like the
    /// start of a block or of a header. What is skipped is reported as
    /// [`Item::Gap`]. Without it the first fault is final.
    #[must_use]
    pub fn with_recovery(mut self, recovery: bool) -> Self {
        self.recovery = recovery;
        self
    }

    /// The header of the current session, once it is complete.
    pub fn header(&self) -> Option<&Arc<Header>> {
        self.header.as_ref()
    }

    /// How many headers have been completed: more than one after a restart.
    pub fn sessions(&self) -> u64 {
        self.headers
    }

    /// The bytes taken so far of a header that is not complete: together with
    /// the bytes not taken yet, everything that a stream has after its last
    /// item.
    pub fn unfinished_header(&self) -> &[u8] {
        match &self.state {
            State::Header(parser) => parser.as_bytes(),
            _ => &[],
        }
    }

    /// How many bytes have been taken: where the next item begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Takes the next item off the front of `input`.
    ///
    /// On [`Item::NeedMore`], what remains of `input` must be offered again
    /// with at least one byte more.
    ///
    /// # Errors
    ///
    /// A fault in the bytes. It is final, and returned again by further calls,
    /// unless the decoder [recovers](Self::with_recovery).
    #[inline]
    pub fn decode<'a>(&mut self, input: &mut &'a [u8]) -> Result<Item<'a>, Error> {
        let bytes = *input;
        if let Some(plain) = self.plain(bytes) {
            let (raw, rest) = bytes.split_at(plain.length);
            *input = rest;
            return Ok(Item::Event(plain.event(raw)));
        }
        let mut taken = 0;
        let frame = self.other(bytes, &mut taken)?;
        *input = &bytes[taken..];
        Ok(build(&frame, &bytes[..taken]))
    }

    /// Calls `each` with the events at the front of `input`, as long as there
    /// are any and until it breaks. The event for which it breaks is taken.
    ///
    /// Whatever is not a whole event is left in `input`, for
    /// [`decode`](Self::decode): block markers, headers, the mark at the end,
    /// faults, events that have not arrived completely. This is the fastest way
    /// to decode bytes in memory, about twice as fast as `decode`.
    ///
    /// ```
    /// use ghc_eventlog::{BlockBuilder, Decoder, EventBody, Header, Item};
    /// use std::ops::ControlFlow;
    ///
    /// let header = Header::standard();
    /// let mut block = BlockBuilder::new(Some(0));
    /// for thread in 1..=3 {
    ///     block.push_body(&header, 1000, &EventBody::RunThread { thread })?;
    /// }
    /// let log = [header.as_bytes(), block.finish()].concat();
    ///
    /// let (mut decoder, mut input) = (Decoder::new(), &log[..]);
    /// let mut events = 0;
    /// while decoder.decode(&mut input)? != Item::NeedMore {
    ///     let _ = decoder.for_each_event(&mut input, |_| {
    ///         events += 1;
    ///         ControlFlow::<()>::Continue(())
    ///     });
    /// }
    /// assert_eq!(events, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn for_each_event<'a, B>(
        &mut self,
        input: &mut &'a [u8],
        each: impl FnMut(Event<'a>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.events::<B, true>(input, each)
    }

    /// The same, but the event for which `each` breaks is not taken: it stays
    /// at the front of `input`, and the decoder stays before it. So several
    /// blocks can be read in turns, ordered by time.
    #[inline]
    pub fn for_each_event_while<'a, B>(
        &mut self,
        input: &mut &'a [u8],
        each: impl FnMut(Event<'a>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.events::<B, false>(input, each)
    }

    #[inline(always)]
    fn events<'a, B, const TAKE_LAST: bool>(
        &mut self,
        input: &mut &'a [u8],
        mut each: impl FnMut(Event<'a>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        loop {
            let mut taken = 0;
            let flow = self.plain_events::<B, TAKE_LAST>(input, &mut taken, &mut each);
            *input = &input[taken..];
            flow?;
            let before = (self.offset, self.marked);
            let Some(frame) = self.other_event(input) else {
                return ControlFlow::Continue(());
            };
            let taken = (self.offset - before.0) as usize;
            let (bytes, rest) = input.split_at(taken);
            let Item::Event(event) = build(&frame, bytes) else {
                return ControlFlow::Continue(());
            };
            let flow = each(event);
            if flow.is_break() && !TAKE_LAST {
                (self.offset, self.marked) = before;
                return flow;
            }
            *input = rest;
            flow?;
        }
    }

    /// How the stream ends if nothing follows `rest`, the bytes that are left
    /// after [`Item::NeedMore`].
    pub fn ending(&self, rest: &[u8]) -> Ending {
        let gap = match self.state {
            State::Resync { error, from } => {
                let length = self.offset - from + rest.len() as u64;
                Some(Gap {
                    error,
                    offset: from,
                    length,
                })
            }
            _ => None,
        };
        let left = self.unfinished_header().len() + rest.len();
        Ending {
            header: self.headers > 0 && !matches!(self.state, State::Header(_)),
            marked: self.marked,
            left: if gap.is_some() { 0 } else { left as u64 },
            gap,
        }
    }

    /// The decoder's state that [`Place::plain_event`] needs.
    #[inline(always)]
    pub(crate) fn place(&self) -> Place {
        Place {
            offset: self.offset,
            block_end: self.block_end,
            block_cap: self.block_cap,
        }
    }

    /// Finds the event at the front of `bytes`, if it is an ordinary one that
    /// has arrived completely, and takes it. `None` for everything else, faults
    /// included.
    #[inline(always)]
    pub(crate) fn plain(&mut self, bytes: &[u8]) -> Option<Plain> {
        let plain = self.place().plain(&self.sizes, bytes)?;
        self.offset += plain.length as u64;
        self.marked = false;
        Some(plain)
    }

    /// Calls `each` with the plain events at the front of `bytes` until there
    /// are no more or it breaks; the one for which it breaks is taken only if
    /// `TAKE_LAST`. What changes from event to event stays in registers here,
    /// which about doubles the speed.
    #[inline(always)]
    pub(crate) fn plain_events<'a, B, const TAKE_LAST: bool>(
        &mut self,
        bytes: &'a [u8],
        taken: &mut usize,
        mut each: impl FnMut(Event<'a>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut place = self.place();
        let mut rest = &bytes[*taken..];
        let mut flow = ControlFlow::Continue(());
        while let Some(plain) = place.plain(&self.sizes, rest) {
            let (raw, after) = rest.split_at(plain.length);
            flow = each(plain.event(raw));
            if flow.is_break() && !TAKE_LAST {
                break;
            }
            place.offset += plain.length as u64;
            rest = after;
            if flow.is_break() {
                break;
            }
        }
        let count = bytes.len() - *taken - rest.len();
        *taken += count;
        self.offset = place.offset;
        self.marked &= count == 0;
        flow
    }
}

/// The item of a frame; `bytes` ends with the bytes of the item.
pub(crate) fn build<'a>(frame: &Frame, bytes: &'a [u8]) -> Item<'a> {
    match *frame {
        Frame::Event {
            form,
            cap,
            length,
            offset,
        } => {
            let raw = &bytes[bytes.len() - length as usize..];
            Item::Event(Event::from_raw(raw, form, cap, offset))
        }
        Frame::Block { length, offset } => Item::Block(Block::parse(
            &bytes[bytes.len() - length as usize..],
            offset,
        )),
        Frame::Header => Item::Header,
        Frame::End => Item::End,
        Frame::Gap(gap) => Item::Gap(gap),
        Frame::NeedMore => Item::NeedMore,
    }
}
