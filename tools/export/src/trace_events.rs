//! The trace-event format, which ui.perfetto.dev and chrome://tracing read.
//!
//! Two groups of tracks: capabilities, with the threads they run and their
//! collections, and threads, with what they wait for and their spans. Next to
//! them, counters of heap and allocation.

use crate::exporter::{Error, Exporter, Range};
use crate::text::write_json;
use eventlog_state::{
    Collection, Fact, HeapKind, HeapValue, Phase, Span, State, ThreadInterval, ThreadState,
};
use ghc_eventlog::{Event, EventBody};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::io::Write;

/// The groups, as process numbers: two per session.
const CAPS: u64 = 1;
const THREADS: u64 = 2;
/// Capabilities are threads from here on. Thread 0 is the idle thread for Perfetto, of which
/// it keeps one track for all processes.
const FIRST_CAP: u64 = 1;
/// The tracks of collections, and of the concurrent collector, among the capabilities.
const COLLECTIONS: u64 = (1 << 20) - 1;
const CONCURRENT: u64 = 1 << 20;
/// The track of what belongs to no thread, among the threads.
const NO_THREAD: u64 = 1 << 32;
/// At most so many threads get a track of their own.
const MOST_TRACKS: usize = 10_000;

/// Writes trace events as things end.
#[derive(Debug)]
pub struct TraceEvents<W> {
    out: W,
    range: Range,
    raw: bool,
    first: bool,
    session: u64,
    caps: BTreeSet<u16>,
    tracks: HashMap<u32, Option<String>>,
    /// The thread that stops now, and its name: it may be over when that is told.
    stopping: (u32, String),
    /// Whether the track of what belongs to no thread has its name.
    no_thread: bool,
    dropped: u64,
}

impl<W: Write> TraceEvents<W> {
    /// Writes to `out`, which should be buffered, what lies in `range`. `raw`: texts are
    /// written as they are.
    pub fn new(out: W, range: Range, raw: bool) -> Self {
        Self {
            out,
            range,
            raw,
            first: true,
            session: 0,
            caps: BTreeSet::new(),
            tracks: HashMap::new(),
            stopping: (0, String::new()),
            no_thread: false,
            dropped: 0,
        }
    }

    fn write(&mut self, event: &Value) -> Result<(), Error> {
        let comma = if std::mem::take(&mut self.first) {
            ""
        } else {
            ","
        };
        writeln!(self.out, "{comma}")?;
        write_json(&mut self.out, event, self.raw)?;
        Ok(())
    }

    fn group(&self, group: u64) -> u64 {
        self.session.saturating_sub(1) * 2 + group
    }

    fn name(&mut self, kind: &str, group: u64, track: u64, name: &str) -> Result<(), Error> {
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
    ) -> Result<(), Error> {
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
        write_json(&mut self.out, name, self.raw)?;
        let (ts, dur) = (Micros(from), Micros(to - from));
        write!(
            self.out,
            ",\"cat\":\"{kind}\",\"pid\":{pid},\"tid\":{track},\"ts\":{ts},\"dur\":{dur}{args}}}"
        )?;
        Ok(())
    }

    fn counter(&mut self, time: u64, name: &str, value: u64) -> Result<(), Error> {
        if !self.range.contains(time) {
            return Ok(());
        }
        let pid = self.group(CAPS);
        self.write(&json!({
            "ph": "C", "name": name, "pid": pid, "tid": FIRST_CAP, "ts": micros(time),
            "args": { "bytes": value },
        }))
    }

    fn instant(&mut self, event: &Event<'_>, kind: &str, text: &str) -> Result<(), Error> {
        if !self.range.contains(event.time) {
            return Ok(());
        }
        let (pid, tid) = (self.group(CAPS), cap_track(event.cap.unwrap_or(0)));
        let scope = if kind == "marker" { "g" } else { "t" };
        self.write(&json!({
            "ph": "i", "name": text, "cat": kind, "pid": pid, "tid": tid,
            "ts": micros(event.time), "s": scope,
        }))
    }

    fn cap(&mut self, cap: u16) -> Result<(), Error> {
        if self.caps.insert(cap) {
            self.name(
                "thread_name",
                CAPS,
                cap_track(cap),
                &format!("capability {cap}"),
            )?;
        }
        Ok(())
    }

    /// Whether a thread has a track; gives it one if it can have one.
    fn track(&mut self, thread: u32, label: Option<&str>) -> Result<bool, Error> {
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
        self.name("thread_name", THREADS, thread_track(thread), &name)?;
        Ok(true)
    }

    /// A thread's name, while it is alive and when it has just stopped.
    fn label<'a>(&'a self, state: &'a State, thread: u32) -> Option<&'a str> {
        match state.thread(thread) {
            Some(thread) => thread.label(),
            None if self.stopping.0 == thread && !self.stopping.1.is_empty() => {
                Some(&self.stopping.1)
            }
            None => None,
        }
    }

