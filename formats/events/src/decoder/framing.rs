//! Framing of everything except ordinary events: the start of a stream,
//! headers, block markers, info tables, faults, and recovery from them.
//!
//! # Faults
//!
//! The format does not synchronise by itself: the only way to find the next
//! item is to know the length of this one. After a fault a recovering decoder
//! therefore looks for the next thing that is unlikely to appear by chance: a
//! block marker with sensible fields or the first eight bytes of a header.

use super::plain::BlockCap;
use super::{Decoder, Frame, State};
use crate::bounds::{Scan, is_hole};
use crate::error::{Error, ErrorKind, LooksLike};
use crate::event::{Block, Gap};
use crate::event_type::DATA_END;
use crate::header_parser::{HeaderParser, Step};
use crate::ids::BLOCK_MARKER;
use crate::layout::{HEADER_BEGIN, HEADER_SIGN, MARKER_LEN, MAX_ITEM};
use crate::old::Form;
use crate::sizes::{Size, SizeTable};

/// How many bytes are examined to guess what kind of file it is.
const GUESS: usize = 24;
/// What the available bytes are.
enum Found {
    Frame(Frame),
    /// Nothing yet, but the state has changed: try again.
    Again,
}

impl Decoder {
    /// Frames whatever [`plain_event`](Self::plain_event) declined.
    #[inline(never)]
    pub(crate) fn other(&mut self, bytes: &[u8], taken: &mut usize) -> Result<Frame, Error> {
        loop {
            let rest = &bytes[*taken..];
            let before = self.offset;
            let found = match self.state {
                State::Failed(error) => return Err(error),
                State::Resync { error, from } => Ok(self.resync(error, from, rest)),
                State::Start => self.start(rest),
                State::Header(_) => self.header_token(rest),
                State::Items => self.item(rest),
            };
            *taken += (self.offset - before) as usize;
            match found {
                Ok(Found::Frame(frame)) => return Ok(frame),
                Ok(Found::Again) => {}
                Err(kind) => {
                    let error = Error {
                        offset: self.offset,
                        kind,
                    };
                    self.sizes = SizeTable::default();
                    self.block_end = 0;
                    self.marked = false;
                    if !self.recovery {
                        self.state = State::Failed(error);
                        return Err(error);
                    }
                    // Decoding cannot resume at the faulty item itself.
                    let from = self.offset - self.unfinished_header().len() as u64;
                    self.state = State::Resync { error, from };
                    self.offset += 1;
                    *taken += 1;
                }
            }
        }
    }

    /// Frames an event that [`plain`](Self::plain) declined. If it is anything
    /// else, takes nothing and changes nothing.
    #[inline(never)]
    pub(crate) fn other_event(&mut self, rest: &[u8]) -> Option<Frame> {
        let id = u16::from_be_bytes(*rest.first_chunk()?);
        let event = id != BLOCK_MARKER && id != DATA_END && self.sizes.declares(id);
        if !matches!(self.state, State::Items) || !event {
            return None;
        }
        // A fault changes nothing here: `other` finds it again.
        match self.item(rest) {
            Ok(Found::Frame(frame @ Frame::Event { .. })) => Some(frame),
            _ => None,
        }
    }

    fn start(&mut self, rest: &[u8]) -> Result<Found, ErrorKind> {
        if rest.starts_with(HEADER_BEGIN) {
            self.begin_header();
            return Ok(Found::Again);
        }
        // GHC 9.0 writes the header of a restarted log inside a block.
        let marker = rest.starts_with(&BLOCK_MARKER.to_be_bytes());
        let wanted = if marker { MARKER_LEN + 4 } else { GUESS };
        if rest.len() < wanted {
            return Ok(Found::Frame(Frame::NeedMore));
        }
        if marker && rest[MARKER_LEN..].starts_with(HEADER_BEGIN) {
            let frame = self.marker(MARKER_LEN, rest);
            self.begin_header();
            return Ok(Found::Frame(frame));
        }
        Err(ErrorKind::NotAnEventlog(LooksLike::guess(&rest[..GUESS])))
    }

    fn begin_header(&mut self) {
        self.sizes = SizeTable::default();
        self.block_end = 0;
        self.marked = false;
        self.state = State::Header(Box::default());
    }

    fn header_token(&mut self, rest: &[u8]) -> Result<Found, ErrorKind> {
        let State::Header(parser) = &mut self.state else {
            return Ok(Found::Again);
        };
        match HeaderParser::step(parser, rest)? {
            Step::NeedMore => Ok(Found::Frame(Frame::NeedMore)),
            Step::Took(count) => {
                self.offset += count as u64;
                Ok(Found::Again)
            }
            Step::Done(count, header) => {
                self.offset += count as u64;
                self.sizes = header.sizes().clone();
                self.header = Some(std::sync::Arc::new(*header));
                self.headers += 1;
                self.state = State::Items;
                Ok(Found::Frame(Frame::Header))
            }
        }
    }

