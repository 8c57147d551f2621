//! The interface of all formats.

use eventlog_state::{Fact, Keep, State};
use ghc_eventlog::Event;
use std::fmt;
use std::io;

/// Converts a log into another format.
///
/// It is called with what happened, and can look up the current state. An
/// [`Export`](crate::Export) folds a log and calls it.
pub trait Exporter {
    /// Why it cannot go on.
    type Error;
    /// The result of the export.
    type Report;

    /// Which parts of the state it needs.
    fn keep(&self) -> Keep {
        Keep {
            definitions: false,
            info_tables: false,
            oddities: false,
            ..Keep::all()
        }
    }

    /// A log begins, or begins again.
    ///
    /// # Errors
    ///
    /// It cannot go on.
    fn begin(&mut self, state: &State) -> Result<(), Self::Error> {
        let _ = state;
        Ok(())
    }

    /// Something happened: the event that completed it is in the state already.
    /// A thread that has ended is not.
    ///
    /// # Errors
    ///
    /// It cannot go on.
    fn fact(&mut self, state: &State, fact: &Fact<'_>) -> Result<(), Self::Error>;

    /// An event. It is not in the state yet; its facts are reported after it.
    ///
    /// # Errors
    ///
    /// It cannot go on.
    fn event(&mut self, state: &State, event: &Event<'_>) -> Result<(), Self::Error> {
        let _ = (state, event);
        Ok(())
    }

    /// A log has ended, and everything that happened in it has been reported.
    ///
    /// # Errors
    ///
    /// It cannot go on.
    fn end(&mut self, state: &State) -> Result<(), Self::Error> {
        let _ = state;
        Ok(())
    }

    /// Ends the export: there is nothing more.
    ///
    /// # Errors
    ///
    /// It cannot be completed, or there is nothing to export.
    fn finish(self) -> Result<Self::Report, Self::Error>;
}

/// What can be exported from a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The time profile, by cost centre.
    Samples,
    /// The program's own spans.
    Spans,
    /// The states of threads.
    Threads,
    /// The heap profile.
    Heap,
    /// Collections, one by one.
    Gc,
    /// Sizes of the heap over time.
    Memory,
    /// Counters of sparks over time.
    Sparks,
}

impl What {
    /// A stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Samples => "samples",
            Self::Spans => "spans",
            Self::Threads => "threads",
            Self::Heap => "heap",
            Self::Gc => "gc",
            Self::Memory => "memory",
            Self::Sparks => "sparks",
        }
    }
}

/// The part of a log to export: from a time on, before another. All of it by
/// default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Only from this time on, in nanoseconds of the log's clock.
    pub from: u64,
    /// Only before this time.
    pub to: u64,
}

impl Default for Range {
    fn default() -> Self {
        Self {
            from: 0,
            to: u64::MAX,
        }
    }
}

impl Range {
    /// Whether it excludes anything.
    pub fn is_part(self) -> bool {
        self != Self::default()
    }

    /// Whether a time is inside.
    pub fn contains(self, time: u64) -> bool {
        (self.from..self.to).contains(&time)
    }

    /// The part of an interval that is inside; `None` if nothing is.
    pub fn clip(self, from: u64, to: u64) -> Option<(u64, u64)> {
        let (from, to) = (from.max(self.from), to.min(self.to));
        (from < to).then_some((from, to))
    }
}

/// Why there is no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// It could not be written.
    Write(io::Error),
    /// There is nothing of this kind in the log, or in the part to export.
    Nothing(What),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(error) => write!(f, "cannot write the result: {error}"),
            Self::Nothing(what) => write!(f, "there is nothing to export ({})", what.name()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Write(error) => Some(error),
            Self::Nothing(_) => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}
