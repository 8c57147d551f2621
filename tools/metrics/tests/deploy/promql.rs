//! The metrics and labels that an expression of PromQL asks for.

use eventlog_metrics::OWN;
use eventlog_metrics::table::{Kind, METRICS, prometheus_word};
use std::collections::{BTreeMap, BTreeSet};

/// The series that there are, and the labels of each.
pub fn series() -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for metric in METRICS.iter().chain(OWN) {
        let labels = ["job", "instance"].into_iter().map(str::to_owned);
        let own = metric.attributes.iter().map(|name| prometheus_word(name));
        let mut labels: BTreeSet<String> = labels.chain(own).collect();
        let name = metric.prometheus_name();
        if metric.kind == Kind::Histogram {
            all.insert(format!("{name}_sum"), labels.clone());
            all.insert(format!("{name}_count"), labels.clone());
            labels.insert("le".to_owned());
            all.insert(format!("{name}_bucket"), labels);
        } else {
            all.insert(name, labels);
        }
    }
    let common = ["job", "instance", "process_runtime_name"].map(str::to_owned);
    all.insert("target_info".to_owned(), common.into());
    all.insert(
        "up".to_owned(),
        ["job", "instance"].map(str::to_owned).into(),
    );
    all
}

const FUNCTIONS: [&str; 10] = [
    "rate",
    "increase",
    "sum",
    "count",
    "histogram_quantile",
    "deriv",
    "predict_linear",
    "label_values",
    "by",
    "and",
];

/// The metrics and labels of an expression: the words that are neither functions nor in quotes.
/// Labels are in braces, or in the parentheses after `by`.
pub fn words(expression: &str) -> (Vec<String>, Vec<String>) {
    let (mut metrics, mut labels) = (Vec::new(), Vec::new());
    let mut rest = expression;
    let (mut braces, mut by) = (false, false);
    let mut last = String::new();
    while let Some(c) = rest.chars().next() {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if c == '"' {
            let end = rest[1..].find('"').expect("the end of a text") + 2;
            rest = &rest[end..];
            continue;
        }
        if c == '[' {
            let end = rest.find(']').expect("the end of a window") + 1;
            rest = &rest[end..];
            continue;
        }
        if word(c) {
            let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
            last = rest[..end].to_owned();
            rest = &rest[end..];
            let number = last.starts_with(|c: char| c.is_ascii_digit());
            if braces || by {
                labels.push(last.clone());
            } else if !number && last != "or" && !FUNCTIONS.contains(&&*last) {
                metrics.push(last.clone());
            }
            continue;
        }
        match c {
            '{' => braces = true,
            '}' => braces = false,
            '(' => by = last == "by",
            ')' => by = false,
            _ => {}
        }
        if !c.is_whitespace() {
            last.clear();
        }
        rest = &rest[c.len_utf8()..];
    }
    (metrics, labels)
}

/// Checks that each metric exists and has each label. Returns the metrics.
#[track_caller]
pub fn check(expression: &str) -> Vec<String> {
    let all = series();
    let (metrics, labels) = words(expression);
    assert!(!metrics.is_empty(), "{expression}");
    for label in labels {
        let has = |metric: &String| {
            let labels = all.get(metric);
            let labels = labels.unwrap_or_else(|| panic!("{metric} is no metric: {expression}"));
            labels.contains(&label)
        };
        assert!(
            metrics.iter().any(has),
            "none has the label {label}: {expression}"
        );
    }
    for metric in &metrics {
        assert!(
            all.contains_key(metric),
            "{metric} is no metric: {expression}"
        );
    }
    metrics
}

/// The labels that the result of an expression can have: those that it is summed up by, or else those
/// of its metrics.
pub fn labels_of(expression: &str) -> BTreeSet<String> {
    let mut labels = BTreeSet::new();
    let mut summed = false;
    for by in expression.split("by (").skip(1) {
        let by = by.split(')').next().expect("its end");
        labels.extend(by.split(", ").map(str::to_owned));
        summed = true;
    }
    if !summed && !expression.starts_with("sum (") {
        let all = series();
        let (metrics, _) = words(expression);
        labels.extend(metrics.iter().flat_map(|metric| all[metric].clone()));
    }
    labels
}

#[test]
fn expressions_are_understood() {
    let (metrics, labels) =
        words("sum by (le, a_b) (rate(x_bucket{job=~\"$job\"}[5m])) / y > 10 or z{i=\"by (q)\"}");
    assert_eq!(metrics, ["x_bucket", "y", "z"]);
    assert_eq!(labels, ["le", "a_b", "job", "i"]);
    let by = |expression| labels_of(expression).into_iter().collect::<Vec<_>>();
    assert_eq!(by("sum by (le, job) (ghc_heap_size_bytes)"), ["job", "le"]);
    assert_eq!(by("ghc_heap_size_bytes{x=\"1\"} > 5"), ["instance", "job"]);
    assert!(by("sum (ghc_heap_size_bytes)").is_empty());
    let wrong = [
        "ghc_heap_sise_bytes > 1",
        "sum by (ghc_gc_generatoin) (ghc_gc_collections_total)",
    ];
    for wrong in wrong {
        assert!(
            std::panic::catch_unwind(|| check(wrong)).is_err(),
            "{wrong}"
        );
    }
}
