//! The values of the table's metrics.

use super::session::{Session, megablock};
use super::tally::reason;
use crate::collected::{Attribute, Attributes, Family, Point, Value};
use crate::counts::{Counts, Loser, REASONS};
use crate::histogram::Histogram;
use crate::table::{self, Metric, Since};
use eventlog_state::{CapState, SparkCounters, ThreadState};
use ghc_eventlog::StopStatus;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Values of a running program from outside its log.
#[derive(Clone, Copy, Debug)]
pub struct Live {
    /// The time of day, in nanoseconds of Unix time.
    pub now: u64,
    /// How many connections there are to it.
    pub connections: u64,
    /// How often the connection was made again.
    pub reconnections: u64,
    /// Its process, if it is on this machine.
    pub process: Option<Process>,
}

/// What the system reports about a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Physical memory in bytes.
    pub memory: u64,
    /// Processor time in nanoseconds: its own, and that of the kernel for it.
    pub user: u64,
    /// The same of the kernel.
    pub system: u64,
}

/// Collects values in the order of the table.
struct Values {
    families: Vec<Family>,
    observed: u64,
}

impl Values {
    fn add(&mut self, metric: &'static Metric, attributes: Attributes, value: Value) {
        let start = match metric.since {
            Since::Program => 0,
            Since::Observed => self.observed,
        };
        let point = Point {
            attributes,
            value,
            start,
        };
        match self.families.last_mut() {
            Some(family) if std::ptr::eq(family.metric, metric) => family.points.push(point),
            _ => self.families.push(Family {
                metric,
                points: vec![point],
            }),
        }
    }

    fn int(&mut self, metric: &'static Metric, value: u64) {
        self.add(metric, Vec::new(), Value::Int(value));
    }

    fn int_of(&mut self, metric: &'static Metric, of: impl Into<Attribute>, value: u64) {
        let attributes = vec![(metric.attributes[0], of.into())];
        self.add(metric, attributes, Value::Int(value));
    }

    fn maybe(&mut self, metric: &'static Metric, value: Option<u64>) {
        if let Some(value) = value {
            self.int(metric, value);
        }
    }

    fn histogram(&mut self, metric: &'static Metric, attributes: Attributes, of: &Arc<Histogram>) {
        self.add(metric, attributes, Value::Histogram(Arc::clone(of)));
    }
}

/// All values as of a time.
pub(crate) fn families(session: &Session, at: u64, live: Option<&Live>) -> Vec<Family> {
    let mut values = Values {
        families: Vec::new(),
        observed: session.observed.unwrap_or(0),
    };
    heap(&mut values, session);
    collections(&mut values, session);
    capabilities(&mut values, session);
    threads(&mut values, session);
    sparks(&mut values, &session.tally.counts);
    program(&mut values, &session.tally.counts);
    if let Some(live) = live {
        connection(&mut values, session, live);
    }
    values.add(&table::PROCESS_UPTIME, Vec::new(), Value::Nanos(at));
    if let Some(process) = live.and_then(|live| live.process) {
        self::process(&mut values, process);
    }
    values.families
}

/// Only the values that change without events.
pub(crate) fn live_families(session: &Session, live: &Live) -> Vec<Family> {
    let mut values = Values {
        families: Vec::new(),
        observed: session.observed.unwrap_or(0),
    };
    connection(&mut values, session, live);
    if let Some(process) = live.process {
        self::process(&mut values, process);
    }
    values.families
}

fn heap(values: &mut Values, session: &Session) {
    let state = &session.state;
    // The heaps of merged logs are added up.
    let sum = |of: fn(&eventlog_state::Heap) -> Option<u64>| {
        let told = state.heaps().filter_map(|(_, heap)| of(heap));
        told.reduce(u64::saturating_add)
    };
    values.maybe(&table::HEAP_LIVE, sum(eventlog_state::Heap::live));
    values.maybe(&table::HEAP_SIZE, sum(eventlog_state::Heap::size));
    values.maybe(&table::HEAP_IN_USE, sum(eventlog_state::Heap::blocks));
    let limits = state.programs().iter().filter_map(|program| program.heap);
    let limits = limits.map(|heap| heap.max_heap).filter(|&most| most > 0);
    values.maybe(&table::HEAP_LIMIT, limits.reduce(u64::saturating_add));
    let counts = &session.tally.counts;
    for (number, cap) in (0..=u16::MAX).zip(&counts.caps) {
        if let Some(bytes) = cap.allocated {
            values.int_of(&table::HEAP_ALLOCATED, number, bytes);
        }
    }
    for (attributes, bytes) in session.bands.points() {
        values.add(&table::HEAP_PROFILE_SIZE, attributes, Value::Int(bytes));
    }
    let megablock = megablock(state);
    let returned = |of: fn(&eventlog_state::Returned) -> u32| {
        let told = state.heaps().filter_map(|(_, heap)| heap.returned());
        let told = told.map(|returned| u64::from(of(&returned)).saturating_mul(megablock));
        told.reduce(u64::saturating_add)
    };
    values.maybe(&table::MEMORY_COMMITTED, returned(|of| of.current));
    values.maybe(&table::MEMORY_NEEDED, returned(|of| of.needed));
    values.int(&table::MEMORY_RETURNED, counts.returned);
}

