//! What happens to a relay, for the user who runs it: as words, or as JSON.

use crate::source;
use crate::units::Bytes;
use eventlog_relay::{Event, Gone};
use serde::Serialize;
use std::borrow::Cow;

/// Something that has happened.
///
/// As JSON, the names of events and fields are stable; new ones may be added.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum News {
    /// An address can be connected to.
    Serving {
        address: String,
        source: String,
    },
    /// Other users than our own can read what is served at an address.
    Exposed {
        address: String,
        message: &'static str,
    },
    /// A source is not there, sends nothing, or was started again.
    SourceNotice {
        source: String,
        message: String,
    },
    SourceConnected {
        source: String,
        from: String,
    },
    SourceLost {
        source: String,
        cause: Option<String>,
    },
    SourceEnded {
        source: String,
        error: Option<String>,
    },
    SessionBegan {
        source: String,
        session: u64,
    },
    SessionEnded {
        source: String,
        session: u64,
        marked: bool,
        cut_off_bytes: u64,
    },
    Garbage {
        source: String,
        error: String,
    },
    OwnStream {
        source: String,
    },
    /// A replay waits for its first client.
    ReplayWaits {
        source: String,
    },
    ClientCame {
        client: u64,
        source: String,
        address: String,
    },
    ClientGone {
        client: u64,
        source: String,
        reason: &'static str,
        message: String,
        bytes: u64,
        missed_bytes: u64,
        resyncs: u64,
    },
    ClientRefused {
        address: String,
        limit: usize,
    },
    Resynced {
        source: String,
        missed_bytes: u64,
    },
    StateMissed {
        source: String,
        missed_bytes: u64,
    },
    ListenerFailed {
        address: String,
        cause: String,
    },
    /// The program that the relay runs has written no log.
    NoLog {
        message: String,
        hint: String,
    },
    /// The state of the relay cannot be queried.
    NoStatus {
        message: String,
    },
    RecordingBegan {
        source: String,
        directory: String,
        #[serde(skip)]
        message: String,
    },
    /// The log is not recorded for now.
    RecordingFailed {
        source: String,
        message: String,
    },
    RecordingResumed {
        source: String,
        directory: String,
        lost_blocks: u64,
        lost_bytes: u64,
        #[serde(skip)]
        message: String,
    },
    /// The end of a recording could not be written in time.
    RecordingUnfinished,
    Draining {
        reason: &'static str,
    },
    Ended,
    /// There was no room for this many of these lines.
    LinesLost {
        lines: u64,
    },
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Also shown in the state.
    Detail,
    Note,
    Hint,
    Warning,
}

impl News {
    /// The event of the relay; `None` if this version does not have it.
    pub fn of(event: &Event<'_>) -> Option<Self> {
        let own = |source: &&str| (*source).to_owned();
        Some(match event {
            Event::SessionBegan { source, session } => Self::SessionBegan {
                source: own(source),
                session: *session,
            },
            Event::SessionEnded {
                source,
                session,
                marked,
                cut_off,
            } => Self::SessionEnded {
                source: own(source),
                session: *session,
                marked: *marked,
                cut_off_bytes: *cut_off,
            },
            Event::SourceLost { source, cause } => Self::SourceLost {
                source: own(source),
                cause: cause.map(source::reason),
            },
            Event::SourceEnded { source, error } => Self::SourceEnded {
                source: own(source),
                error: error.map(whole_text),
            },
            Event::Garbage { source, error } => Self::Garbage {
                source: own(source),
                error: error.to_string(),
            },
            Event::OwnStream { source } => Self::OwnStream {
                source: own(source),
            },
            Event::ClientCame { client, source, at } => Self::ClientCame {
                client: *client,
                source: own(source),
                address: at.to_string(),
            },
            Event::ClientGone {
                client,
                source,
                reason,
                bytes,
                missed_bytes,
                resyncs,
            } => Self::ClientGone {
                client: *client,
                source: own(source),
                reason: name_of(*reason),
                message: reason.to_string(),
                bytes: *bytes,
                missed_bytes: *missed_bytes,
                resyncs: *resyncs,
            },
            Event::ClientRefused { at, limit } => Self::ClientRefused {
                address: at.to_string(),
                limit: *limit,
            },
            Event::Resynced { source, bytes } => Self::Resynced {
                source: own(source),
                missed_bytes: *bytes,
            },
            Event::FoldMissed { source, bytes } => Self::StateMissed {
                source: own(source),
                missed_bytes: *bytes,
            },
            Event::ListenerFailed { at, cause } => Self::ListenerFailed {
                address: at.to_string(),
                cause: source::reason(cause),
            },
            _ => return None,
        })
    }

