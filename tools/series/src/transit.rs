//! Threads that are moving to a capability.
//!
//! A capability that passes a thread on writes an event; the destination writes none until it
//! takes the thread up. In between, one of its threads is ready, so the time that its events
//! show as idle was in fact switching. The two events are in different blocks, which arrive
//! in any order. So the idle times of a capability are remembered for a while, and
//! corrections are kept beside the sums of its own events.

use std::collections::BTreeSet;

/// How many idle times of a capability, and how many arrivals, are remembered.
const MOST: usize = 1 << 16;

/// Switching times that are found out of order: at most this many later ones are moved.
const MOST_MOVED: usize = 1 << 16;

/// Threads that are moving to one capability, and the resulting switching times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transit {
    /// Idle times according to its own events that can still change.
    idle: Vec<(u64, u64)>,
    /// Times in which it was really switching: from, to, and the total before.
    extra: Vec<(u64, u64, u64)>,
    /// The total of those that were forgotten.
    forgotten: u64,
    /// Threads that are moving, and since when; also ordered by time.
    pending: BTreeSet<(u32, u64)>,
    by_time: BTreeSet<(u64, u32)>,
    /// Arrivals of threads whose departure is not known yet.
    arrivals: BTreeSet<(u32, u64)>,
    /// What could not be remembered.
    pub(crate) refused: u64,
}

impl Transit {
    /// Since when the first of the threads that are moving now is on its way.
    pub(crate) fn pending_since(&self) -> Option<u64> {
        self.by_time.first().map(|(time, _)| *time)
    }

    /// The capability was idle, or had not written anything yet.
    pub(crate) fn was_idle(&mut self, from: u64, to: u64) {
        let mut idle_to = to;
        if let Some(since) = self.pending_since()
            && since < to
        {
            idle_to = since.max(from);
            self.is_switching(idle_to, to);
        }
        if idle_to > from {
            if self.idle.len() >= MOST {
                self.idle.drain(..MOST / 2);
                self.refused += 1;
            }
            self.idle.push((from, idle_to));
        }
    }

    /// A thread that is ready is on its way since `time`.
    pub(crate) fn departs(&mut self, thread: u32, time: u64) {
        let arrived = self.arrivals.range((thread, time)..).next().copied();
        if let Some((_, arrival)) = arrived.filter(|(other, _)| *other == thread) {
            self.arrivals.remove(&(thread, arrival));
            self.carve(time, arrival);
            return;
        }
        self.carve(time, u64::MAX);
        if self.pending.len() >= MOST {
            self.refused += 1;
            return;
        }
        self.pending.insert((thread, time));
        self.by_time.insert((time, thread));
    }

    /// A thread is taken up. All idle times before that have been passed in.
    pub(crate) fn arrives(&mut self, thread: u32, time: u64) {
        let mut found = false;
        while let Some(&(_, since)) = self.pending.range((thread, 0)..=(thread, time)).next() {
            self.pending.remove(&(thread, since));
            self.by_time.remove(&(since, thread));
            found = true;
        }
        if found {
            return;
        }
        if self.arrivals.len() >= MOST {
            self.refused += 1;
            return;
        }
        self.arrivals.insert((thread, time));
    }

    /// Nothing earlier than `time` will arrive any more.
    pub(crate) fn settle(&mut self, time: u64) {
        let over = self.idle.partition_point(|(_, to)| *to <= time);
        if over > 1024 || over == self.idle.len() {
            self.idle.drain(..over);
        }
        if self.arrivals.len() > 1024 {
            self.arrivals.retain(|(_, arrival)| *arrival > time);
        }
    }

    /// Nobody will ask for what was before `time`.
    pub(crate) fn forget(&mut self, time: u64) {
        let over = self.extra.partition_point(|(_, to, _)| *to <= time);
        if let Some((from, to, before)) = self.extra.drain(..over).next_back() {
            self.forgotten = before.wrapping_add(to - from);
        }
    }

