//! Series of values over time, by name.

use super::slots::{Point, Slots};
use eventlog_series::Pyramid;
use eventlog_state::{CapInterval, CapState, Collection, HeapKind, HeapValue, SparkCounters};
use std::collections::BTreeMap;

/// The most heaps, and capabilities with sparks, that have series; a log may claim any
/// number.
const MOST: usize = 256;

/// The kind of values of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A quantity that goes up and down, which can be averaged.
    Gauge,
    /// Amounts, which can be summed.
    Rate,
}

/// The description of a series.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) kind: Kind,
    pub(crate) help: &'static str,
}

/// Values of several heaps, whose sum is a series.
#[derive(Clone, Debug, Default)]
struct Sum {
    latest: BTreeMap<u32, u64>,
    series: Pyramid,
}

impl Sum {
    fn push(&mut self, time: u64, heap: u32, bytes: u64) {
        if self.latest.len() >= MOST && !self.latest.contains_key(&heap) {
            return;
        }
        self.latest.insert(heap, bytes);
        let sum: f64 = self.latest.values().map(|&bytes| bytes as f64).sum();
        self.series.push(time, sum);
    }
}

/// The sparks of a capability.
#[derive(Clone, Debug)]
struct Sparks {
    before: SparkCounters,
    /// As in [`SPARKS`].
    counters: [Pyramid; 6],
    pool: Pyramid,
}

impl Sparks {
    /// Seven series for each capability: with many capabilities each series is small.
    fn of(cap: u16) -> Self {
        let most = if cap < 32 { 1 << 11 } else { 1 << 9 };
        Self {
            before: SparkCounters::default(),
            counters: std::array::from_fn(|_| Pyramid::new(most)),
            pool: Pyramid::new(most),
        }
    }
}

/// The names of the spark counters, and their meaning.
const SPARKS: [(&str, &str); 6] = [
    ("created", "sparks put into the pool"),
    ("converted", "sparks evaluated in parallel"),
    ("fizzled", "sparks evaluated already before they were run"),
    ("collected", "sparks found unreachable"),
    ("dud", "sparks evaluated already when they were created"),
    ("overflowed", "sparks lost to a full pool"),
];

/// In the order of [`SPARKS`].
fn totals(of: &SparkCounters) -> [u64; 6] {
    [
        of.created,
        of.converted,
        of.fizzled,
        of.gcd,
        of.dud,
        of.overflowed,
    ]
}

/// All series of a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    live: Sum,
    size: Sum,
    blocks: Sum,
    allocated: Pyramid,
    pauses: Pyramid,
    events: Slots,
    alive: i64,
    threads: Pyramid,
    sparks: BTreeMap<u16, Sparks>,
    activity: Activity,
    /// By number, whether a capability has done anything.
    caps: Vec<bool>,
}

impl Figures {
    /// Counts an event.
    #[inline(always)]
    pub(super) fn event(&mut self, time: u64) {
        self.events.add(time, 1);
    }

    pub(super) fn thread(&mut self, time: u64, by: i64) {
        // A log that begins late has the ends of threads whose beginnings it does not have.
        self.alive = (self.alive + by).max(0);
        self.threads.push(time, self.alive as f64);
    }

    pub(super) fn collection(&mut self, collection: &Collection) {
        self.pauses
            .push(collection.start, collection.pause() as f64);
    }

    pub(super) fn heap(&mut self, value: &HeapValue) {
        let sum = match value.kind {
            HeapKind::Allocated => {
                return self.allocated.push(value.time, value.growth as f64);
            }
            HeapKind::Live => &mut self.live,
            HeapKind::Size => &mut self.size,
            HeapKind::Blocks => &mut self.blocks,
        };
        sum.push(value.time, value.capset, value.bytes);
    }

    pub(super) fn sparks(&mut self, time: u64, cap: u16, now: &SparkCounters) {
        if self.sparks.len() >= MOST && !self.sparks.contains_key(&cap) {
            return;
        }
        let sparks = self.sparks.entry(cap).or_insert_with(|| Sparks::of(cap));
        let before = totals(&std::mem::replace(&mut sparks.before, *now));
        let grown = totals(now).into_iter().zip(before);
        for (series, (now, before)) in sparks.counters.iter_mut().zip(grown) {
            series.push(time, now.saturating_sub(before) as f64);
        }
        sparks.pool.push(time, now.remaining as f64);
    }

    #[inline(always)]
    pub(super) fn cap(&mut self, interval: &CapInterval) {
        let did = self.caps.get(usize::from(interval.cap));
        if interval.state == CapState::Mutator || did != Some(&true) {
            self.active(interval);
        }
    }

    #[inline(never)]
    fn active(&mut self, interval: &CapInterval) {
        let index = usize::from(interval.cap);
        if self.caps.len() <= index {
            self.caps.resize(index + 1, false);
        }
        self.caps[index] = true;
        if interval.state == CapState::Mutator {
            self.activity.add(interval.from, interval.to);
        }
    }

