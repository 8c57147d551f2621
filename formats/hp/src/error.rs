//! Why a file cannot be read.

use std::fmt;

/// A line that cannot be in a heap profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// The number of the line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub kind: ErrorKind,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// It is not a line of a heap profile. If it is the first one, the file is something else.
    Unknown,
    /// A header line whose text is not in quotes.
    BadString,
    /// The time of a sample or a mark is not a number of seconds.
    BadTime,
    /// A band has no value, or one that is not a whole number.
    BadValue,
    /// A sample begins before the one before it has ended.
    BeginsWithin,
    /// A sample ends that has not begun, or that is not the one that has begun.
    EndsOther,
    /// The line is longer than the limit.
    TooLong,
    /// The sample has more bands, or more text in them, than the limits allow.
    TooMuch,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line;
        match self.kind {
            ErrorKind::Unknown if line == 1 => write!(f, "this is not a heap profile (.hp)"),
            ErrorKind::Unknown => write!(f, "line {line} is not a line of a heap profile"),
            ErrorKind::BadString => write!(f, "line {line} has no text in quotes"),
            ErrorKind::BadTime => write!(f, "line {line} has no time in seconds"),
            ErrorKind::BadValue => write!(f, "line {line} has no number of bytes"),
            ErrorKind::BeginsWithin => {
                write!(
                    f,
                    "in line {line} a sample begins before the one before it has ended"
                )
            }
            ErrorKind::EndsOther => {
                write!(f, "in line {line} a sample ends that has not begun")
            }
            ErrorKind::TooLong => write!(f, "line {line} is longer than the limit"),
            ErrorKind::TooMuch => write!(f, "in line {line} a sample gets larger than the limit"),
        }
    }
}

impl std::error::Error for Error {}
