//! An open source: one type for all kinds, with reads that can time out.

use crate::error::Error;
use crate::notice::{Notice, Notices};
use crate::programs::Program;
use crate::silence::{Listening, Silent};
use crate::source::Source;
use crate::system;
use crate::unpack::{self, Packing, Unpack};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// An open source.
///
/// Reading returns the log, unpacked if the source is packed. If it was opened by [`Source::connect`], the options
/// given there are set; if it was made from a file or a stream, reads wait forever.
///
/// It can be polled as a descriptor ([`AsFd`]): if it is readable, a read of the source does not wait. Data of a packed
/// source that were read but not taken yet do not count, so read until `WouldBlock` with a [tick](Self::set_tick) of
/// zero before polling again.
pub struct Connection {
    stream: Stream,
    tick: Option<Duration>,
    unpack: Unpack,
    /// Number of bytes that were read so far; packed bytes if it is packed.
    position: u64,
    requests: Option<Requests>,
    explained: Option<Explained>,
    on_read: Option<OnRead>,
    program: Option<Program>,
}

type OnRead = Box<dyn FnMut(usize) + Send>;

enum Stream {
    File(File),
    /// Opened with `O_NONBLOCK`, so every read must do its own waiting.
    Fifo(File),
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// The request that is sent repeatedly.
struct Requests {
    every: Duration,
    next: Instant,
    frame: Vec<u8>,
}

/// Where to report that nothing arrives.
struct Explained {
    listening: Listening,
    source: Source,
    notices: Notices,
}

impl Connection {
    fn new(stream: Stream) -> Self {
        Self {
            stream,
            tick: None,
            unpack: Unpack::default(),
            position: 0,
            requests: None,
            explained: None,
            on_read: None,
            program: None,
        }
    }

    /// Opens a regular file, packed or not. [`Source::connect`] opens anything that has a path.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn open(path: &Path) -> io::Result<Self> {
        File::open(path).map(Self::file)
    }

    /// Reads a file, or anything else that is open as one.
    pub fn file(file: File) -> Self {
        Self::new(Stream::File(file))
    }

    /// Reads a FIFO, which must have been opened with `O_NONBLOCK`. Reads wait for a writer all the same, until the
    /// tick has passed.
    pub fn fifo(file: File) -> Self {
        Self::new(Stream::Fifo(file))
    }

    /// Reads a Unix socket.
    pub fn unix(stream: UnixStream) -> Self {
        Self::new(Stream::Unix(stream))
    }

    /// Reads the log of a program that was found, from the program itself or from a tool that serves it.
    pub fn program(stream: UnixStream, program: Program) -> Self {
        Self {
            program: Some(program),
            ..Self::unix(stream)
        }
    }

    /// The program that it is a connection to, if it was found.
    pub fn as_program(&self) -> Option<&Program> {
        self.program.as_ref()
    }

    /// Reads a TCP socket.
    pub fn tcp(stream: TcpStream) -> Self {
        Self::new(Stream::Tcp(stream))
    }

    /// From now on reads fail with `WouldBlock` when nothing arrives for that long; `None` waits forever.
    pub fn set_tick(&mut self, tick: Option<Duration>) {
        self.tick = tick;
    }

    /// Calls `tell` with the number of bytes whenever some were read (for a packed log: unpacked bytes).
    pub fn on_read(&mut self, tell: impl FnMut(usize) + Send + 'static) {
        self.on_read = Some(Box::new(tell));
    }

    /// Sends this frame repeatedly, while something is read. Only sockets can send; for anything else it returns
    /// `false`.
    pub fn request(&mut self, every: Duration, frame: Vec<u8>) -> bool {
        let can = self.socket().is_some();
        if can {
            self.requests = Some(Requests {
                every,
                next: Instant::now() + every,
                frame,
            });
        }
        can
    }

    /// Reports once why nothing arrives, if nothing arrives for a while.
    pub(crate) fn explain_silence(&mut self, source: &Source, notices: &Notices) {
        let of = match self.stream {
            // Nothing is known about a pipe that is standard input.
            Stream::File(_) => return,
            Stream::Fifo(_) => Silent::Fifo,
            Stream::Unix(_) | Stream::Tcp(_) => Silent::Socket,
        };
        self.explained = notices.are_wanted().then(|| Explained {
            listening: Listening::new(of, self.requests.is_some()),
            source: source.clone(),
            notices: notices.clone(),
        });
    }

    /// Sends frames to the program, each in a separate write.
    ///
    /// `source` is the source of this connection, for the error.
    ///
    /// # Errors
    ///
    /// If it is not a socket, or the program has closed it.
    pub fn send(&mut self, source: &Source, frames: &[Vec<u8>]) -> Result<(), Error> {
        let Some(writer) = self.writer() else {
            return Err(Error::NotASocket { to: source.clone() });
        };
        for frame in frames {
            // Some programs fail on very long reads.
            let sent = writer.write_all(frame).and_then(|()| writer.flush());
            sent.map_err(|cause| Error::Send {
                to: source.clone(),
                cause,
            })?;
        }
        Ok(())
    }

