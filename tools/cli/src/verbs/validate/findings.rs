//! What is wrong with a log, and where.

use super::Out;
use crate::analysis::numbers::Seconds;
use crate::output;
use crate::printable::{self, printable};
use anstyle::{AnsiColor, Style};
use anyhow::Result;
pub use eventlog_state::{At, Severity};
use ghc_eventlog::Block;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write;

/// How a finding is coloured.
fn style(severity: Severity) -> Style {
    let colour = match severity {
        Severity::Note => AnsiColor::Cyan,
        Severity::Warning => AnsiColor::Yellow,
        Severity::Error => AnsiColor::Red,
    };
    output::style(Style::new().bold().fg_color(Some(colour.into())))
}

/// A place in the bytes of a log.
pub fn at_byte(offset: u64) -> At {
    At {
        offset,
        ..At::default()
    }
}

/// Where a block begins.
pub fn at_block(block: &Block<'_>) -> At {
    At {
        offset: block.offset,
        time: Some(block.time),
        cap: block.cap,
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

    /// Reports a finding. `kind` is its stable name.
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
        let style = style(severity);
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

    /// Prints the summary.
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
            let style = style(match self.errors {
                0 => Severity::Note,
                _ => Severity::Error,
            });
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
