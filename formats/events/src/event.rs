//! The items that a decoder returns.

use crate::body::EventBody;
use crate::error::Error;
use crate::header::Header;
use crate::ids::{IPE, STOP_THREAD};
use crate::json;
use crate::old::Form;
use crate::text::Text;
use std::borrow::Cow;
use std::fmt;

/// Where the payload begins in an event that contains its own length.
const IPE_PAYLOAD: usize = 12;

/// Events that are contiguous in the stream, all of them in one block or
/// outside any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run<'a> {
    /// The capability of each of them.
    pub cap: Option<u16>,
    /// Their bytes.
    pub raw: &'a [u8],
    /// The offset of the first of them, in bytes from the start of the stream.
    pub offset: u64,
}

/// One event, borrowed from the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Nanoseconds since the program started. Not monotone, not even within a
    /// block: collections are written with the times at which they happened.
    pub time: u64,
    /// The capability of the block around the event; `None` for the global
    /// block and for events outside any block.
    pub cap: Option<u16>,
    /// What happened.
    pub body: EventBody<'a>,
    /// The whole event as it is stored in the log.
    pub raw: &'a [u8],
    /// Its offset, in bytes from the start of the stream.
    pub offset: u64,
    /// How to decode `raw`.
    pub(crate) form: Form,
}

/// An event that is delimited but not decoded: for code that needs little of
/// each, or only some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded<'a> {
    /// As [`Event::time`].
    pub time: u64,
    /// As [`Event::cap`].
    pub cap: Option<u16>,
    /// As [`Event::raw`].
    pub raw: &'a [u8],
    /// As [`Event::offset`].
    pub offset: u64,
    pub(crate) id: u16,
    pub(crate) form: Form,
}

impl<'a> Encoded<'a> {
    pub(crate) fn from_raw(raw: &'a [u8], form: Form, cap: Option<u16>, offset: u64) -> Self {
        let time = raw[2..]
            .first_chunk()
            .map_or(0, |bytes| u64::from_be_bytes(*bytes));
        Self {
            time,
            cap,
            raw,
            offset,
            id: u16::from_be_bytes([raw[0], raw[1]]),
            form,
        }
    }

    /// The number of the event's type.
    #[inline(always)]
    pub fn id(&self) -> u16 {
        self.id
    }

    /// What happened.
    #[inline(always)]
    pub fn body(&self) -> EventBody<'a> {
        self.body_as(self.id)
    }

    /// What happened, if the event is of this type. Where the type is known,
    /// decoding is only a few loads.
    #[inline(always)]
    pub fn body_as(&self, id: u16) -> EventBody<'a> {
        debug_assert_eq!(self.id, id);
        self.form.decode(id, &self.raw[self.form.payload_at()..])
    }

    /// Decodes the event.
    #[inline(always)]
    pub fn decode(&self) -> Event<'a> {
        self.decode_as(self.id)
    }

    /// Decodes the event, which is of this type: as [`body_as`](Self::body_as).
    #[inline(always)]
    pub fn decode_as(&self, id: u16) -> Event<'a> {
        Event {
            time: self.time,
            cap: self.cap,
            body: self.body_as(id),
            raw: self.raw,
            offset: self.offset,
            form: self.form,
        }
    }
}

impl<'a> From<Event<'a>> for Run<'a> {
    fn from(event: Event<'a>) -> Self {
        Self {
            cap: event.cap,
            raw: event.raw,
            offset: event.offset,
        }
    }
}

impl<'a> Event<'a> {
    pub(crate) fn from_raw(raw: &'a [u8], form: Form, cap: Option<u16>, offset: u64) -> Self {
        Encoded::from_raw(raw, form, cap, offset).decode()
    }

    /// The number of the event's type.
    pub fn id(&self) -> u16 {
        u16::from_be_bytes([self.raw[0], self.raw[1]])
    }