    /// The file itself, if the source is one.
    pub fn as_file(&self) -> Option<&File> {
        match &self.stream {
            Stream::File(file) => Some(file),
            _ => None,
        }
    }

    /// How many bytes of the source were read; of a packed one these are packed bytes.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// How the source is packed, as far as that is known already.
    pub fn packing(&self) -> Option<Packing> {
        self.unpack.packing()
    }

    /// The writer to the program, if the source has one.
    pub fn writer(&mut self) -> Option<&mut dyn Write> {
        match &mut self.stream {
            Stream::Unix(stream) => Some(stream),
            Stream::Tcp(stream) => Some(stream),
            Stream::File(_) | Stream::Fifo(_) => None,
        }
    }

    fn socket(&self) -> Option<BorrowedFd<'_>> {
        match &self.stream {
            Stream::File(_) | Stream::Fifo(_) => None,
            Stream::Unix(stream) => Some(stream.as_fd()),
            Stream::Tcp(stream) => Some(stream.as_fd()),
        }
    }

    /// Whether it is a FIFO.
    pub(crate) fn is_fifo(&self) -> bool {
        matches!(self.stream, Stream::Fifo(_))
    }

    /// Whether there may be another connection after this one has ended.
    pub(crate) fn may_come_back(&self) -> bool {
        !matches!(self.stream, Stream::File(_))
    }

    /// Waits until a read would not block. Meanwhile requests are sent, and silence is reported.
    fn wait(&mut self) -> io::Result<()> {
        let deadline = self.tick.map(|tick| Instant::now() + tick);
        loop {
            let others = [
                self.requests.as_ref().map(|requests| requests.next),
                self.explained
                    .as_ref()
                    .and_then(|explained| explained.listening.deadline()),
            ];
            let next = others.into_iter().flatten().chain(deadline).min();
            let timeout = next.map(|next| {
                let left = next.saturating_duration_since(Instant::now());
                Timespec {
                    tv_sec: left.as_secs().min(1 << 30) as i64,
                    tv_nsec: left.subsec_nanos().into(),
                }
            });
            let mut fds = [PollFd::from_borrowed_fd(self.as_fd(), PollFlags::IN)];
            match poll(&mut fds, timeout.as_ref()) {
                Ok(0) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            self.send_request();
            if let Some(explained) = &mut self.explained
                && let Some(silence) = explained.listening.silence()
            {
                let source = &explained.source;
                explained.notices.tell(&Notice::Silent { source, silence });
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
    }

    /// Sends the request if it is due. A program that does not read it must not block us.
    fn send_request(&mut self) {
        let now = Instant::now();
        let due = self
            .requests
            .as_mut()
            .filter(|requests| requests.next <= now);
        let Some(requests) = due else { return };
        requests.next = now + requests.every;
        let whole = requests.frame.len();
        let (Some(requests), Some(socket)) = (&self.requests, self.socket()) else {
            return;
        };
        match rustix::net::send(socket, &requests.frame, system::SEND) {
            // Half a frame would make all following ones unreadable.
            Ok(sent) if sent < whole => self.requests = None,
            // If the connection is closed, the read reports it.
            Ok(_) | Err(_) => {}
        }
    }

    /// Reads from the source itself.
    fn read_source(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let fifo = matches!(self.stream, Stream::Fifo(_));
        loop {
            let file = matches!(self.stream, Stream::File(_));
            let waits = self.tick.is_some() || self.requests.is_some() || self.explained.is_some();
            // Requests must be sent even if data arrive all the time.
            self.send_request();
            if fifo || (waits && !(file && self.tick.is_none())) {
                self.wait()?;
            }
            let result = match &mut self.stream {
                Stream::File(file) | Stream::Fifo(file) => file.read(buffer),
                Stream::Unix(stream) => stream.read(buffer),
                Stream::Tcp(stream) => stream.read(buffer),
            };
            match result {
                // Another reader of the FIFO was faster.
                Err(error) if fifo && error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(count) => {
                    self.position += count as u64;
                    if let Some(explained) = &mut self.explained {
                        explained.listening.heard(&buffer[..count]);
                    }
                    return Ok(count);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads the log, unpacked if the source is packed.
    fn read_log(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.unpack.is_plain() {
                return self.read_source(buffer);
            }
            if let Some(count) = self.unpack.take(buffer)? {
                return Ok(count);
            }
            if self.unpack.is_plain() {
                continue;
            }
            let mut piece = [0; unpack::PUSH];
            match self.read_source(&mut piece)? {
                0 => {
                    self.unpack.end();
                    return Ok(self.unpack.take(buffer)?.unwrap_or(0));
                }
                count => self.unpack.push(&piece[..count]),
            }
        }
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.read_log(buffer)?;
        if let (Some(tell), 1..) = (&mut self.on_read, count) {
            tell(count);
        }
        Ok(count)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.stream {
            Stream::File(file) | Stream::Fifo(file) => file.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
            Stream::Tcp(stream) => stream.as_fd(),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("fd", &self.as_fd())
            .field("tick", &self.tick)
            .field("position", &self.position)
            .field("packing", &self.packing())
            .finish_non_exhaustive()
    }
}
