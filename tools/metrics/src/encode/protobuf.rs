//! Prometheus' exposition in Protocol Buffers, with native histograms beside the explicit buckets.

use super::proto::{
    Bucket, BucketSpan, Counter, Gauge, Histogram as Native, LabelPair, Metric as Sample,
    MetricFamily, MetricType, Timestamp,
};
use super::{Labels, TARGET_HELP, TARGET_INFO, Target, labels, text};
use crate::collected::{Collected, Value};
use crate::histogram::Histogram;
use crate::table::{Kind, Metric};
use prost::Message;

/// The media type.
pub const CONTENT_TYPE: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// All metrics of these programs: messages, each preceded by its length.
pub fn encode(targets: &[Target<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut write = |family: MetricFamily| {
        // Writing to memory does not fail.
        let _ = family.encode_length_delimited(&mut out);
    };
    if !targets.is_empty() {
        let samples = targets.iter().map(|target| Sample {
            label: pairs(target.info()),
            gauge: Some(Gauge { value: Some(1.0) }),
            ..Sample::default()
        });
        write(MetricFamily {
            name: Some(TARGET_INFO.to_owned()),
            help: Some(TARGET_HELP.to_owned()),
            r#type: Some(MetricType::Gauge.into()),
            metric: samples.collect(),
            unit: None,
        });
    }
    let common: Vec<Labels> = targets.iter().map(Target::labels).collect();
    for metric in text::metrics(targets) {
        let mut samples = Vec::new();
        for (target, common) in targets.iter().zip(&common) {
            let families = target.collected.families.iter();
            for family in families.filter(|family| std::ptr::eq(family.metric, metric)) {
                for point in &family.points {
                    let mut all = common.clone();
                    all.extend(labels(&point.attributes));
                    let start = created(target.collected, point.start);
                    samples.push(sample(metric, pairs(all), &point.value, start));
                }
            }
        }
        let kind = match metric.kind {
            Kind::Counter => MetricType::Counter,
            Kind::UpDownCounter | Kind::Gauge => MetricType::Gauge,
            Kind::Histogram => MetricType::Histogram,
        };
        write(MetricFamily {
            name: Some(metric.prometheus_name()),
            help: Some(metric.help().to_owned()),
            r#type: Some(kind.into()),
            metric: samples,
            unit: metric.prometheus_unit().map(str::to_owned),
        });
    }
    out
}

fn pairs(labels: Labels) -> Vec<LabelPair> {
    // Prometheus expects them sorted by name.
    let mut labels = labels;
    labels.sort();
    let pairs = labels.into_iter().map(|(name, value)| LabelPair {
        name: Some(name),
        value: Some(value),
    });
    pairs.collect()
}

fn created(collected: &Collected, start: u64) -> Option<Timestamp> {
    let nanos = collected.unix(start)?;
    Some(Timestamp {
        seconds: (nanos / 1_000_000_000) as i64,
        nanos: (nanos % 1_000_000_000) as i32,
    })
}

fn sample(
    metric: &Metric,
    label: Vec<LabelPair>,
    value: &Value,
    start: Option<Timestamp>,
) -> Sample {
    let number = match value {
        Value::Int(number) => *number as f64,
        Value::Nanos(nanos) => *nanos as f64 / 1e9,
        Value::Histogram(of) => {
            return Sample {
                label,
                histogram: Some(histogram(of, start)),
                ..Sample::default()
            };
        }
    };
    let value = Some(number);
    match metric.kind {
        Kind::Counter => Sample {
            label,
            counter: Some(Counter {
                value,
                created_timestamp: start,
            }),
            ..Sample::default()
        },
        _ => Sample {
            label,
            gauge: Some(Gauge { value }),
            ..Sample::default()
        },
    }
}

fn histogram(of: &Histogram, start: Option<Timestamp>) -> Native {
    let buckets = of.explicit().map(|(power, count)| Bucket {
        cumulative_count: Some(count),
        upper_bound: Some(f64::from(power).exp2()),
    });
    let (positive_span, positive_delta) = spans(of);
    Native {
        sample_count: Some(of.count()),
        sample_sum: Some(of.sum() as f64 / 1e9),
        bucket: buckets.collect(),
        schema: Some(of.scale().into()),
        zero_threshold: Some(0.0),
        zero_count: Some(of.zero()),
        positive_span,
        positive_delta,
        created_timestamp: start,
    }
}

/// Runs of non-empty buckets, and the differences of their counts. OpenTelemetry's bucket `i` is `i
/// + 1` here: it is numbered by its end, not its beginning.
fn spans(of: &Histogram) -> (Vec<BucketSpan>, Vec<i64>) {
    let mut spans: Vec<BucketSpan> = Vec::new();
    let mut deltas = Vec::new();
    let (mut end, mut before) = (0, 0);
    for (at, count) in (of.first() + 1..).zip(of.counts()) {
        if count == 0 {
            continue;
        }
        match spans.last_mut() {
            Some(span) if at == end => span.length = span.length.map(|length| length + 1),
            _ => spans.push(BucketSpan {
                offset: Some(at - end),
                length: Some(1),
            }),
        }
        end = at + 1;
        deltas.push(count as i64 - before);
        before = count as i64;
    }
    if spans.is_empty() {
        // This marks an empty native histogram, as opposed to a classic one.
        spans.push(BucketSpan {
            offset: Some(0),
            length: Some(0),
        });
    }
    (spans, deltas)
}