    /// The event as it was before it was decoded.
    #[inline]
    pub fn encoded(&self) -> Encoded<'a> {
        Encoded {
            time: self.time,
            cap: self.cap,
            raw: self.raw,
            offset: self.offset,
            id: self.id(),
            form: self.form,
        }
    }

    /// The machine name of the event's type; `"unknown"` if it has none.
    pub fn name(&self) -> &'static str {
        self.body.name()
    }

    /// The payload, with whatever follows the known fields.
    pub fn payload(&self) -> &'a [u8] {
        &self.raw[self.form.payload_at()..]
    }

    /// Whether the event, unchanged, means the same in a log with this header.
    pub fn fits(&self, header: &Header) -> bool {
        let size = header.event_type(self.id()).map(|kind| kind.size);
        let same_size = size
            .is_some_and(|size| size.is_none_or(|size| usize::from(size) == self.payload().len()));
        let stops = self.id() == STOP_THREAD;
        let same_codes = header.sizes().shifts_stop_codes() == self.form.is_shifted();
        same_size && (same_codes || !stops)
    }

    /// The real length of an info table event, if it declares another one. GHC
    /// itself declares one byte too many since 9.6.5.
    pub fn true_length(&self) -> Option<u16> {
        if self.id() != IPE || self.form.payload_at() != IPE_PAYLOAD {
            return None;
        }
        // Beyond 64 KiB, GHC declares the length modulo 64 KiB.
        let actual = (self.raw.len() - IPE_PAYLOAD) as u16;
        (self.declared_length() != actual).then_some(actual)
    }

    /// The length that an event of variable size declares.
    fn declared_length(&self) -> u16 {
        u16::from_be_bytes([self.raw[IPE_PAYLOAD - 2], self.raw[IPE_PAYLOAD - 1]])
    }

    /// The bytes of the event for another place in a log. They are unchanged,
    /// unless it declares a length that would be accepted there and was not
    /// accepted here: where an info table event ends can depend on what
    /// follows.
    pub fn raw_for_moving(&self) -> Cow<'a, [u8]> {
        match self.true_length() {
            // A length with one byte too many is never accepted.
            Some(actual) if self.declared_length().wrapping_sub(actual) > 1 => {
                let mut raw = self.raw.to_vec();
                raw[IPE_PAYLOAD - 2..IPE_PAYLOAD].copy_from_slice(&actual.to_be_bytes());
                Cow::Owned(raw)
            }
            _ => Cow::Borrowed(self.raw),
        }
    }

    /// Writes the event as one JSON object: `time`, `cap` (`null` for none),
    /// `event` (the machine name), then its fields.
    ///
    /// # Errors
    ///
    /// Only errors of `out`.
    pub fn write_json(&self, out: &mut impl fmt::Write) -> fmt::Result {
        write!(out, "{{\"time\":{},\"cap\":", self.time)?;
        match self.cap {
            Some(cap) => write!(out, "{cap}")?,
            None => out.write_str("null")?,
        }
        out.write_str(",\"event\":")?;
        json::string(out, Text::from(self.name()))?;
        let mut result = Ok(());
        self.body.fields(|name, value| {
            if result.is_ok() {
                result = write!(out, ",\"{name}\":").and_then(|()| value.write_json(out));
            }
        });
        result?;
        out.write_char('}')
    }
}

/// `name field=value ...`, for people to read.
impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let mut result = Ok(());
        self.body.fields(|name, value| {
            if result.is_ok() {
                result = write!(f, " {name}={value}");
            }
        });
        result
    }
}

/// One step of a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item<'a> {
    /// The header is complete: ask the decoder for it. A second one means that
    /// the runtime system started its log again, or that two logs were joined.
    Header,
    /// A block begins.
    Block(Block<'a>),
    /// An event.
    Event(Event<'a>),
    /// The mark that a log ends with. Items may still follow it: a restarted
    /// log, or more of the same log.
    End,
    /// Bytes that could not be decoded were skipped (only with
    /// [`recovery`](crate::Decoder::with_recovery)).
    Gap(Gap),
    /// The input has no further complete item.
    NeedMore,
}

/// The marker at the start of a block: events of one capability, as they were
/// flushed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// When the buffer was last emptied.
    pub time: u64,
    /// When it was flushed. No event of the block is later.
    pub end: u64,
    /// Bytes of the block, including the marker. 0 in logs rewritten by some
    /// tools: the block then reaches to the next marker.
    pub size: u32,
    /// The capability; `None` for the global block.
    pub cap: Option<u16>,
    /// The marker as it is stored in the log.
    pub raw: &'a [u8],
    /// Its offset, in bytes from the start of the stream.
    pub offset: u64,
}

impl Block<'_> {
    /// Whether the block has no events: the result of a flush that found
    /// nothing, which still shows how far the capability has come.
    pub fn is_empty(&self) -> bool {
        self.size as usize == self.raw.len()
    }
}

/// Bytes that were skipped to recover from a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// What was wrong, and where.
    pub error: Error,
    /// Where the gap begins: at the fault, or at the start of the header that
    /// it damages.
    pub offset: u64,
    /// How many bytes were skipped.
    pub length: u64,
}

/// How a stream ended, once there are no more bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Whether a complete header was seen.
    pub header: bool,
    /// Whether the last item was the mark that a log ends with. A program that
    /// was killed, or is still running, does not write it.
    pub marked: bool,
    /// Bytes of an incomplete item at the end, an unfinished header included.
    pub left: u64,
    /// The bytes still being skipped, if the stream ended inside a gap.
    pub gap: Option<Gap>,
}

impl Ending {
    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.header && self.marked && self.left == 0 && self.gap.is_none()
    }
}
