//! The dashboard and the alerts, evaluated by a real Prometheus that has scraped real programs.
//!
//! `EVENTLOG_PROMETHEUS` is its program (`scripts/counterparts` gets it). If it is not set, the
//! tests are skipped.

use crate::common::{Dir, wait_until};
use crate::counterparts::{Running, get, port, program, query, wait};
use crate::found::Machine;
use crate::grafana::Dashboard;
use crate::receiver::{Receiver, Reply, SilentPort};
use crate::scraping::Server;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

fn shipped(name: &str) -> String {
    let path = format!("{}/../../{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The expressions of all panels, with the panel's title.
fn expressions() -> Vec<(String, String)> {
    let dashboard: Dashboard =
        serde_json::from_str(&shipped("dashboards/haskell.json")).expect("a dashboard");
    let mut all = Vec::new();
    for panel in &dashboard.panels {
        for target in panel.targets() {
            let expr = target
                .expr
                .replace("$__rate_interval", "10s")
                .replace("$job", ".+")
                .replace("$instance", ".+");
            all.push((panel.title().to_owned(), expr));
        }
    }
    assert!(all.len() > 50, "{}", all.len());
    all
}

/// Prometheus with a shipped configuration, for that exporter.
fn start(prometheus: &str, dir: &Dir, config: &str, exporter: &str) -> (Running, String) {
    let text = shipped(&format!("deploy/prometheus/{config}"))
        .replace("127.0.0.1:9464", exporter)
        .replace("15s", "1s");
    assert!(text.contains(exporter), "{text}");
    let path = dir.with(config, text.as_bytes());
    if !Path::new(&dir.file("alerts.yml")).exists() {
        dir.with(
            "alerts.yml",
            shipped("deploy/prometheus/alerts.yml").as_bytes(),
        );
    }
    let at = port();
    let running = Running::start(Command::new(prometheus).args([
        format!("--config.file={path}"),
        format!(
            "--storage.tsdb.path={}",
            dir.file(&format!("{config}.data"))
        ),
        format!("--web.listen-address={at}"),
    ]));
    wait("Prometheus is up", || get(&at, "/-/ready").is_some());
    (running, at)
}

fn api(at: &str, path: &str) -> Value {
    let body = get(at, path).unwrap_or_else(|| panic!("no answer to {path}"));
    serde_json::from_str::<Value>(&body).expect("JSON")["data"].take()
}

/// The names of the alerts that are shipped.
fn alerts() -> BTreeSet<String> {
    let text = shipped("deploy/prometheus/alerts.yml");
    let names = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    names.map(str::to_owned).collect()
}

#[test]
fn every_expression_of_the_dashboard_returns_data() {
    let Some(prometheus) = program("EVENTLOG_PROMETHEUS") else {
        return;
    };
    let corpus = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../formats/events/corpus/logs"
    );
    let log = format!("{corpus}/9.10.3-mix-all.eventlog");
    if !Path::new(&log).exists() {
        eprintln!("skipped: formats/events/corpus/make.sh has not been run");
        return;
    }
    let machine = Machine::new();
    // With a limit of the heap, and a profile of it.
    let Some(running) = machine.program_with(&[("GHCRTS", "-M1g -hT -i0.1")]) else {
        return;
    };
    let receiver = Receiver::new(|_| Reply::status(200));
    let server = Server::run(&mut machine.command(&[
        "metrics",
        &running.name(),
        &log,
        "--prometheus",
        "127.0.0.1:0",
        "--otlp",
        &receiver.url,
        "--interval",
        "1s",
    ]));
    wait_until("it is read", || server.ask("GET /-/ready").0 == 200);
    let dir = Dir::new();
    let (_prometheus, at) = start(&prometheus, &dir, "prometheus.yml", &server.address);
    let mut left = expressions();
    let began = Instant::now();
    while !left.is_empty() {
        left.retain(|(_, expr)| query(&at, None, expr).is_empty());
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "these return nothing: {left:#?}"
        );
        std::thread::sleep(Duration::from_millis(500));
    }
    // Each program under its own name.
    let pid = running.pid().to_string();
    let info = query(
        &at,
        None,
        &format!("target_info{{job=\"numbers\", process_pid=\"{pid}\"}}"),
    );
    assert_eq!(info.len(), 1, "{info:?}");
    // The alerts are loaded, and none of them is an error.
    let rules = api(&at, "/api/v1/rules");
    let groups = rules["groups"].as_array().expect("groups").iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().expect("rules"));
    let rules: Vec<&Value> = rules.collect();
    let names = rules
        .iter()
        .map(|rule| rule["name"].as_str().expect("a name").to_owned());
    assert_eq!(names.collect::<BTreeSet<_>>(), alerts());
    wait("all rules are evaluated", || {
        let rules = api(&at, "/api/v1/rules").to_string();
        rules.matches("\"health\":\"ok\"").count() == alerts().len()
    });

    // As separate targets.
    let dir = Dir::new();
    let (_prometheus, at) = start(&prometheus, &dir, "prometheus-sd.yml", &server.address);
    wait("the program is scraped", || {
        let of = format!(
            "ghc_user_messages_total{{job=\"numbers\"}} and on (instance) target_info{{process_pid=\"{pid}\"}}"
        );
        query(&at, None, &of).len() == 1
    });
    wait("the exporter is scraped", || {
        !query(&at, None, "eventlog_exporter_programs{job=\"eventlog\"}").is_empty()
    });
    let twice = "count by (__name__, instance, job) ({__name__=~\"ghc_heap_size_bytes\"}) > 1";
    assert!(query(&at, None, twice).is_empty());
}

