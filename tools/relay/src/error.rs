//! Errors of setting up a relay.

use crate::address::Address;
use std::fmt;
use std::io;

/// An error of setting up a relay.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A thread could not be started.
    Thread(
        /// Why.
        io::Error,
    ),
    /// The address cannot be listened on.
    Serve {
        /// Where.
        at: Address,
        /// Why.
        cause: io::Error,
    },
    /// There is no source of this name.
    NoSource {
        /// The name.
        name: String,
    },
    /// No name was given, and there is not exactly one source.
    NameNeeded {
        /// The names of all.
        names: Vec<String>,
    },
    /// There is a source of this name already.
    NameTaken {
        /// The name.
        name: String,
    },
    /// The source has a lossless recorder already, or is over.
    NoRecorder {
        /// The name of the source.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// The relay is being drained.
    Draining,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Thread(_) => f.write_str("cannot start a thread; check the limits of this user"),
            Self::Serve { at, .. } => write!(f, "cannot listen at {at}"),
            Self::NoSource { name } => write!(f, "there is no source {name:?}"),
            Self::NameNeeded { names } if names.is_empty() => f.write_str("there is no source yet"),
            Self::NameNeeded { names } => write!(
                f,
                "there are several sources: name one of them ({})",
                names.join(", ")
            ),
            Self::NameTaken { name } => {
                write!(f, "there is a source {name:?} already; use another name")
            }
            Self::NoRecorder { name, reason } => write!(f, "cannot record {name:?}: {reason}"),
            Self::Draining => f.write_str("the relay is shutting down"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Thread(cause) | Self::Serve { cause, .. } => Some(cause),
            _ => None,
        }
    }
}
