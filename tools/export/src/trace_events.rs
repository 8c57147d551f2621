//! The trace-event format, which ui.perfetto.dev and chrome://tracing read.
//!
//! Two groups of tracks: capabilities, with the threads they run and their collections, and
//! threads, with what they wait for and their spans. In addition, counters of heap and allocation.

use crate::exporter::{Error, Exporter, Range};
use crate::place::{self, Place};
use crate::stopping::Stopping;
use crate::text::write_json;
use eventlog_state::{
    Collection, Fact, HeapKind, HeapValue, Phase, Span, State, ThreadInterval, ThreadState,
};
use ghc_eventlog::{Event, EventBody};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::Write;

/// The groups, as process numbers: two per program of each session.
const CAPS: u64 = 1;
const THREADS: u64 = 2;
/// Capabilities are threads from here on. Perfetto treats thread 0 as the idle thread, for which it
/// has one track for all processes.
const FIRST_CAP: u64 = 1;
/// The tracks of collections, and of the concurrent collector, among the capabilities.
const COLLECTIONS: u64 = (1 << 20) - 1;
const CONCURRENT: u64 = 1 << 20;
/// The track, among the threads, for what belongs to no thread.
const NO_THREAD: u64 = 1 << 32;
/// The largest number of threads that get a track of their own.
const MOST_TRACKS: usize = 10_000;

/// Writes trace events as things end.
#[derive(Debug)]
pub struct TraceEvents<W> {
    out: W,
    range: Range,
    raw: bool,
    first: bool,
    begun: bool,
    /// How many process numbers are in use.
    processes: u64,
    /// For each program, the number before its first process number.
    programs: HashMap<Place, u64>,
    /// The tracks that have their names: process and number.
    named: HashSet<(u64, u64)>,
    tracks: HashMap<u32, Track>,
    /// The capability that logged the current event.
    told_by: Option<u16>,
    /// The thread that is stopping, and its name: it may have ended when that is reported.
    stopping: Stopping,
    dropped: u64,
}

/// The track of a thread.
#[derive(Debug)]
struct Track {
    process: u64,
    label: Option<String>,
}

