//! docs/metrics.md lists all metrics.

use eventlog_metrics::OWN;
use eventlog_metrics::table::{Kind, METRICS, Metric};

fn row(metric: &Metric) -> String {
    let kind = match metric.kind {
        Kind::Counter => "Counter",
        Kind::UpDownCounter => "UpDownCounter",
        Kind::Gauge => "Gauge",
        Kind::Histogram => "Histogram",
    };
    format!(
        "| `{}` | {} {kind} | {} | {} | `{}` | {} |",
        metric.name,
        metric.unit,
        metric.attributes.join(", "),
        metric.events,
        metric.prometheus_name(),
        metric.help(),
    )
}

#[test]
fn the_tables_list_every_metric() {
    let document = include_str!("../../../docs/metrics.md");
    let told = document.lines().filter(|line| {
        line.starts_with("| `ghc.")
            || line.starts_with("| `process.")
            || line.starts_with("| `eventlog.")
    });
    let told: Vec<&str> = told.collect();
    let expected: Vec<String> = METRICS
        .iter()
        .chain(OWN)
        .map(|metric| row(metric))
        .collect();
    assert!(
        told == expected,
        "docs/metrics.md should say:\n{}",
        expected.join("\n")
    );
}
