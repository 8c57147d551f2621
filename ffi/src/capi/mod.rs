//! The C API: what `include/eventlog_socket.h` declares.
//!
//! Every function checks what it is handed, and turns the outcome into a status.
//! None of them panics on any input, and a panic could not leave them: the
//! release build aborts. The writers that it declares are in `writer`.

mod control;
mod environment;
mod hooks;
mod older;
mod rts_part;
mod start;
mod statistics;
mod types;
