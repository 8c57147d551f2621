//! Reads a header that arrives in pieces of any size.
//!
//! The parser takes one token at a time (a tag, or the declaration of a type)
//! and keeps the bytes itself, so that its caller does not have to buffer a
//! whole header.

use crate::declaration::{TYPE_BEGIN, declaration};
use crate::error::ErrorKind;
use crate::event_type::EventType;
use crate::header::Header;
use crate::layout::MAX_HEADER;

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

/// The result of taking a token.
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
            Expect::HeaderBegin => (b"hdrb", "no `hdrb`", Expect::TypesBegin),
            Expect::TypesBegin => (b"hetb", "no `hetb`", Expect::TypeOrEnd),
            Expect::TypeOrEnd if input.starts_with(TYPE_BEGIN) => return self.declaration(input),
            Expect::TypeOrEnd => (b"hete", "neither `etb` nor `hete`", Expect::HeaderEnd),
            Expect::HeaderEnd => (b"hdre", "no `hdre`", Expect::DataBegin),
            Expect::DataBegin => (b"datb", "no `datb`", Expect::DataBegin),
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

    fn declaration(&mut self, input: &[u8]) -> Result<Step, ErrorKind> {
        let Some(found) = declaration(input)? else {
            return Ok(Step::NeedMore);
        };
        self.keep(found.raw)?;
        self.types.push(EventType {
            id: found.id,
            size: found.size,
            description: String::from_utf8_lossy(found.description).into_owned(),
            extra: found.extra.to_vec(),
        });
        Ok(Step::Took(found.raw.len()))
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), ErrorKind> {
        if self.raw.len() + bytes.len() > MAX_HEADER {
            return Err(ErrorKind::HeaderTooLarge);
        }
        self.raw.extend_from_slice(bytes);
        Ok(())
    }
}
