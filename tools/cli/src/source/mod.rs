//! Where logs come from: files, standard input, FIFOs, sockets.

mod connect;
mod connection;

pub use connect::Connecting;
pub use connection::Connection;

use crate::units::Wait;
use clap::builder::{MapValueParser, OsStringValueParser, TypedValueParser, ValueParserFactory};
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::str::FromStr;
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

impl From<OsString> for SourceArg {
    fn from(name: OsString) -> Self {
        let bytes = name.as_bytes();
        let after = |scheme: &[u8]| bytes.strip_prefix(scheme).map(OsStr::from_bytes);
        if bytes == b"-" {
            Self::Stdin
        } else if let Some(path) = after(b"unix:") {
            Self::Unix(path.into())
        } else if let Some(address) = after(b"tcp:") {
            Self::Tcp(address.to_string_lossy().into_owned())
        } else {
            Self::File(name.into())
        }
    }
}

/// Lets clap take names that are not UTF-8: those of files need not be.
impl ValueParserFactory for SourceArg {
    type Parser = MapValueParser<OsStringValueParser, fn(OsString) -> Self>;

    fn value_parser() -> Self::Parser {
        OsStringValueParser::new().map(Self::from)
    }
}

impl FromStr for SourceArg {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Infallible> {
        Ok(Self::from(OsString::from(name)))
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

    /// How many bytes there are to read, if that can be told.
    pub fn size(&self) -> Option<u64> {
        let Self::File(path) = self else { return None };
        let about = std::fs::metadata(path).ok()?;
        about.is_file().then_some(about.len())
    }
}

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
        Ok(connection)
    }
}
