//! `eventlog metrics --config`, and the names of eventlog-live.

use crate::common::{Dir, done, eventlog};
use crate::receiver::{Receiver, Reply};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

fn log() -> String {
    let log = "/../../formats/events/corpus/9.0.2-hello.eventlog";
    format!("{}{log}", env!("CARGO_MANIFEST_DIR"))
}

/// The names in what is printed in OpenTelemetry's form: metrics, log records, spans.
fn told(args: &[&str]) -> [BTreeSet<String>; 3] {
    let log = log();
    let args = [&["metrics", &log, "--print", "otlp-json"], args].concat();
    let mut names = [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()];
    let of = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    for line in eventlog(&args).exits(0).json() {
        let keys = [
            ("resourceMetrics", "scopeMetrics", "metrics", "name"),
            ("resourceLogs", "scopeLogs", "logRecords", "eventName"),
            ("resourceSpans", "scopeSpans", "spans", "name"),
        ];
        for (names, (resource, scope, items, name)) in names.iter_mut().zip(keys) {
            for it in of(&line, resource) {
                for it in of(&it, scope) {
                    let items = of(&it, items).into_iter();
                    names.extend(items.map(|it| it[name].as_str().expect("a name").to_owned()));
                }
            }
        }
    }
    names
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_configuration_says_what_is_told_and_under_which_names() {
    let dir = Dir::new();
    let config = "
defaults: &often
  export: 10s
processors:
  metrics:
    heap_size:
      <<: *often
      name: shop_heap
      description: How large the heap is.
    heap_allocated: {}
    heap_live: {export: false}
  logs:
    user_message: {name: said}
  traces:
    thread_state: {export: 1s}
";
    let config = dir.with("config.yaml", config.as_bytes());
    let [metrics, logs, spans] = told(&["--config", &config]);
    assert_eq!(metrics, set(&["shop_heap", "ghc_eventlog_HeapAllocated"]));
    assert!(logs.is_subset(&set(&["said"])), "{logs:?}");
    assert!(
        spans.contains("ghc_eventlog_ThreadState Running"),
        "{spans:?}"
    );
    assert!(
        spans
            .iter()
            .all(|it| it.starts_with("ghc_eventlog_ThreadState ")),
        "{spans:?}"
    );
    let text = eventlog(&[
        "metrics",
        &log(),
        "--print",
        "prometheus",
        "--config",
        &config,
    ]);
    let text = text.exits(0).stdout;
    assert!(
        text.contains("# HELP shop_heap_bytes How large the heap is.\n"),
        "{text}"
    );
    // What was read is what is printed, and read again.
    let printed = eventlog(&["metrics", "--print-config", "--config", &config])
        .exits(0)
        .stdout;
    assert!(printed.contains("name: \"shop_heap\""), "{printed}");
    let again = dir.with("again.yaml", printed.as_bytes());
    let twice = eventlog(&["metrics", "--print-config", "--config", &again])
        .exits(0)
        .stdout;
    assert_eq!(printed, twice);
}

#[test]
fn without_one_its_names_are_those_of_eventlog_live() {
    let names = ["--names", "eventlog-live"];
    let [metrics, _, spans] = told(&names);
    assert!(metrics.contains("ghc_eventlog_HeapSize"), "{metrics:?}");
    assert!(
        metrics.iter().all(|it| it.starts_with("ghc_eventlog_")),
        "{metrics:?}"
    );
    assert!(spans.is_empty(), "{spans:?}");
    let [_, _, spans] = told(&["--names", "eventlog-live", "--threads"]);
    let mutator = "ghc_eventlog_CapabilityUsage Mutator";
    assert!(spans.contains(mutator), "{spans:?}");
    assert!(
        spans.contains("ghc_eventlog_ThreadState Running"),
        "{spans:?}"
    );
    // What is pushed has the same names.
    let receiver = Receiver::new(|_| Reply::status(200));
    let log = log();
    let args = [
        &[
            "metrics",
            &log,
            "--otlp",
            &receiver.url,
            "--signals",
            "metrics",
        ],
        &names[..],
    ];
    eventlog(&args.concat()).exits(0);
    let pushed: BTreeSet<String> = receiver
        .taken()
        .iter()
        .flat_map(|seen| seen.points())
        .map(|(name, _)| name)
        .collect();
    assert_eq!(pushed, metrics);
}

#[test]
fn what_is_not_known_is_an_error_with_its_line() {
    let dir = Dir::new();
    let config = dir.with("c.yaml", b"processors:\n  metrics:\n    heap_sise: {}\n");
    for more in [&["--print", "json"][..], &["--print-config"]] {
        let log = log();
        eventlog(&[&["metrics", &log, "--config", &config], more].concat())
            .exits(2)
            .says("line 3: processors.metrics.heap_sise: unknown key; there are blocks_size");
    }
    let nothing = dir.file("nothing.yaml");
    eventlog(&["metrics", "--print-config", "--config", &nothing])
        .exits(3)
        .says(&nothing);
    let log = log();
    let both = [
        "metrics",
        &log,
        "--print",
        "json",
        "--config",
        &config,
        "--names",
        "opentelemetry",
    ];
    eventlog(&both).exits(2).says("--config is for");
    let profiles = "processors: {profiles: {call_stack_profile: {export: 30s}}}";
    let profiles = dir.with("p.yaml", profiles.as_bytes());
    eventlog(&["metrics", &log, "--print", "json", "--config", &profiles])
        .exits(0)
        .says("processors.profiles.call_stack_profile is left out");
}

/// Reads YAML and a schema, and prints for each file whether the schema allows it.
const CHECK: &str = r#"
import json, sys
try:
    import jsonschema, yaml
except ImportError:
    sys.exit(77)
with open(sys.argv[1]) as file:
    schema = json.load(file)
jsonschema.Draft202012Validator.check_schema(schema)
check = jsonschema.Draft202012Validator(schema)
for path in sys.argv[2:]:
    with open(path) as file:
        print("allowed" if check.is_valid(yaml.safe_load(file)) else "refused")
"#;

#[test]
fn the_schema_allows_what_is_read_and_refuses_what_is_not() {
    let dir = Dir::new();
    let schema = eventlog(&["metrics", "--print-config-json-schema"])
        .exits(0)
        .stdout;
    let schema = dir.with("schema.json", schema.as_bytes());
    let default = eventlog(&["metrics", "--print-config"]).exits(0).stdout;
    let texts = [
        default.as_str(),
        "defaults: &a {export: 5x}\nprocessors: {metrics: {heap_size: *a}}",
        "processors: {logs: {user_marker: {export: true}}}",
        "processors:\n  metrics:\n    heap_size:\n",
        "processors: {metrics: {heap_sise: {}}}",
        "processors: {logs: {user_marker: {aggregate: 1s}}}",
        "processors: {metrics: {heap_size: {export: 30}}}",
        "processors: {metrics: {heap_size: {export: 1.s}}}",
        "processors: {metrics: {heap_size: {name: 5}}}",
        "processors: {metrics: {heap_size: {name: ''}}}",
        "processors: [1]",
        "other: {}",
    ];
    let paths: Vec<String> = (0..)
        .zip(texts)
        .map(|(number, text)| dir.with(&format!("{number}.yaml"), text.as_bytes()))
        .collect();
    let mut python = Command::new("python3");
    let python = done(python.args(["-c", CHECK, &schema]).args(&paths));
    if python.code == 77 {
        eprintln!("Python has no jsonschema: skipped");
        return;
    }
    let verdicts: Vec<String> = python.exits(0).stdout.lines().map(str::to_owned).collect();
    assert_eq!(verdicts.len(), texts.len());
    for ((path, text), verdict) in paths.iter().zip(texts).zip(&verdicts) {
        let read = eventlog(&["metrics", "--print-config", "--config", path]);
        let ours = match read.code {
            0 => "allowed",
            _ => "refused",
        };
        assert_eq!(ours, verdict, "{text}");
    }
    assert!(verdicts.iter().filter(|it| *it == "allowed").count() >= 4);
}
