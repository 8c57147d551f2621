//! Threads and capabilities: who runs where, who waits for what.
//!
//! What a capability does follows from its own events, in the order in which
//! it wrote them. A thread belongs to one capability at a time, and only that
//! one tells what it does; it passes the thread on with `migrate_thread`. So
//! both are right even where capabilities are not told in the order of time:
//! what is older than what is known of a thread already counts for its totals,
//! and does not change its state.
//!
//! A wake-up is a change of state only if the owner of the thread tells it; one
//! from another capability is a message that the owner may take up much later.

use crate::cap::Cap;
use crate::fact::{Fact, Migration, Wakeup};
use crate::finished::Finished;
use crate::limits::Keep;
use crate::oddity::Odd;
use crate::pages::Pages;
use crate::states::ThreadState;
use crate::thread::Thread;
use crate::turn::Turn;
use ghc_eventlog::{Event, StopStatus, Text};
use std::sync::Arc;

/// All threads and capabilities of one session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scheduler {
    pub(crate) threads: Pages<Thread>,
    pub(crate) caps: Vec<Cap>,
    seen: u32,
    finished: Arc<Finished>,
    labels: usize,
    /// Threads and labels that were too many.
    pub(crate) refused_threads: u64,
    pub(crate) refused_labels: u64,
    /// Threads that the log does not create, and the first of them.
    pub(crate) uncreated: u64,
    pub(crate) first_uncreated: Option<(crate::oddity::At, u32)>,
    /// An event about threads could not be understood (logs of GHC 6): from
    /// there on nothing is certain.
    pub(crate) blind: bool,
}

impl Scheduler {
    /// A capability, met or not.
    #[inline(always)]
    pub(crate) fn cap(&mut self, number: u16) -> &mut Cap {
        let index = usize::from(number);
        if self.caps.len() <= index || !self.caps[index].seen {
            self.meet(index);
        }
        &mut self.caps[index]
    }

    #[cold]
    fn meet(&mut self, index: usize) {
        if self.caps.len() <= index {
            self.caps.resize_with(index + 1, Cap::default);
        }
        self.seen += u32::from(!self.caps[index].seen);
        self.caps[index].seen = true;
    }

    /// An event came from a capability.
    #[inline]
    pub(crate) fn spoke(&mut self, event: &Event<'_>) {
        if let Some(number) = event.cap {
            let cap = self.cap(number);
            if cap.first.is_none() {
                cap.first = Some(crate::oddity::At::event(event));
            }
        }
    }

    /// Whether there is one capability only.
    #[inline]
    pub(crate) fn alone(&self) -> bool {
        self.seen <= 1
    }

    /// A capability, and whether it is the only one.
    #[inline]
    fn cap_alone(&mut self, number: u16) -> (&mut Cap, bool) {
        let index = usize::from(number);
        if self.caps.len() <= index || !self.caps[index].seen {
            self.meet(index);
        }
        let alone = self.alone();
        (&mut self.caps[index], alone)
    }

