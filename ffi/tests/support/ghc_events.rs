//! Reading captures with GHC's own reader, `ghc-events`.

use super::TempDir;
use std::process::Command;

/// Whether the program is there.
pub fn available() -> Result<(), String> {
    match Command::new("ghc-events").arg("--help").output() {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("ghc-events: {error}")),
    }
}

/// What `ghc-events show` says of a stream. It must not complain.
#[track_caller]
pub fn show(stream: &[u8]) -> String {
    let dir = TempDir::new();
    let file = dir.join("stream.eventlog");
    std::fs::write(&file, stream).expect("a capture");
    let output = Command::new("ghc-events")
        .args(["show".as_ref(), file.as_os_str()])
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("ghc-events");
    let complaint = String::from_utf8_lossy(&output.stderr);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && complaint.is_empty(),
        "ghc-events show: {}: {complaint}; its last words: {}",
        output.status,
        shown.lines().last().unwrap_or_default()
    );
    shown
}
