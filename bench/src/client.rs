//! Clients of what is measured: fast, slow, stalled, or connecting again and again.

use std::io::{self, Read};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a listener may take to appear.
const PATIENCE: Duration = Duration::from_secs(20);
/// The most that one read takes.
const BUFFER: usize = 1 << 20;
/// A stamp is this and twenty digits: CLOCK_MONOTONIC in nanoseconds.
const STAMP: &[u8] = b"stamp:";
const STAMP_BYTES: usize = STAMP.len() + 20;

/// Where to connect.
#[derive(Debug, Clone)]
pub enum Address {
    /// The path of a Unix socket.
    Unix(PathBuf),
    /// A port of this machine.
    Tcp(u16),
}

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// There is none.
    None,
    /// Reads as fast as it can.
    Fast,
    /// Reads 1 MB/s.
    Slow,
    /// Reads nothing.
    Stalled,
    /// Reads until the events begin, disconnects, connects again.
    Visiting,
}

impl Manner {
    /// For tables.
    pub fn name(self) -> &'static str {
        match self {
            Manner::None => "none",
            Manner::Fast => "fast",
            Manner::Slow => "slow",
            Manner::Stalled => "stalled",
            Manner::Visiting => "visiting",
        }
    }
}

/// What a client has received.
#[derive(Debug, Default)]
pub struct Seen {
    /// Bytes read.
    pub bytes: u64,
    /// From the first read that returned something until the one that reached `expected`; for all
    /// visits.
    pub took: Option<Duration>,
    /// Nanoseconds from each stamp to its arrival.
    pub delays: Vec<u64>,
    /// Visits that ended without an error.
    pub visits: u64,
}

/// A client that runs on a thread of its own.
#[derive(Debug)]
pub struct Client {
    stop: Sender<()>,
    reached: Receiver<()>,
    connection: Option<Connection>,
    thread: JoinHandle<io::Result<Seen>>,
}

#[derive(Debug)]
enum Connection {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Connection {
    fn open(address: &Address) -> io::Result<Connection> {
        match address {
            Address::Unix(path) => UnixStream::connect(path).map(Connection::Unix),
            Address::Tcp(port) => TcpStream::connect(("127.0.0.1", *port)).map(Connection::Tcp),
        }
    }

    fn open_when_listened(address: &Address) -> io::Result<Connection> {
        let start = Instant::now();
        loop {
            match Connection::open(address) {
                Err(_) if start.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(2)),
                made => return made,
            }
        }
    }

    fn try_clone(&self) -> io::Result<Connection> {
        Ok(match self {
            Connection::Unix(stream) => Connection::Unix(stream.try_clone()?),
            Connection::Tcp(stream) => Connection::Tcp(stream.try_clone()?),
        })
    }

    fn shut(&self) {
        // An error means that it is closed already.
        let _ = match self {
            Connection::Unix(stream) => stream.shutdown(Shutdown::Both),
            Connection::Tcp(stream) => stream.shutdown(Shutdown::Both),
        };
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Connection::Unix(stream) => stream.read(buffer),
            Connection::Tcp(stream) => stream.read(buffer),
        }
    }
}

impl Client {
    /// Connects (waiting for the listener), and runs until [`Client::stop`]. `expected`: bytes
    /// after which [`Client::wait`] returns. `stamped`: look for stamps.
    ///
    /// # Errors
    /// No process listens.
    pub fn start(
        address: &Address,
        manner: Manner,
        expected: u64,
        stamped: bool,
    ) -> io::Result<Client> {
        let (stop, stopped) = mpsc::channel();
        let (reach, reached) = mpsc::channel();
        if manner == Manner::Visiting {
            let address = address.clone();
            let thread = thread::spawn(move || visit(&address, &stopped));
            return Ok(Client {
                stop,
                reached,
                connection: None,
                thread,
            });
        }
        let mut own = Connection::open_when_listened(address)?;
        let connection = Some(own.try_clone()?);
        let thread = thread::spawn(move || match manner {
            Manner::Fast => read_all(&mut own, expected, stamped, &reach),
            Manner::Slow => read_slowly(&mut own, &stopped),
            _ => {
                let _ = stopped.recv();
                Ok(Seen::default())
            }
        });
        Ok(Client {
            stop,
            reached,
            connection,
            thread,
        })
    }

    /// Waits until a fast client has read what is expected, or its stream has ended.
    pub fn wait(&self, limit: Duration) {
        let _ = self.reached.recv_timeout(limit);
    }

    /// Disconnects.
    ///
    /// # Errors
    /// Reading failed.
    pub fn stop(self) -> io::Result<Seen> {
        drop(self.stop);
        if let Some(connection) = &self.connection {
            connection.shut();
        }
        let seen = self.thread.join();
        seen.unwrap_or_else(|_| Err(io::Error::other("the client panicked")))
    }
}

