//! Ticky counters: how often closures are entered, and what they allocate.

use crate::limits::Keep;
use crate::oddity::{At, Odd};
use crate::table::Table;
use ghc_eventlog::{Event, EventBody};

/// The latest running totals of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TickySample {
    /// The counter.
    pub counter: u64,
    /// When they were logged, in nanoseconds.
    pub time: u64,
    /// The capability that logged them.
    pub cap: Option<u16>,
    /// Entries.
    pub entries: u64,
    /// Bytes allocated by the closure.
    pub allocs: u64,
    /// Bytes allocated of the closure.
    pub allocated: u64,
    /// Where the counter was logged for the first time.
    first: At,
}

impl TickySample {
    /// Whether the other has the same totals.
    pub(crate) fn says(&self, other: &Self) -> bool {
        let totals = |of: &Self| (of.entries, of.allocs, of.allocated);
        totals(self) == totals(other)
    }
}

/// Ticky counters. Their definitions arrive when the program exits, after everything that uses
/// them; [`Definitions::ticky_counter`](crate::Definitions::ticky_counter) has their names. A copy
/// shares what has not changed since.
#[derive(Clone, Debug, Default)]
pub struct Ticky {
    defined: Table<()>,
    used: Table<TickySample>,
    begun: u64,
    refused: u64,
}

impl Ticky {
    /// The latest sample of a counter.
    pub fn sample(&self, counter: u64) -> Option<&TickySample> {
        self.used.get(counter)
    }

    /// The latest samples of all counters, by their number.
    pub fn samples(&self) -> impl Iterator<Item = &TickySample> {
        let mut samples: Vec<_> = self.used.iter().map(|(_, sample)| sample).collect();
        samples.sort_unstable_by_key(|sample| sample.counter);
        samples.into_iter()
    }

    /// How often the counters were written.
    pub fn begun(&self) -> u64 {
        self.begun
    }

    /// How many events of counters were refused because there were too many.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Takes an event.
    pub(crate) fn event(&mut self, event: &Event<'_>, keep: &Keep) {
        let most = keep.limits.definitions;
        match event.body {
            EventBody::TickyCounterDef { counter, .. } => {
                if self.defined.contains(counter) {
                    return;
                }
                match self.defined.len() < most {
                    true => drop(self.defined.insert(counter, ())),
                    false => self.refused += 1,
                }
            }
            EventBody::TickyCounterBeginSample => self.begun += 1,
            EventBody::TickyCounterSample {
                counter,
                entries,
                allocs,
                allocated,
            } => {
                let first = self.used.get(counter).map(|sample| sample.first);
                if first.is_none() && self.used.len() >= most {
                    self.refused += 1;
                    return;
                }
                let sample = TickySample {
                    counter,
                    time: event.time,
                    cap: event.cap,
                    entries,
                    allocs,
                    allocated,
                    first: first.unwrap_or(At::event(event)),
                };
                self.used.insert(counter, sample);
            }
            _ => {}
        }
    }

    /// Ends the log.
    pub(crate) fn finish(&self, odd: &mut impl FnMut(At, Odd)) {
        if self.refused > 0 {
            return;
        }
        let mut undefined: Vec<_> = self
            .used
            .iter()
            .filter(|(counter, _)| !self.defined.contains(*counter))
            .map(|(counter, sample)| (sample.first, counter))
            .collect();
        undefined.sort_unstable_by_key(|(at, counter)| (at.offset, *counter));
        let Some(&(first, _)) = undefined.first() else {
            return;
        };
        if self.defined.len() == 0 {
            let count = undefined.len();
            return odd(first, Odd::NoTickyDefinitions { count });
        }
        for (at, counter) in undefined {
            odd(at, Odd::UndefinedTickyCounter { counter });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_log::Log;

    fn sample(counter: u64, entries: u64) -> EventBody<'static> {
        EventBody::TickyCounterSample {
            counter,
            entries,
            allocs: 2,
            allocated: 3,
        }
    }

    fn define(counter: u64) -> EventBody<'static> {
        EventBody::TickyCounterDef {
            counter,
            arity: 1,
            arg_kinds: "L".into(),
            name: "f".into(),
            info: Some(5),
            json: Some("{}".into()),
        }
    }

    fn fold(log: &Log, keep: &Keep) -> (Ticky, Vec<Odd>) {
        let mut ticky = Ticky::default();
        log.each(|event| ticky.event(event, keep));
        let mut told = Vec::new();
        ticky.finish(&mut |_, odd| told.push(odd));
        (ticky, told)
    }

    #[test]
    fn the_latest_of_each_counts() {
        let mut log = Log::new();
        log.push(None, 1, EventBody::TickyCounterBeginSample);
        log.push(Some(0), 1, sample(7, 1));
        log.push(None, 2, EventBody::TickyCounterBeginSample);
        log.push(Some(0), 2, sample(7, 9));
        log.push(Some(0), 2, sample(3, 4));
        let (ticky, told) = fold(&log, &Keep::all());
        assert_eq!(ticky.begun(), 2);
        let entries: Vec<_> = ticky.samples().map(|it| (it.counter, it.entries)).collect();
        assert_eq!(entries, [(3, 4), (7, 9)]);
        assert_eq!(told, [Odd::NoTickyDefinitions { count: 2 }]);
    }

    #[test]
    fn those_without_a_definition_are_told_at_the_end() {
        let mut log = Log::new();
        for counter in [9, 8, 7] {
            log.push(Some(0), 1, sample(counter, 1));
        }
        log.push(None, 2, define(8));
        let (_, told) = fold(&log, &Keep::all());
        let undefined = |counter| Odd::UndefinedTickyCounter { counter };
        assert_eq!(told, [undefined(9), undefined(7)]);
    }

    #[test]
    fn the_limit_refuses_and_says_nothing_false() {
        let mut keep = Keep::all();
        keep.limits.definitions = 1;
        let mut log = Log::new();
        for counter in [9, 8] {
            log.push(Some(0), 1, sample(counter, 1));
            log.push(None, 2, define(counter));
        }
        let (ticky, told) = fold(&log, &keep);
        assert_eq!((ticky.refused(), told), (2, vec![]));
        assert_eq!(ticky.samples().count(), 1);
    }
}
