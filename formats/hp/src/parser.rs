//! The parser: from bytes to samples.

use crate::error::{Error, ErrorKind};
use crate::header::{Header, count_quotes, unquoted};
use crate::sample::Sample;
use crate::time::nanoseconds;

/// Limits on the memory that a file can make the parser use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a line, and of text that goes on over several.
    pub line: usize,
    /// Bands of a sample.
    pub bands: usize,
    /// Bytes of all labels of a sample.
    pub text: usize,
}

impl Default for Limits {
    /// 1 MiB, a million, 64 MiB.
    fn default() -> Self {
        Self {
            line: 1 << 20,
            bands: 1_000_000,
            text: 64 << 20,
        }
    }
}

/// What the parser finds in a file.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Item<'a> {
    /// A sample that is complete.
    Sample(&'a Sample),
    /// Something was marked at this time, in nanoseconds.
    Mark(u64),
}

/// Takes the bytes of a file, in pieces of any size.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    limits: Limits,
    /// The line that has not arrived completely.
    line: Vec<u8>,
    /// If its text goes on after a line break: the number of quotes so far.
    quotes: Option<usize>,
    /// Number of lines that have arrived completely.
    lines: u64,
    header: Header,
    /// The sample that is open, or the memory of the last one.
    sample: Sample,
    is_open: bool,
    failed: Option<Error>,
}

impl Parser {
    /// A parser with other limits than the default.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Takes the next bytes, and calls `each` with what they complete.
    ///
    /// # Errors
    ///
    /// A line cannot be in a heap profile. Everything before it has been passed to `each`, and
    /// nothing after it will be.
    pub fn push(&mut self, mut bytes: &[u8], each: &mut impl FnMut(Item<'_>)) -> Result<(), Error> {
        while self.failed.is_none() && !bytes.is_empty() {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (more, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            bytes = rest.get(1..).unwrap_or_default();
            if self.line.len() + more.len() > self.limits.line {
                self.fail(ErrorKind::TooLong);
                break;
            }
            // In most cases the line is complete.
            if end.is_some() && self.line.is_empty() {
                self.take(more, each);
                continue;
            }
            self.line.extend_from_slice(more);
            if let Some(quotes) = &mut self.quotes {
                *quotes += count_quotes(more);
            }
            match (end, self.quotes) {
                (None, _) => break,
                (Some(_), Some(quotes)) if quotes % 2 == 1 => {
                    self.line.push(b'\n');
                    self.lines += 1;
                }
                (Some(_), _) => {
                    self.quotes = None;
                    let mut line = std::mem::take(&mut self.line);
                    self.take(&line, each);
                    // Its memory is reused, unless more of the line has to follow.
                    if self.line.is_empty() {
                        line.clear();
                        self.line = line;
                    }
                }
            }
        }
        self.failed.map_or(Ok(()), Err)
    }

    /// The contents of the first lines.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The part that has arrived of a sample that has begun and not ended.
    pub fn open(&self) -> Option<&Sample> {
        self.is_open.then_some(&self.sample)
    }

    /// Whether a file that ends here is complete: between two lines, and not inside a sample. The
    /// file of a program that was killed can end anywhere.
    pub fn is_between(&self) -> bool {
        self.line.is_empty() && !self.is_open
    }

    fn fail(&mut self, kind: ErrorKind) {
        let line = self.lines + 1;
        self.failed = Some(Error { line, kind });
        // The line is not needed any more.
        self.line = Vec::new();
    }

    /// Takes a line.
    fn take(&mut self, line: &[u8], each: &mut impl FnMut(Item<'_>)) {
        match self.read(line, each) {
            Ok(true) => self.lines += 1,
            Ok(false) => {
                self.line = line.to_vec();
                self.line.push(b'\n');
                self.quotes = Some(count_quotes(line));
                self.lines += 1;
            }
            Err(kind) => self.fail(kind),
        }
    }

    /// Returns whether the line is complete: text can contain a line break.
    fn read(&mut self, line: &[u8], each: &mut impl FnMut(Item<'_>)) -> Result<bool, ErrorKind> {
        let (word, rest) = match line.iter().position(|byte| *byte == b' ') {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &[][..]),
        };
        let time = || nanoseconds(rest.trim_ascii_end()).ok_or(ErrorKind::BadTime);
        match word {
            b"BEGIN_SAMPLE" if self.is_open => return Err(ErrorKind::BeginsWithin),
            b"BEGIN_SAMPLE" => {
                self.sample.begin(time()?);
                self.is_open = true;
            }
            b"END_SAMPLE" => {
                if !self.is_open || self.sample.time() != time()? {
                    return Err(ErrorKind::EndsOther);
                }
                self.is_open = false;
                each(Item::Sample(&self.sample));
            }
            b"MARK" => each(Item::Mark(time()?)),
            _ if self.is_open => self.band(line)?,
            b"JOB" | b"DATE" | b"SAMPLE_UNIT" | b"VALUE_UNIT" => {
                let rest = rest.strip_suffix(b"\r").unwrap_or(rest);
                if rest.starts_with(b"\"") && count_quotes(rest) % 2 == 1 {
                    return Ok(false);
                }
                let text = unquoted(rest).ok_or(ErrorKind::BadString)?;
                match word {
                    b"JOB" => self.header.job = text,
                    b"DATE" => self.header.date = text,
                    b"SAMPLE_UNIT" => self.header.sample_unit = text,
                    _ => self.header.value_unit = text,
                }
            }
            _ if self.lines > 0 && line.trim_ascii().is_empty() => {}
            _ => return Err(ErrorKind::Unknown),
        }
        Ok(true)
    }

    /// A label and its value, with a tab between them. A label may have tabs and blanks in it.
    fn band(&mut self, line: &[u8]) -> Result<(), ErrorKind> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let at = line.iter().rposition(|byte| matches!(byte, b'\t' | b' '));
        let at = at.ok_or(ErrorKind::BadValue)?;
        let value = std::str::from_utf8(&line[at + 1..]).ok();
        let value = value.filter(|value| !value.starts_with('+'));
        let value = value.and_then(|value| value.parse().ok());
        let value = value.ok_or(ErrorKind::BadValue)?;
        let label = &line[..at];
        // Each byte that is not UTF-8 takes three.
        let text = self.sample.text() + 3 * label.len();
        if self.sample.len() >= self.limits.bands || text > self.limits.text {
            return Err(ErrorKind::TooMuch);
        }
        self.sample.push(label, value);
        Ok(())
    }
}
