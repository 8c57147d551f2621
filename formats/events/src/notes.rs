//! Messages in a log that are written and read by tools.
//!
//! What is missing from a stream, or where a recording goes on, is recorded in
//! the log itself, as a message that people can read, in a fixed form. Each of
//! these sentences is written ([`Display`](fmt::Display), without allocation)
//! and read ([`Note::of`], [`Note::parse`]) here and nowhere else. They do not
//! change once released, so that older recordings can be read.
//!
//! ```
//! use ghc_eventlog::notes::{Loss, Note};
//!
//! let loss = Loss { chunks: 3, bytes: 4096, between: Some((1_500_000_000, 1_900_000_000)) };
//! let text = Note::Loss(loss).to_string();
//! assert_eq!(
//!     text,
//!     "eventlog-socket: lost 3 chunks, 4096 bytes, between 1.500000 s and 1.900000 s"
//! );
//! assert_eq!(Note::parse(&text), Some(Note::Loss(loss)));
//! ```

use crate::body::EventBody;
use crate::event::Event;
use std::fmt;

/// The text that all notes except one begin with.
const START: &[u8] = b"eventlog";

const LOST: &str = "eventlog-socket: lost ";
const SYNC: &str = "eventlog-socket: sync ";
const DUMP: &str = "eventlog-socket: dump ";
const LOGS_NOTHING: &str = "eventlog-socket: this program runs without +RTS -l";
const LOGS_NOTHING_ADVICE: &str = ", so there are no events; start it with +RTS -l, \
     or switch event classes on by commands";
const RUN_LOST: &str = "eventlog run: lost ";
const TOO_SLOW: &str = ": the output is too slow";
const AT_BYTE: &str = "eventlog record: at byte ";
const GOES_ON: &str = " of the stream this file goes on from ";
const TOLD_FIRST: &str = "; what holds there is told first";
const PROLOGUE_ENDS: &str = " of the stream, after what was told first";
const CONTINUES: &str = "eventlog record: this file continues";
const REPEATED: &str = "; what was defined before is repeated here";
const NOT_ALL_REPEATED: &str = "not all definitions are repeated: there are too many";
const RECORD_LOST: &str = "eventlog record: lost ";
const NOT_WRITTEN: &str = ", which could not be written";
const RELAY: &str = "eventlog relay ";
const JOINED_SESSION: &str = ": session ";
const JOINED_AT: &str = " goes on from ";
const RELAY_LOST: &str = ": lost ";
const NOT_WHOLE: &str = ": what follows is not all that holds";
const SOURCE_LOST: &str = ": the log ends here without an end mark of its own";
const RECOVER: &str = "eventlog recover: ";
const OVERWRITTEN: &str = "overwritten ";
const MISSING_UNTIL: &str = "; the log is missing until ";
const WHOLE_FROM: &str = ", whole from ";

/// A message of one of the tools, or of the socket library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note<'a> {
    /// The socket library: chunks are missing from the stream here.
    Loss(Loss),
    /// The socket library: everything that was logged before the command
    /// `sync`, the n-th of the program, is before this.
    Sync(u64),
    /// The socket library: the same for the command `dump`, in a ring file.
    Dump(u64),
    /// The socket library: the runtime system logs nothing.
    LogsNothing,
    /// `eventlog run`: blocks are missing from the log here.
    RunLoss(RunLoss<'a>),
    /// `eventlog record`: the file goes on where another one was closed. The
    /// events from this one, the first of the file, to
    /// [`PrologueEnd`](Self::PrologueEnd) repeat the state at that place.
    Prologue {
        /// The place, in bytes from the header of the first file.
        offset: u64,
        /// The file that was closed.
        file: &'a str,
    },
    /// `eventlog record`: the end of the prologue. The byte of the stream at
    /// `offset` follows this event.
    PrologueEnd {
        /// The offset, in bytes from the header of the first file.
        offset: u64,
    },
    /// `eventlog record`, before it wrote prologues: the end of the definitions
    /// of earlier files, which are repeated in this one. It is followed by
    /// threads that exist already.
    Continues {
        /// The file before it.
        file: &'a str,
    },
    /// `eventlog record`: not everything that was defined is repeated before
    /// this.
    NotAllRepeated,
    /// `eventlog sessions export`: a part of the stream is missing here,
    /// because it could not be written while it was recorded.
    RecordLoss(RecordLoss),
    /// A relay: the log goes on here after a beginning that the relay made.
    /// The state at that time is first, then the stream, byte for byte.
    Joined(Joined),
    /// A relay: blocks are missing from the stream here.
    RelayLoss(RelayLoss),
    /// A relay: it has itself missed a part of the stream, so the state that it
    /// sends may be wrong in places.
    NotWhole {
        /// Which relay.
        relay: u64,
    },
    /// A relay: the source of the log was lost before its end mark.
    SourceLost {
        /// Which relay.
        relay: u64,
    },
    /// `eventlog recover`, `eventlog snapshot`: something is missing.
    Recovered(Recovered<'a>),
}

/// Chunks that the socket library had to drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// How many.
    pub chunks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// From when to when they were dropped, in nanoseconds. The message gives
    /// it in microseconds; if it does not, this is `None`.
    pub between: Option<(u64, u64)>,
}

