//! What can be said to a program, in either of the two wire protocols.
//!
//! The program never answers: of a command that it does not know, cannot run or
//! does not take from us, nothing comes back. What a command does shows in the log.

use clap::ValueEnum;
use eventlog_control::{Builtin, Frame, Older, RtsCommand};
use std::fmt;
use std::str::FromStr;

/// A wire protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// Frames with version and namespace: eventlog-socket since 0.1.1
    #[default]
    V0,
    /// The three commands of eventlog-socket before 0.1.1
    Gctl,
}

/// A command, as it is named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// One that every program with a control channel knows.
    Builtin(Builtin),
    /// One that only programs with this project's library know.
    Rts(RtsCommand),
    /// A command of the program.
    Custom { namespace: String, id: u8 },
}

impl FromStr for Command {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((namespace, id)) = text.rsplit_once('/') {
            let id = id
                .parse()
                .map_err(|_| format!("{id:?} is no number from 0 to 255"))?;
            // Making the frame finds out whether there can be one.
            Frame::command(namespace.as_bytes(), id).map_err(|error| error.to_string())?;
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
            .ok_or_else(|| format!("the commands are {}", known()))
    }
}

/// `startHeapProfiling` and `start_heap_profiling` are as good.
fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// All commands in words, without naming each class of events twice.
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
    /// The command as it goes over the wire.
    pub fn frame(&self, protocol: Protocol) -> anyhow::Result<Vec<u8>> {
        let frame = match (protocol, self) {
            (Protocol::V0, Self::Builtin(command)) => Frame::builtin(*command),
            (Protocol::V0, Self::Rts(command)) => Frame::rts(*command),
            (Protocol::V0, Self::Custom { namespace, id }) => {
                Frame::command(namespace.as_bytes(), *id)?
            }
            (Protocol::Gctl, _) => Frame::older(self.older()?),
        };
        Ok(frame.as_bytes().to_vec())
    }

    /// The command of the old protocol.
    fn older(&self) -> anyhow::Result<Older> {
        let older = match self {
            Self::Builtin(command) => command.older(),
            Self::Rts(_) | Self::Custom { .. } => None,
        };
        older.ok_or_else(|| {
            let names: Vec<_> = Older::ALL.iter().map(|command| command.name()).collect();
            crate::errors::usage(format_args!(
                "the gctl protocol has no {self}; it has {}",
                names.join(", ")
            ))
        })
    }
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
