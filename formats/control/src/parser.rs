//! Parses the frames in the bytes of a connection, however they are split.

use crate::frame::{MAGIC, MAX_NAMESPACE, OLDER_MAGIC, VERSION};

/// A whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A command of the current protocol.
    Command {
        /// 1 to 255 bytes, as received: known or not, text or not.
        namespace: &'a [u8],
        /// The number of the command, known or not.
        id: u8,
    },
    /// A command of the older protocol.
    Older {
        /// The number of the command, known or not.
        id: u8,
    },
    /// A frame of an unknown version, which has been skipped.
    OtherVersion {
        /// The version, not 0.
        version: u8,
    },
}

/// Takes the bytes of one connection in any split. The items do not depend on the split.
///
/// Every byte is counted once: it is part of an item, [garbage](Self::garbage), or [pending](Self::pending).
///
/// * A frame is taken as a whole: bytes inside its namespace are never parsed as another frame.
/// * A frame without namespace (version 0, length 0) is garbage, and the search goes on after its length.
/// * A frame of another version is skipped by its length, which may be 0, and reported as [`Item::OtherVersion`]:
///   nothing in it is executed. The same happens to frames in which the version was left out: their second byte is
///   taken as the length, so they may swallow frames after them.
/// * There is no time limit: a frame whose length is too large takes its missing bytes from those after it. Documents
///   have been seen that give the fifteen bytes `eventlog-socket` the length 0x15. Such a frame waits for six more
///   bytes; the frame that supplies them is lost, its rest is garbage, and the third one is parsed correctly.
/// * After "GCTL", a byte that begins a magic begins one: "GCTL" "GCTL" 01 is four bytes of garbage and a command. So the
///   older protocol has no commands 0x47 and 0xF0.
///
/// Time is linear in the number of bytes, also over garbage. Memory is the parser itself, under 300 bytes.
#[derive(Clone, Debug)]
pub struct Parser {
    state: State,
    garbage: u64,
    namespace: [u8; MAX_NAMESPACE],
}

/// Which bytes of the unfinished frame have arrived, and so what the next byte is.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Not inside a frame. Next: the first byte of a magic, or garbage.
    Between,
    /// The first bytes of a magic, 1 to 3 of them. Next: another one.
    Magic { protocol: Protocol, seen: usize },
    /// `MAGIC`. Next: the version.
    Version,
    /// `MAGIC` and the version. Next: the length.
    Length { version: u8 },
    /// These and the length, which is not 0, and a part of the namespace. Next: more of the namespace.
    Namespace {
        version: u8,
        length: usize,
        seen: usize,
    },
    /// These and the whole namespace. Next: the command.
    Command { version: u8, length: usize },
    /// `OLDER_MAGIC`. Next: the command.
    OlderCommand,
}

#[derive(Clone, Copy, Debug)]
enum Protocol {
    Present,
    Older,
}

impl Protocol {
    /// The protocol of the magic that begins with a byte, if one does.
    fn begun_by(byte: u8) -> Option<Self> {
        if byte == MAGIC[0] {
            Some(Self::Present)
        } else if byte == OLDER_MAGIC[0] {
            Some(Self::Older)
        } else {
            None
        }
    }

    fn magic(self) -> [u8; 4] {
        match self {
            Self::Present => MAGIC,
            Self::Older => OLDER_MAGIC,
        }
    }
}

impl Parser {
    /// The parser of a new connection.
    pub const fn new() -> Self {
        Self {
            state: State::Between,
            garbage: 0,
            namespace: [0; MAX_NAMESPACE],
        }
    }

