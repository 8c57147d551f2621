//! `collections`: pauses and phases.

use super::question::{Answer, Question, Refusal, json};
use super::spans::{Bar, Bars};
use crate::session::Contents;
use eventlog_state::{Collection, CollectionStats, Phase, PhaseKind};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

#[derive(Debug, Serialize)]
struct CollectionsPage {
    total: usize,
    rows: Vec<Line>,
    /// Pauses by generation; `all` for those whose generation is not in the log.
    histogram: BTreeMap<String, Vec<Bar>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_from: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Line {
    from: u64,
    to: u64,
    cap: Option<u16>,
    generation: Option<u16>,
    /// From the request until all capabilities had stopped.
    sync: Option<u64>,
    copied: Option<u64>,
    slop: Option<u64>,
    fragmentation: Option<u64>,
    /// 1 if all threads copied the same amount, 0 if one copied everything.
    balance: Option<f64>,
    threads: Option<u32>,
    phases: Vec<Part>,
    concurrent: bool,
}

#[derive(Debug, Serialize)]
struct Part {
    kind: &'static str,
    from: u64,
    to: u64,
}

fn phase(kind: PhaseKind) -> &'static str {
    match kind {
        PhaseKind::Mark => "mark",
        PhaseKind::Sync => "sync",
        PhaseKind::Sweep => "sweep",
    }
}

/// How evenly the work was shared.
fn balance(stats: &CollectionStats) -> Option<f64> {
    if stats.par_threads < 2 || stats.par_tot_copied == 0 {
        return None;
    }
    let total = stats.par_tot_copied as f64;
    let ideal = total / f64::from(stats.par_threads);
    let over = (stats.par_max_copied as f64 - ideal).max(0.0);
    Some((1.0 - over / (total - ideal)).clamp(0.0, 1.0))
}

impl Line {
    fn of(collection: &Collection) -> Self {
        let stats = collection.stats;
        let mut phases = Vec::new();
        // An older one may belong to another collection.
        let requested = collection
            .requested
            .filter(|requested| *requested <= collection.start);
        if let Some(from) = requested {
            let to = collection.start;
            phases.push(Part {
                kind: "wait",
                from,
                to,
            });
        }
        phases.push(Part {
            kind: "collect",
            from: collection.start,
            to: collection.end,
        });
        Self {
            from: collection.start,
            to: collection.end,
            cap: Some(collection.cap),
            generation: stats.map(|stats| stats.generation),
            sync: requested.map(|requested| collection.start - requested),
            copied: stats.map(|stats| stats.copied),
            slop: stats.map(|stats| stats.slop),
            fragmentation: stats.map(|stats| stats.fragmentation),
            balance: stats.as_ref().and_then(balance),
            threads: stats.map(|stats| stats.par_threads),
            phases,
            concurrent: false,
        }
    }

    fn concurrent(of: &Phase) -> Self {
        Self {
            from: of.from,
            to: of.to,
            cap: None,
            generation: None,
            sync: None,
            copied: None,
            slop: None,
            fragmentation: None,
            balance: None,
            threads: None,
            phases: vec![Part {
                kind: phase(of.kind),
                from: of.from,
                to: of.to,
            }],
            concurrent: true,
        }
    }
}

pub(super) fn collections(contents: &Contents, question: &Question) -> Result<Answer, Refusal> {
    let (from, to) = question.window()?;
    let limit = question.count("limit", 1000, 10_000)?;
    let fold = contents.fold.look();
    let seen = fold.seen();
    let pauses = seen.collections.iter();
    let pauses: Vec<&Collection> = pauses
        .filter(|it| it.start < to && it.end >= from)
        .collect();
    let phases = seen.phases.iter();
    let phases: Vec<&Phase> = phases.filter(|it| it.from < to && it.to >= from).collect();
    let mut bars: BTreeMap<Option<u16>, Bars> = BTreeMap::new();
    for pause in &pauses {
        let generation = pause.stats.map(|stats| stats.generation.min(16));
        bars.entry(generation).or_default().add(pause.pause());
    }
    let histogram = bars.iter().map(|(generation, bars)| {
        let name = generation.map_or("all".to_owned(), |it| it.to_string());
        (name, bars.told())
    });
    let total = pauses.len() + phases.len();
    // Only the longest, if there are too many.
    let mut longest: Vec<(u64, usize)> = pauses
        .iter()
        .map(|it| it.pause())
        .chain(phases.iter().map(|it| it.to - it.from))
        .zip(0..)
        .collect();
    if total > limit {
        longest.sort_unstable_by_key(|(took, _)| Reverse(*took));
        longest.truncate(limit);
    }
    let mut rows: Vec<Line> = longest
        .iter()
        .filter_map(|&(_, at)| match at.checked_sub(pauses.len()) {
            None => pauses.get(at).map(|it| Line::of(it)),
            Some(at) => phases.get(at).map(|it| Line::concurrent(it)),
        })
        .collect();
    rows.sort_by_key(|line| line.from);
    let kept = seen.collections.first_of_rest().map(|first| first.end);
    json(&CollectionsPage {
        total,
        rows,
        histogram: histogram.collect(),
        kept_from: kept.filter(|kept| *kept > from),
    })
}
