//! What is told of a session in the list of all.

use serde::Serialize;

/// A session, as the list has it. Times are nanoseconds of the log.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Where it comes from.
    pub(crate) source: String,
    pub(crate) program: Option<String>,
    pub(crate) pid: Option<u32>,
    pub(crate) rts: Option<String>,
    pub(crate) args: Vec<String>,
    /// Whether more may come.
    pub(crate) live: bool,
    /// Whether it is complete.
    pub(crate) ended: bool,
    /// What is wrong with it.
    pub(crate) error: Option<String>,
    /// When time 0 of the log was, in nanoseconds of Unix time: too many for a number of JSON.
    pub(crate) wall: Option<String>,
    pub(crate) begin: u64,
    pub(crate) end: u64,
    pub(crate) bytes: u64,
    pub(crate) events: u64,
    pub(crate) caps: usize,
    pub(crate) threads_live: usize,
    pub(crate) threads_ever: u64,
    /// How old the newest event is, if the program runs here.
    pub(crate) lag: Option<u64>,
    /// How many logs of the source came before this one.
    pub(crate) restarts: u64,
    /// Since when the bytes of the log are kept, if not from its beginning.
    pub(crate) kept_from: Option<u64>,
}
