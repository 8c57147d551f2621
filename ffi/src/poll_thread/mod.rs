//! The thread that owns every socket.
//!
//! One loop around `poll(2)`: the listener, the client, and the wake-up of the
//! writers. It blocks all signals, calls nothing of the RTS, and survives
//! whatever a client does. When nothing happens it sleeps without a timeout.
//!
//! Each round: learn definitions and do what was asked (here); take and serve the
//! client ([`serving`]); end the stream if it is time ([`ending`]); announce that it
//! is going to sleep, look once more, and sleep ([`sleeping`]).

mod ending;
mod input_budget;
mod serving;
mod sleeping;

use std::collections::HashSet;
use std::mem::ManuallyDrop;
use std::sync::atomic::Ordering;
use std::time::Duration;

use eventlog_ring::Consumer;

use crate::clock::{self, monotonic};
use crate::definitions::Definitions;
use crate::definitions_feed::DefinitionsFeed;
use crate::instance::Instance;
use crate::net::client::ClientOptions;
use crate::net::listener::{Address, Listener};
use crate::session::{self, Session};
use crate::status::Result;
use crate::storage::RingMemory;
use crate::threads::Waiting;
use crate::{alone, lock};
use input_budget::{InputBudget, VISIT};

/// Chunks learnt from per round, so that a flood of them does not keep the client
/// waiting.
const LEARNT_PER_ROUND: usize = 4096;
/// When descriptors or memory are short.
const RETRY: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(crate) struct PollThread {
    instance: &'static Instance,
    /// None: no client is to connect.
    address: Option<Address>,
    options: ClientOptions,
    listener: Option<Listener>,
    session: Option<Session>,
    chunks: Consumer<'static>,
    chunks_memory: ManuallyDrop<RingMemory>,
    feed: DefinitionsFeed,
    definitions: Definitions,
    /// The stream is to end by then.
    finish: Option<Duration>,
    /// When to try something again.
    retry: Option<Duration>,
    /// The facts, for which there was no memory, to be tried again then.
    facts_due: Option<Duration>,
    /// A descriptor was found to be closed, or to be somebody else's.
    lost: bool,
    /// The client takes nothing; from then on another gets its place.
    patience_ends: Option<Duration>,
    /// Something was sent over TCP: whether the client's machine has answered is looked
    /// into then.
    silence_ends: Option<Duration>,
    /// There is another, and that time has come.
    another_waits: bool,
    next_probe: Duration,
    /// When it was looked for others in the process.
    looked: Duration,
    input: InputBudget,
    visits: InputBudget,
    /// A client has come or gone in this round: the processor time of this thread then.
    visited: Option<Duration>,
    connections: u64,
    received: u64,
    /// Bytes of the ring that were populated.
    populated: usize,
}

/// What the loop has left to do, and so how it may sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activity {
    /// Not at all: there is more to do.
    Busy,
    /// Until something happens: all there is was sent.
    Idle,
    /// The same, or until the client takes more.
    Full,
}

/// The thread, which waits to be given what it runs.
pub(crate) fn prepare() -> Result<Waiting<PollThread>> {
    Waiting::start(c"eventlog-poll", PollThread::run)
}

/// A writer that wakes this thread must not have to make room for it on its processor:
/// SCHED_BATCH threads do not preempt on wake-up (best effort).
fn yield_to_writers() {
    #[cfg(target_os = "linux")]
    {
        let none = libc::sched_param { sched_priority: 0 };
        // SAFETY: of the calling thread; the parameters live for the call.
        unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &none) };
    }
}

