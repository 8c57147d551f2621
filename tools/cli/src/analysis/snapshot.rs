//! The state of a program at a moment, as a beginning of a log.
//!
//! A log that is cut off at the front lacks what was told before: the program,
//! its capabilities, cost centres, threads. A snapshot folds everything before
//! the cut and writes it again, dated at the cut, so that the rest makes sense
//! to every tool.

use ghc_eventlog::{Event, EventBody, Header, StopStatus, WallClock, encode_event};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of definitions that are kept at most.
const MOST: usize = 1 << 28;
/// At most so many threads, and so many tasks.
const MOST_THREADS: usize = 1 << 20;
/// A thread's label event, if it is longer, is not kept.
const LONGEST_LABEL: usize = 1024;

#[derive(Debug, Default)]
struct Thread {
    cap: Option<u16>,
    label: Option<Vec<u8>>,
    running: Option<u16>,
    /// How it stopped last, if it has run.
    stopped: Option<(StopStatus, Option<u32>)>,
}

/// Everything told before a moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Definitions, in their original order: numbers depend on it.
    definitions: Vec<(Option<u16>, Vec<u8>)>,
    bytes: usize,
    wall_clock: Option<(u32, WallClock)>,
    tasks: BTreeMap<u64, (Option<u16>, Vec<u8>)>,
    /// The latest of each kind of counter, by capability and type.
    counters: BTreeMap<(Option<u16>, u16), Vec<u8>>,
    threads: BTreeMap<u32, Thread>,
    collecting: BTreeSet<u16>,
}

impl Snapshot {
    pub fn event(&mut self, event: &Event<'_>) {
        if self.threads.len().max(self.tasks.len()) >= MOST_THREADS {
            // More than any program has: no attempt to be complete.
            return;
        }
        match event.body {
            EventBody::CreateThread { thread } => {
                let new = Thread {
                    cap: event.cap,
                    ..Thread::default()
                };
                self.threads.insert(thread, new);
            }
            EventBody::RunThread { thread } => {
                let thread = self.threads.entry(thread).or_default();
                (thread.cap, thread.running, thread.stopped) = (event.cap, event.cap, None);
            }
            EventBody::StopThread {
                thread,
                status: StopStatus::FINISHED,
                ..
            } => {
                self.threads.remove(&thread);
            }
            EventBody::StopThread {
                thread,
                status,
                info,
            } => {
                let thread = self.threads.entry(thread).or_default();
                (thread.running, thread.stopped) = (None, Some((status, info)));
            }
            EventBody::MigrateThread { thread, new_cap } => {
                self.threads.entry(thread).or_default().cap = Some(new_cap);
            }
            EventBody::ThreadLabel { thread, .. } if event.raw.len() <= LONGEST_LABEL => {
                self.threads.entry(thread).or_default().label = Some(event.raw.to_vec());
            }
            EventBody::GcStart => self.collecting.extend(event.cap),
            EventBody::GcEnd => {
                self.collecting.retain(|cap| Some(*cap) != event.cap);
            }
            EventBody::WallClockTime { capset, .. } => {
                self.wall_clock = WallClock::from_event(event).map(|clock| (capset, clock));
            }
            EventBody::TaskCreate { task, .. } => {
                self.tasks.insert(task, (event.cap, event.raw.to_vec()));
            }
            EventBody::TaskDelete { task } => {
                self.tasks.remove(&task);
            }
            EventBody::HeapAllocated { .. }
            | EventBody::HeapSize { .. }
            | EventBody::HeapLive { .. }
            | EventBody::BlocksSize { .. }
            | EventBody::MemReturn { .. }
            | EventBody::SparkCounters { .. } => {
                self.counters
                    .insert((event.cap, event.id()), event.raw.to_vec());
            }
            body if defines(&body) && self.bytes < MOST => {
                self.bytes += event.raw.len();
                let raw = event.raw_for_moving().into_owned();
                self.definitions.push((event.cap, raw));
            }
            _ => {}
        }
    }

