//! Commands to a program, in either of the two wire protocols.
//!
//! The program never answers: there is no reply to a command that it does not know, cannot run or
//! does not accept from us. The effect of a command can be seen in the log.

use crate::connection::Connection;
use crate::wait::Wait;
use eventlog_control::{Builtin, Frame, NamespaceLength, Older, RtsCommand};
use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// A wire protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// Frames with version and namespace: eventlog-socket since 0.1.1.
    #[default]
    V0,
    /// The three commands of eventlog-socket before 0.1.1.
    Gctl,
}

/// A command. As text: its name, or `NAMESPACE/ID` for one of the program's own.
///
/// ```
/// use eventlog_source::control::{Command, Protocol};
///
/// let census: Command = "request-heap-census".parse()?;
/// let frame = census.frame(Protocol::V0)?;
/// assert_eq!(frame, b"\xf0\x9e\x97\x8c\x00\x0feventlog-socket\x05");
/// # Ok::<(), eventlog_source::control::InvalidCommand>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A command that every program with a control channel has.
    Builtin(Builtin),
    /// A command that only programs with this project's library have.
    Rts(RtsCommand),
    /// A command of the program.
    Custom {
        /// The namespace in which it was registered.
        namespace: String,
        /// Its number there.
        id: u8,
    },
}

/// Why a command cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidCommand {
    /// There is no command of that name.
    Unknown,
    /// In `NAMESPACE/ID`, the second part is not the number of a command.
    NotAnId(
        /// The second part.
        String,
    ),
    /// A namespace cannot have that length.
    Namespace(NamespaceLength),
    /// The older protocol does not have it.
    NotInGctl(Command),
}

impl fmt::Display for InvalidCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => write!(f, "the commands are {}", known()),
            Self::NotAnId(id) => write!(f, "{id:?} is not a number from 0 to 255"),
            Self::Namespace(length) => length.fmt(f),
            Self::NotInGctl(command) => {
                let names: Vec<_> = Older::ALL.iter().map(|command| command.name()).collect();
                let names = names.join(", ");
                write!(f, "the gctl protocol has no {command}; it has {names}")
            }
        }
    }
}

impl std::error::Error for InvalidCommand {}

impl FromStr for Command {
    type Err = InvalidCommand;

    fn from_str(text: &str) -> Result<Self, InvalidCommand> {
        if let Some((namespace, id)) = text.rsplit_once('/') {
            let id = id
                .parse()
                .map_err(|_| InvalidCommand::NotAnId(id.to_owned()))?;
            // Making the frame checks the length of the namespace.
            Frame::command(namespace.as_bytes(), id).map_err(InvalidCommand::Namespace)?;
            return Ok(Self::Custom {
                namespace: namespace.to_owned(),
                id,
            });
        }
        let wanted = plain(text);
        let builtin = Builtin::ALL.iter().copied().map(Self::Builtin);
        let rts = RtsCommand::ALL.iter().copied().map(Self::Rts);
        builtin
            .chain(rts)
            .find(|command| plain(&command.to_string()) == wanted)
            .ok_or(InvalidCommand::Unknown)
    }
}

/// A name without its case and separators, so that `startHeapProfiling` and `start_heap_profiling`
/// are accepted, too.
fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// A list of all commands, with each class of events named only once.
fn known() -> String {
    let mut names: Vec<_> = Builtin::ALL.iter().map(|command| command.name()).collect();
    let mut classes = Vec::new();
    for command in RtsCommand::ALL {
        match command.name().split_once('-') {
            Some(("start", class)) => classes.push(class),
            Some(_) => {}
            None => names.push(command.name()),
        }
    }
    format!(
        "{}, start-CLASS and stop-CLASS for the classes of events {}, and NAMESPACE/ID",
        names.join(", "),
        classes.join(", ")
    )
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin(command) => command.fmt(f),
            Self::Rts(command) => command.fmt(f),
            Self::Custom { namespace, id } => write!(f, "{namespace}/{id}"),
        }
    }
}

