//! GHC's eventlog format: decoding, encoding, ordering, sorting.
//!
//! A program compiled by GHC can record what it does: threads, garbage
//! collections, sparks, heap profiles, messages of its own. This crate reads
//! such logs from files, pipes and live sockets, of any version of GHC, and
//! writes them.
//!
//! ```no_run
//! use ghc_eventlog::{EventBody, Item, Reader};
//!
//! let mut reader = Reader::new(std::fs::File::open("program.eventlog")?);
//! while let Some(item) = reader.next_item()? {
//!     let Item::Event(event) = item else { continue };
//!     match event.body {
//!         EventBody::UserMsg { message } => println!("{} ns: {message}", event.time),
//!         EventBody::ThreadLabel { thread, label } => println!("thread {thread} is {label}"),
//!         _ => {}
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Layers
//!
//! | | |
//! |---|---|
//! | [`Decoder`] | takes one item off the front of a slice; no buffer, no copy. [`for_each_event`](Decoder::for_each_event) takes all events there |
//! | [`Stream`] | a decoder with a buffer: push bytes in any split, pull items |
//! | [`Reader`] | a decoder over [`Read`](std::io::Read); its [`for_each`](Reader::for_each) is the fastest way through a log |
//! | [`Event`], [`EventBody`] | an event, its typed payload, its raw bytes; [`fields`](EventBody::fields) for code that treats all types alike |
//! | [`SizeTable`] | the same without allocation, for code that only looks at a few events |
//! | [`ids`], [`names`] | every event type by number and by name |
//! | [`definition()`] | which events define something that later ones depend on |
//! | [`notes`] | the messages of tools that tools read: losses, where a recording goes on |
//! | [`Writer`], [`BlockBuilder`], [`Blocks`] | put items back byte for byte, or make new ones |
//! | [`Order`], [`Watermark`] | events of all capabilities by time, live, in bounded memory |
//! | [`sort()`] | the same for files of any size |
//! | [`WallClock`], [`Allocations`] | what times and totals mean |
//!
//! # What can be relied on
//!
//! * Nothing panics and memory stays bounded, whatever the bytes. Everything
//!   before a fault is delivered, then the fault with its offset. Decoders can
//!   [recover](Decoder::with_recovery) at the next block.
//! * Sizes are taken from the log's own header. Events of unknown types are
//!   returned raw, longer payloads keep their tail in [`Event::raw`], and types
//!   that have had several sizes are read in each of them.
//! * The items of a log written back are that log.
//! * Nothing is assumed that real logs break: that text is UTF-8, that times
//!   only grow, that a log has an end mark or only one header, that a
//!   capability is announced before its first event, that the log begins with
//!   its header, or that info table events are as long as they say.
//!
//! # What to keep in mind
//!
//! * An event's capability is that of the block around it.
//! * Times within a block go back around garbage collections, and blocks of
//!   different capabilities come in any order: see [`Order`].
//! * `heap_allocated` is a running total: see [`Allocations`].
//! * A wall clock event gives the time at that event: see [`WallClock`].
#![forbid(unsafe_code)]
#![deny(missing_docs, missing_debug_implementations)]

#[macro_use]
mod macros;

mod allocations;
mod block;
mod blocks;
mod body;
mod bounds;
mod chunks;
mod codes;
mod declaration;
mod decoder;
pub mod definition;
mod encode;
mod error;
mod event;
mod event_type;
mod header;
mod header_parser;
pub mod ids;
mod json;
pub mod layout;
pub mod names;
pub mod notes;
mod old;
mod order;
mod raw;
mod reader;
mod sizes;
mod sort;
mod spill;
mod stream;
mod text;
mod value;
mod wall_clock;
mod watermark;
mod wire;

pub use allocations::Allocations;
pub use block::BlockBuilder;
pub use blocks::{BlockEnds, Blocks};
pub use body::EventBody;
pub use codes::{BlockSize, Breakdown, CapsetType, StopStatus};
pub use decoder::Decoder;
pub use definition::{Definition, definition, definition_of};
pub use encode::{EncodeError, Writer, encode_event};
pub use error::{Error, ErrorKind, LooksLike};
pub use event::{Block, Encoded, Ending, Event, Gap, Item, Run};
pub use event_type::{DATA_END, EventType};
pub use header::Header;
pub use ids::BLOCK_MARKER;
pub use layout::{MAX_HEADER, MAX_ITEM};
pub use order::{Order, OrderOptions, Ordered};
pub use raw::{RawEvent, RawEvents};
pub use reader::{Part, ReadError, Reader};
pub use sizes::SizeTable;
pub use sort::{SortOptions, SortSummary, sort, temp_file};
pub use stream::Stream;
pub use text::{Stack, Text, Texts};
pub use value::Value;
pub use wall_clock::{UnixTime, WallClock};
pub use watermark::Watermark;

/// The examples of the README are tested too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
