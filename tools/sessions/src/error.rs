//! Errors.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What went wrong, and with what.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The system reported an error.
    Io {
        /// What was being done: `read`, `make`, ...
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The error of the system.
        cause: io::Error,
    },
    /// There is no session whose name begins like this.
    NoSession {
        /// The beginning of a name.
        name: String,
        /// The directory that was searched.
        dir: PathBuf,
        /// The names of the sessions that exist.
        there: Vec<String>,
    },
    /// Several names begin like this.
    SeveralSessions {
        /// The beginning of a name.
        name: String,
        /// The names.
        matching: Vec<String>,
    },
    /// The session is being recorded.
    IsRecorded {
        /// Its name.
        name: String,
    },
    /// The session has no part with a log in it.
    NothingRecorded {
        /// Its name.
        name: String,
    },
    /// A part is not a log, or cannot be followed.
    Damaged {
        /// The part.
        path: PathBuf,
        /// What is wrong with it.
        fault: ghc_eventlog::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, path, .. } => write!(f, "cannot {doing} {}", path.display()),
            Self::NoSession { name, dir, there } => {
                write!(f, "no session {name:?} in {}", dir.display())?;
                match there.as_slice() {
                    [] => f.write_str(": there is none at all"),
                    there => write!(f, "; there {}", named(there)),
                }
            }
            Self::SeveralSessions { name, matching } => {
                write!(f, "{name:?} can be any of {}", matching.join(", "))
            }
            Self::IsRecorded { name } => {
                write!(f, "session {name} is being recorded; stop the relay first")
            }
            Self::NothingRecorded { name } => write!(f, "nothing is recorded of session {name}"),
            Self::Damaged { path, .. } => write!(f, "{} is damaged", path.display()),
        }
    }
}

/// `is A`, or `are A, B`: only the first few names.
fn named(names: &[String]) -> String {
    const MOST: usize = 10;
    let verb = if names.len() == 1 { "is" } else { "are" };
    let more = match names.len().checked_sub(MOST) {
        None | Some(0) => String::new(),
        Some(more) => format!(" and {more} more"),
    };
    let shown = &names[..names.len().min(MOST)];
    format!("{verb} {}{more}", shown.join(", "))
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { cause, .. } => Some(cause),
            Self::Damaged { fault, .. } => Some(fault),
            _ => None,
        }
    }
}

/// Adds what was being done, and to which file, to an error.
pub(crate) trait Doing<T> {
    fn doing(self, doing: &'static str, path: &Path) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, doing: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|cause| Error::Io {
            doing,
            path: path.to_owned(),
            cause: cause.into(),
        })
    }
}
