//! The shipped dashboards and configurations use only metrics that exist.

use eventlog_metrics::OWN;
use eventlog_metrics::table::{Kind, METRICS, prometheus_word};
use saphyr::{LoadableYamlNode, Yaml};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    let path = repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// The series that there are, and the labels of each.
fn series() -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for metric in METRICS.iter().chain(OWN) {
        let labels = ["job", "instance"].into_iter().map(str::to_owned);
        let own = metric.attributes.iter().map(|name| prometheus_word(name));
        let mut labels: BTreeSet<String> = labels.chain(own).collect();
        let name = metric.prometheus_name();
        if metric.kind == Kind::Histogram {
            all.insert(format!("{name}_sum"), labels.clone());
            all.insert(format!("{name}_count"), labels.clone());
            labels.insert("le".to_owned());
            all.insert(format!("{name}_bucket"), labels);
        } else {
            all.insert(name, labels);
        }
    }
    let common = ["job", "instance", "process_runtime_name"].map(str::to_owned);
    all.insert("target_info".to_owned(), common.into());
    all.insert(
        "up".to_owned(),
        ["job", "instance"].map(str::to_owned).into(),
    );
    all
}

const FUNCTIONS: [&str; 10] = [
    "rate",
    "increase",
    "sum",
    "count",
    "histogram_quantile",
    "deriv",
    "predict_linear",
    "label_values",
    "by",
    "and",
];

/// The metrics and labels of an expression: the words that are neither functions nor in quotes.
/// Labels are in braces, or in the parentheses after `by`.
fn words(expression: &str) -> (Vec<String>, Vec<String>) {
    let (mut metrics, mut labels) = (Vec::new(), Vec::new());
    let mut rest = expression;
    let (mut braces, mut by) = (false, false);
    let mut last = String::new();
    while let Some(c) = rest.chars().next() {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if c == '"' {
            let end = rest[1..].find('"').expect("the end of a text") + 2;
            rest = &rest[end..];
            continue;
        }
        if c == '[' {
            let end = rest.find(']').expect("the end of a window") + 1;
            rest = &rest[end..];
            continue;
        }
        if word(c) {
            let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
            last = rest[..end].to_owned();
            rest = &rest[end..];
            let number = last.starts_with(|c: char| c.is_ascii_digit());
            if braces || by {
                labels.push(last.clone());
            } else if !number && last != "or" && !FUNCTIONS.contains(&&*last) {
                metrics.push(last.clone());
            }
            continue;
        }
        match c {
            '{' => braces = true,
            '}' => braces = false,
            '(' => by = last == "by",
            ')' => by = false,
            _ => {}
        }
        if !c.is_whitespace() {
            last.clear();
        }
        rest = &rest[c.len_utf8()..];
    }
    (metrics, labels)
}

/// Checks that each metric exists and has each label. Returns the metrics.
#[track_caller]
fn check(expression: &str) -> Vec<String> {
    let all = series();
    let (metrics, labels) = words(expression);
    assert!(!metrics.is_empty(), "{expression}");
    for label in labels {
        let has = |metric: &String| {
            let labels = all.get(metric);
            let labels = labels.unwrap_or_else(|| panic!("{metric} is no metric: {expression}"));
            labels.contains(&label)
        };
        assert!(
            metrics.iter().any(has),
            "none has the label {label}: {expression}"
        );
    }
    for metric in &metrics {
        assert!(
            all.contains_key(metric),
            "{metric} is no metric: {expression}"
        );
    }
    metrics
}

#[test]
fn expressions_are_understood() {
    let (metrics, labels) =
        words("sum by (le, a_b) (rate(x_bucket{job=~\"$job\"}[5m])) / y > 10 or z{i=\"by (q)\"}");
    assert_eq!(metrics, ["x_bucket", "y", "z"]);
    assert_eq!(labels, ["le", "a_b", "job", "i"]);
    let wrong = [
        "ghc_heap_sise_bytes > 1",
        "sum by (ghc_gc_generatoin) (ghc_gc_collections_total)",
    ];
    for wrong in wrong {
        assert!(
            std::panic::catch_unwind(|| check(wrong)).is_err(),
            "{wrong}"
        );
    }
}

