//! The format of speedscope.app: samples of the time profiler, one profile
//! per capability, or spans, one profile per thread.

use crate::exporter::{Error, Exporter, Range, What};
use crate::stacks::Stacks;
use crate::text::to_json;
use eventlog_state::{Fact, Keep, Span, State, Symbols};
use ghc_eventlog::{Event, EventBody};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

/// The largest number of spans that are kept.
const MOST_SPANS: usize = 1 << 22;

/// Collects all data, because the format needs one profile after the other:
/// four bytes per sample.
#[derive(Debug)]
pub struct Speedscope<W> {
    out: W,
    collected: Collected,
}

#[derive(Debug)]
struct Collected {
    what: Option<What>,
    range: Range,
    raw: bool,
    /// The name of the profile: the program's, if it is in the log.
    name: String,
    stacks: Stacks,
    /// The cost centres in the stacks.
    frames: HashMap<u32, serde_json::Value>,
    /// Nanoseconds between samples.
    period: u64,
    samples: BTreeMap<u32, Vec<u32>>,
    threads: BTreeMap<Option<u32>, (Option<String>, Vec<Span>)>,
    span_count: usize,
}

impl<W: Write> Speedscope<W> {
    /// Writes the time profile or the spans in `range` to `out`, which should
    /// be buffered; without `what`, the first of these that exists. `name` is
    /// the name of the profile if the log does not name its program. `raw`:
    /// texts are written unchanged.
    pub fn new(out: W, what: Option<What>, range: Range, name: String, raw: bool) -> Self {
        let collected = Collected {
            what,
            range,
            raw,
            name,
            stacks: Stacks::default(),
            frames: HashMap::new(),
            period: 10_000_000,
            samples: BTreeMap::new(),
            threads: BTreeMap::new(),
            span_count: 0,
        };
        Self { out, collected }
    }
}

impl Collected {
    fn write(&self, out: &mut impl Write) -> Result<(), Error> {
        let samples = match self.what {
            Some(What::Samples) => true,
            Some(_) => false,
            None => !self.samples.is_empty() || self.threads.is_empty(),
        };
        if samples && self.samples.is_empty() {
            return Err(Error::Nothing(What::Samples));
        }
        if !samples && self.threads.is_empty() {
            return Err(Error::Nothing(What::Spans));
        }
        write!(
            out,
            "{{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\","
        )?;
        write!(
            out,
            "\"exporter\":\"eventlog {}\",",
            env!("CARGO_PKG_VERSION")
        )?;
        write!(
            out,
            "\"name\":{},\"activeProfileIndex\":0,\"profiles\":[",
            self.json(&self.name)
        )?;
        let frames = if samples {
            self.sampled(out)?
        } else {
            self.evented(out)?
        };
        write!(out, "],\"shared\":{{\"frames\":[")?;
        for (at, frame) in frames.iter().enumerate() {
            write!(out, "{}{}", if at > 0 { "," } else { "" }, self.json(frame))?;
        }
        writeln!(out, "]}}}}")?;
        out.flush()?;
        Ok(())
    }

    fn json<T: serde::Serialize + ?Sized>(&self, value: &T) -> String {
        to_json(value, self.raw)
    }

    /// Finds the names of the cost centres that one log refers to by number.
    fn name(&mut self, symbols: &Symbols) {
        for id in self.stacks.ids() {
            if let Some(centre) = symbols.cost_centre(id) {
                let frame = json!({ "name": centre.name(), "file": centre.location });
                self.frames.insert(id, frame);
            }
        }
    }

    /// Writes the profiles of samples; returns the frames.
    fn sampled(&self, out: &mut impl Write) -> io::Result<Vec<serde_json::Value>> {
        let mut numbers: HashMap<u32, usize> = HashMap::new();
        let mut frames = Vec::new();
        for (at, (cap, samples)) in self.samples.iter().enumerate() {
            let end = samples.len() as u64 * self.period;
            write!(
                out,
                "{}{{\"type\":\"sampled\",\"name\":\"capability {cap}\",\"unit\":\"nanoseconds\",\
                 \"startValue\":0,\"endValue\":{end},\"samples\":[",
                if at > 0 { "," } else { "" }
            )?;
            for (at, &stack) in samples.iter().enumerate() {
                write!(out, "{}[", if at > 0 { "," } else { "" })?;
                for (at, &id) in self.stacks.get(stack).iter().rev().enumerate() {
                    let frame = *numbers.entry(id).or_insert_with(|| {
                        frames.push(self.frame(id));
                        frames.len() - 1
                    });
                    write!(out, "{}{frame}", if at > 0 { "," } else { "" })?;
                }
                write!(out, "]")?;
            }
            write!(out, "],\"weights\":[")?;
            for at in 0..samples.len() {
                write!(out, "{}{}", if at > 0 { "," } else { "" }, self.period)?;
            }
            write!(out, "]}}")?;
        }
        Ok(frames)
    }

