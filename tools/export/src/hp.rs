//! The text form of heap profiles, as the runtime system writes it itself.

use crate::exporter::{Error, Exporter, Range, What};
use crate::seconds::Seconds;
use crate::text::printable;
use eventlog_state::{Fact, Keep, Sample, State};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;

/// Writes samples as they are completed.
#[derive(Debug)]
pub struct Hp<W> {
    out: W,
    range: Range,
    raw: bool,
    count: u64,
    last: u64,
}

impl<W: Write> Hp<W> {
    /// Writes the samples in `range` to `out`, which should be buffered. `raw`:
    /// texts are written unchanged as far as the format allows.
    pub fn new(out: W, range: Range, raw: bool) -> Self {
        Self {
            out,
            range,
            raw,
            count: 0,
            last: 0,
        }
    }

    /// Writes the four lines at the top.
    fn head(&mut self, state: &State) -> Result<(), Error> {
        let program = state.programs().first();
        let job = match program {
            Some(program) if !program.args.is_empty() => program.args.join(" "),
            _ => "unknown".to_owned(),
        };
        let date = match program.and_then(|program| program.wall_clock) {
            Some(clock) => {
                let date = clock.at(0).to_string();
                // To the minute, as the runtime system writes it.
                date.get(..16).unwrap_or(&date).replace('T', " ")
            }
            None => "unknown".to_owned(),
        };
        writeln!(self.out, "JOB {}", quoted(&job, self.raw))?;
        writeln!(self.out, "DATE {}", quoted(&date, self.raw))?;
        writeln!(self.out, "SAMPLE_UNIT \"seconds\"")?;
        writeln!(self.out, "VALUE_UNIT \"bytes\"")?;
        Ok(())
    }

    fn sample(&mut self, state: &State, sample: &Sample) -> Result<(), Error> {
        if !self.range.contains(sample.time()) {
            return Ok(());
        }
        if self.count == 0 {
            self.head(state)?;
        }
        self.count += 1;
        // Tools expect times that do not go back.
        self.last = self.last.max(sample.time());
        let time = Seconds(self.last);
        writeln!(self.out, "BEGIN_SAMPLE {time}")?;
        // Different names may become the same identifier.
        let mut bands: BTreeMap<String, u64> = BTreeMap::new();
        for (name, bytes) in sample.named(state.definitions().symbols()) {
            let sum = bands.entry(identifier(&name, self.raw)).or_default();
            *sum = sum.saturating_add(bytes);
        }
        for (name, bytes) in bands {
            writeln!(self.out, "{name}\t{bytes}")?;
        }
        writeln!(self.out, "END_SAMPLE {time}")?;
        Ok(())
    }
}

/// The longest name and the longest string that hp2ps accepts, with a margin.
const LONGEST: usize = 4900;
/// Words that begin other kinds of lines.
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

/// A name that the tools can read: without blanks of any kind, and not a
/// number, a string or a keyword.
fn identifier(name: &str, raw: bool) -> String {
    let name = printable(name, raw).replace(" (", "(");
    let name = name.replace(|c: char| c.is_whitespace() || c.is_control(), "_");
    let odd = name.is_empty()
        || name.starts_with(|c: char| c.is_ascii_digit() || c == '"')
        || KEYWORDS.contains(&name.as_str());
    let name = if odd { format!("_{name}") } else { name };
    if name.len() <= LONGEST {
        return name;
    }
    // Two long names with the same beginning must stay different.
    let mut hash = DefaultHasher::new();
    name.hash(&mut hash);
    format!("{}...{:016x}", cut(&name), hash.finish())
}

fn quoted(text: &str, raw: bool) -> String {
    let text = printable(text, raw).replace('"', "'");
    let text = text.replace(|c: char| c.is_control(), " ");
    format!("\"{}\"", cut(&text))
}

/// The part of a text that is not too long for the tools.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl<W: Write> Exporter for Hp<W> {
    type Error = Error;
    /// The number of samples.
    type Report = u64;

    fn keep(&self) -> Keep {
        Keep {
            threads: false,
            definitions: false,
            info_tables: true,
            oddities: false,
            ..Keep::all()
        }
    }

    fn fact(&mut self, state: &State, fact: &Fact<'_>) -> Result<(), Error> {
        match fact {
            Fact::Sample(sample) => self.sample(state, sample),
            _ => Ok(()),
        }
    }

    fn finish(mut self) -> Result<u64, Error> {
        if self.count == 0 {
            return Err(Error::Nothing(What::Heap));
        }
        self.out.flush()?;
        Ok(self.count)
    }
}
