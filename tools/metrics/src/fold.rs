//! From events to metrics: the one fold for all formats.

mod records;
mod session;
mod tally;
mod values;

use crate::collected::Collected;
use crate::counts::{Counts, Loser};
use crate::record::{Batch, Records};
use crate::resource::{About, Identity, Resource};
use eventlog_state::{Programs, Turn};
use ghc_eventlog::{Block, Encoded, Gap, Header, WallClock};
use session::Session;
use std::collections::VecDeque;
use std::sync::Arc;
pub use values::{Live, Process};

/// How to fold.
#[derive(Clone, Debug)]
pub struct Options {
    /// What is known of the program from elsewhere.
    pub about: About,
    /// Pass on the metrics at each multiple of this, in nanoseconds of the log. Without it they
    /// are only collected on request.
    pub interval: Option<u64>,
    /// Which single records are exported.
    pub records: Records,
    /// Pass on nothing before the program and the time of day are known.
    pub need_clock: bool,
    /// The clock, if it was found before.
    pub clock: Option<WallClock>,
    /// The program, if it was found before: logs of GHC 9.0 have it at their end.
    pub programs: Option<Programs>,
    /// The most bands of the heap profile, and the most names of spans.
    pub most: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            about: About::default(),
            interval: None,
            records: Records::default(),
            need_clock: false,
            clock: None,
            programs: None,
            most: 50,
        }
    }
}

/// The output of a fold.
#[derive(Clone, Debug)]
pub enum Output {
    /// The metrics at a moment of the log.
    Metrics(Collected),
    /// The records since the last batch.
    Records(Batch),
}

/// The receiver of the output.
pub type Out<'a> = &'a mut dyn FnMut(Output);

/// The most outputs that wait for the time of day.
const HELD: usize = 256;
/// The most records in a batch.
const BATCH: usize = 512;

/// Folds the log of one program, and of the same program over several connections.
#[derive(Debug)]
pub struct Fold {
    options: Options,
    session: Option<Box<Session>>,
    /// The counts of earlier sessions.
    earlier: Option<Earlier>,
    held: VecDeque<Output>,
    /// Bytes received before the present session.
    received: u64,
    /// Stops waiting for data that the log does not have.
    assumed: bool,
}

#[derive(Debug)]
struct Earlier {
    identity: Identity,
    clock: Option<WallClock>,
    counts: Counts,
    observed: Option<u64>,
    told: Vec<[u64; 7]>,
}

