#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod api;
mod assets;
mod drawn;
mod fold;
mod folding;
mod heap_file;
mod http;
mod input;
mod kept;
mod monitor;
mod places;
mod queue;
mod raw;
mod reading;
mod registry;
mod scan;
mod session;
mod shared;
mod summary;

pub use http::{Address, Listen, Server, Token};
pub use input::Input;
pub use monitor::{Monitor, Options, Reads};
