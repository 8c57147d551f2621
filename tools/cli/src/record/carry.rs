//! What a log must say again when it goes on in a new file.
//!
//! Definitions (capabilities, arguments, wall clock, cost centres, info
//! tables, ...) come once, at the start of a log. A file that begins later
//! would be half unreadable without them. So they are kept, as they were, and
//! repeated at the start of each file, together with the threads that exist.

use super::draft::Draft;
use ghc_eventlog::notes::Note;
use ghc_eventlog::{Event, EventBody, Header, Item, StopStatus, Text, ids};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// Kept definitions may take so much memory.
const MAX_BYTES: usize = 64 << 20;
/// Threads and labels beyond this many are not repeated.
const MAX_THREADS: usize = 1 << 20;

/// How many threads that are over are remembered.
const MAX_FINISHED: usize = 1 << 17;

/// A definition: the type of event and what it defines.
type Key = (u16, u64);

/// What is kept.
#[derive(Debug, Default)]
pub struct Carry {
    definitions: BTreeMap<Key, (u64, u64, Vec<u8>)>,
    bytes: usize,
    arrivals: u64,
    /// Running totals and present sizes, by capability.
    totals: BTreeMap<(Option<u16>, u16), (u64, Vec<u8>)>,
    threads: HashMap<u32, Thread>,
    finished: Finished,
    /// Where each capability has come to, and what it runs.
    caps: BTreeMap<Option<u16>, Cap>,
    dropped: bool,
}

#[derive(Debug, Default)]
struct Thread {
    /// The newest that is known of it, and from when that is.
    cap: Option<u16>,
    time: u64,
    label: Option<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Cap {
    time: u64,
    running: Option<u32>,
}

/// Threads that have finished lately.
#[derive(Debug, Default)]
struct Finished {
    set: HashSet<u32>,
    order: VecDeque<u32>,
}

impl Finished {
    fn add(&mut self, thread: u32) {
        if self.set.insert(thread) {
            self.order.push_back(thread);
        }
        if self.order.len() > MAX_FINISHED
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
    }

    fn contains(&self, thread: u32) -> bool {
        self.set.contains(&thread)
    }
}

impl Carry {
    /// Takes note of an item.
    pub fn note(&mut self, item: &Item<'_>) {
        match item {
            Item::Header => *self = Self::default(),
            Item::Block(block) => {
                let cap = self.caps.entry(block.cap).or_default();
                cap.time = cap.time.max(block.time);
            }
            Item::Event(event) => self.event(event),
            _ => {}
        }
    }

    fn event(&mut self, event: &Event<'_>) {
        let id = event.id();
        match event.body {
            EventBody::CreateThread { thread } => self.create(thread, event.cap, event.time),
            EventBody::RunThread { thread } => {
                self.create(thread, event.cap, event.time);
                let cap = self.caps.entry(event.cap).or_default();
                (cap.time, cap.running) = (cap.time.max(event.time), Some(thread));
            }
            EventBody::StopThread { thread, status, .. } => {
                let cap = self.caps.entry(event.cap).or_default();
                (cap.time, cap.running) = (cap.time.max(event.time), None);
                if status == StopStatus::FINISHED {
                    self.threads.remove(&thread);
                    self.finished.add(thread);
                }
            }
            EventBody::MigrateThread { thread, new_cap } => {
                self.create(thread, Some(new_cap), event.time)
            }
            EventBody::ThreadLabel { thread, label } => {
                if let Some(thread) = self.threads.get_mut(&thread) {
                    thread.label = Some(label.as_bytes().to_vec());
                }
            }
            EventBody::HeapAllocated { .. }
            | EventBody::HeapSize { .. }
            | EventBody::HeapLive { .. }
            | EventBody::BlocksSize { .. }
            | EventBody::SparkCounters { .. } => {
                self.totals
                    .insert((event.cap, id), (event.time, event.raw.to_vec()));
            }
            EventBody::CapEnable { enabled_cap } => {
                self.forget((ids::CAP_DISABLE, enabled_cap.into()))
            }
            EventBody::CapDelete { deleted_cap } => {
                self.forget((ids::CAP_CREATE, deleted_cap.into()))
            }
            EventBody::CapsetDelete { capset } => {
                let of_capset = [
                    ids::CAPSET_CREATE,
                    ids::RTS_IDENTIFIER,
                    ids::PROGRAM_ARGS,
                    ids::PROGRAM_ENV,
                    ids::OSPROCESS_PID,
                    ids::OSPROCESS_PPID,
                    ids::WALL_CLOCK_TIME,
                    ids::HEAP_INFO_GHC,
                ];
                for id in of_capset {
                    self.forget((id, capset.into()));
                }
            }
            EventBody::CapsetRemoveCap {
                capset,
                removed_cap,
            } => {
                self.forget((ids::CAPSET_ASSIGN_CAP, pair(capset, removed_cap)));
            }
            EventBody::TaskDelete { task } => self.forget((ids::TASK_CREATE, task)),
            _ => {
                if let Some(subject) = defines(&event.body) {
                    self.keep((id, subject), event);
                }
            }
        }
    }