#[test]
fn the_dashboard_asks_for_metrics_that_there_are() {
    let dashboard: serde_json::Value =
        serde_json::from_str(&read("dashboards/haskell.json")).expect("JSON");
    let mut asked = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        assert!(
            ids.insert(panel["id"].as_u64().expect("a number")),
            "{panel}"
        );
        for target in panel["targets"].as_array().into_iter().flatten() {
            asked.extend(check(target["expr"].as_str().expect("an expression")));
            assert_eq!(target["datasource"]["uid"], "${datasource}");
        }
    }
    for variable in dashboard["templating"]["list"]
        .as_array()
        .expect("variables")
    {
        if let Some(query) = variable["query"]["query"].as_str() {
            let query = query
                .strip_prefix("label_values(")
                .and_then(|it| it.strip_suffix(')'));
            let (metric, label) = query
                .and_then(|it| it.rsplit_once(", "))
                .expect("label_values(METRIC, LABEL)");
            check(metric);
            assert!(["job", "instance"].contains(&label));
        }
    }
    // Every metric is shown.
    for metric in METRICS.iter().chain(OWN) {
        let name = metric.prometheus_name();
        let shown = asked.iter().any(|it| it.starts_with(&name));
        assert!(shown, "no panel shows {name}");
    }
}

#[test]
fn the_dashboard_is_what_its_maker_makes() {
    let maker = repository().join("dashboards/make.py");
    let done = Command::new("python3").arg(maker).arg("--check").output();
    let done = done.expect("Python runs");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

fn yaml(path: &str) -> Vec<Yaml<'static>> {
    let text: &'static str = read(path).leak();
    let documents = Yaml::load_from_str(text);
    documents.unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn alerts_are_about_metrics_that_there_are() {
    let documents = yaml("deploy/prometheus/alerts.yml");
    let groups = documents[0]["groups"].as_sequence().expect("groups");
    let mut names = BTreeSet::new();
    for rule in groups
        .iter()
        .flat_map(|group| group["rules"].as_sequence().expect("rules"))
    {
        let name = rule["alert"].as_str().expect("a name");
        assert!(names.insert(name), "{name} is there twice");
        check(rule["expr"].as_str().expect("an expression"));
        assert!(rule["annotations"]["summary"].as_str().is_some(), "{name}");
        let severity = rule["labels"]["severity"].as_str();
        assert!(
            severity.is_some_and(|it| ["warning", "critical"].contains(&it)),
            "{name}"
        );
    }
    assert!(names.len() >= 10);
}

#[test]
fn what_is_deployed_names_files_that_there_are() {
    for path in [
        "deploy/prometheus/prometheus.yml",
        "deploy/prometheus/prometheus-sd.yml",
        "deploy/otelcol/otelcol.yaml",
        "deploy/kubernetes/sidecar.yaml",
        "deploy/grafana/provisioning/datasources/prometheus.yml",
        "deploy/grafana/provisioning/dashboards/haskell.yml",
        "deploy/compose/prometheus.yml",
    ] {
        assert_eq!(yaml(path).len(), 1, "{path}");
    }
    let compose = yaml("deploy/compose/compose.yaml");
    let services = compose[0]["services"].as_mapping().expect("services");
    assert_eq!(services.len(), 4);
    let dockerfile = read("deploy/Dockerfile");
    for (name, service) in services {
        if let Some(target) = service
            .as_mapping_get("build")
            .and_then(|it| it["target"].as_str())
        {
            let stage = format!(" AS {target}\n");
            assert!(dockerfile.contains(&stage), "{name:?}: no stage {target}");
        }
        let volumes = service
            .as_mapping_get("volumes")
            .and_then(|it| it.as_sequence());
        for volume in volumes.into_iter().flatten() {
            let from = volume
                .as_str()
                .and_then(|it| it.split(':').next())
                .expect("a volume");
            if from.starts_with('.') {
                let path = repository().join("deploy/compose").join(from);
                assert!(path.exists(), "{path:?}");
            }
        }
    }
    // The two configurations differ in addresses only.
    let here = read("deploy/prometheus/prometheus.yml").replace("127.0.0.1:9464", "metrics:9464");
    let here = here.replace("15s", "5s");
    let there = read("deploy/compose/prometheus.yml");
    let rest = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(rest(&here), rest(&there));
}

#[test]
fn the_unit_is_one() {
    let unit = read("deploy/systemd/eventlog-metrics.service");
    let dir = tempdir();
    let path = dir.join("eventlog-metrics.service");
    // It checks that the program exists, which need not be installed here.
    let program = std::env::current_exe().expect("this test");
    let program = program.to_str().expect("UTF-8");
    assert!(unit.contains("/usr/bin/eventlog metrics "));
    std::fs::write(&path, unit.replace("/usr/bin/eventlog", program)).expect("a file");
    let verify = Command::new("systemd-analyze")
        .args(["--user", "verify"])
        .arg(&path)
        .env("XDG_RUNTIME_DIR", &dir)
        .output();
    let Ok(done) = verify else {
        eprintln!("no systemd-analyze: skipped");
        return;
    };
    std::fs::remove_dir_all(&dir).expect("it is ours");
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{told}");
    // Unknown settings are only warnings.
    assert!(!told.contains("eventlog-metrics.service"), "{told}");
}

fn tempdir() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("deploy-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    dir
}
