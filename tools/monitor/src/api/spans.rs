//! `spans`, `spans/summary`: the program's own spans.

use super::question::{Answer, Question, Refusal, json};
use crate::fold::Fold;
use crate::session::Contents;
use eventlog_state::Distribution;
use regex::Regex;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most names in a summary.
const NAMES: usize = 1000;

#[derive(Debug, Serialize)]
struct Spans {
    total: usize,
    rows: Vec<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_from: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Line {
    name: Arc<str>,
    id: Option<u64>,
    /// A track has the spans of one thread, or those without a thread.
    track: String,
    thread: Option<u32>,
    from: u64,
    to: Option<u64>,
    depth: usize,
    running: Option<u64>,
    collecting: Option<u64>,
}

fn track(thread: Option<u32>, label: Option<&str>) -> String {
    match (thread, label) {
        (Some(thread), Some(label)) => format!("{label} ({thread})"),
        (Some(thread), None) => format!("thread {thread}"),
        (None, _) => "no thread".to_owned(),
    }
}

/// Which spans are requested.
struct Wanted<'a> {
    window: (u64, u64),
    /// Exactly this name.
    name: Option<&'a str>,
    /// A name that matches.
    find: Option<Regex>,
}

impl<'a> Wanted<'a> {
    fn of(question: &'a Question) -> Result<Self, Refusal> {
        Ok(Self {
            window: question.window()?,
            name: question.text("name").filter(|name| !name.is_empty()),
            find: question.pattern("find")?,
        })
    }

    fn has_name(&self, name: &str) -> bool {
        self.name.is_none_or(|wanted| wanted == name)
            && self.find.as_ref().is_none_or(|find| find.is_match(name))
    }
}

/// All spans of these names that overlap a time; open ones first.
fn within(fold: &Fold, wanted: &Wanted<'_>) -> Vec<Line> {
    let (from, to) = wanted.window;
    let open = fold.state().spans().open();
    let open = open.filter(|span| span.start < to && wanted.has_name(&span.name));
    let open = open.map(|span| {
        let label = span.thread.and_then(|id| fold.state().thread(id));
        Line {
            name: Arc::clone(&span.name),
            id: span.id,
            track: track(span.thread, label.and_then(|it| it.label())),
            thread: span.thread,
            from: span.start,
            to: None,
            depth: 0,
            running: None,
            collecting: None,
        }
    });
    let over = fold.seen().spans.iter();
    let over = over
        .filter(|span| span.start < to && span.end >= from)
        .filter(|span| wanted.has_name(&span.name));
    let over = over.map(|span| Line {
        name: Arc::clone(&span.name),
        id: span.id,
        track: track(span.thread, span.label.as_deref()),
        thread: span.thread,
        from: span.start,
        to: Some(span.end),
        depth: 0,
        running: span.running,
        collecting: span.paused,
    });
    open.chain(over).collect()
}

/// Since when finished spans are kept, if older ones were removed.
fn kept_from(fold: &Fold) -> Option<u64> {
    fold.seen().spans.first_of_rest().map(|first| first.end)
}

pub(super) fn spans(contents: &Contents, question: &Question) -> Result<Answer, Refusal> {
    let wanted = Wanted::of(question)?;
    let limit = question.count("limit", 1000, 10_000)?;
    let fold = contents.fold.look();
    let mut rows = within(&fold, &wanted);
    let kept_from = kept_from(&fold).filter(|kept| *kept > wanted.window.0);
    drop(fold);
    let total = rows.len();
    if total > limit {
        let length = |span: &Line| Reverse(span.to.unwrap_or(u64::MAX) - span.from);
        if limit > 0 {
            rows.select_nth_unstable_by_key(limit - 1, length);
        }
        rows.truncate(limit);
    }
    nest(&mut rows);
    json(&Spans {
        total,
        rows,
        kept_from,
    })
}

/// Sorts spans, and puts each below the spans of its track that contain it.
fn nest(rows: &mut [Line]) {
    rows.sort_by_key(|span| (span.from, Reverse(span.to.unwrap_or(u64::MAX))));
    let mut open: BTreeMap<String, Vec<Option<u64>>> = BTreeMap::new();
    for span in rows {
        let lanes = open.entry(span.track.clone()).or_default();
        let end = span.to.unwrap_or(u64::MAX);
        // The first lane below all open spans.
        let depth = lanes
            .iter()
            .rposition(|lane| lane.is_some_and(|until| until > span.from))
            .map_or(0, |last| last + 1);
        lanes.truncate(depth);
        lanes.push(Some(end));
        span.depth = depth;
    }
}

#[derive(Debug, Serialize)]
struct Summary {
    name: Arc<str>,
    count: u64,
    /// Spans that are still open.
    open: u64,
    total: u64,
    p50: u64,
    p90: u64,
    p99: u64,
    max: u64,
    min: u64,
    collecting: Option<u64>,
    running: Option<u64>,
    /// The rest of the time: neither running nor collecting.
    blocked: Option<u64>,
    histogram: Vec<Bar>,
}

