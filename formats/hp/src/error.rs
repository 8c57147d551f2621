//! Why a file cannot be read.

use std::fmt;

/// A line that does not belong into a heap profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// Which, from 1 on.
    pub line: u64,
    /// What is wrong with it.
    pub kind: ErrorKind,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// It is none of the lines that can be there. If it is the first one, the file is something
    /// else.
    Unknown,
    /// What stands between quotes in the first lines does not.
    BadString,
    /// The time of a sample or a mark is none.
    BadTime,
    /// A band has no value, or one that is no whole number.
    BadValue,
    /// A sample begins before the one before it has ended.
    BeginsWithin,
    /// A sample ends that has not begun, or another one than has.
    EndsOther,
    /// The line is longer than may be.
    TooLong,
    /// The sample has more bands, or more text in them, than may be.
    TooMuch,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line;
        match self.kind {
            ErrorKind::Unknown if line == 1 => write!(f, "this is no heap profile (.hp)"),
            ErrorKind::Unknown => write!(f, "line {line} does not belong into a heap profile"),
            ErrorKind::BadString => write!(f, "line {line} has no text in quotes"),
            ErrorKind::BadTime => write!(f, "line {line} has no time in seconds"),
            ErrorKind::BadValue => write!(f, "line {line} has no number of bytes"),
            ErrorKind::BeginsWithin => {
                write!(
                    f,
                    "in line {line} a sample begins, and the one before has not ended"
                )
            }
            ErrorKind::EndsOther => {
                write!(f, "in line {line} a sample ends that has not begun")
            }
            ErrorKind::TooLong => write!(f, "line {line} is longer than it may be"),
            ErrorKind::TooMuch => write!(f, "in line {line} a sample gets larger than it may be"),
        }
    }
}

impl std::error::Error for Error {}
