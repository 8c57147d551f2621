//! The entry of a session in the list.

use crate::heap_file::About;
use serde::Serialize;

/// A session in the list. Times are nanoseconds of the log.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Its source.
    pub(crate) source: String,
    pub(crate) program: Option<String>,
    pub(crate) pid: Option<u32>,
    pub(crate) rts: Option<String>,
    pub(crate) args: Vec<String>,
    /// Whether more may arrive.
    pub(crate) live: bool,
    /// Whether it is complete.
    pub(crate) ended: bool,
    /// An error.
    pub(crate) error: Option<String>,
    /// The Unix time of time 0 of the log, in nanoseconds, as text: it is too large for a JSON
    /// number.
    pub(crate) wall: Option<String>,
    pub(crate) begin: u64,
    pub(crate) end: u64,
    pub(crate) bytes: u64,
    pub(crate) events: u64,
    pub(crate) caps: usize,
    pub(crate) threads_live: usize,
    pub(crate) threads_ever: u64,
    /// The age of the newest event, if the program runs on this machine.
    pub(crate) lag: Option<u64>,
    /// The number of earlier logs of the source.
    pub(crate) restarts: u64,
    /// The first lines of the file, if it is a heap profile (`.hp`) and no log.
    pub(crate) heap_file: Option<About>,
    /// Since when the bytes of the log are kept, if not from its beginning.
    pub(crate) kept_from: Option<u64>,
}