impl PollThread {
    pub(crate) fn new(
        instance: &'static Instance,
        address: Option<Address>,
        options: ClientOptions,
        listener: Option<Listener>,
        (mut chunks, chunks_memory): (Consumer<'static>, ManuallyDrop<RingMemory>),
        feed: DefinitionsFeed,
        definitions: Definitions,
    ) -> PollThread {
        instance.published.port.store(
            listener.as_ref().map_or(0, Listener::port),
            Ordering::Relaxed,
        );
        if listener.is_none() {
            chunks.reset();
        }
        PollThread {
            instance,
            address,
            options,
            listener,
            session: None,
            chunks,
            chunks_memory,
            feed,
            definitions,
            finish: None,
            retry: None,
            facts_due: None,
            lost: false,
            patience_ends: None,
            silence_ends: None,
            another_waits: false,
            next_probe: Duration::ZERO,
            looked: monotonic(),
            input: InputBudget::new(),
            visits: InputBudget::of_visits(),
            visited: None,
            connections: 0,
            received: 0,
            populated: 0,
        }
    }

    fn run(mut self) {
        alone::join_ours();
        lock::signals_stay_blocked();
        yield_to_writers();
        loop {
            self.learn(LEARNT_PER_ROUND);
            self.forget_marks();
            self.do_what_was_asked();
            self.look_for_others();
            self.accept();
            self.publish();
            let served = self.serve();
            let activity = self.end_if_due(served);
            self.pay_for_visits();
            if let Err(error) = self.sleep(activity) {
                // Our descriptors are closed, or reused by the program. It must not
                // notice: its writers are refused from now on, and nobody is woken.
                self.instance.wake.lose();
                self.disconnect();
                self.chunks.reset();
                // It is not emptied any more.
                self.instance.definitions.close();
                self.listener = None;
                self.instance
                    .progress(|progress| progress.failure = Some(error));
                break;
            }
        }
        drop(self);
        alone::keep_watch();
    }

    /// Those who come and go without end must not keep this thread busy, nor the one that
    /// flushes for each of them.
    fn pay_for_visits(&mut self) {
        if let Some(before) = self.visited.take() {
            let spent = clock::of_this_thread().saturating_sub(before) + VISIT;
            self.visits.spend(monotonic(), spent);
        }
    }

    /// End the process if nobody else is left in it.
    fn look_for_others(&mut self) {
        let due = alone::interval().is_some_and(|interval| monotonic() >= self.looked + interval);
        if due {
            alone::end_if_alone();
            self.looked = monotonic();
        }
    }

    /// Take headers and definitions, whatever the client does. Of what is gone, no more is
    /// kept meanwhile than there may be, however much has come since.
    fn learn(&mut self, limit: usize) {
        let mut left = limit;
        loop {
            let (definitions, session) = (&mut self.definitions, &mut self.session);
            let mut too_many = false;
            let taken = self.feed.drain(left, |record| {
                let delta = session.as_mut().map(|session| &mut session.delta);
                definitions.learn_record(record, delta);
                too_many = definitions.has_too_many_marks();
                !too_many
            });
            // The limit is passed by up to a batch.
            left = left.saturating_sub(taken);
            if !too_many {
                return;
            }
            self.forget_marks();
        }
    }

    /// Forget marks of what is gone, if there are many. Those stay that a chunk in the ring
    /// could bring back.
    fn forget_marks(&mut self) {
        if !self.definitions.has_many_marks() {
            return;
        }
        let admitted = self.session.as_ref().map_or(0, Session::admitted);
        let mut needed = HashSet::new();
        let (mut seen, mut had) = (0, true);
        for record in self.chunks.records().skip(admitted) {
            if session::begin_of_global(&record).is_some() {
                seen += 1;
                let added = self.definitions.add_marks_needed(&record, &mut needed);
                had &= added.is_ok();
            }
        }
        // One that is behind a chunk still being copied cannot be looked at, and none without
        // memory.
        let all = had && self.instance.globals_in_ring(&self.definitions) <= seen;
        self.definitions.forget_marks(all.then_some(&needed));
    }

    fn do_what_was_asked(&mut self) {
        let mut requests = self.instance.requests();
        let finish = requests.finish.take();
        // A log that starts while another is still being delivered waits.
        let busy = self.finish.is_some() || finish.is_some();
        let reopen = !busy && std::mem::take(&mut requests.reopen);
        drop(requests);
        if self.retry.is_some_and(|retry| monotonic() >= retry) {
            self.retry = None;
        }
        if self.facts_due.is_none_or(|due| monotonic() >= due) {
            self.fill_gaps();
        }
        if reopen && self.listener.is_none() {
            self.reopen();
        }
        if finish.is_some() {
            self.finish = finish;
        }
    }

    fn fill_gaps(&mut self) {
        self.facts_due = None;
        let facts = self.instance.requests().facts.take();
        if let Some((facts, moment)) = facts {
            // What was flushed before the request is in the feed by now.
            self.learn(usize::MAX);
            if facts.fill_gaps(&mut self.definitions, moment).is_err() {
                // Clients come meanwhile, or are turned away.
                self.instance.requests().facts = Some((facts, moment));
                self.facts_due = Some(monotonic() + RETRY);
            }
        }
    }

    fn publish(&self) {
        let published = &self.instance.published;
        let received = self.received
            + self
                .session
                .as_ref()
                .map_or(0, |session| session.client.received());
        // Relaxed: statistics.
        published
            .high_water
            .fetch_max(self.chunks.used() as u64, Ordering::Relaxed);
        published
            .definition_bytes
            .store(self.definitions.len() as u64, Ordering::Relaxed);
        published
            .definitions_left_out
            .store(self.definitions.left_out(), Ordering::Relaxed);
        published
            .connections
            .store(self.connections, Ordering::Relaxed);
        published.received.store(received, Ordering::Relaxed);
    }
}
