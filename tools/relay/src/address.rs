//! Where clients connect.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::str::FromStr;

/// The longest path, in bytes, that fits into a socket address.
const LONGEST_PATH: usize = 107;

/// An address to listen at: `unix:PATH` or `tcp:HOST:PORT`.
///
/// Only its owner can connect to a Unix socket (mode 0600). Everybody who can reach a TCP port
/// can read the log there. With port 0 the system chooses one;
/// [`Relay::serve`](crate::Relay::serve) returns it.
///
/// ```
/// use eventlog_relay::Address;
///
/// let address: Address = "tcp:127.0.0.1:0".parse()?;
/// assert_eq!(address, Address::Tcp("127.0.0.1:0".into()));
/// assert_eq!(address.to_string(), "tcp:127.0.0.1:0");
/// # Ok::<(), eventlog_relay::InvalidAddress>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A Unix socket with this path.
    Unix(PathBuf),
    /// A host, or an address of this one, and a port.
    Tcp(String),
}

/// Why a text is not an address to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidAddress {
    /// It begins with neither `unix:` nor `tcp:`.
    NoScheme(String),
    /// There is no path after `unix:`.
    NoPath,
    /// The path has more bytes than a socket's can have.
    PathTooLong {
        /// How many.
        length: usize,
    },
    /// There is no host, or no port, after `tcp:`.
    NotHostAndPort(String),
}

impl fmt::Display for InvalidAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoScheme(text) => {
                write!(
                    f,
                    "{text:?} is no address to listen at: use unix:PATH or tcp:HOST:PORT"
                )
            }
            Self::NoPath => f.write_str("unix: is followed by the path of a socket"),
            Self::PathTooLong { length } => write!(
                f,
                "the path of a socket has at most {LONGEST_PATH} bytes, not {length}: \
                 use a shorter directory"
            ),
            Self::NotHostAndPort(text) => write!(
                f,
                "{text:?} is no host and port: use tcp:HOST:PORT, with port 0 for any that is free"
            ),
        }
    }
}

impl std::error::Error for InvalidAddress {}

impl TryFrom<&OsStr> for Address {
    type Error = InvalidAddress;

    fn try_from(text: &OsStr) -> Result<Self, InvalidAddress> {
        let bytes = text.as_bytes();
        if let Some(path) = bytes.strip_prefix(b"unix:") {
            return match path.len() {
                0 => Err(InvalidAddress::NoPath),
                1..=LONGEST_PATH => Ok(Self::Unix(OsStr::from_bytes(path).into())),
                length => Err(InvalidAddress::PathTooLong { length }),
            };
        }
        let text = text.to_string_lossy();
        let Some(address) = text.strip_prefix("tcp:") else {
            return Err(InvalidAddress::NoScheme(text.into_owned()));
        };
        let parts = address
            .rsplit_once(':')
            .filter(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        match parts {
            Some(_) => Ok(Self::Tcp(address.to_owned())),
            None => Err(InvalidAddress::NotHostAndPort(address.to_owned())),
        }
    }
}

impl TryFrom<OsString> for Address {
    type Error = InvalidAddress;

    fn try_from(text: OsString) -> Result<Self, InvalidAddress> {
        Self::try_from(text.as_os_str())
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        Self::try_from(OsStr::new(text))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}
