//! Folded stacks: `outer;inner weight`, one line per stack.

use crate::exporter::{Error, Exporter, Range, What};
use crate::stacks::Stacks;
use crate::text::printable;
use eventlog_state::{
    Band, Fact, Keep, Sample, State, Symbols, Thread, ThreadInterval, ThreadState,
};
use ghc_eventlog::{Event, EventBody};
use std::collections::{BTreeMap, HashMap};
use std::io::Write;

/// The largest number of lines; threads beyond that are counted as one.
const MOST: usize = 1 << 16;

/// Adds up weights by stack: samples for the time profile, nanoseconds for
/// threads, bytes for the largest heap sample.
#[derive(Debug)]
pub struct Folded<W> {
    out: W,
    what: Option<What>,
    range: Range,
    raw: bool,
    stacks: Stacks,
    counts: HashMap<u32, u64>,
    /// Nanoseconds by thread and state, while the thread is alive.
    states: HashMap<u32, BTreeMap<&'static str, u64>>,
    times: BTreeMap<(String, &'static str), u64>,
    largest: Option<(u64, Sample)>,
    samples: BTreeMap<String, u64>,
    heap: (u64, BTreeMap<String, u64>),
}

impl<W: Write> Folded<W> {
    /// Writes to `out`, which should be buffered: the time profile, the heap profile, or the states
    /// of threads; without `what`, the time profile or else the states of threads, whichever exists
    /// first. `raw`: texts are written unchanged as far as the format allows.
    pub fn new(out: W, what: Option<What>, range: Range, raw: bool) -> Self {
        Self {
            out,
            what,
            range,
            raw,
            stacks: Stacks::default(),
            counts: HashMap::new(),
            states: HashMap::new(),
            times: BTreeMap::new(),
            largest: None,
            samples: BTreeMap::new(),
            heap: (0, BTreeMap::new()),
        }
    }

    fn interval(&mut self, interval: &ThreadInterval) {
        let Some((from, to)) = self.range.clip(interval.from, interval.to) else {
            return;
        };
        if interval.state != ThreadState::Finished {
            let states = self.states.entry(interval.thread).or_default();
            *states.entry(interval.state.name()).or_default() += to - from;
        }
    }

    /// A thread has ended: its times are added to those of its name.
    fn over(&mut self, id: u32, thread: &Thread) {
        let name = match thread.label() {
            Some(label) => label.to_owned(),
            None => format!("thread {id}"),
        };
        for (state, time) in self.states.remove(&id).unwrap_or_default() {
            let full = self.times.len() >= MOST;
            let name = if full {
                "(others)".to_owned()
            } else {
                name.clone()
            };
            *self.times.entry((name, state)).or_default() += time;
        }
    }

    fn sample(&mut self, sample: &Sample) {
        let total = sample.total();
        let larger = self.largest.as_ref().is_none_or(|(most, _)| total > *most);
        if larger && self.range.contains(sample.time()) {
            self.largest = Some((total, sample.clone()));
        }
    }

    /// A stack, outermost first. The runtime system leaves out the outermost cost centre.
    fn line(&self, symbols: &Symbols, stack: impl Iterator<Item = u32>) -> String {
        let mut names: Vec<String> = stack.map(|id| frame(&symbols.name(id), self.raw)).collect();
        if names.is_empty() {
            return "MAIN".to_owned();
        }
        names.reverse();
        names.join(";")
    }

    /// Replaces the numbers used in one log by names.
    fn name(&mut self, symbols: &Symbols) {
        let mut samples = std::mem::take(&mut self.samples);
        for (stack, count) in std::mem::take(&mut self.counts) {
            let line = self.line(symbols, self.stacks.get(stack).iter().copied());
            *samples.entry(line).or_default() += count;
        }
        self.samples = samples;
        self.stacks = Stacks::default();
        let Some((total, sample)) = self.largest.take() else {
            return;
        };
        if total <= self.heap.0 {
            return;
        }
        let mut bands: BTreeMap<String, u64> = BTreeMap::new();
        for (band, bytes) in sample.bands() {
            let name = match band {
                Band::Stack(frames) => self.line(symbols, frames.iter()),
                band => frame(&band.name(symbols), self.raw),
            };
            let sum = bands.entry(name).or_default();
            *sum = sum.saturating_add(bytes);
        }
        self.heap = (total, bands);
    }
}

/// The name of a frame, without characters that would end it, even with `--raw`.
fn frame(name: &str, raw: bool) -> String {
    let name = printable(name, raw).replace(';', ":");
    name.replace(['\n', '\r'], " ")
}

impl<W: Write> Exporter for Folded<W> {
    type Error = Error;
    /// The number of lines.
    type Report = u64;

    fn keep(&self) -> Keep {
        Keep {
            threads: matches!(self.what, None | Some(What::Threads)),
            definitions: false,
            info_tables: self.what == Some(What::Heap),
            oddities: false,
            ..Keep::all()
        }
    }

    fn event(&mut self, _state: &State, event: &Event<'_>) -> Result<(), Error> {
        if let EventBody::ProfSampleCostCentre { stack, .. } = event.body
            && self.range.contains(event.time)
        {
            let stack = self.stacks.intern(stack);
            *self.counts.entry(stack).or_default() += 1;
        }
        Ok(())
    }

    fn fact(&mut self, _state: &State, fact: &Fact<'_>) -> Result<(), Error> {
        match fact {
            Fact::Thread(interval) => self.interval(interval),
            Fact::Gone { id, thread } => self.over(*id, thread),
            Fact::Sample(sample) if self.what == Some(What::Heap) => self.sample(sample),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, state: &State) -> Result<(), Error> {
        self.name(state.definitions().symbols());
        Ok(())
    }

    fn finish(mut self) -> Result<u64, Error> {
        let what = self
            .what
            .unwrap_or(match (self.samples.is_empty(), self.times.is_empty()) {
                (true, false) => What::Threads,
                _ => What::Samples,
            });
        let lines = match what {
            What::Samples => self.samples,
            What::Heap => self.heap.1,
            _ => {
                let mut lines: BTreeMap<String, u64> = BTreeMap::new();
                for ((thread, state), time) in &self.times {
                    *lines
                        .entry(format!("{};{state}", frame(thread, self.raw)))
                        .or_default() += time;
                }
                lines
            }
        };
        if lines.is_empty() {
            return Err(Error::Nothing(what));
        }
        let mut written = 0;
        for (stack, weight) in lines.iter().filter(|(_, weight)| **weight > 0) {
            writeln!(self.out, "{stack} {weight}")?;
            written += 1;
        }
        self.out.flush()?;
        Ok(written)
    }
}
