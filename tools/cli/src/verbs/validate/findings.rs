//! What is wrong with a log, and where.

use super::Out;
use crate::analysis::numbers::Seconds;
use crate::output;
use crate::printable::{self, printable};
use anstyle::{AnsiColor, Style};
use anyhow::Result;
use ghc_eventlog::{Block, Event};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// The log is not complete, or not quite as expected.
    Warning,
    /// No runtime system writes this.
    Error,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    fn style(self) -> Style {
        let colour = match self {
            Self::Note => AnsiColor::Cyan,
            Self::Warning => AnsiColor::Yellow,
            Self::Error => AnsiColor::Red,
        };
        output::style(Style::new().bold().fg_color(Some(colour.into())))
    }
}

/// A place in a log.
#[derive(Clone, Copy, Debug, Default)]
pub struct At {
    pub offset: u64,
    pub time: Option<u64>,
    pub cap: Option<u16>,
}

impl At {
    pub fn byte(offset: u64) -> Self {
        Self {
            offset,
            ..Self::default()
        }
    }

    pub fn event(event: &Event<'_>) -> Self {
        Self {
            offset: event.offset,
            time: Some(event.time),
            cap: event.cap,
        }
    }

    pub fn block(block: &Block<'_>) -> Self {
        Self {
            offset: block.offset,
            time: Some(block.time),
            cap: block.cap,
        }
    }
}

/// Collects, counts and prints.
pub struct Findings {
    pub errors: u64,
    pub warnings: u64,
    pub notes: u64,
    pub(super) out: Out,
    json: bool,
    quiet: bool,
    max: u64,
    kinds: BTreeMap<&'static str, u64>,
}

impl Findings {
    pub fn new(json: bool, quiet: bool, max: u64) -> Self {
        let out = output::out();
        Self {
            errors: 0,
            warnings: 0,
            notes: 0,
            out,
            json,
            quiet,
            max,
            kinds: BTreeMap::new(),
        }
    }

    /// Tells a finding. `kind` is its stable name.
    #[cold]
    pub fn tell(
        &mut self,
        severity: Severity,
        kind: &'static str,
        at: At,
        text: impl FnOnce() -> String,
    ) -> Result<()> {
        match severity {
            Severity::Note => self.notes += 1,
            Severity::Warning => self.warnings += 1,
            Severity::Error => self.errors += 1,
        }
        let count = self.kinds.entry(kind).or_default();
        *count += 1;
        if self.quiet || *count > self.max {
            return Ok(());
        }
        if self.json {
            let finding = json!({
                "severity": severity.name(),
                "kind": kind,
                "offset": at.offset,
                "time": at.time,
                "cap": at.cap,
                "message": text(),
            });
            printable::write_json(&mut self.out, &finding)?;
            writeln!(self.out)?;
            return Ok(());
        }
        let style = severity.style();
        write!(
            self.out,
            "{style}{}{style:#} at byte {}",
            severity.name(),
            at.offset
        )?;
        if let Some(time) = at.time {
            write!(self.out, ", {} s", Seconds(time))?;
        }
        if let Some(cap) = at.cap {
            write!(self.out, ", cap {cap}")?;
        }
        writeln!(self.out, ": {} [{kind}]", printable(&text()))?;
        Ok(())
    }

    /// The last word.
    pub fn finish(&mut self, events: u64, blocks: u64, sessions: u64) -> Result<()> {
        if self.quiet {
            return Ok(());
        }
        if self.json {
            let summary = json!({
                "summary": {
                    "errors": self.errors,
                    "warnings": self.warnings,
                    "notes": self.notes,
                    "kinds": self.kinds,
                    "events": events,
                    "blocks": blocks,
                    "sessions": sessions,
                }
            });
            writeln!(self.out, "{summary}")?;
        } else {
            for (kind, &count) in self.kinds.iter().filter(|(_, count)| **count > self.max) {
                writeln!(self.out, "... {} more of kind {kind}", count - self.max)?;
            }
            let verdict = if self.errors > 0 { "faulty" } else { "valid" };
            let style = if self.errors > 0 {
                Severity::Error
            } else {
                Severity::Note
            }
            .style();
            writeln!(
                self.out,
                "{style}{verdict}{style:#}: {events} events in {blocks} blocks; {} errors, {} warnings, {} notes",
                self.errors, self.warnings, self.notes
            )?;
        }
        self.out.flush()?;
        Ok(())
    }
}