    /// Something about a capability may have changed; `thread` ran until now.
    #[inline]
    pub(crate) fn update(
        &mut self,
        number: u16,
        time: u64,
        thread: Option<u32>,
        see: &mut impl FnMut(Fact<'_>),
    ) {
        let (cap, alone) = self.cap_alone(number);
        cap.update(number, (time, thread, alone), see);
    }

    pub(crate) fn create(
        &mut self,
        event: &Event<'_>,
        id: u32,
        (turn, keep): (Turn, &Keep),
        see: &mut impl FnMut(Fact<'_>),
    ) -> Option<Odd> {
        if !keep.threads {
            return None;
        }
        let time = event.time;
        if let Some(thread) = self.threads.get_mut(id) {
            // Met before it was created: its capability tells it now.
            if thread.state == ThreadState::Unknown || turn != Turn::Certain {
                thread.set_created(time, event.cap);
                // Nothing was known of it but its name.
                if thread.state == ThreadState::Unknown && thread.is_new() {
                    thread.enter(id, time, ThreadState::Runnable);
                    if let Some(cap) = thread.cap() {
                        self.cap(cap).runnable += 1;
                        self.update(cap, time, None, see);
                    }
                }
                return None;
            }
            return Some(Odd::ThreadCreatedTwice { thread: id });
        }
        if turn == Turn::Late && self.finished.contains(id) {
            return None;
        }
        // Numbers may be used again after the thread is gone.
        if self.finished.contains(id) {
            Arc::make_mut(&mut self.finished).remove(id);
        }
        if self.threads.len() >= keep.limits.threads {
            self.refused_threads += 1;
            return None;
        }
        self.threads.insert(id, Thread::created_on(event.cap, time));
        if let Some(cap) = event.cap {
            self.cap(cap).runnable += 1;
            self.update(cap, time, None, see);
        }
        None
    }

    /// A thread starts. The answer is what is odd about it: at most two things.
    #[inline]
    pub(crate) fn run(
        &mut self,
        event: &Event<'_>,
        id: u32,
        (turn, keep): (Turn, &Keep),
        see: &mut impl FnMut(Fact<'_>),
    ) -> [Option<Odd>; 2] {
        let mut odd = [None, None];
        let Some(number) = event.cap else { return odd };
        let time = event.time;
        let (cap, alone) = self.cap_alone(number);
        let before = cap.running.replace((id, time));
        cap.runs += 1;
        if cap.collecting.is_none() {
            cap.requested = None;
        }
        if !keep.threads && !keep.oddities {
            let before = before.map(|(other, _)| other);
            cap.update(number, (time, before, alone), see);
            return odd;
        }
        if let Some((other, _)) = before {
            odd[0] = (!turn.is_late()).then_some(Odd::CapRunsTwoThreads { thread: id, other });
            if other != id {
                self.lose(other, number, time, see);
            }
        }
        if keep.threads {
            odd[1] = self.thread_runs(event, (id, number), (turn, keep), see);
        }
        self.update(number, time, before.map(|(other, _)| other), see);
        odd
    }

    #[inline]
    fn thread_runs(
        &mut self,
        event: &Event<'_>,
        (id, number): (u32, u16),
        (turn, keep): (Turn, &Keep),
        see: &mut impl FnMut(Fact<'_>),
    ) -> Option<Odd> {
        let time = event.time;
        let mut odd = None;
        let Some(thread) = self.threads.get_mut(id) else {
            return self.stranger(
                event,
                id,
                (turn, keep),
                ThreadState::Running { cap: number },
            );
        };
        thread.started();
        if time < thread.since() && turn.is_late() {
            return None;
        }
        if let ThreadState::Running { cap: other } = thread.state
            && other != number
            && turn == Turn::Certain
        {
            odd = Some(Odd::ThreadRunsTwice { thread: id, other });
        }
        let was = thread.state.is_runnable().then(|| thread.cap()).flatten();
        thread.set_cap(number);
        if let Some(ended) = thread.enter(id, time, ThreadState::Running { cap: number }) {
            see(Fact::Thread(ended));
        }
        self.left(was, number, time, see);
        odd
    }

    /// A thread that was ready belongs to this capability no more, or is not ready any more.
    #[inline]
    fn left(&mut self, was: Option<u16>, here: u16, time: u64, see: &mut impl FnMut(Fact<'_>)) {
        let Some(was) = was else { return };
        let cap = self.cap(was);
        cap.runnable = cap.runnable.saturating_sub(1);
        if was != here {
            self.update(was, time, None, see);
        }
    }

    /// A thread that the log has not created: it is older, or over.
    #[cold]
    fn stranger(
        &mut self,
        event: &Event<'_>,
        id: u32,
        (turn, keep): (Turn, &Keep),
        state: ThreadState,
    ) -> Option<Odd> {
        if self.finished.contains(id) {
            let odd = match state {
                ThreadState::Running { .. } => Odd::FinishedThreadStarts { thread: id },
                _ => Odd::FinishedThreadStops { thread: id },
            };
            return (!turn.is_late()).then_some(odd);
        }
        if self.threads.len() >= keep.limits.threads {
            self.refused_threads += 1;
            return None;
        }
        self.uncreated += 1;
        let at = crate::oddity::At::event(event);
        self.first_uncreated.get_or_insert((at, id));
        if state == ThreadState::Finished {
            Arc::make_mut(&mut self.finished).add(id);
            return None;
        }
        let mut thread = Thread::met(state, event.time);
        if let Some(cap) = event.cap {
            thread.set_cap(cap);
        }
        if let ThreadState::Running { .. } = state {
            thread.started();
        }
        if let (ThreadState::Runnable, Some(cap)) = (state, event.cap) {
            self.cap(cap).runnable += 1;
        }
        self.threads.insert(id, thread);
        None
    }

    /// The thread was said to run, but another runs in its place: the log does
    /// not tell what became of it.
    #[cold]
    fn lose(&mut self, id: u32, number: u16, time: u64, see: &mut impl FnMut(Fact<'_>)) {
        if let Some(thread) = self.threads.get_mut(id)
            && thread.state == (ThreadState::Running { cap: number })
            && let Some(ended) = thread.enter(id, time, ThreadState::Unknown)
        {
            see(Fact::Thread(ended));
        }
    }

    /// A thread stops. The answer is what is odd about it: at most two things.
    #[inline]
    pub(crate) fn stop(
        &mut self,
        event: &Event<'_>,
        (id, status, info): (u32, StopStatus, Option<u32>),
        (turn, keep): (Turn, &Keep),
        see: &mut impl FnMut(Fact<'_>),
    ) -> [Option<Odd>; 2] {
        let mut odd = [None, None];
        let Some(number) = event.cap else { return odd };
        let time = event.time;
        let (cap, alone) = self.cap_alone(number);
        let before = cap.running.take();
        if let Some((_, since)) = before {
            cap.ran = cap.ran.saturating_add(time.saturating_sub(since));
        }
        if !keep.threads && !keep.oddities {
            let before = before.map(|(other, _)| other);
            cap.update(number, (time, before, alone), see);
            return odd;
        }
        if let Some((other, _)) = before
            && other != id
        {
            odd[0] = (!turn.is_late()).then_some(Odd::WrongThreadStops { thread: id, other });
            self.lose(other, number, time, see);
        }
        if keep.threads {
            let since = before.and_then(|(other, since)| (other == id).then_some(since));
            let state = ThreadState::after(status, info);
            odd[1] = self.thread_stops(event, (id, number, since), (turn, keep), state, see);
        }
        self.update(number, time, before.map(|(other, _)| other), see);
        odd
    }

    #[inline]
    fn thread_stops(
        &mut self,
        event: &Event<'_>,
        (id, number, since): (u32, u16, Option<u64>),
        (turn, keep): (Turn, &Keep),
        state: ThreadState,
        see: &mut impl FnMut(Fact<'_>),
    ) -> Option<Odd> {
        let time = event.time;
        let Some(thread) = self.threads.get_mut(id) else {
            let odd = self.stranger(event, id, (turn, keep), state);
            return odd.filter(|_| since.is_none());
        };
        let mut odd = None;
        match thread.state {
            ThreadState::Running { cap } if cap == number => {}
            // Told by another capability, or late: the run counts, whatever the thread does now.
            before => {
                if let Some(since) = since {
                    thread.ran_before(time.saturating_sub(since));
                }
                // If it ran here, whoever told otherwise was odd, and not this.
                if turn == Turn::Certain && since.is_none() {
                    odd = match before {
                        ThreadState::Running { cap: other } => {
                            Some(Odd::ThreadRunsElsewhere { thread: id, other })
                        }
                        ThreadState::Unknown | ThreadState::Finished => None,
                        _ => Some(Odd::IdleThreadStops { thread: id }),
                    };
                }
            }
        }
        let over = state == ThreadState::Finished;
        if time < thread.since() && turn.is_late() && !over {
            return odd;
        }
        let was = thread.state.is_runnable().then(|| thread.cap()).flatten();
        thread.set_cap(number);
        if let Some(ended) = thread.enter(id, time, state) {
            see(Fact::Thread(ended));
        }
        if was.is_some() {
            self.left(was, number, time, see);
        }
        if state == ThreadState::Runnable {
            self.cap(number).runnable += 1;
        }
        if over {
            self.over(id, see);
        }
        odd
    }

    fn over(&mut self, id: u32, see: &mut impl FnMut(Fact<'_>)) {
        if let Some(thread) = self.threads.remove(id) {
            self.labels -= usize::from(thread.has_label());
            see(Fact::Gone {
                id,
                thread: &thread,
            });
        }
        Arc::make_mut(&mut self.finished).add(id);
    }

    pub(crate) fn migrate(
        &mut self,
        event: &Event<'_>,
        (id, to): (u32, u16),
        (turn, keep): (Turn, &Keep),
        see: &mut impl FnMut(Fact<'_>),
    ) -> Option<Odd> {
        let from = event.cap?;
        see(Fact::Migration(Migration {
            thread: id,
            from,
            to,
            time: event.time,
        }));
        if !keep.threads {
            return None;
        }
        let thread = self.threads.get_mut(id)?;
        thread.migrated();
        if event.time < thread.since() && turn.is_late() {
            return None;
        }
        let odd = match thread.state {
            ThreadState::Running { cap: other } if turn == Turn::Certain => {
                Some(Odd::RunningThreadMigrates { thread: id, other })
            }
            _ => None,
        };
        let was = thread.cap();
        thread.set_cap(to);
        if thread.state.is_runnable() {
            self.left(was, to, event.time, see);
            self.cap(to).runnable += 1;
            self.update(from, event.time, None, see);
            self.update(to, event.time, None, see);
        }
        odd
    }

    pub(crate) fn wakeup(
        &mut self,
        event: &Event<'_>,
        (id, to): (u32, u16),
        (turn, keep): (Turn, &Keep),
        see: &mut impl FnMut(Fact<'_>),
    ) {
        let Some(from) = event.cap else { return };
        let time = event.time;
        see(Fact::Wakeup(Wakeup {
            thread: id,
            by: self.cap(from).running.map(|(thread, _)| thread),
            from,
            to,
            time,
        }));
        if !keep.threads || from != to {
            return;
        }
        let Some(thread) = self.threads.get_mut(id) else {
            return;
        };
        let blocked = matches!(thread.state, ThreadState::Blocked { .. });
        let too_late = time < thread.since() && turn.is_late();
        if !blocked || thread.cap() != Some(to) || too_late {
            return;
        }
        if let Some(ended) = thread.enter(id, time, ThreadState::Runnable) {
            see(Fact::Thread(ended));
        }
        self.cap(to).runnable += 1;
        self.update(to, time, None, see);
    }

    pub(crate) fn label(&mut self, event: &Event<'_>, id: u32, label: Text<'_>, keep: &Keep) {
        if !keep.threads {
            return;
        }
        if self.threads.get(id).is_none() {
            if self.finished.contains(id) || self.threads.len() >= keep.limits.threads {
                return;
            }
            self.threads
                .insert(id, Thread::met(ThreadState::Unknown, event.time));
        }
        let full = self.labels >= keep.limits.labels;
        let Some(thread) = self.threads.get_mut(id) else {
            return;
        };
        if !thread.has_label() {
            if full {
                self.refused_labels += 1;
                return;
            }
            self.labels += 1;
        }
        let label = crate::text::shortened(&label.to_string_lossy(), keep.limits.label_bytes);
        thread.set_label(Some(Arc::new(label.into_boxed_str())));
    }

    /// The log is over: every interval ends.
    pub(crate) fn finish(&mut self, time: u64, see: &mut impl FnMut(Fact<'_>)) {
        let threads = std::mem::take(&mut self.threads);
        for (id, thread) in threads.sorted() {
            let mut thread = thread.clone();
            let state = thread.state;
            let end = time.max(thread.since());
            if let Some(ended) = thread.enter(id, end, state) {
                see(Fact::Thread(ended));
            }
            see(Fact::Gone {
                id,
                thread: &thread,
            });
        }
        for (number, cap) in (0u16..).zip(&mut self.caps) {
            if cap.seen {
                cap.finish(number, time, see);
            }
        }
    }
}
