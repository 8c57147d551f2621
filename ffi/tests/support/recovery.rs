//! Getting back what a ring file has, with this project's own command line.

use super::TempDir;
use super::files::repository;
use super::{ghc_events, skip};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// `eventlog`, built now if it is not up to date.
fn eventlog() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .parent()
            .expect("tmp/ is in the target directory");
        let output = Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--profile",
                "test",
                "-p",
                "eventlog-cli",
            ])
            .arg("--target-dir")
            .arg(target)
            .current_dir(repository())
            .output()
            .expect("cargo");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cargo build: {complaint}");
        target.join("debug/eventlog")
    })
}

/// What was got back, and what was said about it.
#[derive(Debug)]
pub struct Recovered {
    pub log: Vec<u8>,
    pub said: String,
}

/// Run `eventlog VERB WHAT -o FILE`, and have a look at the file.
#[track_caller]
fn run(verb: &str, what: &str, look: impl FnOnce(&Path, &str)) -> Recovered {
    let dir = TempDir::new();
    let log = dir.join("recovered.eventlog");
    let output = Command::new(eventlog())
        .args([verb, what, "-o"])
        .arg(&log)
        .output()
        .expect("eventlog");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{verb} {what}: {said}");
    look(&log, &said);
    let log = std::fs::read(&log).expect("what was recovered");
    Recovered { log, said }
}

/// Run `eventlog VERB WHAT -o FILE`. The log is one that `eventlog validate` finds nothing wrong with.
#[track_caller]
pub fn recovered_by(verb: &str, what: &str) -> Recovered {
    run(verb, what, validate)
}

/// The same for a program whose classes of events went on and off: what was off is missing, and `validate` would say so.
#[track_caller]
pub fn recovered_by_as_is(verb: &str, what: &str) -> Recovered {
    run(verb, what, |_, _| ())
}

#[track_caller]
fn validate(log: &Path, said: &str) {
    let output = Command::new(eventlog())
        .arg("validate")
        .arg(log)
        .output()
        .expect("eventlog");
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "validate: {found}; {said}");
}

/// Recover a ring file.
#[track_caller]
pub fn recovered(file: &Path) -> Recovered {
    recovered_by("recover", file.to_str().expect("a plain path"))
}

/// GHC's own reader can read it, if it is here.
#[track_caller]
pub fn shown_by_ghc_events(log: &[u8]) {
    static ASKED: OnceLock<bool> = OnceLock::new();
    let available = ASKED.get_or_init(|| match ghc_events::available() {
        Ok(()) => true,
        Err(reason) => {
            skip::announce("ghc-events show of recovered logs", &reason);
            false
        }
    });
    if *available {
        ghc_events::show(log);
    }
}
