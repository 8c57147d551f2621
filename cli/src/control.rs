//! What can be said to a program, in either of the two wire protocols.
//!
//! The program never answers: an unknown command is noticed, if at all, on its
//! own standard error.

use clap::ValueEnum;
use std::fmt;
use std::str::FromStr;

/// The magic bytes of the present protocol: U+1E5CC in UTF-8.
const MAGIC: [u8; 4] = [0xf0, 0x9e, 0x97, 0x8c];
/// Its version.
const VERSION: u8 = 0;
/// The namespace of the built-in commands.
const BUILTIN: &str = "eventlog-socket";
/// The magic bytes of the old protocol.
const OLD_MAGIC: [u8; 4] = *b"GCTL";

/// A wire protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// Frames with version and namespace: eventlog-socket since 0.1.1
    #[default]
    V0,
    /// The three commands of eventlog-socket before 0.1.1
    Gctl,
}

/// Name, number in the present protocol, number in the old one.
const COMMANDS: &[(&str, u8, Option<u8>)] = &[
    ("start-profiling", 1, None),
    ("stop-profiling", 2, None),
    ("start-heap-profiling", 3, Some(1)),
    ("stop-heap-profiling", 4, Some(2)),
    ("request-heap-census", 5, Some(3)),
];

/// A command, as it is named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// One of the built-in ones, by its place in the table.
    Builtin(usize),
    /// A command of the program.
    Custom { namespace: String, id: u8 },
}

impl FromStr for Command {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((namespace, id)) = text.rsplit_once('/') {
            if !(1..=255).contains(&namespace.len()) {
                return Err("a namespace has 1 to 255 bytes".to_owned());
            }
            let id = id
                .parse()
                .map_err(|_| format!("{id:?} is no number from 0 to 255"))?;
            return Ok(Self::Custom {
                namespace: namespace.to_owned(),
                id,
            });
        }
        let wanted = plain(text);
        let known = COMMANDS.iter().position(|(name, ..)| plain(name) == wanted);
        known.map(Self::Builtin).ok_or_else(|| {
            let names: Vec<_> = COMMANDS.iter().map(|(name, ..)| *name).collect();
            format!("the commands are {}, and NAMESPACE/ID", names.join(", "))
        })
    }
}

/// `startHeapProfiling` and `start_heap_profiling` are as good.
fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin(at) => f.write_str(COMMANDS[*at].0),
            Self::Custom { namespace, id } => write!(f, "{namespace}/{id}"),
        }
    }
}

impl Command {
    /// The command as it goes over the wire.
    pub fn frame(&self, protocol: Protocol) -> anyhow::Result<Vec<u8>> {
        match protocol {
            Protocol::V0 => {
                let (namespace, id) = match self {
                    Self::Builtin(at) => (BUILTIN, COMMANDS[*at].1),
                    Self::Custom { namespace, id } => (namespace.as_str(), *id),
                };
                let length = u8::try_from(namespace.len())?;
                let mut frame = Vec::with_capacity(7 + namespace.len());
                frame.extend_from_slice(&MAGIC);
                frame.extend_from_slice(&[VERSION, length]);
                frame.extend_from_slice(namespace.as_bytes());
                frame.push(id);
                Ok(frame)
            }
            Protocol::Gctl => {
                let id = match self {
                    Self::Builtin(at) => COMMANDS[*at].2,
                    Self::Custom { .. } => None,
                };
                let Some(id) = id else {
                    let message = format_args!(
                        "the gctl protocol has no {self}; it has start-heap-profiling, \
                         stop-heap-profiling and request-heap-census"
                    );
                    return Err(crate::errors::usage(message));
                };
                Ok([&OLD_MAGIC[..], &[id]].concat())
            }
        }
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
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for text in ["start", "/1", "name/256", "name/x", ""] {
            assert!(text.parse::<Command>().is_err(), "{text}");
        }
        let long = format!("{}/1", "n".repeat(256));
        assert!(long.parse::<Command>().is_err());
        for text in ["start-profiling", "name/1"] {
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
