//! Just enough JSON to write one event on one line.

use crate::text::Text;
use std::fmt::{self, Write};

/// Writes a JSON string; invalid UTF-8 becomes U+FFFD.
pub(crate) fn string(out: &mut impl Write, text: Text<'_>) -> fmt::Result {
    out.write_char('"')?;
    for chunk in text.0.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => out.write_str("\\\"")?,
                '\\' => out.write_str("\\\\")?,
                '\n' => out.write_str("\\n")?,
                '\t' => out.write_str("\\t")?,
                '\r' => out.write_str("\\r")?,
                c if c < ' ' || c == '\u{7f}' => write!(out, "\\u{:04x}", c as u32)?,
                c => out.write_char(c)?,
            }
        }
        if !chunk.invalid().is_empty() {
            out.write_char('\u{fffd}')?;
        }
    }
    out.write_char('"')
}

/// Writes a JSON array.
pub(crate) fn list<W: Write, T>(
    out: &mut W,
    items: impl Iterator<Item = T>,
    mut each: impl FnMut(&mut W, T) -> fmt::Result,
) -> fmt::Result {
    out.write_char('[')?;
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.write_char(',')?;
        }
        each(out, item)?;
    }
    out.write_char(']')
}
