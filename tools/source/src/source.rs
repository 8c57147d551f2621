//! Sources, and their names.

use crate::unpack;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::net::Ipv6Addr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where a log comes from.
///
/// As text: a path, `-`, `unix:PATH` or `tcp:HOST:PORT`. A path may be that of a file, a FIFO or
/// a socket: this is found out when it is opened.
///
/// ```
/// use eventlog_source::Source;
///
/// let source: Source = "unix:/tmp/app.sock".parse()?;
/// assert_eq!(source, Source::Unix("/tmp/app.sock".into()));
/// assert!(source.is_socket());
/// assert_eq!(source.to_string(), "unix:/tmp/app.sock");
/// # Ok::<(), eventlog_source::InvalidSource>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Standard input: `-`.
    Stdin,
    /// A path: a file, a FIFO, or a socket.
    File(PathBuf),
    /// A Unix socket: `unix:PATH`.
    Unix(PathBuf),
    /// A TCP socket: `tcp:HOST:PORT`, here without its first word.
    Tcp(String),
}

/// Number of bytes that show whether a file is packed.
const MAGIC: u64 = 4;

/// The longest path of a socket that the kernel accepts.
pub(crate) const LONGEST_SOCKET_PATH: usize = 107;

/// Why a text is not the name of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidSource {
    /// It is empty.
    Empty,
    /// `unix:` without a path.
    NoPath,
    /// The path of a Unix socket is longer than the kernel accepts.
    PathTooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// `tcp:HOST` without a port.
    NoPort,
    /// `tcp::PORT` without a host.
    NoHost,
    /// An IPv6 address that is not in brackets.
    NoBrackets {
        /// The address.
        host: String,
        /// The port.
        port: String,
    },
    /// The text in brackets is not an IPv6 address.
    NotAnAddress(
        /// The text in brackets.
        String,
    ),
    /// The port is not a number from 1 to 65535.
    NotAPort(
        /// The text in place of the port.
        String,
    ),
}

impl fmt::Display for InvalidSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a source has a name: FILE, -, unix:PATH or tcp:HOST:PORT"),
            Self::NoPath => f.write_str("the path of the socket is missing: unix:PATH"),
            Self::PathTooLong { length } => write!(
                f,
                "the path of a socket has at most {LONGEST_SOCKET_PATH} bytes, this has {length}"
            ),
            Self::NoPort => f.write_str("the port is missing: tcp:HOST:PORT"),
            Self::NoHost => f.write_str("the host is missing: tcp:HOST:PORT"),
            Self::NoBrackets { host, port } => {
                write!(f, "an IPv6 address is put in brackets: tcp:[{host}]:{port}")
            }
            Self::NotAnAddress(text) => write!(f, "{text:?} is not an IPv6 address"),
            Self::NotAPort(text) => {
                write!(f, "{text:?} is not a port: use a number from 1 to 65535")
            }
        }
    }
}

impl std::error::Error for InvalidSource {}

impl TryFrom<OsString> for Source {
    type Error = InvalidSource;

    fn try_from(name: OsString) -> Result<Self, InvalidSource> {
        let bytes = name.as_bytes();
        let after = |scheme: &[u8]| bytes.strip_prefix(scheme).map(OsStr::from_bytes);
        if bytes.is_empty() {
            return Err(InvalidSource::Empty);
        }
        if bytes == b"-" {
            return Ok(Self::Stdin);
        }
        if let Some(path) = after(b"unix:") {
            return match path.len() {
                0 => Err(InvalidSource::NoPath),
                1..=LONGEST_SOCKET_PATH => Ok(Self::Unix(path.into())),
                length => Err(InvalidSource::PathTooLong { length }),
            };
        }
        match after(b"tcp:") {
            Some(address) => tcp(&address.to_string_lossy()).map(Self::Tcp),
            None => Ok(Self::File(name.into())),
        }
    }
}

impl FromStr for Source {
    type Err = InvalidSource;

    fn from_str(name: &str) -> Result<Self, InvalidSource> {
        Self::try_from(OsString::from(name))
    }
}

/// An address that can be connected to.
fn tcp(address: &str) -> Result<String, InvalidSource> {
    let (host, port) = address.rsplit_once(':').ok_or(InvalidSource::NoPort)?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    match bare {
        None if host.is_empty() => return Err(InvalidSource::NoHost),
        None if host.contains(':') => {
            let (host, port) = (host.to_owned(), port.to_owned());
            return Err(InvalidSource::NoBrackets { host, port });
        }
        Some(bare) if bare.parse::<Ipv6Addr>().is_err() => {
            return Err(InvalidSource::NotAnAddress(bare.to_owned()));
        }
        _ => {}
    }
    match port.parse::<u16>() {
        Ok(1..) => Ok(address.to_owned()),
        _ => Err(InvalidSource::NotAPort(port.to_owned())),
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("standard input"),
            Self::File(path) => path.display().fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

impl Source {
    /// Whether its name is that of a socket: then a program is at the other end.
    pub fn is_socket(&self) -> bool {
        matches!(self, Self::Unix(_) | Self::Tcp(_))
    }

    /// Whether it is the same regular file as the one at this path, even under another name.
    pub fn is_file(&self, path: &Path) -> bool {
        let Self::File(own) = self else { return false };
        match (std::fs::metadata(own), std::fs::metadata(path)) {
            (Ok(a), Ok(b)) => a.is_file() && (a.dev(), a.ino()) == (b.dev(), b.ino()),
            _ => false,
        }
    }

    /// How many bytes there are to read, if that is known.
    pub fn size(&self) -> Option<u64> {
        let Self::File(path) = self else { return None };
        let about = std::fs::metadata(path).ok()?;
        about.is_file().then_some(about.len())
    }

    /// How many bytes of the log there are to read, if that is known: not if it is packed.
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
