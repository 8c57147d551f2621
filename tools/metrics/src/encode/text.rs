//! Text for Prometheus (0.0.4), and OpenMetrics 1.0.

use super::{Labels, TARGET_HELP, TARGET_INFO, Target, labels};
use crate::collected::{Value, seconds};
use crate::histogram::Histogram;
use crate::table::{Kind, METRICS, Metric};
use std::fmt::Write;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// Prometheus' own.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Text {
    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// All metrics of these programs.
pub fn encode(targets: &[Target<'_>], text: Text) -> String {
    let mut out = String::new();
    let common: Vec<Labels> = targets.iter().map(Target::labels).collect();
    if !targets.is_empty() {
        info(targets, text, &mut out);
    }
    for metric in metrics(targets) {
        let name = metric.prometheus_family();
        head(metric, text, &mut out);
        for (target, common) in targets.iter().zip(&common) {
            let families = target.collected.families.iter();
            for family in families.filter(|family| std::ptr::eq(family.metric, metric)) {
                for point in &family.points {
                    let mut all = common.clone();
                    all.extend(labels(&point.attributes));
                    match &point.value {
                        Value::Histogram(of) => histogram(&name, &mut all, of, text, &mut out),
                        value => line(&metric.prometheus_name(), &all, &number(value), &mut out),
                    }
                }
            }
        }
    }
    if text == Text::OpenMetrics {
        out.push_str("# EOF\n");
    }
    out
}

/// The metrics that any of the programs has: those of the table in its order, then others.
pub(super) fn metrics(targets: &[Target<'_>]) -> Vec<&'static Metric> {
    let mut metrics: Vec<&'static Metric> = METRICS.to_vec();
    let families = || targets.iter().flat_map(|target| &target.collected.families);
    for family in families() {
        if !metrics
            .iter()
            .any(|metric| std::ptr::eq(*metric, family.metric))
        {
            metrics.push(family.metric);
        }
    }
    metrics.retain(|metric| families().any(|family| std::ptr::eq(family.metric, *metric)));
    metrics
}

fn head(metric: &Metric, text: Text, out: &mut String) {
    let name = match text {
        Text::Prometheus => metric.prometheus_name(),
        Text::OpenMetrics => metric.prometheus_family(),
    };
    let kind = match metric.kind {
        Kind::Counter => "counter",
        Kind::UpDownCounter | Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let help = escape(metric.help(), text == Text::OpenMetrics);
    // Writing to a text does not fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    if let (Text::OpenMetrics, Some(unit)) = (text, metric.prometheus_unit()) {
        let _ = writeln!(out, "# UNIT {name} {unit}");
    }
}

fn info(targets: &[Target<'_>], text: Text, out: &mut String) {
    let (name, kind) = match text {
        Text::Prometheus => (TARGET_INFO, "gauge"),
        Text::OpenMetrics => ("target", "info"),
    };
    let _ = writeln!(out, "# HELP {name} {TARGET_HELP}\n# TYPE {name} {kind}");
    for target in targets {
        line(TARGET_INFO, &target.info(), "1", out);
    }
}

fn histogram(name: &str, labels: &mut Labels, of: &Histogram, text: Text, out: &mut String) {
    let bucket = format!("{name}_bucket");
    for (power, count) in of.explicit() {
        let mut le = float(f64::from(power).exp2());
        if text == Text::OpenMetrics && !le.contains(['.', 'e']) {
            le.push_str(".0");
        }
        labels.push(("le".to_owned(), le));
        line(&bucket, labels, &count.to_string(), out);
        labels.pop();
    }
    labels.push(("le".to_owned(), "+Inf".to_owned()));
    line(&bucket, labels, &of.count().to_string(), out);
    labels.pop();
    line(&format!("{name}_sum"), labels, &seconds(of.sum()), out);
    line(
        &format!("{name}_count"),
        labels,
        &of.count().to_string(),
        out,
    );
}

fn line(name: &str, labels: &Labels, value: &str, out: &mut String) {
    out.push_str(name);
    if !labels.is_empty() {
        let labels = labels.iter();
        let labels = labels.map(|(name, value)| format!("{name}=\"{}\"", escape(value, true)));
        let labels: Vec<String> = labels.collect();
        let _ = write!(out, "{{{}}}", labels.join(","));
    }
    let _ = writeln!(out, " {value}");
}

fn number(value: &Value) -> String {
    match value {
        Value::Int(number) => number.to_string(),
        Value::Nanos(nanos) => seconds(*nanos),
        Value::Histogram(_) => String::new(),
    }
}

/// Escapes a text. Quotes are escaped only inside quotes.
fn escape(text: &str, quotes: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '"' if quotes => escaped.push_str("\\\""),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A number as Go writes it, so that the labels of buckets are the same in all formats.
fn float(value: f64) -> String {
    if (1e-4..1e21).contains(&value) {
        return value.to_string();
    }
    let text = format!("{value:e}");
    match text.split_once("e-") {
        Some((digits, exponent)) => format!("{digits}e-{exponent:0>2}"),
        None => text,
    }
}
