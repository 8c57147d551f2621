//! The index of the rows of one log.

use crate::cap::Cap;
use crate::limits::Limits;
use crate::row::Life;
use crate::state_event::{self, Act, Class, StateEvent};
use crate::threads::{Happens, Threads};
use ghc_eventlog::notes::{Note, Recovered};
use ghc_eventlog::{Block, Decoder, Encoded, Event, EventBody, Header, Item, ids};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The rows of one log: what each capability and each thread does, and when.
///
/// It takes the blocks of the log as they arrive, and returns for any time range how long
/// each state lasted: exactly, at every zoom. It keeps sums and not events, so nearly every
/// answer reads a part of the log again.
///
/// Once all blocks are there, the answers do not depend on the order in which the
/// blocks of different capabilities arrived.
#[derive(Clone, Debug)]
pub struct Rows {
    pub(crate) header: Arc<Header>,
    decoder: Decoder,
    pub(crate) caps: BTreeMap<u16, Cap>,
    pub(crate) threads: Threads,
    /// The capabilities that were announced, and those that were deleted.
    pub(crate) announced: BTreeMap<u16, bool>,
    /// The times of losses, from the notes in the log.
    lost: Vec<(u64, u64)>,
    pub(crate) is_over: bool,
    limits: Limits,
    /// The log before this place was forgotten.
    forgotten: u64,
    pub(crate) kept_from: u64,
}

/// How much was refused because of [`Limits`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Events of threads beyond the limit.
    pub threads: u64,
    /// Times at which a capability was shown as idle although a thread may have been on its
    /// way to it.
    pub transits: u64,
}

impl Rows {
    /// An index with the header only.
    pub fn new(header: Arc<Header>) -> Self {
        Self::with_limits(header, Limits::default())
    }

    /// The same with other limits.
    pub fn with_limits(header: Arc<Header>, limits: Limits) -> Self {
        Self {
            decoder: Decoder::at(Arc::clone(&header), None, 0, 0),
            header,
            caps: BTreeMap::new(),
            threads: Threads::new(limits.threads),
            announced: BTreeMap::new(),
            lost: Vec::new(),
            is_over: false,
            limits,
            forgotten: 0,
            kept_from: 0,
        }
    }

    /// Adds a whole block with its marker, which is in the log at `offset`. Blocks have to
    /// be added in the order of the log. Several blocks can be added in one call.
    ///
    /// An incomplete block, as at the end of a truncated log, is used as far as it goes;
    /// after a fault in a block the state is unknown.
    pub fn block(&mut self, offset: u64, block: &[u8]) {
        let mut rest = block;
        let mut present = None;
        self.decoder.seek(None, offset, offset);
        self.threads.arena.reaches(offset + block.len() as u64);
        loop {
            match self.decoder.decode(&mut rest) {
                Ok(Item::Block(block)) => {
                    self.end_block(present.take(), true);
                    present = Some(block);
                    self.begin_block(&block);
                    self.events(block.cap, &mut rest);
                }
                Ok(Item::Event(event)) => {
                    self.event(&event);
                    self.events(event.cap, &mut rest);
                }
                // All that follows belongs to another session.
                Ok(Item::Header) | Err(_) => {
                    self.end_block(present, false);
                    return;
                }
                Ok(Item::NeedMore) => {
                    let left = self.decoder.left_of_block().unwrap_or(0);
                    self.end_block(present, rest.is_empty() && left == 0);
                    break;
                }
                Ok(_) => {}
            }
        }
        self.settle();
    }

    fn begin_block(&mut self, block: &Block<'_>) {
        if let Some(number) = block.cap {
            let cap = self.caps.entry(number).or_default();
            cap.block(block, &self.lost);
        }
    }

    fn end_block(&mut self, block: Option<Block<'_>>, is_whole: bool) {
        let Some(block) = block else { return };
        if let Some(number) = block.cap
            && let Some(cap) = self.caps.get_mut(&number)
        {
            cap.block_is_over(block.end, is_whole);
        }
    }

    /// The following ordinary events, which are nearly all of a log.
    fn events(&mut self, number: Option<u16>, rest: &mut &[u8]) {
        let Self {
            decoder,
            caps,
            threads,
            ..
        } = self;
        let Some(number) = number else {
            let mut special = Vec::new();
            let _ = decoder.for_each_event(rest, |event| {
                if is_special(&event) {
                    special.push(event);
                }
                ControlFlow::<()>::Continue(())
            });
            special.iter().for_each(|event| self.special(event));
            return;
        };
        let Some(mut cap) = caps.remove(&number) else {
            return;
        };
        let mut departures = Departures {
            number,
            caps,
            limit: self.limits.caps,
        };
        decoder.events_until(rest, &mut 0, u64::MAX, |event| {
            if event.cap == Some(number) {
                take(&mut cap, threads, &mut departures, &event);
            }
        });
        caps.insert(number, cap);
    }

