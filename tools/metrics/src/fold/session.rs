//! One log of a program.

use super::records::{collection, nested};
use super::tally::Tally;
use super::{Options, values};
use crate::bands::Bands;
use crate::record::{LogRecord, SpanRecord};
use crate::resource::{Identity, Resource};
use eventlog_state::{Keep, Limits, Programs, State, Turn};
use ghc_eventlog::{Event, EventBody, Header, WallClock};
use rustc_hash::FxHashSet;
use std::sync::Arc;

/// Bytes of definitions, which are kept to name the bands of heap profiles.
const DEFINITIONS: usize = 256 << 20;
/// OS threads beyond this are not told apart.
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
    /// The times of capabilities as they were told last: they never go back.
    pub(super) told: Vec<[u64; 7]>,
    pub(super) logs: Vec<LogRecord>,
    pub(super) spans: Vec<SpanRecord>,
}

impl Session {
    /// Nothing has come yet. `received`: bytes of it that came before its header.
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

    /// Up to when it has come.
    pub(super) fn at(&self) -> u64 {
        match self.reached {
            0 => self.state.time(),
            reached => reached,
        }
    }

    /// What the log tells of its program, or what was known before it did.
    pub(super) fn programs<'a>(&'a self, options: &'a Options) -> &'a Programs {
        let own = self.state.programs();
        let tells = own.first().is_some_and(|program| program.pid.is_some());
        options.programs.as_ref().filter(|_| !tells).unwrap_or(own)
    }

    pub(super) fn resource(&self, options: &Options) -> Arc<Resource> {
        let programs = self.programs(options);
        Arc::new(Resource::of(programs, &options.about, self.identity))
    }

    /// Takes an event. The answer is whether it tells something of the program.
    #[inline]
    pub(super) fn event(&mut self, event: &Event<'_>, turn: Turn, options: &Options) -> bool {
        if self.observed.is_none() {
            self.observed = Some(event.time);
        }
        if event.cap.is_some() {
            self.reached = self.reached.max(event.time);
        }
        let tally = &mut self.tally;
        tally.counts.events += 1;
        let mut describes = false;
        let mut counters = false;
        match event.body {
            EventBody::RunThread { .. } | EventBody::ThreadWakeup { .. } => {}
            EventBody::StopThread { status, .. } => tally.stop(status),
            EventBody::CreateThread { .. } => tally.counts.created += 1,
            EventBody::UserMsg { .. } => {
                tally.counts.messages += 1;
                self.message(event, options.records);
            }
            EventBody::UserMarker { .. } => {
                tally.counts.markers += 1;
                self.message(event, options.records);
            }
            EventBody::ThreadLabel { thread, label } if options.records.labels => {
                self.label(event.time, thread, label);
            }
            EventBody::SparkCounters { .. } => counters = true,
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
                let bytes = u64::from(returned).saturating_mul(values::megablock(&self.state));
                let counts = &mut self.tally.counts;
                counts.returned = counts.returned.saturating_add(bytes);
            }
            EventBody::WallClockTime { .. } => {
                // Until it is known whose clock it is.
                self.clock = self.clock.or_else(|| WallClock::from_event(event));
                describes = true;
            }
            EventBody::OsprocessPid { .. }
            | EventBody::CapsetAssignCap { .. }
            | EventBody::CapsetCreate { .. } => describes = true,
            _ => {}
        }
        let tally = &mut self.tally;
        self.state
            .apply(event, turn, &mut |fact| tally.see(&fact, Some(&event.body)));
        if tally.has_more() {
            self.more(options);
        }
        if counters && let Some(number) = event.cap {
            let sparks = self.state.cap(number).and_then(|cap| cap.sparks());
            self.tally.counts.cap(number).sparks = sparks;
        }
        describes
    }

    /// The tally has kept something that the state is needed for.
    #[cold]
    fn more(&mut self, options: &Options) {
        if let Some(sample) = self.tally.sample.take() {
            let symbols = self.state.definitions().symbols();
            self.bands.sample(&sample, symbols, options.most);
            if options.interval.is_none() {
                // Nobody waits for each value.
                self.bands.told();
            }
        }
        for span in std::mem::take(&mut self.tally.ended) {
            self.spans.push(nested(&span, &self.state));
        }
        self.spans.append(&mut self.tally.spans);
        self.logs.append(&mut self.tally.logs);
        for of in std::mem::take(&mut self.tally.collections) {
            self.spans.push(collection(&of));
        }
    }
}