/// Blocks that `eventlog run` had to drop. Sizes and times are formatted for
/// people, with their units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunLoss<'a> {
    /// How many.
    pub blocks: u64,
    /// Their size.
    pub size: &'a str,
    /// From when on.
    pub since: &'a str,
    /// Until when.
    pub until: &'a str,
}

/// A part of the stream that could not be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordLoss {
    /// How many bytes.
    pub bytes: u64,
    /// From when to when, in nanoseconds.
    pub between: (u64, u64),
}

/// Where a reader joined a log at a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The number of the relay: no two have the same.
    pub relay: u64,
    /// Which log of its source.
    pub session: u64,
    /// The moment of the state that comes first, in nanoseconds.
    pub at: u64,
}

/// Blocks that a reader of a relay was too slow to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayLoss {
    /// The number of the relay.
    pub relay: u64,
    /// How many bytes, about.
    pub bytes: u64,
    /// From when to when, in nanoseconds.
    pub between: (u64, u64),
}

/// What is missing from a recovered log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovered<'a> {
    /// Older chunks were overwritten, because the ring file was full.
    Overwritten(Overwritten),
    /// Anything else, as text.
    Other(&'a str),
}

/// Chunks of a ring file that were overwritten by newer ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overwritten {
    /// How many.
    pub chunks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the log begins, in nanoseconds. The message gives it in
    /// microseconds.
    pub missing_until: Option<u64>,
    /// The time from which on nothing is missing of any capability, in
    /// nanoseconds: capabilities begin at different times.
    pub whole_from: u64,
}

/// Nanoseconds as seconds with six digits.
struct Micros(u64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.0 as f64 / 1e9)
    }
}

impl fmt::Display for Note<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loss(loss) => {
                let Loss { chunks, bytes, .. } = loss;
                write!(f, "{LOST}{chunks} chunks, {bytes} bytes")?;
                if let Some((since, until)) = loss.between {
                    write!(f, ", between {} s and {} s", Micros(since), Micros(until))?;
                }
                Ok(())
            }
            Self::Sync(n) => write!(f, "{SYNC}{n}"),
            Self::Dump(n) => write!(f, "{DUMP}{n}"),
            Self::LogsNothing => write!(f, "{LOGS_NOTHING}{LOGS_NOTHING_ADVICE}"),
            Self::RunLoss(RunLoss {
                blocks,
                size,
                since,
                until,
            }) => write!(
                f,
                "{RUN_LOST}{blocks} blocks, {size}, between {since} and {until}{TOO_SLOW}"
            ),
            Self::Prologue { offset, file } => {
                write!(f, "{AT_BYTE}{offset}{GOES_ON}{file}{TOLD_FIRST}")
            }
            Self::PrologueEnd { offset } => write!(f, "{AT_BYTE}{offset}{PROLOGUE_ENDS}"),
            Self::Continues { file } => write!(f, "{CONTINUES} {file}{REPEATED}"),
            Self::NotAllRepeated => f.write_str(NOT_ALL_REPEATED),
            Self::RecordLoss(RecordLoss {
                bytes,
                between: (since, until),
            }) => write!(
                f,
                "{RECORD_LOST}{bytes} bytes, between {since} ns and {until} ns{NOT_WRITTEN}"
            ),
            Self::Joined(Joined { relay, session, at }) => write!(
                f,
                "{RELAY}{relay:016x}{JOINED_SESSION}{session}{JOINED_AT}{at} ns{TOLD_FIRST}"
            ),
            Self::RelayLoss(RelayLoss {
                relay,
                bytes,
                between: (since, until),
            }) => write!(
                f,
                "{RELAY}{relay:016x}{RELAY_LOST}{bytes} bytes, between {since} ns and {until} ns"
            ),
            Self::NotWhole { relay } => write!(f, "{RELAY}{relay:016x}{NOT_WHOLE}"),
            Self::SourceLost { relay } => write!(f, "{RELAY}{relay:016x}{SOURCE_LOST}"),
            Self::Recovered(recovered) => write!(f, "{RECOVER}{recovered}"),
        }
    }
}