/// How many spans have these durations.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Bar {
    from: u64,
    to: u64,
    count: u64,
}

/// Counts durations in buckets whose edges are powers of the square root of two.
#[derive(Debug, Default)]
pub(super) struct Bars(BTreeMap<u32, u64>);

impl Bars {
    pub(super) fn add(&mut self, took: u64) {
        *self.0.entry(bar(took)).or_default() += 1;
    }

    pub(super) fn told(&self) -> Vec<Bar> {
        let (Some(first), Some(last)) = (self.0.keys().next(), self.0.keys().next_back()) else {
            return Vec::new();
        };
        (*first..=*last)
            .filter(|&number| edge(number) < edge(number + 1))
            .map(|number| Bar {
                from: edge(number),
                to: edge(number + 1),
                count: self.0.get(&number).copied().unwrap_or(0),
            })
            .collect()
    }
}

/// The lower edge of a bar.
fn edge(number: u32) -> u64 {
    match number {
        0 => 0,
        128.. => u64::MAX,
        _ => {
            let power = 1u64 << (number / 2);
            match number % 2 {
                0 => power,
                // 1.5 is close enough to the square root of two.
                _ => power + power / 2,
            }
        }
    }
}

/// The bar of a duration.
fn bar(took: u64) -> u32 {
    let Some(power) = took.checked_ilog2() else {
        return 0;
    };
    let upper = power * 2 + 1;
    match took >= edge(upper) {
        true => upper,
        false => power * 2,
    }
}

#[derive(Debug, Default)]
struct Sums {
    durations: Distribution,
    bars: Bars,
    open: u64,
    collecting: Option<u64>,
    running: Option<u64>,
}

pub(super) fn summary(contents: &Contents, question: &Question) -> Result<Answer, Refusal> {
    let wanted = Wanted::of(question)?;
    let fold = contents.fold.look();
    let rows = within(&fold, &wanted);
    drop(fold);
    let mut sums: BTreeMap<Arc<str>, Sums> = BTreeMap::new();
    let more = |sum: Option<u64>, of: Option<u64>| match (sum, of) {
        (Some(sum), Some(of)) => Some(sum.saturating_add(of)),
        (sum, of) => sum.or(of),
    };
    for span in rows {
        if sums.len() >= NAMES && !sums.contains_key(&span.name) {
            continue;
        }
        let of = sums.entry(Arc::clone(&span.name)).or_default();
        let Some(end) = span.to else {
            of.open += 1;
            continue;
        };
        let took = end.saturating_sub(span.from);
        of.durations.record(took);
        of.bars.add(took);
        of.running = more(of.running, span.running);
        of.collecting = more(of.collecting, span.collecting);
    }
    let mut summaries: Vec<Summary> = sums
        .into_iter()
        .map(|(name, of)| {
            let figures = of.durations.figures();
            let told = of.running.map(|running| {
                let rest = figures.total_ns.saturating_sub(running);
                rest.saturating_sub(of.collecting.unwrap_or(0))
            });
            Summary {
                name,
                count: figures.count,
                open: of.open,
                total: figures.total_ns,
                p50: figures.p50_ns,
                p90: figures.p90_ns,
                p99: figures.p99_ns,
                max: figures.max_ns,
                min: figures.min_ns,
                collecting: of.collecting,
                running: of.running,
                blocked: told,
                histogram: of.bars.told(),
            }
        })
        .collect();
    summaries.sort_by_key(|summary| Reverse(summary.total));
    json(&summaries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_in_its_bar() {
        let near = (0..64).flat_map(|power| {
            let power = 1u64 << power;
            [
                power - 1,
                power,
                power + 1,
                power + power / 2,
                power + power / 4 * 3,
            ]
        });
        for took in near.chain([u64::MAX]) {
            let number = bar(took);
            assert!(edge(number) <= took, "{took}: {number}");
            let next = edge(number + 1);
            assert!(took < next || next == u64::MAX, "{took}: {number}");
        }
        let mut bars = Bars::default();
        for took in [0, 1, 1000, 1000, 5_000_000] {
            bars.add(took);
        }
        let told = bars.told();
        assert_eq!(told.iter().map(|bar| bar.count).sum::<u64>(), 5);
        assert!(told.windows(2).all(|pair| pair[0].to == pair[1].from));
    }

    #[test]
    fn spans_nest_within_their_track() {
        let span = |track: &str, from, to| Line {
            name: "x".into(),
            id: None,
            track: track.to_owned(),
            thread: None,
            from,
            to: Some(to),
            depth: 0,
            running: None,
            collecting: None,
        };
        let mut rows = [
            span("a", 10, 20),
            span("a", 0, 100),
            span("b", 5, 50),
            span("a", 12, 15),
            span("a", 30, 40),
        ];
        nest(&mut rows);
        let depths: Vec<_> = rows.iter().map(|it| (it.from, it.depth)).collect();
        assert_eq!(depths, [(0, 0), (5, 0), (10, 1), (12, 2), (30, 1)]);
    }
}
