//! How many columns of a terminal a text takes, and fitting it into fewer.

use std::borrow::Cow;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The columns that a text takes: two for most of East Asia's characters and
/// for pictures, none for accents that are joined to a letter.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text in at most so many columns; what does not fit becomes `…`. Codes
/// for colours take no room, and are kept.
pub fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    let codes = text.contains('\x1b');
    if !codes && width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    // Where to cut if there turns out to be too much: room is left for the sign.
    let mut fits = 0;
    let (mut used, mut full) = (0, false);
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == '\x1b' {
            shown.push(c);
            for c in rest.by_ref() {
                shown.push(c);
                if c.is_ascii_alphabetic() {
                    break;
                }
            }
            if !full && used < columns {
                fits = shown.len();
            }
            continue;
        }
        if full {
            continue;
        }
        let next = used + c.width().unwrap_or(0);
        if next > columns {
            // Of the rest only codes are of interest, so that colours end.
            shown.truncate(fits);
            if columns > 0 {
                shown.push('…');
            }
            full = true;
            continue;
        }
        used = next;
        shown.push(c);
        if used < columns {
            fits = shown.len();
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_not_characters() {
        assert_eq!(width("abc"), 3);
        assert_eq!(width("日本"), 4);
        assert_eq!(width("e\u{301}"), 1);
    }

    #[test]
    fn texts_are_cut_to_fit() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("abc", 1), "…");
        assert_eq!(cut("abc", 0), "");
        for columns in 0..10 {
            assert!(width(&cut("a日b本c", columns)) <= columns);
        }
    }

    #[test]
    fn colours_take_no_room_and_end() {
        assert_eq!(cut("\x1b[1mabc\x1b[0m", 3), "\x1b[1mabc\x1b[0m");
        assert_eq!(cut("\x1b[1mabcd\x1b[0m", 3), "\x1b[1mab…\x1b[0m");
        assert_eq!(cut("ab\x1b[1mcdef\x1b[0m", 2), "a…\x1b[0m");
    }
}
