//! Answers about the row of a thread.

use crate::arena::Arena;
use crate::cap::Cap;
use crate::row::{Doing, Interval, RUNNABLE};
use crate::state_event::Class;
use crate::stream::Words;
use crate::threads::{Lived, Part};
use crate::tile::MOST_INTERVALS;
use crate::word::Word;
use eventlog_state::ThreadState;
use std::collections::BTreeMap;

/// At most this many steps of a thread are searched for the end of an interval.
const MOST_STEPS: usize = 1 << 16;

/// The row of a thread.
#[derive(Clone, Debug)]
pub(crate) struct ThreadRow<'a> {
    pub(crate) lives: Vec<Lived<'a>>,
    pub(crate) arena: &'a Arena,
    pub(crate) caps: &'a BTreeMap<u16, Cap>,
    /// What was earlier may have been forgotten.
    pub(crate) kept_from: u64,
}

/// A change of a thread at a time, for sorting.
#[derive(Clone, Copy, Debug)]
struct Step {
    time: u64,
    cap: u16,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// It leaves for another capability.
    Leaves(u16),
    /// It does this until then.
    Does(ThreadState, u64),
}

impl ThreadRow<'_> {
    fn cap_until(&self, cap: u16) -> u64 {
        self.caps.get(&cap).map_or(0, |cap| cap.until)
    }

    /// Up to when a part of its life is known from its capability, and since when it is
    /// unknown because of a loss.
    fn bounds(&self, part: &Part<'_>) -> (u64, u64) {
        let Some(losses) = part.losses else {
            return (u64::MAX, u64::MAX);
        };
        let lost = self.caps.get(&part.cap).map(|cap| &cap.losses[..]);
        let lost = lost.and_then(|lost| lost.get(losses as usize));
        let lost = lost.copied().unwrap_or(u64::MAX);
        (self.cap_until(part.cap), lost)
    }

    /// Up to when the state of the thread is known.
    pub(crate) fn until(&self) -> u64 {
        let Some(life) = self.lives.last() else {
            return 0;
        };
        if life.to.is_some() {
            // It is over.
            let caps = self.caps.values().filter(|cap| cap.spoke);
            return caps.map(|cap| cap.until).max().unwrap_or(0);
        }
        let ends = life.parts.iter().map(|part| {
            let now = part.source.from(self.arena, u64::MAX).now;
            let until = match now.word {
                Word::Left { to } => self.cap_until(to).max(now.time),
                _ => self.cap_until(part.cap),
            };
            (now.time, now.word.class() != Class::Away, until)
        });
        ends.max().map_or(0, |(.., until)| until)
    }

    /// Sums by state at moments, which are in the order of time.
    pub(crate) fn sums(&self, edges: &[u64]) -> Vec<[u64; 8]> {
        let mut sums = vec![[0u64; 8]; edges.len()];
        let Some(&first) = edges.first() else {
            return sums;
        };
        let until = self.until();
        for life in &self.lives {
            let mut here = vec![0u64; edges.len()];
            for part in &life.parts {
                let (end, lost) = self.bounds(part);
                let end = end.min(life.to.unwrap_or(u64::MAX));
                let mut words = part.source.from(self.arena, first);
                for ((edge, sum), here) in edges.iter().zip(&mut sums).zip(&mut here) {
                    let time = (*edge).min(end);
                    words.advance(time);
                    // After a loss its state is unknown, but it is on this capability.
                    let spent = words.now.spent_at(time.min(lost));
                    for (place, spent) in sum.iter_mut().zip(spent) {
                        *place = place.wrapping_add(spent);
                        *here = here.wrapping_add(spent);
                    }
                    if words.now.word.class() != Class::Away {
                        *here = here.wrapping_add(time.saturating_sub(lost));
                    }
                }
            }
            // While it moves from one capability to another it is ready to run.
            let end = life.to.unwrap_or(until);
            for ((edge, sum), here) in edges.iter().zip(&mut sums).zip(here) {
                let alive = (*edge).min(end).saturating_sub(life.from);
                sum[RUNNABLE] = sum[RUNNABLE].wrapping_add(alive.saturating_sub(here));
            }
        }
        sums
    }

    /// The intervals in this time, cut to it, if they are few.
    pub(crate) fn few_intervals(&self, from: u64, to: u64) -> Option<Vec<Interval>> {
        let mut intervals = self.intervals(from, to, MOST_INTERVALS)?;
        for interval in &mut intervals {
            interval.from = interval.from.max(from);
            interval.to = interval.to.min(to);
        }
        (intervals.len() <= MOST_INTERVALS).then_some(intervals)
    }

    /// The interval at a moment.
    pub(crate) fn at(&self, time: u64) -> Option<Interval> {
        let here = |it: &Interval| (it.from..it.to).contains(&time);
        let (mut from, mut found): (u64, Option<Interval>) = (time, None);
        // The end of the interval is searched for in growing time ranges.
        for width in 0..64 {
            let to = time.saturating_add(1 << width);
            let Some(intervals) = self.intervals(from, to, MOST_STEPS) else {
                break;
            };
            found = intervals.into_iter().find(here);
            let Some(it) = found else { break };
            // While it moves it keeps the state that it had before it left.
            from = from.min(it.from.saturating_sub(1));
            if it.to <= to {
                break;
            }
        }
        while let Some(it) = found
            && it.doing == Doing::Thread(ThreadState::Runnable)
        {
            from = from.min(it.from.saturating_sub(1));
            let earlier = self.intervals(from, it.to, MOST_STEPS);
            let earlier = earlier.and_then(|all| all.into_iter().find(here));
            if earlier.is_none_or(|earlier| earlier.from == it.from) {
                break;
            }
            // It began earlier, or later: it did something else before it left.
            found = earlier;
        }
        found
    }

    /// The intervals that overlap this time; `None` if that takes too many steps.
    fn intervals(&self, from: u64, to: u64, most: usize) -> Option<Vec<Interval>> {
        let mut out: Vec<Interval> = Vec::new();
        let from = from.max(self.kept_from);
        for life in &self.lives {
            if life.from >= to || life.to.is_some_and(|end| end <= from) {
                continue;
            }
            let mut steps = Vec::new();
            for part in &life.parts {
                let words = part.source.from(self.arena, from);
                let room = most.saturating_mul(2).saturating_sub(steps.len());
                self.steps(part, words, to, room, &mut steps)?;
            }
            // A thread that leaves for a capability is there afterwards.
            steps.sort_by_key(|step| (step.time, matches!(step.what, What::Does(..))));
            for (at, step) in steps.iter().enumerate() {
                let next = steps.get(at + 1);
                match step.what {
                    What::Does(state, end) => {
                        let end = next.map_or(end, |next| end.min(next.time));
                        let end = end.min(life.to.unwrap_or(u64::MAX));
                        push(&mut out, step.time, end, state);
                    }
                    What::Leaves(cap) => {
                        let end = match next {
                            Some(next) if next.cap == cap => next.time,
                            // The block that says where it was meanwhile has not
                            // arrived yet.
                            Some(_) => continue,
                            None => self.cap_until(cap),
                        };
                        push(&mut out, step.time, end, ThreadState::Runnable);
                    }
                }
            }
        }
        out.retain(|it| it.to > from && it.from < to);
        Some(out)
    }

    /// The steps of a part, up to the first one that is not before `to`.
    fn steps(
        &self,
        part: &Part<'_>,
        mut words: Words<'_>,
        to: u64,
        most: usize,
        steps: &mut Vec<Step>,
    ) -> Option<()> {
        let (until, lost) = self.bounds(part);
        let mut count = 0;
        loop {
            let now = words.now;
            let end = words.peek().map(|(time, _)| time);
            let cap = part.cap;
            let what = match now.word {
                Word::Left { to: u16::MAX } => None,
                Word::Left { to } => Some(What::Leaves(to)),
                word => word.state(cap).map(|state| {
                    let end = end.unwrap_or(until).min(lost);
                    What::Does(state, end)
                }),
            };
            let time = now.time;
            steps.extend(what.map(|what| Step { time, cap, what }));
            count += 1;
            if count > most {
                return None;
            }
            // Before its first word nothing is known about a part.
            let told = what.is_some();
            if (told && now.time >= to) || !words.step() {
                return Some(());
            }
        }
    }
}

fn push(out: &mut Vec<Interval>, from: u64, to: u64, state: ThreadState) {
    let doing = Doing::Thread(state);
    match out.last_mut() {
        _ if from >= to || state == ThreadState::Unknown => {}
        Some(last) if last.to == from && last.doing == doing => last.to = to,
        _ => out.push(Interval { doing, from, to }),
    }
}