/// Without the beginning, which names the tool.
impl fmt::Display for Recovered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overwritten(overwritten) => overwritten.fmt(f),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// Without the beginning, which names the tool.
impl fmt::Display for Overwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chunks, bytes, .. } = self;
        write!(f, "{OVERWRITTEN}{chunks} chunks, {bytes} bytes")?;
        if let Some(until) = self.missing_until {
            write!(f, "{MISSING_UNTIL}{} s", Micros(until))?;
        }
        let (seconds, nanos) = (
            self.whole_from / 1_000_000_000,
            self.whole_from % 1_000_000_000,
        );
        write!(f, "{WHOLE_FROM}{seconds}.{nanos:09} s on")
    }
}

impl<'a> Note<'a> {
    /// The note in an event, if it is one. Some are accepted only in the
    /// runtime system's own messages, which a program cannot write by accident.
    pub fn of(event: &Event<'a>) -> Option<Self> {
        let (text, by_program) = match event.body {
            EventBody::UserMsg { message } => (message, true),
            EventBody::LogMsg { message } => (message, false),
            _ => return None,
        };
        let bytes = text.as_bytes();
        // Nearly all messages are not notes, and are rejected by this check
        // alone.
        if !bytes.starts_with(START) && bytes != NOT_ALL_REPEATED.as_bytes() {
            return None;
        }
        let note = Self::parse(text.to_str()?)?;
        let holds = match note {
            Self::Loss(_) => true,
            Self::Sync(_) | Self::Dump(_) | Self::LogsNothing | Self::Recovered(_) => by_program,
            Self::RunLoss(_)
            | Self::Prologue { .. }
            | Self::PrologueEnd { .. }
            | Self::Continues { .. }
            | Self::NotAllRepeated => !by_program,
            // These are accepted in other messages too: a header need not
            // declare the runtime system's own.
            Self::RecordLoss(_)
            | Self::Joined(_)
            | Self::RelayLoss(_)
            | Self::NotWhole { .. }
            | Self::SourceLost { .. } => true,
        };
        holds.then_some(note)
    }

