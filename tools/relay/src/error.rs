//! What can go wrong when a relay is set up.

use crate::address::Address;
use std::fmt;
use std::io;

/// What went wrong, with what.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A thread could not be started.
    Thread(
        /// Why.
        io::Error,
    ),
    /// Nobody can be served at this address.
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
    /// A source was to be meant by no name, and there are none, or several.
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
                "there are several sources: name the one that is meant ({})",
                names.join(", ")
            ),
            Self::NameTaken { name } => {
                write!(f, "there is a source {name:?} already; use another name")
            }
            Self::NoRecorder { name, reason } => write!(f, "cannot record {name:?}: {reason}"),
            Self::Draining => f.write_str("the relay is ending"),
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
