//! The names of eventlog-live, for dashboards that were made for it.
//!
//! The names and attributes are its own, the values are right: what is allocated and what
//! capabilities do are totals that only grow, and the sizes of the heap are one series each, not
//! one for each capability that happened to lead a collection.

use crate::collected::{Attribute, Attributes, Collected, Family, Point, Value};
use crate::table::{
    CAPABILITY_TIME, HEAP_ALLOCATED, HEAP_IN_USE, HEAP_LIVE, HEAP_PROFILE_SIZE, HEAP_SIZE,
    MEMORY_COMMITTED, MEMORY_NEEDED, MEMORY_RETURNED, metrics,
};
use std::collections::BTreeMap;

metrics! {
    /// All of them.
    METRICS;
    /// Memory allocated.
    ALLOCATED = "ghc_eventlog_HeapAllocated" "By" Counter Program ["evCap"]
        "";
    /// Size of the heap.
    SIZE = "ghc_eventlog_HeapSize" "By" Gauge Program []
        "";
    /// Memory in blocks that are in use.
    BLOCKS = "ghc_eventlog_BlocksSize" "By" Gauge Program []
        "";
    /// Live data.
    LIVE = "ghc_eventlog_HeapLive" "By" Gauge Program []
        "";
    /// Megablocks held.
    CURRENT = "ghc_eventlog_MemCurrent" "{mblock}" Gauge Program []
        "";
    /// Megablocks needed.
    NEEDED = "ghc_eventlog_MemNeeded" "{mblock}" Gauge Program []
        "";
    /// Megablocks given back.
    RETURNED = "ghc_eventlog_MemReturned" "{mblock}" Gauge Program []
        "";
    /// Memory by band of the heap profile.
    SAMPLE = "ghc_eventlog_HeapProfSample" "By" Gauge Program ["heapProfBreakdown", "heapProfLabel", "ipSrcLoc"]
        "";
    /// Time that capabilities have spent.
    USAGE = "ghc_eventlog_CapabilityUsageDuration" "ns" Counter Program ["cap", "category"]
        "";
}

/// A megablock is a megabyte.
const MEGABLOCK: u64 = 1 << 20;

/// The metrics that it has, under its names. Those that it does not have are left out.
#[must_use]
pub fn rename(collected: &Collected) -> Collected {
    let mut families = Vec::new();
    for family in &collected.families {
        let bytes = |metric| Some((metric, 1));
        let metric = family.metric;
        let plain = if std::ptr::eq(metric, &HEAP_SIZE) {
            bytes(&SIZE)
        } else if std::ptr::eq(metric, &HEAP_IN_USE) {
            bytes(&BLOCKS)
        } else if std::ptr::eq(metric, &HEAP_LIVE) {
            bytes(&LIVE)
        } else if std::ptr::eq(metric, &HEAP_ALLOCATED) {
            bytes(&ALLOCATED)
        } else if std::ptr::eq(metric, &MEMORY_COMMITTED) {
            Some((&CURRENT, MEGABLOCK))
        } else if std::ptr::eq(metric, &MEMORY_NEEDED) {
            Some((&NEEDED, MEGABLOCK))
        } else if std::ptr::eq(metric, &MEMORY_RETURNED) {
            Some((&RETURNED, MEGABLOCK))
        } else {
            None
        };
        if let Some((metric, unit)) = plain {
            let points = family.points.iter().map(|point| Point {
                attributes: renamed(&point.attributes, &[("ghc.capability.id", "evCap")]),
                value: match &point.value {
                    Value::Int(number) => Value::Int(number / unit),
                    other => other.clone(),
                },
                start: point.start,
            });
            let points = points.collect();
            families.push(Family { metric, points });
        } else if std::ptr::eq(metric, &HEAP_PROFILE_SIZE) {
            let points = family.points.iter().map(|point| Point {
                attributes: bands(&point.attributes),
                ..point.clone()
            });
            let points = points.collect();
            families.push(Family {
                metric: &SAMPLE,
                points,
            });
        } else if std::ptr::eq(metric, &CAPABILITY_TIME) {
            families.push(Family {
                metric: &USAGE,
                points: usage(family),
            });
        }
    }
    Collected {
        families,
        ..collected.clone()
    }
}

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
            attributes: vec![("cap", cap), ("category", category.into())],
            value: Value::Int(time),
            start,
        });
    points.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
