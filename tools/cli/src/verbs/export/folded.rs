//! Folded stacks: `outer;inner weight`, one line per stack.

use super::stacks::Stacks;
use super::{Range, What, nothing};
use crate::analysis::bands::{Band, Sample, Samples};
use crate::analysis::feed::Sink;
use crate::analysis::symbols::Symbols;
use crate::analysis::threads::{Change, Interval, State, Thread, Threads};
use crate::printable::printable;
use anyhow::Result;
use ghc_eventlog::{Event, EventBody, Header};
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::sync::Arc;

/// At most so many lines; threads beyond that count as one.
const MOST: usize = 1 << 16;

/// Adds up weights by stack: samples for the time profile, nanoseconds for
/// threads, bytes for the largest heap sample.
pub struct Folded {
    what: Option<What>,
    range: Range,
    symbols: Symbols,
    stacks: Stacks,
    counts: HashMap<u32, u64>,
    threads: Threads,
    /// Nanoseconds by thread and state, while the thread is alive.
    states: HashMap<u32, BTreeMap<&'static str, u64>>,
    times: BTreeMap<(String, &'static str), u64>,
    samples: Samples,
    largest: Option<Sample>,
}

impl Folded {
    pub fn new(what: Option<What>, range: Range) -> Self {
        let symbols = Symbols::with_info_tables();
        Self {
            what,
            range,
            symbols,
            stacks: Stacks::default(),
            counts: HashMap::new(),
            threads: Threads::default(),
            states: HashMap::new(),
            times: BTreeMap::new(),
            samples: Samples::default(),
            largest: None,
        }
    }

    fn interval(&mut self, interval: Interval) {
        let Some((from, to)) = self.range.clip(interval.from, interval.to) else {
            return;
        };
        if interval.state != State::Finished {
            let states = self.states.entry(interval.thread).or_default();
            *states.entry(interval.state.name()).or_default() += to - from;
        }
    }

    /// A thread is over: its times go where those of its name are.
    fn over(&mut self, thread: &Thread) {
        let name = match &thread.label {
            Some(label) => label.clone(),
            None => format!("thread {}", thread.id),
        };
        for (state, time) in self.states.remove(&thread.id).unwrap_or_default() {
            let full = self.times.len() >= MOST;
            let name = if full {
                "(others)".to_owned()
            } else {
                name.clone()
            };
            *self.times.entry((name, state)).or_default() += time;
        }
    }

    fn sample(&mut self, sample: Sample) {
        let larger = self
            .largest
            .as_ref()
            .is_none_or(|largest| sample.total() > largest.total());
        if larger && self.range.contains(sample.time) {
            self.largest = Some(sample);
        }
    }

    /// A stack, outermost first. The runtime system leaves out the one that is
    /// around all others.
    fn line(&self, stack: &[u32]) -> String {
        if stack.is_empty() {
            return "MAIN".to_owned();
        }
        let names: Vec<String> = stack
            .iter()
            .rev()
            .map(|&id| frame(&self.symbols.name(id)))
            .collect();
        names.join(";")
    }

    fn end_session(&mut self) {
        for (interval, thread) in self.threads.finish() {
            self.interval(interval);
            self.over(&thread);
        }
        if let Some(sample) = self.samples.finish() {
            self.sample(sample);
        }
    }

    pub fn finish(mut self, out: &mut impl Write) -> Result<()> {
        self.end_session();
        let what = self
            .what
            .unwrap_or(match (self.counts.is_empty(), self.times.is_empty()) {
                (true, false) => What::Threads,
                _ => What::Samples,
            });
        let mut lines: BTreeMap<String, u64> = BTreeMap::new();
        match what {
            What::Samples => {
                for (&stack, &count) in &self.counts {
                    *lines.entry(self.line(self.stacks.get(stack))).or_default() += count;
                }
            }
            What::Heap => {
                for (band, &bytes) in self.largest.iter().flat_map(|sample| &sample.bands) {
                    let name = match band {
                        Band::Stack(stack) => self.line(stack),
                        band => frame(&band.name(&self.symbols)),
                    };
                    *lines.entry(name).or_default() += bytes;
                }
            }
            _ => {
                for ((thread, state), time) in &self.times {
                    *lines
                        .entry(format!("{};{state}", frame(thread)))
                        .or_default() += time;
                }
            }
        }
        if lines.is_empty() {
            return Err(nothing(what, self.range));
        }
        for (stack, weight) in lines.iter().filter(|(_, weight)| **weight > 0) {
            writeln!(out, "{stack} {weight}")?;
        }
        Ok(())
    }
}

/// A frame must not look like the end of one, whatever `--raw` says.
fn frame(name: &str) -> String {
    let name = printable(name).replace(';', ":");
    name.replace(['\n', '\r'], " ")
}

impl Sink for Folded {
    fn session(&mut self, header: &Arc<Header>) -> Result<()> {
        self.end_session();
        self.threads = Threads::default();
        self.samples = Samples::new(header);
        Ok(())
    }

    fn event(&mut self, event: &Event<'_>, _late: bool) -> Result<()> {
        match event.body {
            EventBody::ProfSampleCostCentre { stack, .. } => {
                if self.range.contains(event.time) {
                    let stack = self.stacks.intern(stack);
                    *self.counts.entry(stack).or_default() += 1;
                }
            }
            EventBody::HeapProfCostCentre { .. } | EventBody::Ipe { .. } => {
                self.symbols.event(event)
            }
            _ if self.what == Some(What::Heap) => {
                if let Some(sample) = self.samples.event(event) {
                    self.sample(sample);
                }
            }
            _ => {
                if let Some(Change { ended, gone }) = self.threads.event(event) {
                    if let Some(interval) = ended {
                        self.interval(interval);
                    }
                    if let Some(thread) = gone {
                        self.over(&thread);
                    }
                }
            }
        }
        Ok(())
    }
}
