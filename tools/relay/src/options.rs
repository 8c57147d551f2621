//! How a relay behaves.

use crate::event::{Event, Notices};

/// What becomes of a client that falls off the ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnLag {
    /// It is told what it missed, and brought up to date; it stays connected.
    #[default]
    Resync,
    /// It is told what it missed, and its log ends there without an end mark.
    Disconnect,
}

/// How a relay behaves. The fields can be set one by one:
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
    /// Bytes of a session that are kept for those who lag: 64 MiB by default, 64 KiB at least. A
    /// client has missed something that lags further behind than seven eighths of them, less
    /// what the largest blocks take.
    pub ring_bytes: usize,
    /// What becomes of a client that falls off the ring.
    pub on_lag: OnLag,
    /// Whether clients are taken along when a source begins a new log: with the new header in
    /// the same connection. If not, their log ends.
    pub follow_restarts: bool,
    /// How many clients may be connected to all addresses together: 512 by default.
    pub max_clients: usize,
    /// Bytes that the state of a session waits for capabilities that lag; 16 MiB by default, as
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
    /// Whom to tell what happens. This is called on the relay's threads, and must not take long.
    #[must_use]
    pub fn notices(self, tell: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        let notices = Notices::to(tell);
        Self { notices, ..self }
    }
}
