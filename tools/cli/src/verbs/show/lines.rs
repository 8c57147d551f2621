//! Events as lines.

use super::text::{Painter, seconds};
use crate::filter::class_of;
use crate::output::{self, Out};
use crate::printable::json_line;
use ghc_eventlog::{Block, Event, Gap, WallClock};
use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};

/// The form of the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Writes lines to standard output.
pub struct Lines {
    out: Out,
    format: Format,
    blocks: bool,
    wall: bool,
    clock: Option<WallClock>,
    sessions: u64,
    line: String,
    painter: Painter,
}

impl Lines {
    pub fn new(format: Format, blocks: bool) -> Self {
        Self {
            out: output::out(),
            format,
            blocks,
            wall: false,
            clock: None,
            sessions: 0,
            line: String::new(),
            painter: Painter::new(),
        }
    }

    /// From now on prints the time of day, as soon as that is known.
    pub fn with_wall(&mut self, clock: Option<WallClock>) {
        self.wall = true;
        self.clock = clock;
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// A header: only reported if it is not the first.
    pub fn session(&mut self) -> io::Result<()> {
        self.sessions += 1;
        if self.sessions == 1 {
            return Ok(());
        }
        self.clock = None;
        let number = self.sessions;
        match self.format {
            Format::Text => self.remark(&format!("the log starts again (part {number})")),
            Format::Json => writeln!(self.out, "{{\"session\":{number}}}"),
        }
    }

    /// The same log goes on.
    pub fn rejoined(&mut self) -> io::Result<()> {
        match self.format {
            Format::Text => {
                self.remark("the log goes on here; some of what came before this is missing")
            }
            Format::Json => writeln!(self.out, "{{\"rejoined\":true}}"),
        }
    }

    pub fn gap(&mut self, gap: &Gap) -> io::Result<()> {
        let (offset, length, kind) = (gap.error.offset, gap.length, gap.error.kind);
        match self.format {
            Format::Text => {
                self.remark(&format!("{length} bytes skipped at byte {offset}: {kind}"))
            }
            Format::Json => {
                let reason = serde_json::Value::from(kind.to_string());
                writeln!(
                    self.out,
                    "{{\"gap\":{{\"offset\":{offset},\"length\":{length},\"reason\":{reason}}}}}"
                )
            }
        }
    }

    fn remark(&mut self, text: &str) -> io::Result<()> {
        let mut line = String::new();
        self.painter.remark(&mut line, text);
        writeln!(self.out, "{line}")
    }

    pub fn block(&mut self, block: &Block<'_>) -> io::Result<()> {
        if !self.blocks {
            return Ok(());
        }
        let Block {
            time,
            end,
            size,
            cap,
            offset,
            ..
        } = *block;
        match self.format {
            Format::Text => {
                let mut line = String::new();
                self.painter.start(&mut line, time, cap);
                line.push_str("block end=");
                seconds(&mut line, end, 0);
                writeln!(self.out, "{line} size={size} offset={offset}")
            }
            Format::Json => {
                let cap = cap.map_or(serde_json::Value::Null, Into::into);
                writeln!(
                    self.out,
                    "{{\"block\":{{\"time\":{time},\"end\":{end},\"cap\":{cap},\"size\":{size},\"offset\":{offset}}}}}"
                )
            }
        }
    }

    /// Updates the clock with an event that may not be printed.
    pub fn learn(&mut self, event: &Event<'_>) {
        if self.wall && self.clock.is_none() {
            self.clock = WallClock::from_event(event);
        }
    }

    /// An event. `running` is the thread in which it happened, if any.
    pub fn event(&mut self, event: &Event<'_>, running: Option<u32>, late: bool) -> io::Result<()> {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        let running = running.filter(|_| class_of(event.id()) == Some("user"));
        match self.format {
            Format::Text => {
                if let Some(clock) = self.clock.filter(|_| self.wall) {
                    // Writing to a string cannot fail.
                    let _ = write!(line, "{} ", clock.at(event.time));
                }
                self.painter.event(&mut line, event, running, late);
            }
            Format::Json => {
                let _ = self.json(&mut line, event, running, late);
                if let Cow::Owned(shown) = json_line(&line) {
                    line = shown;
                }
            }
        }
        line.push('\n');
        let result = self.out.write_all(line.as_bytes());
        self.line = line;
        result
    }

    fn json(
        &self,
        line: &mut String,
        event: &Event<'_>,
        running: Option<u32>,
        late: bool,
    ) -> fmt::Result {
        event.write_json(line)?;
        // Our own fields go last, so that the event's fields keep their places.
        line.pop();
        if let Some(thread) = running {
            write!(line, ",\"in_thread\":{thread}")?;
        }
        if let Some(clock) = self.clock.filter(|_| self.wall) {
            write!(line, ",\"wall\":\"{}\"", clock.at(event.time))?;
        }
        if late {
            line.push_str(",\"late\":true");
        }
        line.push('}');
        Ok(())
    }
}