    /// All series that have values.
    pub(crate) fn list(&self) -> Vec<About> {
        use Kind::{Gauge, Rate};
        let fixed = [
            (
                "heap.live",
                "By",
                Gauge,
                "live data, as major collections find it",
            ),
            ("heap.size", "By", Gauge, "size of the heap"),
            (
                "heap.blocks",
                "By",
                Gauge,
                "memory in blocks that are in use",
            ),
            ("heap.allocated", "By", Rate, "bytes allocated"),
            (
                "gc.pause",
                "ns",
                Rate,
                "how long the program was stopped for collections",
            ),
            ("events.rate", "{event}", Rate, "events of the log"),
            ("threads.live", "{thread}", Gauge, "threads that are alive"),
            (
                "activity",
                "1",
                Gauge,
                "share of the capabilities on which a thread runs",
            ),
        ];
        let mut list: Vec<About> = fixed
            .into_iter()
            .map(|(name, unit, kind, help)| About {
                name: name.to_owned(),
                unit,
                kind,
                help,
            })
            .collect();
        for cap in self.sparks.keys() {
            for (name, help) in SPARKS {
                list.push(About {
                    name: format!("sparks.{name}.{cap}"),
                    unit: "{spark}",
                    kind: Rate,
                    help,
                });
            }
            list.push(About {
                name: format!("sparks.pool.{cap}"),
                unit: "{spark}",
                kind: Gauge,
                help: "sparks in the pool",
            });
        }
        list
    }

    /// About this many points of a series; `None` if there is no series of that name.
    pub(crate) fn points(
        &self,
        name: &str,
        (from, to): (u64, u64),
        count: usize,
    ) -> Option<Vec<Point>> {
        let series = match name {
            "heap.live" => &self.live.series,
            "heap.size" => &self.size.series,
            "heap.blocks" => &self.blocks.series,
            "heap.allocated" => &self.allocated,
            "gc.pause" => &self.pauses,
            "events.rate" => return Some(self.events.sums((from, to), count)),
            "threads.live" => &self.threads,
            "activity" => {
                let caps = self.caps.iter().filter(|did| **did).count();
                let caps = caps.max(1) as f64;
                return Some(self.activity.points((from, to), count, caps));
            }
            _ => {
                let (what, cap) = name.strip_prefix("sparks.")?.rsplit_once('.')?;
                let sparks = self.sparks.get(&cap.parse().ok()?)?;
                match SPARKS.iter().position(|(name, _)| *name == what) {
                    Some(at) => &sparks.counters[at],
                    None if what == "pool" => &sparks.pool,
                    None => return None,
                }
            }
        };
        let buckets = series.buckets(from, to, count);
        let points = buckets.into_iter().map(|bucket| Point {
            time: bucket.from,
            min: bucket.min,
            max: bucket.max,
            sum: bucket.sum,
            count: bucket.count,
        });
        Some(points.collect())
    }
}

/// For how long threads ran, by slots of time.
#[derive(Clone, Debug, Default)]
struct Activity {
    ran: Slots,
    end: u64,
}

impl Activity {
    #[inline(always)]
    fn add(&mut self, from: u64, to: u64) {
        self.end = self.end.max(to);
        self.ran.add_time(from, to);
    }

    /// One point for each slot, or for several slots together if there are too many.
    fn points(&self, window: (u64, u64), count: usize, caps: f64) -> Vec<Point> {
        let (first, last, together) = self.ran.window(window, count);
        let shift = self.ran.shift;
        let mut points = Vec::new();
        let mut at = first;
        while at < last {
            let slots =
                &self.ran.sums[at as usize..((at + together) as usize).min(self.ran.sums.len())];
            let begin = at << shift;
            let until = u128::from(at + together) << shift;
            let until = u64::try_from(until).unwrap_or(u64::MAX);
            let length = until.min(self.end.max(begin + 1)) - begin;
            let share = |ran: u64, length: u64| (ran as f64 / length as f64 / caps).min(1.0);
            let one = 1u64 << shift;
            let shares = (at..).zip(slots).map(|(slot, &ran)| {
                let begin = slot << shift;
                share(ran, one.min(self.end.saturating_sub(begin)).max(1))
            });
            let (min, max) = shares.fold((f64::MAX, 0.0f64), |(min, max), share| {
                (min.min(share), max.max(share))
            });
            let ran = slots.iter().fold(0u64, |sum, &ran| sum.saturating_add(ran));
            points.push(Point {
                time: begin,
                min,
                max,
                sum: share(ran, length),
                count: 1,
            });
            at += together;
        }
        points
    }
}

#[cfg(test)]
mod tests {
    use super::super::slots::SLOTS;
    use super::*;

    #[test]
    fn activity_adds_up_however_long_the_log() {
        let mut activity = Activity::default();
        const S: u64 = 1_000_000_000;
        // One of two capabilities runs for the first half of each second.
        for second in 0..1000 {
            activity.add(second * S, second * S + S / 2);
        }
        assert!(activity.ran.sums.len() <= SLOTS);
        let total: u64 = activity.ran.sums.iter().sum();
        assert_eq!(total, 500 * S);
        let points = activity.points((0, 1000 * S), 100, 2.0);
        assert!(points.len() <= 100, "{}", points.len());
        for point in &points[..points.len() - 1] {
            assert!((point.sum - 0.25).abs() < 0.02, "{point:?}");
            assert!(point.min <= point.sum && point.sum <= point.max);
        }
        let all = activity.points((0, 1000 * S), 1, 2.0);
        assert_eq!(all.len(), 1);
        assert!((all[0].sum - 0.25).abs() < 0.001, "{all:?}");
    }

    #[test]
    fn times_at_the_end_of_all_times() {
        let mut activity = Activity::default();
        activity.add(0, u64::MAX);
        activity.add(u64::MAX - 5, u64::MAX);
        let points = activity.points((0, u64::MAX), 100, 1.0);
        assert!(!points.is_empty() && points.len() <= 101);
        assert!(points.iter().all(|it| it.sum <= 1.0 && it.min >= 0.0));
    }
}
