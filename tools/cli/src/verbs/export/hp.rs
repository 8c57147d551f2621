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
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
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
        // Names that were different may be the same as identifiers.
        let mut bands: BTreeMap<String, u64> = BTreeMap::new();
        for (name, bytes) in sample.named(&self.symbols) {
            let sum = bands.entry(identifier(&name)).or_default();
            *sum = sum.saturating_add(bytes);
        }
        for (name, bytes) in bands {
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
            return Err(nothing(What::Heap, self.range));
        }
        Ok(())
    }
}

/// The longest name and the longest string that hp2ps takes, with some room.
const LONGEST: usize = 4900;
/// Words that begin other lines.
const KEYWORDS: [&str; 8] = [
    "JOB",
    "DATE",
    "SAMPLE_UNIT",
    "VALUE_UNIT",
    "MARK",
    "BEGIN_SAMPLE",
    "END_SAMPLE",
    "EOF",
];

/// A name as the tools read it: up to the first blank of any kind, and neither
/// a number, nor a string, nor a keyword.
fn identifier(name: &str) -> String {
    let name = printable(name).replace(" (", "(");
    let name = name.replace(|c: char| c.is_whitespace() || c.is_control(), "_");
    let odd = name.is_empty()
        || name.starts_with(|c: char| c.is_ascii_digit() || c == '"')
        || KEYWORDS.contains(&name.as_str());
    let name = if odd { format!("_{name}") } else { name };
    if name.len() <= LONGEST {
        return name;
    }
    // Two long names that begin in the same way are still two.
    let mut hash = DefaultHasher::new();
    name.hash(&mut hash);
    format!("{}...{:016x}", cut(&name), hash.finish())
}

fn quoted(text: &str) -> String {
    let text = printable(text).replace('"', "'");
    let text = text.replace(|c: char| c.is_control(), " ");
    format!("\"{}\"", cut(&text))
}

/// So much of a text as the tools take.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
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