    fn event(&mut self, event: &Event<'_>) {
        let Some(number) = event.cap else {
            if is_special(event) {
                self.special(event);
            }
            return;
        };
        let Self { caps, threads, .. } = self;
        if let Some(mut cap) = caps.remove(&number) {
            let mut departures = Departures {
                number,
                caps,
                limit: self.limits.caps,
            };
            take(&mut cap, threads, &mut departures, &event.encoded());
            caps.insert(number, cap);
        }
    }

    /// Events about the log and its capabilities.
    #[cold]
    fn special(&mut self, event: &Event<'_>) {
        match event.body {
            EventBody::Startup { capabilities } => {
                (0..capabilities).for_each(|cap| self.announce(cap, true));
            }
            EventBody::CapCreate { created_cap } => self.announce(created_cap, true),
            EventBody::CapsetAssignCap { assigned_cap, .. } => self.announce(assigned_cap, true),
            EventBody::CapDelete { deleted_cap } => self.announce(deleted_cap, false),
            _ => {}
        }
        let between = match Note::of(event) {
            Some(Note::Loss(loss)) => loss.between.unwrap_or((0, u64::MAX)),
            Some(Note::RelayLoss(loss)) => loss.between,
            Some(Note::RecordLoss(loss)) => loss.between,
            Some(Note::RunLoss(_)) => (0, u64::MAX),
            Some(Note::Recovered(Recovered::Overwritten(ring))) => (0, ring.whole_from),
            _ => return,
        };
        // The event has microseconds.
        let (from, to) = (
            between.0.saturating_sub(1000),
            between.1.saturating_add(1000),
        );
        let full = self.lost.len() >= self.limits.losses;
        match self.lost.last_mut() {
            Some(last) if full => *last = (last.0.min(from), last.1.max(to)),
            _ => self.lost.push((from, to)),
        }
    }

    fn announce(&mut self, cap: u16, is_there: bool) {
        if cap != u16::MAX {
            self.announced.insert(cap, is_there);
        }
    }

    fn settle(&mut self) {
        if self.caps.values().any(|cap| cap.transit.is_full()) {
            let low = self.delivered_by_all();
            for cap in self.caps.values_mut() {
                cap.transit.settle(low);
            }
        }
    }

    /// Up to when all known capabilities have delivered.
    pub(crate) fn delivered_by_all(&self) -> u64 {
        let spoke = self.caps.iter().filter(|(_, cap)| cap.spoke);
        let gone = |number: &u16| self.announced.get(number) == Some(&false);
        let ends = spoke
            .filter(|(number, _)| !gone(number))
            .map(|(_, cap)| cap.until);
        let mut silent = self.announced.iter().filter(|(_, is_there)| **is_there);
        match silent.any(|(number, _)| self.caps.get(number).is_none_or(|cap| !cap.spoke)) {
            true => 0,
            false => ends.min().unwrap_or(0),
        }
    }

    /// The log before `offset` cannot be read again: forgets what is only needed for that part, so that
    /// the index of a log of which the newest part is kept does not grow. [`kept_from`](Self::kept_from)
    /// tells since when the rows are known then.
    ///
    /// This takes as long as it takes to move the rest of the index in memory, so forget a large part
    /// at a time.
    pub fn forget(&mut self, offset: u64) {
        if offset <= self.forgotten {
            return;
        }
        self.forgotten = offset;
        for cap in self.caps.values_mut().filter(|cap| cap.spoke) {
            cap.forget(offset);
            self.kept_from = self.kept_from.max(cap.kept_from);
        }
        self.threads.forget(offset, self.kept_from);
    }

    /// Since when the rows are known: 0 unless something was [forgotten](Self::forget). Before that
    /// their states are unknown.
    pub fn kept_from(&self) -> u64 {
        self.kept_from
    }

    /// The log is over: nothing will be added, and all of it is final.
    pub fn finish(&mut self) {
        self.is_over = true;
    }

    /// The header of the log.
    pub fn header(&self) -> &Arc<Header> {
        &self.header
    }

