//! OpenTelemetry's protocol: metrics, logs and traces.

mod deltas;
mod ids;

use crate::collected::{Attribute, Collected, Family, Point, Value};
use crate::histogram::{EXPLICIT, Histogram};
use crate::record::{Batch, LogRecord, Severity, SpanRecord};
use crate::resource::Resource;
use crate::table::Kind;
pub use deltas::{Deltas, Temporality};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1 as logs;
use opentelemetry_proto::tonic::metrics::v1 as metrics;
use opentelemetry_proto::tonic::resource::v1 as resource;
use opentelemetry_proto::tonic::trace::v1 as trace;

/// How histograms are exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Histograms {
    /// In exponential buckets.
    #[default]
    Exponential,
    /// In buckets between powers of two, for a receiver that supports no others.
    Explicit,
}

/// The metrics of one program. `deltas` keeps the values exported before, if deltas are
/// configured.
pub fn metrics(
    collected: &Collected,
    histograms: Histograms,
    deltas: &mut Deltas,
) -> ExportMetricsServiceRequest {
    let families = collected.families.iter();
    let metrics = families.map(|family| self::family(collected, family, histograms, deltas));
    let metrics = metrics::ScopeMetrics {
        scope: Some(scope()),
        metrics: metrics.collect(),
        schema_url: String::new(),
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![metrics::ResourceMetrics {
            resource: Some(program(&collected.resource)),
            scope_metrics: vec![metrics],
            schema_url: String::new(),
        }],
    }
}

/// The lines of the log of one program; `None` if there are none.
pub fn logs(batch: &Batch) -> Option<ExportLogsServiceRequest> {
    if batch.logs.is_empty() {
        return None;
    }
    let records = batch.logs.iter().map(|record| log(batch, record));
    let records = logs::ScopeLogs {
        scope: Some(scope()),
        log_records: records.collect(),
        schema_url: String::new(),
    };
    Some(ExportLogsServiceRequest {
        resource_logs: vec![logs::ResourceLogs {
            resource: Some(program(&batch.resource)),
            scope_logs: vec![records],
            schema_url: String::new(),
        }],
    })
}

/// The spans of one program; `None` if there are none.
pub fn traces(batch: &Batch) -> Option<ExportTraceServiceRequest> {
    if batch.spans.is_empty() {
        return None;
    }
    let spans = batch.spans.iter().map(|record| span(batch, record));
    let spans = trace::ScopeSpans {
        scope: Some(scope()),
        spans: spans.collect(),
        schema_url: String::new(),
    };
    Some(ExportTraceServiceRequest {
        resource_spans: vec![trace::ResourceSpans {
            resource: Some(program(&batch.resource)),
            scope_spans: vec![spans],
            schema_url: String::new(),
        }],
    })
}

fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "eventlog".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}

fn program(of: &Resource) -> resource::Resource {
    let attributes = of.attributes.iter();
    resource::Resource {
        attributes: attributes.map(|(key, value)| pair(key, value)).collect(),
        ..resource::Resource::default()
    }
}

