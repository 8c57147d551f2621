//! Splits a request that is too large.

use super::Request;
use crate::own::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data};
use prost::Message;

/// Two requests with about half of the items each; `None` if it cannot be split.
pub(super) fn halves(request: &Request) -> Option<[Request; 2]> {
    let body = &request.body[..];
    match request.signal {
        Signal::Metrics => {
            let mut first = ExportMetricsServiceRequest::decode(body).ok()?;
            let mut second = first.clone();
            let of = |request: &mut ExportMetricsServiceRequest| {
                let scope = request
                    .resource_metrics
                    .first_mut()?
                    .scope_metrics
                    .first_mut()?;
                Some(std::mem::take(&mut scope.metrics))
            };
            let mut metrics = of(&mut first)?;
            of(&mut second)?;
            let mut rest = match metrics.len() {
                0 => return None,
                1 => vec![half_of_points(&mut metrics[0])?],
                several => metrics.split_off(several / 2),
            };
            let put = |request: &mut ExportMetricsServiceRequest, metrics: &mut Vec<Metric>| {
                let items = metrics.iter().map(points).sum();
                let scope = request
                    .resource_metrics
                    .first_mut()?
                    .scope_metrics
                    .first_mut()?;
                scope.metrics = std::mem::take(metrics);
                Some(of_message(Signal::Metrics, request, items))
            };
            Some([put(&mut first, &mut metrics)?, put(&mut second, &mut rest)?])
        }
        Signal::Logs => {
            let mut first = ExportLogsServiceRequest::decode(body).ok()?;
            let mut second = first.clone();
            let records = &mut first
                .resource_logs
                .first_mut()?
                .scope_logs
                .first_mut()?
                .log_records;
            let others = &mut second
                .resource_logs
                .first_mut()?
                .scope_logs
                .first_mut()?
                .log_records;
            *others = half(records)?;
            let items = [records.len() as u64, others.len() as u64];
            let [one, other] = items;
            Some([
                of_message(Signal::Logs, &first, one),
                of_message(Signal::Logs, &second, other),
            ])
        }
        Signal::Traces => {
            let mut first = ExportTraceServiceRequest::decode(body).ok()?;
            let mut second = first.clone();
            let spans = &mut first
                .resource_spans
                .first_mut()?
                .scope_spans
                .first_mut()?
                .spans;
            let others = &mut second
                .resource_spans
                .first_mut()?
                .scope_spans
                .first_mut()?
                .spans;
            *others = half(spans)?;
            let items = [spans.len() as u64, others.len() as u64];
            let [one, other] = items;
            Some([
                of_message(Signal::Traces, &first, one),
                of_message(Signal::Traces, &second, other),
            ])
        }
    }
}

fn of_message(signal: Signal, message: &impl Message, items: u64) -> Request {
    Request {
        signal,
        items,
        body: message.encode_to_vec(),
    }
}

/// Removes and returns the second half; `None` for a single item.
fn half<T>(all: &mut Vec<T>) -> Option<Vec<T>> {
    (all.len() > 1).then(|| all.split_off(all.len() / 2))
}

/// The same metric with the second half of its data points, which are removed from this one.
fn half_of_points(metric: &mut Metric) -> Option<Metric> {
    let mut other = metric.clone();
    match (metric.data.as_mut()?, other.data.as_mut()?) {
        (Data::Gauge(one), Data::Gauge(other)) => {
            other.data_points = half(&mut one.data_points)?;
        }
        (Data::Sum(one), Data::Sum(other)) => other.data_points = half(&mut one.data_points)?,
        (Data::Histogram(one), Data::Histogram(other)) => {
            other.data_points = half(&mut one.data_points)?;
        }
        (Data::ExponentialHistogram(one), Data::ExponentialHistogram(other)) => {
            other.data_points = half(&mut one.data_points)?;
        }
        _ => return None,
    }
    Some(other)
}

/// The number of data points of a metric.
pub(crate) fn points(metric: &Metric) -> u64 {
    let count = match &metric.data {
        Some(Data::Gauge(of)) => of.data_points.len(),
        Some(Data::Sum(of)) => of.data_points.len(),
        Some(Data::Histogram(of)) => of.data_points.len(),
        Some(Data::ExponentialHistogram(of)) => of.data_points.len(),
        Some(Data::Summary(of)) => of.data_points.len(),
        None => 0,
    };
    count as u64
}