    fn interval(&mut self, state: &State, interval: &ThreadInterval) -> Result<(), Error> {
        let thread = interval.thread;
        let times = (interval.from, interval.to);
        let label = self.label(state, thread).map(str::to_owned);
        let label = label.as_deref();
        if let ThreadState::Running { cap } = interval.state {
            let name = match label {
                Some(label) => label.to_owned(),
                None => format!("thread {thread}"),
            };
            self.cap(cap)?;
            let track = (CAPS, cap_track(cap));
            let args = format!(",\"args\":{{\"thread\":{thread}}}");
            self.slice(track, &name, "run", times, &args)?;
        }
        if interval.state == ThreadState::Finished || !self.track(thread, label)? {
            return Ok(());
        }
        let args = match interval.state {
            ThreadState::Running { cap } => format!(",\"args\":{{\"cap\":{cap}}}"),
            _ => String::new(),
        };
        let name = interval.state.name();
        let track = (THREADS, thread_track(thread));
        self.slice(track, name, "state", times, &args)
    }

    fn collection(&mut self, of: &Collection) -> Result<(), Error> {
        let Some(stats) = of.stats else { return Ok(()) };
        let name = format!("GC generation {}", stats.generation);
        let args = json!({
            "copied": stats.copied,
            "par_threads": stats.par_threads,
            "fragmentation": stats.fragmentation,
        });
        // A track of their own: the capability's has them as parts.
        self.slice(
            (CAPS, COLLECTIONS),
            &name,
            "gc",
            (of.start, of.end),
            &format!(",\"args\":{args}"),
        )
    }

    fn phase(&mut self, phase: &Phase) -> Result<(), Error> {
        let track = (CAPS, CONCURRENT);
        let times = (phase.from, phase.to);
        self.slice(track, phase.kind.name(), "gc", times, "")
    }

    fn heap(&mut self, state: &State, value: &HeapValue) -> Result<(), Error> {
        let (name, bytes) = match value.kind {
            HeapKind::Allocated => {
                let caps = state.caps().filter_map(|(_, cap)| cap.allocated());
                ("allocated", caps.sum())
            }
            HeapKind::Size => ("heap size", value.bytes),
            HeapKind::Live => ("live data", value.bytes),
            HeapKind::Blocks => ("blocks", value.bytes),
        };
        self.counter(value.time, name, bytes)
    }

    fn span(&mut self, span: &Span) -> Result<(), Error> {
        let thread = match span.thread {
            Some(thread) => {
                if !self.track(thread, span.label.as_deref())? {
                    return Ok(());
                }
                thread_track(thread)
            }
            None => {
                if !std::mem::replace(&mut self.no_thread, true) {
                    self.name("thread_name", THREADS, NO_THREAD, "no thread")?;
                }
                NO_THREAD
            }
        };
        let args = json!({ "id": span.id, "running_ns": span.running, "gc_ns": span.paused });
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
        Ok(())
    }
}

/// The track of a capability among the capabilities.
fn cap_track(cap: u16) -> u64 {
    FIRST_CAP + u64::from(cap)
}

/// The track of a thread among the threads. Their numbers begin at 1.
fn thread_track(thread: u32) -> u64 {
    match thread {
        0 => NO_THREAD,
        _ => thread.into(),
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

impl<W: Write> Exporter for TraceEvents<W> {
    type Error = Error;
    /// Intervals of threads that were left out: there were too many threads.
    type Report = u64;

    fn begin(&mut self, _state: &State) -> Result<(), Error> {
        if self.session == 0 {
            // Not before there is a log.
            write!(self.out, "{{\"displayTimeUnit\":\"ns\",\"traceEvents\":[")?;
        }
        self.session += 1;
        self.caps.clear();
        self.tracks.clear();
        self.no_thread = false;
        self.name("thread_name", CAPS, COLLECTIONS, "collections")
    }

    fn event(&mut self, state: &State, event: &Event<'_>) -> Result<(), Error> {
        match event.body {
            EventBody::StopThread { thread, .. } => {
                self.stopping.0 = thread;
                self.stopping.1.clear();
                if let Some(label) = state.thread(thread).and_then(|thread| thread.label()) {
                    self.stopping.1.push_str(label);
                }
                Ok(())
            }
            EventBody::UserMsg { message } => {
                self.instant(event, "message", &message.to_string_lossy())
            }
            EventBody::UserMarker { marker } => {
                self.instant(event, "marker", &marker.to_string_lossy())
            }
            _ => Ok(()),
        }
    }

    fn fact(&mut self, state: &State, fact: &Fact<'_>) -> Result<(), Error> {
        match fact {
            Fact::Thread(interval) => self.interval(state, interval),
            Fact::Part(part) => {
                self.cap(part.cap)?;
                let track = (CAPS, cap_track(part.cap));
                self.slice(track, "GC", "gc", (part.from, part.to), "")
            }
            Fact::Collection(collection) => self.collection(collection),
            Fact::Phase(phase) => self.phase(phase),
            Fact::Heap(value) => self.heap(state, value),
            Fact::Span(span) => self.span(span),
            _ => Ok(()),
        }
    }

    fn end(&mut self, state: &State) -> Result<(), Error> {
        let program = state.programs().first();
        let name = program.and_then(|program| program.name());
        let name = name.unwrap_or("program").to_owned();
        let pid = program.and_then(|program| program.pid);
        let pid = pid.map_or(String::new(), |pid| format!(" (process {pid})"));
        for (group, of) in [(CAPS, "capabilities"), (THREADS, "threads")] {
            self.name(
                "process_name",
                group,
                FIRST_CAP,
                &format!("{name}{pid}: {of}"),
            )?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<u64, Error> {
        if self.session > 0 {
            writeln!(self.out, "\n]}}")?;
        }
        self.out.flush()?;
        Ok(self.dropped)
    }
}
