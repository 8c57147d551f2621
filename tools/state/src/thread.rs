//! One thread.

use crate::interval::ThreadInterval;
use crate::states::ThreadState;
use std::sync::Arc;

/// A time that is not known.
const NEVER: u64 = u64::MAX;
const NOWHERE: u16 = u16::MAX;

/// One thread, as far as it is known from the log. All times are in
/// nanoseconds.
#[derive(Clone, Debug)]
pub struct Thread {
    pub(crate) state: ThreadState,
    cap: u16,
    since: u64,
    created: u64,
    label: Option<Arc<Box<str>>>,
    /// The time in each state, by [`ThreadState::index`].
    spent: [u64; 4],
    runs: u32,
    migrations: u32,
}

/// A million threads have to fit into 128 MiB.
const _: () = assert!(size_of::<Thread>() <= 88);

impl Thread {
    /// A thread that first appears at `time`.
    pub(crate) fn met(state: ThreadState, time: u64) -> Self {
        Self {
            state,
            cap: NOWHERE,
            since: time,
            created: NEVER,
            label: None,
            spent: [0; 4],
            runs: 0,
            migrations: 0,
        }
    }

    pub(crate) fn created_on(cap: Option<u16>, time: u64) -> Self {
        let mut thread = Self::met(ThreadState::Runnable, time);
        thread.created = time;
        thread.cap = cap.unwrap_or(NOWHERE);
        thread
    }

    /// What it is doing.
    pub fn state(&self) -> ThreadState {
        self.state
    }

    /// Since when it has been doing that.
    pub fn since(&self) -> u64 {
        self.since
    }

    /// The capability that owns it: where it runs, or will run.
    pub fn cap(&self) -> Option<u16> {
        (self.cap != NOWHERE).then_some(self.cap)
    }

    /// When it was created; `None` if that is not in the log.
    pub fn created(&self) -> Option<u64> {
        (self.created != NEVER).then_some(self.created)
    }

    /// Its name.
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref().map(|label| &**label)
    }

    /// Whether it was created and has not run yet.
    pub fn is_new(&self) -> bool {
        self.created != NEVER && self.runs == 0
    }

    /// For how long it has run, up to its last change of state.
    pub fn running(&self) -> u64 {
        let [_, running, ..] = self.spent;
        running
    }

    /// For how long it was ready and did not run.
    pub fn runnable(&self) -> u64 {
        let [runnable, ..] = self.spent;
        runnable
    }

    /// For how long it was in foreign calls.
    pub fn foreign(&self) -> u64 {
        let [.., foreign, _] = self.spent;
        foreign
    }

    /// For how long it was blocked.
    pub fn blocked(&self) -> u64 {
        let [.., blocked] = self.spent;
        blocked
    }

    /// How often it was started.
    pub fn runs(&self) -> u64 {
        self.runs.into()
    }

    /// How often it moved to another capability.
    pub fn migrations(&self) -> u64 {
        self.migrations.into()
    }

    /// For how long it has run up to this moment.
    pub fn ran_until(&self, time: u64) -> u64 {
        match self.state {
            ThreadState::Running { .. } => self.running() + time.saturating_sub(self.since),
            _ => self.running(),
        }
    }

    /// Takes its creation, which was logged after something else about it.
    pub(crate) fn set_created(&mut self, time: u64, cap: Option<u16>) {
        self.created = time;
        if let (NOWHERE, Some(cap)) = (self.cap, cap) {
            self.cap = cap;
        }
    }

    /// Whether this is the same thread as `before`, at a later time, and not a
    /// later thread with the same number.
    pub(crate) fn continues(&self, before: &Self) -> bool {
        let may_be = match before.created {
            // It was known before its creation was logged.
            NEVER => self.created == NEVER || self.created <= before.since,
            created => self.created == created,
        };
        may_be && (before.label.is_none() || self.label.is_some())
    }

    /// Makes it the same thread as one that was followed elsewhere.
    pub(crate) fn was_created_as(&mut self, other: &Self) {
        self.created = other.created;
    }

    pub(crate) fn set_label(&mut self, label: Option<Arc<Box<str>>>) {
        self.label = label;
    }

    pub(crate) fn has_label(&self) -> bool {
        self.label.is_some()
    }

    pub(crate) fn set_cap(&mut self, cap: u16) {
        self.cap = cap;
    }

    pub(crate) fn migrated(&mut self) {
        self.migrations = self.migrations.saturating_add(1);
    }

    pub(crate) fn started(&mut self) {
        self.runs = self.runs.saturating_add(1);
    }

    /// Adds a run of this length at an earlier time.
    pub(crate) fn ran_before(&mut self, took: u64) {
        let [_, running, ..] = &mut self.spent;
        *running = running.saturating_add(took);
    }

    /// Changes to another state; returns the interval that ends, unless nothing
    /// is known about it.
    #[inline(always)]
    pub(crate) fn enter(
        &mut self,
        id: u32,
        time: u64,
        state: ThreadState,
    ) -> Option<ThreadInterval> {
        let from = self.since.min(time);
        let took = time - from;
        let ended = self.state;
        if let Some(index) = ended.index() {
            self.spent[index] += took;
        }
        (self.state, self.since) = (state, time);
        // Not `==`: that would have the state in memory.
        match ended {
            ThreadState::Unknown => None,
            _ => Some(ThreadInterval {
                thread: id,
                state: ended,
                from,
                to: time,
            }),
        }
    }
}
