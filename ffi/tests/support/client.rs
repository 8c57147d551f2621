//! Clients of a program.

use super::waiting::{FLUSH_LIMIT, LIMIT};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[derive(Debug, Clone)]
pub enum Address {
    Unix(PathBuf),
    /// A port of 127.0.0.1.
    Tcp(u16),
}

#[derive(Debug)]
enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// A connection, and what was received on it.
#[derive(Debug)]
pub struct Client {
    socket: Socket,
    pub received: Vec<u8>,
    ended: bool,
}

impl Client {
    pub fn try_connect(address: &Address) -> io::Result<Self> {
        Ok(match address {
            Address::Unix(path) => Self::of(Socket::Unix(UnixStream::connect(path)?)),
            Address::Tcp(port) => Self::connected(TcpStream::connect(("127.0.0.1", *port))?),
        })
    }

    /// One that has come from elsewhere.
    pub fn connected(socket: TcpStream) -> Self {
        Self::of(Socket::Tcp(socket))
    }

    fn of(socket: Socket) -> Self {
        Self {
            socket,
            received: Vec::new(),
            ended: false,
        }
    }

    /// Connect as soon as something listens.
    #[track_caller]
    pub fn connect(address: &Address) -> Self {
        let deadline = Instant::now() + LIMIT;
        loop {
            match Self::try_connect(address) {
                Ok(client) => return client,
                Err(error) => {
                    let not_yet = matches!(
                        error.kind(),
                        ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::WouldBlock
                    );
                    assert!(not_yet, "connect {address:?}: {error}");
                    assert!(Instant::now() < deadline, "nobody listens at {address:?}");
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        }
    }

    fn descriptor(&self) -> RawFd {
        match &self.socket {
            Socket::Unix(socket) => socket.as_raw_fd(),
            Socket::Tcp(socket) => socket.as_raw_fd(),
        }
    }

    /// Read what is there, or wait for it. 0 at the end of the stream; an error
    /// of kind `WouldBlock` if nothing comes within `limit`.
    pub fn read_some(&mut self, limit: Duration) -> io::Result<usize> {
        let mut buffer = [0; 1 << 16];
        let limit = Some(limit.max(Duration::from_millis(1)));
        match &self.socket {
            Socket::Unix(socket) => socket.set_read_timeout(limit)?,
            Socket::Tcp(socket) => socket.set_read_timeout(limit)?,
        }
        let count = loop {
            let outcome = match &mut self.socket {
                Socket::Unix(socket) => socket.read(&mut buffer),
                Socket::Tcp(socket) => socket.read(&mut buffer),
            };
            match outcome {
                // Where there is a time limit, also if the process was merely stopped for a while.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                outcome => break outcome?,
            }
        };
        self.ended |= count == 0;
        self.received.extend_from_slice(&buffer[..count]);
        Ok(count)
    }

    /// Read until `enough` says so of what was received; fails at the end of
    /// the stream or if it takes too long.
    #[track_caller]
    pub fn read_until(&mut self, what: &str, mut enough: impl FnMut(&[u8]) -> bool) {
        let deadline = Instant::now() + FLUSH_LIMIT;
        while !enough(&self.received) {
            let left = deadline.saturating_duration_since(Instant::now());
            let have = self.received.len();
            match self.read_some(left) {
                Ok(0) => panic!("the stream ended before {what}, after {have} bytes"),
                Ok(_) => {}
                Err(error) => panic!("no {what}, after {have} bytes: {error}"),
            }
        }
    }

    #[track_caller]
    pub fn read_bytes(&mut self, count: usize) {
        self.read_until(&format!("{count} bytes"), |bytes| bytes.len() >= count);
    }

    /// Read until this text has come.
    #[track_caller]
    pub fn read_until_text(&mut self, text: &str) {
        let mut from = 0;
        self.read_until(&format!("{text:?}"), |bytes| {
            let found = contains(&bytes[from..], text.as_bytes());
            from = bytes.len().saturating_sub(text.len());
            found
        });
    }

    /// Read for this long.
    pub fn read_for(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || matches!(self.read_some(left), Ok(0)) {
                return;
            }
        }
    }

    /// Read until nothing has come for a while, or the stream has ended.
    pub fn read_until_quiet(&mut self, quiet: Duration) {
        while matches!(self.read_some(quiet), Ok(1..)) {}
    }

    /// Read to the end of the stream.
    #[track_caller]
    pub fn read_to_end(&mut self) -> Vec<u8> {
        loop {
            match self.read_some(LIMIT) {
                Ok(0) => return std::mem::take(&mut self.received),
                Ok(_) => {}
                Err(error) => panic!("no end after {} bytes: {error}", self.received.len()),
            }
        }
    }

    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Another handle of the connection, to send with.
    pub fn sender(&self) -> Box<dyn Write + Send> {
        match &self.socket {
            Socket::Unix(socket) => Box::new(socket.try_clone().expect("a handle")),
            Socket::Tcp(socket) => Box::new(socket.try_clone().expect("a handle")),
        }
    }

    /// Send something to the program.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.sender().write_all(bytes).expect("the program reads");
    }

    /// Bytes that wait in the system for this client.
    pub fn pending(&self) -> usize {
        let mut count: libc::c_int = 0;
        // SAFETY: the descriptor is open; FIONREAD writes an int.
        let result = unsafe { libc::ioctl(self.descriptor(), libc::FIONREAD, &raw mut count) };
        assert_eq!(result, 0, "FIONREAD");
        count as usize
    }

    /// Let the system take no more than about so many bytes for this client.
    pub fn limit_receive_buffer(&self, bytes: libc::c_int) {
        // SAFETY: the descriptor is open and `bytes` outlives the call.
        let result = unsafe {
            libc::setsockopt(
                self.descriptor(),
                libc::SOL_SOCKET,
                libc::SO_RCVBUF,
                (&raw const bytes).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        assert_eq!(result, 0, "SO_RCVBUF");
    }

    /// Say that nothing more will be sent to the program.
    pub fn half_close(&self) {
        let result = match &self.socket {
            Socket::Unix(socket) => socket.shutdown(Shutdown::Write),
            Socket::Tcp(socket) => socket.shutdown(Shutdown::Write),
        };
        result.expect("shutdown");
    }

    /// Leave silently: TCP sends RST instead of FIN.
    pub fn reset(self) {
        let linger = libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        // SAFETY: the descriptor is open and `linger` outlives the call.
        let result = unsafe {
            libc::setsockopt(
                self.descriptor(),
                libc::SOL_SOCKET,
                libc::SO_LINGER,
                (&raw const linger).cast(),
                size_of::<libc::linger>() as libc::socklen_t,
            )
        };
        assert_eq!(result, 0, "SO_LINGER");
    }

    /// Hang up, and hand over what was received.
    pub fn leave(self) -> Vec<u8> {
        self.received
    }
}

pub fn contains(bytes: &[u8], text: &[u8]) -> bool {
    let Some((first, rest)) = text.split_first() else {
        return true;
    };
    let mut at = 0;
    while let Some(step) = bytes[at..].iter().position(|byte| byte == first) {
        at += step + 1;
        if bytes[at..].starts_with(rest) {
            return true;
        }
    }
    false
}
