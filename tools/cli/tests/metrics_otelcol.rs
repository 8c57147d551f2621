//! What a real OpenTelemetry Collector passes on of what is pushed.
//!
//! `EVENTLOG_OTELCOL` is its program: one with the receiver `otlp` and the exporters `debug` and
//! `otlphttp`, which all distributions have. If it is not set, the test is skipped.

use crate::common::{Dir, done, eventlog};
use crate::counterparts::{Running, port, program, wait};
use crate::receiver::{Receiver, Reply, Seen};
use std::collections::BTreeSet;
use std::net::TcpStream;
use std::process::Command;

fn log() -> String {
    let log = "/../../formats/events/corpus/9.0.2-hello.eventlog";
    format!("{}{log}", env!("CARGO_MANIFEST_DIR"))
}

/// What distinguishes data points, records and spans.
fn told(seen: &[Seen]) -> BTreeSet<String> {
    let mut told = BTreeSet::new();
    let array = |value: &serde_json::Value, key: &str| value[key].as_array().cloned();
    for of in seen {
        for (name, point) in of.points() {
            told.insert(format!("{name} {point}"));
        }
        for (resource, scope, items) in [
            ("resourceLogs", "scopeLogs", "logRecords"),
            ("resourceSpans", "scopeSpans", "spans"),
        ] {
            for it in array(&of.message, resource).into_iter().flatten() {
                for it in array(&it, scope).into_iter().flatten() {
                    let items = array(&it, items).into_iter().flatten();
                    told.extend(items.map(|it| it.to_string()));
                }
            }
        }
    }
    told
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
    assert_eq!(told(&behind.taken()), sent);
}
