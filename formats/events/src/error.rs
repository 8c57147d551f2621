//! What can be wrong with the bytes of a log.

use std::fmt;

/// A fault in the bytes, and where it is.
///
/// Everything before `offset` has been delivered when the error is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// Byte offset, from the start of the stream, of the item at fault.
    pub offset: u64,
    /// What is wrong there.
    pub kind: ErrorKind,
}

/// The kinds of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The stream does not begin like an eventlog.
    NotAnEventlog(LooksLike),
    /// The header is malformed; the text names the part.
    BadHeader(&'static str),
    /// The header is longer than [`MAX_HEADER`](crate::MAX_HEADER).
    HeaderTooLarge,
    /// An event of a type that the header does not declare. Its size is
    /// unknown, so nothing after it can be delimited.
    Undeclared(u16),
    /// An event is longer than what is left of its block.
    CrossesBlockEnd(u16),
    /// An event that does not end within [`MAX_ITEM`](crate::MAX_ITEM) bytes.
    TooLong(u16),
    /// A run of zero bytes, for example from a crashed file system or a sparse
    /// copy. Read as events it would create thread 0 at time 0 over and over.
    Hole,
}

/// What a file that is not an eventlog seems to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LooksLike {
    /// Nothing that this crate recognises.
    Unknown,
    /// A heap profile in text form (`.hp`).
    HeapProfile,
    /// Compressed with gzip.
    Gzip,
    /// Compressed with Zstandard.
    Zstd,
    /// Compressed with xz.
    Xz,
    /// Compressed with bzip2.
    Bzip2,
    /// A program or a library.
    Elf,
    /// An eventlog that was converted to UTF-16, as by `>` of an old PowerShell.
    Utf16,
    /// The pointer file that git-lfs stores instead of the real one.
    GitLfsPointer,
    /// Only zero bytes so far.
    Zeros,
    /// Text of some kind.
    Text,
}

impl LooksLike {
    /// Guesses from the first bytes of a file.
    pub fn guess(start: &[u8]) -> Self {
        let text = |b: &u8| b.is_ascii_graphic() || b.is_ascii_whitespace();
        if start.starts_with(&[0x1f, 0x8b]) {
            Self::Gzip
        } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Self::Zstd
        } else if start.starts_with(&[0xfd, b'7', b'z', b'X', b'Z', 0]) {
            Self::Xz
        } else if start.starts_with(b"BZh") {
            Self::Bzip2
        } else if start.starts_with(b"\x7fELF") {
            Self::Elf
        } else if start.starts_with(b"\xff\xfeh\0d\0r\0b\0") {
            Self::Utf16
        } else if start.starts_with(b"JOB ") {
            Self::HeapProfile
        } else if start.starts_with(b"version https://git-lfs") {
            Self::GitLfsPointer
        } else if !start.is_empty() && start.iter().all(|&b| b == 0) {
            Self::Zeros
        } else if !start.is_empty() && start.iter().all(text) {
            Self::Text
        } else {
            Self::Unknown
        }
    }
}

impl fmt::Display for LooksLike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "something else",
            Self::HeapProfile => "a heap profile (.hp)",
            Self::Gzip => "a gzip file",
            Self::Zstd => "a zstd file",
            Self::Xz => "an xz file",
            Self::Bzip2 => "a bzip2 file",
            Self::Elf => "a program or a library (ELF)",
            Self::Utf16 => "an eventlog that was converted to UTF-16",
            Self::GitLfsPointer => "a git-lfs pointer",
            Self::Zeros => "zero bytes",
            Self::Text => "text",
        })
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnEventlog(what) => write!(f, "not an eventlog: it looks like {what}"),
            Self::BadHeader(part) => write!(f, "malformed header: {part}"),
            Self::HeaderTooLarge => f.write_str("header too large"),
            Self::Undeclared(id) => write!(f, "event type {id} is not declared in the header"),
            Self::CrossesBlockEnd(id) => {
                write!(f, "event of type {id} runs past the end of its block")
            }
            Self::TooLong(id) => write!(f, "event of type {id} has no end"),
            Self::Hole => f.write_str("a hole of zero bytes"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.offset, self.kind)
    }
}

impl std::error::Error for Error {}

impl std::error::Error for ErrorKind {}
