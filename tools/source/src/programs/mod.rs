//! Programs that run on this machine and can be watched, found without being told where they are.
//!
//! All that listen at `DIR/NAME.sock` are found. DIR is `$XDG_RUNTIME_DIR/eventlog`, else
//! `/tmp/eventlog-UID`: a [`Directory`] that is our own user's and nobody else's. A program serves
//! one client at a time; that place is its [`Slot`]. Whoever holds the slot says so in
//! `DIR/NAME.lock`, which it keeps locked, and may serve others at `DIR/NAME.relay`. Nothing that
//! ends in `.sock` is ever made by whoever watches.

mod clean;
mod directory;
mod processes;
mod program;
mod slot;

pub use clean::{clean, sweep};
pub use directory::{Directory, DirectoryError, Place, Trouble};
pub use processes::{Process, Processes};
pub use program::{Presence, Program};
pub use slot::{Holder, Slot};
