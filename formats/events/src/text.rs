//! Byte strings, lists of them, and cost-centre stacks, as they are stored in a
//! payload. None of them is copied, and none is assumed to be UTF-8.

use std::borrow::Cow;
use std::fmt;

/// Text as the program wrote it: usually UTF-8, but nothing guarantees it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text<'a>(pub &'a [u8]);

impl<'a> Text<'a> {
    /// The bytes as they are.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The text, if it is UTF-8.
    pub fn to_str(self) -> Option<&'a str> {
        std::str::from_utf8(self.0).ok()
    }

    /// The text, with U+FFFD in place of invalid UTF-8.
    pub fn to_string_lossy(self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.0)
    }

    /// Whether the text is empty.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(text.as_bytes())
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            f.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                f.write_str("\u{fffd}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string_lossy(), f)
    }
}

/// Strings one after the other, each ended by a NUL: arguments, environment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Texts<'a>(pub &'a [u8]);

impl<'a> Texts<'a> {
    /// The strings in order. A last one without its NUL counts.
    pub fn iter(self) -> impl Iterator<Item = Text<'a>> {
        let body = self.0.strip_suffix(&[0]).unwrap_or(self.0);
        let none = self.0.is_empty();
        body.split(|&b| b == 0).filter(move |_| !none).map(Text)
    }
}

impl fmt::Debug for Texts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Cost-centre ids, innermost first, as big-endian words of four bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Stack<'a>(pub(crate) &'a [u8]);

impl<'a> Stack<'a> {
    /// Wraps encoded ids; `None` unless the length is a multiple of four and
    /// the count fits the single byte that announces it.
    pub fn new(words: &'a [u8]) -> Option<Self> {
        (words.len().is_multiple_of(4) && words.len() / 4 <= 255).then_some(Self(words))
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.0.len() / 4
    }

    /// Whether the stack is empty.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The ids, innermost first.
    pub fn iter(self) -> impl ExactSizeIterator<Item = u32> + 'a {
        let words = self.0.as_chunks::<4>().0;
        words.iter().map(|word| u32::from_be_bytes(*word))
    }
}

impl fmt::Debug for Stack<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
