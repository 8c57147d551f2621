//! Opens sources, waiting for programs that are not running yet.

use crate::connection::Connection;
use crate::error::Error;
use crate::notice::{Notice, Notices};
use crate::programs::{Place, Program};
use crate::source::Source;
use crate::wait::Wait;
use eventlog_control::{Frame, RtsCommand};
use rustix::net::sockopt;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// After this time the user gets a notice about what is being waited for.
pub(crate) const PATIENCE: Duration = Duration::from_millis(700);
/// Time limit for one address of a host that does not answer at all.
const TCP_TIMEOUT: Duration = Duration::from_secs(10);

/// How to open a source, and how to read it afterwards.
///
/// ```
/// use eventlog_source::{Connecting, Wait};
/// use std::time::Duration;
///
/// let how = Connecting::new()
///     .wait(Wait::Forever)
///     .tick(Some(Duration::from_millis(100)))
///     .flush(Some(Duration::from_secs(1)))
///     .notices(|notice| eprintln!("{notice:?}"));
/// ```
#[derive(Clone)]
pub struct Connecting {
    pub(crate) wait: Wait,
    pub(crate) missing_ok: bool,
    pub(crate) tick: Option<Duration>,
    pub(crate) flush: Option<Duration>,
    pub(crate) notices: Notices,
    stop: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
    attach: Option<Arc<Attach>>,
}

type Attach = dyn Fn(&Program) -> io::Result<UnixStream> + Send + Sync;

impl Default for Connecting {
    /// Waits up to 30 s for a program that is not running yet, and has no other options set.
    fn default() -> Self {
        Self {
            wait: Wait::For(Duration::from_secs(30)),
            missing_ok: false,
            tick: None,
            flush: None,
            notices: Notices::default(),
            stop: None,
            attach: None,
        }
    }
}

impl Connecting {
    /// The default options: see [`Default`](#impl-Default-for-Connecting).
    pub fn new() -> Self {
        Self::default()
    }

    /// How long to wait for the program.
    #[must_use]
    pub fn wait(self, wait: impl Into<Wait>) -> Self {
        let wait = wait.into();
        Self { wait, ..self }
    }

    /// Whether to wait for a missing file, too.
    #[must_use]
    pub fn missing_ok(self, missing_ok: bool) -> Self {
        Self { missing_ok, ..self }
    }

    /// Reads then fail with `WouldBlock` whenever nothing has arrived for that long; without it
    /// they wait forever.
    #[must_use]
    pub fn tick(self, tick: Option<Duration>) -> Self {
        Self { tick, ..self }
    }

    /// Asks the program to flush its eventlog this often, for a program that does not do so by
    /// itself. Only sockets can send to the program, so other sources then cannot be opened.
    #[must_use]
    pub fn flush(self, flush: Option<Duration>) -> Self {
        Self { flush, ..self }
    }

    /// Sets a function that gets notices. It is called on the thread that opens or reads the
    /// source.
    #[must_use]
    pub fn notices(self, tell: impl Fn(&Notice<'_>) + Send + Sync + 'static) -> Self {
        let notices = Notices::to(tell);
        Self { notices, ..self }
    }

    /// Ends the waiting when `stop` returns true.
    #[must_use]
    pub fn stop(self, stop: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        let stop: Option<Arc<dyn Fn() -> bool + Send + Sync>> = Some(Arc::new(stop));
        Self { stop, ..self }
    }

    /// How to connect to a program that [was found](crate::programs): others may want to connect as
    /// well, and it serves only one client. Without this it is connected to directly. A
    /// [`Log`](crate::Log) of such a program goes on when the connection is lost, if the program
    /// still runs.
    ///
    /// `NotFound` and `ConnectionRefused` mean that the program has ended, `ResourceBusy` that
    /// another attempt may succeed.
    #[must_use]
    pub fn programs(
        self,
        attach: impl Fn(&Program) -> io::Result<UnixStream> + Send + Sync + 'static,
    ) -> Self {
        let attach: Option<Arc<Attach>> = Some(Arc::new(attach));
        Self { attach, ..self }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop())
    }
}

impl fmt::Debug for Connecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting")
            .field("wait", &self.wait)
            .field("missing_ok", &self.missing_ok)
            .field("tick", &self.tick)
            .field("flush", &self.flush)
            .field("notices", &self.notices)
            .finish_non_exhaustive()
    }
}

