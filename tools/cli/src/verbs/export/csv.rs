//! Tables with a heading, fields separated by commas. Times are seconds of the
//! log, durations nanoseconds, sizes bytes: as the heading says.

use super::{Range, What, nothing};
use crate::analysis::bands::{Sample, Samples};
use crate::analysis::feed::Sink;
use crate::analysis::gc::{Collection, Collections};
use crate::analysis::numbers::Seconds;
use crate::analysis::spans::{Rules, Spans};
use crate::analysis::sparks::Sparks;
use crate::analysis::symbols::Symbols;
use crate::analysis::threads::{Thread, Threads};
use crate::printable::csv_field;
use anyhow::Result;
use ghc_eventlog::{Allocations, Event, EventBody, Header};
use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;

/// Writes rows as they come.
pub struct Csv<'o, W> {
    out: &'o mut W,
    what: What,
    range: Range,
    collections: Collections,
    allocations: Allocations,
    samples: Samples,
    symbols: Symbols,
    threads: Threads,
    spans: Spans,
    sparks: Sparks,
    rows: u64,
}

impl<'o, W: Write> Csv<'o, W> {
    pub fn new(out: &'o mut W, what: What, rules: Rules, range: Range) -> Result<Self> {
        let symbols = Symbols::with_info_tables();
        Ok(Self {
            out,
            what,
            range,
            collections: Collections::default(),
            allocations: Allocations::new(),
            samples: Samples::default(),
            symbols,
            threads: Threads::default(),
            spans: Spans::new(rules),
            sparks: Sparks::default(),
            rows: 0,
        })
    }

    fn row(&mut self, row: &str) -> Result<()> {
        if self.rows == 0 {
            // Where there is nothing to export, nothing is written.
            writeln!(self.out, "{}", heading(self.what))?;
        }
        self.rows += 1;
        writeln!(self.out, "{row}")?;
        Ok(())
    }

    fn gc(&mut self, of: &Collection) -> Result<()> {
        let mut row = format!(
            "{},{},{},{}",
            Seconds(of.start),
            Seconds(of.end),
            of.pause(),
            of.cap
        );
        if let Some(stats) = of.stats {
            let _ = write!(
                row,
                ",{},{},{},{},{},{},{}",
                stats.generation,
                stats.copied,
                stats.slop,
                stats.fragmentation,
                stats.par_threads,
                stats.par_max_copied,
                stats.par_tot_copied
            );
        } else {
            row.push_str(",,,,,,,");
        }
        self.row(&row)
    }

    fn memory(&mut self, event: &Event<'_>) -> Result<()> {
        let time = Seconds(event.time);
        let row = match event.body {
            EventBody::HeapAllocated { .. } => {
                self.allocations.observe(event);
                format!("{time},allocated,{}", self.allocations.total())
            }
            EventBody::HeapSize { bytes, .. } => format!("{time},size,{bytes}"),
            EventBody::HeapLive { bytes, .. } => format!("{time},live,{bytes}"),
            EventBody::BlocksSize { bytes, .. } => format!("{time},blocks,{bytes}"),
            _ => return Ok(()),
        };
        if self.range.contains(event.time) {
            self.row(&row)
        } else {
            Ok(())
        }
    }

    fn heap(&mut self, sample: &Sample) -> Result<()> {
        if !self.range.contains(sample.time) {
            return Ok(());
        }
        for (name, bytes) in sample.named(&self.symbols) {
            self.row(&format!(
                "{},{},{bytes}",
                Seconds(sample.time),
                csv_field(&name)
            ))?;
        }
        Ok(())
    }

