//! What is known about a connection from which nothing comes, as far as that can be told from
//! outside.

use std::time::{Duration, Instant};

/// After which it counts as silent.
const PATIENCE: Duration = Duration::from_secs(3);
/// The last bytes of a header: what follows are events.
const HEADER_END: &[u8] = b"datb";

/// A connection from which nothing has come for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// What it is a connection to.
    pub of: Silent,
    /// What came before.
    pub heard: Heard,
    /// Whether the program is asked to flush its eventlog again and again.
    pub asked: bool,
}

/// What is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silent {
    /// A Unix or TCP socket.
    Socket,
    /// A FIFO.
    Fifo,
}

/// What came before the silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing at all.
    Nothing,
    /// A header, but no event.
    Header,
    /// Events, or a part of a header.
    More,
}

/// Notices that nothing comes.
#[derive(Debug)]
pub(crate) struct Listening {
    of: Silent,
    asked: bool,
    since: Instant,
    /// The last bytes that came.
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

    /// When there is something to tell.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        (!self.told).then(|| self.since + PATIENCE)
    }

    /// Bytes have come.
    pub(crate) fn heard(&mut self, bytes: &[u8]) {
        self.since = Instant::now();
        self.last.extend_from_slice(bytes);
        let surplus = self.last.len().saturating_sub(HEADER_END.len());
        self.last.drain(..surplus);
    }

    /// The silence, once, if it has lasted long enough.
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
