//! Threads and capabilities: which thread runs where, and what each waits for.
//!
//! What a capability does follows from its own events, in the order in which it wrote them. A
//! thread belongs to one capability at a time, and only that one logs what the thread does; it
//! passes the thread on with `migrate_thread`. So both are right even if the events of different
//! capabilities are not ordered by time: an event that is older than what is known of a thread
//! already counts for its totals, and does not change its state.
//!
//! A wake-up is a change of state only if the owner of the thread logs it; one from another
//! capability is a message that the owner may handle much later.

mod unusual;

use crate::cap::Cap;
use crate::context::{Context, Place};
use crate::fact::{Fact, Migration, Wakeup};
use crate::finished::Finished;
use crate::limits::Keep;
use crate::oddity::{At, Odd};
use crate::pages::Pages;
use crate::states::ThreadState;
use crate::table::Table;
use crate::thread::Thread;
use crate::turn::Turn;
use ghc_eventlog::{Event, StopStatus, Text};
use std::sync::Arc;
use unusual::runs_while_collecting;

/// All threads and capabilities of one session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scheduler {
    pub(crate) threads: Pages<Thread>,
    pub(crate) caps: Vec<Cap>,
    seen: u32,
    /// For each reused number of a thread that is alive: which reuse of any number that was. GHC
    /// does not reuse numbers.
    again: Table<u64>,
    /// How many numbers were reused.
    used_again: u64,
    /// The capability of the latest event.
    spoke_last: Option<u16>,
    finished: Arc<Finished>,
    labels: usize,
    /// Threads and labels that exceeded the limits.
    pub(crate) refused_threads: u64,
    pub(crate) refused_labels: u64,
    /// Threads that the log does not create, and the first of them.
    pub(crate) uncreated: u64,
    pub(crate) first_uncreated: Option<(At, u32)>,
    /// Set when an event about threads could not be decoded (logs of GHC 6): from there on nothing
    /// is certain.
    pub(crate) blind: bool,
}

impl Scheduler {
    /// A capability, which may be new.
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

    /// Notes that an event is of a capability, which thereby becomes known.
    #[inline]
    pub(crate) fn spoke(&mut self, event: &impl Place) {
        // In most cases it is the one of the event before.
        if event.cap() != self.spoke_last {
            self.speaks(event);
        }
    }

    #[inline(never)]
    fn speaks(&mut self, event: &impl Place) {
        self.spoke_last = event.cap();
        if let Some(number) = event.cap() {
            self.cap(number).first.get_or_insert_with(|| event.at());
        }
    }

    /// Whether there is only one capability.
    #[inline]
    pub(crate) fn alone(&self) -> bool {
        self.seen <= 1
    }

