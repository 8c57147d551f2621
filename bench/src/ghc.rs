//! The GHC that Haskell programs are built with.

use std::path::PathBuf;
use std::process::Command;

use crate::build::{repository, run};

/// A GHC: how it and its programs are run.
#[derive(Debug, Clone)]
pub struct Ghc {
    /// The prefix of commands for its programs: nothing, or `scripts/ghc-matrix` and a suite.
    pub prefix: Vec<String>,
    /// The command that runs GHC.
    pub call: Vec<String>,
    /// The output of `--numeric-version`.
    pub version: String,
}

impl Ghc {
    /// `EVENTLOG_BENCH_GHC` (a path, or a suite of `scripts/ghc-matrix`), else 9.10.3 if its root
    /// has been made, else `ghc`.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn find() -> Result<Ghc, String> {
        let roots = std::env::var_os("GHC_ROOTS").unwrap_or_else(|| "/opt/ghc-roots".into());
        let made = PathBuf::from(roots).join("sid/usr/bin/ghc").exists();
        let chosen = std::env::var("EVENTLOG_BENCH_GHC").ok();
        let chosen = chosen.unwrap_or_else(|| if made { "sid" } else { "ghc" }.into());
        let (prefix, name) = match chosen.as_str() {
            "host" => (Vec::new(), "ghc".into()),
            "sid" | "trixie" => {
                let matrix = repository().join("scripts/ghc-matrix");
                let matrix = matrix.display().to_string();
                (vec![matrix, chosen.clone()], "ghc".into())
            }
            _ => (Vec::new(), chosen.clone()),
        };
        let call = [prefix.clone(), vec![name]].concat();
        let version = run(Command::new(&call[0])
            .args(&call[1..])
            .arg("--numeric-version"))?;
        Ok(Ghc {
            prefix,
            call,
            version: version.trim().into(),
        })
    }

    /// Whether it is this version or a later one.
    pub fn at_least(&self, major: u32, minor: u32) -> bool {
        let mut numbers = self.version.split('.').map(|n| n.parse::<u32>().ok());
        let mut number = || numbers.next().flatten().unwrap_or(0);
        (number(), number()) >= (major, minor)
    }
}
