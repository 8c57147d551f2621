#![doc = include_str!("../README.md")]
//!
//! UNDER CONSTRUCTION: the types are here, most of what they do is not yet.
#![forbid(unsafe_code)]
#![allow(dead_code)]

mod address;
mod error;
mod event;
mod intake;
mod options;
mod piece;
mod reader;
mod recorder;
mod relay;
mod status;

pub use address::{Address, InvalidAddress};
pub use error::Error;
pub use event::{Event, Gone};
pub use intake::{Arrivals, Intake};
pub use options::{OnLag, Options};
pub use piece::{Piece, PieceKind};
pub use reader::{Reader, Start};
pub use recorder::{Began, Cut, Recorded, Recorder};
pub use relay::Relay;
pub use status::{
    AddressStatus, ClientStatus, FoldStatus, ProgramStatus, RingStatus, SessionStatus,
    SourceStatus, Status,
};
