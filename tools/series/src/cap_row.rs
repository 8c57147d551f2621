//! Answers about the row of a capability.

use crate::cap::{Cap, Entry};
use crate::machine::{LOCALS, Local, Machine, OfCap, OfThreads, SINCE, THREAD_TIME, Was};
use crate::read_at::ReadAt;
use crate::replay::{Replay, See};
use crate::row::{Doing, Interval, cap_index};
use crate::state_event::CLASSES;
use crate::tile::MOST_INTERVALS;
use eventlog_state::CapState;
use ghc_eventlog::Header;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Listing intervals decodes at most this many stretches of the log.
const MOST_WINDOWS: usize = 64;

/// So many bytes of the log are read beyond those that are expected to be enough.
const MORE: u64 = 512;

/// The row of a capability.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CapRow<'a> {
    pub(crate) header: &'a Arc<Header>,
    pub(crate) number: u16,
    pub(crate) cap: &'a Cap,
    /// It is the only capability.
    pub(crate) alone: bool,
}

impl CapRow<'_> {
    /// The state to show for a state from its own events.
    fn state(&self, local: Local) -> Option<CapState> {
        let state = match local {
            Local::Unknown => return None,
            Local::Mutator => CapState::Mutator,
            Local::Collecting => CapState::Collecting,
            Local::Waiting => CapState::Waiting,
            Local::Quiet if self.alone => CapState::Collecting,
            Local::Quiet => CapState::Waiting,
            Local::Switching => CapState::Switching,
            Local::Idle => CapState::Idle,
            Local::WritingLog => CapState::WritingLog,
        };
        Some(state)
    }

    fn told(&self, time: u64, sums: &[u64; LOCALS]) -> [u64; 8] {
        let mut told = [0u64; 8];
        let locals = [
            Local::Mutator,
            Local::Collecting,
            Local::Waiting,
            Local::Quiet,
            Local::Switching,
            Local::Idle,
            Local::WritingLog,
        ];
        for local in locals {
            if let (Some(state), Some(index)) = (self.state(local), local.index()) {
                let place = &mut told[cap_index(state)];
                *place = place.wrapping_add(sums[index]);
            }
        }
        let (switching, idle) = self.cap.switching(time);
        let place = &mut told[cap_index(CapState::Switching)];
        *place = place.wrapping_add(switching);
        let place = &mut told[cap_index(CapState::Idle)];
        *place = place.wrapping_sub(idle);
        told
    }

    /// Sums by state at moments, which are in the order of time.
    pub(crate) fn sums(
        &self,
        log: &(impl ReadAt + ?Sized),
        edges: &[u64],
    ) -> io::Result<Vec<[u64; 8]>> {
        let times: Vec<u64> = edges
            .iter()
            .map(|edge| *edge.min(&self.cap.until).max(&self.cap.kept_from))
            .collect();
        let mut replay = Replay::new(Arc::clone(self.header), log);
        let mut entries = self.cap.entries();
        let mut out: Vec<[u64; LOCALS]> = Vec::with_capacity(times.len());
        while let Some(&time) = times.get(out.len()) {
            let Some(index) = entries.last_not_above(SINCE, time) else {
                out.push([0; LOCALS]);
                continue;
            };
            let entry = entries.get(index);
            if index == entries.len() {
                out.push(entry.machine.sums_at(time));
                continue;
            }
            let next = entries.get(index + 1);
            let here = times[out.len()..].iter();
            let here = here.take_while(|time| **time < next.machine.since);
            // There is either one change, the one at the start of the next entry, or none.
            if next.machine.changes <= entry.machine.changes + 1 {
                out.extend(here.map(|time| entry.machine.sums_at(*time)));
                continue;
            }
            let here = &times[out.len()..][..here.count()];
            let enough = enough(SINCE, (&entry, &next), here);
            let mut edges = Edges {
                times: here,
                sums: entry.machine.sums,
                out: &mut out,
            };
            let range = (enough, next.end_before);
            replay.window((self.number, self.cap), &entry, range, &mut edges)?;
        }
        let told = times.iter().zip(&out);
        Ok(told.map(|(time, sums)| self.told(*time, sums)).collect())
    }

    /// Sums of its threads by state at moments, which are in the order of time.
    pub(crate) fn thread_sums(
        &self,
        log: &(impl ReadAt + ?Sized),
        edges: &[u64],
    ) -> io::Result<Vec<[u64; CLASSES]>> {
        let times: Vec<u64> = edges
            .iter()
            .map(|edge| *edge.min(&self.cap.until).max(&self.cap.kept_from))
            .collect();
        let mut replay = Replay::new(Arc::clone(self.header), log);
        let mut entries = self.cap.entries();
        let mut out: Vec<[u64; CLASSES]> = Vec::with_capacity(times.len());
        while let Some(&time) = times.get(out.len()) {
            let Some(index) = entries.last_not_above(THREAD_TIME, time) else {
                out.push([0; CLASSES]);
                continue;
            };
            let entry = entries.get(index);
            if index == entries.len() {
                out.push(entry.machine.thread_sums_at(time));
                continue;
            }
            let next = entries.get(index + 1);
            let here = times[out.len()..].iter();
            let count = here
                .take_while(|time| **time < next.machine.thread_time)
                .count();
            let here = &times[out.len()..][..count];
            let enough = enough(THREAD_TIME, (&entry, &next), here);
            let mut edges = ThreadEdges {
                times: here,
                out: &mut out,
            };
            let range = (enough, next.end_before);
            replay.window((self.number, self.cap), &entry, range, &mut edges)?;
        }
        Ok(out)
    }

    /// Visits the intervals from its own events, starting at an entry.
    fn walk(
        &self,
        log: &(impl ReadAt + ?Sized),
        first: usize,
        each: &mut impl FnMut(&Was) -> ControlFlow<()>,
    ) -> io::Result<()> {
        let mut replay = Replay::new(Arc::clone(self.header), log);
        let mut entries = self.cap.entries();
        for index in first..entries.len() {
            let before = entries.changes(index);
            if entries.changes(index + 1) == before {
                continue;
            }
            let (entry, next) = (entries.get(index), entries.get(index + 1));
            let mut see = Each { each, last: None };
            let range = (next.end_before, next.end_before);
            replay.window((self.number, self.cap), &entry, range, &mut see)?;
            let Some(last) = see.last else {
                return Ok(());
            };
            // A loss is recorded in the entry after it.
            let next = next.machine;
            if next.changes > last.changes && each(&last.open(next.since)).is_break() {
                return Ok(());
            }
        }
        let machine = &self.cap.machine;
        if self.cap.until > machine.since {
            let _ = each(&machine.open(self.cap.until));
        }
        Ok(())
    }

    /// All intervals that overlap this time, or just enough to see that there are more than
    /// `most`.
    fn intervals(
        &self,
        log: &(impl ReadAt + ?Sized),
        (from, to): (u64, u64),
        most: usize,
    ) -> io::Result<Vec<Interval>> {
        let mut entries = self.cap.entries();
        // The interval before may extend into this time.
        let first = entries.last_not_above(SINCE, from).unwrap_or(0);
        let first = first.saturating_sub(1).max(entries.first());
        let mut intervals = Vec::new();
        self.walk(log, first, &mut |was| {
            self.show(was, &mut intervals);
            if was.to <= from && intervals.len() > 1 {
                intervals.drain(..intervals.len() - 1);
            }
            match was.from >= to || intervals.len() > most.saturating_add(2) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        intervals.retain(|it| it.to > from && it.from < to);
        Ok(intervals)
    }

    /// What to show for an interval from its own events.
    fn show(&self, was: &Was, out: &mut Vec<Interval>) {
        let mut push = |from: u64, to: u64, state: CapState| {
            let thread = was.thread.filter(|_| state == CapState::Mutator);
            let doing = Doing::Cap { state, thread };
            match out.last_mut() {
                _ if from >= to => {}
                Some(last) if last.to == from && last.doing == doing => last.to = to,
                _ => out.push(Interval { doing, from, to }),
            }
        };
        let state = self.state(was.doing);
        let at_first = was.doing == Local::Unknown && was.to <= self.cap.known_since();
        let mut at = was.from;
        if was.doing == Local::Idle || at_first {
            let switching = self.cap.transit.between(was.from, was.to);
            for (from, to) in switching.chain(self.cap.open_switching()) {
                let (from, to) = (from.max(at), to.min(was.to));
                if from < to {
                    if let Some(state) = state {
                        push(at, from, state);
                    }
                    push(from, to, CapState::Switching);
                    at = to;
                }
            }
        }
        if let Some(state) = state {
            push(at, was.to, state);
        }
    }

    /// The intervals in this time, clipped to it, if they are few and cheap to decode.
    pub(crate) fn few_intervals(
        &self,
        log: &(impl ReadAt + ?Sized),
        from: u64,
        to: u64,
    ) -> io::Result<Option<Vec<Interval>>> {
        if from >= self.cap.until {
            return Ok(Some(Vec::new()));
        }
        let mut entries = self.cap.entries();
        let last = entries.last_not_above(SINCE, to).unwrap_or(0);
        let changes = entries.changes(last);
        let first = entries.last_not_above(SINCE, from).unwrap_or(0);
        let mut before = entries.changes(first);
        let changes = changes.saturating_sub(before);
        if changes > 2 * MOST_INTERVALS as u64 {
            return Ok(None);
        }
        let mut windows = 0;
        for index in first..last {
            let after = entries.changes(index + 1);
            windows += usize::from(after > before);
            before = after;
            if windows > MOST_WINDOWS || index - first > 16 * MOST_WINDOWS {
                return Ok(None);
            }
        }
        let mut intervals = self.intervals(log, (from, to), MOST_INTERVALS)?;
        if intervals.len() > MOST_INTERVALS {
            return Ok(None);
        }
        for interval in &mut intervals {
            interval.from = interval.from.max(from);
            interval.to = interval.to.min(to);
        }
        Ok(Some(intervals))
    }

    pub(crate) fn at(
        &self,
        log: &(impl ReadAt + ?Sized),
        time: u64,
    ) -> io::Result<Option<Interval>> {
        if time >= self.cap.until {
            return Ok(None);
        }
        let found = self.intervals(log, (time, time + 1), usize::MAX)?;
        Ok(found.first().copied())
    }
}

/// About where the events end between two entries that are needed for the last of these times, if
/// events come at a steady rate.
fn enough(field: usize, (entry, next): (&Entry, &Entry), times: &[u64]) -> u64 {
    let time = |entry: &Entry| match field {
        SINCE => entry.machine.since,
        _ => entry.machine.thread_time,
    };
    let (from, to) = (time(entry), time(next));
    let passed = times.last().map_or(0, |last| last.saturating_sub(from));
    let bytes = u128::from(next.end_before.saturating_sub(entry.offset));
    let part = bytes * u128::from(passed) / u128::from(to.saturating_sub(from).max(1));
    let part = u64::try_from(part).unwrap_or(u64::MAX);
    entry.offset.saturating_add(part).saturating_add(MORE)
}

/// Records sums at edges.
struct Edges<'a> {
    times: &'a [u64],
    /// Up to the end of the last interval.
    sums: [u64; LOCALS],
    out: &'a mut Vec<[u64; LOCALS]>,
}

