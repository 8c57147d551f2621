//! The trace-event format, which ui.perfetto.dev and chrome://tracing read.
//!
//! Two groups of tracks: capabilities, with the threads they run and their
//! collections, and threads, with what they wait for and their spans. Next to
//! them, counters of heap and allocation.

use super::Range;
use crate::analysis::feed::Sink;
use crate::analysis::gc::{Collections, Concurrent};
use crate::analysis::identity::Identity;
use crate::analysis::spans::{Rules, Spans};
use crate::analysis::threads::{Change, Interval, State, Threads};
use crate::printable::write_json;
use anyhow::Result;
use ghc_eventlog::{Allocations, Event, EventBody, Header};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::io::Write;
use std::sync::Arc;

/// The groups, as process numbers: two per session.
const CAPS: u64 = 1;
const THREADS: u64 = 2;
/// The track of the concurrent collector among the capabilities.
const CONCURRENT: u64 = 1 << 20;
/// At most so many threads get a track of their own.
const MOST_TRACKS: usize = 10_000;

/// Writes trace events as things end.
pub struct Perfetto<'o, W> {
    out: &'o mut W,
    range: Range,
    first: bool,
    session: u64,
    identity: Identity,
    caps: BTreeSet<u16>,
    tracks: HashMap<u32, Option<String>>,
    threads: Threads,
    collections: Collections,
    concurrent: Concurrent,
    allocations: Allocations,
    spans: Spans,
    dropped: u64,
}

impl<'o, W: Write> Perfetto<'o, W> {
    pub fn new(out: &'o mut W, rules: Rules, range: Range) -> Result<Self> {
        Ok(Self {
            out,
            range,
            first: true,
            session: 0,
            identity: Identity::default(),
            caps: BTreeSet::new(),
            tracks: HashMap::new(),
            threads: Threads::default(),
            collections: Collections::default(),
            concurrent: Concurrent::default(),
            allocations: Allocations::new(),
            spans: Spans::new(rules),
            dropped: 0,
        })
    }

    pub fn finish(mut self) -> Result<()> {
        self.end_session()?;
        writeln!(self.out, "\n]}}")?;
        if self.dropped > 0 {
            crate::errors::note(format_args!(
                "there are more than {MOST_TRACKS} threads; {} intervals of the others are left out",
                self.dropped
            ));
        }
        Ok(())
    }

    fn write(&mut self, event: &Value) -> Result<()> {
        let comma = if std::mem::take(&mut self.first) {
            ""
        } else {
            ","
        };
        writeln!(self.out, "{comma}")?;
        write_json(&mut *self.out, event)?;
        Ok(())
    }

    fn group(&self, group: u64) -> u64 {
        self.session.saturating_sub(1) * 2 + group
    }

    fn name(&mut self, kind: &str, group: u64, track: u64, name: &str) -> Result<()> {
        let pid = self.group(group);
        self.write(&json!({
            "ph": "M", "name": kind, "pid": pid, "tid": track, "args": { "name": name },
        }))
    }

    /// A slice on a track, as far as it is wanted.
    fn slice(
        &mut self,
        (group, track): (u64, u64),
        name: &str,
        kind: &str,
        (from, to): (u64, u64),
        args: &str,
    ) -> Result<()> {
        let Some((from, to)) = self.range.clip(from, to) else {
            return Ok(());
        };
        let pid = self.group(group);
        // Most of the result are slices: they are written without detours.
        let comma = if std::mem::take(&mut self.first) {
            ""
        } else {
            ","
        };
        write!(self.out, "{comma}\n{{\"ph\":\"X\",\"name\":")?;
        write_json(&mut *self.out, name)?;
        let (ts, dur) = (Micros(from), Micros(to - from));
        write!(
            self.out,
            ",\"cat\":\"{kind}\",\"pid\":{pid},\"tid\":{track},\"ts\":{ts},\"dur\":{dur}{args}}}"
        )?;
        Ok(())
    }

    fn counter(&mut self, time: u64, name: &str, value: u64) -> Result<()> {
        if !self.range.contains(time) {
            return Ok(());
        }
        let pid = self.group(CAPS);
        self.write(&json!({
            "ph": "C", "name": name, "pid": pid, "tid": 0, "ts": micros(time),
            "args": { "bytes": value },
        }))
    }

    fn instant(&mut self, event: &Event<'_>, kind: &str, text: &str) -> Result<()> {
        if !self.range.contains(event.time) {
            return Ok(());
        }
        let (pid, tid) = (self.group(CAPS), u64::from(event.cap.unwrap_or(0)));
        let scope = if kind == "marker" { "g" } else { "t" };
        self.write(&json!({
            "ph": "i", "name": text, "cat": kind, "pid": pid, "tid": tid,
            "ts": micros(event.time), "s": scope,
        }))
    }

    fn cap(&mut self, cap: u16) -> Result<()> {
        if self.caps.insert(cap) {
            self.name(
                "thread_name",
                CAPS,
                cap.into(),
                &format!("capability {cap}"),
            )?;
        }
        Ok(())
    }

    /// Whether a thread has a track; gives it one if it can have one.
    fn track(&mut self, thread: u32, label: Option<&str>) -> Result<bool> {
        match self.tracks.get(&thread) {
            Some(known) if label.is_none() || known.as_deref() == label => return Ok(true),
            None if self.tracks.len() >= MOST_TRACKS => {
                self.dropped += 1;
                return Ok(false);
            }
            _ => {}
        }
        self.tracks.insert(thread, label.map(str::to_owned));
        let name = match label {
            Some(label) => format!("{label} ({thread})"),
            None => format!("thread {thread}"),
        };
        self.name("thread_name", THREADS, thread.into(), &name)?;
        Ok(true)
    }