impl Fold {
    /// A fold without input.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            session: None,
            earlier: None,
            held: VecDeque::new(),
            received: 0,
            assumed: false,
        }
    }

    /// Whether a log has begun.
    pub fn is_begun(&self) -> bool {
        self.session.is_some()
    }

    /// The program.
    pub fn resource(&self) -> Option<Arc<Resource>> {
        let session = self.session.as_ref()?;
        Some(session.resource(&self.options))
    }

    /// What the log says about its programs.
    pub fn programs(&self) -> Option<&Programs> {
        self.session
            .as_ref()
            .map(|session| session.state.programs())
    }

    /// The latest time of the log. Nanoseconds.
    pub fn reached(&self) -> u64 {
        self.session.as_ref().map_or(0, |session| session.at())
    }

    /// Whether the program and the time of day of its time 0 are known.
    pub fn is_identified(&self) -> bool {
        let session = self.session.as_ref();
        session.is_some_and(|session| session.clock.is_some() && session.identity.is_some())
            || self.assumed
    }

    /// Sets the time of day, for a program that does not log it.
    pub fn assume_clock(&mut self, clock: WallClock, out: Out<'_>) {
        self.options.clock.get_or_insert(clock);
        self.assumed = true;
        if let Some(session) = &mut self.session {
            session.clock.get_or_insert(clock);
        }
        self.release(false, out);
    }

    /// The process that wrote the log, and when it started, in nanoseconds of Unix time.
    pub fn process(&self) -> Option<(u32, i128)> {
        let session = self.session.as_ref()?;
        let pid = session.state.programs().first()?.pid?;
        Some((pid, session.clock?.at(0).unix_nanos()))
    }

    /// A header: a log begins, of a program or of the same one once more.
    pub fn session(&mut self, header: &Arc<Header>, out: Out<'_>) {
        self.end(out);
        if self.session.is_some() {
            // That belonged to the earlier log.
            (self.options.clock, self.options.programs) = (None, None);
        }
        let received = std::mem::take(&mut self.received);
        let session = Session::new(header, &self.options, received);
        self.session = Some(Box::new(session));
        self.describe();
    }

    /// Counts received bytes of any kind.
    pub fn received(&mut self, bytes: usize) {
        match &mut self.session {
            Some(session) => session.tally.counts.received += bytes as u64,
            None => self.received += bytes as u64,
        }
    }

    /// Bytes could not be decoded.
    pub fn gap(&mut self, gap: &Gap) {
        if let Some(session) = &mut self.session {
            session.tally.counts.lost(Loser::Exporter, 0, gap.length);
        }
    }

    /// A block begins, in the turn of its first event.
    pub fn block(&mut self, block: &Block<'_>) {
        if let Some(session) = &mut self.session {
            let tally = &mut session.tally;
            session
                .state
                .block(block, &mut |fact| tally.see(&fact, None));
        }
    }

    /// Handles an event.
    #[inline]
    pub fn event(&mut self, event: &Encoded<'_>, turn: Turn, out: Out<'_>) {
        if let (Some(interval), Some(session)) = (self.options.interval, &self.session)
            && event.cap.is_some()
            && turn != Turn::Late
        {
            match session.next {
                Some(next) if event.time >= next => self.interval(event.time, interval, out),
                Some(_) => {}
                None => {
                    let next = (event.time / interval + 1).saturating_mul(interval);
                    if let Some(session) = &mut self.session {
                        session.next = Some(next);
                    }
                }
            }
        }
        let Some(session) = &mut self.session else {
            return;
        };
        let describes = session.event(event, turn, &self.options);
        if describes {
            self.describe();
        } else if session.logs.len() + session.spans.len() >= BATCH {
            self.records(out);
        }
    }

    /// An event describes the program.
    fn describe(&mut self) {
        let Some(session) = &mut self.session else {
            return;
        };
        let known = session.identity.is_some() && session.clock.is_some();
        if known {
            return;
        }
        let program = session.state.programs().first();
        let told = program.and_then(|program| program.wall_clock);
        session.clock = told.or(session.clock);
        let host = self.options.about.host.as_deref().unwrap_or_default();
        let before = self.earlier.as_ref().map(|earlier| earlier.identity);
        let programs = session.programs(&self.options);
        session.identity = Identity::of(programs, session.clock, host, before);
        if let Some(identity) = session.identity
            && let Some(earlier) = self.earlier.take()
            && earlier.identity == identity
        {
            // The same program: its counters go on.
            let later = std::mem::replace(&mut session.tally.counts, earlier.counts);
            session.tally.counts.add(later);
            session.observed = earlier.observed.or(session.observed);
            session.clock = earlier.clock.or(session.clock);
            session.told = earlier.told;
        }
    }

    /// An event has a time at or after the next multiple of the interval.
    #[cold]
    fn interval(&mut self, time: u64, interval: u64, out: Out<'_>) {
        let latest = time / interval * interval;
        let next = self.session.as_ref().and_then(|session| session.next);
        for at in [
            next,
            Some(latest).filter(|at| next.is_some_and(|next| next < *at)),
        ] {
            let Some(at) = at else { continue };
            self.records(out);
            if let Some(collected) = self.collect_at(at, None) {
                self.hand_on(Output::Metrics(collected), out);
            }
            if let Some(session) = &mut self.session {
                session.bands.told();
            }
        }
        if let Some(session) = &mut self.session {
            session.next = Some(latest.saturating_add(interval));
        }
    }

    fn records(&mut self, out: Out<'_>) {
        let Some(session) = &mut self.session else {
            return;
        };
        if session.logs.is_empty() && session.spans.is_empty() {
            return;
        }
        let batch = Batch {
            logs: std::mem::take(&mut session.logs),
            spans: std::mem::take(&mut session.spans),
            clock: session.clock,
            resource: session.resource(&self.options),
        };
        self.hand_on(Output::Records(batch), out);
    }

    /// Passes on an output, once its time of day is known.
    fn hand_on(&mut self, output: Output, out: Out<'_>) {
        if self.options.need_clock && !self.is_identified() {
            self.held.push_back(output);
            // Too many wait: the oldest is passed on without it.
            if self.held.len() > HELD
                && let Some(oldest) = self.held.pop_front()
            {
                out(oldest);
            }
            return;
        }
        self.release(false, out);
        out(output);
    }

    /// Passes on what has waited for the clock, if that is known, or `anyway`.
    fn release(&mut self, anyway: bool, out: Out<'_>) {
        let Some(session) = &self.session else {
            return;
        };
        if self.held.is_empty() || !(anyway || self.is_identified()) {
            return;
        }
        let resource = session.resource(&self.options);
        let clock = session.clock;
        for mut output in self.held.drain(..) {
            match &mut output {
                Output::Metrics(collected) => {
                    collected.clock = clock;
                    collected.resource = Arc::clone(&resource);
                }
                Output::Records(batch) => {
                    batch.clock = clock;
                    batch.resource = Arc::clone(&resource);
                }
            }
            out(output);
        }
    }

    /// The metrics now; `live` has the values of a running program from outside its log. `None`
    /// if there is no program.
    pub fn collect(&mut self, live: Option<&Live>) -> Option<Collected> {
        let at = self.session.as_ref()?.at();
        self.collect_at(at, live)
    }

    fn collect_at(&mut self, at: u64, live: Option<&Live>) -> Option<Collected> {
        let session = self.session.as_mut()?;
        session.tally.counts.spans.settle(self.options.most);
        session.keep_told(at);
        Some(Collected {
            resource: session.resource(&self.options),
            time: at,
            clock: session.clock,
            families: values::families(session, at, live),
        })
    }

    /// Only the values from outside the log of a running program, as of now.
    pub fn live(&self, live: &Live) -> Option<Collected> {
        let session = self.session.as_ref()?;
        let now = ghc_eventlog::UnixTime::from_unix_nanos(live.now.into());
        Some(Collected {
            resource: session.resource(&self.options),
            time: session.clock?.log_time(now)?,
            clock: session.clock,
            families: values::live_families(session, live),
        })
    }

    /// Ends the log: passes on the rest, and the final metrics.
    pub fn finish(&mut self, out: Out<'_>) {
        self.end(out);
    }

    /// The present log has ended.
    fn end(&mut self, out: Out<'_>) {
        self.records(out);
        if self.options.interval.is_some()
            && let Some(collected) = self.collect(None)
        {
            self.hand_on(Output::Metrics(collected), out);
        }
        self.release(true, out);
        let Some(session) = &mut self.session else {
            return;
        };
        if let Some(identity) = session.identity {
            self.earlier = Some(Earlier {
                identity,
                clock: session.clock,
                counts: session.tally.counts.clone(),
                observed: session.observed,
                told: session.told.clone(),
            });
        }
    }
}
