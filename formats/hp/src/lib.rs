#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod error;
mod header;
mod parser;
mod sample;
mod time;

pub use error::{Error, ErrorKind};
pub use header::Header;
pub use parser::{Item, Limits, Parser};
pub use sample::{Band, Sample};
