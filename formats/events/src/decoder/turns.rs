//! Reading several complete blocks in turns: the events of several capabilities
//! ordered by time, each decoded in place.

use super::plain::{BlockCap, Place};
use super::{Decoder, Frame, State};
use crate::event::{Block, Encoded};
use crate::layout::{HEADER_BEGIN, HEADER_SIGN};

impl Decoder {
    /// Moves to another place of the same session, where an event begins, and
    /// forgets a fault. What is returned afterwards belongs to that place, as
    /// with [`at`](Self::at). Does nothing while there is no header.
    #[inline]
    pub fn seek(&mut self, cap: Option<u16>, offset: u64, block_end: u64) {
        if !matches!(self.state, State::Items) {
            let Some(header) = &self.header else { return };
            self.sizes = header.sizes().clone();
            self.state = State::Items;
        }
        self.offset = offset;
        self.block_end = block_end;
        self.block_cap = BlockCap::new(cap);
        self.marked = false;
    }

    /// Calls `each` with the events at the front of `input` for as long as they
    /// are not later than `limit`.
    ///
    /// Times can go back, so each event counts with `reached`, the latest time
    /// so far, or its own if that is later. Returns the time with which the
    /// next event counts, the first beyond the limit; `None` if what follows is
    /// not a whole event. That is left to [`decode`](Self::decode).
    ///
    /// ```
    /// use ghc_eventlog::{BlockBuilder, Decoder, EventBody, Header, Item};
    ///
    /// let header = Header::standard();
    /// let mut block = BlockBuilder::new(Some(0));
    /// for time in [10, 30, 20, 40] {
    ///     block.push_body(&header, time, &EventBody::GcStart)?;
    /// }
    /// let log = [header.as_bytes(), block.finish()].concat();
    ///
    /// let (mut decoder, mut input) = (Decoder::new(), &log[..]);
    /// while !matches!(decoder.decode(&mut input)?, Item::Block(_)) {}
    /// let (mut reached, mut times) = (0, Vec::new());
    /// let next = decoder.events_until(&mut input, &mut reached, 30, |event| times.push(event.time));
    /// assert_eq!((next, times), (Some(40), vec![10, 30, 20]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn events_until<'a>(
        &mut self,
        input: &mut &'a [u8],
        reached: &mut u64,
        limit: u64,
        mut each: impl FnMut(Encoded<'a>),
    ) -> Option<u64> {
        let mut place = self.place();
        let mut rest = *input;
        let mut latest = *reached;
        let next = loop {
            // There is one call of `each`, so that it becomes a part of this loop, and what it does
            // not need of an event is not worked out.
            let (event, after) = match place.plain(&self.sizes, rest) {
                Some(plain) => {
                    let (raw, after) = rest.split_at(plain.length);
                    (plain.encoded(raw), after)
                }
                None => match self.other_encoded(&mut place, rest) {
                    Some(other) => other,
                    None => break None,
                },
            };
            let time = event.time.max(latest);
            if time > limit {
                break Some(time);
            }
            latest = time;
            place.offset += (rest.len() - after.len()) as u64;
            rest = after;
            each(event);
        };
        self.offset = place.offset;
        *input = rest;
        *reached = latest;
        next
    }

