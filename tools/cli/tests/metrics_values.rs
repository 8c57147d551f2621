//! `eventlog metrics --print`: every value is what another decoder computes from the same log.

use crate::common::{Dir, Done, command, done, eventlog, eventlog_with};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Values by metric, and by attributes as JSON with sorted keys.
type Values = BTreeMap<String, BTreeMap<String, Value>>;

/// The logs of the corpus.
fn corpus() -> Vec<PathBuf> {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../formats/events/corpus");
    let mut logs = Vec::new();
    for folder in [corpus.to_owned(), format!("{corpus}/logs")] {
        let Ok(entries) = std::fs::read_dir(folder) else {
            eprintln!("formats/events/corpus/make.sh has not been run: only the kept logs");
            continue;
        };
        let paths = entries.map(|entry| entry.expect("an entry").path());
        logs.extend(paths.filter(|path| path.extension().is_some_and(|it| it == "eventlog")));
    }
    assert!(logs.len() >= 2, "the kept logs");
    logs.sort();
    logs
}

/// A log that is part of the repository.
fn kept() -> String {
    let log = "/../../formats/events/corpus/9.0.2-hello.eventlog";
    format!("{}{log}", env!("CARGO_MANIFEST_DIR"))
}

/// Python's JSON of sorted keys.
fn key(attributes: &Value) -> String {
    let object = attributes.as_object().expect("attributes");
    let sorted: BTreeMap<&String, &Value> = object.iter().collect();
    let parts = sorted
        .iter()
        .map(|(key, value)| format!("\"{key}\": {value}"));
    format!("{{{}}}", parts.collect::<Vec<_>>().join(", "))
}

fn nanos(seconds: &Value) -> Value {
    let nanos = (seconds.as_f64().expect("seconds") * 1e9).round();
    Value::from(nanos as u64)
}

/// The contents of one line of `--print json`, in the names of the decoder.
fn values(line: &Value) -> Values {
    let mut all = Values::new();
    for metric in line["metrics"].as_array().expect("metrics") {
        let name = metric["name"].as_str().expect("a name").to_owned();
        let of = all.entry(name).or_default();
        for point in metric["points"].as_array().expect("points") {
            let value = &point["value"];
            let value = if value.is_object() {
                assert_eq!(value["scale"], 3);
                let offset = value["offset"].as_i64().expect("an offset");
                let counts = value["bucket_counts"].as_array().expect("counts");
                let buckets = (offset..).zip(counts).filter(|(_, count)| **count != 0);
                let buckets: Vec<Value> = buckets
                    .map(|(at, n)| Value::from(vec![Value::from(at), n.clone()]))
                    .collect();
                serde_json::json!({
                    "count": value["count"],
                    "sum": nanos(&value["sum"]),
                    "zero": value["zero_count"],
                    "buckets": buckets,
                })
            } else if metric["unit"] == "s" {
                nanos(value)
            } else {
                value.clone()
            };
            let before = of.insert(key(&point["attributes"]), value);
            assert_eq!(before, None, "one value for each set of attributes");
        }
    }
    all
}

#[test]
fn every_value_is_what_another_decoder_computes() {
    let decoder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/metrics/decoder.py");
    let mut seen = BTreeMap::new();
    for log in corpus() {
        let path = log.to_str().expect("UTF-8");
        // With a small limit as well, where there are bands or spans: then some are summed up as
        // others.
        let many = ["heap-", "mix.", "ipe."].iter().any(|of| path.contains(of));
        let places = if many { &["50", "3"][..] } else { &["50"] };
        for most in places {
            let python = done(std::process::Command::new("python3").args([decoder, path, most]));
            let expected: Value = serde_json::from_str(&python.exits(0).stdout).expect("JSON");
            let args = ["metrics", path, "--print", "json", "--most", most];
            let told = eventlog(&args).json();
            assert_eq!(told.len(), 1, "the end of {path}");
            let told = &told[0];
            let metrics = expected["metrics"].as_object().expect("metrics");
            let mut ours = values(told);
            for (name, of) in metrics {
                let own = ours
                    .remove(name)
                    .unwrap_or_else(|| panic!("{name} of {path}"));
                let of = of.as_object().expect("values");
                for (attributes, value) in of {
                    assert_eq!(
                        own.get(attributes),
                        Some(value),
                        "{name}{attributes} of {path}"
                    );
                }
                assert_eq!(own.len(), of.len(), "{name} of {path}: {own:?}");
                let counts = own.values().any(|value| match value {
                    Value::Object(histogram) => histogram["count"] != 0,
                    value => *value != 0,
                });
                *seen.entry(name.clone()).or_insert(false) |= counts;
            }
            assert!(ours.is_empty(), "more than there is, of {path}: {ours:?}");
            resource(told, &expected["resource"], path);
        }
    }
    if corpus().len() > 40 {
        let never = |name: &&String| !seen[*name];
        let never: Vec<&String> = seen.keys().filter(never).collect();
        // The corpus has no losses, limits or parallel collections that were balanced.
        let lost = [
            "ghc.eventlog.lost",
            "ghc.eventlog.lost_chunks",
            "ghc.memory.returned",
        ];
        let never: Vec<_> = never
            .into_iter()
            .filter(|it| !lost.contains(&it.as_str()))
            .collect();
        assert!(never.len() <= 1, "the corpus shows nothing of {never:?}");
    }
}

