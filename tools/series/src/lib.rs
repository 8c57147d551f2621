//! Timelines of eventlogs, exact to the pixel.
//!
//! | | |
//! |---|---|
//! | [`Rows`] | the index of a log: the states of capabilities and threads, and how long each lasted, for any time |
//! | [`Row`], [`Interval`], [`Doing`] | a row, and its states over time |
//! | [`Tile`] | a piece of a row as it is drawn: intervals, or the share of each state in each pixel |
//! | [`ReadAt`] | where the log is read again |
//! | [`Pyramid`] | values over time: least, largest, sum and count of any time |
//! | [`Forest`] | many intervals, the longest first |
//!
//! This crate does no input and has no clock: the caller passes in blocks, and the log
//! is read again through [`ReadAt`].
//!
//! The names of states are those of `eventlog-state`. For distributions of durations
//! there is `eventlog_state::Distribution`.
#![forbid(unsafe_code)]

/// Tests the example in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod answers;
mod arena;
mod cap;
mod cap_row;
mod checkpoints;
mod forest;
mod limits;
mod machine;
mod pyramid;
mod read_at;
mod replay;
mod row;
mod rows;
mod state_event;
mod stream;
mod thread_row;
mod threads;
mod tile;
mod transit;
mod varint;
mod word;

pub use forest::Forest;
pub use limits::Limits;
pub use pyramid::{Bucket, Pyramid};
pub use read_at::ReadAt;
pub use row::{Doing, Interval, Life, Row, reasons};
pub use rows::{Refused, Rows};
pub use tile::{PIXELS, Shows, Tile, span};