    /// The capabilities that have rows, by number.
    pub fn caps(&self) -> impl Iterator<Item = u16> + '_ {
        let spoke = self.caps.iter().filter(|(_, cap)| cap.spoke);
        spoke.map(|(number, _)| *number)
    }

    /// How many threads there were, and how many of them are alive.
    pub fn thread_counts(&self) -> (usize, usize) {
        self.threads.counts()
    }

    /// The lifetime of the latest thread with that number.
    pub fn life(&self, thread: u32) -> Option<Life> {
        let lives = self.threads.lived(thread);
        lives.last().map(|lived| lived.life(thread))
    }

    /// Visits the threads that were alive at any time from `from` to `to` (exclusive), at
    /// most `most`: those that are still alive, then the others, the longest lives first.
    /// Returns how many there are in all. A reused number can occur twice.
    pub fn lives(&self, from: u64, to: u64, most: usize, each: &mut impl FnMut(u32)) -> usize {
        self.threads.lives(from, to, most, each)
    }

    /// What was refused so far.
    pub fn refused(&self) -> Refused {
        Refused {
            threads: self.threads.refused,
            transits: self.caps.values().map(|cap| cap.transit.refused).sum(),
        }
    }

    /// Approximate memory use of the index in bytes.
    pub fn memory(&self) -> usize {
        self.threads.memory() + self.caps.values().map(Cap::memory).sum::<usize>()
    }
}

/// Receives the threads that leave a capability, with their destination.
struct Departures<'a> {
    number: u16,
    caps: &'a mut BTreeMap<u16, Cap>,
    limit: usize,
}

impl Departures<'_> {
    #[cold]
    fn departs(&mut self, thread: u32, time: u64, to: u16) {
        if to == self.number || (self.caps.len() >= self.limit && !self.caps.contains_key(&to)) {
            return;
        }
        let cap = self.caps.entry(to).or_default();
        cap.transit.departs(thread, time);
    }
}

/// Takes an event of a capability.
#[inline(always)]
fn take(
    cap: &mut Cap,
    threads: &mut Threads,
    departures: &mut Departures<'_>,
    event: &Encoded<'_>,
) {
    cap.event(event.offset, event.raw.len());
    let time = event.time;
    // Nearly all events are one of these three. For each of them the compiler makes code of its own
    // from what follows, in which what happens is known: far fewer instructions.
    match event.id() {
        ids::RUN_THREAD => {
            if let Some(thread) = state_event::run(event) {
                take_thread(cap, threads, departures, (time, thread, Act::Run));
            }
        }
        ids::STOP_THREAD => {
            if let Some((thread, status, info)) = state_event::stop(event) {
                let act = Act::Stop(status, info);
                take_thread(cap, threads, departures, (time, thread, act));
            }
        }
        ids::THREAD_WAKEUP => {
            if let Some(thread) = state_event::wake(event, departures.number) {
                take_thread(cap, threads, departures, (time, thread, Act::Wake));
            }
        }
        _ => {
            if let Some(told) = StateEvent::rare(event, departures.number) {
                take_rare(cap, threads, departures, (time, told));
            }
        }
    }
}

#[inline(never)]
fn take_rare(
    cap: &mut Cap,
    threads: &mut Threads,
    departures: &mut Departures<'_>,
    (time, told): (u64, StateEvent),
) {
    match told {
        StateEvent::Thread(thread, act) => {
            take_thread(cap, threads, departures, (time, thread, act));
        }
        _ => cap.take(time, told, Class::Away),
    }
}

/// Takes an event about a thread.
#[inline(always)]
fn take_thread(
    cap: &mut Cap,
    threads: &mut Threads,
    departures: &mut Departures<'_>,
    (time, thread, act): (u64, u32, Act),
) {
    if let (Act::Run | Act::Stop(..), Some(other)) = (act, cap.machine.running())
        && other != thread
    {
        threads.vanishes(other, departures.number, time);
    }
    let before = threads.happens(Happens {
        cap: departures.number,
        time,
        thread,
        act,
        losses: &cap.losses,
    });
    cap.take(time, StateEvent::Thread(thread, act), before);
    if before == Class::Away {
        cap.arrives(thread, time, act);
    }
    if let Act::Migrate(to) = act
        && !matches!(before, Class::Running | Class::Refused)
    {
        departures.departs(thread, time, to);
    }
}

fn is_special(event: &Event<'_>) -> bool {
    matches!(
        event.id(),
        ids::USER_MSG
            | ids::LOG_MSG
            | ids::STARTUP
            | ids::CAP_CREATE
            | ids::CAP_DELETE
            | ids::CAPSET_ASSIGN_CAP
    )
}
