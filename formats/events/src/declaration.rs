//! The declarations of types, as they are stored in a header.
//!
//! ```text
//! hdrb hetb ( etb\0 u16 type, u16 size, u32 n, n bytes name, u32 m, m bytes, ete\0 )* hete hdre datb
//! ```
//! A size of 0xffff means that each event contains its own size.

use crate::error::ErrorKind;
use crate::ids::BLOCK_MARKER;
use crate::layout::{EVENT_HEAD, HEADER_SIGN, HEADER_TAIL, MARKER_LEN, MAX_HEADER};

pub(crate) const TYPE_BEGIN: &[u8; 4] = b"etb\0";
pub(crate) const TYPE_END: &[u8; 4] = b"ete\0";

/// One declaration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Declaration<'a> {
    pub(crate) id: u16,
    /// The declared size; `None` if each event contains its own.
    pub(crate) size: Option<u16>,
    pub(crate) description: &'a [u8],
    pub(crate) extra: &'a [u8],
    /// All bytes of the declaration.
    pub(crate) raw: &'a [u8],
}

/// Takes the declaration off the front of `input`, which begins with
/// [`TYPE_BEGIN`]. `None` if it has not arrived completely.
pub(crate) fn declaration(input: &[u8]) -> Result<Option<Declaration<'_>>, ErrorKind> {
    let mut rest = input;
    let Some(&[_, _, _, _, a, b, c, d]) = take(&mut rest, 8).and_then(|head| head.first_chunk())
    else {
        return Ok(None);
    };
    let (id, size) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let mut parts = [&input[..0]; 2];
    for part in &mut parts {
        let Some(length) = take(&mut rest, 4).and_then(|bytes| bytes.first_chunk()) else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        if length > MAX_HEADER {
            return Err(ErrorKind::HeaderTooLarge);
        }
        let Some(bytes) = take(&mut rest, length) else {
            return Ok(None);
        };
        *part = bytes;
    }
    let Some(end) = take(&mut rest, 4) else {
        return Ok(None);
    };
    if end != TYPE_END {
        return Err(ErrorKind::BadHeader("no `ete` after a declaration"));
    }
    let size = (size != 0xffff).then_some(size);
    if !marker_is_sound(id, size) {
        return Err(ErrorKind::BadHeader("block markers without their fields"));
    }
    let [description, extra] = parts;
    let length = input.len() - rest.len();
    let (raw, _) = input.split_at(length);
    Ok(Some(Declaration {
        id,
        size,
        description,
        extra,
        raw,
    }))
}

/// Block markers must have the fields that delimit a block.
pub(crate) fn marker_is_sound(id: u16, size: Option<u16>) -> bool {
    id != BLOCK_MARKER || size.is_some_and(|size| usize::from(size) + EVENT_HEAD >= MARKER_LEN)
}

/// The declarations of a complete header, in their order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Declarations<'a>(&'a [u8]);

impl<'a> Declarations<'a> {
    /// The declarations of the header at the front of `bytes`.
    pub(crate) fn of(bytes: &'a [u8]) -> Result<Self, ErrorKind> {
        let types = bytes.strip_prefix(HEADER_SIGN);
        let types = types.ok_or(ErrorKind::BadHeader("no `hdrb` and `hetb`"))?;
        let mut rest = types;
        while rest.starts_with(TYPE_BEGIN) {
            let Some(found) = declaration(rest)? else {
                return Err(ErrorKind::BadHeader("a declaration without its end"));
            };
            let _ = take(&mut rest, found.raw.len());
        }
        if !rest.starts_with(HEADER_TAIL) {
            return Err(ErrorKind::BadHeader("no `hete`, `hdre` and `datb`"));
        }
        if bytes.len() - rest.len() + HEADER_TAIL.len() > MAX_HEADER {
            return Err(ErrorKind::HeaderTooLarge);
        }
        Ok(Self(types))
    }
}

impl<'a> Iterator for Declarations<'a> {
    type Item = Declaration<'a>;

    fn next(&mut self) -> Option<Declaration<'a>> {
        if !self.0.starts_with(TYPE_BEGIN) {
            return None;
        }
        let found = declaration(self.0).ok()??;
        take(&mut self.0, found.raw.len())?;
        Some(found)
    }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    Some(head)
}