    /// A thread is there. Capabilities deliver their blocks out of order, so
    /// this may be old news of a thread that is over.
    fn create(&mut self, thread: u32, cap: Option<u16>, time: u64) {
        if self.finished.contains(thread) {
            return;
        }
        if self.threads.len() < MAX_THREADS || self.threads.contains_key(&thread) {
            let state = self.threads.entry(thread).or_default();
            if state.time <= time {
                (state.cap, state.time) = (cap, time);
            }
        }
    }

    fn keep(&mut self, key: Key, event: &Event<'_>) {
        self.forget(key);
        if self.bytes + event.raw.len() > MAX_BYTES {
            self.dropped = true;
            return;
        }
        self.bytes += event.raw.len();
        self.arrivals += 1;
        self.definitions
            .insert(key, (self.arrivals, event.time, event.raw.to_vec()));
    }

    fn forget(&mut self, key: Key) {
        if let Some((.., raw)) = self.definitions.remove(&key) {
            self.bytes -= raw.len();
        }
    }

    /// The blocks with which a new file begins, after its header. `told` is a
    /// message that says what the file is.
    pub fn blocks(&self, header: &Header, told: &str, out: &mut Vec<u8>) {
        let mut block = Draft::new(None);
        let mut definitions: Vec<_> = self.definitions.values().collect();
        // Their numbers are positions for some readers: the order counts.
        definitions.sort_unstable_by_key(|(arrival, ..)| *arrival);
        for (_, time, raw) in definitions {
            block.raw(*time, raw);
            if block.len() > 1 << 20 {
                std::mem::replace(&mut block, Draft::new(None)).finish(out);
            }
        }
        let now = self.caps.values().map(|cap| cap.time).max().unwrap_or(0);
        block.event(
            header,
            now,
            &EventBody::LogMsg {
                message: told.into(),
            },
        );
        if self.dropped {
            let told = Note::NotAllRepeated.to_string();
            let message = told.as_str().into();
            block.event(header, now, &EventBody::LogMsg { message });
        }
        block.finish(out);
        // Threads must be there before the first block that mentions them,
        // and that may come from the capability that is furthest behind.
        let caps = self.caps.iter().filter(|(cap, _)| cap.is_some());
        let low = caps.clone().map(|(_, state)| state.time).min().unwrap_or(0);
        for (cap, state) in caps {
            self.cap((*cap, state), low, header, out);
        }
    }

    fn cap(&self, (cap, state): (Option<u16>, &Cap), low: u64, header: &Header, out: &mut Vec<u8>) {
        let mut block = Draft::new(cap);
        let Cap { time, running } = *state;
        for (_, (time, raw)) in self.totals.range((cap, 0)..=(cap, u16::MAX)) {
            block.raw(*time, raw);
        }
        let mut threads: Vec<_> = self
            .threads
            .iter()
            .filter(|(_, it)| it.cap == cap)
            .collect();
        threads.sort_unstable_by_key(|(thread, _)| **thread);
        for (&thread, state) in threads {
            block.event(header, low, &EventBody::CreateThread { thread });
            if let Some(label) = &state.label {
                let label = Text(label);
                block.event(header, low, &EventBody::ThreadLabel { thread, label });
            }
        }
        if let Some(thread) = running {
            block.event(header, time, &EventBody::RunThread { thread });
        }
        if !block.is_empty() {
            block.finish(out);
        }
    }
}

/// What the event defines, if it is a definition: later ones of the same
/// subject replace it.
fn defines(body: &EventBody<'_>) -> Option<u64> {
    Some(match *body {
        EventBody::CapsetCreate { capset, .. }
        | EventBody::RtsIdentifier { capset, .. }
        | EventBody::ProgramArgs { capset, .. }
        | EventBody::ProgramEnv { capset, .. }
        | EventBody::OsprocessPid { capset, .. }
        | EventBody::OsprocessPpid { capset, .. }
        | EventBody::WallClockTime { capset, .. }
        | EventBody::HeapInfoGhc { capset, .. } => capset.into(),
        EventBody::CapsetAssignCap {
            capset,
            assigned_cap,
        } => pair(capset, assigned_cap),
        EventBody::CapCreate { created_cap } => created_cap.into(),
        EventBody::CapDisable { disabled_cap } => disabled_cap.into(),
        EventBody::TaskCreate { task, .. } => task,
        EventBody::HeapProfBegin { profile, .. } => profile.into(),
        EventBody::HeapProfCostCentre { cost_centre, .. } => cost_centre.into(),
        EventBody::ProfBegin { .. } => 0,
        EventBody::Ipe { info, .. } => info,
        EventBody::TickyCounterDef { counter, .. } => counter,
        _ => return None,
    })
}

fn pair(capset: u32, cap: u16) -> u64 {
    u64::from(capset) << 16 | u64::from(cap)
}
