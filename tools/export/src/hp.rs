//! The text form of heap profiles, as the runtime system writes it itself.

use crate::exporter::{Error, Exporter, Range, What};
use crate::seconds::Seconds;
use crate::text::printable;
use eventlog_state::{Fact, Keep, Sample, State};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;

/// Writes samples as they come.
#[derive(Debug)]
pub struct Hp<W> {
    out: W,
    range: Range,
    raw: bool,
    count: u64,
    last: u64,
}

impl<W: Write> Hp<W> {
    /// Writes to `out`, which should be buffered, the samples in `range`. `raw`:
    /// what the format allows of texts is written as it is.
    pub fn new(out: W, range: Range, raw: bool) -> Self {
        Self {
            out,
            range,
            raw,
            count: 0,
            last: 0,
        }
    }

    /// The four lines at the top.
    fn head(&mut self, state: &State) -> Result<(), Error> {
        let program = state.programs().first();
        let job = match program {
            Some(program) if !program.args.is_empty() => program.args.join(" "),
            _ => "unknown".to_owned(),
        };
        let date = match program.and_then(|program| program.wall_clock) {
            Some(clock) => {
                let date = clock.at(0).to_string();
                // To the minute, as the runtime system has it.
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
        // Tools want times that do not go back.
        self.last = self.last.max(sample.time());
        let time = Seconds(self.last);
        writeln!(self.out, "BEGIN_SAMPLE {time}")?;
        // Names that were different may be the same as identifiers.
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
    // Two long names that begin in the same way are still two.
    let mut hash = DefaultHasher::new();
    name.hash(&mut hash);
    format!("{}...{:016x}", cut(&name), hash.finish())
}

fn quoted(text: &str, raw: bool) -> String {
    let text = printable(text, raw).replace('"', "'");
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

impl<W: Write> Exporter for Hp<W> {
    type Error = Error;
    /// How many samples there are.
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
