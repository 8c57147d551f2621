//! What can go wrong with a source.

use crate::source::Source;
use std::fmt;
use std::io;
use std::time::Duration;

/// What went wrong, and with which source.
///
/// The text says what was tried, with what, and what to do; the error of the system is the
/// [`source`](std::error::Error::source) of the error, and its [`cause`](Self::cause).
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// It could not be opened, or connected to.
    Open {
        /// The source that could not be opened.
        from: Source,
        /// How long it was tried, if trying again could help.
        waited: Option<Duration>,
        /// Why the last attempt failed.
        cause: io::Error,
    },
    /// It could not be read any further.
    Read {
        /// The source that was read.
        from: Source,
        /// The error of the system.
        cause: io::Error,
    },
    /// Commands could not be sent to it.
    Send {
        /// The source that they were sent to.
        to: Source,
        /// The error of the system.
        cause: io::Error,
    },
    /// Commands cannot be sent to it, because it is not a socket.
    NotASocket {
        /// The source.
        to: Source,
    },
}

impl Error {
    /// The source.
    pub fn with(&self) -> &Source {
        match self {
            Self::Open { from, .. } | Self::Read { from, .. } => from,
            Self::Send { to, .. } | Self::NotASocket { to } => to,
        }
    }

    /// The error of the system.
    pub fn cause(&self) -> Option<&io::Error> {
        match self {
            Self::Open { cause, .. } | Self::Read { cause, .. } | Self::Send { cause, .. } => {
                Some(cause)
            }
            Self::NotASocket { .. } => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open {
                from,
                waited,
                cause,
            } => {
                let verb = if from.is_socket() {
                    "connect to"
                } else {
                    "open"
                };
                write!(f, "cannot {verb} {from}")?;
                if let Some(time) = waited.filter(|time| !time.is_zero()) {
                    write!(f, " (tried for {:.1} s)", time.as_secs_f64())?;
                }
                write!(f, "; {}", advice(from, cause.kind()))
            }
            Self::Read { from, .. } if from.is_socket() => {
                write!(f, "cannot read from {from}; connect again")
            }
            Self::Read { from, .. } => {
                write!(
                    f,
                    "cannot read {from}; what came before this can still be used"
                )
            }
            Self::Send { to, .. } => {
                write!(
                    f,
                    "cannot send to {to}; check that the program is still running"
                )
            }
            Self::NotASocket { to } => {
                write!(
                    f,
                    "{to} is not a socket; commands go to unix:PATH or tcp:HOST:PORT"
                )
            }
        }
    }
}

fn advice(from: &Source, kind: io::ErrorKind) -> &'static str {
    use io::ErrorKind::{InvalidInput, IsADirectory, NotFound, PermissionDenied};
    match (from, kind) {
        (Source::Tcp(_), InvalidInput) => "check the name of the host",
        (Source::Unix(_) | Source::Tcp(_), NotFound) | (Source::Tcp(_), _) => {
            "start the program with its eventlog socket there, or wait longer"
        }
        (_, PermissionDenied) => "ask for the permission to read it, and to enter its directory",
        (Source::Unix(_), _) => {
            "no program listens there; start the program, or name the socket that it made"
        }
        (_, IsADirectory) => "name a log in it",
        (_, NotFound) => "check its name, or allow it to be missing until it appears",
        _ => "check what it is",
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.cause() {
            Some(cause) => Some(cause),
            None => None,
        }
    }
}
