//! Framing of everything but ordinary events: the start of a stream, headers,
//! block markers, info tables, faults, and the way back from them.
//!
//! # Faults
//!
//! The format does not synchronise by itself: the only way to find the next
//! item is to know the length of this one. After a fault a recovering decoder
//! therefore looks for the next thing that is hard to mistake, a block marker
//! with sensible fields or the first eight bytes of a header.
//!
//! # Info tables
//!
//! Most releases since 9.6.5 declare these events one byte longer than they
//! are, older ones wrap lengths beyond 64 KiB. What is reliable is their
//! shape, eight bytes and six strings, so they are delimited by that. A
//! declared length that differs otherwise may come from a later system that
//! has added fields: it is believed if an item can begin where it ends.

use super::{Decoder, EVENT_HEAD, Frame, MAX_ITEM, State};
use crate::error::{Error, ErrorKind, LooksLike};
use crate::event::{Block, Gap};
use crate::event_type::{DATA_END, MARKER_LEN};
use crate::header::{HEADER_BEGIN, Size, SizeTable};
use crate::header_parser::{HeaderParser, Step};
use crate::ids::{BLOCK_MARKER, CREATE_THREAD, IPE};
use crate::old::Form;

/// How a header begins: enough of it not to be mistaken.
pub(super) const HEADER_SIGN: &[u8; 8] = b"hdrbhetb";
/// How many bytes are looked at to tell what a strange file is.
const GUESS: usize = 24;
/// Strings of an info table event.
const IPE_STRINGS: u8 = 6;
/// Where its strings begin: after type, time, length and address.
const IPE_FIRST_STRING: usize = EVENT_HEAD + 2 + 8;

/// How far the search for the end of an incomplete info table event has come,
/// so that it is not begun again with every byte that arrives.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scan {
    offset: u64,
    at: usize,
    strings: u8,
}

/// What the bytes at hand amount to.
enum Found {
    Frame(Frame),
    /// Nothing yet, but the state has changed: look again.
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
                    // What is at fault cannot itself be the way back.
                    let from = self.offset - self.unfinished_header().len() as u64;
                    self.state = State::Resync { error, from };
                    self.offset += 1;
                    *taken += 1;
                }
            }
        }
    }

    /// Frames an event that [`plain`](Self::plain) declined. Takes nothing else,
    /// and changes nothing then.
    #[inline(never)]
    pub(crate) fn other_event(&mut self, rest: &[u8]) -> Option<Frame> {
        let id = u16::from_be_bytes(*rest.first_chunk()?);
        let event = id != BLOCK_MARKER && id != DATA_END && self.sizes.declares(id);
        if !matches!(self.state, State::Items) || !event {
            return None;
        }
        // A fault changes nothing yet: `other` finds it again.
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
        // What the shortest such event has before its payload.
        let fixed = self.sizes.fixed(size);
        let payload_at = if fixed.is_some() || id == BLOCK_MARKER {
            EVENT_HEAD
        } else {
            EVENT_HEAD + 2
        };
        if rest.len() < payload_at {
            return NEED_MORE;
        }
        let left = self.left_in_block();
        let length = match fixed {
            Some(size) => payload_at + size,
            None if id == BLOCK_MARKER => self.marker_length(),
            None if id == IPE => match self.info_table(rest, left.min(MAX_ITEM))? {
                Some(length) => length,
                None => return NEED_MORE,
            },
            None => payload_at + usize::from(be16(rest, EVENT_HEAD)),
        };
        // A block may end early: its marker is written over what it covers.
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
        if id == CREATE_THREAD && time == 0 && rest[payload_at..length].iter().all(|&b| b == 0) {
            return Err(ErrorKind::Hole);
        }
        let offset = self.offset;
        let cap = if offset < self.block_end {
            self.block_cap
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

    /// Bytes up to the end of the block, or no bound outside any.
    fn left_in_block(&self) -> usize {
        let left = self
            .block_end
            .checked_sub(self.offset)
            .filter(|&left| left > 0);
        left.and_then(|left| usize::try_from(left).ok())
            .unwrap_or(usize::MAX)
    }

    fn marker_length(&self) -> usize {
        let declared = self
            .header
            .as_ref()
            .and_then(|header| header.event_type(BLOCK_MARKER));
        declared
            .and_then(|kind| kind.size)
            .map_or(MARKER_LEN, |size| EVENT_HEAD + usize::from(size))
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
        self.block_cap = block.cap;
        self.offset += length as u64;
        self.marked = false;
        Frame::Block {
            length: length as u32,
            offset,
        }
    }

    /// The length of the info table event at the front of `rest`, which does
    /// not exceed `limit`; `None` if more bytes are needed to tell.
    fn info_table(&mut self, rest: &[u8], limit: usize) -> Result<Option<usize>, ErrorKind> {
        let declared = EVENT_HEAD + 2 + usize::from(be16(rest, EVENT_HEAD));
        let mut scan = self.scan;
        if scan.offset != self.offset || scan.at < IPE_FIRST_STRING {
            scan = Scan {
                offset: self.offset,
                at: IPE_FIRST_STRING,
                strings: 0,
            };
        }
        let window = &rest[..rest.len().min(limit)];
        while scan.strings < IPE_STRINGS {
            let Some(nul) = window
                .get(scan.at..)
                .and_then(|w| w.iter().position(|&b| b == 0))
            else {
                scan.at = scan.at.max(window.len());
                self.scan = scan;
                return match window.len() < limit {
                    true => Ok(None),
                    // Not of the known shape: only the declared length is left.
                    false if declared <= limit => Ok(Some(declared)),
                    false => Err(ErrorKind::TooLong(IPE)),
                };
            };
            scan.at += nul + 1;
            scan.strings += 1;
        }
        self.scan = scan;
        let excess = (declared as u64).wrapping_sub(scan.at as u64) & 0xffff;
        if excess <= 1 {
            return Ok(Some(scan.at));
        }
        if declared > limit {
            return Ok(Some(scan.at));
        }
        if declared == limit {
            return Ok(Some(declared));
        }
        let Some(next) = rest.get(declared..declared + 2) else {
            return Ok(None);
        };
        let believed = self.sizes.declares(u16::from_be_bytes([next[0], next[1]]));
        Ok(Some(if believed { declared } else { scan.at }))
    }

    fn resync(&mut self, error: Error, from: u64, rest: &[u8]) -> Found {
        let markers = self
            .header
            .as_ref()
            .is_some_and(|header| header.sizes().declares(BLOCK_MARKER))
            && self.marker_length() == MARKER_LEN;
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

fn be16(bytes: &[u8], at: usize) -> u16 {
    bytes[at..]
        .first_chunk()
        .map_or(0, |bytes| u16::from_be_bytes(*bytes))
}
