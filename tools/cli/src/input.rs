//! Reading one log, as most verbs do: with a progress bar, and with what the user is told about how
//! it ended.

use crate::errors;
use crate::progress::Progress;
use crate::source::{self, SourceArgs};
use eventlog_source::{Log, Outcome as Read};
use ghc_eventlog::{Ending, Error};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

pub use eventlog_source::Step;

/// How to read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading {
    /// Hand on [`Step::Idle`] when nothing has arrived for that long.
    pub tick: Option<Duration>,
    /// Go on after a fault, at the next block.
    pub recover: bool,
    /// Hand on events as [`Step::Run`], and most of them in no other way.
    pub runs_only: bool,
    /// Show a progress bar with this label (only if standard error is a terminal, and standard
    /// output is not).
    pub progress: Option<&'static str>,
}

/// A log being read.
pub struct Input(Log);

/// How the reading ended.
#[derive(Debug)]
pub struct Outcome {
    name: String,
    /// How the bytes ended.
    pub ending: Ending,
    /// The fault that ended the reading early.
    pub fault: Option<Error>,
    /// Why a packed log could not be unpacked any further.
    damage: Option<std::io::Error>,
    /// Whether not even one header was complete.
    empty: bool,
    /// Whether the verb itself stopped reading.
    pub stopped: bool,
}

impl Input {
    /// Opens the source.
    pub fn open(args: &SourceArgs, reading: Reading) -> anyhow::Result<Self> {
        let how = args.how(reading.tick).flush(args.flush.every);
        let mut connection = args.flush.connect(&args.source, &how)?;
        if let Some(label) = reading.progress.filter(|_| !args.follow) {
            Progress::new(label, args.source.log_size()).watch(&mut connection);
        }
        let reading = eventlog_source::Reading {
            follow: args.follow,
            recover: reading.recover,
            runs_only: reading.runs_only,
        };
        Ok(Self(Log::over(connection, &args.source, &how, reading)))
    }

    /// Calls `each` with everything there is. Faults in the log are part of
    /// the outcome, after everything before them; other errors end it.
    pub fn each(
        self,
        mut each: impl FnMut(Step<'_>) -> anyhow::Result<ControlFlow<()>>,
    ) -> anyhow::Result<Outcome> {
        let read = self.0.for_each(|step| each(step).map_err(Stopped::Verb));
        match read {
            Ok(read) => Ok(Outcome::of(read)),
            Err(Stopped::Verb(error)) => Err(error),
            Err(Stopped::Source(error)) => Err(source::failed(error)),
        }
    }
}

/// Why the reading ended early.
enum Stopped {
    Verb(anyhow::Error),
    Source(eventlog_source::Error),
}

impl From<eventlog_source::Error> for Stopped {
    fn from(error: eventlog_source::Error) -> Self {
        Self::Source(error)
    }
}

impl Outcome {
    fn of(read: Read) -> Self {
        let mut name = read.source.to_string();
        if let (Some(packing), false) = (read.packing, read.ending.header) {
            name = format!("{name} (packed with {packing})");
        }
        Self {
            name,
            ending: read.ending,
            fault: read.fault,
            damage: read.damage,
            empty: read.empty,
            stopped: read.stopped,
        }
    }

    /// Why a packed log could not be unpacked any further, if that is so.
    pub fn damage(&self) -> Option<&std::io::Error> {
        self.damage.as_ref()
    }

    /// An error if there was no log at all: then that is all there is to say.
    pub fn expect_log(&self) -> anyhow::Result<()> {
        let name = &self.name;
        match (self.fault, &self.damage) {
            _ if !self.empty || self.stopped => Ok(()),
            (Some(fault), _) => Err(anyhow::Error::new(fault).context(name.clone())),
            (None, Some(damage)) => Err(errors::input(format_args!("{name}: {damage}"))),
            (None, None) => Err(errors::no_header(name)),
        }
    }

    /// Reports on standard error what was wrong with the log, if anything, and returns the exit
    /// code: 1 after a fault or without any log, 0 otherwise. A log that merely stops (a killed
    /// program) is reported, but is not a failure.
    pub fn report(&self) -> ExitCode {
        let name = &self.name;
        if let Some(fault) = self.fault {
            errors::fault(name, fault);
            return ExitCode::from(errors::INPUT);
        }
        if let Some(damage) = &self.damage {
            errors::fail(format_args!("{name}: {damage}"));
            errors::hint("what came before is used; copy or download the file again");
            return ExitCode::from(errors::INPUT);
        }
        if self.stopped {
            return ExitCode::SUCCESS;
        }
        errors::ending(name, &self.ending)
    }
}