/// The resource describes the program of the log.
fn resource(told: &Value, expected: &Value, path: &str) {
    let own = &told["resource"];
    assert_eq!(own["process.pid"], expected["pid"], "{path}");
    assert_eq!(own["process.parent_pid"], expected["ppid"], "{path}");
    if let Some(name) = expected["name"].as_str() {
        assert_eq!(own["process.executable.name"], name, "{path}");
        assert_eq!(own["service.name"], name, "{path}");
    }
    if let Some(rts) = expected["rts"].as_str() {
        let words = ["process.runtime.version", "ghc.rts.way"].map(|key| own[key].as_str());
        let words = words.map(Option::unwrap_or_default);
        assert_eq!(format!("GHC-{} {}", words[0], words[1]), rts, "{path}");
    }
    let told_time = told["time"].as_str();
    assert!(
        told_time.is_some_and(|time| time.ends_with('Z')),
        "{path}: {told}"
    );
}

/// What is exported of a program that sends this log, as fast as it is read.
fn watched(log: &Path) -> Done {
    let dir = Dir::new();
    let socket = dir.file("app.sock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let source = format!("unix:{socket}");
    let child = command()
        .args(["metrics", &source, "--print", "json", "--interval", "2ms"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut client = listener.accept().expect("a client").0;
    let bytes = std::fs::read(log).expect("a log");
    // The program may not read on before its output is read.
    let feeder = std::thread::spawn(move || {
        for piece in bytes.chunks(7_001) {
            client.write_all(piece).expect("it reads");
        }
    });
    let finished = crate::common::finished(child.wait_with_output().expect("it ends"));
    feeder.join().expect("all of it was written");
    finished.exits(0)
}

#[test]
fn a_file_gives_the_series_that_the_live_run_gave() {
    for log in corpus() {
        let name = log
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if ![
            "mix.eventlog",
            "heap-T.eventlog",
            "caps.eventlog",
            "messages.eventlog",
        ]
        .iter()
        .any(|of| name.ends_with(of))
        {
            continue;
        }
        let path = log.to_str().expect("UTF-8");
        let file = eventlog(&["metrics", path, "--print", "json", "--interval", "2ms"]).exits(0);
        // What has been received by then depends on how it arrived; the source differs, too.
        let same = |line: &Value| {
            let mut values = values(line);
            values.remove("ghc.eventlog.received");
            (line["time_ns"].clone(), values)
        };
        let file: Vec<_> = file.json().iter().map(same).collect();
        assert!(file.len() > 3, "{path}: {} moments", file.len());
        let mut live = Vec::new();
        // If a busy machine stops one of the two for longer than events wait for others (2 s), the
        // program passes them on as they are.
        for _ in 0..5 {
            live = watched(&log).json().iter().map(same).collect();
            if live == file {
                break;
            }
        }
        assert_eq!(file, live, "{path}");
        let times: Vec<u64> = file.iter().filter_map(|(time, _)| time.as_u64()).collect();
        assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
        let (_, but_last) = times.split_last().expect("moments");
        assert!(
            but_last.iter().all(|time| time % 2_000_000 == 0),
            "{times:?}"
        );
    }
}

#[test]
fn counters_never_go_back() {
    for log in corpus() {
        let path = log.to_str().expect("UTF-8");
        if !["mix", "caps", "killed", "nonmoving", "flush"]
            .iter()
            .any(|of| path.contains(of))
        {
            continue;
        }
        let long = std::fs::metadata(&log).expect("a log").len() > 1_000_000;
        let interval = if long { "50ms" } else { "2ms" };
        let lines = eventlog(&["metrics", path, "--print", "json", "--interval", interval]).json();
        let mut before: BTreeMap<(String, String), f64> = BTreeMap::new();
        for line in &lines {
            for metric in line["metrics"].as_array().expect("metrics") {
                let value = match metric["kind"].as_str() {
                    Some("counter") => |value: &Value| value.as_f64(),
                    Some("histogram") => |value: &Value| value["count"].as_f64(),
                    _ => continue,
                };
                for point in metric["points"].as_array().expect("points") {
                    let name = metric["name"].to_string();
                    let now = value(&point["value"]).expect("a number");
                    let key = (name, key(&point["attributes"]));
                    if let Some(before) = before.insert(key.clone(), now) {
                        assert!(now >= before, "{path}: {key:?} went from {before} to {now}");
                    }
                }
            }
        }
    }
}

#[test]
fn text_is_what_the_formats_demand() {
    let log = kept();
    let text = eventlog(&["metrics", &log, "--print", "prometheus"]).exits(0);
    assert!(
        text.stdout
            .contains("# TYPE ghc_heap_allocated_bytes_total counter\n")
    );
    assert!(
        text.stdout
            .contains("# TYPE ghc_gc_pause_duration_seconds histogram\n")
    );
    assert!(
        text.stdout.contains("le=\"9.5367431640625e-07\"}"),
        "{}",
        text.stdout
    );
    assert!(text.stdout.contains("le=\"+Inf\"}"));
    assert!(text.stdout.contains("\ntarget_info{job=\""));
    let open = eventlog(&["metrics", &log, "--print", "openmetrics"]).exits(0);
    assert!(
        open.stdout
            .contains("# TYPE ghc_heap_allocated_bytes counter\n")
    );
    assert!(
        open.stdout
            .contains("# UNIT ghc_heap_allocated_bytes bytes\n")
    );
    assert!(open.stdout.contains("\nghc_heap_allocated_bytes_total{"));
    assert!(open.stdout.contains("le=\"64.0\"}"));
    assert!(open.stdout.ends_with("# EOF\n"));
    // The same values in both.
    let values = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let lines = lines.filter(|line| !line.contains("_bucket{"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(values(&text.stdout), values(&open.stdout));
}

#[test]
fn names_and_resource_are_those_that_the_user_wants() {
    let log = kept();
    let args = [
        "metrics",
        &log,
        "--print",
        "prometheus",
        "--names",
        "eventlog-live",
    ];
    let told = done(command().args(args).env("OTEL_SERVICE_NAME", "shop").env(
        "OTEL_RESOURCE_ATTRIBUTES",
        "service.namespace=market,host.name=h%31,service.name=no",
    ));
    let told = told.exits(0).stdout;
    assert!(
        told.contains("ghc_eventlog_HeapSize_bytes{job=\"market/shop\""),
        "{told}"
    );
    assert!(told.contains("host_name=\"h1\""), "{told}");
    assert!(!told.contains("ghc_heap_size_bytes"));
    let wrong = done(
        command()
            .args(["metrics", &log, "--print", "json"])
            .env("OTEL_RESOURCE_ATTRIBUTES", "novalue"),
    );
    wrong.exits(2).says("OTEL_RESOURCE_ATTRIBUTES");
}

#[test]
fn what_is_no_log_is_an_error() {
    eventlog_with(&["metrics", "-", "--print", "json"], b"").exits(1);
    eventlog_with(
        &["metrics", "-", "--print", "json"],
        b"nonsense that is longer than a header",
    )
    .exits(1);
    eventlog(&[
        "metrics",
        "/nonexistent/log",
        "--print",
        "json",
        "--wait",
        "0s",
    ])
    .exits(3);
    eventlog(&["metrics", "x.eventlog"])
        .exits(2)
        .says("--print");
}
