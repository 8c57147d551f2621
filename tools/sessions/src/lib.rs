//! Sessions on disk: live eventlogs recorded in parts, and read again.
//!
//! A *session* is one run of a program's log. A directory of recordings has a
//! directory for each session, and that has
//!
//! | file | what |
//! |---|---|
//! | `0001.eventlog`, `0002.eventlog`, ... | the parts: each is a log by itself, for any tool. All except the first begin with the state at their place, between two notes; without that, they are the stream, byte for byte |
//! | `0001.index`, ... | where the blocks of a part are, and which times they cover |
//! | `manifest.json` | the name of the session, the program, the parts, how it ended |
//! | `notes.jsonl` | notes that users have added |
//!
//! Only the parts are required. An index that is missing, short or damaged is
//! made again from its part, and so is what the manifest says about the
//! program.
//!
//! [`Store`] and [`Recording`] write; [`Session`] and [`Joined`] read. The
//! process that records holds a lock on the directory of the session, which
//! ends with the process, however that ends. Only their owner can read and
//! write the files.
#![forbid(unsafe_code)]

/// The example of the README is tested too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod clock;
mod entry;
mod error;
mod files;
mod index;
mod joined;
mod learned;
mod manifest;
mod notes;
mod notice;
mod part;
mod piece;
mod recording;
mod room;
mod rotation;
mod scan;
mod session;
mod store;

pub use entry::{Entry, Head};
pub use error::Error;
pub use files::NAME_BYTES;
pub use index::Index;
pub use joined::{Joined, Missing, Range};
pub use learned::{Learned, StreamLosses};
pub use manifest::{EndReason, Ended, Lost, Manifest, PartSummary};
pub use notes::Note;
pub use notice::{Notice, Status};
pub use piece::{Cut, Piece};
pub use recording::Recording;
pub use rotation::Rotation;
pub use session::{Part, Session, State};
pub use store::{Limits, Origin, Store};