    /// Hands on the events that bring a reader up to date at `time`.
    pub fn write<E>(
        &self,
        header: &Header,
        time: u64,
        mut push: impl FnMut(Option<u16>, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some((capset, clock)) = self.wall_clock {
            let wall = clock.at(time).unix_nanos();
            let seconds = u64::try_from(wall.div_euclid(1_000_000_000)).unwrap_or(0);
            let nanoseconds = wall.rem_euclid(1_000_000_000) as u32;
            let body = EventBody::WallClockTime {
                capset,
                seconds,
                nanoseconds,
            };
            new(header, time, None, &body, &mut push)?;
        }
        for (cap, raw) in self.definitions.iter().chain(self.tasks.values()) {
            push(*cap, &dated(raw, time))?;
        }
        for ((cap, _), raw) in &self.counters {
            push(*cap, &dated(raw, time))?;
        }
        for (&id, thread) in &self.threads {
            thread.write(id, header, time, &mut push)?;
        }
        for (&id, thread) in &self.threads {
            if thread.running.is_some() {
                let body = EventBody::RunThread { thread: id };
                new(header, time, thread.running, &body, &mut push)?;
            }
        }
        for &cap in &self.collecting {
            new(header, time, Some(cap), &EventBody::GcStart, &mut push)?;
        }
        Ok(())
    }
}

impl Thread {
    fn write<E>(
        &self,
        thread: u32,
        header: &Header,
        time: u64,
        push: &mut impl FnMut(Option<u16>, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let cap = self.cap.or(Some(0));
        new(header, time, cap, &EventBody::CreateThread { thread }, push)?;
        if let Some(label) = &self.label {
            push(cap, &dated(label, time))?;
        }
        if let Some((status, info)) = self.stopped {
            new(header, time, cap, &EventBody::RunThread { thread }, push)?;
            new(
                header,
                time,
                cap,
                &EventBody::StopThread {
                    thread,
                    status,
                    info,
                },
                push,
            )?;
        }
        Ok(())
    }
}

/// Whether later events depend on this one however long ago it was.
pub fn defines(body: &EventBody<'_>) -> bool {
    matches!(
        body,
        EventBody::Startup { .. }
            | EventBody::CapsetCreate { .. }
            | EventBody::CapsetDelete { .. }
            | EventBody::CapsetAssignCap { .. }
            | EventBody::CapsetRemoveCap { .. }
            | EventBody::RtsIdentifier { .. }
            | EventBody::ProgramArgs { .. }
            | EventBody::ProgramEnv { .. }
            | EventBody::OsprocessPid { .. }
            | EventBody::OsprocessPpid { .. }
            | EventBody::InternString { .. }
            | EventBody::WallClockTime { .. }
            | EventBody::CapCreate { .. }
            | EventBody::CapDelete { .. }
            | EventBody::CapDisable { .. }
            | EventBody::CapEnable { .. }
            | EventBody::HeapInfoGhc { .. }
            | EventBody::HeapProfBegin { .. }
            | EventBody::HeapProfCostCentre { .. }
            | EventBody::ProfBegin { .. }
            | EventBody::Ipe { .. }
            | EventBody::TickyCounterDef { .. }
    )
}

/// The same event at another time.
pub fn dated(raw: &[u8], time: u64) -> Vec<u8> {
    let mut raw = raw.to_vec();
    if let Some(place) = raw.get_mut(2..10) {
        place.copy_from_slice(&time.to_be_bytes());
    }
    raw
}

/// Hands on a new event, unless the log's header has no place for it.
fn new<E>(
    header: &Header,
    time: u64,
    cap: Option<u16>,
    body: &EventBody<'_>,
    push: &mut impl FnMut(Option<u16>, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut raw = Vec::new();
    match encode_event(header, time, body, &mut raw) {
        Ok(()) => push(cap, &raw),
        Err(_) => Ok(()),
    }
}
