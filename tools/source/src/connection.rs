//! An open source: one type for all kinds, with reads that can time out.

use super::silence::{Kind, Silence};
use super::unpack::{self, Unpack};
use crate::system;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// An open source.
pub struct Connection {
    stream: Stream,
    tick: Option<Duration>,
    unpack: Unpack,
    /// Bytes that were read so far, packed ones if it is packed.
    position: u64,
    requests: Option<Requests>,
    silence: Option<Silence>,
}

enum Stream {
    File(File),
    /// Opened without blocking, so every read must wait by itself.
    Fifo(File),
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// What the program is asked again and again.
struct Requests {
    every: Duration,
    next: Instant,
    frame: Vec<u8>,
}

impl Connection {
    fn new(stream: Stream) -> Self {
        Self {
            stream,
            tick: None,
            unpack: Unpack::default(),
            position: 0,
            requests: None,
            silence: None,
        }
    }

    pub fn file(file: File) -> Self {
        Self::new(Stream::File(file))
    }

    pub fn fifo(file: File) -> Self {
        Self::new(Stream::Fifo(file))
    }

    pub fn unix(stream: UnixStream) -> Self {
        Self::new(Stream::Unix(stream))
    }

    pub fn tcp(stream: TcpStream) -> Self {
        Self::new(Stream::Tcp(stream))
    }

    /// From now on reads fail with `WouldBlock` when nothing comes for that
    /// long; `None` waits for ever.
    pub fn tick(&mut self, tick: Option<Duration>) {
        self.tick = tick;
    }

    /// Sends this frame again and again, while something is read. Only sockets have a way back.
    pub fn request(&mut self, every: Duration, frame: Vec<u8>) {
        if self.socket().is_some() {
            self.requests = Some(Requests {
                every,
                next: Instant::now() + every,
                frame,
            });
        }
    }

    /// Tells the user once why nothing comes, if nothing comes for a while.
    pub fn explain_silence(&mut self, name: String) {
        let kind = match self.stream {
            // Of a pipe that is standard input, nothing is known.
            Stream::File(_) => return,
            Stream::Fifo(_) => Kind::Fifo,
            Stream::Unix(_) | Stream::Tcp(_) => Kind::Socket,
        };
        let flushed = self.requests.is_some();
        self.silence = Some(Silence::new(name, kind, flushed));
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

    /// How the source is packed, as far as that is known by now.
    pub fn packing(&self) -> Option<&'static str> {
        self.unpack.packing()
    }

    /// The way back to the program, if there is one.
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

    fn fd(&self) -> BorrowedFd<'_> {
        match &self.stream {
            Stream::File(file) | Stream::Fifo(file) => file.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
            Stream::Tcp(stream) => stream.as_fd(),
        }
    }

    /// Waits until a read would not have to. Meanwhile requests go out, and silence is explained.
    fn wait(&mut self) -> io::Result<()> {
        let deadline = self.tick.map(|tick| Instant::now() + tick);
        loop {
            let others = [
                self.requests.as_ref().map(|requests| requests.next),
                self.silence.as_ref().and_then(Silence::deadline),
            ];
            let next = others.into_iter().flatten().chain(deadline).min();
            let timeout = next.map(|next| {
                let left = next.saturating_duration_since(Instant::now());
                Timespec {
                    tv_sec: left.as_secs().min(1 << 30) as i64,
                    tv_nsec: left.subsec_nanos().into(),
                }
            });
            let mut fds = [PollFd::from_borrowed_fd(self.fd(), PollFlags::IN)];
            match poll(&mut fds, timeout.as_ref()) {
                Ok(0) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            self.send_request();
            if let Some(silence) = &mut self.silence {
                silence.explain();
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
    }

    /// Sends the request if it is due. A program that does not take any must not hold us up.
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
            // Half a frame would spoil all that follow.
            Ok(sent) if sent < whole => self.requests = None,
            // If it is closed, the read says so.
            Ok(_) | Err(_) => {}
        }
    }

    /// Reads from the source itself.
    fn read_source(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let fifo = matches!(self.stream, Stream::Fifo(_));
        loop {
            let file = matches!(self.stream, Stream::File(_));
            let waits = self.tick.is_some() || self.requests.is_some() || self.silence.is_some();
            // What keeps coming must not keep requests from going out.
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
                    if let Some(silence) = &mut self.silence {
                        silence.heard(&buffer[..count]);
                    }
                    return Ok(count);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Read for Connection {
    /// Reads the log, unpacked if the source is packed.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
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