    /// The event at a place, which is the front of `rest`, and what follows it. Does not move.
    #[inline(never)]
    fn other_encoded<'a>(
        &mut self,
        place: &mut Place,
        rest: &'a [u8],
    ) -> Option<(Encoded<'a>, &'a [u8])> {
        self.offset = place.offset;
        let frame = self.other_event(rest)?;
        let (bytes, after) = rest.split_at((self.offset - place.offset) as usize);
        let before = std::mem::replace(place, self.place());
        place.offset = before.offset;
        Some((encoded(&frame, bytes)?, after))
    }

    /// Returns how many bytes at the front of `input` are events for which `holds`, without moving.
    /// What is behind them is one for which it does not hold, or the end, or anything but an ordinary
    /// event.
    #[inline(always)]
    pub fn events_while<'a>(
        &self,
        input: &'a [u8],
        mut holds: impl FnMut(&Encoded<'a>) -> bool,
    ) -> usize {
        let mut place = self.place();
        let mut rest = input;
        while let Some(plain) = place.plain(&self.sizes, rest) {
            let (raw, after) = rest.split_at(plain.length);
            if !holds(&plain.encoded(raw)) {
                break;
            }
            place.offset += plain.length as u64;
            rest = after;
        }
        input.len() - rest.len()
    }

    /// The time of the event at the front of `input`, if there is a whole one.
    #[inline]
    pub fn next_time(&mut self, input: &[u8]) -> Option<u64> {
        if let Some(plain) = self.place().plain(&self.sizes, input) {
            return Some(plain.time());
        }
        let before = self.offset;
        let frame = self.other_event(input)?;
        self.offset = before;
        matches!(frame, Frame::Event { .. })
            .then(|| input.get(2..10)?.first_chunk().copied())?
            .map(u64::from_be_bytes)
    }

    /// How many bytes are left of the current block according to its marker;
    /// `None` if the marker does not say, and outside any block.
    pub fn left_of_block(&self) -> Option<u64> {
        let within = matches!(self.state, State::Items) && self.block_end != u64::MAX;
        within
            .then(|| self.block_end.checked_sub(self.offset))
            .flatten()
    }

    /// Takes bytes of the current block off the front of `input`, undecoded: up
    /// to the end of the block, or all that are there. None are taken if the
    /// marker does not say where the block ends.
    ///
    /// Whether the marker is right can be checked: call
    /// [`may_begin_header`](Self::may_begin_header) before the first bytes,
    /// [`block_can_end_before`](Self::block_can_end_before) and
    /// [`are_events`](Self::are_events) after the last ones.
    ///
    /// ```
    /// use ghc_eventlog::{BlockBuilder, Decoder, EventBody, Header, Item};
    ///
    /// let header = Header::standard();
    /// let mut block = BlockBuilder::new(Some(0));
    /// block.push_body(&header, 1000, &EventBody::GcStart)?;
    /// let log = [header.as_bytes(), block.finish(), b"rest"].concat();
    ///
    /// let (mut decoder, mut input) = (Decoder::new(), &log[..]);
    /// while !matches!(decoder.decode(&mut input)?, Item::Block(_)) {}
    /// assert_eq!(decoder.take_block_bytes(&mut input).len(), 10);
    /// assert_eq!(input, b"rest");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn take_block_bytes<'a>(&mut self, input: &mut &'a [u8]) -> &'a [u8] {
        let left = self.left_of_block().unwrap_or(0);
        let length = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let (taken, rest) = input.split_at(length);
        *input = rest;
        self.offset += length as u64;
        self.marked &= length == 0;
        taken
    }

    /// Whether these bytes begin a header, as far as they go: GHC 9.0 starts
    /// its log again inside a block. Four bytes are enough to decide.
    pub fn may_begin_header(bytes: &[u8]) -> bool {
        let sign = HEADER_BEGIN.len().min(bytes.len());
        bytes[..sign] == HEADER_BEGIN[..sign]
    }

    /// Whether `next`, the bytes after a block, begins with something that is
    /// unlikely to appear by chance: another block, or a header. If not, the
    /// block may have ended before the place that its marker says.
    pub fn block_can_end_before(next: &[u8]) -> bool {
        Block::is_plausible(next) || next.starts_with(HEADER_SIGN)
    }

    /// Whether `bytes`, from the decoder's place on, are whole events and
    /// nothing else.
    pub fn are_events(&self, mut bytes: &[u8]) -> bool {
        let mut decoder = self.clone();
        let all = &mut bytes;
        decoder
            .events_until(all, &mut 0, u64::MAX, |_| {})
            .is_none()
            && all.is_empty()
    }
}

/// The event of a frame; `bytes` ends where the event does.
fn encoded<'a>(frame: &Frame, bytes: &'a [u8]) -> Option<Encoded<'a>> {
    let Frame::Event {
        form,
        cap,
        length,
        offset,
    } = *frame
    else {
        return None;
    };
    let raw = &bytes[bytes.len() - length as usize..];
    Some(Encoded::from_raw(raw, form, cap, offset))
}