fn collections(values: &mut Values, session: &Session) {
    let counts = &session.tally.counts;
    // All generations, also before their first collection.
    let program = session.state.programs().first();
    let known = program.and_then(|program| program.heap);
    let known = known.map_or(0, |heap| heap.generations.min(16));
    let mut all: BTreeMap<Option<u16>, _> = (0..known)
        .map(|number| (Some(number), Default::default()))
        .collect();
    all.extend(
        counts
            .generations
            .iter()
            .map(|(number, of)| (*number, of.clone())),
    );
    let attributes = |number: Option<u16>| -> Attributes {
        let number = number.map(|number| ("ghc.gc.generation", number.into()));
        number.into_iter().collect()
    };
    for (&number, of) in &all {
        let count = Value::Int(of.collections);
        values.add(&table::GC_COLLECTIONS, attributes(number), count);
    }
    for (&number, of) in &all {
        values.histogram(&table::GC_PAUSE_DURATION, attributes(number), &of.pause);
    }
    values.histogram(&table::GC_SYNC_DURATION, Vec::new(), &counts.sync);
    for (&number, of) in all.iter().filter(|(number, _)| number.is_some()) {
        values.add(&table::GC_COPIED, attributes(number), Value::Int(of.copied));
    }
    values.int(&table::GC_PARALLEL_COPIED, counts.parallel_copied);
    values.int(&table::GC_PARALLEL_BALANCED, counts.parallel_balanced);
    if let Some((fragmentation, slop)) = session.tally.last {
        values.int(&table::GC_LAST_FRAGMENTATION, fragmentation);
        values.int(&table::GC_LAST_SLOP, slop);
    }
    values.histogram(&table::GC_NONMOVING_MARK_DURATION, Vec::new(), &counts.mark);
    values.histogram(
        &table::GC_NONMOVING_SYNC_DURATION,
        Vec::new(),
        &counts.final_sync,
    );
}

impl Session {
    /// The time of each capability in its states up to `at`, including the present state.
    fn times(&self, at: u64) -> Vec<[u64; 7]> {
        let counts = &self.tally.counts;
        let mut times: Vec<[u64; 7]> = counts.caps.iter().map(|cap| cap.time).collect();
        for (number, cap) in self.state.caps() {
            let index = usize::from(number);
            if times.len() <= index {
                times.resize(index + 1, [0; 7]);
            }
            times[index][cap.state() as usize] += at.saturating_sub(cap.since());
        }
        times
    }

    /// Stores the exported times of capabilities: an event with an earlier time must not decrease
    /// a counter.
    pub(super) fn keep_told(&mut self, at: u64) {
        let times = self.times(at);
        if self.told.len() < times.len() {
            self.told.resize(times.len(), [0; 7]);
        }
        for (told, now) in self.told.iter_mut().flatten().zip(times.iter().flatten()) {
            *told = (*told).max(*now);
        }
    }
}

fn capabilities(values: &mut Values, session: &Session) {
    let state = &session.state;
    let counted = (0..=u16::MAX).zip(&session.tally.counts.caps);
    let counted = counted
        .filter(|(_, cap)| cap.seen)
        .map(|(number, _)| number);
    let known: BTreeSet<u16> = state
        .caps()
        .map(|(number, _)| number)
        .chain(counted)
        .collect();
    let states = CapState::ALL
        .into_iter()
        .filter(|state| *state != CapState::Unknown);
    for number in known {
        let Some(times) = session.told.get(usize::from(number)) else {
            continue;
        };
        for state in states.clone() {
            let attributes = vec![
                ("ghc.capability.id", number.into()),
                ("ghc.capability.state", state.name().into()),
            ];
            let time = Value::Nanos(times[state as usize]);
            values.add(&table::CAPABILITY_TIME, attributes, time);
        }
    }
    let (mut enabled, mut disabled) = (0, 0);
    for (_, cap) in state.caps().filter(|(_, cap)| !cap.is_deleted()) {
        match cap.is_disabled() {
            true => disabled += 1,
            false => enabled += 1,
        }
    }
    if enabled + disabled > 0 {
        for (yes, count) in [(true, enabled), (false, disabled)] {
            values.int_of(&table::CAPABILITY_COUNT, Attribute::Bool(yes), count);
        }
    }
}

/// The block reasons that have names.
fn block_reasons() -> impl Iterator<Item = u16> {
    (0..REASONS as u16).filter(|&code| {
        let why = StopStatus(code);
        let blocked = matches!(ThreadState::after(why, None), ThreadState::Blocked { .. });
        blocked && why.name().is_some()
    })
}

fn reason_name(code: u16) -> Attribute {
    StopStatus(code).name().unwrap_or("other").into()
}