impl<W: Write> TraceEvents<W> {
    /// Writes what is in `range` to `out`, which should be buffered. `raw`: texts are written
    /// unchanged.
    pub fn new(out: W, range: Range, raw: bool) -> Self {
        Self {
            out,
            range,
            raw,
            first: true,
            begun: false,
            processes: 0,
            programs: HashMap::new(),
            named: HashSet::new(),
            tracks: HashMap::new(),
            told_by: None,
            stopping: Stopping::default(),
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

    /// The process number for a group of tracks of a program.
    fn process(&mut self, program: Place, group: u64) -> u64 {
        let below = self.programs.entry(program).or_insert_with(|| {
            let below = self.processes;
            self.processes += 2;
            below
        });
        *below + group
    }

    fn name(&mut self, kind: &str, (pid, tid): (u64, u64), name: &str) -> Result<(), Error> {
        self.write(&json!({
            "ph": "M", "name": kind, "pid": pid, "tid": tid, "args": { "name": name },
        }))
    }

    /// A track with this name in a group.
    fn named(
        &mut self,
        (program, group): (Place, u64),
        track: u64,
        name: fmt::Arguments<'_>,
    ) -> Result<(u64, u64), Error> {
        let track = (self.process(program, group), track);
        if self.named.insert(track) {
            self.name("thread_name", track, &name.to_string())?;
        }
        Ok(track)
    }

    /// Writes a slice on a track, as far as it is in the range.
    fn slice(
        &mut self,
        (pid, tid): (u64, u64),
        name: &str,
        kind: &str,
        (from, to): (u64, u64),
        args: &str,
    ) -> Result<(), Error> {
        let Some((from, to)) = self.range.clip(from, to) else {
            return Ok(());
        };
        // Most of the output are slices, so they are written directly.
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
            ",\"cat\":\"{kind}\",\"pid\":{pid},\"tid\":{tid},\"ts\":{ts},\"dur\":{dur}{args}}}"
        )?;
        Ok(())
    }

    fn counter(
        &mut self,
        program: Place,
        (name, heap): (&str, Option<u32>),
        (time, value): (u64, u64),
    ) -> Result<(), Error> {
        if !self.range.contains(time) {
            return Ok(());
        }
        let name = match heap {
            None => name.to_owned(),
            Some(heap) => format!("{name} (heap {heap})"),
        };
        let pid = self.process(program, CAPS);
        self.write(&json!({
            "ph": "C", "name": name, "pid": pid, "tid": FIRST_CAP, "ts": micros(time),
            "args": { "bytes": value },
        }))
    }

    fn instant(
        &mut self,
        state: &State,
        event: &Event<'_>,
        kind: &str,
        text: &str,
    ) -> Result<(), Error> {
        if !self.range.contains(event.time) {
            return Ok(());
        }
        let (pid, tid) = self.cap(state, event.cap.unwrap_or(0))?;
        let scope = if kind == "marker" { "g" } else { "t" };
        self.write(&json!({
            "ph": "i", "name": text, "cat": kind, "pid": pid, "tid": tid,
            "ts": micros(event.time), "s": scope,
        }))
    }

    /// The track of a capability.
    fn cap(&mut self, state: &State, cap: u16) -> Result<(u64, u64), Error> {
        let program = place::of_cap(state, Some(cap));
        let name = format_args!("capability {cap}");
        self.named((program, CAPS), cap_track(cap), name)
    }

    /// The track of a thread, if it can get one.
    fn track(
        &mut self,
        state: &State,
        (thread, label): (u32, Option<&str>),
        told_by: Option<u16>,
    ) -> Result<Option<(u64, u64)>, Error> {
        let known = self.tracks.get(&thread);
        let process = match known {
            Some(known) if label.is_none() || known.label.as_deref() == label => {
                return Ok(Some((known.process, thread_track(thread))));
            }
            Some(known) => known.process,
            None if self.tracks.len() >= MOST_TRACKS => {
                self.dropped += 1;
                return Ok(None);
            }
            None => self.process(place::of_thread(state, thread, told_by), THREADS),
        };
        let track = Track {
            process,
            label: label.map(str::to_owned),
        };
        self.tracks.insert(thread, track);
        let name = match label {
            Some(label) => format!("{label} ({thread})"),
            None => format!("thread {thread}"),
        };
        let track = (process, thread_track(thread));
        self.name("thread_name", track, &name)?;
        Ok(Some(track))
    }

    fn interval(&mut self, state: &State, interval: &ThreadInterval) -> Result<(), Error> {
        let thread = interval.thread;
        let times = (interval.from, interval.to);
        let label = self.stopping.label(state, thread).map(str::to_owned);
        let label = label.as_deref();
        if let ThreadState::Running { cap } = interval.state {
            let name = match label {
                Some(label) => label.to_owned(),
                None => format!("thread {thread}"),
            };
            let track = self.cap(state, cap)?;
            let args = format!(",\"args\":{{\"thread\":{thread}}}");
            self.slice(track, &name, "run", times, &args)?;
        }
        if interval.state == ThreadState::Finished {
            return Ok(());
        }
        let told_by = place::told_by(interval, self.told_by);
        let Some(track) = self.track(state, (thread, label), told_by)? else {
            return Ok(());
        };
        let args = match interval.state {
            ThreadState::Running { cap } => format!(",\"args\":{{\"cap\":{cap}}}"),
            _ => String::new(),
        };
        let name = interval.state.name();
        self.slice(track, name, "state", times, &args)
    }

    fn collection(&mut self, state: &State, of: &Collection) -> Result<(), Error> {
        let Some(stats) = of.stats else { return Ok(()) };
        let name = format!("GC generation {}", stats.generation);
        let args = json!({
            "copied": stats.copied,
            "par_threads": stats.par_threads,
            "fragmentation": stats.fragmentation,
        });
        // Collections have a track of their own: capabilities show only their parts in them.
        let program = place::of_cap(state, Some(of.cap));
        let track = self.named((program, CAPS), COLLECTIONS, format_args!("collections"))?;
        self.slice(
            track,
            &name,
            "gc",
            (of.start, of.end),
            &format!(",\"args\":{args}"),
        )
    }

    fn phase(&mut self, state: &State, phase: &Phase) -> Result<(), Error> {
        let program = place::of_cap(state, self.told_by);
        let track = self.named(
            (program, CAPS),
            CONCURRENT,
            format_args!("concurrent collector"),
        )?;
        let times = (phase.from, phase.to);
        self.slice(track, phase.kind.name(), "gc", times, "")
    }

    fn heap(&mut self, state: &State, value: &HeapValue) -> Result<(), Error> {
        let (name, bytes) = match value.kind {
            HeapKind::Allocated => {
                let program = place::of_cap(state, value.cap);
                let caps = state.caps();
                let caps = caps.filter(|(cap, _)| place::of_cap(state, Some(*cap)) == program);
                let total = caps.filter_map(|(_, cap)| cap.allocated()).sum();
                return self.counter(program, ("allocated", None), (value.time, total));
            }
            HeapKind::Size => ("heap size", value.bytes),
            HeapKind::Live => ("live data", value.bytes),
            HeapKind::Blocks => ("blocks", value.bytes),
        };
        let (program, own) = place::of_heap(state, value.capset, value.cap);
        let heap = (!own).then_some(value.capset);
        self.counter(program, (name, heap), (value.time, bytes))
    }

    fn span(&mut self, state: &State, span: &Span) -> Result<(), Error> {
        let (pid, tid) = match span.thread {
            Some(thread) => {
                let named = (thread, span.label.as_deref());
                match self.track(state, named, self.told_by)? {
                    Some(track) => track,
                    None => return Ok(()),
                }
            }
            None => {
                let program = place::of_cap(state, self.told_by);
                self.named((program, THREADS), NO_THREAD, format_args!("no thread"))?
            }
        };
        let args = json!({ "id": span.id, "running_ns": span.running, "gc_ns": span.paused });
        // Spans overlap states: they are slices of their own kind, which the viewer puts on
        // separate rows.
        if let Some((from, to)) = self.range.clip(span.start, span.end) {
            let id = format!("{tid}.{}", span.start);
            for (phase, time) in [("b", from), ("e", to)] {
                self.write(&json!({
                    "ph": phase, "name": &*span.name, "cat": "span", "id": id,
                    "pid": pid, "tid": tid, "ts": micros(time), "args": args,
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
    /// The number of intervals that were left out because there were too many threads.
    type Report = u64;

    fn begin(&mut self, _state: &State) -> Result<(), Error> {
        if !std::mem::replace(&mut self.begun, true) {
            // Written only once there is a log.
            write!(self.out, "{{\"displayTimeUnit\":\"ns\",\"traceEvents\":[")?;
        }
        self.programs.clear();
        self.tracks.clear();
        self.told_by = None;
        Ok(())
    }

    fn event(&mut self, state: &State, event: &Event<'_>) -> Result<(), Error> {
        self.told_by = event.cap;
        match event.body {
            EventBody::StopThread { thread, .. } => {
                self.stopping.stops(state, thread);
                Ok(())
            }
            EventBody::UserMsg { message } => {
                self.instant(state, event, "message", &message.to_string_lossy())
            }
            EventBody::UserMarker { marker } => {
                self.instant(state, event, "marker", &marker.to_string_lossy())
            }
            _ => Ok(()),
        }
    }

    fn fact(&mut self, state: &State, fact: &Fact<'_>) -> Result<(), Error> {
        match fact {
            Fact::Thread(interval) => self.interval(state, interval),
            Fact::Part(part) => {
                let track = self.cap(state, part.cap)?;
                self.slice(track, "GC", "gc", (part.from, part.to), "")
            }
            Fact::Collection(collection) => self.collection(state, collection),
            Fact::Phase(phase) => self.phase(state, phase),
            Fact::Heap(value) => self.heap(state, value),
            Fact::Span(span) => self.span(state, span),
            _ => Ok(()),
        }
    }

    fn end(&mut self, state: &State) -> Result<(), Error> {
        for (place, program) in place::all(state) {
            let name = program.and_then(|program| program.name());
            let name = name.unwrap_or("program").to_owned();
            let pid = program.and_then(|program| program.pid);
            let pid = pid.map_or(String::new(), |pid| format!(" (process {pid})"));
            for (group, of) in [(CAPS, "capabilities"), (THREADS, "threads")] {
                let process = self.process(place, group);
                let name = format!("{name}{pid}: {of}");
                self.name("process_name", (process, FIRST_CAP), &name)?;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<u64, Error> {
        if self.begun {
            writeln!(self.out, "\n]}}")?;
        }
        self.out.flush()?;
        Ok(self.dropped)
    }
}
