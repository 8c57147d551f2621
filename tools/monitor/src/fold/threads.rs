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
    first: (u16, u64),
    others: Option<Box<Reasons>>,
}

impl Blocked {
    fn add(&mut self, why: u16, took: u64) {
        if self.first.0 == why {
            self.first.1 = self.first.1.saturating_add(took);
            return;
        }
        let others = self.others.get_or_insert_default();
        if let Some((_, sum)) = others.iter_mut().find(|it| it.0 == why) {
            *sum = sum.saturating_add(took);
        } else if others.len() < REASONS {
            others.push((why, took));
        }
    }

    fn all(&self) -> Reasons {
        let others = self.others.iter().flat_map(|others| others.iter());
        std::iter::once(&self.first)
            .chain(others)
            .copied()
            .collect()
    }
}

/// Data about threads that the state does not have.
#[derive(Clone, Debug)]
pub(crate) struct Threads {
    blocked: FxHashMap<u32, Blocked>,
    over: Kept<Over>,
}

impl Default for Threads {
    fn default() -> Self {
        Self {
            blocked: FxHashMap::default(),
            over: Kept::new(MOST),
        }
    }
}

impl Threads {
    pub(super) fn interval(&mut self, interval: &ThreadInterval) {
        let ThreadState::Blocked { why, .. } = interval.state else {
            return;
        };
        let StopStatus(why) = why;
        let took = interval.to - interval.from;
        if let Some(blocked) = self.blocked.get_mut(&interval.thread) {
            blocked.add(why, took);
        } else if self.blocked.len() < MOST_BLOCKED {
            let first = (why, took);
            let blocked = Blocked {
                first,
                others: None,
            };
            self.blocked.insert(interval.thread, blocked);
        }
    }

    pub(super) fn gone(&mut self, id: u32, thread: &Thread) {
        let blocked = self.blocked.remove(&id);
        self.over.push(Over {
            id,
            thread: Box::new(thread.clone()),
            blocked: blocked.map_or_else(Vec::new, |it| it.all()),
            ended: thread.since(),
        });
    }

    /// The blocked times of a live thread.
    pub(crate) fn blocked(&self, id: u32) -> Reasons {
        self.blocked.get(&id).map_or_else(Vec::new, Blocked::all)
    }

    /// The finished threads.
    pub(crate) fn over(&self) -> &Kept<Over> {
        &self.over
    }
}
