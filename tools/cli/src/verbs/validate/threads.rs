//! What a thread may do, and in which order.
//!
//! A thread is created, then runs and stops by turns, on one capability at a
//! time, until it stops for good. A capability runs one thread at a time.

use super::findings::{At, Findings, Severity};
use anyhow::Result;
use ghc_eventlog::{Event, EventBody, StopStatus, ids};
use std::collections::{HashMap, HashSet};

/// At most so many threads are kept in mind, alive and finished ones each.
const MOST: usize = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    Running(u16),
    /// Out of order somewhere: whatever it does is accepted.
    Unchecked,
}

/// All threads, and what every capability runs.
#[derive(Debug, Default)]
pub struct Machines {
    alive: HashMap<u32, State>,
    finished: HashSet<u32>,
    running: HashMap<u16, Option<u32>>,
    /// Threads that the log does not create, and where the first was met.
    uncreated: u64,
    first_uncreated: Option<(At, u32)>,
    unfollowed: u64,
    /// An event about threads could not be understood (logs of GHC 6): from
    /// there on nothing is certain.
    blind: bool,
}

impl Machines {
    #[inline]
    pub fn event(&mut self, event: &Event<'_>, late: bool, findings: &mut Findings) -> Result<()> {
        let thread = match event.body {
            EventBody::CreateThread { thread }
            | EventBody::RunThread { thread }
            | EventBody::StopThread { thread, .. }
            | EventBody::MigrateThread { thread, .. } => thread,
            EventBody::Unknown {
                id: ids::CREATE_THREAD..=ids::STOP_THREAD,
                ..
            } => {
                self.blind = true;
                return Ok(());
            }
            _ => return Ok(()),
        };
        if self.blind {
            return Ok(());
        }
        if late {
            return self.give_up(event, thread);
        }
        match event.body {
            EventBody::CreateThread { .. } => self.create(event, thread, findings),
            EventBody::RunThread { .. } => self.run(event, thread, findings),
            EventBody::StopThread { status, .. } => self.stop(event, thread, status, findings),
            _ => self.migrate(event, thread, findings),
        }
    }

    /// Stops checking what is out of order anyway.
    fn give_up(&mut self, event: &Event<'_>, thread: u32) -> Result<()> {
        let finishes = matches!(
            event.body,
            EventBody::StopThread {
                status: StopStatus::FINISHED,
                ..
            }
        );
        if finishes {
            self.alive.remove(&thread);
        } else if self.alive.len() < MOST {
            self.alive.insert(thread, State::Unchecked);
        }
        if let Some(cap) = event.cap {
            self.running.insert(cap, None);
        }
        Ok(())
    }

    fn create(&mut self, event: &Event<'_>, thread: u32, findings: &mut Findings) -> Result<()> {
        // Numbers may be used again after the thread is gone.
        self.finished.remove(&thread);
        if let Some(State::Ready | State::Running(_)) = self.set(thread, State::Ready) {
            return findings.tell(
                Severity::Error,
                "thread_created_twice",
                At::event(event),
                || format!("thread {thread} is created, but exists already"),
            );
        }
        Ok(())
    }

    fn run(&mut self, event: &Event<'_>, thread: u32, findings: &mut Findings) -> Result<()> {
        let at = At::event(event);
        let Some(cap) = event.cap else {
            return Ok(());
        };
        if let Some(Some(other)) = self.running.insert(cap, Some(thread)) {
            findings.tell(Severity::Error, "cap_runs_two_threads", at, || {
                format!("thread {thread} starts while thread {other} runs on this capability")
            })?;
            if other != thread
                && let Some(State::Running(_)) = self.alive.get(&other)
            {
                self.set(other, State::Unchecked);
            }
        }
        if self.finished.contains(&thread) {
            return findings.tell(Severity::Error, "finished_thread_runs", at, || {
                format!("thread {thread} starts, but has finished before")
            });
        }
        match self.set(thread, State::Running(cap)) {
            Some(State::Running(other)) if other != cap => {
                findings.tell(Severity::Error, "thread_runs_twice", at, || {
                    format!("thread {thread} starts, but runs on capability {other} already")
                })
            }
            Some(_) => Ok(()),
            None => {
                self.uncreated(at, thread);
                Ok(())
            }
        }
    }

    fn stop(
        &mut self,
        event: &Event<'_>,
        thread: u32,
        status: StopStatus,
        findings: &mut Findings,
    ) -> Result<()> {
        let at = At::event(event);
        let Some(cap) = event.cap else {
            return Ok(());
        };
        let running = self.running.insert(cap, None);
        if let Some(Some(other)) = running
            && other != thread
        {
            findings.tell(Severity::Error, "wrong_thread_stops", at, || {
                format!("thread {thread} stops, but thread {other} runs on this capability")
            })?;
        }
        if self.finished.contains(&thread) {
            return findings.tell(Severity::Error, "finished_thread_runs", at, || {
                format!("thread {thread} stops, but has finished before")
            });
        }
        let before = match status {
            StopStatus::FINISHED => {
                if self.finished.len() >= MOST {
                    self.finished.clear();
                }
                self.finished.insert(thread);
                self.alive.remove(&thread)
            }
            _ => self.set(thread, State::Ready),
        };
        match before {
            Some(State::Ready) => findings.tell(Severity::Error, "idle_thread_stops", at, || {
                format!("thread {thread} stops, but did not run")
            }),
            Some(State::Running(other)) if other != cap => {
                findings.tell(Severity::Error, "thread_runs_elsewhere", at, || {
                    format!("thread {thread} stops here, but runs on capability {other}")
                })
            }
            Some(_) => Ok(()),
            None => {
                self.uncreated(at, thread);
                Ok(())
            }
        }
    }

    fn migrate(&mut self, event: &Event<'_>, thread: u32, findings: &mut Findings) -> Result<()> {
        match self.alive.get(&thread) {
            Some(State::Running(cap)) => {
                let cap = *cap;
                findings.tell(
                    Severity::Error,
                    "running_thread_migrates",
                    At::event(event),
                    || format!("thread {thread} migrates while it runs on capability {cap}"),
                )
            }
            _ => Ok(()),
        }
    }

    fn set(&mut self, thread: u32, state: State) -> Option<State> {
        if self.alive.len() >= MOST && !self.alive.contains_key(&thread) {
            self.unfollowed += 1;
            return Some(State::Unchecked);
        }
        match self.alive.insert(thread, state) {
            Some(State::Unchecked) => {
                self.alive.insert(thread, State::Unchecked);
                Some(State::Unchecked)
            }
            before => before,
        }
    }

    fn uncreated(&mut self, at: At, thread: u32) {
        self.uncreated += 1;
        self.first_uncreated.get_or_insert((at, thread));
    }

    /// The session is over.
    pub fn finish(&mut self, findings: &mut Findings) -> Result<()> {
        if let Some((at, thread)) = self.first_uncreated {
            let count = self.uncreated;
            findings.tell(Severity::Note, "threads_not_created", at, || {
                format!(
                    "{count} threads, thread {thread} first, are not created in this log: \
                     they are older than its beginning"
                )
            })?;
        }
        if self.unfollowed > 0 {
            findings.tell(Severity::Warning, "too_many_threads", At::default(), || {
                format!("more than {MOST} threads at a time: not all were checked")
            })?;
        }
        Ok(())
    }
}
