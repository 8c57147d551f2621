//! `eventlog metrics --otlp`: what a receiver gets.

use crate::common::{Dir, done};
use crate::pushing::{Exporter, START, beginning, messages, printed, push, pushing, told_messages};
use crate::receiver::{Receiver, Reply, Seen};
use ghc_eventlog::EventBody;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;

#[test]
fn a_file_sends_its_whole_series_and_ends() {
    let receiver = Receiver::new(|_| Reply::status(200));
    push(&receiver.url, &[]).exits(0);
    let of = |path: &str| -> Vec<Value> {
        let taken = receiver.taken().into_iter();
        taken
            .filter(|seen| seen.path == path)
            .map(|seen| seen.message)
            .collect()
    };
    let metrics = of("/v1/metrics");
    assert!(metrics.len() > 3, "{}", metrics.len());
    let printed: Vec<Value> = printed();
    let kind = |key: &str| -> Vec<Value> {
        printed
            .iter()
            .filter(|line| line.get(key).is_some())
            .cloned()
            .collect()
    };
    // Protocol Buffers and JSON contain the same.
    assert_eq!(metrics, kind("resourceMetrics"));
    assert_eq!(of("/v1/logs"), kind("resourceLogs"));
    assert_eq!(of("/v1/traces"), kind("resourceSpans"));
    for seen in receiver.seen() {
        assert_eq!(seen.headers["content-encoding"], "gzip");
        assert_eq!(seen.headers["content-type"], "application/x-protobuf");
    }
    // Times are those of the program: years before this test.
    let times = metrics.iter().map(|message| message.to_string());
    assert!(
        times
            .into_iter()
            .all(|text| text.contains("\"timeUnixNano\":\"1"))
    );
}

/// Others may have something to say of the same time, or there may be others of which nothing was
/// said: they are not waited for forever.
#[test]
fn a_program_that_says_nothing_more_is_told_whole() {
    let caps = [0, 1].map(|created_cap| EventBody::CapCreate { created_cap });
    for more in [&[][..], &caps[..1], &caps[..]] {
        let receiver = Receiver::new(|_| Reply::status(200));
        let dir = Dir::new();
        let (_exporter, mut client) = Exporter::start(&dir, &receiver, &[], &[]);
        client.write_all(&beginning(more)).expect("it reads");
        client.write_all(&messages(0, 10)).expect("it reads");
        let expected: Vec<(u64, u64)> = (1..10).map(|at| (START + at, at)).collect();
        crate::common::wait_until("all of it comes", || told_messages(&receiver) == expected);
    }
}

#[test]
fn the_variables_mean_what_their_specification_says() {
    let receiver = Receiver::new(|_| Reply::status(200));
    let url = receiver.url.clone();
    let run = |variables: &[(&str, &str)]| {
        let mut command = pushing("env", &["--signals", "metrics,logs"]);
        command.envs(variables.iter().copied());
        done(&mut command)
    };
    run(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("{url}/base/")),
        (
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
            &format!("{url}/as/it/is"),
        ),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=all%20of%20us,x-b=1"),
        ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "x-tenant=m"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "gzip"),
        ("OTEL_SERVICE_NAME", "shop"),
    ])
    .exits(0);
    for seen in receiver.seen() {
        match seen.path.as_str() {
            "/as/it/is" => {
                assert_eq!(seen.headers["x-tenant"], "m");
                assert_eq!(seen.headers["content-encoding"], "gzip");
            }
            "/base/v1/logs" => {
                assert_eq!(seen.headers["x-tenant"], "all of us");
                assert_eq!(seen.headers["x-b"], "1");
                assert!(!seen.headers.contains_key("content-encoding"));
                assert_eq!(seen.resource("service.name").as_deref(), Some("shop"));
            }
            other => panic!("{other}"),
        }
    }
    let wrong = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/dev/null"),
        ("OTEL_METRICS_EXPORTER", "zipkin"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "x"),
    ];
    for (name, value) in wrong {
        run(&[(name, value)]).exits(2);
    }
    run(&[("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nonexistent/ca.pem")])
        .exits(3)
        .says("/nonexistent/ca.pem");
    run(&[("OTEL_EXPORTER_OTLP_CERTIFICATE", "/dev/null")])
        .exits(3)
        .says("has no certificate");
    let before = receiver.seen().len();
    run(&[
        ("OTEL_SDK_DISABLED", "true"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
    ])
    .exits(0);
    run(&[
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
    ])
    .exits(0);
    assert_eq!(receiver.seen().len(), before, "nothing was sent");
}

/// The values of counters, by name and attributes; counts of histograms.
fn counted(seen: &Seen) -> BTreeMap<String, f64> {
    let number = |point: &Value| {
        let text = |key: &str| point[key].as_str().and_then(|text| text.parse().ok());
        let int = text("asInt").or_else(|| text("count"));
        int.or_else(|| point["asDouble"].as_f64()).unwrap_or(0.0)
    };
    let points = seen.points().into_iter();
    let sums = points.filter(|(name, _)| {
        name.ends_with(".duration")
            || [
                "ghc.thread.switches",
                "ghc.eventlog.events",
                "ghc.capability.time",
            ]
            .contains(&name.as_str())
    });
    sums.map(|(name, point)| (format!("{name} {}", point["attributes"]), number(&point)))
        .collect()
}

#[test]
fn changes_add_up_to_the_totals() {
    let run = |preference: &str| {
        let receiver = Receiver::new(|_| Reply::status(200));
        done(pushing(&receiver.url, &["--signals", "metrics"]).env(
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
            preference,
        ))
        .exits(0);
        receiver.taken()
    };
    let (totals, changes) = (run("cumulative"), run("delta"));
    assert_eq!(totals.len(), changes.len());
    let last = counted(totals.last().expect("moments"));
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    for (key, value) in changes.iter().flat_map(counted) {
        *sums.entry(key).or_default() += value;
    }
    for (key, total) in &last {
        let sum = sums[key];
        assert!((sum - total).abs() < 1e-9, "{key}: {sum} is not {total}");
    }
    assert!(last.values().any(|total| *total > 10.0));
    // Each change begins where the one before ended.
    let mut ends: BTreeMap<String, String> = BTreeMap::new();
    for (name, point) in changes.iter().flat_map(Seen::points) {
        if name != "ghc.eventlog.events" {
            continue;
        }
        let [start, end] = ["startTimeUnixNano", "timeUnixNano"].map(|key| point[key].to_string());
        if let Some(before) = ends.insert(name, end) {
            assert_eq!(before, start);
        }
    }
}

#[test]
fn histograms_can_be_told_in_explicit_buckets() {
    let receiver = Receiver::new(|_| Reply::status(200));
    done(pushing(&receiver.url, &["--signals", "metrics"]).env(
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        "explicit_bucket_histogram",
    ))
    .exits(0);
    let taken = receiver.taken();
    let mut counts = 0;
    for (name, point) in taken.iter().flat_map(Seen::points) {
        if !name.ends_with(".duration") {
            continue;
        }
        let buckets = point["bucketCounts"].as_array().expect("buckets");
        assert_eq!(buckets.len(), 28);
        assert_eq!(
            point["explicitBounds"].as_array().expect("bounds").len(),
            27
        );
        let number = |value: &Value| -> u64 {
            value
                .as_str()
                .and_then(|it| it.parse().ok())
                .or(value.as_u64())
                .expect("a number")
        };
        let sum: u64 = buckets.iter().map(number).sum();
        assert_eq!(sum, number(&point["count"]), "{name}");
        counts += sum;
    }
    assert!(counts > 0);
}
