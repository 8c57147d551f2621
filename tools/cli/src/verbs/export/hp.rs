//! The text form of heap profiles, as the runtime system writes it itself.

use super::{Range, What, nothing};
use crate::analysis::bands::{Sample, Samples};
use crate::analysis::feed::Sink;
use crate::analysis::identity::Identity;
use crate::analysis::numbers::Seconds;
use crate::analysis::symbols::Symbols;
use crate::printable::printable;
use anyhow::Result;
use ghc_eventlog::{Event, Header};
use std::io::Write;
use std::sync::Arc;

/// Writes samples as they come.
pub struct Hp<'o, W> {
    out: &'o mut W,
    range: Range,
    identity: Identity,
    symbols: Symbols,
    samples: Samples,
    count: u64,
    last: u64,
}

impl<'o, W: Write> Hp<'o, W> {
    pub fn new(out: &'o mut W, range: Range) -> Self {
        let symbols = Symbols::with_info_tables();
        Self {
            out,
            range,
            identity: Identity::default(),
            symbols,
            samples: Samples::default(),
            count: 0,
            last: 0,
        }
    }

    /// The four lines at the top.
    fn head(&mut self) -> Result<()> {
        let job = match self.identity.args.is_empty() {
            true => "unknown".to_owned(),
            false => self.identity.args.join(" "),
        };
        let date = match self.identity.wall_clock {
            Some(clock) => {
                let date = clock.at(0).to_string();
                // To the minute, as the runtime system has it.
                date.get(..16).unwrap_or(&date).replace('T', " ")
            }
            None => "unknown".to_owned(),
        };
        writeln!(self.out, "JOB {}", quoted(&job))?;
        writeln!(self.out, "DATE {}", quoted(&date))?;
        writeln!(self.out, "SAMPLE_UNIT \"seconds\"")?;
        writeln!(self.out, "VALUE_UNIT \"bytes\"")?;
        Ok(())
    }

    fn sample(&mut self, sample: &Sample) -> Result<()> {
        if !self.range.contains(sample.time) {
            return Ok(());
        }
        if self.count == 0 {
            self.head()?;
        }
        self.count += 1;
        // Tools want times that do not go back.
        self.last = self.last.max(sample.time);
        let time = Seconds(self.last);
        writeln!(self.out, "BEGIN_SAMPLE {time}")?;
        for (band, bytes) in &sample.bands {
            let name = printable(&band.name(&self.symbols)).replace(['\t', '\n', '\r'], " ");
            writeln!(self.out, "{name}\t{bytes}")?;
        }
        writeln!(self.out, "END_SAMPLE {time}")?;
        Ok(())
    }

    pub fn finish(mut self) -> Result<()> {
        if let Some(sample) = self.samples.finish() {
            self.sample(&sample)?;
        }
        if self.count == 0 {
            return Err(nothing(What::Heap));
        }
        Ok(())
    }
}

fn quoted(text: &str) -> String {
    let text = printable(text).replace('"', "'");
    format!("\"{}\"", text.replace(['\n', '\r'], " "))
}

impl<W: Write> Sink for Hp<'_, W> {
    fn session(&mut self, header: &Arc<Header>) -> Result<()> {
        self.samples = Samples::new(header);
        Ok(())
    }

    fn event(&mut self, event: &Event<'_>, _late: bool) -> Result<()> {
        self.identity.event(event);
        self.symbols.event(event);
        match self.samples.event(event) {
            Some(sample) => self.sample(&sample),
            None => Ok(()),
        }
    }
}
