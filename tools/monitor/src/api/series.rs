//! `series`: values over time.

use super::question::{Answer, Question, Refusal, json};
use crate::fold::figures::{About, Kind};
use crate::fold::slots::Point;
use crate::session::Contents;
use serde::Serialize;
use std::collections::BTreeMap;

/// The most series in one answer.
const MOST: usize = 1024;

#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    unit: &'static str,
    kind: &'static str,
    help: &'static str,
}

#[derive(Debug, Serialize)]
struct Series {
    unit: &'static str,
    kind: &'static str,
    help: &'static str,
    /// Time, smallest, largest, mean or (for rates) sum, and number of values.
    points: Vec<(u64, f64, f64, f64, u64)>,
}

#[derive(Debug, Serialize)]
struct NamedSeries {
    names: BTreeMap<String, Series>,
}

fn kind(about: &About) -> &'static str {
    match about.kind {
        Kind::Gauge => "gauge",
        Kind::Rate => "rate",
    }
}

pub(super) fn series(contents: &Contents, question: &Question) -> Result<Answer, Refusal> {
    let fold = contents.fold.look();
    let figures = &fold.seen().figures;
    let list = figures.list();
    let Some(names) = question.text("names").filter(|names| !names.is_empty()) else {
        let listed = list.into_iter().map(|about| Listed {
            kind: kind(&about),
            name: about.name,
            unit: about.unit,
            help: about.help,
        });
        return json(&listed.collect::<Vec<_>>());
    };
    let (from, to) = question.window()?;
    // The range of the log, not of all possible times.
    let first = fold.state().first().unwrap_or(0);
    let window = (
        from.max(first.min(to)),
        to.min(fold.state().time().saturating_add(1)),
    );
    let points = question.count("points", 500, 10_000)?.max(1);
    let mut told = BTreeMap::new();
    for name in names.split(',').take(MOST) {
        let about = list.iter().find(|about| about.name == name);
        let values = figures.points(name, (window.0, window.1.max(window.0)), points);
        let (Some(about), Some(values)) = (about, values) else {
            return Err(Refusal::missing(format!(
                "there is no series {name:?}; a request without names lists all series"
            )));
        };
        let point = |point: Point| {
            let last = match about.kind {
                Kind::Gauge => point.sum / point.count.max(1) as f64,
                Kind::Rate => point.sum,
            };
            (point.time, point.min, point.max, last, point.count)
        };
        let series = Series {
            unit: about.unit,
            kind: kind(about),
            help: about.help,
            points: values.into_iter().map(point).collect(),
        };
        told.insert(name.to_owned(), series);
    }
    json(&NamedSeries { names: told })
}
