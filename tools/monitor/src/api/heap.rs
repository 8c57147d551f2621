//! `heap`, `heap/diff`: the heap profile by band.

use super::question::{Answer, Question, Refusal, json};
use crate::fold::Fold;
use crate::fold::heap::{Heap, Key, Taken};
use crate::heap_file::HeapFile;
use eventlog_state::Symbols;
use ghc_eventlog::Breakdown;
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::cmp::Reverse;

/// The samples of a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Profile<'a> {
    pub(super) heap: &'a Heap,
    /// Names for numbers; a `.hp` file has none.
    pub(super) symbols: Option<&'a Symbols>,
}

impl<'a> Profile<'a> {
    pub(super) fn of_log(fold: &'a Fold) -> Self {
        Self {
            heap: &fold.seen().heap,
            symbols: Some(fold.state().definitions().symbols()),
        }
    }

    pub(super) fn of_file(file: &'a HeapFile) -> Self {
        Self {
            heap: file.heap(),
            symbols: None,
        }
    }

    /// The sample nearest to a time.
    pub(super) fn nearest(&self, time: u64) -> Option<&'a Taken> {
        let samples = self.heap.samples();
        let at = samples.partition_point(|it| it.time < time);
        let around = [at.checked_sub(1), Some(at)];
        let around = around
            .into_iter()
            .flatten()
            .filter_map(|at| samples.get(at));
        around.min_by_key(|it| it.time.abs_diff(time))
    }

    /// The error if there is no sample.
    pub(super) fn none(&self) -> Refusal {
        Refusal::missing("there is no heap sample in this session; run the program with +RTS -hT")
    }

    /// What it is broken down by; `None` if there is no profile.
    pub(super) fn breakdown(&self) -> Option<String> {
        let told = self.heap.breakdown()?;
        let name = told.name().map(str::to_owned);
        Some(name.unwrap_or_else(|| format!("breakdown_{}", told.0)))
    }

    /// What bands by info table lack if no name is known for them.
    fn missing(&self) -> Option<Missing> {
        if self.heap.breakdown() != Some(Breakdown::INFO_TABLE) {
            return None;
        }
        let (why, flag) = match self.symbols {
            None => (
                "a .hp file has only their addresses; an eventlog of a program that was built \
                 with -finfo-table-map has their names",
                "+RTS -l -hi",
            ),
            Some(symbols) if symbols.info_tables() == 0 => (
                "the log has no map of info tables, so bands are addresses; the program must be \
                 built with it",
                "ghc -finfo-table-map -fdistinct-constructor-tables",
            ),
            Some(_) => return None,
        };
        let what = "the names and places of info tables";
        Some(Missing { what, why, flag })
    }

    /// The info table of a band.
    fn table(&self, key: &Key) -> Option<Table> {
        let (Key::Name(address), Some(symbols)) = (key, self.symbols) else {
            return None;
        };
        if self.heap.breakdown() != Some(Breakdown::INFO_TABLE) {
            return None;
        }
        let address = std::str::from_utf8(address).ok()?;
        let table = symbols.table_of_band(address)?;
        Some(Table {
            address: address.to_owned(),
            name: table.name.into_owned(),
            ty: table.ty.into_owned(),
            label: table.label.into_owned(),
            module: table.module.into_owned(),
            location: table.location.into_owned(),
        })
    }
}

/// Data that is not there.
#[derive(Debug, Serialize)]
struct Missing {
    what: &'static str,
    why: &'static str,
    /// The option that adds it.
    flag: &'static str,
}

/// An info table; what the map does not tell is empty.
#[derive(Debug, Serialize)]
struct Table {
    address: String,
    name: String,
    #[serde(rename = "type")]
    ty: String,
    /// The binding.
    label: String,
    module: String,
    location: String,
}

#[derive(Debug, Serialize)]
struct ProfileAnswer {
    /// The breakdown; `null` if there is no profile.
    breakdown: Option<String>,
    /// Samples in this time.
    total: usize,
    /// The times of the returned samples.
    samples: Vec<u64>,
    bands: Vec<Band>,
    /// The bytes of all other bands, and their number.
    other: Vec<u64>,
    other_bands: usize,
    /// One of this many samples is kept.
    one_of: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<Missing>,
}

#[derive(Debug, Serialize)]
struct Band {
    id: u32,
    name: String,
    detail: Option<String>,
    /// In a profile by info table.
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<Table>,
    values: Vec<u64>,
    max: u64,
    last: u64,
    /// Bytes per second: the slope of a straight line through all values.
    trend: f64,
}

/// Evenly spread samples, including the first and the last.
fn spread(samples: &[Taken], most: usize) -> Vec<&Taken> {
    let count = samples.len();
    if count <= most {
        return samples.iter().collect();
    }
    let most = most.max(2);
    (0..most)
        .filter_map(|at| samples.get(at * (count - 1) / (most - 1)))
        .collect()
}

/// The slope of a straight line through these points, in bytes per second.
fn trend(times: &[u64], values: &[u64]) -> f64 {
    let count = times.len() as f64;
    let Some(first) = times.first().filter(|_| times.len() > 1) else {
        return 0.0;
    };
    let seconds = |time: &u64| (time - first) as f64 / 1e9;
    let mean_t = times.iter().map(seconds).sum::<f64>() / count;
    let mean_v = values.iter().map(|&value| value as f64).sum::<f64>() / count;
    let (mut up, mut down) = (0.0, 0.0);
    for (time, &value) in times.iter().zip(values) {
        let off = seconds(time) - mean_t;
        up += off * (value as f64 - mean_v);
        down += off * off;
    }
    if down > 0.0 { up / down } else { 0.0 }
}

