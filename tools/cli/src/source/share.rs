//! The slots of programs that are found by themselves: this process shares them with others.

use crate::hints;
use eventlog_relay::share::Share;
use eventlog_source::programs::{Program, Slot};
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;

static SHARE: OnceLock<Share> = OnceLock::new();

fn share() -> &'static Share {
    SHARE.get_or_init(|| Share::new(hints::verb()))
}

/// Keeps only this much of each program for clients that are slow: for a verb that may read many
/// programs. To be called before the other functions here.
pub fn keep_little(bytes: usize) {
    SHARE.get_or_init(|| Share::new(hints::verb()).ring_bytes(bytes));
}

/// Connects to a program, or to the process that serves it; if there is none, this process serves
/// it from now on.
pub fn attach(program: &Program) -> io::Result<UnixStream> {
    share().attach(program)
}

/// The same with a relay of the caller's own; `serve` makes it serve others.
pub fn attach_and(
    program: &Program,
    serve: impl Fn(&Slot) -> io::Result<()>,
) -> io::Result<UnixStream> {
    share().attach_and(program, serve)
}

/// Connects to a program, or to the process that serves it, for a moment.
pub fn visit(program: &Program) -> io::Result<UnixStream> {
    share().visit(program)
}

/// Releases the slots that are held; other clients are sent what has arrived so far. At the end of
/// the process.
pub fn leave() {
    if let Some(share) = SHARE.get() {
        share.leave();
    }
}
