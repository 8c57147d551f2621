//! Apple's systems. This code compiles and links (scripts/cross), but was never run.

use rustix::net::SendFlags;
use rustix::process::{Pid, test_kill_process};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Without waiting. Rust starts a program with SIGPIPE ignored, so no signal need be suppressed.
pub(crate) const SEND: SendFlags = SendFlags::DONTWAIT;

/// Makes a FIFO, accessible only to its owner, by the `mkfifo` program: the system's function can
/// only be called by unsafe code.
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

/// The path of this program.
///
/// # Errors
///
/// Those of the system.
pub fn own_executable() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// A process that is not our child.
pub(crate) struct Watched(Option<Pid>);

impl Watched {
    pub(crate) fn of(number: u32) -> Self {
        Self(i32::try_from(number).ok().and_then(Pid::from_raw))
    }

    pub(crate) fn has_ended(&self) -> bool {
        // If it belongs to another user now, it is another process.
        self.0.is_none_or(|pid| test_kill_process(pid).is_err())
    }
}