    fn frame(&self, id: u32) -> serde_json::Value {
        let known = self.frames.get(&id).cloned();
        known.unwrap_or_else(|| json!({ "name": format!("cost centre {id}") }))
    }

    /// Writes the profiles of spans; returns the frames.
    fn evented(&self, out: &mut impl Write) -> io::Result<Vec<serde_json::Value>> {
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut frames = Vec::new();
        for (at, (thread, (label, spans))) in self.threads.iter().enumerate() {
            let name = match (thread, label) {
                (Some(thread), Some(label)) => format!("{label} (thread {thread})"),
                (Some(thread), None) => format!("thread {thread}"),
                (None, _) => "no thread".to_owned(),
            };
            let start = spans.iter().map(|span| span.start).min().unwrap_or(0);
            let end = spans.iter().map(|span| span.end).max().unwrap_or(0);
            write!(
                out,
                "{}{{\"type\":\"evented\",\"name\":{},\"unit\":\"nanoseconds\",\
                 \"startValue\":{start},\"endValue\":{end},\"events\":[",
                if at > 0 { "," } else { "" },
                self.json(&name)
            )?;
            let mut first = true;
            for (open, time, name) in nested(spans) {
                let frame = *numbers.entry(name).or_insert_with(|| {
                    frames.push(json!({ "name": name }));
                    frames.len() - 1
                });
                let kind = if open { 'O' } else { 'C' };
                let comma = if std::mem::take(&mut first) { "" } else { "," };
                write!(
                    out,
                    "{comma}{{\"type\":\"{kind}\",\"frame\":{frame},\"at\":{time}}}"
                )?;
            }
            write!(out, "]}}")?;
        }
        Ok(frames)
    }
}

/// Beginnings and ends of spans, strictly nested as the format requires: a span
/// that outlasts the one around it is closed with it.
fn nested(spans: &[Span]) -> Vec<(bool, u64, &str)> {
    let mut order: Vec<&Span> = spans.iter().collect();
    order.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    let mut events = Vec::new();
    let mut open: Vec<(u64, &str)> = Vec::new();
    for span in order {
        while let Some((end, name)) = open.pop_if(|(end, _)| *end <= span.start) {
            events.push((false, end, name));
        }
        let end = open.last().map_or(span.end, |(end, _)| span.end.min(*end));
        events.push((true, span.start, &*span.name));
        open.push((end, &*span.name));
    }
    while let Some((end, name)) = open.pop() {
        events.push((false, end, name));
    }
    events
}

impl<W: Write> Exporter for Speedscope<W> {
    type Error = Error;
    /// The number of samples or spans.
    type Report = u64;

    fn keep(&self) -> Keep {
        Keep {
            threads: self.collected.what != Some(What::Samples),
            definitions: false,
            info_tables: false,
            oddities: false,
            ..Keep::all()
        }
    }

    fn event(&mut self, _state: &State, event: &Event<'_>) -> Result<(), Error> {
        let to = &mut self.collected;
        match event.body {
            EventBody::ProfSampleCostCentre {
                sampled_cap, stack, ..
            } if to.range.contains(event.time) => {
                let stack = to.stacks.intern(stack);
                to.samples.entry(sampled_cap).or_default().push(stack);
            }
            EventBody::ProfBegin { tick_interval } if tick_interval > 0 => {
                to.period = tick_interval;
            }
            _ => {}
        }
        Ok(())
    }

    fn fact(&mut self, _state: &State, fact: &Fact<'_>) -> Result<(), Error> {
        let to = &mut self.collected;
        if let Fact::Span(span) = *fact
            && let Some((start, end)) = to.range.clip(span.start, span.end)
            && to.span_count < MOST_SPANS
        {
            to.span_count += 1;
            let label = span.label.clone();
            let thread = to.threads.entry(span.thread).or_default();
            thread.0 = label.or(thread.0.take());
            thread.1.push(Span {
                start,
                end,
                label: None,
                ..span.clone()
            });
        }
        Ok(())
    }

    fn end(&mut self, state: &State) -> Result<(), Error> {
        self.collected.name(state.definitions().symbols());
        if let Some(name) = state.programs().first().and_then(|program| program.name()) {
            name.clone_into(&mut self.collected.name);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<u64, Error> {
        let Collected {
            samples,
            span_count,
            ..
        } = &self.collected;
        let samples: usize = samples.values().map(Vec::len).sum();
        let count = if samples > 0 { samples } else { *span_count };
        self.collected.write(&mut self.out)?;
        Ok(count as u64)
    }
}
