//! Where GHC eventlogs come from.
#![forbid(unsafe_code)]

mod connect;
mod connection;
pub mod control;
mod error;
mod growth;
mod log;
mod notice;
pub mod program;
mod silence;
mod source;
mod system;
mod unpack;
mod wait;

pub use connect::Connecting;
pub use connection::Connection;
pub use error::Error;
pub use log::{Log, Outcome, Reading, Step};
pub use notice::Notice;
pub use silence::{Heard, Silence, Silent};
pub use source::{InvalidSource, Source};
pub use unpack::{Packing, is_damage};
pub use wait::Wait;