impl See for Edges<'_> {
    type Sums = OfCap;

    #[inline]
    fn was(&mut self, was: &Was) -> ControlFlow<()> {
        let add = |sums: &mut [u64; LOCALS], to: u64| {
            if let Some(index) = was.doing.index() {
                sums[index] = sums[index].wrapping_add(to.saturating_sub(was.from));
            }
        };
        while let Some((&time, rest)) = self.times.split_first()
            && time < was.to
        {
            let mut sums = self.sums;
            add(&mut sums, time);
            self.out.push(sums);
            self.times = rest;
        }
        add(&mut self.sums, was.to);
        match self.times.is_empty() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn end(&mut self, machine: &Machine) {
        let left = std::mem::take(&mut self.times);
        self.out
            .extend(left.iter().map(|time| machine.sums_at(*time)));
    }
}

/// Records sums of threads at edges.
struct ThreadEdges<'a> {
    times: &'a [u64],
    out: &'a mut Vec<[u64; CLASSES]>,
}

impl See for ThreadEdges<'_> {
    type Sums = OfThreads;

    fn was(&mut self, _was: &Was) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    #[inline]
    fn thread(&mut self, machine: &Machine, time: u64) -> ControlFlow<()> {
        let next = time.max(machine.thread_time);
        while let Some((&time, rest)) = self.times.split_first()
            && time < next
        {
            self.out.push(machine.weighed_sums_at(time));
            self.times = rest;
        }
        match self.times.is_empty() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn end(&mut self, machine: &Machine) {
        let left = std::mem::take(&mut self.times);
        let sums = left.iter().map(|time| machine.weighed_sums_at(*time));
        self.out.extend(sums);
    }
}

/// Passes on each interval.
struct Each<'a, F> {
    each: &'a mut F,
    /// The state at the end, unless it was stopped before.
    last: Option<Machine>,
}

impl<F: FnMut(&Was) -> ControlFlow<()>> See for Each<'_, F> {
    type Sums = OfCap;

    fn was(&mut self, was: &Was) -> ControlFlow<()> {
        (self.each)(was)
    }

    fn end(&mut self, machine: &Machine) {
        self.last = Some(*machine);
    }
}
