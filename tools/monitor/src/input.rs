//! What sessions are read from.

use eventlog_relay::{Arrivals, Intake};
use eventlog_source::{Arrival, Error, Reconnecting};
use std::fs::File;
use std::io::Read;

/// A source of logs.
#[derive(Debug)]
pub struct Input(From);

#[derive(Debug)]
enum From {
    Source(Box<Reconnecting>),
    Other(Intake),
}

impl Input {
    /// A source that is connected to again, a file as it grows. Give it a
    /// [tick](eventlog_source::Connecting::tick).
    pub fn source(source: Reconnecting) -> Self {
        Self(From::Source(Box::new(source)))
    }

    /// One log, from whatever can be read; that should fail with `WouldBlock` now and then when
    /// nothing comes.
    pub fn read(log: impl Read + Send + 'static) -> Self {
        Self(From::Other(Intake::read(log)))
    }

    pub(crate) fn next(&mut self, buffer: &mut [u8]) -> Result<Arrival, Error> {
        match &mut self.0 {
            From::Source(source) => source.next(buffer),
            From::Other(intake) => intake.next(buffer),
        }
    }

    /// The file that is read, if it is one in which the bytes of the log lie as they are. Known once
    /// some of them have come.
    pub(crate) fn file(&mut self) -> Option<File> {
        let From::Source(source) = &mut self.0 else {
            return None;
        };
        // Standard input may be a file of which some was read before.
        if !matches!(source.source(), eventlog_source::Source::File(_)) {
            return None;
        }
        let connection = source.connection()?;
        if connection.packing().is_some() {
            return None;
        }
        let file = connection.as_file()?;
        let regular = file.metadata().is_ok_and(|about| about.is_file());
        regular.then(|| file.try_clone().ok()).flatten()
    }
}
