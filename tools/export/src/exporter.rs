//! What all formats have in common.

use eventlog_state::{Fact, Keep, State};
use ghc_eventlog::Event;
use std::fmt;
use std::io;

/// Whoever makes something else of a log.
///
/// It is told what happened, and may look up how things are. An
/// [`Export`](crate::Export) folds a log and calls it.
pub trait Exporter {
    /// Why it cannot go on.
    type Error;
    /// What it has to say in the end.
    type Report;

    /// What it needs to know of the runtime system.
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

    /// Something happened: the event that tells it is in the state already. A
    /// thread that is over is not.
    ///
    /// # Errors
    ///
    /// It cannot go on.
    fn fact(&mut self, state: &State, fact: &Fact<'_>) -> Result<(), Self::Error>;

    /// An event. It is not in the state yet; what it means is told after it.
    ///
    /// # Errors
    ///
    /// It cannot go on.
    fn event(&mut self, state: &State, event: &Event<'_>) -> Result<(), Self::Error> {
        let _ = (state, event);
        Ok(())
    }

    /// A log is over, and all that happened in it has been reported.
    ///
    /// # Errors
    ///
    /// It cannot go on.
    fn end(&mut self, state: &State) -> Result<(), Self::Error> {
        let _ = state;
        Ok(())
    }

    /// There is nothing more.
    ///
    /// # Errors
    ///
    /// It cannot be completed, or there is nothing that it could be made of.
    fn finish(self) -> Result<Self::Report, Self::Error>;
}

/// What can be taken from a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The profile of time, by cost centre.
    Samples,
    /// The program's own spans.
    Spans,
    /// What threads do.
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

/// The part of a log that is wanted: from a time on, before another. All of it
/// by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Only from here on. Nanoseconds of the log's clock.
    pub from: u64,
    /// Only before here.
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
    /// Whether it leaves anything out.
    pub fn is_part(self) -> bool {
        self != Self::default()
    }

    /// Whether a time lies in it.
    pub fn contains(self, time: u64) -> bool {
        (self.from..self.to).contains(&time)
    }

    /// The part of an interval that lies inside; `None` if nothing does.
    pub fn clip(self, from: u64, to: u64) -> Option<(u64, u64)> {
        let (from, to) = (from.max(self.from), to.min(self.to));
        (from < to).then_some((from, to))
    }
}

/// Why there is no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// It cannot be written.
    Write(io::Error),
    /// There is nothing of the kind in the log, or in the part that is wanted.
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
