//! Metrics under the names of eventlog-live.

use super::EventlogLive;
use crate::collected::{Attribute, Attributes, Collected, Family, Point, Value};
use crate::own::OWN;
use crate::table::{
    CAPABILITY_TIME, HEAP_ALLOCATED, HEAP_IN_USE, HEAP_LIVE, HEAP_PROFILE_SIZE, HEAP_SIZE,
    MEMORY_COMMITTED, MEMORY_NEEDED, MEMORY_RETURNED, Metric, metrics,
};
use std::collections::BTreeMap;

metrics! {
    /// All of them.
    METRICS;
    /// Memory allocated.
    ALLOCATED = "ghc_eventlog_HeapAllocated" "By" Counter Program ["evCap", "heapCapset"]
        "";
    /// Size of the heap.
    SIZE = "ghc_eventlog_HeapSize" "By" Gauge Program ["heapCapset"]
        "";
    /// Memory in blocks that are in use.
    BLOCKS = "ghc_eventlog_BlocksSize" "By" Gauge Program ["heapCapset"]
        "";
    /// Live data.
    LIVE = "ghc_eventlog_HeapLive" "By" Gauge Program ["heapCapset"]
        "";
    /// Megablocks held.
    CURRENT = "ghc_eventlog_MemCurrent" "{mblock}" Gauge Program ["heapCapset"]
        "";
    /// Megablocks needed.
    NEEDED = "ghc_eventlog_MemNeeded" "{mblock}" Gauge Program ["heapCapset"]
        "";
    /// Megablocks given back.
    RETURNED = "ghc_eventlog_MemReturned" "{mblock}" Gauge Program ["heapCapset"]
        "";
    /// Memory by band of the heap profile.
    SAMPLE = "ghc_eventlog_HeapProfSample" "By" Gauge Program ["heapProfBreakdown", "heapProfLabel", "ipName", "ipSrcLoc"]
        "";
    /// Time that capabilities have spent.
    USAGE = "ghc_eventlog_CapabilityUsageDuration" "ns" Counter Program ["cap", "category", "user"]
        "";
}

/// Their keys in the configuration, in the same order.
pub(super) const KEYS: [&str; 9] = [
    "heap_allocated",
    "heap_size",
    "blocks_size",
    "heap_live",
    "mem_current",
    "mem_needed",
    "mem_returned",
    "heap_prof_sample",
    "capability_usage",
];

/// A megablock is a megabyte.
const MEGABLOCK: u64 = 1 << 20;

impl EventlogLive {
    /// The metrics that eventlog-live has, under its names, and those of the exporter itself.
    /// Others are left out.
    #[must_use]
    pub fn metrics(&self, collected: &Collected) -> Collected {
        let families = collected.families.iter().filter_map(|family| {
            let own = OWN.iter().any(|own| std::ptr::eq(*own, family.metric));
            match own {
                true => Some(family.clone()),
                false => self.family(family),
            }
        });
        Collected {
            families: families.collect(),
            ..collected.clone()
        }
    }

    fn family(&self, family: &Family) -> Option<Family> {
        let (from, usual) = FROM
            .iter()
            .find(|(from, _)| std::ptr::eq(*from, family.metric))?;
        let at = METRICS
            .iter()
            .position(|metric| std::ptr::eq(*metric, *usual))?;
        let metric = self.metrics[at]?;
        let points = if std::ptr::eq(*from, &CAPABILITY_TIME) {
            usage(family)
        } else if std::ptr::eq(*from, &HEAP_PROFILE_SIZE) {
            let points = family.points.iter().map(|point| Point {
                attributes: bands(&point.attributes),
                ..point.clone()
            });
            points.collect()
        } else {
            let megablocks = metric.unit == "{mblock}";
            let points = family.points.iter().map(|point| {
                let mut attributes = renamed(&point.attributes, &[("ghc.capability.id", "evCap")]);
                attributes.push(("heapCapset", CAPSET));
                let value = match &point.value {
                    Value::Int(number) if megablocks => Value::Int(number / MEGABLOCK),
                    other => other.clone(),
                };
                Point {
                    attributes,
                    value,
                    start: point.start,
                }
            });
            points.collect()
        };
        Some(Family { metric, points })
    }
}

/// Maps our metrics to its metrics.
static FROM: [(&Metric, &Metric); 9] = [
    (&HEAP_ALLOCATED, &ALLOCATED),
    (&HEAP_SIZE, &SIZE),
    (&HEAP_IN_USE, &BLOCKS),
    (&HEAP_LIVE, &LIVE),
    (&MEMORY_COMMITTED, &CURRENT),
    (&MEMORY_NEEDED, &NEEDED),
    (&MEMORY_RETURNED, &RETURNED),
    (&HEAP_PROFILE_SIZE, &SAMPLE),
    (&CAPABILITY_TIME, &USAGE),
];

