//! Writing logs.
//!
//! [`Writer`] writes items back as they were read: what it writes for the items
//! of a log is that log, byte for byte, because headers, markers and events
//! carry their own bytes. New events are encoded from typed bodies, by
//! [`encode_event`] or into a [`BlockBuilder`](crate::BlockBuilder).

use crate::body::EventBody;
use crate::event::{Block, Event, Item};
use crate::event_type::DATA_END;
use crate::header::Header;
use crate::ids::BLOCK_MARKER;
use crate::old;
use std::fmt;
use std::io::{self, Write};

/// Why an event cannot be encoded under a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The header does not declare the type.
    Undeclared(u16),
    /// The header declares a size that differs from the event's.
    Size {
        /// The type.
        id: u16,
        /// Bytes that the header declares.
        declared: u16,
        /// Bytes that the event has.
        actual: usize,
    },
    /// The payload is longer than the format can express.
    TooLong(u16),
    /// Block markers and the final mark are not events.
    NotAnEvent(u16),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undeclared(id) => write!(f, "the header does not declare event type {id}"),
            Self::Size {
                id,
                declared,
                actual,
            } => {
                write!(
                    f,
                    "event type {id} has {declared} bytes in the header, not {actual}"
                )
            }
            Self::TooLong(id) => write!(f, "event of type {id} exceeds 64 KiB"),
            Self::NotAnEvent(id) => write!(f, "type {id} is not that of an event"),
        }
    }
}

impl std::error::Error for EncodeError {}

/// Appends an event, encoded for a log with this header.
///
/// # Errors
///
/// If the header does not declare the type, or not with this size. Nothing is
/// appended then.
pub fn encode_event(
    header: &Header,
    time: u64,
    body: &EventBody<'_>,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let id = body.id();
    if id == BLOCK_MARKER || id == DATA_END {
        return Err(EncodeError::NotAnEvent(id));
    }
    let kind = header.event_type(id).ok_or(EncodeError::Undeclared(id))?;
    let start = out.len();
    out.extend_from_slice(&id.to_be_bytes());
    out.extend_from_slice(&time.to_be_bytes());
    let length_at = out.len();
    if kind.size.is_none() {
        out.extend_from_slice(&[0; 2]);
    }
    let payload_at = out.len();
    match header.sizes().shifts_stop_codes() {
        false => body.encode_payload(out),
        true => old::shifted(*body).encode_payload(out),
    }
    let actual = out.len() - payload_at;
    let fault = match kind.size {
        Some(declared) if usize::from(declared) != actual => EncodeError::Size {
            id,
            declared,
            actual,
        },
        Some(_) => return Ok(()),
        None => match u16::try_from(actual) {
            Ok(length) => {
                out[length_at..payload_at].copy_from_slice(&length.to_be_bytes());
                return Ok(());
            }
            Err(_) => EncodeError::TooLong(id),
        },
    };
    out.truncate(start);
    Err(fault)
}

/// Writes a log to any [`Write`], which should be buffered.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    written: u64,
}

impl<W: Write> Writer<W> {
    /// A writer that has written nothing.
    pub fn new(out: W) -> Self {
        Self { out, written: 0 }
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Writes bytes that are already part of a log: a finished block, or an
    /// incomplete item to be kept.
    ///
    /// # Errors
    ///
    /// Those of the underlying writer, as for every method here.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Writes a header.
    ///
    /// # Errors
    ///
    /// Those of the underlying writer.
    pub fn header(&mut self, header: &Header) -> io::Result<()> {
        self.raw(header.as_bytes())
    }

    /// Writes the marker of a block. Exactly the events that the marker covers
    /// must follow.
    ///
    /// # Errors
    ///
    /// Those of the underlying writer.
    pub fn block(&mut self, block: &Block<'_>) -> io::Result<()> {
        self.raw(block.raw)
    }

    /// Writes an event as it was read.
    ///
    /// # Errors
    ///
    /// Those of the underlying writer.
    pub fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        self.raw(event.raw)
    }

    /// Writes the mark at the end of a log.
    ///
    /// # Errors
    ///
    /// Those of the underlying writer.
    pub fn end(&mut self) -> io::Result<()> {
        self.raw(&DATA_END.to_be_bytes())
    }

    /// Writes any item as it was read. `header` is the decoder's current
    /// header. Gaps are left out.
    ///
    /// # Errors
    ///
    /// Those of the underlying writer.
    pub fn item(&mut self, item: &Item<'_>, header: Option<&Header>) -> io::Result<()> {
        match item {
            Item::Header => header.map_or(Ok(()), |header| self.header(header)),
            Item::Block(block) => self.block(block),
            Item::Event(event) => self.event(event),
            Item::End => self.end(),
            Item::Gap(_) | Item::NeedMore => Ok(()),
        }
    }

    /// Flushes the underlying writer.
    ///
    /// # Errors
    ///
    /// Those of the underlying writer.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Returns the underlying writer.
    pub fn into_inner(self) -> W {
        self.out
    }
}
