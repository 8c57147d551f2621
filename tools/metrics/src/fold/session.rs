//! One log of a program.

use super::Options;
use super::records;
use super::tally::Tally;
use crate::bands::Bands;
use crate::record::{LogRecord, SpanRecord};
use crate::resource::{Identity, Resource};
use eventlog_state::{Keep, Limits, Programs, State, Turn};
use ghc_eventlog::{Encoded, Event, EventBody, Header, WallClock, ids};
use rustc_hash::FxHashSet;
use std::sync::Arc;

/// The limit for definitions, in bytes; they are kept to name the bands of heap profiles.
const DEFINITIONS: usize = 256 << 20;
/// More OS threads than this are not counted separately.
const TASKS: usize = 1 << 20;

/// A log.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) state: State,
    pub(super) tally: Tally,
    pub(super) bands: Bands,
    pub(super) tasks: FxHashSet<u64>,
    pub(super) tells_tasks: bool,
    /// The time of the first event of all.
    pub(super) observed: Option<u64>,
    /// The latest time of an event of a capability.
    pub(super) reached: u64,
    /// The next multiple of the interval.
    pub(super) next: Option<u64>,
    pub(super) clock: Option<WallClock>,
    pub(super) identity: Option<Identity>,
    /// The last exported times of capabilities: they never decrease.
    pub(super) told: Vec<[u64; 7]>,
    pub(super) logs: Vec<LogRecord>,
    pub(super) spans: Vec<SpanRecord>,
}

impl Session {
    /// A session without events. `received`: bytes that arrived before its header.
    pub(super) fn new(header: &Arc<Header>, options: &Options, received: u64) -> Self {
        let keep = Keep {
            definitions: false,
            oddities: false,
            limits: Limits {
                definition_bytes: DEFINITIONS,
                ..Limits::default()
            },
            ..Keep::all()
        };
        let mut tally = Tally::new(options.records, options.most);
        tally.counts.received = received;
        Self {
            state: State::new(header, keep),
            tally,
            bands: Bands::default(),
            tasks: FxHashSet::default(),
            tells_tasks: false,
            observed: None,
            reached: 0,
            next: None,
            clock: options.clock,
            identity: None,
            told: Vec::new(),
            logs: Vec::new(),
            spans: Vec::new(),
        }
    }

    /// The latest time so far.
    pub(super) fn at(&self) -> u64 {
        match self.reached {
            0 => self.state.time(),
            reached => reached,
        }
    }

    /// The program according to the log, or as it was known before.
    pub(super) fn programs<'a>(&'a self, options: &'a Options) -> &'a Programs {
        let own = self.state.programs();
        let tells = own.first().is_some_and(|program| program.pid.is_some());
        options.programs.as_ref().filter(|_| !tells).unwrap_or(own)
    }

    pub(super) fn resource(&self, options: &Options) -> Arc<Resource> {
        let programs = self.programs(options);
        Arc::new(Resource::of(programs, &options.about, self.identity))
    }

    /// Handles an event. Returns whether it describes the program.
    #[inline]
    pub(super) fn event(&mut self, event: &Encoded<'_>, turn: Turn, options: &Options) -> bool {
        if self.observed.is_none() {
            self.observed = Some(event.time);
        }
        if event.cap.is_some() {
            self.reached = self.reached.max(event.time);
        }
        self.tally.counts.events += 1;
        let mut describes = false;
        let mut started = None;
        match event.id() {
            ids::THREAD_WAKEUP => {}
            ids::RUN_THREAD => {
                if let EventBody::RunThread { thread } = event.body_as(ids::RUN_THREAD) {
                    started = Some(thread);
                }
            }
            ids::STOP_THREAD => {
                if let EventBody::StopThread { status, .. } = event.body_as(ids::STOP_THREAD) {
                    self.tally.stop(status);
                }
            }
            _ => describes = self.rare(&event.decode(), options),
        }
        let tally = &mut self.tally;
        self.state
            .apply_encoded(event, turn, &mut |fact| tally.see(&fact, started));
        if tally.has_more() {
            self.more(options);
        }
        if event.id() == ids::SPARK_COUNTERS
            && let Some(number) = event.cap
            && let EventBody::SparkCounters { .. } = event.body()
        {
            let sparks = self.state.cap(number).and_then(|cap| cap.sparks());
            self.tally.counts.cap(number).sparks = sparks;
        }
        describes
    }

    /// Handles an event other than those of which there are most, before the state does. Returns
    /// whether it describes the program.
    #[inline(never)]
    fn rare(&mut self, event: &Event<'_>, options: &Options) -> bool {
        let tally = &mut self.tally;
        match event.body {
            EventBody::CreateThread { .. } => tally.counts.created += 1,
            EventBody::UserMsg { .. } => {
                tally.counts.messages += 1;
                if options.records.logs {
                    self.logs.extend(records::message(event, &self.state));
                }
            }
            EventBody::UserMarker { .. } => {
                tally.counts.markers += 1;
                if options.records.logs {
                    self.logs.extend(records::message(event, &self.state));
                }
            }
            EventBody::ThreadLabel { thread, label } if options.records.labels => {
                self.logs.push(records::label(event.time, thread, label));
            }
            EventBody::TaskCreate { task, .. } => {
                self.tells_tasks = true;
                if self.tasks.len() < TASKS {
                    self.tasks.insert(task);
                }
            }
            EventBody::TaskDelete { task } => {
                self.tells_tasks = true;
                self.tasks.remove(&task);
            }
            EventBody::MemReturn { returned, .. } => {
                let bytes = u64::from(returned).saturating_mul(megablock(&self.state));
                let counts = &mut self.tally.counts;
                counts.returned = counts.returned.saturating_add(bytes);
            }
            EventBody::WallClockTime { .. } => {
                // Until it is known which program the clock belongs to.
                self.clock = self.clock.or_else(|| WallClock::from_event(event));
                return true;
            }
            EventBody::OsprocessPid { .. }
            | EventBody::CapsetAssignCap { .. }
            | EventBody::CapsetCreate { .. } => return true,
            _ => {}
        }
        false
    }

    /// Handles what the tally has kept because it needs the state.
    #[cold]
    fn more(&mut self, options: &Options) {
        if let Some(sample) = self.tally.sample.take() {
            let symbols = self.state.definitions().symbols();
            self.bands.sample(&sample, symbols, options.most);
            if options.interval.is_none() {
                // No reader needs each value.
                self.bands.told();
            }
        }
        for span in std::mem::take(&mut self.tally.ended) {
            self.spans.push(records::nested(&span, &self.state));
        }
        self.spans.append(&mut self.tally.spans);
        self.logs.append(&mut self.tally.logs);
        for of in std::mem::take(&mut self.tally.collections) {
            self.spans.push(records::collection(&of));
        }
    }
}

/// Bytes of a megablock: a megabyte, unless the log says otherwise.
pub(super) fn megablock(state: &State) -> u64 {
    let program = state.programs().first();
    let parameters = program.and_then(|program| program.heap);
    parameters.map_or(1 << 20, |heap| heap.mblock_size)
}