/// The heap of a process is that of its capability set, which always has this number.
const CAPSET: Attribute = Attribute::Int(0);

fn renamed(attributes: &Attributes, names: &[(&str, &'static str)]) -> Attributes {
    let kept = attributes.iter().filter_map(|(key, value)| {
        let (_, new) = names.iter().find(|(old, _)| old == key)?;
        Some((*new, value.clone()))
    });
    kept.collect()
}

/// The letters of the options for heap profiles.
fn bands(attributes: &Attributes) -> Attributes {
    let mut all = renamed(
        attributes,
        &[
            ("ghc.heap.profile.breakdown", "heapProfBreakdown"),
            ("ghc.heap.profile.band", "heapProfLabel"),
            ("ghc.heap.profile.source", "ipSrcLoc"),
        ],
    );
    let by_table = attributes
        .iter()
        .any(|(_, value)| *value == "info_table".into());
    if by_table {
        let name = all.iter().find(|(key, _)| *key == "heapProfLabel");
        let name = name.map(|(_, name)| ("ipName", name.clone()));
        all.extend(name);
    }
    for (key, value) in &mut all {
        let Attribute::Text(text) = value else {
            continue;
        };
        let option = match (*key, &**text) {
            ("heapProfBreakdown", "cost_centre") => "-hc",
            ("heapProfBreakdown", "module") => "-hm",
            ("heapProfBreakdown", "closure_description") => "-hd",
            ("heapProfBreakdown", "type_description") => "-hy",
            ("heapProfBreakdown", "retainer") => "-hr",
            ("heapProfBreakdown", "biography") => "-hb",
            ("heapProfBreakdown", "closure_type") => "-hT",
            ("heapProfBreakdown", "info_table") => "-hi",
            ("heapProfBreakdown", "era") => "-he",
            _ => continue,
        };
        *value = option.into();
    }
    all
}

/// Its three categories.
fn usage(family: &Family) -> Vec<Point> {
    let mut sums: BTreeMap<(Attribute, &'static str), (u64, u64)> = BTreeMap::new();
    for point in &family.points {
        let of = |name| point.attributes.iter().find(|(key, _)| *key == name);
        let (Some((_, cap)), Some((_, state)), Value::Nanos(time)) = (
            of("ghc.capability.id"),
            of("ghc.capability.state"),
            &point.value,
        ) else {
            continue;
        };
        let category = match state.to_string().as_str() {
            "mutator" => "Mutator",
            "collecting" | "waiting_for_collection" => "GC",
            _ => "Idle",
        };
        let sum = sums
            .entry((cap.clone(), category))
            .or_insert((0, point.start));
        sum.0 += time;
    }
    let points = sums
        .into_iter()
        .map(|((cap, category), (time, start))| Point {
            attributes: {
                let mut all = vec![("cap", cap), ("category", category.into())];
                // The number of a thread would make a series for each thread.
                all.extend((category == "GC").then(|| ("user", "GC".into())));
                all
            },
            value: Value::Int(time),
            start,
        });
    points.collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Group, PROCESSORS};
    use super::*;

    #[test]
    fn the_table_of_processors_says_the_same() {
        for (metric, key) in METRICS.iter().zip(KEYS) {
            let of = PROCESSORS
                .iter()
                .find(|of| of.group == Group::Metrics && of.key == key);
            let of = of.unwrap_or_else(|| panic!("no {key}"));
            assert_eq!((of.name, of.description), (metric.name, metric.help()));
        }
        let metrics = PROCESSORS.iter().filter(|of| of.group == Group::Metrics);
        assert_eq!(metrics.count(), METRICS.len());
    }

    #[test]
    fn names_are_those_that_its_dashboards_ask_for() {
        let names: Vec<String> = METRICS
            .iter()
            .map(|metric| metric.prometheus_name())
            .collect();
        assert_eq!(
            names,
            [
                "ghc_eventlog_HeapAllocated_bytes_total",
                "ghc_eventlog_HeapSize_bytes",
                "ghc_eventlog_BlocksSize_bytes",
                "ghc_eventlog_HeapLive_bytes",
                "ghc_eventlog_MemCurrent",
                "ghc_eventlog_MemNeeded",
                "ghc_eventlog_MemReturned",
                "ghc_eventlog_HeapProfSample_bytes",
                "ghc_eventlog_CapabilityUsageDuration_nanoseconds_total",
            ]
        );
    }
}
