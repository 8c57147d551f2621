//! What threads and capabilities do only in few logs: what no runtime system writes, and what
//! follows from a missing part.

use super::Scheduler;
use crate::cap::InCollection;
use crate::context::{Context, Place};
use crate::fact::Fact;
use crate::oddity::Odd;
use crate::states::ThreadState;
use crate::thread::Thread;
use crate::turn::Turn;
use std::sync::Arc;

impl Scheduler {
    /// Reports that something is odd about what a thread does.
    #[cold]
    pub(super) fn odd(
        &self,
        odd: Odd,
        with: &Context<'_, impl Place>,
        see: &mut impl FnMut(Fact<'_>),
    ) {
        if !self.blind {
            with.odd(odd, see);
        }
    }

    /// A thread starts where another one runs.
    #[cold]
    pub(super) fn takes_over(
        &mut self,
        id: u32,
        (other, number): (u32, u16),
        with: &Context<'_, impl Place>,
        see: &mut impl FnMut(Fact<'_>),
    ) {
        if !with.is_late() {
            self.odd(Odd::CapRunsTwoThreads { thread: id, other }, with, see);
        }
        if other != id {
            self.lose(other, number, with, see);
        }
    }

    /// A thread that the log has not created: it is older, or has ended. `started`: its capability
    /// had logged that it runs.
    #[cold]
    pub(super) fn stranger(
        &mut self,
        id: u32,
        state: ThreadState,
        started: bool,
        with: &Context<'_, impl Place>,
        see: &mut impl FnMut(Fact<'_>),
    ) {
        if self.finished.contains(id) {
            let odd = match state {
                ThreadState::Running { .. } => Odd::FinishedThreadStarts { thread: id },
                _ => Odd::FinishedThreadStops { thread: id },
            };
            if !with.is_late() && !started {
                self.odd(odd, with, see);
            }
            return;
        }
        if self.threads.len() >= with.keep.limits.threads {
            self.refused_threads += 1;
            return;
        }
        self.uncreated += 1;
        self.first_uncreated.get_or_insert((with.event.at(), id));
        if state == ThreadState::Finished {
            Arc::make_mut(&mut self.finished).add(id);
            return;
        }
        let mut thread = Thread::met(state, with.event.time());
        if let Some(cap) = with.event.cap() {
            thread.set_cap(cap);
        }
        if let ThreadState::Running { .. } = state {
            thread.started();
        }
        if let (ThreadState::Runnable, Some(cap)) = (state, with.event.cap()) {
            self.cap(cap).runnable += 1;
        }
        self.threads.insert(id, thread);
    }

    /// The thread was logged as running, but another runs in its place: the log does not say what
    /// became of it.
    #[cold]
    pub(super) fn lose(
        &mut self,
        id: u32,
        number: u16,
        with: &Context<'_, impl Place>,
        see: &mut impl FnMut(Fact<'_>),
    ) {
        if let Some(thread) = self.threads.get_mut(id)
            && thread.state == (ThreadState::Running { cap: number })
            && let Some(ended) = thread.enter(id, with.event.time(), ThreadState::Unknown)
        {
            see(Fact::Thread(ended));
        }
    }

    /// A thread stops where another one runs.
    #[cold]
    pub(super) fn stops_other(
        &mut self,
        id: u32,
        (other, number): (u32, u16),
        with: &Context<'_, impl Place>,
        see: &mut impl FnMut(Fact<'_>),
    ) {
        if !with.is_late() {
            self.odd(Odd::WrongThreadStops { thread: id, other }, with, see);
        }
        self.lose(other, number, with, see);
    }

    /// A thread stops that was not logged as running here. `before`: its state so far, and since
    /// when.
    #[cold]
    pub(super) fn stops_unexpectedly(
        &mut self,
        (id, number): (u32, u16),
        (before, told): (ThreadState, u64),
        with: &Context<'_, impl Place>,
        see: &mut impl FnMut(Fact<'_>),
    ) {
        if with.turn != Turn::Certain {
            return;
        }
        // What a capability did before its first event in this log is not known: if the oldest
        // blocks are overwritten, it may have taken the thread over and started it there.
        let cap = &self.caps[usize::from(number)];
        if !cap.scheduled && cap.first.and_then(|first| first.time) > Some(told) {
            return;
        }
        match before {
            ThreadState::Running { cap: other } => {
                self.odd(Odd::ThreadRunsElsewhere { thread: id, other }, with, see);
            }
            ThreadState::Unknown | ThreadState::Finished => {}
            _ => self.odd(Odd::IdleThreadStops { thread: id }, with, see),
        }
    }
}

/// A thread starts in a collection of its capability.
#[cold]
pub(super) fn runs_while_collecting(
    id: u32,
    collection: InCollection,
    with: &Context<'_, impl Place>,
    see: &mut impl FnMut(Fact<'_>),
) {
    if with.event.time() > collection.since && with.turn != Turn::Late {
        let since = collection.offset;
        with.odd(Odd::RunsWhileCollecting { thread: id, since }, see);
    }
}
