//! The commands that clients send to a program with an eventlog socket: [`Frame`] makes them, [`Parser`] reads them.
//!
//! The program sends its eventlog; over the same connection, in the other direction, a client may send frames. The
//! program never answers them. There are two kinds, and they may be mixed:
//!
//! ```text
//!   F0 9E 97 8C | 00 | length | namespace | command      the current protocol: 7 bytes and the namespace
//!   "GCTL" | command                                     the older one: 5 bytes, for three commands
//! ```
//!
//! Version, length and command are one byte each. The length is that of the namespace, 1 to 255. Namespaces are
//! compared as a whole, byte by byte; they need not be text.
//!
//! | namespace | commands |
//! |---|---|
//! | [`BUILTIN_NAMESPACE`] | [`Builtin`]: profiling |
//! | [`RTS_NAMESPACE`] | [`RtsCommand`]: flushing, and classes of events |
//! | any other | the program's own |
//! | of the older protocol | [`Older`] |
//!
//! ```
//! use eventlog_control::{BUILTIN_NAMESPACE, Builtin, Frame, Item, Parser};
//!
//! let frame = Frame::builtin(Builtin::RequestHeapCensus);
//! assert_eq!(frame.as_bytes(), b"\xf0\x9e\x97\x8c\x00\x0feventlog-socket\x05");
//!
//! let mut parser = Parser::new();
//! let mut censuses = 0;
//! for part in frame.as_bytes().chunks(10) {
//!     parser.feed(part, |item| match item {
//!         Item::Command { namespace, id } if namespace == BUILTIN_NAMESPACE.as_bytes() => {
//!             censuses += u32::from(Builtin::try_from(id) == Ok(Builtin::RequestHeapCensus));
//!         }
//!         _ => {}
//!     });
//! }
//! assert_eq!(censuses, 1);
//! ```
//!
//! No allocation, no dependencies, no `std`, no panic whatever the bytes. The types have no shared state: they are
//! `Send` and `Sync`, and each connection has its own parser.
#![no_std]
#![forbid(unsafe_code)]

mod command;
mod frame;
mod parser;

pub use command::{Builtin, Older, RtsCommand, UnknownCommand};
pub use frame::{
    BUILTIN_NAMESPACE, Frame, MAGIC, MAX_FRAME, MAX_NAMESPACE, NamespaceLength, OLDER_MAGIC,
    RTS_NAMESPACE, VERSION,
};
pub use parser::{Item, Parser};
