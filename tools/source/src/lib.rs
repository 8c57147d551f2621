#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod backoff;
mod connect;
mod connection;
pub mod control;
mod error;
mod following;
mod growth;
mod log;
mod notice;
pub mod program;
pub mod programs;
mod reconnecting;
mod replay;
mod silence;
mod source;
mod system;
mod unpack;
mod wait;

pub use backoff::Backoff;
pub use connect::Connecting;
pub use connection::Connection;
pub use error::Error;
pub use following::{Arrival, Following};
pub use log::{Log, Outcome, Reading, Step};
pub use notice::Notice;
pub use reconnecting::Reconnecting;
pub use replay::{InvalidSpeed, Replay, Speed};
pub use silence::{Heard, Silence, Silent};
pub use source::{InvalidSource, Source};
pub use unpack::{Packing, is_damage};
pub use wait::Wait;
