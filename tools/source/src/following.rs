//! A file that grows, byte by byte.

use crate::connect::Connecting;
use crate::connection::Connection;
use crate::error::Error;
use crate::growth::{Growth, growth};
use crate::notice::Notice;
use crate::source::Source;
use std::io::{self, Read};

/// What has arrived from a source.
#[derive(Debug)]
#[non_exhaustive]
pub enum Arrival {
    /// A new log begins: the following bytes do not belong to the one before. Also returned before
    /// the very first byte.
    ///
    /// A program may also begin its log again within one connection; this can be seen only in the
    /// bytes, which then have another header.
    NewLog,
    /// This many bytes, in the buffer.
    Bytes(usize),
    /// Nothing during a whole tick.
    Idle,
    /// The connection has ended, with an error if it broke.
    Lost(Option<io::Error>),
    /// The source has ended: nothing more will arrive.
    End,
}

/// Reads a source to its end, and a file beyond that: as it grows, and from the beginning of the
/// file that replaces it.
#[derive(Debug)]
pub struct Following {
    source: Source,
    how: Connecting,
    connection: Connection,
    /// Whether a new log was reported.
    begun: bool,
    /// Whether the file has been replaced, so that this one is read to its end.
    replaced: bool,
}

impl Following {
    /// Opens the source.
    ///
    /// # Errors
    ///
    /// Those of [`Source::connect`].
    pub fn open(source: Source, how: Connecting) -> Result<Self, Error> {
        let connection = source.connect(&how)?;
        Ok(Self::over(connection, source, how))
    }

    pub(crate) fn over(connection: Connection, source: Source, how: Connecting) -> Self {
        Self {
            source,
            how,
            connection,
            begun: false,
            replaced: false,
        }
    }

    /// The connection that is currently read.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Returns what arrives next. At the end of a file there are ticks even if none are set.
    ///
    /// # Errors
    ///
    /// If the source cannot be read, or a file that replaces it cannot be opened.
    pub fn next(&mut self, buffer: &mut [u8]) -> Result<Arrival, Error> {
        loop {
            if !self.begun {
                self.begun = true;
                return Ok(Arrival::NewLog);
            }
            match self.connection.read(buffer) {
                Ok(0) if buffer.is_empty() => return Ok(Arrival::Bytes(0)),
                Ok(0) if self.replaced => self.reopen()?,
                Ok(0) => match growth(&self.source, &self.connection, self.how.tick) {
                    Growth::Never => return Ok(Arrival::End),
                    Growth::MayGrow => return Ok(Arrival::Idle),
                    Growth::Replaced => self.replaced = true,
                    Growth::Truncated => self.reopen()?,
                },
                Ok(count) => return Ok(Arrival::Bytes(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Arrival::Idle);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => {
                    let from = self.source.clone();
                    return Err(Error::Read { from, cause });
                }
            }
        }
    }

    fn reopen(&mut self) -> Result<(), Error> {
        let source = &self.source;
        self.how.notices.tell(&Notice::Restarted { source });
        self.connection = self.source.connect(&self.how)?;
        (self.begun, self.replaced) = (false, false);
        Ok(())
    }
}
