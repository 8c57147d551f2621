#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod address;
mod block_on;
mod client;
mod clients;
mod commands;
mod cursor;
mod error;
mod event;
mod feed;
mod fold;
pub mod framer;
mod intake;
pub mod listen;
mod notes;
mod options;
mod piece;
mod reader;
mod reads;
mod recorder;
mod relay;
mod ring;
mod server;
mod session;
pub mod share;
mod source;
mod start;
mod status;
mod tell;

pub use address::{Address, InvalidAddress};
pub use error::Error;
pub use event::{Event, Gone};
pub use intake::{Arrivals, Intake};
pub use options::{OnLag, Options};
pub use piece::{Piece, PieceKind};
pub use reader::Reader;
pub use recorder::{Began, Cut, Recorded, Recorder};
pub use relay::Relay;
pub use start::Start;
pub use status::{
    AddressStatus, ClientStatus, FoldStatus, ProgramStatus, RingStatus, SessionStatus,
    SourceStatus, Status,
};
