//! How much is measured: a quick check of everything, or reliable figures.

use std::path::PathBuf;
use std::time::Duration;

use crate::build::output;

/// Chosen on the command line of a program of this package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Everything once, in seconds. The figures mean little.
    Short,
    /// Several interleaved rounds.
    Full,
}

impl Scale {
    /// From the program's only argument: `short`, or `full` (also without one).
    ///
    /// # Errors
    /// Another argument.
    pub fn from_args() -> Result<Scale, String> {
        match std::env::args().nth(1).as_deref() {
            None | Some("full") => Ok(Scale::Full),
            Some("short") => Ok(Scale::Short),
            Some(other) => Err(format!("`{other}`: short or full")),
        }
    }

    /// Where results are written. Those of a short run are kept apart from others.
    pub fn results(self) -> PathBuf {
        self.choose(output().join("short"), output())
    }

    /// One of two values.
    pub fn choose<T>(self, short: T, full: T) -> T {
        match self {
            Scale::Short => short,
            Scale::Full => full,
        }
    }

    /// Rounds at most, and the time after which no further one begins.
    pub fn rounds(self, full: usize, seconds: u64) -> Rounds {
        Rounds {
            most: self.choose(1, full),
            time: Duration::from_secs(seconds),
        }
    }
}

/// See [`Scale::rounds`].
#[derive(Debug, Clone, Copy)]
pub struct Rounds {
    /// How many rounds, at most.
    pub most: usize,
    /// No round begins that would probably end later than this.
    pub time: Duration,
}
