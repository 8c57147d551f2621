//! Sources of bytes.

use eventlog_source::{Arrival, Connection, Error, Following, Reconnecting};
use std::fmt;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

/// Delivers the bytes of a source.
///
/// It is read on a thread of its own, which ends after [`Arrival::End`] or an error that persists.
/// When the relay ends, it does not wait for that thread while it is in [`next`](Self::next): let
/// that return [`Arrival::Idle`] now and then, or let its owner stop it.
pub trait Arrivals: Send {
    /// Returns what arrives next; bytes go into the buffer. [`Arrival::NewLog`] is returned
    /// before the first byte of each log, and nowhere else.
    ///
    /// # Errors
    ///
    /// If the source cannot be read. It has ended then.
    fn next(&mut self, buffer: &mut [u8]) -> Result<Arrival, Error>;

    /// The connection for commands to the program: a duplicate of the socket of its log, if
    /// that is a socket. Called once after each [`Arrival::NewLog`].
    fn commands(&mut self) -> Option<OwnedFd> {
        None
    }
}

/// A source for a relay.
pub struct Intake {
    pub(crate) arrivals: Box<dyn Arrivals>,
    pub(crate) may_wait: bool,
}

impl Intake {
    /// Any implementation of [`Arrivals`].
    pub fn new(arrivals: impl Arrivals + 'static) -> Self {
        Self {
            arrivals: Box::new(arrivals),
            may_wait: false,
        }
    }

    /// Whether the source may wait, as a file may: then it is not read faster than its state can
    /// be followed. A program must not wait; otherwise the relay only ever waits for a
    /// [`Recorder`](crate::Recorder).
    #[must_use]
    pub fn may_wait(self, may_wait: bool) -> Self {
        Self { may_wait, ..self }
    }

    /// A source that is reconnected whenever it is lost. Give it a
    /// [tick](eventlog_source::Connecting::tick) and a way to be
    /// [stopped](eventlog_source::Connecting::stop), so that it can end.
    pub fn reconnecting(source: Reconnecting) -> Self {
        Self::new(source)
    }

    /// A source that is read to its end, or a file as it grows.
    pub fn following(source: Following) -> Self {
        Self::new(source)
    }

    /// One log to its end, from any reader: a program's output, a recording that is replayed
    /// at its own pace.
    pub fn read(log: impl Read + Send + 'static) -> Self {
        Self::new(Once {
            log,
            begun: false,
            broken: false,
        })
    }
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake").finish_non_exhaustive()
    }
}

impl Arrivals for Intake {
    fn next(&mut self, buffer: &mut [u8]) -> Result<Arrival, Error> {
        self.arrivals.next(buffer)
    }

    fn commands(&mut self) -> Option<OwnedFd> {
        self.arrivals.commands()
    }
}

/// A socket takes commands, a file does not.
fn socket(connection: &mut Connection) -> Option<OwnedFd> {
    connection.writer()?;
    connection.as_fd().try_clone_to_owned().ok()
}

impl Arrivals for Reconnecting {
    fn next(&mut self, buffer: &mut [u8]) -> Result<Arrival, Error> {
        Self::next(self, buffer)
    }

    fn commands(&mut self) -> Option<OwnedFd> {
        self.connection().and_then(socket)
    }
}

impl Arrivals for Following {
    fn next(&mut self, buffer: &mut [u8]) -> Result<Arrival, Error> {
        Self::next(self, buffer)
    }

    fn commands(&mut self) -> Option<OwnedFd> {
        socket(self.connection())
    }
}

/// One log.
struct Once<R> {
    log: R,
    begun: bool,
    /// An error has ended it.
    broken: bool,
}

impl<R: Read + Send> Arrivals for Once<R> {
    fn next(&mut self, buffer: &mut [u8]) -> Result<Arrival, Error> {
        if !std::mem::replace(&mut self.begun, true) {
            return Ok(Arrival::NewLog);
        }
        if self.broken {
            return Ok(Arrival::End);
        }
        loop {
            return match self.log.read(buffer) {
                Ok(0) => Ok(Arrival::End),
                Ok(count) => Ok(Arrival::Bytes(count)),
                Err(error) => match error.kind() {
                    std::io::ErrorKind::Interrupted => continue,
                    std::io::ErrorKind::WouldBlock => Ok(Arrival::Idle),
                    _ => {
                        self.broken = true;
                        Ok(Arrival::Lost(Some(error)))
                    }
                },
            };
        }
    }
}
