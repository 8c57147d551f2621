//! The C API: what `include/eventlog_socket.h` declares.
//!
//! Every function checks what it is handed, and turns the outcome into a status.
//! None of them panics on any input, and a panic could not leave them: the
//! release build aborts.

mod control;
mod environment;
mod hooks;
mod older;
mod rts_part;
mod start;
mod statistics;
mod types;

use crate::writer::{EventLogWriter, WRITER};

// The statics below are read by C only as a whole table.
// SAFETY: nothing in it is ever written.
unsafe impl Sync for EventLogWriter {}

/// The writer to hand to the RTS.
#[unsafe(no_mangle)]
pub static EventLogSocketWriter: EventLogWriter = WRITER;

/// The same writer, by its older name.
#[unsafe(no_mangle)]
pub static SocketEventLogWriter: EventLogWriter = WRITER;
