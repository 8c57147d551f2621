//! The format of speedscope.app: samples of the time profiler, one profile
//! per capability, or spans, one profile per thread.

use super::stacks::Stacks;
use super::{Range, What, nothing};
use crate::analysis::feed::Sink;
use crate::analysis::identity::Identity;
use crate::analysis::spans::{Rules, Span, Spans};
use crate::analysis::symbols::Symbols;
use crate::printable::to_json;
use anyhow::Result;
use ghc_eventlog::{Event, EventBody, Header};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::sync::Arc;

/// At most so many spans are kept.
const MOST_SPANS: usize = 1 << 22;

/// Collects, because the format wants one profile after the other: four bytes
/// per sample.
pub struct Speedscope {
    what: Option<What>,
    range: Range,
    source: String,
    identity: Identity,
    symbols: Symbols,
    stacks: Stacks,
    /// Nanoseconds between samples.
    period: u64,
    samples: BTreeMap<u32, Vec<u32>>,
    spans: Spans,
    threads: BTreeMap<Option<u32>, (Option<String>, Vec<Span>)>,
    span_count: usize,
}

impl Speedscope {
    pub fn new(rules: Rules, what: Option<What>, range: Range, source: String) -> Self {
        Self {
            what,
            range,
            source,
            identity: Identity::default(),
            symbols: Symbols::default(),
            stacks: Stacks::default(),
            period: 10_000_000,
            samples: BTreeMap::new(),
            spans: Spans::new(rules),
            threads: BTreeMap::new(),
            span_count: 0,
        }
    }

    pub fn finish(self, out: &mut impl Write) -> Result<()> {
        let samples = match self.what {
            Some(What::Samples) => true,
            Some(_) => false,
            None => !self.samples.is_empty() || self.threads.is_empty(),
        };
        if samples && self.samples.is_empty() {
            return Err(nothing(What::Samples, self.range));
        }
        if !samples && self.threads.is_empty() {
            return Err(nothing(What::Spans, self.range));
        }
        let name = self.identity.program().unwrap_or(&self.source);
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
            to_json(name)
        )?;
        let frames = if samples {
            self.sampled(out)?
        } else {
            self.evented(out)?
        };
        write!(out, "],\"shared\":{{\"frames\":[")?;
        for (at, frame) in frames.iter().enumerate() {
            write!(out, "{}{}", if at > 0 { "," } else { "" }, to_json(frame))?;
        }
        writeln!(out, "]}}}}")?;
        Ok(())
    }

    /// Writes the profiles of samples; the answer is the frames.
    fn sampled(&self, out: &mut impl Write) -> Result<Vec<serde_json::Value>> {
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
        match self.symbols.cost_centre(id) {
            Some(centre) => json!({ "name": centre.name(), "file": centre.location }),
            None => json!({ "name": self.symbols.name(id) }),
        }
    }

    /// Writes the profiles of spans; the answer is the frames.
    fn evented(&self, out: &mut impl Write) -> Result<Vec<serde_json::Value>> {
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
                to_json(&name)
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

/// Opens and closes of spans, strictly nested as the format demands: a span
/// that outlives the one around it is closed with it.
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

impl Sink for Speedscope {
    fn session(&mut self, header: &Arc<Header>) -> Result<()> {
        self.spans.session(header);
        Ok(())
    }

    fn event(&mut self, event: &Event<'_>, _late: bool) -> Result<()> {
        match event.body {
            EventBody::ProfSampleCostCentre {
                sampled_cap, stack, ..
            } if self.range.contains(event.time) => {
                let stack = self.stacks.intern(stack);
                self.samples.entry(sampled_cap).or_default().push(stack);
            }
            EventBody::ProfBegin { tick_interval } if tick_interval > 0 => {
                self.period = tick_interval;
            }
            EventBody::HeapProfCostCentre { .. } => self.symbols.event(event),
            EventBody::ProgramArgs { .. } => self.identity.event(event),
            _ => {
                if let Some(mut span) = self.spans.event(event)
                    && let Some((start, end)) = self.range.clip(span.start, span.end)
                    && self.span_count < MOST_SPANS
                {
                    (span.start, span.end) = (start, end);
                    self.span_count += 1;
                    let label = span.label.take();
                    let thread = self.threads.entry(span.thread).or_default();
                    thread.0 = label.or(thread.0.take());
                    thread.1.push(span);
                }
            }
        }
        Ok(())
    }
}
