//! Threads: the blocked time of live threads by reason, and the finished threads.

use crate::kept::Kept;
use eventlog_state::{Thread, ThreadInterval, ThreadState};
use ghc_eventlog::StopStatus;
use rustc_hash::FxHashMap;

/// The most finished threads that are kept.
const MOST: usize = 1 << 17;
/// The most live threads with blocked times by reason.
const MOST_BLOCKED: usize = 1 << 20;
/// The most separate reasons of one thread.
const REASONS: usize = 24;

/// How many threads are at hand.
const NEAR: usize = 256;

/// Nanoseconds by reason.
pub(crate) type Reasons = Vec<(u16, u64)>;

/// A finished thread.
#[derive(Clone, Debug)]
pub(crate) struct Over {
    pub(crate) id: u32,
    pub(crate) thread: Box<Thread>,
    pub(crate) blocked: Reasons,
    pub(crate) ended: u64,
}

/// How long a thread was blocked, by reason: mostly there is one reason.
#[derive(Clone, Debug)]
struct Blocked {
    thread: u32,
    /// The first reason, and how long it was that.
    why: u16,
    took: u64,
    others: Option<Box<Reasons>>,
}

impl Blocked {
    #[inline(always)]
    fn add(&mut self, why: u16, took: u64) {
        if self.why == why {
            self.took = self.took.saturating_add(took);
        } else {
            self.add_other(why, took);
        }
    }

    #[inline(never)]
    fn add_other(&mut self, why: u16, took: u64) {
        let others = self.others.get_or_insert_default();
        if let Some((_, sum)) = others.iter_mut().find(|it| it.0 == why) {
            *sum = sum.saturating_add(took);
        } else if others.len() < REASONS {
            others.push((why, took));
        }
    }

    fn all(&self) -> Reasons {
        let others = self.others.iter().flat_map(|others| others.iter());
        std::iter::once((self.why, self.took))
            .chain(others.copied())
            .collect()
    }
}

/// Data about threads that the state does not have.
#[derive(Clone, Debug)]
pub(crate) struct Threads {
    /// In no order; which one is that of a thread; and those that were used last, by the low bits of
    /// the numbers of their threads.
    blocked: Vec<Blocked>,
    index: FxHashMap<u32, u32>,
    near: [u32; NEAR],
    over: Kept<Over>,
}

impl Default for Threads {
    fn default() -> Self {
        Self {
            blocked: Vec::new(),
            index: FxHashMap::default(),
            near: [u32::MAX; NEAR],
            over: Kept::new(MOST),
        }
    }
}

impl Threads {
    #[inline(always)]
    pub(super) fn interval(&mut self, interval: &ThreadInterval) {
        if let ThreadState::Blocked { why, .. } = interval.state {
            self.blocked_by(interval, why);
        }
    }

    #[inline(never)]
    fn blocked_by(&mut self, interval: &ThreadInterval, StopStatus(why): StopStatus) {
        let (thread, took) = (interval.thread, interval.to - interval.from);
        let near = self.near[thread as usize % NEAR];
        match self.blocked.get_mut(near as usize) {
            Some(blocked) if blocked.thread == thread => blocked.add(why, took),
            _ => self.was_blocked(thread, why, took),
        }
    }

    #[inline(never)]
    fn was_blocked(&mut self, thread: u32, why: u16, took: u64) {
        let at = match self.index.get(&thread) {
            Some(&at) => {
                self.blocked[at as usize].add(why, took);
                at
            }
            None if self.blocked.len() >= MOST_BLOCKED => return,
            None => {
                let at = self.blocked.len() as u32;
                self.blocked.push(Blocked {
                    thread,
                    why,
                    took,
                    others: None,
                });
                self.index.insert(thread, at);
                at
            }
        };
        self.near[thread as usize % NEAR] = at;
    }

    fn take_blocked(&mut self, thread: u32) -> Option<Blocked> {
        let at = self.index.remove(&thread)?;
        let blocked = self.blocked.swap_remove(at as usize);
        if let Some(moved) = self.blocked.get(at as usize) {
            self.index.insert(moved.thread, at);
        }
        Some(blocked)
    }

    pub(super) fn gone(&mut self, id: u32, thread: &Thread) {
        let blocked = self.take_blocked(id);
        self.over.push(Over {
            id,
            thread: Box::new(thread.clone()),
            blocked: blocked.map_or_else(Vec::new, |it| it.all()),
            ended: thread.since(),
        });
    }

    /// The blocked times of a live thread.
    pub(crate) fn blocked(&self, id: u32) -> Reasons {
        let at = self.index.get(&id).copied();
        let blocked = at.and_then(|at| self.blocked.get(at as usize));
        blocked.map_or_else(Vec::new, Blocked::all)
    }

    /// The finished threads.
    pub(crate) fn over(&self) -> &Kept<Over> {
        &self.over
    }
}