    /// Whether enough is stored to make settling worthwhile.
    pub(crate) fn is_full(&self) -> bool {
        self.idle.len() > MOST / 4 || self.arrivals.len() > MOST / 4
    }

    /// A thread was moving from `from` to `to`.
    fn carve(&mut self, from: u64, to: u64) {
        let first = self.idle.partition_point(|(_, end)| *end <= from);
        let mut after = first;
        let mut left = Vec::new();
        let mut switching = Vec::new();
        while let Some(&(begin, end)) = self.idle.get(after)
            && begin < to
        {
            let (low, high) = (begin.max(from), end.min(to));
            switching.push((low, high));
            left.extend(
                [(begin, low), (high, end)]
                    .iter()
                    .filter(|(from, to)| from < to),
            );
            after += 1;
        }
        if switching.is_empty() {
            return;
        }
        self.idle.splice(first..after, left);
        for (from, to) in switching {
            self.is_switching(from, to);
        }
    }

    fn is_switching(&mut self, from: u64, to: u64) {
        if from >= to {
            return;
        }
        let at = self.extra.partition_point(|(other, ..)| *other < from);
        if self.extra.len() - at > MOST_MOVED {
            self.refused += 1;
            return;
        }
        let before = match at.checked_sub(1).and_then(|at| self.extra.get(at)) {
            Some((from, to, before)) => before.wrapping_add(to - from),
            None => self.forgotten,
        };
        self.extra.insert(at, (from, to, before));
        for (_, _, before) in &mut self.extra[at + 1..] {
            *before = before.wrapping_add(to - from);
        }
    }

    /// How long it was switching up to `time`, which was not forgotten, although its own events show
    /// idle.
    pub(crate) fn sum_at(&self, time: u64) -> u64 {
        let after = self.extra.partition_point(|(from, ..)| *from < time);
        match after.checked_sub(1).and_then(|at| self.extra.get(at)) {
            Some((from, to, before)) => before.wrapping_add(time.min(*to) - from),
            None => self.forgotten,
        }
    }

    /// The switching times that overlap this time.
    pub(crate) fn between(&self, from: u64, to: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
        let first = self.extra.partition_point(|(_, end, _)| *end <= from);
        let rest = self.extra[first..].iter().map(|(from, to, _)| (*from, *to));
        rest.take_while(move |(from, _)| *from < to)
    }

    /// Bytes of memory, about.
    pub(crate) fn memory(&self) -> usize {
        let sets = self.pending.len() + self.by_time.len() + self.arrivals.len();
        self.idle.capacity() * 16 + self.extra.capacity() * 24 + sets * 24
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A capability that is idle from 10 to 20 and 30 to 40, and takes threads up at 20 and
    /// 40; the answer is the same in any order of the calls.
    #[test]
    fn the_order_of_blocks_does_not_matter() {
        type Step = fn(&mut Transit);
        let own: [Step; 4] = [
            |it| it.was_idle(10, 20),
            |it| it.arrives(1, 20),
            |it| it.was_idle(30, 40),
            |it| it.arrives(2, 40),
        ];
        let others: [Step; 2] = [|it| it.departs(1, 14), |it| it.departs(2, 18)];
        for first in 0..=4 {
            for second in first..=4 {
                let mut transit = Transit::default();
                let mut others = others.iter();
                for at in 0..=4 {
                    if at == first {
                        others.next().unwrap()(&mut transit);
                    }
                    if at == second {
                        others.next().unwrap()(&mut transit);
                    }
                    if let Some(step) = own.get(at) {
                        step(&mut transit);
                    }
                }
                let found: Vec<_> = transit.between(0, 100).collect();
                let sums: Vec<_> = [14, 20, 35, 40, 99].map(|at| transit.sum_at(at)).into();
                assert_eq!(sums, [0, 6, 11, 16, 16], "{first} {second} {found:?}");
                assert!(transit.pending.is_empty() && transit.by_time.is_empty());
                assert!(transit.arrivals.is_empty());
            }
        }
    }
}
