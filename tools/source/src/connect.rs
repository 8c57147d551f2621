//! Opening sources, with patience: the program may not be up yet.

use super::{Connection, SourceArg};
use crate::errors::{self, Advise};
use crate::hints;
use crate::printable::shell_word;
use crate::units::{Nanos, Wait};
use rustix::net::sockopt;
use std::fs::{File, OpenOptions};
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// After which the user is told what we wait for.
const PATIENCE: Duration = Duration::from_millis(700);
/// For one address of a host that does not answer at all.
const TCP_TIMEOUT: Duration = Duration::from_secs(10);

/// How to open a source.
pub struct Connecting<'a> {
    /// How long to wait for the program.
    pub wait: Wait,
    /// Whether to wait for a file to appear, too.
    pub missing_ok: bool,
    /// Ends the waiting when it says true.
    pub stop: &'a dyn Fn() -> bool,
}

impl Default for Connecting<'_> {
    fn default() -> Self {
        Self {
            wait: Wait::For(Duration::from_secs(30)),
            missing_ok: false,
            stop: &|| false,
        }
    }
}

impl SourceArg {
    /// Opens the source.
    pub fn connect(&self, how: &Connecting<'_>) -> anyhow::Result<Connection> {
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut told = false;
        loop {
            let error = match self.try_connect() {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            let waited = started.elapsed();
            let left = match how.wait {
                Wait::Forever => Duration::MAX,
                Wait::For(time) => time.saturating_sub(waited),
            };
            if left.is_zero() || !self.may_come(&error, how) || (how.stop)() {
                let waited = self.may_come(&error, how).then_some(waited);
                let hint = self.hint(&error);
                return Err(error).advise(self.failure(waited), hint);
            }
            if !told && waited > PATIENCE {
                told = true;
                errors::note(format_args!("waiting for {self} ({})", reason(&error)));
            }
            std::thread::sleep(pause.min(left));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn try_connect(&self) -> io::Result<Connection> {
        match self {
            Self::Stdin => Ok(Connection::file(File::from(
                io::stdin().as_fd().try_clone_to_owned()?,
            ))),
            Self::File(path) => open_file(path),
            Self::Unix(path) => UnixStream::connect(path).map(Connection::unix),
            Self::Tcp(address) => connect_tcp(address).map(Connection::tcp),
        }
    }

    /// Whether the program may just not be there yet.
    fn may_come(&self, error: &io::Error, how: &Connecting<'_>) -> bool {
        use io::ErrorKind::*;
        match self {
            Self::Stdin => false,
            Self::File(_) => how.missing_ok && error.kind() == NotFound,
            Self::Unix(_) => matches!(error.kind(), NotFound | ConnectionRefused),
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

    fn failure(&self, waited: Option<Duration>) -> String {
        let verb = if self.is_socket() {
            "connect to"
        } else {
            "open"
        };
        match waited {
            Some(time) if time > PATIENCE => {
                format!(
                    "cannot {verb} {self}, after {}",
                    Nanos(time.as_nanos() as u64)
                )
            }
            _ => format!("cannot {verb} {self}"),
        }
    }

    /// What to do when it cannot be opened, by the cause.
    pub fn hint(&self, error: &io::Error) -> String {
        use io::ErrorKind::*;
        let missing = |path| hints::missing_directory(path).filter(|_| error.kind() == NotFound);
        let hint = match (self, error.kind()) {
            (Self::Stdin, _) => "",
            (Self::File(path) | Self::Unix(path), NotFound) if missing(path).is_some() => {
                return missing(path).unwrap_or_default();
            }
            (Self::File(_) | Self::Unix(_), PermissionDenied) => {
                "you may not read it, or not enter a directory on the way to it"
            }
            (Self::File(path), IsADirectory) => {
                let shown = path.join("PROGRAM.eventlog");
                return format!(
                    "name a log in it, as {}",
                    shell_word(&shown.to_string_lossy())
                );
            }
            (Self::File(_), NotFound) => {
                "a GHC program writes PROGRAM.eventlog when run with `+RTS -l`; \
                 `eventlog run -- PROGRAM` does the rest"
            }
            (Self::File(_), _) => "",
            (Self::Unix(_), ConnectionRefused) => {
                "nobody listens there any more: the program has ended, or this is not its socket; \
                 `--wait forever` keeps trying"
            }
            (Self::Unix(_), _) => {
                "is the program running, with GHC_EVENTLOG_UNIX_PATH set to this path? \
                 `--wait forever` keeps trying"
            }
            (Self::Tcp(_), InvalidInput) => "is the name of the host right?",
            (Self::Tcp(_), _) => {
                "is the program running, with GHC_EVENTLOG_INET_HOST and _PORT set? \
                 `--wait forever` keeps trying"
            }
        };
        hint.to_owned()
    }
}

fn open_file(path: &Path) -> io::Result<Connection> {
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::IsADirectory,
            "it is a directory",
        ));
    }
    if kind.is_socket() {
        // Whoever names the path of a socket means the socket.
        return UnixStream::connect(path).map(Connection::unix);
    }
    if kind.is_fifo() {
        // An ordinary open would hang until there is a writer, deaf to
        // everything else.
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
    // Other kinds than those of a failed connection: there is no use in waiting.
    let invalid = |error: io::Error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string());
    let addresses: Vec<SocketAddr> = address.to_socket_addrs().map_err(invalid)?.collect();
    let mut failure = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, TCP_TIMEOUT) {
            Ok(stream) => {
                // So that a host that vanishes is noticed at last.
                let _ = sockopt::set_socket_keepalive(&stream, true);
                return Ok(stream);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// The reason of an error without its number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}
