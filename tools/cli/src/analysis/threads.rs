//! The life of every thread: created, runnable, running, blocked, finished.
//!
//! Needs events in the order of time, because threads move between
//! capabilities. A wake-up is a message and no change of state: the runtime
//! system writes it also where nothing comes of it.

use super::identity::shortened;
use ghc_eventlog::{Event, EventBody, StopStatus};
use std::collections::HashMap;

/// At most so many threads are followed at a time.
const MOST: usize = 1 << 20;

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waiting for its turn.
    Runnable,
    Running(u16),
    /// In a foreign call.
    Foreign,
    Blocked(StopStatus),
    Finished,
}

impl State {
    /// A stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Runnable => "runnable",
            Self::Running(_) => "running",
            Self::Foreign => "foreign_call",
            Self::Blocked(status) => status.name().unwrap_or("blocked"),
            Self::Finished => "finished",
        }
    }
}

/// One thread.
#[derive(Clone, Debug)]
pub struct Thread {
    pub id: u32,
    pub label: Option<String>,
    /// `None` if the log begins later than the thread.
    pub created: Option<u64>,
    pub finished: Option<u64>,
    pub cap: Option<u16>,
    pub state: State,
    pub since: u64,
    /// How often it was started.
    pub runs: u64,
    pub migrations: u64,
    /// Nanoseconds, by kind of state.
    pub running: u64,
    pub runnable: u64,
    pub foreign: u64,
    pub blocked: u64,
}

impl Thread {
    fn new(id: u32, time: u64) -> Self {
        Self {
            id,
            label: None,
            created: None,
            finished: None,
            cap: None,
            state: State::Runnable,
            since: time,
            runs: 0,
            migrations: 0,
            running: 0,
            runnable: 0,
            foreign: 0,
            blocked: 0,
        }
    }

    /// Goes over to another state.
    fn enter(&mut self, time: u64, state: State) {
        let from = self.since.min(time);
        let took = time - from;
        match self.state {
            State::Runnable => self.runnable += took,
            State::Running(_) => self.running += took,
            State::Foreign => self.foreign += took,
            State::Blocked(_) => self.blocked += took,
            State::Finished => {}
        }
        (self.state, self.since) = (state, time);
    }
}

/// The threads that are alive.
#[derive(Debug, Default)]
pub struct Threads {
    alive: HashMap<u32, Thread>,
    /// Threads that were too many to follow.
    pub unfollowed: u64,
    latest: u64,
}

impl Threads {
    /// The thread that is over now, if one is.
    #[inline]
    pub fn event(&mut self, event: &Event<'_>) -> Option<Box<Thread>> {
        self.latest = self.latest.max(event.time);
        let time = event.time;
        let (id, state) = match event.body {
            EventBody::CreateThread { thread } => {
                let cap = event.cap;
                if let Some(new) = self.thread(thread, time) {
                    new.created = Some(time);
                    new.cap = cap;
                }
                return None;
            }
            EventBody::ThreadLabel { thread, label } => {
                let label = shortened(&label.to_string_lossy());
                if let Some(thread) = self.thread(thread, time) {
                    thread.label = Some(label);
                }
                return None;
            }
            EventBody::MigrateThread { thread, new_cap } => {
                let thread = self.thread(thread, time)?;
                thread.cap = Some(new_cap);
                thread.migrations += 1;
                return None;
            }
            EventBody::RunThread { thread } => (thread, State::Running(event.cap?)),
            EventBody::StopThread { thread, status, .. } => (thread, after(status)),
            _ => return None,
        };
        let thread = self.thread(id, time)?;
        if let State::Running(cap) = state {
            thread.runs += 1;
            thread.cap = Some(cap);
        }
        thread.enter(time, state);
        if state != State::Finished {
            return None;
        }
        thread.finished = Some(time);
        self.alive.remove(&id).map(Box::new)
    }

    fn thread(&mut self, id: u32, time: u64) -> Option<&mut Thread> {
        if self.alive.len() >= MOST && !self.alive.contains_key(&id) {
            self.unfollowed += 1;
            return None;
        }
        Some(
            self.alive
                .entry(id)
                .or_insert_with(|| Thread::new(id, time)),
        )
    }

    pub fn get(&self, id: u32) -> Option<&Thread> {
        self.alive.get(&id)
    }

    /// Those that are alive, in no order.
    pub fn alive(&self) -> impl Iterator<Item = &Thread> {
        self.alive.values()
    }

    /// Ends every interval at the end of the log, and gives the threads that
    /// are still alive, by number.
    pub fn finish(&mut self) -> Vec<Thread> {
        let latest = self.latest;
        let mut threads: Vec<Thread> = self.alive.drain().map(|(_, thread)| thread).collect();
        threads.sort_by_key(|thread| thread.id);
        for thread in &mut threads {
            thread.enter(latest, thread.state);
        }
        threads
    }
}

/// What a thread does after it has stopped for this reason.
pub fn after(status: StopStatus) -> State {
    match status {
        StopStatus::HEAP_OVERFLOW | StopStatus::STACK_OVERFLOW | StopStatus::YIELDING => {
            State::Runnable
        }
        StopStatus::FINISHED => State::Finished,
        StopStatus::FOREIGN_CALL | StopStatus::CCALL | StopStatus::CCALL_INTERRUPTIBLE => {
            State::Foreign
        }
        other => State::Blocked(other),
    }
}