impl Source {
    /// Opens the source, waiting for a program that is not running yet.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] if it cannot be opened in time, or at all; [`Error::NotASocket`] if flushes
    /// are to be requested and it is not a socket.
    pub fn connect(&self, how: &Connecting) -> Result<Connection, Error> {
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut told = false;
        loop {
            let cause = match self.try_connect(how) {
                Ok(connection) => return self.ready(connection, how),
                Err(cause) => cause,
            };
            let waited = started.elapsed();
            let left = how.wait.left(waited);
            let may_come = self.may_come(&cause, how);
            if left.is_zero() || !may_come || how.is_stopped() {
                return Err(Error::Open {
                    from: self.clone(),
                    waited: may_come.then_some(waited),
                    cause,
                });
            }
            if !told && waited > PATIENCE {
                told = true;
                let (source, cause) = (self, &cause);
                how.notices.tell(&Notice::Waiting { source, cause });
            }
            std::thread::sleep(pause.min(left));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Sets the options of a new connection.
    fn ready(&self, mut connection: Connection, how: &Connecting) -> Result<Connection, Error> {
        connection.set_tick(how.tick);
        if let Some(every) = how.flush {
            let flush = Frame::rts(RtsCommand::Flush).as_bytes().to_vec();
            if !connection.request(every, flush) {
                return Err(Error::NotASocket { to: self.clone() });
            }
        }
        connection.explain_silence(self, &how.notices);
        Ok(connection)
    }

    fn try_connect(&self, how: &Connecting) -> io::Result<Connection> {
        match self {
            Self::Stdin => Ok(Connection::file(File::from(
                io::stdin().as_fd().try_clone_to_owned()?,
            ))),
            Self::File(path) => open_file(path, how),
            Self::Unix(path) => connect_unix(path, how),
            Self::Tcp(address) => connect_tcp(address).map(Connection::tcp),
        }
    }

    /// Whether the program may only not be running yet.
    pub(crate) fn may_come(&self, error: &io::Error, how: &Connecting) -> bool {
        use io::ErrorKind::*;
        match self {
            Self::Stdin => false,
            Self::File(_) => {
                error.kind() == ResourceBusy || (how.missing_ok && error.kind() == NotFound)
            }
            Self::Unix(_) => matches!(error.kind(), NotFound | ConnectionRefused | ResourceBusy),
            Self::Tcp(_) => matches!(
                error.kind(),
                ConnectionRefused
                    | ConnectionReset
                    | TimedOut
                    | HostUnreachable
                    | NetworkUnreachable
            ),
        }
    }
}

/// Connects to the socket at a path; if it is that of a found program, as set by
/// [`Connecting::programs`].
fn connect_unix(path: &Path, how: &Connecting) -> io::Result<Connection> {
    if let Some(attach) = &how.attach
        && let Some(program) = found(path)
    {
        return attach(&program).map(|stream| Connection::program(stream, program));
    }
    UnixStream::connect(path).map(Connection::unix)
}

/// The program whose socket that is, if it is one of those that can be found.
fn found(socket: &Path) -> Option<Program> {
    // If the directory cannot be used, the socket may still be usable.
    let directory = Place::own().find().ok()??;
    Program::at(&directory, socket).ok()?
}

fn open_file(path: &Path, how: &Connecting) -> io::Result<Connection> {
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::IsADirectory,
            "it is a directory",
        ));
    }
    if kind.is_socket() {
        // The path is that of a socket, so connect to it.
        return connect_unix(path, how);
    }
    if kind.is_fifo() {
        // An ordinary open would block until there is a writer, and not notice a request to stop.
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
        let fifo = OpenOptions::new()
            .read(true)
            .custom_flags(nonblocking)
            .open(path)?;
        return Ok(Connection::fifo(fifo));
    }
    File::open(path).map(Connection::file)
}

fn connect_tcp(address: &str) -> io::Result<TcpStream> {
    // Not one of the kinds of a failed connection: waiting would not help.
    let invalid = |error: io::Error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string());
    let addresses: Vec<SocketAddr> = address.to_socket_addrs().map_err(invalid)?.collect();
    let mut failure = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, TCP_TIMEOUT) {
            Ok(stream) => {
                // So that a host that disappears is noticed eventually.
                let _ = sockopt::set_socket_keepalive(&stream, true);
                return Ok(stream);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}
