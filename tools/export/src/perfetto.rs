//! Perfetto's own format, which ui.perfetto.dev and its trace processor read.
//!
//! A program is a process. Below it are its capabilities and their states, its collections, the
//! phases of the concurrent collector, counters of heap, allocation and sparks, markers, and its
//! threads with what they wait for, their messages and their spans. Arrows lead from the waker of a
//! thread to where it then runs, and from the capability that a thread leaves to where it
//! continues.
//!
//! Everything is written as soon as it ends, so that memory is bounded by the number of tracks.
//! Packets are not ordered by time, which the format allows.

mod flows;
mod ids;
mod lanes;
mod packets;
mod proto;
mod tracks;

pub use packets::Written;

use crate::exporter::{Error, Exporter, Range};
use crate::place::{self, Place};
use crate::stopping::Stopping;
use eventlog_state::{
    CapInterval, CapState, Collection, Fact, HeapKind, HeapValue, Phase, Span, SparkCounters,
    State, ThreadInterval, ThreadState,
};
use flows::Flows;
use ghc_eventlog::{Event, EventBody};
use ids::Kind;
use packets::{Arg, Packets, Shown};
use rustc_hash::FxHashMap;
use std::fmt::Write as _;
use std::io::Write;
use tracks::{CounterKind, Tracks};

/// The default number of threads that get a track of their own.
const MOST_THREADS: usize = 10_000;
/// The shortest time over which allocation is measured, in nanoseconds.
const RATE_OVER: u64 = 10_000_000;

/// Writes a trace as things end.
#[derive(Debug)]
pub struct Perfetto<W> {
    packets: Packets<W>,
    range: Range,
    most_threads: usize,
    sessions: u16,
    /// The time of day is written only for the first log: a log that begins again has times from 0
    /// again, and a trace has only one clock.
    clock_is_told: bool,
    flow: u64,
    tracks: Tracks,
    flows: Flows,
    rates: FxHashMap<Place, Rate>,
    sparks: FxHashMap<Place, Sparks>,
    /// The capability that logged the current event.
    told_by: Option<u16>,
    /// The thread that is stopping, and its name: it may have ended when that is reported.
    stopping: Stopping,
    /// Buffer for a name.
    name: String,
}

/// Allocation over time.
#[derive(Debug, Default)]
struct Rate {
    since: Option<u64>,
    bytes: u64,
}

/// Sparks of all capabilities of a program.
#[derive(Debug, Default)]
struct Sparks {
    total: SparkCounters,
    told: Option<SparkCounters>,
}

impl<W: Write> Perfetto<W> {
    /// Writes what is in `range` to `out`, which should be buffered.
    pub fn new(out: W, range: Range) -> Self {
        Self {
            packets: Packets::new(out),
            range,
            most_threads: MOST_THREADS,
            sessions: 0,
            clock_is_told: false,
            flow: 0,
            tracks: Tracks::default(),
            flows: Flows::default(),
            rates: FxHashMap::default(),
            sparks: FxHashMap::default(),
            told_by: None,
            stopping: Stopping::default(),
            name: String::new(),
        }
    }

    /// Sets the largest number of threads that get a track of their own; the default is 10 000.
    #[must_use]
    pub fn most_threads(mut self, most: usize) -> Self {
        self.most_threads = most;
        self
    }

    /// The track of a thread, if it can get one.
    fn thread_track(
        &mut self,
        state: &State,
        thread: u32,
        told_by: Option<u16>,
    ) -> Result<Option<u64>, Error> {
        if self.tracks.is_full(thread, self.most_threads) {
            return Ok(None);
        }
        let label = self.stopping.label(state, thread);
        let program = || place::of_thread(state, thread, told_by);
        let named = (thread, label);
        let track = self.tracks.thread(&mut self.packets, program, named)?;
        Ok(Some(track))
    }

    fn cap_track(&mut self, state: &State, cap: u16) -> Result<u64, Error> {
        let program = || place::of_cap(state, Some(cap));
        Ok(self.tracks.cap(&mut self.packets, program, cap)?)
    }

