//! Detects connections from which nothing arrives, and collects what is known about the reason.

use std::time::{Duration, Instant};

/// Time after which a connection counts as silent.
const PATIENCE: Duration = Duration::from_secs(3);
/// The last bytes of a header: what follows are events.
const HEADER_END: &[u8] = b"datb";

/// A connection from which nothing has arrived for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// The kind of connection.
    pub of: Silent,
    /// What arrived before.
    pub heard: Heard,
    /// Whether the program is asked repeatedly to flush its eventlog.
    pub asked: bool,
}

/// The kind of connection that is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silent {
    /// A Unix or TCP socket.
    Socket,
    /// A FIFO.
    Fifo,
}

/// What arrived before the silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing at all.
    Nothing,
    /// A header, but no event.
    Header,
    /// Events, or a part of a header.
    More,
}

/// Notices that nothing arrives.
#[derive(Debug)]
pub(crate) struct Listening {
    of: Silent,
    asked: bool,
    since: Instant,
    /// The last bytes that arrived.
    last: Vec<u8>,
    told: bool,
}

impl Listening {
    pub(crate) fn new(of: Silent, asked: bool) -> Self {
        Self {
            of,
            asked,
            since: Instant::now(),
            last: Vec::new(),
            told: false,
        }
    }

    /// When there is something to report.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        (!self.told).then(|| self.since + PATIENCE)
    }

    /// Takes bytes that have arrived.
    pub(crate) fn heard(&mut self, bytes: &[u8]) {
        self.since = Instant::now();
        self.last.extend_from_slice(bytes);
        let surplus = self.last.len().saturating_sub(HEADER_END.len());
        self.last.drain(..surplus);
    }

    /// Returns the silence, once, if it has lasted long enough.
    pub(crate) fn silence(&mut self) -> Option<Silence> {
        if self.deadline().is_none_or(|at| at > Instant::now()) {
            return None;
        }
        self.told = true;
        Some(self.now())
    }

    fn now(&self) -> Silence {
        let heard = match &self.last[..] {
            [] => Heard::Nothing,
            HEADER_END => Heard::Header,
            _ => Heard::More,
        };
        Silence {
            of: self.of,
            heard,
            asked: self.asked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_before_is_told_by_its_end() {
        let heard = |pieces: &[&[u8]]| {
            let mut listening = Listening::new(Silent::Socket, false);
            pieces.iter().for_each(|bytes| listening.heard(bytes));
            listening.now().heard
        };
        assert_eq!(heard(&[]), Heard::Nothing);
        assert_eq!(heard(&[b"hdrb...dat", b"b"]), Heard::Header);
        assert_eq!(heard(&[b"hdrb...datb..."]), Heard::More);
    }
}
