//! The encodings that a field can have in a payload.
//!
//! Each module is one encoding: how to take it off the front of a payload, and
//! how to append it. The table of events names one of them for every field. A
//! `get` returns `None` when the payload is too short, and the event is then
//! returned raw.

/// What is left of a payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl<'a> Cursor<'a> {
    #[inline(always)]
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    #[inline]
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// A big-endian number.
pub(crate) trait Number: Copy {
    fn get(c: &mut Cursor<'_>) -> Option<Self>;
    fn put(self, out: &mut Vec<u8>);
}

macro_rules! numbers {
    ($($int:ty)*) => {$(
        impl Number for $int {
            #[inline(always)]
            fn get(c: &mut Cursor<'_>) -> Option<Self> {
                c.array().map(Self::from_be_bytes)
            }
            fn put(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
        }
    )*};
}
numbers!(u8 u16 u32 u64);

/// A plain number.
pub(crate) mod num {
    use super::{Cursor, Number};

    #[inline(always)]
    pub(crate) fn get<T: Number>(c: &mut Cursor<'_>) -> Option<T> {
        T::get(c)
    }

    pub(crate) fn put<T: Number>(value: T, out: &mut Vec<u8>) {
        value.put(out);
    }
}

/// A number that newer runtime systems append, absent in older logs.
pub(crate) mod opt {
    use super::{Cursor, Number};

    pub(crate) fn get<T: Number>(c: &mut Cursor<'_>) -> Option<Option<T>> {
        Some(T::get(c))
    }

    pub(crate) fn put<T: Number>(value: Option<T>, out: &mut Vec<u8>) {
        if let Some(value) = value {
            value.put(out);
        }
    }
}

/// A numeric code.
pub(crate) mod code {
    use super::{Cursor, Number};
    use crate::codes::{Breakdown, CapsetType, StopStatus};

    pub(crate) trait Code: Sized {
        type Int: Number;
        fn wrap(number: Self::Int) -> Self;
        fn unwrap(self) -> Self::Int;
    }

    macro_rules! code {
        ($($Code:ident $int:ty)*) => {$(
            impl Code for $Code {
                type Int = $int;
                #[inline(always)]
                fn wrap(number: $int) -> Self {
                    Self(number)
                }
                fn unwrap(self) -> $int {
                    self.0
                }
            }
        )*};
    }
    code!(StopStatus u16 CapsetType u16 Breakdown u32);

    #[inline(always)]
    pub(crate) fn get<T: Code>(c: &mut Cursor<'_>) -> Option<T> {
        T::Int::get(c).map(T::wrap)
    }

    pub(crate) fn put<T: Code>(value: T, out: &mut Vec<u8>) {
        value.unwrap().put(out);
    }
}

/// Text up to the end of the payload, NULs included.
pub(crate) mod rest {
    use super::Cursor;
    use crate::text::Text;

    pub(crate) fn get<'a>(c: &mut Cursor<'a>) -> Option<Text<'a>> {
        Some(Text(c.rest()))
    }

    pub(crate) fn put(text: Text<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(text.0);
    }
}

/// Text up to a NUL, or up to the end if there is none.
pub(crate) mod cstr {
    use super::Cursor;
    use crate::text::Text;

    pub(crate) fn get<'a>(c: &mut Cursor<'a>) -> Option<Text<'a>> {
        if c.0.is_empty() {
            return None;
        }
        let length = c.0.iter().position(|&b| b == 0);
        let text = c.bytes(length.unwrap_or(c.0.len()))?;
        let _nul = c.array::<1>();
        Some(Text(text))
    }

    pub(crate) fn put(text: Text<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(text.0);
        out.push(0);
    }
}

/// A [`cstr`] that newer runtime systems append, absent in older logs.
pub(crate) mod optcstr {
    use super::{Cursor, cstr};
    use crate::text::Text;

    pub(crate) fn get<'a>(c: &mut Cursor<'a>) -> Option<Option<Text<'a>>> {
        Some(cstr::get(c))
    }

    pub(crate) fn put(text: Option<Text<'_>>, out: &mut Vec<u8>) {
        if let Some(text) = text {
            cstr::put(text, out);
        }
    }
}

/// Text ended by the last four bytes of the payload, which are not part of it.
pub(crate) mod before_id {
    use super::Cursor;
    use crate::text::Text;

    pub(crate) fn get<'a>(c: &mut Cursor<'a>) -> Option<Text<'a>> {
        c.bytes(c.0.len().checked_sub(4)?).map(Text)
    }

    pub(crate) fn put(text: Text<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(text.0);
    }
}

/// Strings up to the end of the payload.
pub(crate) mod cstrs {
    use super::Cursor;
    use crate::text::Texts;

    pub(crate) fn get<'a>(c: &mut Cursor<'a>) -> Option<Texts<'a>> {
        Some(Texts(c.rest()))
    }

    pub(crate) fn put(texts: Texts<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(texts.0);
    }
}

/// Bytes up to the end of the payload.
pub(crate) mod blob {
    use super::Cursor;

    pub(crate) fn get<'a>(c: &mut Cursor<'a>) -> Option<&'a [u8]> {
        Some(c.rest())
    }

    pub(crate) fn put(bytes: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(bytes);
    }
}

/// A count in one byte, then as many ids of four bytes.
pub(crate) mod stack {
    use super::{Cursor, Number};
    use crate::text::Stack;

    pub(crate) fn get<'a>(c: &mut Cursor<'a>) -> Option<Stack<'a>> {
        let depth = u8::get(c)?;
        c.bytes(usize::from(depth) * 4).map(Stack)
    }

    pub(crate) fn put(stack: Stack<'_>, out: &mut Vec<u8>) {
        // A stack is never made longer than 255.
        out.push(stack.len() as u8);
        out.extend_from_slice(stack.0);
    }
}

/// The block size of a non-moving census, whose width determines its unit.
pub(crate) mod blocksize {
    use super::{Cursor, Number};
    use crate::codes::BlockSize;

    /// Bytes of the three counts that follow.
    const COUNTS: usize = 12;

    pub(crate) fn get(c: &mut Cursor<'_>) -> Option<BlockSize> {
        if c.0.len() >= 2 + COUNTS {
            u16::get(c).map(BlockSize::Bytes)
        } else {
            u8::get(c).map(BlockSize::Log2)
        }
    }

    pub(crate) fn put(size: BlockSize, out: &mut Vec<u8>) {
        match size {
            BlockSize::Log2(exponent) => exponent.put(out),
            BlockSize::Bytes(bytes) => bytes.put(out),
        }
    }
}
