//! Inputs of sessions.

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
    /// A source with reconnection, or a file as it grows. Give it a
    /// [tick](eventlog_source::Connecting::tick).
    pub fn source(source: Reconnecting) -> Self {
        Self(From::Source(Box::new(source)))
    }

    /// One log, from any reader, which should return `WouldBlock` from time to time when
    /// nothing arrives.
    pub fn read(log: impl Read + Send + 'static) -> Self {
        Self(From::Other(Intake::read(log)))
    }

    pub(crate) fn next(&mut self, buffer: &mut [u8]) -> Result<Arrival, Error> {
        match &mut self.0 {
            From::Source(source) => source.next(buffer),
            From::Other(intake) => intake.next(buffer),
        }
    }

    /// The file that is read, if it contains the log unpacked. Known once some bytes have arrived.
    pub(crate) fn file(&mut self) -> Option<File> {
        let From::Source(source) = &mut self.0 else {
            return None;
        };
        // Standard input may be a file that was read in part before.
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
