//! Finds the programs that run on this machine and can be watched.
//!
//! All programs that listen at `DIR/NAME.sock` are found. DIR is `$XDG_RUNTIME_DIR/eventlog`, else
//! `/tmp/eventlog-UID`: a [`Directory`] that only our own user can use. A program serves one client
//! at a time; that place is its [`Slot`]. The holder of the slot writes who it is to
//! `DIR/NAME.lock`, which it keeps locked, and may serve others at `DIR/NAME.relay`. Tools that
//! watch programs never make a file whose name ends in `.sock`.

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