    /// The note in a message, if it is one.
    pub fn parse(text: &'a str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix(LOST) {
            return Loss::parse(rest).map(Self::Loss);
        }
        if let Some(n) = text.strip_prefix(SYNC) {
            return n.parse().ok().map(Self::Sync);
        }
        if let Some(n) = text.strip_prefix(DUMP) {
            return n.parse().ok().map(Self::Dump);
        }
        if text.starts_with(LOGS_NOTHING) {
            return Some(Self::LogsNothing);
        }
        if let Some(rest) = text.strip_prefix(RUN_LOST) {
            return RunLoss::parse(rest).map(Self::RunLoss);
        }
        if let Some(rest) = text.strip_prefix(AT_BYTE) {
            return Self::of_prologue(rest);
        }
        if let Some(rest) = text.strip_prefix(CONTINUES) {
            let file = rest.strip_suffix(REPEATED).unwrap_or(rest);
            let file = file.strip_prefix(' ').unwrap_or(file);
            return Some(Self::Continues { file });
        }
        if text == NOT_ALL_REPEATED {
            return Some(Self::NotAllRepeated);
        }
        if let Some(rest) = text.strip_prefix(RECORD_LOST) {
            let (bytes, between) = lost_between(rest.strip_suffix(NOT_WRITTEN)?)?;
            return Some(Self::RecordLoss(RecordLoss { bytes, between }));
        }
        if let Some(rest) = text.strip_prefix(RELAY) {
            return Self::of_relay(rest);
        }
        let line = text.strip_prefix(RECOVER)?;
        let overwritten = Overwritten::parse(line).map(Recovered::Overwritten);
        Some(Self::Recovered(
            overwritten.unwrap_or(Recovered::Other(line)),
        ))
    }

    fn of_relay(text: &'a str) -> Option<Self> {
        let (id, rest) = text.split_at_checked(16)?;
        let relay = u64::from_str_radix(id, 16).ok()?;
        if rest == NOT_WHOLE {
            return Some(Self::NotWhole { relay });
        }
        if rest == SOURCE_LOST {
            return Some(Self::SourceLost { relay });
        }
        if let Some(rest) = rest.strip_prefix(RELAY_LOST) {
            let (bytes, between) = lost_between(rest)?;
            return Some(Self::RelayLoss(RelayLoss {
                relay,
                bytes,
                between,
            }));
        }
        let rest = rest.strip_prefix(JOINED_SESSION)?;
        let (session, rest) = rest.split_once(JOINED_AT)?;
        let at = rest.strip_suffix(TOLD_FIRST)?.strip_suffix(" ns")?;
        Some(Self::Joined(Joined {
            relay,
            session: session.parse().ok()?,
            at: at.parse().ok()?,
        }))
    }

    fn of_prologue(text: &'a str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (offset, rest) = text.split_at(digits);
        let offset = offset.parse().ok()?;
        if rest == PROLOGUE_ENDS {
            return Some(Self::PrologueEnd { offset });
        }
        let file = rest.strip_prefix(GOES_ON)?.strip_suffix(TOLD_FIRST)?;
        Some(Self::Prologue { offset, file })
    }
}

impl Loss {
    /// Accepts any text after the numbers: older messages do not have the
    /// times.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let chunks = words.next()?.parse().ok()?;
        let bytes = words.nth(1)?.parse().ok()?;
        // "bytes, between A s and B s"
        let between = words
            .nth(1)
            .filter(|word| *word == "between")
            .and_then(|_| Some((micros(words.next()?)?, micros(words.nth(2)?)?)));
        Some(Self {
            chunks,
            bytes,
            between,
        })
    }
}

impl<'a> RunLoss<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (blocks, rest) = text.split_once(" blocks, ")?;
        let (size, rest) = rest.split_once(", between ")?;
        let (since, rest) = rest.split_once(" and ")?;
        Some(Self {
            blocks: blocks.parse().ok()?,
            size,
            since,
            until: rest.strip_suffix(TOO_SLOW).unwrap_or(rest),
        })
    }
}

impl Overwritten {
    fn parse(line: &str) -> Option<Self> {
        let rest = line.strip_prefix(OVERWRITTEN)?;
        let (counts, whole) = rest.split_once(WHOLE_FROM)?;
        let (counts, until) = match counts.split_once(MISSING_UNTIL) {
            Some((counts, until)) => (counts, Some(micros(until.strip_suffix(" s")?)?)),
            None => (counts, None),
        };
        let (chunks, bytes) = counts.split_once(" chunks, ")?;
        let (seconds, nanos) = whole.split_ascii_whitespace().next()?.split_once('.')?;
        let (seconds, nanos): (u64, u64) = (seconds.parse().ok()?, nanos.parse().ok()?);
        Some(Self {
            chunks: chunks.parse().ok()?,
            bytes: bytes.strip_suffix(" bytes")?.parse().ok()?,
            missing_until: until,
            whole_from: seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?,
        })
    }
}

/// `N bytes, between A ns and B ns`.
fn lost_between(text: &str) -> Option<(u64, (u64, u64))> {
    let (bytes, rest) = text.split_once(" bytes, between ")?;
    let (since, until) = rest.split_once(" ns and ")?;
    let until = until.strip_suffix(" ns")?;
    let between = (since.parse().ok()?, until.parse().ok()?);
    Some((bytes.parse().ok()?, between))
}

/// Seconds with a fraction as nanoseconds, in whole microseconds.
fn micros(seconds: &str) -> Option<u64> {
    let seconds: f64 = seconds.parse().ok()?;
    let micros = (seconds * 1e6).round();
    (0.0..u64::MAX as f64 / 1e3)
        .contains(&micros)
        .then_some(micros as u64 * 1000)
}