    fn thread(&mut self, thread: &Thread) -> Result<()> {
        let first = thread.created.unwrap_or(0);
        let last = thread.finished.unwrap_or(u64::MAX);
        if self
            .range
            .clip(first, last.max(first.saturating_add(1)))
            .is_none()
        {
            return Ok(());
        }
        let moment =
            |time: Option<u64>| time.map_or(String::new(), |time| Seconds(time).to_string());
        let row = format!(
            "{},{},{},{},{},{},{},{},{},{},{}",
            thread.id,
            csv_field(thread.label.as_deref().unwrap_or_default()),
            moment(thread.created),
            moment(thread.finished),
            thread.state.name(),
            thread.running,
            thread.runnable,
            thread.blocked,
            thread.foreign,
            thread.runs,
            thread.migrations
        );
        self.row(&row)
    }

    fn end_session(&mut self) -> Result<()> {
        if let Some(sample) = self.samples.finish() {
            self.heap(&sample)?;
        }
        for (_, thread) in self.threads.finish() {
            self.thread(&thread)?;
        }
        Ok(())
    }

    pub fn finish(mut self) -> Result<()> {
        self.end_session()?;
        if self.rows == 0 {
            return Err(nothing(self.what, self.range));
        }
        Ok(())
    }
}

fn heading(what: What) -> &'static str {
    match what {
        What::Memory => "time_s,quantity,bytes",
        What::Heap => "time_s,band,bytes",
        What::Threads => {
            "thread,label,created_s,finished_s,state,running_ns,runnable_ns,blocked_ns,foreign_ns,runs,migrations"
        }
        What::Spans => "start_s,end_s,duration_ns,name,id,thread,label,running_ns,gc_ns",
        What::Sparks => "time_s,cap,created,dud,overflowed,converted,gcd,fizzled,remaining",
        What::Gc | What::Samples => {
            "start_s,end_s,pause_ns,cap,generation,copied_bytes,slop_bytes,fragmentation_bytes,\
             par_threads,par_max_copied_bytes,par_total_copied_bytes"
        }
    }
}

impl<W: Write> Sink for Csv<'_, W> {
    fn session(&mut self, header: &Arc<Header>) -> Result<()> {
        self.end_session()?;
        self.collections = Collections::new(header);
        self.allocations = Allocations::new();
        self.samples = Samples::new(header);
        self.threads = Threads::default();
        self.spans.session(header);
        Ok(())
    }

    fn event(&mut self, event: &Event<'_>, _late: bool) -> Result<()> {
        match self.what {
            What::Gc | What::Samples => {
                let step = self.collections.event(event);
                match step.and_then(|step| step.collection) {
                    Some(of) if self.range.contains(of.start) => self.gc(&of),
                    _ => Ok(()),
                }
            }
            What::Memory => self.memory(event),
            What::Heap => {
                self.symbols.event(event);
                match self.samples.event(event) {
                    Some(sample) => self.heap(&sample),
                    None => Ok(()),
                }
            }
            What::Threads => match self.threads.event(event).and_then(|change| change.gone) {
                Some(thread) => self.thread(&thread),
                None => Ok(()),
            },
            What::Spans => match self.spans.event(event) {
                Some(span) if self.range.contains(span.start) => {
                    let number =
                        |number: Option<u64>| number.map_or(String::new(), |n| n.to_string());
                    let row = format!(
                        "{},{},{},{},{},{},{},{},{}",
                        Seconds(span.start),
                        Seconds(span.end),
                        span.end - span.start,
                        csv_field(&span.name),
                        number(span.id),
                        number(span.thread.map(u64::from)),
                        csv_field(span.label.as_deref().unwrap_or_default()),
                        number(span.running),
                        number(span.gc)
                    );
                    self.row(&row)
                }
                _ => Ok(()),
            },
            What::Sparks => match (self.sparks.event(event), event.cap) {
                (Some(of), Some(cap)) if self.range.contains(event.time) => {
                    let time = Seconds(event.time);
                    let row = format!(
                        "{time},{cap},{},{},{},{},{},{},{}",
                        of.created,
                        of.dud,
                        of.overflowed,
                        of.converted,
                        of.gcd,
                        of.fizzled,
                        of.remaining
                    );
                    self.row(&row)
                }
                _ => Ok(()),
            },
        }
    }
}
