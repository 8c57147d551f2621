//! Where the bytes of a source come from.

use eventlog_source::{Arrival, Connection, Error, Following, Reconnecting};
use std::fmt;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

/// What a source brings, piece by piece.
///
/// It is read on a thread of its own, which ends after [`Arrival::End`] or an error that
/// persists. When the relay ends, that thread is not waited for while it is in
/// [`next`](Self::next): let that return [`Arrival::Idle`] now and then, or be stopped by its owner.
pub trait Arrivals: Send {
    /// What is next; bytes go into the buffer. Before the first byte of each log, and nowhere
    /// else, comes [`Arrival::NewLog`].
    ///
    /// # Errors
    ///
    /// If the source cannot be read. It is over then.
    fn next(&mut self, buffer: &mut [u8]) -> Result<Arrival, Error>;

    /// Where the program takes commands: a duplicate of the socket that its log comes from,
    /// if it is one. Asked for once after each [`Arrival::NewLog`].
    fn commands(&mut self) -> Option<OwnedFd> {
        None
    }
}

/// What a relay reads.
pub struct Intake {
    pub(crate) arrivals: Box<dyn Arrivals>,
    pub(crate) may_wait: bool,
}

impl Intake {
    /// Whatever brings logs.
    pub fn new(arrivals: impl Arrivals + 'static) -> Self {
        Self {
            arrivals: Box::new(arrivals),
            may_wait: false,
        }
    }

    /// Whether the source can be kept waiting, as a file can: then it is not read faster than its
    /// state can be followed. A program must not be; nobody else is ever waited for (but
    /// a [`Recorder`](crate::Recorder)).
    #[must_use]
    pub fn may_wait(self, may_wait: bool) -> Self {
        Self { may_wait, ..self }
    }

    /// A source that is connected to again whenever it is lost. Give it a
    /// [tick](eventlog_source::Connecting::tick) and a way to be
    /// [stopped](eventlog_source::Connecting::stop), so that it can end.
    pub fn reconnecting(source: Reconnecting) -> Self {
        Self::new(source)
    }

    /// A source that is read to its end, or a file as it grows.
    pub fn following(source: Following) -> Self {
        Self::new(source)
    }

    /// One log to its end, from whatever can be read: a program's output, a recording that is
    /// played at its own pace.
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
    /// It cannot be read any more.
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
