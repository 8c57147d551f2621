//! How a relay behaves.

use crate::event::{Event, Notices};

/// What happens to a client that falls off the ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnLag {
    /// It gets a note of what it missed and is brought up to date; it stays connected.
    #[default]
    Resync,
    /// It gets a note of what it missed, and its log ends there without an end mark.
    Disconnect,
}

/// Options of a relay. The fields can be set one by one:
///
/// ```
/// use eventlog_relay::{OnLag, Options};
///
/// let mut options = Options::default();
/// options.ring_bytes = 16 << 20;
/// options.on_lag = OnLag::Disconnect;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Bytes of a session that are kept for clients that lag: 64 MiB by default, at least 64
    /// KiB. A client that is further behind than seven eighths of them, less the size of the
    /// largest blocks, has missed something.
    pub ring_bytes: usize,
    /// What happens to a client that falls off the ring.
    pub on_lag: OnLag,
    /// Whether clients stay connected when a source begins a new log, and get the new header
    /// in the same connection. If not, their log ends.
    pub follow_restarts: bool,
    /// How many clients may be connected to all addresses together: 512 by default.
    pub max_clients: usize,
    /// How many bytes of a session may wait for capabilities that lag; 16 MiB by default, as
    /// [`MergeOptions::max_bytes`](eventlog_state::MergeOptions::max_bytes).
    pub order_bytes: usize,
    pub(crate) notices: Notices,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ring_bytes: 64 << 20,
            on_lag: OnLag::default(),
            follow_restarts: false,
            max_clients: 512,
            order_bytes: 16 << 20,
            notices: Notices::default(),
        }
    }
}

impl Options {
    /// Sets the callback for events. It is called on the relay's threads, and must return soon.
    #[must_use]
    pub fn notices(self, tell: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        let notices = Notices::to(tell);
        Self { notices, ..self }
    }
}