fn read_all(
    connection: &mut Connection,
    expected: u64,
    stamped: bool,
    reach: &Sender<()>,
) -> io::Result<Seen> {
    let mut buffer = vec![0; BUFFER];
    let mut seen = Seen::default();
    let mut begin = None;
    // The end of the last read, in which a stamp may have begun.
    let mut kept = Vec::new();
    loop {
        // However the connection ends, what was received counts.
        let count = connection.read(&mut buffer).unwrap_or(0);
        if count == 0 {
            return Ok(seen);
        }
        let begin = *begin.get_or_insert_with(Instant::now);
        seen.bytes += count as u64;
        if seen.took.is_none() && seen.bytes >= expected {
            seen.took = Some(begin.elapsed());
            // There may be no caller that waits.
            let _ = reach.send(());
        }
        if stamped {
            find_stamps(&mut kept, &buffer[..count], &mut seen.delays);
        }
    }
}

/// Finds stamps in `kept` and `bytes`; afterwards `kept` is as much of their end as may be the
/// beginning of a stamp.
fn find_stamps(kept: &mut Vec<u8>, bytes: &[u8], delays: &mut Vec<u64>) {
    let now = monotonic_ns();
    kept.extend_from_slice(bytes);
    let mut at = 0;
    while at + STAMP_BYTES <= kept.len() {
        let Some(next) = memchr(b's', &kept[at..=kept.len() - STAMP_BYTES]) else {
            at = kept.len() - STAMP_BYTES + 1;
            break;
        };
        at += next;
        let stamp = &kept[at..at + STAMP_BYTES];
        let digits = stamp.strip_prefix(STAMP).map(str::from_utf8);
        if let Some(Ok(digits)) = digits
            && let Ok(then) = digits.parse::<u64>()
        {
            delays.push(now.saturating_sub(then));
        }
        at += 1;
    }
    kept.drain(..at.min(kept.len()));
}

/// Where the byte is. `contains` compares a word at a time, `position` would not.
fn memchr(byte: u8, bytes: &[u8]) -> Option<usize> {
    const PIECE: usize = 256;
    let piece = bytes
        .chunks(PIECE)
        .position(|piece| piece.contains(&byte))?
        * PIECE;
    let within = bytes[piece..].iter().position(|each| *each == byte)?;
    Some(piece + within)
}

/// The clock of the stamps.
pub fn monotonic_ns() -> u64 {
    clock(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds that this thread has spent on a processor: on a busy machine, only its work and not
/// its waiting.
pub fn on_processor_ns() -> u64 {
    clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn clock(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a timespec of ours that the call may write.
    unsafe { libc::clock_gettime(clock, &raw mut now) };
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

fn read_slowly(connection: &mut Connection, stopped: &Receiver<()>) -> io::Result<Seen> {
    let mut buffer = vec![0; 10_000];
    let mut seen = Seen::default();
    let nap = Duration::from_millis(10);
    while stopped.recv_timeout(nap) == Err(RecvTimeoutError::Timeout) {
        match connection.read(&mut buffer)? {
            0 => break,
            count => seen.bytes += count as u64,
        }
    }
    Ok(seen)
}

fn visit(address: &Address, stopped: &Receiver<()>) -> io::Result<Seen> {
    let mut buffer = vec![0; 64 << 10];
    let mut seen = Seen::default();
    drop(Connection::open_when_listened(address)?);
    let start = Instant::now();
    while stopped.try_recv() == Err(mpsc::TryRecvError::Empty) {
        // No process listens any more when the program has ended.
        let Ok(mut connection) = Connection::open(address) else {
            break;
        };
        let mut log = Vec::new();
        while !log.windows(4).any(|word| word == b"datb") {
            match connection.read(&mut buffer) {
                Ok(count) if count > 0 => log.extend_from_slice(&buffer[..count]),
                _ => return Ok(seen),
            }
        }
        seen.bytes += log.len() as u64;
        seen.visits += 1;
        seen.took = Some(start.elapsed());
    }
    Ok(seen)
}

/// A port that is not in use at the moment.
///
/// # Errors
/// None is left.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_in_pieces_are_found() {
        let stream = format!("xstamp{:020}xxsstamp:{:020}stamp:{:020}", 7, 1, 2);
        for size in 1..stream.len() {
            let (mut kept, mut delays) = (Vec::new(), Vec::new());
            for piece in stream.as_bytes().chunks(size) {
                find_stamps(&mut kept, piece, &mut delays);
            }
            assert_eq!(delays.len(), 2, "in pieces of {size}");
        }
    }
}