/// A page on which every value is bad enough for an alert, and gets worse each second.
fn bad(seconds: u64) -> String {
    let of = "{job=\"a\",instance=\"1\"";
    let mut page = format!(
        "ghc_gc_pause_duration_seconds_sum{of}}} {half}\n\
         ghc_heap_live_bytes{of}}} {live}\n\
         ghc_heap_limit_bytes{of}}} 1000\n\
         ghc_thread_count{of},ghc_thread_state=\"blocked\"}} {threads}\n\
         ghc_eventlog_lost_bytes_total{of},ghc_eventlog_loss_source=\"program\"}} {seconds}\n\
         ghc_eventlog_lag_seconds{of}}} 100\n\
         ghc_eventlog_connection_count{of}}} 1\n\
         ghc_eventlog_connection_count{{job=\"a\",instance=\"2\"}} 0\n\
         eventlog_exporter_dropped_total{{job=\"eventlog\",instance=\"x\"}} {seconds}\n\
         eventlog_exporter_queue_size_bytes{{job=\"eventlog\",instance=\"x\"}} 60\n\
         eventlog_exporter_queue_limit_bytes{{job=\"eventlog\",instance=\"x\"}} 64\n",
        half = seconds as f64 / 2.0,
        live = 900 + seconds,
        threads = 20_000 + seconds,
    );
    for name in [
        "ghc_gc_pause_duration_seconds",
        "ghc_thread_schedule_duration_seconds",
    ] {
        for (le, count) in [("0.5", 0), ("1", seconds), ("+Inf", seconds)] {
            page.push_str(&format!("{name}_bucket{of},le=\"{le}\"}} {count}\n"));
        }
    }
    page
}

#[test]
fn every_alert_can_fire() {
    let Some(prometheus) = program("EVENTLOG_PROMETHEUS") else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let page = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        let began = Instant::now();
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let body = bad(began.elapsed().as_secs());
            let length = body.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n\
                 Content-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    let dir = Dir::new();
    // The same alerts, without their waiting times.
    let mut rules = String::new();
    for line in shipped("deploy/prometheus/alerts.yml").lines() {
        if line.trim().starts_with("for: ") {
            continue;
        }
        let mut line = line.to_owned();
        for window in ["[5m]", "[10m]", "[15m]", "[1h]"] {
            line = line.replace(window, "[10s]");
        }
        rules.push_str(&line);
        rules.push('\n');
    }
    let rules = rules.replace("rules:", "interval: 1s\n    rules:");
    dir.with("alerts.yml", rules.as_bytes());
    // One of the exporters is not there.
    let silent = SilentPort::new();
    let both = format!("{page}, {}", silent.address);
    let (_prometheus, at) = start(&prometheus, &dir, "prometheus.yml", &both);
    let mut firing = BTreeSet::new();
    let began = Instant::now();
    while firing != alerts() {
        let told = api(&at, "/api/v1/alerts");
        let told = told["alerts"].as_array().expect("alerts").iter();
        let told = told.filter(|alert| alert["state"] == "firing");
        firing.extend(told.map(|alert| {
            let annotations = &alert["annotations"];
            let summary = annotations["summary"].as_str().expect("a summary");
            assert!(!summary.contains("error expanding template"), "{alert}");
            assert!(!summary.contains("<no value>"), "{alert}");
            alert["labels"]["alertname"]
                .as_str()
                .expect("a name")
                .to_owned()
        }));
        let missing: Vec<String> = alerts().difference(&firing).cloned().collect();
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "these do not fire: {missing:?}"
        );
        std::thread::sleep(Duration::from_millis(500));
    }
}
