//! What a relay reports to the program that runs it.

use std::fmt;
use std::sync::Arc;

/// Something that has happened.
///
/// It is called on a thread of the relay, and must return soon.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A session has begun: the header of a log has arrived.
    SessionBegan {
        /// The name of the source.
        source: &'a str,
        /// Which of its sessions, from 1 on.
        session: u64,
    },
    /// A session is over.
    SessionEnded {
        /// The name of the source.
        source: &'a str,
        /// Which of its sessions.
        session: u64,
        /// Whether its log has an end mark. A program that was killed leaves none.
        marked: bool,
        /// Bytes at its end that were not a whole block, and are not served.
        cut_off: u64,
    },
    /// The connection to a source was lost. It is tried again.
    SourceLost {
        /// The name of the source.
        source: &'a str,
        /// The error, unless the connection was simply closed.
        cause: Option<&'a std::io::Error>,
    },
    /// A source will deliver nothing more.
    SourceEnded {
        /// The name of the source.
        source: &'a str,
        /// The error, unless it simply ended.
        error: Option<&'a (dyn std::error::Error + 'static)>,
    },
    /// A source sends something that is not an eventlog. It is discarded until a log begins.
    /// Reported once for each connection.
    Garbage {
        /// The name of the source.
        source: &'a str,
        /// What is wrong with it.
        error: &'a ghc_eventlog::Error,
    },
    /// A source turned out to be this relay itself. It is not read any more.
    OwnStream {
        /// The name of the source.
        source: &'a str,
    },
    /// A client has connected.
    ClientCame {
        /// Its number; no two clients of a relay have the same.
        client: u64,
        /// The name of the source.
        source: &'a str,
        /// Where it connected.
        at: &'a crate::Address,
    },
    /// A client is gone.
    ClientGone {
        /// Its number.
        client: u64,
        /// The name of the source.
        source: &'a str,
        /// Why.
        reason: Gone,
        /// Bytes that it received.
        bytes: u64,
        /// Bytes that it missed.
        missed_bytes: u64,
        /// How often it was brought up to date.
        resyncs: u64,
    },
    /// A client was refused because the limit is reached.
    ClientRefused {
        /// Where it connected.
        at: &'a crate::Address,
        /// The largest number of clients.
        limit: usize,
    },
    /// A client, or a reader in this process, fell so far behind that it missed something, and
    /// was brought up to date.
    Resynced {
        /// The name of the source.
        source: &'a str,
        /// Bytes that it missed.
        bytes: u64,
    },
    /// The state of a session fell behind, and is incomplete from now on: the state that
    /// clients begin with may be wrong in places. Their logs say so.
    FoldMissed {
        /// The name of the source.
        source: &'a str,
        /// Bytes that it missed.
        bytes: u64,
    },
    /// A listening socket has failed. Connected clients are still served.
    ListenerFailed {
        /// Where.
        at: &'a crate::Address,
        /// How.
        cause: &'a std::io::Error,
    },
}

/// Why a client is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Gone {
    /// Its log ended.
    Ended,
    /// It closed the connection, or the connection broke.
    Left,
    /// It fell behind, and is not to be brought up to date, or cannot be.
    Lagged,
    /// It did not read the end of its log in time.
    TooSlow,
    /// The relay had no thread or memory for it.
    NoResources,
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ended => "its log came to its end",
            Self::Left => "it left",
            Self::Lagged => "it fell behind",
            Self::TooSlow => "it did not take the end of its log in time",
            Self::NoResources => "there were no resources for it",
        })
    }
}

type Tell = dyn Fn(&Event<'_>) + Send + Sync;

/// The callback for events, if there is one.
#[derive(Clone, Default)]
pub(crate) struct Notices(Option<Arc<Tell>>);

impl Notices {
    pub(crate) fn to(tell: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    pub(crate) fn tell(&self, event: &Event<'_>) {
        if let Some(tell) = &self.0 {
            tell(event);
        }
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Notices").field(&self.0.is_some()).finish()
    }
}