    /// For people; `None` if it is reported in another way.
    pub fn text(&self) -> Option<(Weight, Cow<'_, str>)> {
        use Weight::{Detail, Hint, Note, Warning};
        let (weight, text) = match self {
            // Standard output has the addresses.
            Self::Serving { .. } => return None,
            Self::Exposed { address, message } => (Warning, format!("{address}: {message}")),
            Self::SourceNotice { message, .. } => (Hint, message.clone()),
            Self::SourceConnected { source, from } => (Detail, format!("{source}: reads {from}")),
            Self::SourceLost { source, cause } => {
                let cause = cause.as_ref().map(|cause| format!(" ({cause})"));
                let cause = cause.unwrap_or_default();
                (
                    Note,
                    format!("{source}: the connection ended{cause}; it is tried again"),
                )
            }
            Self::SourceEnded {
                source,
                error: Some(error),
            } => (Warning, format!("{source}: {error}")),
            Self::SourceEnded { source, .. } => (Detail, format!("{source}: the source has ended")),
            Self::SessionBegan { source, session } => {
                (Detail, format!("{source}: session {session} has begun"))
            }
            Self::SessionEnded {
                source,
                session,
                marked,
                cut_off_bytes,
            } => {
                let marked = match marked {
                    true => "",
                    false => {
                        " without an end mark: the program was killed, or the connection broke"
                    }
                };
                let cut_off = match cut_off_bytes {
                    0 => String::new(),
                    bytes => format!(" ({} at its end are no whole block)", Bytes(*bytes)),
                };
                (
                    Note,
                    format!("{source}: session {session} is over{marked}{cut_off}"),
                )
            }
            Self::Garbage { source, error } => (
                Warning,
                format!(
                    "{source} sends what is no eventlog: {error}; it is discarded until a log begins"
                ),
            ),
            Self::OwnStream { source } => (
                Warning,
                format!(
                    "{source} is served by this very relay, and is not read; name another source"
                ),
            ),
            Self::ReplayWaits { source } => (
                Note,
                format!("{source} is replayed as soon as its first client is there"),
            ),
            Self::ClientCame {
                client,
                source,
                address,
            } => (
                Detail,
                format!("client {client} of {source} has come to {address}"),
            ),
            Self::ClientGone {
                client,
                source,
                message,
                bytes,
                missed_bytes,
                ..
            } => {
                let missed = match missed_bytes {
                    0 => String::new(),
                    bytes => format!(", and missed {}", Bytes(*bytes)),
                };
                let got = Bytes(*bytes);
                let text =
                    format!("client {client} of {source} is gone: {message}; it got {got}{missed}");
                (Detail, text)
            }
            Self::ClientRefused { address, limit } => (
                Warning,
                format!(
                    "a client at {address} was refused: there are {limit} already (--max-clients)"
                ),
            ),
            Self::Resynced {
                source,
                missed_bytes,
            } => (
                Detail,
                format!(
                    "a client of {source} fell behind: it missed {} and was brought up to date",
                    Bytes(*missed_bytes)
                ),
            ),
            Self::StateMissed {
                source,
                missed_bytes,
            } => (
                Warning,
                format!(
                    "{source}: the state for clients that connect late lacks {}; is this machine too busy?",
                    Bytes(*missed_bytes)
                ),
            ),
            Self::ListenerFailed { address, cause } => (
                Warning,
                format!("{address} can no longer be connected to: {cause}"),
            ),
            Self::NoLog { message, hint } => (Warning, format!("{message}; {hint}")),
            Self::NoStatus { message } => (Warning, message.clone()),
            Self::RecordingBegan { message, .. } => (Note, message.clone()),
            Self::RecordingFailed { message, .. } => (Warning, message.clone()),
            Self::RecordingResumed { message, .. } => (Warning, message.clone()),
            Self::RecordingUnfinished => (
                Warning,
                "the disk is too slow: the ends of some recordings are not written".to_owned(),
            ),
            Self::Draining { reason } => (
                Detail,
                format!("{reason}: clients get what is left, and the end mark"),
            ),
            Self::Ended => return None,
            Self::LinesLost { lines } => (
                Warning,
                format!("{lines} messages are lost: standard error was too slow"),
            ),
        };
        Some((weight, Cow::Owned(text)))
    }
}

fn name_of(reason: Gone) -> &'static str {
    match reason {
        Gone::Ended => "ended",
        Gone::Left => "left",
        Gone::Lagged => "lagged",
        Gone::TooSlow => "too_slow",
        Gone::NoResources => "no_resources",
        _ => "other",
    }
}

/// An error and its causes.
fn whole_text(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