    fn thread(&mut self, state: &State, interval: &ThreadInterval) -> Result<(), Error> {
        let ThreadInterval {
            thread, from, to, ..
        } = *interval;
        let runs = matches!(interval.state, ThreadState::Running { .. });
        let wake = match runs {
            true => self.flows.ran(thread, from),
            false => None,
        };
        if matches!(interval.state, ThreadState::Unknown | ThreadState::Finished) {
            return Ok(());
        }
        let Some(times) = self.range.clip(from, to) else {
            return Ok(());
        };
        let told_by = place::told_by(interval, self.told_by);
        let Some(track) = self.thread_track(state, thread, told_by)? else {
            self.packets.written.left_out += 1;
            return Ok(());
        };
        let times = self.tracks.beside(track, times);
        let arg = match interval.state {
            ThreadState::Running { cap } => Some(Arg("cap", cap.into())),
            ThreadState::Blocked {
                by: Some(owner), ..
            } => Some(Arg("owner", owner.into())),
            _ => None,
        };
        let mut flow = None;
        if let Some(wake) = wake.filter(|wake| self.range.contains(wake.time)) {
            let by = wake.by.filter(|by| self.tracks.has_thread(*by));
            let from = match by {
                Some(by) => self.tracks.thread(&mut self.packets, || 0, (by, None))?,
                None => self.cap_track(state, wake.cap)?,
            };
            let args = [Arg("thread", thread.into())];
            flow = Some(self.begin_flow((from, "wake-up"), &args, wake.time)?);
        }
        let shown = Shown {
            track,
            name: interval.state.name(),
            category: "state",
            args: arg.as_slice(),
        };
        Ok(self.packets.slice(&shown, times, flow)?)
    }

