//! The C API: what `include/eventlog_socket.h` declares.
//!
//! Every function checks what it is handed, and turns the outcome into a status.
//! None of them panics on any input, and a panic could not leave them: the
//! release build aborts. The writers that it declares are in `writer`.

use crate::cancellation;
use crate::renewal::renew_if_forked;
use crate::status::{Result, Status};

mod control;
mod environment;
mod hooks;
mod older;
mod rts_part;
mod start;
mod statistics;
mod types;

/// The same, for what starts something or prepares a start: a child that may do so begins
/// with a clean slate.
fn starting(work: impl FnOnce() -> Result<()>) -> Status {
    status(|| {
        renew_if_forked();
        work()
    })
}

/// Do what C has called for, with cancellation deferred, and return the outcome as a status.
fn status(work: impl FnOnce() -> Result<()>) -> Status {
    cancellation::put_off(|| Status::of(work()))
}
