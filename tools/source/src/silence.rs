//! Why nothing comes from a program that is connected, as far as that can be told from outside.

use crate::errors;
use std::time::{Duration, Instant};

/// After which the user is told.
const PATIENCE: Duration = Duration::from_secs(3);
/// The last bytes of a header: what follows are events.
const HEADER_END: &[u8] = b"datb";

/// Notices that nothing comes.
#[derive(Debug)]
pub struct Silence {
    name: String,
    kind: Kind,
    /// Whether the program is asked to flush anyway.
    flushed: bool,
    since: Instant,
    /// The last bytes that came.
    last: Vec<u8>,
    told: bool,
}

/// What is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Socket,
    Fifo,
}

impl Silence {
    pub fn new(name: String, kind: Kind, flushed: bool) -> Self {
        Self {
            name,
            kind,
            flushed,
            since: Instant::now(),
            last: Vec::new(),
            told: false,
        }
    }

    /// When there is something to tell.
    pub fn deadline(&self) -> Option<Instant> {
        (!self.told).then(|| self.since + PATIENCE)
    }

    /// Bytes have come.
    pub fn heard(&mut self, bytes: &[u8]) {
        self.since = Instant::now();
        self.last.extend_from_slice(bytes);
        let surplus = self.last.len().saturating_sub(HEADER_END.len());
        self.last.drain(..surplus);
    }

    /// Tells, if it is time to and was not told before.
    pub fn explain(&mut self) {
        if self.deadline().is_some_and(|at| at <= Instant::now()) {
            self.told = true;
            if let Some(text) = self.text() {
                errors::hint(text);
            }
        }
    }

    fn text(&self) -> Option<String> {
        let name = &self.name;
        let only_header = self.last == HEADER_END;
        Some(match (self.kind, self.last.is_empty()) {
            (Kind::Socket, true) => format!(
                "connected to {name}, but it sends nothing: another client is served first (a \
                 program serves one at a time), or the program has no eventlog (it needs +RTS -l)"
            ),
            (Kind::Fifo, true) => format!(
                "nothing is written to {name}: a program does that when run with +RTS -l -ol{name}"
            ),
            // It is asked to flush, and has nothing to say.
            (_, false) if self.flushed && !only_header => return None,
            (_, false) if self.flushed => format!(
                "{name} has sent a header and no events, although it is asked to flush: does it \
                 take commands? See `eventlog control --help`"
            ),
            (Kind::Socket, false) => format!(
                "nothing new from {name}: events come when a buffer of 2 MiB is full, or the \
                 program flushes; --flush 1s asks it to"
            ),
            (Kind::Fifo, false) => format!(
                "nothing new in {name}: events come when a buffer of 2 MiB is full, or the program \
                 flushes (+RTS --eventlog-flush-interval=1, since GHC 9.2)"
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(kind: Kind, flushed: bool, heard: &[&[u8]]) -> String {
        let mut silence = Silence::new("x".into(), kind, flushed);
        heard.iter().for_each(|bytes| silence.heard(bytes));
        silence.text().unwrap_or_default()
    }

    #[test]
    fn each_silence_has_its_reason() {
        let nothing = text(Kind::Socket, false, &[]);
        assert!(nothing.contains("another client") && nothing.contains("+RTS -l"));
        assert!(text(Kind::Fifo, false, &[]).contains("-olx"));
        let header: &[&[u8]] = &[b"hdrb...dat", b"b"];
        assert!(text(Kind::Socket, false, header).contains("--flush"));
        assert!(text(Kind::Socket, true, header).contains("take commands"));
        assert_eq!(text(Kind::Socket, true, &[b"hdrb...datb..."]), "");
    }
}
