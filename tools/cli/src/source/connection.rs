//! An open source: one type for all kinds, with reads that can time out.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// An open source.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    tick: Option<Duration>,
}

#[derive(Debug)]
enum Stream {
    File(File),
    /// Opened without blocking, so every read must wait by itself.
    Fifo(File),
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Connection {
    pub fn file(file: File) -> Self {
        Self {
            stream: Stream::File(file),
            tick: None,
        }
    }

    pub fn fifo(file: File) -> Self {
        Self {
            stream: Stream::Fifo(file),
            tick: None,
        }
    }

    pub fn unix(stream: UnixStream) -> Self {
        Self {
            stream: Stream::Unix(stream),
            tick: None,
        }
    }

    pub fn tcp(stream: TcpStream) -> Self {
        Self {
            stream: Stream::Tcp(stream),
            tick: None,
        }
    }

    /// From now on reads fail with `WouldBlock` when nothing comes for that
    /// long; `None` waits for ever.
    pub fn tick(&mut self, tick: Option<Duration>) {
        self.tick = tick;
    }

    /// The file itself, if the source is one.
    pub fn as_file(&self) -> Option<&File> {
        match &self.stream {
            Stream::File(file) => Some(file),
            _ => None,
        }
    }

    /// The way back to the program, if there is one.
    pub fn writer(&mut self) -> Option<&mut dyn Write> {
        match &mut self.stream {
            Stream::Unix(stream) => Some(stream),
            Stream::Tcp(stream) => Some(stream),
            Stream::File(_) | Stream::Fifo(_) => None,
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match &self.stream {
            Stream::File(file) | Stream::Fifo(file) => file.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
            Stream::Tcp(stream) => stream.as_fd(),
        }
    }

    /// Waits until a read would not have to.
    fn wait(&self) -> io::Result<()> {
        let timeout = self.tick.map(|tick| Timespec {
            tv_sec: tick.as_secs().min(1 << 30) as i64,
            tv_nsec: tick.subsec_nanos().into(),
        });
        let mut fds = [PollFd::from_borrowed_fd(self.fd(), PollFlags::IN)];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::File(file) | Stream::Fifo(file) => file.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
            Stream::Tcp(stream) => stream.read(buffer),
        }
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let fifo = matches!(self.stream, Stream::Fifo(_));
        loop {
            if fifo || self.tick.is_some() {
                self.wait()?;
            }
            match self.read_now(buffer) {
                // Another reader of the FIFO was faster.
                Err(error) if fifo && error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }
}