    /// Updates a capability that may have changed; `thread` ran until now.
    pub(crate) fn update(
        &mut self,
        number: u16,
        time: u64,
        thread: Option<u32>,
        see: &mut impl FnMut(Fact<'_>),
    ) {
        self.cap(number);
        let alone = self.alone();
        self.caps[usize::from(number)].update(number, (time, thread, alone), see);
    }

    pub(crate) fn create(
        &mut self,
        id: u32,
        with: &Context<'_, impl Place>,
        see: &mut impl FnMut(Fact<'_>),
    ) {
        if !with.keep.threads {
            return;
        }
        let time = with.event.time();
        if let Some(thread) = self.threads.get_mut(id) {
            // It appeared before its creation, which its capability logs only now.
            if thread.state == ThreadState::Unknown || with.is_late() {
                thread.set_created(time, with.event.cap());
                // Only its name was known.
                if thread.state == ThreadState::Unknown && thread.is_new() {
                    thread.enter(id, time, ThreadState::Runnable);
                    if let Some(cap) = thread.cap() {
                        self.cap(cap).runnable += 1;
                        self.update(cap, time, None, see);
                    }
                }
                return;
            }
            return self.odd(Odd::ThreadCreatedTwice { thread: id }, with, see);
        }
        // Numbers may be reused after the thread has ended.
        if self.finished.contains(id) {
            if with.turn == Turn::Late {
                return;
            }
            Arc::make_mut(&mut self.finished).remove(id);
            self.used_again += 1;
            self.again.insert(id.into(), self.used_again);
        }
        if self.threads.len() >= with.keep.limits.threads {
            self.refused_threads += 1;
            return;
        }
        self.threads
            .insert(id, Thread::created_on(with.event.cap(), time));
        if let Some(cap) = with.event.cap() {
            self.cap(cap).runnable += 1;
            self.update(cap, time, None, see);
        }
    }

    /// A thread starts.
    #[inline(always)]
    pub(crate) fn run(
        &mut self,
        id: u32,
        with: &Context<'_, impl Place>,
        see: &mut impl FnMut(Fact<'_>),
    ) {
        let Some(number) = with.event.cap() else {
            return;
        };
        let index = usize::from(number);
        let before = self.caps[index].running.map(|(other, _)| other);
        if let Some(other) = before {
            self.takes_over(id, (other, number), with, see);
        }
        let was_ready = with.keep.threads && self.thread_runs(id, number, with, see);
        let alone = self.alone();
        let cap = &mut self.caps[index];
        cap.running = Some((id, with.event.time()));
        cap.scheduled = true;
        cap.runs += 1;
        cap.ready(was_ready, false);
        if cap.collecting.is_none() {
            cap.requested = None;
        }
        cap.update(number, (with.event.time(), before, alone), see);
        if with.keep.oddities {
            cap.collections_known = true;
            if let Some(collection) = cap.collecting {
                runs_while_collecting(id, collection, with, see);
            }
        }
    }

    /// Returns whether it was ready to run on this capability.
    #[inline(always)]
    fn thread_runs(
        &mut self,
        id: u32,
        number: u16,
        with: &Context<'_, impl Place>,
        see: &mut impl FnMut(Fact<'_>),
    ) -> bool {
        let time = with.event.time();
        let Some(thread) = self.threads.get_mut(id) else {
            self.stranger(id, ThreadState::Running { cap: number }, false, with, see);
            return false;
        };
        thread.started();
        if time < thread.since() && with.is_late() {
            return false;
        }
        let (before, cap) = (thread.state, thread.cap());
        thread.set_cap(number);
        if let Some(ended) = thread.enter(id, time, ThreadState::Running { cap: number }) {
            see(Fact::Thread(ended));
        }
        if before.is_runnable() {
            return cap == Some(number) || self.leaves(cap, time, see);
        }
        if let ThreadState::Running { cap: other } = before
            && other != number
            && with.turn == Turn::Certain
        {
            self.odd(Odd::ThreadRunsTwice { thread: id, other }, with, see);
        }
        false
    }

    /// A thread that was ready to run on this capability no longer is.
    #[inline(never)]
    fn leaves(&mut self, cap: Option<u16>, time: u64, see: &mut impl FnMut(Fact<'_>)) -> bool {
        if let Some(number) = cap {
            let cap = self.cap(number);
            cap.runnable = cap.runnable.saturating_sub(1);
            self.update(number, time, None, see);
        }
        false
    }

    /// A thread stops.
    #[inline(always)]
    pub(crate) fn stop(
        &mut self,
        (id, status, info): (u32, StopStatus, Option<u32>),
        with: &Context<'_, impl Place>,
        see: &mut impl FnMut(Fact<'_>),
    ) {
        let Some(number) = with.event.cap() else {
            return;
        };
        let index = usize::from(number);
        let before = self.caps[index].running;
        let since = match before {
            Some((other, since)) if other == id => Some(since),
            Some((other, _)) => {
                self.stops_other(id, (other, number), with, see);
                None
            }
            None => None,
        };
        let (fewer, more) = match with.keep.threads {
            true => self.thread_stops((id, number, since), (status, info), with, see),
            false => (false, false),
        };
        let alone = self.alone();
        let cap = &mut self.caps[index];
        cap.running = None;
        cap.scheduled = true;
        if let Some((_, since)) = before {
            let took = with.event.time().saturating_sub(since);
            cap.ran = cap.ran.saturating_add(took);
        }
        cap.ready(fewer, more);
        let before = before.map(|(other, _)| other);
        cap.update(number, (with.event.time(), before, alone), see);
    }

    /// Returns whether it was ready to run on this capability, and whether it is now.
    #[inline(always)]
    fn thread_stops(
        &mut self,
        (id, number, since): (u32, u16, Option<u64>),
        (status, info): (StopStatus, Option<u32>),
        with: &Context<'_, impl Place>,
        see: &mut impl FnMut(Fact<'_>),
    ) -> (bool, bool) {
        let time = with.event.time();
        let Some(thread) = self.threads.get_mut(id) else {
            let state = ThreadState::after(status, info);
            self.stranger(id, state, since.is_some(), with, see);
            return (false, false);
        };
        let state = ThreadState::after(status, info);
        let (before, cap) = (thread.state, thread.cap());
        let told = thread.since();
        let here = matches!(before, ThreadState::Running { cap } if cap == number);
        // Logged by another capability, or late: the run counts, whatever the thread is doing now.
        if let (false, Some(since)) = (here, since) {
            thread.ran_before(time.saturating_sub(since));
        }
        let over = matches!(state, ThreadState::Finished);
        let (mut was_ready, mut is_ready) = (false, false);
        if time >= thread.since() || !with.is_late() || over {
            thread.set_cap(number);
            if let Some(ended) = thread.enter(id, time, state) {
                see(Fact::Thread(ended));
            }
            was_ready =
                before.is_runnable() && (cap == Some(number) || self.leaves(cap, time, see));
            is_ready = state.is_runnable();
            if over {
                self.over(id, see);
            }
        }
        // If it ran here, the event that said otherwise was odd, not this one.
        if !here && since.is_none() {
            self.stops_unexpectedly((id, number), (before, told), with, see);
        }
        (was_ready, is_ready)
    }

    #[inline(never)]
    fn over(&mut self, id: u32, see: &mut impl FnMut(Fact<'_>)) {
        if let Some(thread) = self.threads.remove(id) {
            self.labels -= usize::from(thread.has_label());
            see(Fact::Gone {
                id,
                thread: &thread,
            });
        }
        Arc::make_mut(&mut self.finished).add(id);
        if self.again.len() > 0 {
            self.again.remove(id.into());
        }
    }

    /// Distinguishes threads with the same number. `None` if the one with this number has ended.
    pub(crate) fn life(&self, id: u32) -> Option<u64> {
        if self.finished.contains(id) {
            return None;
        }
        Some(self.again.get(id.into()).copied().unwrap_or(0))
    }

    pub(crate) fn migrate(
        &mut self,
        (id, to): (u32, u16),
        with: &Context<'_, impl Place>,
        see: &mut impl FnMut(Fact<'_>),
    ) {
        let Some(from) = with.event.cap() else { return };
        let time = with.event.time();
        see(Fact::Migration(Migration {
            thread: id,
            from,
            to,
            time,
        }));
        if !with.keep.threads {
            return;
        }
        let Some(thread) = self.threads.get_mut(id) else {
            return;
        };
        thread.migrated();
        if time < thread.since() && with.is_late() {
            return;
        }
        let (state, was) = (thread.state, thread.cap());
        thread.set_cap(to);
        if !matches!(state, ThreadState::Running { .. }) {
            // Only threads that are ready are passed on: if it was blocked, it was woken
            // although the log does not say so.
            if !state.is_runnable()
                && let Some(ended) = thread.enter(id, time, ThreadState::Runnable)
            {
                see(Fact::Thread(ended));
            }
            let here = was == Some(to) && state.is_runnable();
            let fewer = here || (state.is_runnable() && self.leaves(was, time, see));
            self.cap(to).ready(fewer, true);
            self.update(from, time, None, see);
            self.update(to, time, None, see);
        }
        if let (ThreadState::Running { cap: other }, Turn::Certain) = (state, with.turn) {
            self.odd(Odd::RunningThreadMigrates { thread: id, other }, with, see);
        }
    }

    #[inline(always)]
    pub(crate) fn wakeup(
        &mut self,
        (id, to): (u32, u16),
        with: &Context<'_, impl Place>,
        see: &mut impl FnMut(Fact<'_>),
    ) {
        let Some(from) = with.event.cap() else { return };
        let time = with.event.time();
        let alone = self.alone();
        let cap = &mut self.caps[usize::from(from)];
        see(Fact::Wakeup(Wakeup {
            thread: id,
            by: cap.running.map(|(thread, _)| thread),
            from,
            to,
            time,
        }));
        if !with.keep.threads || from != to {
            return;
        }
        let Some(thread) = self.threads.get_mut(id) else {
            return;
        };
        let blocked = matches!(thread.state, ThreadState::Blocked { .. });
        let too_late = time < thread.since() && with.is_late();
        if !blocked || thread.cap() != Some(to) || too_late {
            return;
        }
        if let Some(ended) = thread.enter(id, time, ThreadState::Runnable) {
            see(Fact::Thread(ended));
        }
        cap.runnable += 1;
        cap.update(to, (time, None, alone), see);
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

    /// Ends the log: every interval ends.
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
        for (number, cap) in (0..=u16::MAX).zip(&mut self.caps) {
            if cap.seen {
                cap.finish(number, time, see);
            }
        }
    }
}
