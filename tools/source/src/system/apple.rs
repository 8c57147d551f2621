//! Apple's systems. It compiles and links (scripts/cross); it was never run.

use rustix::net::SendFlags;
use rustix::process::{Pid, test_kill_process};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Without waiting. The signal of a peer that is gone is ignored: Rust begins a program so.
pub(crate) const SEND: SendFlags = SendFlags::DONTWAIT;

/// Makes a FIFO, for its owner alone: by the program for it, as the system's function is one
/// that only unsafe code can call.
pub(crate) fn make_fifo(path: &Path) -> io::Result<()> {
    let output = Command::new("/usr/bin/mkfifo")
        .args(["-m", "600"])
        .arg(path)
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(reason.trim().to_owned()))
}

/// This program.
///
/// # Errors
///
/// Those of the system.
pub fn own_executable() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// A process whose parent we are not.
pub(crate) struct Watched(Option<Pid>);

impl Watched {
    pub(crate) fn of(number: u32) -> Self {
        Self(i32::try_from(number).ok().and_then(Pid::from_raw))
    }

    pub(crate) fn has_ended(&self) -> bool {
        // One that is another user's by now is another one, too.
        self.0.is_none_or(|pid| test_kill_process(pid).is_err())
    }
}
