//! Where logs come from: files, standard input, FIFOs, sockets.

mod connect;
mod connection;
mod silence;
mod unpack;

pub use connect::Connecting;
pub use connection::Connection;

use crate::control::{Command, Protocol};
use crate::errors;
use crate::units::{self, Wait};
use clap::builder::{OsStringValueParser, TryMapValueParser, TypedValueParser, ValueParserFactory};
use eventlog_control::RtsCommand;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::net::Ipv6Addr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A source as it is named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceArg {
    /// `-`
    Stdin,
    /// A file or a FIFO.
    File(PathBuf),
    /// `unix:PATH`
    Unix(PathBuf),
    /// `tcp:HOST:PORT`
    Tcp(String),
}

/// The kernel takes no longer path of a socket.
const LONGEST_SOCKET_PATH: usize = 107;

impl TryFrom<OsString> for SourceArg {
    type Error = String;

    fn try_from(name: OsString) -> Result<Self, String> {
        let bytes = name.as_bytes();
        let after = |scheme: &[u8]| bytes.strip_prefix(scheme).map(OsStr::from_bytes);
        if bytes.is_empty() {
            return Err("a source has a name: FILE, -, unix:PATH or tcp:HOST:PORT".to_owned());
        }
        if bytes == b"-" {
            return Ok(Self::Stdin);
        }
        if let Some(path) = after(b"unix:") {
            return match path.len() {
                0 => Err("the path of the socket is missing: unix:PATH".to_owned()),
                1..=LONGEST_SOCKET_PATH => Ok(Self::Unix(path.into())),
                long => Err(format!(
                    "the path of a socket has at most {LONGEST_SOCKET_PATH} bytes, this has {long}"
                )),
            };
        }
        match after(b"tcp:") {
            Some(address) => tcp(&address.to_string_lossy()).map(Self::Tcp),
            None => Ok(Self::File(name.into())),
        }
    }
}

/// An address that can be connected to.
fn tcp(address: &str) -> Result<String, String> {
    let Some((host, port)) = address.rsplit_once(':') else {
        return Err("the port is missing: tcp:HOST:PORT".to_owned());
    };
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    match bare {
        None if host.is_empty() => return Err("the host is missing: tcp:HOST:PORT".to_owned()),
        None if host.contains(':') => {
            return Err(format!(
                "an IPv6 address is put in brackets: tcp:[{host}]:{port}"
            ));
        }
        Some(bare) if bare.parse::<Ipv6Addr>().is_err() => {
            return Err(format!("{bare:?} is no IPv6 address"));
        }
        _ => {}
    }
    match port.parse::<u16>() {
        Ok(1..) => Ok(address.to_owned()),
        _ => Err(format!("{port:?} is no port: use a number from 1 to 65535")),
    }
}

/// Lets clap take names that are not UTF-8: those of files need not be.
impl ValueParserFactory for SourceArg {
    type Parser = TryMapValueParser<OsStringValueParser, fn(OsString) -> Result<Self, String>>;

    fn value_parser() -> Self::Parser {
        OsStringValueParser::new().try_map(Self::try_from)
    }
}

impl fmt::Display for SourceArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("standard input"),
            Self::File(path) => path.display().fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

impl SourceArg {
    /// Opens it, waiting for a program that is not up yet for the usual time.
    pub fn open(&self) -> anyhow::Result<Box<dyn Read + Send>> {
        Ok(Box::new(self.connect(&Connecting::default())?))
    }

    /// Whether a program is at the other end, by the name alone.
    pub fn is_socket(&self) -> bool {
        matches!(self, Self::Unix(_) | Self::Tcp(_))
    }

    /// Whether it is the regular file of that name, by whatever name of its own.
    pub fn is_file(&self, path: &Path) -> bool {
        let Self::File(own) = self else { return false };
        match (std::fs::metadata(own), std::fs::metadata(path)) {
            (Ok(a), Ok(b)) => a.is_file() && (a.dev(), a.ino()) == (b.dev(), b.ino()),
            _ => false,
        }
    }

    /// How many bytes there are to read, if that can be told.
    pub fn size(&self) -> Option<u64> {
        let Self::File(path) = self else { return None };
        let about = std::fs::metadata(path).ok()?;
        about.is_file().then_some(about.len())
    }

    /// How many bytes of the log there are to read, if that can be told: not of one that is
    /// packed.
    pub fn log_size(&self) -> Option<u64> {
        let Self::File(path) = self else { return None };
        let size = self.size()?;
        let mut begin = Vec::new();
        let file = File::open(path).ok()?;
        file.take(MAGIC).read_to_end(&mut begin).ok()?;
        let packed = matches!(unpack::sniff(&begin), unpack::Sniffed::Packed(_));
        (!packed).then_some(size)
    }
}

/// Opens a file, packed or not.
pub fn file(path: &Path) -> io::Result<Connection> {
    File::open(path).map(Connection::file)
}

/// Bytes that say whether a file is packed.
const MAGIC: u64 = 4;

/// The source and how to open it: what verbs that read one log take.
#[derive(Clone, Debug, clap::Args)]
pub struct SourceArgs {
    /// FILE, a FIFO, - for standard input, unix:PATH, or tcp:HOST:PORT
    pub source: SourceArg,

    /// How long to wait for a program that is not up yet: 10s, 2m, forever
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub wait: Wait,

    /// Go on as the file grows, until the log is complete
    #[arg(long, short)]
    pub follow: bool,

    #[command(flatten)]
    pub flush: FlushArgs,
}

/// How often the program is asked for its events.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct FlushArgs {
    /// Ask the program to flush its eventlog this often: 1s, 200ms. For one that does not do that
    /// by itself; it must take commands (see `eventlog control`)
    #[arg(long = "flush", value_name = "TIME", value_parser = flush_interval)]
    pub every: Option<Duration>,
}

/// Anything shorter would only keep the program busy.
const SHORTEST: Duration = Duration::from_millis(10);

fn flush_interval(text: &str) -> Result<Duration, String> {
    match units::duration(text)? {
        every if every < SHORTEST => Err("not more often than every 10ms".to_owned()),
        every => Ok(every),
    }
}

impl FlushArgs {
    /// From now on asks over this connection, if that is wanted.
    pub fn begin(self, connection: &mut Connection, source: &SourceArg) -> anyhow::Result<()> {
        let Some(every) = self.every else {
            return Ok(());
        };
        if connection.writer().is_none() {
            return Err(errors::usage(format_args!(
                "{source} is no socket: --flush asks programs at unix:PATH or tcp:HOST:PORT"
            )));
        }
        let flush = Command::Rts(RtsCommand::Flush).frame(Protocol::V0)?;
        connection.request(every, flush);
        Ok(())
    }
}

impl SourceArgs {
    /// Opens it. Reads then fail with `WouldBlock` whenever nothing has come
    /// for as long as `tick`, if that is given.
    pub fn connect(&self, tick: Option<Duration>) -> anyhow::Result<Connection> {
        let connecting = Connecting {
            wait: self.wait,
            missing_ok: self.follow,
            ..Connecting::default()
        };
        let mut connection = self.source.connect(&connecting)?;
        connection.tick(tick);
        self.flush.begin(&mut connection, &self.source)?;
        connection.explain_silence(self.source.to_string());
        Ok(connection)
    }
}
