//! Metrics on standard output.

use super::{Format, Naming};
use crate::output::Out;
use crate::printable;
use anyhow::Result;
use eventlog_metrics::encode::otlp::{self, Deltas, Histograms};
use eventlog_metrics::encode::text::{self, Text};
use eventlog_metrics::encode::{Target, json};
use eventlog_metrics::{Collected, Output};
use std::borrow::Cow;
use std::io::Write;

/// Prints them as they arrive.
pub struct Printer {
    format: Format,
    naming: Naming,
}

impl Printer {
    pub fn new(format: Format, naming: Naming) -> Self {
        Self { format, naming }
    }

    /// Prints the output of one program, already under its final names.
    pub fn print(&mut self, told: &Output, out: &mut Out) -> Result<()> {
        match told {
            Output::Metrics(collected) => self.write(std::slice::from_ref(collected), out),
            Output::Records(batch) if self.format == Format::OtlpJson => {
                if let Some(logs) = otlp::logs(batch) {
                    printable::write_json(&mut *out, &logs)?;
                    writeln!(out)?;
                }
                if let Some(spans) = otlp::traces(batch) {
                    printable::write_json(&mut *out, &spans)?;
                    writeln!(out)?;
                }
                Ok(())
            }
            Output::Records(_) => Ok(()),
        }
    }

    /// Prints the metrics of several programs.
    pub fn print_all(&mut self, all: &[Collected], out: &mut Out) -> Result<()> {
        match &self.naming.eventlog_live {
            None => self.write(all, out),
            Some(names) => {
                let renamed: Vec<Collected> = all.iter().map(|it| names.metrics(it)).collect();
                self.write(&renamed, out)
            }
        }
    }

    fn write(&mut self, all: &[Collected], out: &mut Out) -> Result<()> {
        let text = match self.format {
            Format::Prometheus => Text::Prometheus,
            Format::Openmetrics => Text::OpenMetrics,
            Format::Json => {
                for collected in all {
                    printable::write_json(&mut *out, &json::encode(collected))?;
                    writeln!(out)?;
                }
                return Ok(());
            }
            Format::OtlpJson => {
                for collected in all {
                    let mut deltas = Deltas::default();
                    let request = otlp::metrics(collected, Histograms::default(), &mut deltas);
                    printable::write_json(&mut *out, &request)?;
                    writeln!(out)?;
                }
                return Ok(());
            }
        };
        if all.is_empty() {
            return Ok(());
        }
        let targets = all.iter().map(|collected| Target {
            collected,
            labelled: true,
        });
        let encoded = text::encode(&targets.collect::<Vec<_>>(), text);
        for line in encoded.lines() {
            writeln!(out, "{}", shown(line))?;
        }
        Ok(())
    }
}

/// A line that can be printed safely, and that the format allows: a control character is written as
/// `\\u{1b}`, with the backslash escaped.
fn shown(line: &str) -> Cow<'_, str> {
    if printable::printable(line) == line {
        return Cow::Borrowed(line);
    }
    let mut shown = String::with_capacity(line.len() + 16);
    for c in line.chars() {
        let mut buffer = [0; 4];
        let own = &*c.encode_utf8(&mut buffer);
        let safe = printable::printable(own);
        if safe != own {
            shown.push('\\');
        }
        shown.push_str(&safe);
    }
    Cow::Owned(shown)
}