    /// Takes the next bytes of the connection, and passes on the items that they complete, in order.
    pub fn feed(&mut self, mut bytes: &[u8], mut on_item: impl FnMut(Item<'_>)) {
        // This loop ends, in linear time: a step that takes nothing leads to `Between`, and the step there takes
        // something.
        while !bytes.is_empty() {
            let taken = self.step(bytes, &mut on_item);
            bytes = &bytes[taken..];
        }
    }

    /// Bytes so far that belong to no frame. Those of an unfinished frame count once it turns out not to be one.
    pub const fn garbage(&self) -> u64 {
        self.garbage
    }

    /// Bytes of the frame that is unfinished: 0 to 261. If the connection has ended, they are garbage.
    pub const fn pending(&self) -> usize {
        const VERSION_AT: usize = MAGIC.len();
        const NAMESPACE_AT: usize = VERSION_AT + 2;
        match self.state {
            State::Between => 0,
            State::Magic { seen, .. } => seen,
            State::Version => VERSION_AT,
            State::Length { .. } => VERSION_AT + 1,
            State::Namespace { seen, .. } => NAMESPACE_AT + seen,
            State::Command { length, .. } => NAMESPACE_AT + length,
            State::OlderCommand => OLDER_MAGIC.len(),
        }
    }

    /// Looks at the first of these bytes (there is at least one), and perhaps at more. Returns how many are processed.
    fn step(&mut self, bytes: &[u8], on_item: &mut impl FnMut(Item<'_>)) -> usize {
        let byte = bytes[0];
        match self.state {
            State::Between => return self.search(bytes),
            State::Magic { protocol, seen } => {
                if byte != protocol.magic()[seen] {
                    return self.fail();
                }
                self.state = match (seen + 1 == protocol.magic().len(), protocol) {
                    (false, _) => State::Magic {
                        protocol,
                        seen: seen + 1,
                    },
                    (true, Protocol::Present) => State::Version,
                    (true, Protocol::Older) => State::OlderCommand,
                };
            }
            State::Version => self.state = State::Length { version: byte },
            State::Length { version } => match (version, usize::from(byte)) {
                (VERSION, 0) => return self.fail(),
                (_, 0) => self.state = State::Command { version, length: 0 },
                (_, length) => {
                    self.state = State::Namespace {
                        version,
                        length,
                        seen: 0,
                    };
                }
            },
            State::Namespace {
                version,
                length,
                seen,
            } => {
                let new = bytes.len().min(length - seen);
                self.namespace[seen..seen + new].copy_from_slice(&bytes[..new]);
                let seen = seen + new;
                self.state = if seen == length {
                    State::Command { version, length }
                } else {
                    State::Namespace {
                        version,
                        length,
                        seen,
                    }
                };
                return new;
            }
            State::Command { version, length } => {
                // Done first, so that the parser is between frames even if the callback panics.
                self.state = State::Between;
                on_item(match version {
                    VERSION => Item::Command {
                        namespace: &self.namespace[..length],
                        id: byte,
                    },
                    _ => Item::OtherVersion { version },
                });
            }
            State::OlderCommand => {
                if Protocol::begun_by(byte).is_some() {
                    return self.fail();
                }
                self.state = State::Between;
                on_item(Item::Older { id: byte });
            }
        }
        1
    }

    /// Skips garbage, up to and including the first byte of a magic.
    fn search(&mut self, bytes: &[u8]) -> usize {
        let begin = |(at, byte)| Protocol::begun_by(byte).map(|protocol| (at, protocol));
        match bytes.iter().copied().enumerate().find_map(begin) {
            Some((at, protocol)) => {
                self.garbage += at as u64;
                self.state = State::Magic { protocol, seen: 1 };
                at + 1
            }
            None => {
                self.garbage += bytes.len() as u64;
                bytes.len()
            }
        }
    }

    /// What looked like a frame is not one. Its bytes so far are garbage; the last byte looked at is not processed yet,
    /// and may begin a magic: returns 0.
    ///
    /// No frame is missed that way. One that began among the bytes so far would begin with F0 or "G", and not at the
    /// first of them, which begins what has just failed. But the other bytes of a magic are 9E 97 8C or "CTL", neither
    /// of the two; and the only failure after a magic and more bytes is that of a length 0, when the only such byte is
    /// the version 00.
    fn fail(&mut self) -> usize {
        self.garbage += self.pending() as u64;
        self.state = State::Between;
        0
    }
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}