    fn interval(&mut self, interval: Interval, label: Option<&str>) -> Result<()> {
        let thread = interval.thread;
        let times = (interval.from, interval.to);
        if let State::Running(cap) = interval.state {
            let name = match label {
                Some(label) => label.to_owned(),
                None => format!("thread {thread}"),
            };
            self.cap(cap)?;
            let track = (CAPS, cap.into());
            let args = format!(",\"args\":{{\"thread\":{thread}}}");
            self.slice(track, &name, "run", times, &args)?;
        }
        if interval.state == State::Finished || !self.track(thread, label)? {
            return Ok(());
        }
        let args = match interval.state {
            State::Running(cap) => format!(",\"args\":{{\"cap\":{cap}}}"),
            _ => String::new(),
        };
        let name = interval.state.name();
        self.slice((THREADS, thread.into()), name, "state", times, &args)
    }

    fn end_session(&mut self) -> Result<()> {
        for (interval, thread) in self.threads.finish() {
            self.interval(interval, thread.label.as_deref())?;
        }
        if self.session > 0 {
            let program = self.identity.program().unwrap_or("program").to_owned();
            let pid = self
                .identity
                .pid
                .map_or(String::new(), |pid| format!(" (process {pid})"));
            self.name(
                "process_name",
                CAPS,
                0,
                &format!("{program}{pid}: capabilities"),
            )?;
            self.name(
                "process_name",
                THREADS,
                0,
                &format!("{program}{pid}: threads"),
            )?;
        }
        Ok(())
    }

    fn collection(&mut self, event: &Event<'_>) -> Result<bool> {
        let Some(step) = self.collections.event(event) else {
            return Ok(false);
        };
        if let Some((cap, start, end)) = step.part {
            self.cap(cap)?;
            self.slice((CAPS, cap.into()), "GC", "gc", (start, end), "")?;
        }
        if let Some(of) = step.collection
            && let Some(stats) = of.stats
        {
            let name = format!("GC generation {}", stats.generation);
            let args = json!({
                "copied": stats.copied,
                "par_threads": stats.par_threads,
                "fragmentation": stats.fragmentation,
            });
            // A track of their own: the capability's has them as parts.
            self.slice(
                (CAPS, CONCURRENT - 1),
                &name,
                "gc",
                (of.start, of.end),
                &format!(",\"args\":{args}"),
            )?;
        }
        Ok(true)
    }
}

/// Microseconds, the unit of the format, with all decimals.
struct Micros(u64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

fn micros(nanos: u64) -> Value {
    Micros(nanos)
        .to_string()
        .parse()
        .map_or(Value::Null, Value::Number)
}

impl<W: Write> Sink for Perfetto<'_, W> {
    fn session(&mut self, header: &Arc<Header>) -> Result<()> {
        self.end_session()?;
        if self.session == 0 {
            // Not before there is a log.
            write!(self.out, "{{\"displayTimeUnit\":\"ns\",\"traceEvents\":[")?;
        }
        self.session += 1;
        self.identity = Identity::default();
        self.caps.clear();
        self.tracks.clear();
        self.threads = Threads::default();
        self.collections = Collections::new(header);
        self.allocations = Allocations::new();
        self.spans.session(header);
        self.name("thread_name", CAPS, CONCURRENT - 1, "collections")
    }

    fn event(&mut self, event: &Event<'_>, _late: bool) -> Result<()> {
        if let Some(span) = self.spans.event(event) {
            let thread = span.thread.unwrap_or(0);
            if self.track(thread, span.label.as_deref())? {
                let args = json!({ "id": span.id, "running_ns": span.running, "gc_ns": span.gc });
                // Spans overlap states: they are slices of an own kind, which
                // the viewer puts on rows of their own.
                if let Some((from, to)) = self.range.clip(span.start, span.end) {
                    let pid = self.group(THREADS);
                    let id = format!("{thread}.{}", span.start);
                    for (phase, time) in [("b", from), ("e", to)] {
                        self.write(&json!({
                            "ph": phase, "name": &*span.name, "cat": "span", "id": id,
                            "pid": pid, "tid": thread, "ts": micros(time), "args": args,
                        }))?;
                    }
                }
            }
        }
        match event.body {
            EventBody::UserMsg { message } => {
                return self.instant(event, "message", &message.to_string_lossy());
            }
            EventBody::UserMarker { marker } => {
                return self.instant(event, "marker", &marker.to_string_lossy());
            }
            EventBody::HeapAllocated { .. } => {
                self.allocations.observe(event);
                let total = self.allocations.total();
                return self.counter(event.time, "allocated", total);
            }
            EventBody::HeapSize { bytes, .. } => {
                return self.counter(event.time, "heap size", bytes);
            }
            EventBody::HeapLive { bytes, .. } => {
                return self.counter(event.time, "live data", bytes);
            }
            EventBody::BlocksSize { bytes, .. } => {
                return self.counter(event.time, "blocks", bytes);
            }
            _ => {}
        }
        if self.collection(event)? {
            return Ok(());
        }
        if let Some((name, from, to)) = self.concurrent.event(event) {
            let track = (CAPS, CONCURRENT);
            return self.slice(track, name, "gc", (from, to), "");
        }
        let id = match event.body {
            EventBody::RunThread { thread } | EventBody::StopThread { thread, .. } => thread,
            _ => {
                self.identity.event(event);
                self.threads.event(event);
                return Ok(());
            }
        };
        let label = self.threads.get(id).and_then(|thread| thread.label.clone());
        match self.threads.event(event) {
            Some(Change {
                ended: Some(interval),
                ..
            }) => self.interval(interval, label.as_deref()),
            _ => Ok(()),
        }
    }
}
