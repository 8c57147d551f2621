//! Reads a header in whatever pieces it arrives.
//!
//! The parser takes one token at a time (a tag, or the declaration of a type)
//! and keeps the bytes itself, so that nobody else has to hold a header whole.

use crate::error::ErrorKind;
use crate::event_type::EventType;
use crate::header::{
    DATA_BEGIN, HEADER_BEGIN, HEADER_END, Header, MAX_HEADER, TYPE_BEGIN, TYPE_END, TYPES_BEGIN,
    TYPES_END, marker_is_sound,
};

/// The header so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeaderParser {
    raw: Vec<u8>,
    types: Vec<EventType>,
    expect: Expect,
}

#[derive(Clone, Copy, Debug, Default)]
enum Expect {
    #[default]
    HeaderBegin,
    TypesBegin,
    TypeOrEnd,
    HeaderEnd,
    DataBegin,
}

/// What a token came to.
pub(crate) enum Step {
    /// This many bytes were taken.
    Took(usize),
    /// This many bytes were taken, and the header is complete.
    Done(usize, Box<Header>),
    /// The token is not complete.
    NeedMore,
}

impl HeaderParser {
    /// The bytes so far.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.raw
    }

    /// Takes one token off the front of `input`.
    pub(crate) fn step(&mut self, input: &[u8]) -> Result<Step, ErrorKind> {
        let next = match self.expect {
            Expect::HeaderBegin => (HEADER_BEGIN, "no `hdrb`", Expect::TypesBegin),
            Expect::TypesBegin => (TYPES_BEGIN, "no `hetb`", Expect::TypeOrEnd),
            Expect::TypeOrEnd if input.starts_with(TYPE_BEGIN) => return self.declaration(input),
            Expect::TypeOrEnd => (TYPES_END, "neither `etb` nor `hete`", Expect::HeaderEnd),
            Expect::HeaderEnd => (HEADER_END, "no `hdre`", Expect::DataBegin),
            Expect::DataBegin => (DATA_BEGIN, "no `datb`", Expect::DataBegin),
        };
        let (tag, complaint, then) = next;
        let Some((found, _)) = input.split_first_chunk::<4>() else {
            return Ok(Step::NeedMore);
        };
        if found != tag {
            return Err(ErrorKind::BadHeader(complaint));
        }
        self.keep(found)?;
        if let Expect::DataBegin = self.expect {
            let raw = std::mem::take(&mut self.raw);
            let types = std::mem::take(&mut self.types);
            return Ok(Step::Done(4, Box::new(Header::new(raw, types))));
        }
        self.expect = then;
        Ok(Step::Took(4))
    }

    /// `etb\0`, number, size, description, extra bytes, `ete\0`.
    fn declaration(&mut self, input: &[u8]) -> Result<Step, ErrorKind> {
        let mut rest = &input[4..];
        let Some(&[a, b, c, d]) = take(&mut rest, 4).and_then(|bytes| bytes.first_chunk()) else {
            return Ok(Step::NeedMore);
        };
        let (id, size) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let mut parts = [&input[..0]; 2];
        for part in &mut parts {
            let Some(length) = take(&mut rest, 4).and_then(|bytes| bytes.first_chunk()) else {
                return Ok(Step::NeedMore);
            };
            let length = u32::from_be_bytes(*length) as usize;
            if length > MAX_HEADER {
                return Err(ErrorKind::HeaderTooLarge);
            }
            let Some(bytes) = take(&mut rest, length) else {
                return Ok(Step::NeedMore);
            };
            *part = bytes;
        }
        let Some(end) = take(&mut rest, 4) else {
            return Ok(Step::NeedMore);
        };
        if end != TYPE_END {
            return Err(ErrorKind::BadHeader("no `ete` after a declaration"));
        }
        let kind = EventType {
            id,
            size: (size != 0xffff).then_some(size),
            description: String::from_utf8_lossy(parts[0]).into_owned(),
            extra: parts[1].to_vec(),
        };
        if !marker_is_sound(&kind) {
            return Err(ErrorKind::BadHeader("block markers without their fields"));
        }
        let length = input.len() - rest.len();
        self.keep(&input[..length])?;
        self.types.push(kind);
        Ok(Step::Took(length))
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), ErrorKind> {
        if self.raw.len() + bytes.len() > MAX_HEADER {
            return Err(ErrorKind::HeaderTooLarge);
        }
        self.raw.extend_from_slice(bytes);
        Ok(())
    }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    Some(head)
}