impl Command {
    /// The command as it is sent.
    ///
    /// # Errors
    ///
    /// If the protocol does not have it.
    pub fn frame(&self, protocol: Protocol) -> Result<Vec<u8>, InvalidCommand> {
        let frame = match (protocol, self) {
            (Protocol::V0, Self::Builtin(command)) => Frame::builtin(*command),
            (Protocol::V0, Self::Rts(command)) => Frame::rts(*command),
            (Protocol::V0, Self::Custom { namespace, id }) => {
                Frame::command(namespace.as_bytes(), *id).map_err(InvalidCommand::Namespace)?
            }
            (Protocol::Gctl, _) => Frame::older(self.older()?),
        };
        Ok(frame.as_bytes().to_vec())
    }

    /// The command of the old protocol.
    fn older(&self) -> Result<Older, InvalidCommand> {
        let older = match self {
            Self::Builtin(command) => command.older(),
            Self::Rts(_) | Self::Custom { .. } => None,
        };
        older.ok_or_else(|| InvalidCommand::NotInGctl(self.clone()))
    }
}

/// What happened to commands that were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The program served the connection for long enough to read them.
    Served,
    /// It closed the connection before it sent anything.
    Closed,
    /// It sends no log: it is not ready, or serves another client.
    NotServed,
}

/// Keeps a connection open, discarding received data, until the commands that were sent have surely
/// been read: for `linger` after the first data, for which it waits. A program that has not sent
/// its header does not serve us yet.
///
/// # Errors
///
/// If the connection breaks.
pub fn linger(connection: &mut Connection, linger: Duration, wait: Wait) -> io::Result<Delivery> {
    connection.set_tick(Some(Duration::from_millis(50)));
    let sent = Instant::now();
    let mut served: Option<Instant> = None;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match connection.read(&mut buffer) {
            Ok(0) if served.is_none() => return Ok(Delivery::Closed),
            Ok(0) => return Ok(Delivery::Served),
            Ok(_) => _ = served.get_or_insert_with(Instant::now),
            Err(error) if is_pause(&error) => {}
            Err(error) => return Err(error),
        }
        match (served, wait) {
            (Some(since), _) if since.elapsed() >= linger => return Ok(Delivery::Served),
            (None, Wait::For(time)) if sent.elapsed() >= time.max(linger) => {
                return Ok(Delivery::NotServed);
            }
            _ => {}
        }
    }
}

fn is_pause(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str, protocol: Protocol) -> Vec<u8> {
        text.parse::<Command>().unwrap().frame(protocol).unwrap()
    }

    #[test]
    fn frames_are_as_the_programs_expect_them() {
        let census = frame("request-heap-census", Protocol::V0);
        assert_eq!(census, b"\xf0\x9e\x97\x8c\x00\x0feventlog-socket\x05");
        assert_eq!(frame("startProfiling", Protocol::V0).last(), Some(&1));
        assert_eq!(
            frame("my-app/255", Protocol::V0),
            b"\xf0\x9e\x97\x8c\x00\x06my-app\xff"
        );
        assert_eq!(
            frame("a/b/7", Protocol::V0),
            b"\xf0\x9e\x97\x8c\x00\x03a/b\x07"
        );
        assert_eq!(frame("stop_heap_profiling", Protocol::Gctl), b"GCTL\x02");
        assert_eq!(
            frame("startNonmovingGC", Protocol::V0),
            b"\xf0\x9e\x97\x8c\x00\x13eventlog-socket-rts\x0a"
        );
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for text in ["start", "start-", "gc", "/1", "name/256", "name/x", ""] {
            assert!(text.parse::<Command>().is_err(), "{text}");
        }
        let long = format!("{}/1", "n".repeat(256));
        assert!(long.parse::<Command>().is_err());
        for text in ["start-profiling", "name/1", "flush", "stop-user"] {
            assert!(
                text.parse::<Command>()
                    .unwrap()
                    .frame(Protocol::Gctl)
                    .is_err(),
                "{text}"
            );
        }
    }
}
