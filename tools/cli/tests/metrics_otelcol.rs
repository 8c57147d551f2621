//! What a real OpenTelemetry Collector passes on of what is pushed.
//!
//! `EVENTLOG_OTELCOL` is its program: one with the receiver `otlp` and the exporters `debug` and
//! `otlphttp`, which all distributions have. If it is not set, the test is skipped.

use crate::common::{Dir, done, eventlog};
use crate::counterparts::{Running, port, program, wait};
use crate::pushing::log;
use crate::receiver::{Receiver, Reply, Seen};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::TcpStream;
use std::process::Command;

/// Everything that was received, each part once.
fn told(seen: &[Seen]) -> BTreeSet<String> {
    let mut told = BTreeSet::new();
    for seen in seen {
        for (of, scopes, items) in [
            ("resourceMetrics", "scopeMetrics", "metrics"),
            ("resourceLogs", "scopeLogs", "logRecords"),
            ("resourceSpans", "scopeSpans", "spans"),
        ] {
            for of in array(&seen.message[of]) {
                told.insert(of["resource"]["attributes"].to_string());
                for scope in array(&of[scopes]) {
                    told.insert(scope["scope"].to_string());
                    told.extend(array(&scope[items]).into_iter().map(item));
                }
            }
        }
        for (name, point) in seen.points() {
            told.insert(format!("{name} {}", item(point)));
        }
    }
    told
}

fn array(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// A metric without its points, a point, a record or a span. A part that is absent means the same
/// as one that says nothing, which the Collector writes instead.
fn item(mut item: Value) -> String {
    for kind in ["sum", "gauge", "exponentialHistogram"] {
        if let Some(of) = item.get_mut(kind).and_then(Value::as_object_mut) {
            of.remove("dataPoints");
        }
    }
    let nothing = [
        ("negative", json!({"offset": 0, "bucketCounts": []})),
        ("status", json!({"message": "", "code": 0})),
    ];
    for (part, nothing) in nothing {
        if item.get(part).is_some_and(Value::is_null) {
            item[part] = nothing;
        }
    }
    item.to_string()
}

#[test]
fn a_collector_hands_on_all_that_it_gets() {
    let Some(collector) = program("EVENTLOG_OTELCOL") else {
        return;
    };
    // Without the Collector in between.
    let direct = Receiver::new(|_| Reply::status(200));
    let log = log();
    let push = |url: &str| {
        let args = [
            "metrics",
            &log,
            "--otlp",
            url,
            "--interval",
            "1ms",
            "--threads",
        ];
        eventlog(&args).exits(0);
    };
    push(&direct.url);
    let behind = Receiver::new(|_| Reply::status(200));
    let dir = Dir::new();
    let at = port();
    // The shipped configuration, with other addresses.
    let path = format!(
        "{}/../../deploy/otelcol/otelcol.yaml",
        env!("CARGO_MANIFEST_DIR")
    );
    let mut config = std::fs::read_to_string(path).expect("it is there");
    for address in [
        "http://127.0.0.1:9090/api/v1/otlp",
        "http://127.0.0.1:3100/otlp",
        "http://127.0.0.1:14318",
    ] {
        assert!(config.contains(address), "{address} in {config}");
        config = config.replace(address, &behind.url);
    }
    let config = config.replace("127.0.0.1:4318", &at);
    let config = dir.with("otelcol.yaml", config.as_bytes());
    done(Command::new(&collector).args(["validate", "--config", &config])).exits(0);
    let _collector = Running::start(Command::new(&collector).args(["--config", &config]));
    wait("the Collector is up", || TcpStream::connect(&at).is_ok());
    push(&format!("http://{at}"));
    let sent = told(&direct.taken());
    assert!(sent.len() > 100, "{}", sent.len());
    wait("it has handed on everything", || {
        told(&behind.taken()).len() >= sent.len()
    });
    let came = told(&behind.taken());
    let differ: Vec<&String> = came.symmetric_difference(&sent).collect();
    assert!(differ.is_empty(), "{differ:#?}");
}
