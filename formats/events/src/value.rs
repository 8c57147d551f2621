//! One type for every field of every event, so that printing, filtering and
//! exporting need no code per event type.

use crate::codes::{BlockSize, Breakdown, CapsetType, StopStatus};
use crate::json;
use crate::text::{Stack, Text, Texts};
use std::fmt;

/// The value of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A number.
    UInt(u64),
    /// A numeric code, with its name if that is known.
    Code {
        /// The number in the log.
        code: u64,
        /// Its meaning.
        name: Option<&'static str>,
    },
    /// Text, perhaps not UTF-8.
    Text(Text<'a>),
    /// A list of texts.
    Texts(Texts<'a>),
    /// A list of cost-centre ids, innermost first.
    Stack(Stack<'a>),
    /// Bytes whose meaning is defined by the program.
    Blob(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The number, for the two numeric kinds.
    pub fn as_u64(self) -> Option<u64> {
        match self {
            Self::UInt(number) | Self::Code { code: number, .. } => Some(number),
            _ => None,
        }
    }

    /// The text, for text and for named codes.
    pub fn as_text(self) -> Option<Text<'a>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Code { name, .. } => name.map(Text::from),
            _ => None,
        }
    }

    /// Writes the value as JSON. Blobs become hexadecimal strings; codes
    /// become their name, or their number where it has none.
    pub fn write_json(&self, out: &mut impl fmt::Write) -> fmt::Result {
        match *self {
            Self::UInt(number) => write!(out, "{number}"),
            Self::Code {
                name: Some(name), ..
            } => json::string(out, Text::from(name)),
            Self::Code { code, .. } => write!(out, "{code}"),
            Self::Text(text) => json::string(out, text),
            Self::Texts(texts) => {
                json::list(out, texts.iter(), |out, text| json::string(out, text))
            }
            Self::Stack(stack) => json::list(out, stack.iter(), |out, id| write!(out, "{id}")),
            Self::Blob(bytes) => {
                out.write_char('"')?;
                bytes
                    .iter()
                    .try_for_each(|byte| write!(out, "{byte:02x}"))?;
                out.write_char('"')
            }
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Text(text) => text.fmt(f),
            Self::Code {
                name: Some(name), ..
            } => f.write_str(name),
            Self::Blob(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            _ => self.write_json(f),
        }
    }
}

/// A type that can be a field of an event.
pub(crate) trait Field<'a>: Copy {
    /// Its value; `None` if this event does not have the field.
    fn value(self) -> Option<Value<'a>>;
}

macro_rules! number_fields {
    ($($int:ty)*) => {$(
        impl<'a> Field<'a> for $int {
            fn value(self) -> Option<Value<'a>> {
                Some(Value::UInt(self.into()))
            }
        }
    )*};
}
number_fields!(u8 u16 u32 u64);

macro_rules! code_fields {
    ($($code:ty)*) => {$(
        impl<'a> Field<'a> for $code {
            fn value(self) -> Option<Value<'a>> {
                Some(Value::Code { code: self.0.into(), name: self.name() })
            }
        }
    )*};
}
code_fields!(StopStatus CapsetType Breakdown);

impl<'a> Field<'a> for Text<'a> {
    fn value(self) -> Option<Value<'a>> {
        Some(Value::Text(self))
    }
}

impl<'a> Field<'a> for Texts<'a> {
    fn value(self) -> Option<Value<'a>> {
        Some(Value::Texts(self))
    }
}

impl<'a> Field<'a> for Stack<'a> {
    fn value(self) -> Option<Value<'a>> {
        Some(Value::Stack(self))
    }
}

impl<'a> Field<'a> for &'a [u8] {
    fn value(self) -> Option<Value<'a>> {
        Some(Value::Blob(self))
    }
}

impl<'a> Field<'a> for BlockSize {
    fn value(self) -> Option<Value<'a>> {
        self.bytes().map(Value::UInt)
    }
}

impl<'a, T: Field<'a>> Field<'a> for Option<T> {
    fn value(self) -> Option<Value<'a>> {
        self.and_then(T::value)
    }
}
