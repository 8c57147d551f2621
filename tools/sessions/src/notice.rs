//! Reports on a recording: notices when something happens, and the status on request.

use crate::error::Error;
use crate::manifest::Lost;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// Something that has happened to a recording.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// The recording of a session has begun, in this directory.
    Began {
        /// The name of the source.
        source: &'a str,
        /// The directory.
        session: &'a Path,
    },
    /// Nothing can be recorded for now. New data are lost.
    Failed {
        /// The name of the source.
        source: &'a str,
        /// The error that prevents it.
        error: &'a Error,
    },
    /// Recording goes on, in a new part.
    Resumed {
        /// The name of the source.
        source: &'a str,
        /// The directory.
        session: &'a Path,
        /// Blocks that were lost since it failed.
        blocks: u64,
        /// Their bytes.
        bytes: u64,
    },
}

impl fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Began { source, session } => {
                write!(f, "{source} is recorded in {}", session.display())
            }
            Self::Failed { source, error } => {
                write!(f, "{source} is not recorded any more: {error}")?;
                if let Some(cause) = std::error::Error::source(error) {
                    write!(f, ": {cause}")?;
                }
                f.write_str("; what comes is lost until it can be written again")
            }
            Self::Resumed {
                source,
                session,
                blocks,
                bytes,
            } => write!(
                f,
                "{source} is recorded again, in {}; {blocks} blocks, {bytes} bytes, were lost",
                session.display()
            ),
        }
    }
}

/// What a recording is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Status {
    /// The name of the source.
    pub source: String,
    /// The directory of the session; `None` if none could be made.
    pub directory: Option<PathBuf>,
    /// The part that is written.
    pub part: u32,
    /// Bytes of the stream that were written.
    pub bytes: u64,
    /// What was lost so far.
    pub lost: Lost,
    /// Why nothing can be written now; `None` if there is no error.
    pub failing: Option<String>,
    /// Whether the recording has ended.
    pub ended: bool,
}
