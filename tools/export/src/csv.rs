//! Tables with a heading, fields separated by commas. Times are seconds of the
//! log, durations nanoseconds, sizes bytes, as given in the heading.

use crate::exporter::{Error, Exporter, Range, What};
use crate::seconds::Seconds;
use crate::text::csv_field;
use eventlog_state::{
    Collection, Fact, HeapKind, HeapValue, Keep, Sample, Span, State, Thread, ThreadState,
};
use ghc_eventlog::{Event, EventBody};
use std::fmt::Write as _;
use std::io::Write;

/// Writes rows as things happen.
#[derive(Debug)]
pub struct Csv<W> {
    out: W,
    what: What,
    range: Range,
    raw: bool,
    rows: u64,
}

impl<W: Write> Csv<W> {
    /// Writes one table to `out`, which should be buffered: of collections,
    /// sizes of the heap, the heap profile, threads, spans or sparks. `raw`:
    /// texts are written unchanged.
    pub fn new(out: W, what: What, range: Range, raw: bool) -> Self {
        Self {
            out,
            what,
            range,
            raw,
            rows: 0,
        }
    }

    fn row(&mut self, row: &str) -> Result<(), Error> {
        if self.rows == 0 {
            // If there is nothing to export, not even the heading is written.
            writeln!(self.out, "{}", heading(self.what))?;
        }
        self.rows += 1;
        writeln!(self.out, "{row}")?;
        Ok(())
    }

    fn gc(&mut self, of: &Collection) -> Result<(), Error> {
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

    fn memory(&mut self, state: &State, value: &HeapValue) -> Result<(), Error> {
        if !self.range.contains(value.time) {
            return Ok(());
        }
        let (quantity, bytes) = match value.kind {
            HeapKind::Allocated => {
                let caps = state.caps().filter_map(|(_, cap)| cap.allocated());
                ("allocated", caps.sum())
            }
            HeapKind::Size => ("size", value.bytes),
            HeapKind::Live => ("live", value.bytes),
            HeapKind::Blocks => ("blocks", value.bytes),
        };
        self.row(&format!("{},{quantity},{bytes}", Seconds(value.time)))
    }

    fn heap(&mut self, state: &State, sample: &Sample) -> Result<(), Error> {
        if !self.range.contains(sample.time()) {
            return Ok(());
        }
        for (name, bytes) in sample.named(state.definitions().symbols()) {
            self.row(&format!(
                "{},{},{bytes}",
                Seconds(sample.time()),
                csv_field(&name, self.raw)
            ))?;
        }
        Ok(())
    }

    fn thread(&mut self, id: u32, thread: &Thread) -> Result<(), Error> {
        let finished = (thread.state() == ThreadState::Finished).then(|| thread.since());
        let first = thread.created().unwrap_or(0);
        let last = finished.unwrap_or(u64::MAX);
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
            id,
            csv_field(thread.label().unwrap_or_default(), self.raw),
            moment(thread.created()),
            moment(finished),
            thread.state().name(),
            thread.running(),
            thread.runnable(),
            thread.blocked(),
            thread.foreign(),
            thread.runs(),
            thread.migrations()
        );
        self.row(&row)
    }

    fn span(&mut self, span: &Span) -> Result<(), Error> {
        if !self.range.contains(span.start) {
            return Ok(());
        }
        let number = |number: Option<u64>| number.map_or(String::new(), |n| n.to_string());
        let row = format!(
            "{},{},{},{},{},{},{},{},{}",
            Seconds(span.start),
            Seconds(span.end),
            span.end - span.start,
            csv_field(&span.name, self.raw),
            number(span.id),
            number(span.thread.map(u64::from)),
            csv_field(span.label.as_deref().unwrap_or_default(), self.raw),
            number(span.running),
            number(span.paused)
        );
        self.row(&row)
    }

    fn sparks(&mut self, event: &Event<'_>) -> Result<(), Error> {
        let EventBody::SparkCounters {
            created,
            dud,
            overflowed,
            converted,
            gcd,
            fizzled,
            remaining,
        } = event.body
        else {
            return Ok(());
        };
        let Some(cap) = event.cap.filter(|_| self.range.contains(event.time)) else {
            return Ok(());
        };
        self.row(&format!(
            "{},{cap},{created},{dud},{overflowed},{converted},{gcd},{fizzled},{remaining}",
            Seconds(event.time)
        ))
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

impl<W: Write> Exporter for Csv<W> {
    type Error = Error;
    /// The number of rows.
    type Report = u64;

    fn keep(&self) -> Keep {
        Keep {
            threads: matches!(self.what, What::Threads | What::Spans),
            definitions: false,
            info_tables: self.what == What::Heap,
            oddities: false,
            ..Keep::all()
        }
    }

    fn event(&mut self, _state: &State, event: &Event<'_>) -> Result<(), Error> {
        match self.what {
            What::Sparks => self.sparks(event),
            _ => Ok(()),
        }
    }

    fn fact(&mut self, state: &State, fact: &Fact<'_>) -> Result<(), Error> {
        match (self.what, fact) {
            (What::Gc | What::Samples, Fact::Collection(of)) if self.range.contains(of.start) => {
                self.gc(of)
            }
            (What::Memory, Fact::Heap(value)) => self.memory(state, value),
            (What::Heap, Fact::Sample(sample)) => self.heap(state, sample),
            (What::Threads, Fact::Gone { id, thread }) => self.thread(*id, thread),
            (What::Spans, Fact::Span(span)) => self.span(span),
            _ => Ok(()),
        }
    }

    fn finish(mut self) -> Result<u64, Error> {
        if self.rows == 0 {
            return Err(Error::Nothing(self.what));
        }
        self.out.flush()?;
        Ok(self.rows)
    }
}