fn pair(key: &str, value: &Attribute) -> KeyValue {
    let value = match value {
        Attribute::Text(text) => any_value::Value::StringValue(text.to_string()),
        Attribute::Int(number) => any_value::Value::IntValue(*number),
        Attribute::Bool(yes) => any_value::Value::BoolValue(*yes),
    };
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn pairs(attributes: &[(&'static str, Attribute)]) -> Vec<KeyValue> {
    attributes
        .iter()
        .map(|(key, value)| pair(key, value))
        .collect()
}

fn family(
    collected: &Collected,
    family: &Family,
    histograms: Histograms,
    deltas: &mut Deltas,
) -> metrics::Metric {
    use metrics::metric::Data;
    let metric = family.metric;
    let is_delta = deltas.temporality().is_delta(metric.kind);
    let temporality = match is_delta {
        true => metrics::AggregationTemporality::Delta,
        false => metrics::AggregationTemporality::Cumulative,
    };
    let temporality: i32 = temporality.into();
    let at = collected.unix(collected.time).unwrap_or(0);
    let told = family.points.iter().map(|point| {
        let (value, start) = match is_delta {
            true => deltas.since(collected, metric, point),
            false => (point.value.clone(), point.start),
        };
        let start = collected.unix(start).unwrap_or(0);
        (point, value, start)
    });
    let number = |(point, value, start): (&Point, Value, u64)| metrics::NumberDataPoint {
        attributes: pairs(&point.attributes),
        start_time_unix_nano: match metric.kind {
            Kind::Gauge => 0,
            _ => start,
        },
        time_unix_nano: at,
        value: Some(self::number(&value)),
        ..metrics::NumberDataPoint::default()
    };
    let data = match (metric.kind, histograms) {
        (Kind::Gauge, _) => Data::Gauge(metrics::Gauge {
            data_points: told.map(number).collect(),
        }),
        (Kind::Counter | Kind::UpDownCounter, _) => Data::Sum(metrics::Sum {
            data_points: told.map(number).collect(),
            aggregation_temporality: temporality,
            is_monotonic: metric.kind == Kind::Counter,
        }),
        (Kind::Histogram, Histograms::Exponential) => {
            let points = told.filter_map(|(point, value, start)| {
                let Value::Histogram(of) = value else {
                    return None;
                };
                Some(exponential(point, &of, (start, at), !is_delta))
            });
            Data::ExponentialHistogram(metrics::ExponentialHistogram {
                data_points: points.collect(),
                aggregation_temporality: temporality,
            })
        }
        (Kind::Histogram, Histograms::Explicit) => {
            let points = told.filter_map(|(point, value, start)| {
                let Value::Histogram(of) = value else {
                    return None;
                };
                Some(explicit(point, &of, (start, at), !is_delta))
            });
            Data::Histogram(metrics::Histogram {
                data_points: points.collect(),
                aggregation_temporality: temporality,
            })
        }
    };
    metrics::Metric {
        name: metric.name.to_owned(),
        description: metric.help().to_owned(),
        unit: metric.unit.to_owned(),
        metadata: Vec::new(),
        data: Some(data),
    }
}

fn number(value: &Value) -> metrics::number_data_point::Value {
    use metrics::number_data_point::Value as Number;
    match value {
        Value::Int(number) => match i64::try_from(*number) {
            Ok(number) => Number::AsInt(number),
            // Only a hostile log has a number this large.
            Err(_) => Number::AsDouble(*number as f64),
        },
        Value::Nanos(nanos) => Number::AsDouble(*nanos as f64 / 1e9),
        Value::Histogram(_) => Number::AsInt(0),
    }
}

fn exponential(
    point: &Point,
    of: &Histogram,
    (start, at): (u64, u64),
    whole: bool,
) -> metrics::ExponentialHistogramDataPoint {
    // The shortest and the longest are only known for all durations together.
    let range = of.range().filter(|_| whole);
    metrics::ExponentialHistogramDataPoint {
        attributes: pairs(&point.attributes),
        start_time_unix_nano: start,
        time_unix_nano: at,
        count: of.count(),
        sum: Some(of.sum() as f64 / 1e9),
        scale: of.scale().into(),
        zero_count: of.zero(),
        positive: Some(metrics::exponential_histogram_data_point::Buckets {
            offset: of.first(),
            bucket_counts: of.counts().collect(),
        }),
        min: range.map(|(min, _)| min as f64 / 1e9),
        max: range.map(|(_, max)| max as f64 / 1e9),
        ..metrics::ExponentialHistogramDataPoint::default()
    }
}

fn explicit(
    point: &Point,
    of: &Histogram,
    (start, at): (u64, u64),
    whole: bool,
) -> metrics::HistogramDataPoint {
    let range = of.range().filter(|_| whole);
    let mut before = 0;
    let mut counts: Vec<u64> = of
        .explicit()
        .map(|(_, count)| count - std::mem::replace(&mut before, count))
        .collect();
    counts.push(of.count() - before);
    metrics::HistogramDataPoint {
        attributes: pairs(&point.attributes),
        start_time_unix_nano: start,
        time_unix_nano: at,
        count: of.count(),
        sum: Some(of.sum() as f64 / 1e9),
        bucket_counts: counts,
        explicit_bounds: EXPLICIT.map(|power| f64::from(power).exp2()).collect(),
        min: range.map(|(min, _)| min as f64 / 1e9),
        max: range.map(|(_, max)| max as f64 / 1e9),
        ..metrics::HistogramDataPoint::default()
    }
}

fn unix(batch: &Batch, time: u64) -> u64 {
    let nanos = batch.clock.map(|clock| clock.at(time).unix_nanos());
    nanos
        .and_then(|nanos| u64::try_from(nanos).ok())
        .unwrap_or(0)
}

fn log(batch: &Batch, record: &LogRecord) -> logs::LogRecord {
    let (number, text) = match record.severity {
        Severity::Info => (logs::SeverityNumber::Info, "INFO"),
        Severity::Warn => (logs::SeverityNumber::Warn, "WARN"),
    };
    let time = unix(batch, record.time);
    logs::LogRecord {
        time_unix_nano: time,
        observed_time_unix_nano: time,
        severity_number: number.into(),
        severity_text: text.to_owned(),
        body: Some(AnyValue {
            value: Some(any_value::Value::StringValue(record.body.clone())),
        }),
        attributes: pairs(&record.attributes),
        event_name: record.event.to_owned(),
        ..logs::LogRecord::default()
    }
}

fn span(batch: &Batch, record: &SpanRecord) -> trace::Span {
    let instance = batch.resource.instance();
    let parent = record.parent.as_ref();
    trace::Span {
        trace_id: ids::trace(&instance, &record.root),
        span_id: ids::span(&instance, &record.key),
        parent_span_id: parent
            .map(|key| ids::span(&instance, key))
            .unwrap_or_default(),
        name: record.key.name.to_string(),
        kind: trace::span::SpanKind::Internal.into(),
        start_time_unix_nano: unix(batch, record.key.start),
        end_time_unix_nano: unix(batch, record.end),
        attributes: pairs(&record.attributes),
        ..trace::Span::default()
    }
}