    fn item(&mut self, rest: &[u8]) -> Result<Found, ErrorKind> {
        const NEED_MORE: Result<Found, ErrorKind> = Ok(Found::Frame(Frame::NeedMore));
        let Some(&id) = rest.first_chunk() else {
            return NEED_MORE;
        };
        let id = u16::from_be_bytes(id);
        if id == DATA_END {
            self.offset += 2;
            self.marked = true;
            return Ok(Found::Frame(Frame::End));
        }
        let size = self.sizes.get(id);
        if size == Size::UNDECLARED {
            let sign = &HEADER_SIGN[..HEADER_SIGN.len().min(rest.len())];
            if !rest.starts_with(sign) {
                return Err(ErrorKind::Undeclared(id));
            }
            if sign.len() < HEADER_SIGN.len() {
                return NEED_MORE;
            }
            self.begin_header();
            return Ok(Found::Again);
        }
        let left = self.left_in_block();
        if self.scan.0 != self.offset {
            self.scan = (self.offset, Scan::default());
        }
        let limit = left.min(MAX_ITEM);
        let Some(bounds) = self.sizes.bounds(id, rest, limit, &mut self.scan.1)? else {
            return NEED_MORE;
        };
        let (payload_at, length) = (bounds.payload_at, bounds.length);
        // A block may end early: the marker of the next one lies within its
        // bounds.
        if length > left && id != BLOCK_MARKER {
            return Err(ErrorKind::CrossesBlockEnd(id));
        }
        if rest.len() < length {
            return NEED_MORE;
        }
        if id == BLOCK_MARKER {
            return Ok(Found::Frame(self.marker(length, rest)));
        }
        let time = u64::from_be_bytes(*rest[2..].first_chunk().unwrap_or(&[0; 8]));
        if is_hole(id, time, &rest[payload_at..length]) {
            return Err(ErrorKind::Hole);
        }
        let offset = self.offset;
        let cap = if offset < self.block_end {
            self.block_cap.get()
        } else {
            None
        };
        self.offset += length as u64;
        self.marked = false;
        let form = match size == Size::SHIFTED {
            true => Form::new(payload_at).shifted(),
            false => Form::new(payload_at),
        };
        let length = length as u32;
        Ok(Found::Frame(Frame::Event {
            form,
            cap,
            length,
            offset,
        }))
    }

    /// Bytes up to the end of the block; `usize::MAX` outside any block.
    fn left_in_block(&self) -> usize {
        let left = self
            .block_end
            .checked_sub(self.offset)
            .filter(|&left| left > 0);
        left.and_then(|left| usize::try_from(left).ok())
            .unwrap_or(usize::MAX)
    }

    /// Enters the block whose marker of `length` bytes begins `rest`.
    fn marker(&mut self, length: usize, rest: &[u8]) -> Frame {
        let offset = self.offset;
        let block = Block::parse(&rest[..length], offset);
        self.block_end = if (block.size as usize) < length {
            u64::MAX
        } else {
            offset + u64::from(block.size)
        };
        self.block_cap = BlockCap::new(block.cap);
        self.offset += length as u64;
        self.marked = false;
        Frame::Block {
            length: length as u32,
            offset,
        }
    }

    fn resync(&mut self, error: Error, from: u64, rest: &[u8]) -> Found {
        let markers = self
            .header
            .as_ref()
            .map(|header| header.sizes())
            .is_some_and(|sizes| {
                sizes.declares(BLOCK_MARKER) && sizes.marker_length() == MARKER_LEN
            });
        for at in 0..rest.len() {
            let here = &rest[at..];
            let sign = here.starts_with(HEADER_SIGN);
            let found = sign || (markers && Block::is_plausible(here));
            if !found {
                if here.len() < MARKER_LEN {
                    self.offset += at as u64;
                    return Found::Frame(Frame::NeedMore);
                }
                continue;
            }
            self.offset += at as u64;
            if sign {
                self.begin_header();
            } else if let Some(header) = &self.header {
                self.sizes = header.sizes().clone();
                self.state = State::Items;
            }
            let length = self.offset - from;
            return Found::Frame(Frame::Gap(Gap {
                error,
                offset: from,
                length,
            }));
        }
        self.offset += rest.len() as u64;
        Found::Frame(Frame::NeedMore)
    }
}