fn threads(values: &mut Values, session: &Session) {
    let (state, counts) = (&session.state, &session.tally.counts);
    if state.classes().scheduler {
        let mut alive: BTreeMap<&'static str, u64> =
            [("foreign_call", 0), ("runnable", 0), ("running", 0)].into();
        // Reasons with blocked threads before are exported once more when there are none.
        let mut blocked: BTreeMap<u16, u64> =
            counts.blocked.keys().map(|&code| (code, 0)).collect();
        for (_, thread) in state.threads() {
            match thread.state() {
                ThreadState::Blocked { why, .. } => {
                    *blocked.entry(reason(why)).or_default() += 1;
                }
                other => *alive.entry(other.name()).or_default() += 1,
            }
        }
        for (code, count) in blocked {
            let attributes = vec![
                ("ghc.thread.state", "blocked".into()),
                ("ghc.thread.block.reason", reason_name(code)),
            ];
            values.add(&table::THREAD_COUNT, attributes, Value::Int(count));
        }
        for (name, count) in alive {
            values.int_of(&table::THREAD_COUNT, name, count);
        }
    }
    values.int(&table::THREAD_CREATIONS, counts.created);
    values.int(&table::THREAD_COMPLETIONS, counts.finished);
    values.int(&table::THREAD_MIGRATIONS, counts.migrations);
    let mut other = 0;
    for (code, &count) in (0..=u16::MAX).zip(&counts.stops) {
        match StopStatus(code).name() {
            Some(name) => values.int_of(&table::THREAD_SWITCHES, name, count),
            None => other += count,
        }
    }
    if other > 0 {
        values.int_of(&table::THREAD_SWITCHES, "other", other);
    }
    values.histogram(
        &table::THREAD_SCHEDULE_DURATION,
        Vec::new(),
        &Arc::new(counts.schedule.clone()),
    );
    let mut reasons: BTreeSet<u16> = block_reasons().collect();
    reasons.extend(counts.blocked.keys());
    for code in reasons {
        let attributes = vec![("ghc.thread.block.reason", reason_name(code))];
        let of = counts.blocked.get(&code).cloned().unwrap_or_default();
        values.histogram(&table::THREAD_BLOCKED_DURATION, attributes, &Arc::new(of));
    }
    if session.tells_tasks {
        values.int(&table::TASK_COUNT, session.tasks.len() as u64);
    }
}

fn sparks(values: &mut Values, counts: &Counts) {
    let told = || counts.caps.iter().filter_map(|cap| cap.sparks);
    let Some(all) = told().reduce(SparkCounters::plus) else {
        return;
    };
    let metric = &table::SPARK_CREATIONS;
    values.int_of(metric, "created", all.created);
    values.int_of(metric, "dud", all.dud);
    values.int_of(metric, "overflowed", all.overflowed);
    let metric = &table::SPARK_COMPLETIONS;
    values.int_of(metric, "collected", all.gcd);
    values.int_of(metric, "converted", all.converted);
    values.int_of(metric, "fizzled", all.fizzled);
    for (number, cap) in (0..=u16::MAX).zip(&counts.caps) {
        if let Some(sparks) = cap.sparks {
            values.int_of(&table::SPARK_POOL_SIZE, number, sparks.remaining);
        }
    }
}

fn program(values: &mut Values, counts: &Counts) {
    for (name, of) in counts.spans.iter() {
        let name = name.map_or(crate::bands::OTHER.into(), |name| {
            Attribute::Text(Arc::clone(name))
        });
        let attributes = vec![("ghc.user_span.name", name)];
        values.histogram(&table::USER_SPAN_DURATION, attributes, of);
    }
    values.int(&table::USER_MESSAGES, counts.messages);
    values.int(&table::USER_MARKERS, counts.markers);
    values.int(&table::EVENTLOG_EVENTS, counts.events);
    values.int(&table::EVENTLOG_RECEIVED, counts.received);
    for by in Loser::ALL {
        values.int_of(
            &table::EVENTLOG_LOST,
            by.name(),
            counts.lost_bytes[by as usize],
        );
    }
    for by in Loser::ALL {
        let chunks = counts.lost_chunks[by as usize];
        values.int_of(&table::EVENTLOG_LOST_CHUNKS, by.name(), chunks);
    }
}

fn connection(values: &mut Values, session: &Session, live: &Live) {
    if let Some(clock) = session.clock {
        let newest = clock.at(session.at()).unix_nanos();
        let lag = i128::from(live.now) - newest;
        let lag = Value::Nanos(u64::try_from(lag.max(0)).unwrap_or(u64::MAX));
        values.add(&table::EVENTLOG_LAG, Vec::new(), lag);
    }
    values.int(&table::EVENTLOG_CONNECTION_COUNT, live.connections);
    values.int(&table::EVENTLOG_RECONNECTIONS, live.reconnections);
}

fn process(values: &mut Values, process: Process) {
    values.int(&table::PROCESS_MEMORY_USAGE, process.memory);
    for (mode, time) in [("system", process.system), ("user", process.user)] {
        let attributes = vec![("cpu.mode", mode.into())];
        values.add(&table::PROCESS_CPU_TIME, attributes, Value::Nanos(time));
    }
}