pub(super) fn heap(profile: Profile<'_>, question: &Question) -> Result<Answer, Refusal> {
    let (from, to) = question.window()?;
    let points = question.count("points", 300, 5000)?;
    let top = question.count("top", 20, 1000)?;
    let Profile { heap, symbols } = profile;
    let samples = heap.samples();
    let first = samples.partition_point(|it| it.time < from);
    let last = samples.partition_point(|it| it.time < to);
    let within = &samples[first..last.max(first)];
    let shown = spread(within, points);
    let mut sums: FxHashMap<u32, f64> = FxHashMap::default();
    for sample in &shown {
        for &(band, bytes) in &sample.bands {
            *sums.entry(band).or_default() += bytes as f64;
        }
    }
    let mut order: Vec<(u32, f64)> = sums.into_iter().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let places = order.iter().take(top).map(|&(band, _)| band).zip(0usize..);
    let places: FxHashMap<u32, usize> = places.collect();
    let mut values = vec![vec![0u64; shown.len()]; places.len()];
    let mut other = vec![0u64; shown.len()];
    for (at, sample) in shown.iter().enumerate() {
        for (band, bytes) in &sample.bands {
            let value = match places.get(band) {
                Some(&place) => &mut values[place][at],
                None => &mut other[at],
            };
            *value = value.saturating_add(*bytes);
        }
    }
    let times: Vec<u64> = shown.iter().map(|sample| sample.time).collect();
    let bands = order.iter().zip(values).map(|(&(id, _), values)| {
        let key = heap.key(id);
        let (name, detail) = key.name(symbols);
        Band {
            id,
            name,
            detail,
            table: profile.table(key),
            max: values.iter().copied().max().unwrap_or(0),
            last: values.last().copied().unwrap_or(0),
            trend: trend(&times, &values),
            values,
        }
    });
    let bands: Vec<Band> = bands.collect();
    json(&ProfileAnswer {
        breakdown: profile.breakdown(),
        missing: profile.missing(),
        total: within.len(),
        other_bands: order.len().saturating_sub(bands.len()),
        bands,
        other,
        samples: times,
        one_of: heap.step(),
    })
}

#[derive(Debug, Serialize)]
struct Difference {
    /// The times of the two samples.
    a: u64,
    b: u64,
    total_a: u64,
    total_b: u64,
    bands: Vec<Changed>,
}

#[derive(Debug, Serialize)]
struct Changed {
    id: u32,
    name: String,
    detail: Option<String>,
    a: u64,
    b: u64,
    change: i64,
}

pub(super) fn difference(profile: Profile<'_>, question: &Question) -> Result<Answer, Refusal> {
    let moment = |name: &str| {
        let time = question.time(name)?;
        time.ok_or_else(|| {
            Refusal::bad(format!(
                "the parameter {name} is missing; use a=TIME and b=TIME"
            ))
        })
    };
    let (a, b) = (moment("a")?, moment("b")?);
    let limit = question.count("limit", 200, 5000)?;
    let Profile { heap, symbols } = profile;
    let (Some(a), Some(b)) = (profile.nearest(a), profile.nearest(b)) else {
        return Err(profile.none());
    };
    let mut both: FxHashMap<u32, (u64, u64)> = FxHashMap::default();
    for &(band, bytes) in &a.bands {
        both.entry(band).or_default().0 = bytes;
    }
    for &(band, bytes) in &b.bands {
        both.entry(band).or_default().1 = bytes;
    }
    let sum = |of: &Taken| {
        let bands = of.bands.iter();
        bands.fold(0u64, |sum, (_, bytes)| sum.saturating_add(*bytes))
    };
    let mut bands: Vec<(u32, u64, u64)> = both.into_iter().map(|(id, (a, b))| (id, a, b)).collect();
    bands.sort_by_key(|&(id, a, b)| (Reverse(a.abs_diff(b)), id));
    bands.truncate(limit);
    let change = |a: u64, b: u64| {
        let apart = i64::try_from(a.abs_diff(b)).unwrap_or(i64::MAX);
        if b >= a { apart } else { -apart }
    };
    let bands = bands.into_iter().map(|(id, a, b)| {
        let (name, detail) = heap.key(id).name(symbols);
        let change = change(a, b);
        Changed {
            id,
            name,
            detail,
            a,
            b,
            change,
        }
    });
    json(&Difference {
        a: a.time,
        b: b.time,
        total_a: sum(a),
        total_b: sum(b),
        bands: bands.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trend_is_the_slope_of_a_line() {
        const S: u64 = 1_000_000_000;
        let times: Vec<u64> = (10..20).map(|second| second * S).collect();
        let rising: Vec<u64> = (0..10).map(|n| 1000 + 50 * n).collect();
        assert!((trend(&times, &rising) - 50.0).abs() < 1e-6);
        assert!(trend(&times, &[7; 10]).abs() < 1e-9);
        assert_eq!(trend(&times[..1], &rising[..1]), 0.0);
        assert_eq!(trend(&[S, S], &[1, 100]), 0.0);
    }

    #[test]
    fn samples_are_left_out_evenly() {
        let samples: Vec<Taken> = (0..1000)
            .map(|time| Taken {
                time,
                bands: Box::default(),
            })
            .collect();
        let spread =
            |most| -> Vec<u64> { spread(&samples, most).iter().map(|it| it.time).collect() };
        assert_eq!(spread(2), [0, 999]);
        let hundred = spread(100);
        assert_eq!((hundred.len(), hundred[0], hundred[99]), (100, 0, 999));
        assert_eq!(spread(2000).len(), 1000);
    }
}
