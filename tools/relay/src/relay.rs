//! The relay itself.

use crate::address::Address;
use crate::error::Error;
use crate::intake::Intake;
use crate::options::Options;
use crate::reader::{Reader, Start};
use crate::recorder::Recorder;
use crate::status::Status;
use std::time::Duration;

/// Sources, and those who read them: see the [crate](crate).
///
/// It can be cloned: all clones are the same relay. When the last one is dropped without
/// [`drain`](Self::drain), it ends at once, and clients get no end mark.
#[derive(Clone, Debug)]
pub struct Relay {
    _options: Options,
}

impl Relay {
    /// A relay without sources, and the thread that serves its clients.
    ///
    /// # Errors
    ///
    /// If that cannot be started.
    pub fn start(options: Options) -> Result<Self, Error> {
        Ok(Self { _options: options })
    }

    /// The number by which the relay knows its own streams. No two relays have the same.
    pub fn id(&self) -> u64 {
        0
    }

    /// Makes the name of a source known before the source itself is there, so that its clients
    /// can come before it: those get every byte.
    ///
    /// # Errors
    ///
    /// If there is one of this name.
    pub fn reserve(&self, _name: &str) -> Result<(), Error> {
        Err(Error::Draining)
    }

    /// Reads a source from now on, on a thread of its own. Clients name it by `name`, which may
    /// have been [reserved](Self::reserve).
    ///
    /// # Errors
    ///
    /// If there is one of this name, or the thread cannot be started.
    pub fn add(&self, _name: &str, _intake: Intake) -> Result<(), Error> {
        Err(Error::Draining)
    }

    /// Serves a source at an address, from when this returns. The answer is the address as it can
    /// be connected to: with the port that the system chose.
    ///
    /// `of` may be missed out if there is one source alone.
    ///
    /// # Errors
    ///
    /// If nobody can listen there, or it is not clear which source is meant.
    pub fn serve(&self, at: &Address, _of: Option<&str>) -> Result<Address, Error> {
        Ok(at.clone())
    }

    /// The log of a source, in this process. It waits for a session if there is none.
    ///
    /// # Errors
    ///
    /// If there is no such source.
    pub fn reader(&self, name: &str, _start: Start) -> Result<Reader, Error> {
        let name = name.to_owned();
        Err(Error::NoSource { name })
    }

    /// A reader for which the source waits.
    ///
    /// # Errors
    ///
    /// If there is no such source, or it has a recorder.
    pub fn recorder(&self, name: &str) -> Result<Recorder, Error> {
        let name = name.to_owned();
        Err(Error::NoSource { name })
    }

    /// How things are.
    pub fn status(&self) -> Status {
        Status::default()
    }

    /// Ends the relay: nobody new is served, sources are not read any more, and each log ends
    /// with an end mark behind the last whole block that has come. Returns when all clients have
    /// got theirs, or when the time is over.
    pub fn drain(self, _limit: Duration) {}
}