    /// Begins an arrow; returns its number.
    fn begin_flow(
        &mut self,
        (track, name): (u64, &'static str),
        args: &[Arg],
        time: u64,
    ) -> Result<u64, Error> {
        self.flow += 1;
        let flow = ids::number(0, Kind::Flow, self.flow);
        let shown = Shown {
            track,
            name,
            category: "flow",
            args,
        };
        self.packets.instant(&shown, time, Some(flow))?;
        Ok(flow)
    }

    fn cap(&mut self, state: &State, interval: &CapInterval) -> Result<(), Error> {
        let CapInterval { cap, from, to, .. } = *interval;
        let moved = interval
            .thread
            .and_then(|thread| self.flows.arrived(thread, cap, from));
        // States without activity are not shown.
        if matches!(interval.state, CapState::Idle | CapState::Unknown) {
            return Ok(());
        }
        let Some(times) = self.range.clip(from, to) else {
            return Ok(());
        };
        let track = self.cap_track(state, cap)?;
        let times = self.tracks.beside(track, times);
        let mut flow = None;
        if let Some((time, left)) = moved.filter(|(time, _)| self.range.contains(*time))
            && let Some(thread) = interval.thread
        {
            let left = self.cap_track(state, left)?;
            let args = [Arg("thread", thread.into())];
            flow = Some(self.begin_flow((left, "migration"), &args, time)?);
        }
        let thread = interval.thread;
        let arg = thread.map(|thread| Arg("thread", thread.into()));
        let name = match thread {
            Some(thread) => match self.stopping.label(state, thread) {
                Some(label) => label,
                None => {
                    self.name.clear();
                    let _ = write!(self.name, "thread {thread}");
                    &self.name
                }
            },
            None => interval.state.name(),
        };
        let shown = Shown {
            track,
            name,
            category: interval.state.name(),
            args: arg.as_slice(),
        };
        Ok(self.packets.slice(&shown, times, flow)?)
    }

    fn collection(&mut self, state: &State, of: &Collection) -> Result<(), Error> {
        let Some(times) = self.range.clip(of.start, of.end) else {
            return Ok(());
        };
        let program = place::of_cap(state, Some(of.cap));
        let track = self.tracks.collection(&mut self.packets, program, times)?;
        let Some(track) = track else {
            self.packets.written.left_out += 1;
            return Ok(());
        };
        let mut args = vec![Arg("cap", of.cap.into())];
        let mut name = "GC".to_owned();
        if let Some(stats) = of.stats {
            name = format!("GC generation {}", stats.generation);
            args.extend([
                Arg("copied", stats.copied),
                Arg("par_threads", stats.par_threads.into()),
                Arg("fragmentation", stats.fragmentation),
            ]);
        }
        let shown = Shown {
            track,
            name: &name,
            category: "gc",
            args: &args,
        };
        Ok(self.packets.slice(&shown, times, None)?)
    }

    fn phase(&mut self, state: &State, phase: &Phase) -> Result<(), Error> {
        let Some(times) = self.range.clip(phase.from, phase.to) else {
            return Ok(());
        };
        let program = place::of_cap(state, self.told_by);
        let Some(track) = self.tracks.phase(&mut self.packets, program, times)? else {
            self.packets.written.left_out += 1;
            return Ok(());
        };
        let shown = Shown {
            track,
            name: phase.kind.name(),
            category: "gc",
            args: &[],
        };
        Ok(self.packets.slice(&shown, times, None)?)
    }

    fn span(&mut self, state: &State, span: &Span) -> Result<(), Error> {
        let Some(times) = self.range.clip(span.start, span.end) else {
            return Ok(());
        };
        let thread = match span.thread {
            // If its thread has no track, it is not shown.
            Some(thread) if self.thread_track(state, thread, self.told_by)?.is_none() => {
                self.packets.written.left_out += 1;
                return Ok(());
            }
            thread => thread,
        };
        let whose = (place::of_cap(state, self.told_by), thread);
        let Some(track) = self.tracks.span(&mut self.packets, whose, times)? else {
            self.packets.written.left_out += 1;
            return Ok(());
        };
        let number = |key, value: Option<u64>| value.map(|value| Arg(key, value));
        let args: Vec<Arg> = [
            number("id", span.id),
            number("running_ns", span.running),
            number("gc_ns", span.paused),
        ]
        .into_iter()
        .flatten()
        .collect();
        let shown = Shown {
            track,
            name: &span.name,
            category: "span",
            args: &args,
        };
        Ok(self.packets.slice(&shown, times, None)?)
    }

    fn message(&mut self, state: &State, event: &Event<'_>, text: &str) -> Result<(), Error> {
        if !self.range.contains(event.time) {
            return Ok(());
        }
        let cap = event.cap.and_then(|cap| state.cap(cap));
        let mut track = None;
        if let Some((thread, _)) = cap.and_then(|cap| cap.running()) {
            track = self.thread_track(state, thread, event.cap)?;
        }
        let track = match (track, event.cap) {
            (Some(track), _) => track,
            (None, Some(cap)) => self.cap_track(state, cap)?,
            (None, None) => self.tracks.messages(&mut self.packets, 0)?,
        };
        self.moment(track, (text, "message"), event.time)
    }

    fn marker(&mut self, state: &State, event: &Event<'_>, text: &str) -> Result<(), Error> {
        if !self.range.contains(event.time) {
            return Ok(());
        }
        let program = place::of_cap(state, event.cap);
        let track = self.tracks.markers(&mut self.packets, program)?;
        self.moment(track, (text, "marker"), event.time)
    }

    fn moment(
        &mut self,
        track: u64,
        (name, category): (&str, &'static str),
        time: u64,
    ) -> Result<(), Error> {
        let shown = Shown {
            track,
            name,
            category,
            args: &[],
        };
        Ok(self.packets.instant(&shown, time, None)?)
    }

    fn counter(
        &mut self,
        program: Place,
        kind: (CounterKind, Option<u32>),
        (time, value): (u64, u64),
    ) -> Result<(), Error> {
        if !self.range.contains(time) {
            return Ok(());
        }
        let track = self.tracks.counter(&mut self.packets, program, kind)?;
        Ok(self.packets.counter(track, time, value)?)
    }

    fn heap(&mut self, state: &State, value: &HeapValue) -> Result<(), Error> {
        let kind = match value.kind {
            HeapKind::Allocated => return self.allocated(state, value),
            HeapKind::Size => CounterKind::HeapSize,
            HeapKind::Live => CounterKind::Live,
            HeapKind::Blocks => CounterKind::Blocks,
        };
        let (program, own) = place::of_heap(state, value.capset, value.cap);
        let heap = (!own).then_some(value.capset);
        self.counter(program, (kind, heap), (value.time, value.bytes))
    }

    /// A counter keeps its value until the next one, so the rate is written at the beginning of its
    /// period.
    fn allocated(&mut self, state: &State, value: &HeapValue) -> Result<(), Error> {
        let program = place::of_cap(state, value.cap);
        let rate = self.rates.entry(program).or_default();
        match rate.since {
            // The beginning of the period is not known.
            None => rate.since = Some(value.time),
            Some(since) => {
                rate.bytes = rate.bytes.saturating_add(value.growth);
                if value.time >= since.saturating_add(RATE_OVER) {
                    self.end_rate(program, value.time)?;
                }
            }
        }
        let caps = state.caps();
        let caps = caps.filter(|(cap, _)| place::of_cap(state, Some(*cap)) == program);
        let total = caps.filter_map(|(_, cap)| cap.allocated()).sum();
        self.counter(program, (CounterKind::Allocated, None), (value.time, total))
    }

    fn end_rate(&mut self, program: Place, now: u64) -> Result<(), Error> {
        let rate = self.rates.entry(program).or_default();
        let Some(since) = rate.since.replace(now) else {
            return Ok(());
        };
        let bytes = u128::from(std::mem::take(&mut rate.bytes));
        let Some(rate) = (bytes * 1_000_000_000).checked_div(u128::from(now.saturating_sub(since)))
        else {
            return Ok(());
        };
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        self.counter(program, (CounterKind::Rate, None), (since, rate))
    }

    fn sparks(&mut self, state: &State, event: &Event<'_>) -> Result<(), Error> {
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
        let Some(cap) = event.cap else { return Ok(()) };
        let before = state.cap(cap).and_then(|cap| cap.sparks());
        let before = before.unwrap_or_default();
        let program = place::of_cap(state, event.cap);
        let sparks = self.sparks.entry(program).or_default();
        let total = &mut sparks.total;
        let told = sparks.told.unwrap_or_default();
        let first = sparks.told.is_none();
        let mut changed = Vec::new();
        for (kind, sum, told, now, before) in [
            (
                CounterKind::Created,
                &mut total.created,
                told.created,
                created,
                before.created,
            ),
            (CounterKind::Dud, &mut total.dud, told.dud, dud, before.dud),
            (
                CounterKind::Overflowed,
                &mut total.overflowed,
                told.overflowed,
                overflowed,
                before.overflowed,
            ),
            (
                CounterKind::Converted,
                &mut total.converted,
                told.converted,
                converted,
                before.converted,
            ),
            (CounterKind::Gcd, &mut total.gcd, told.gcd, gcd, before.gcd),
            (
                CounterKind::Fizzled,
                &mut total.fizzled,
                told.fizzled,
                fizzled,
                before.fizzled,
            ),
            (
                CounterKind::Remaining,
                &mut total.remaining,
                told.remaining,
                remaining,
                before.remaining,
            ),
        ] {
            *sum = sum.saturating_sub(before).saturating_add(now);
            if first || *sum != told {
                changed.push((kind, *sum));
            }
        }
        sparks.told = Some(sparks.total);
        for (kind, sum) in changed {
            self.counter(program, (kind, None), (event.time, sum))?;
        }
        Ok(())
    }
}

impl<W: Write> Exporter for Perfetto<W> {
    type Error = Error;
    type Report = Written;

    fn begin(&mut self, _state: &State) -> Result<(), Error> {
        self.packets.begin()?;
        self.tracks = Tracks::new(self.sessions);
        self.sessions = self.sessions.saturating_add(1);
        self.flows = Flows::default();
        self.rates.clear();
        self.sparks.clear();
        self.told_by = None;
        self.stopping = Stopping::default();
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
                self.message(state, event, &message.to_string_lossy())
            }
            EventBody::UserMarker { marker } => {
                self.marker(state, event, &marker.to_string_lossy())
            }
            EventBody::SparkCounters { .. } => self.sparks(state, event),
            _ => Ok(()),
        }
    }

