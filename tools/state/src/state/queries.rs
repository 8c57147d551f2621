//! Queries of a state.

use super::{EventClasses, State};
use crate::cap::Cap;
use crate::collections::PhaseKind;
use crate::definitions::Definitions;
use crate::heap::Heap;
use crate::limits::Keep;
use crate::losses::Losses;
use crate::profile::Samples;
use crate::program::Programs;
use crate::spans::{OpenSpan, Running, Spans, StartStop};
use crate::states::CapState;
use crate::thread::Thread;
use crate::ticky::Ticky;
use ghc_eventlog::Header;
use std::sync::Arc;

impl State {
    /// The header of the log.
    pub fn header(&self) -> &Arc<Header> {
        &self.header
    }

    /// What is kept.
    pub fn keep(&self) -> &Keep {
        &self.keep
    }

    /// The latest time that an event had. Nanoseconds.
    pub fn time(&self) -> u64 {
        self.time
    }

    /// The earliest time that an event had.
    pub fn first(&self) -> Option<u64> {
        (self.first != u64::MAX).then_some(self.first)
    }

    /// The threads that are alive, by number.
    pub fn threads(&self) -> impl Iterator<Item = (u32, &Thread)> {
        self.scheduler.threads.sorted()
    }

    /// How many threads are alive.
    pub fn thread_count(&self) -> usize {
        self.scheduler.threads.len()
    }

    /// A thread that is alive.
    pub fn thread(&self, id: u32) -> Option<&Thread> {
        self.scheduler.threads.get(id)
    }

    /// The capabilities that have logged something, or that were mentioned.
    pub fn caps(&self) -> impl Iterator<Item = (u16, &Cap)> {
        let numbered = (0..=u16::MAX).zip(&self.scheduler.caps);
        numbered.filter(|(_, cap)| cap.seen)
    }

    /// A capability.
    pub fn cap(&self, number: u16) -> Option<&Cap> {
        self.scheduler
            .caps
            .get(usize::from(number))
            .filter(|cap| cap.seen)
    }

    /// The heaps, by capability set.
    pub fn heaps(&self) -> impl Iterator<Item = (u32, &Heap)> {
        self.heaps.iter()
    }

    /// Since when this phase of the concurrent collector has been going on.
    pub fn phase(&self, kind: PhaseKind) -> Option<u64> {
        self.collections.phase(kind)
    }

    /// For how long the program was stopped for collections, in nanoseconds.
    pub fn paused(&self) -> u64 {
        self.collections.paused
    }

    /// The definitions, which can be written again.
    pub fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// The programs that wrote the log.
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// The heap profile.
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// The ticky counters.
    pub fn ticky(&self) -> &Ticky {
        &self.ticky
    }

    /// What is missing from the log, according to notes in it.
    pub fn losses(&self) -> &Losses {
        &self.losses
    }

    /// The spans of the program that are open.
    pub fn spans(&self) -> &Spans<StartStop> {
        &self.spans
    }

    /// The thread that began a span, if it is alive.
    pub(crate) fn thread_of(&self, span: &OpenSpan) -> Option<(u32, &Thread)> {
        let id = span.owner(self)?;
        Some((id, self.thread(id)?))
    }

    /// Which kinds of events the log contains.
    pub fn classes(&self) -> EventClasses {
        self.tells
    }

    /// Whether a log can be cut here: not while a heap sample is open.
    pub fn may_cut(&self) -> bool {
        self.samples.open().is_none()
    }

    /// How many threads and how many labels were refused because of [`Limits`](crate::Limits).
    pub fn refused(&self) -> (u64, u64) {
        (
            self.scheduler.refused_threads,
            self.scheduler.refused_labels,
        )
    }

    /// Whether something was refused because of [`Limits`](crate::Limits) that a log which begins
    /// with this state should contain.
    pub fn is_incomplete(&self) -> bool {
        let (threads, labels) = self.refused();
        let definitions = self.definitions();
        let symbols = definitions.symbols();
        let refused = [
            threads,
            labels,
            definitions.refused(),
            definitions.messages().refused(),
            symbols.refused_cost_centres(),
            symbols.refused_info_tables(),
        ];
        refused.iter().any(|&count| count > 0)
    }

    /// Nanoseconds that all capabilities have spent in this state, up to their last changes of
    /// state.
    pub fn total(&self, state: CapState) -> u64 {
        self.caps().map(|(_, cap)| cap.total(state)).sum()
    }
}

impl Running for State {
    fn thread_on(&self, cap: u16) -> Option<u32> {
        self.cap(cap)?.running.map(|(thread, _)| thread)
    }

    fn life(&self, thread: u32) -> Option<u64> {
        self.scheduler.life(thread)
    }

    fn ran(&self, thread: u32, time: u64) -> Option<u64> {
        Some(self.thread(thread)?.ran_until(time))
    }

    fn label(&self, thread: u32) -> Option<&str> {
        self.thread(thread)?.label()
    }

    fn paused(&self) -> Option<u64> {
        self.tells.gc.then_some(self.collections.paused)
    }
}
