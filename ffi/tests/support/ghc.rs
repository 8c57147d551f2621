//! The GHC that the tests run with: `EVENTLOG_TEST_GHC`, a suite of
//! `scripts/ghc-matrix` (default `host`).

use super::files::repository;
use std::ffi::OsStr;
use std::process::Command;
use std::sync::OnceLock;

#[derive(Debug)]
pub struct Ghc {
    suite: String,
    version: (u32, u32, u32),
}

/// The GHC, or why there is none.
pub fn ghc() -> Result<&'static Ghc, &'static str> {
    static GHC: OnceLock<Result<Ghc, String>> = OnceLock::new();
    GHC.get_or_init(find).as_ref().map_err(String::as_str)
}

fn find() -> Result<Ghc, String> {
    let suite = std::env::var("EVENTLOG_TEST_GHC").unwrap_or_else(|_| "host".into());
    let output = command_in(&suite, "ghc")
        .arg("--numeric-version")
        .output()
        .map_err(|error| format!("scripts/ghc-matrix: {error}"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("no GHC ({suite}): {}", words.trim()));
    }
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let mut numbers = text.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut number = || numbers.next().unwrap_or(0);
    let version = (number(), number(), number());
    Ok(Ghc { suite, version })
}

fn command_in(suite: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(repository().join("scripts/ghc-matrix"));
    command.arg(suite).arg(program);
    command
}

impl Ghc {
    /// A command that runs `program` where this GHC is at home. Its process is
    /// `program` in the end, with the id that the command was spawned with.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        command_in(&self.suite, program)
    }

    pub fn at_least(&self, major: u32, minor: u32) -> bool {
        (self.version.0, self.version.1) >= (major, minor)
    }

    /// As `--numeric-version` says it.
    pub fn version(&self) -> String {
        format!("{}.{}.{}", self.version.0, self.version.1, self.version.2)
    }

    /// Something to tell builds of different GHCs apart.
    pub fn id(&self) -> String {
        format!("{}-{}", self.suite, self.version())
    }
}