    fn fact(&mut self, state: &State, fact: &Fact<'_>) -> Result<(), Error> {
        match fact {
            Fact::Thread(interval) => self.thread(state, interval),
            Fact::Cap(interval) => self.cap(state, interval),
            Fact::Wakeup(wakeup) => {
                self.flows.woken(wakeup);
                Ok(())
            }
            Fact::Migration(migration) => {
                self.flows.migrated(migration);
                Ok(())
            }
            Fact::Gone { id, .. } => {
                self.flows.gone(*id);
                Ok(())
            }
            Fact::Collection(collection) => self.collection(state, collection),
            Fact::Phase(phase) => self.phase(state, phase),
            Fact::Heap(value) => self.heap(state, value),
            Fact::Span(span) => self.span(state, span),
            // Collections are also shown as states of capabilities; the heap profile has formats of
            // its own.
            _ => Ok(()),
        }
    }

    fn end(&mut self, state: &State) -> Result<(), Error> {
        for (place, program) in place::all(state) {
            self.end_rate(place, state.time())?;
            self.tracks.program(&mut self.packets, (place, program))?;
        }
        let program = state.programs().first();
        if !std::mem::replace(&mut self.clock_is_told, true)
            && let Some(clock) = program.and_then(|program| program.wall_clock)
        {
            let first = state.first().unwrap_or(0);
            if let Ok(day) = u64::try_from(clock.at(first).unix_nanos()) {
                self.packets.clocks(first, day)?;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Written, Error> {
        self.packets.flush()?;
        Ok(self.packets.written)
    }
}
