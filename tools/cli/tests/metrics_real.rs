//! What Prometheus and VictoriaMetrics make of the metrics.
//!
//! `EVENTLOG_PROMETHEUS` and `EVENTLOG_VICTORIA_METRICS` are their programs (`scripts/counterparts`
//! gets them). If they are not set, the test is skipped.

use crate::common::{Dir, command, done};
use crate::counterparts::{Running, get, one, port, program, query, wait};
use crate::scraping::Server;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// A log with collections, threads and spans; one that is part of the repository if the others are
/// not made.
fn log() -> String {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../formats/events/corpus");
    let made = format!("{corpus}/logs/9.10.3-mix.eventlog");
    match std::path::Path::new(&made).exists() {
        true => made,
        false => format!("{corpus}/9.0.2-hello.eventlog"),
    }
}

const VIAS: [(&str, &str); 3] = [
    ("text", "PrometheusText0.0.4"),
    ("openmetrics", "OpenMetricsText1.0.0"),
    ("protobuf", "PrometheusProto"),
];

#[test]
fn all_ways_lead_to_the_same_values() {
    let (Some(prometheus), Some(victoria)) = (
        program("EVENTLOG_PROMETHEUS"),
        program("EVENTLOG_VICTORIA_METRICS"),
    ) else {
        eprintln!("skipped: EVENTLOG_PROMETHEUS and EVENTLOG_VICTORIA_METRICS are not set");
        return;
    };
    let dir = Dir::new();
    let log = log();
    let server = Server::start(&[&log]);
    let at = &server.address;
    let mut config =
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n".to_owned();
    for (via, protocol) in VIAS {
        config.push_str(&format!(
            "- {{job_name: {via}, honor_labels: true, scrape_protocols: [{protocol}], \
             static_configs: [{{targets: ['{at}']}}], \
             metric_relabel_configs: [{{target_label: via, replacement: {via}}}]}}\n"
        ));
    }
    // As it is deployed with /sd: the labels are those of the discovery.
    config.push_str(&format!(
        "- {{job_name: sd, scrape_protocols: [PrometheusText0.0.4], http_sd_configs: [{{url: 'http://{at}/sd', refresh_interval: 1s}}], \
         metric_relabel_configs: [{{target_label: via, replacement: sd}}]}}\n"
    ));
    let config = dir.with("prometheus.yml", config.as_bytes());
    let prometheus_at = port();
    let _prometheus = Running::start(Command::new(prometheus).args([
        format!("--config.file={config}"),
        format!("--storage.tsdb.path={}", dir.file("prometheus")),
        format!("--web.listen-address={prometheus_at}"),
        "--enable-feature=native-histograms".to_owned(),
    ]));
    let victoria_at = port();
    let _victoria = Running::start(Command::new(victoria).args([
        format!("-storageDataPath={}", dir.file("victoria")),
        format!("-httpListenAddr={victoria_at}"),
        "-opentelemetry.usePrometheusNaming".to_owned(),
        "-retentionPeriod=100y".to_owned(),
    ]));
    wait("VictoriaMetrics is up", || {
        get(&victoria_at, "/health").is_some()
    });
    let url = format!("http://{victoria_at}/opentelemetry");
    let args = [
        "metrics",
        &log,
        "--otlp",
        &url,
        "--signals",
        "metrics",
        "--interval",
        "1h",
    ];
    done(command().args(args)).exits(0);
    get(&victoria_at, "/internal/force_flush");

    wait("Prometheus has scraped each way", || {
        get(&prometheus_at, "/-/ready").is_some()
            && query(&prometheus_at, None, "count by (via) (ghc_heap_size_bytes)").len() == 4
    });
    // What was pushed has the time of the log's end.
    let printed = crate::common::eventlog(&["metrics", &log, "--print", "json"]).json();
    let end = printed[0]["time"].as_str().expect("a time").to_owned();
    let end = done(Command::new("date").args(["-d", &end, "+%s.%N"])).exits(0);
    let end: f64 = end.stdout.trim().parse().expect("seconds");
    let pushed_at = Some(end + 1.0);

    // The names are the same, scraped and pushed.
    let classic = |name: &str| {
        ["_bucket", "_sum", "_count"]
            .iter()
            .any(|of| name.ends_with(of))
    };
    let names = |rows: Vec<(BTreeMap<String, String>, f64)>| -> BTreeSet<String> {
        let names = rows
            .into_iter()
            .map(|(labels, _)| labels["__name__"].clone());
        names
            .filter(|name| name.starts_with("ghc_") || name.starts_with("process_"))
            .collect()
    };
    let scraped = names(query(
        &prometheus_at,
        None,
        "{via=\"text\", __name__=~\"ghc.*|process.*\"}",
    ));
    let open = names(query(
        &prometheus_at,
        None,
        "{via=\"openmetrics\", __name__=~\"ghc.*|process.*\"}",
    ));
    assert_eq!(scraped, open);
    let pushed = names(query(
        &victoria_at,
        pushed_at,
        "{__name__=~\"ghc.*|process.*\"}",
    ));
    // A histogram without durations has no buckets there.
    let empty: BTreeSet<&String> = scraped.difference(&pushed).collect();
    assert!(
        empty.iter().all(|name| name.ends_with("_bucket")),
        "{empty:?}"
    );
    let more: BTreeSet<&String> = pushed.difference(&scraped).collect();
    assert!(more.is_empty(), "{more:?}");

    // So are the values.
    let mut compared = 0;
    for name in scraped.iter().filter(|name| !name.ends_with("_bucket")) {
        let key = |labels: &BTreeMap<String, String>| {
            let mut labels = labels.clone();
            for common in ["via", "job", "instance", "__name__"] {
                labels.remove(common);
            }
            // The resource, as labels of each value.
            labels.retain(|name, _| name.starts_with("ghc_") && name != "ghc_rts_way");
            labels
        };
        let values = |at: &str, time: Option<f64>, text: &str| -> BTreeMap<_, f64> {
            let rows = query(at, time, text).into_iter();
            rows.map(|(labels, value)| (key(&labels), value)).collect()
        };
        let text = values(&prometheus_at, None, &format!("{name}{{via=\"text\"}}"));
        assert_eq!(
            text,
            values(
                &prometheus_at,
                None,
                &format!("{name}{{via=\"openmetrics\"}}")
            )
        );
        assert_eq!(
            text,
            values(&prometheus_at, None, &format!("{name}{{via=\"sd\"}}")),
            "{name}"
        );
        if !classic(name) || name == "ghc_thread_count" {
            let protobuf = values(&prometheus_at, None, &format!("{name}{{via=\"protobuf\"}}"));
            assert_eq!(text, protobuf, "{name}");
        }
        let pushed = values(&victoria_at, pushed_at, name);
        assert_eq!(text.len(), pushed.len(), "{name}");
        for (labels, value) in &text {
            let other = pushed[labels];
            assert!(
                (value - other).abs() <= value.abs() * 1e-9,
                "{name}{labels:?}: {value} {other}"
            );
            compared += 1;
        }
    }
    assert!(compared > 60, "{compared}");

    // Quantiles: of the native histograms, of VictoriaMetrics' own buckets, and of the explicit
    // ones, which are an octave wide.
    let mut quantiles = 0;
    for name in [
        "ghc_thread_schedule_duration_seconds",
        "ghc_gc_pause_duration_seconds",
        "ghc_thread_blocked_duration_seconds",
        "ghc_user_span_duration_seconds",
    ] {
        if one(
            &prometheus_at,
            None,
            &format!("sum({name}_count{{via=\"text\"}})"),
        ) == 0.0
        {
            continue;
        }
        // The explicit buckets are exact sums of the native ones.
        let of = format!("sum({name}{{via=\"protobuf\"}})");
        for (le, power) in [
            ("3.0517578125e-05", -15),
            ("0.000244140625", -12),
            ("0.00390625", -8),
        ] {
            let bound = 2f64.powi(power);
            let native = format!("histogram_fraction(0, {bound}, {of}) * histogram_count({of})");
            let native = one(&prometheus_at, None, &native);
            let text = format!("sum({name}_bucket{{via=\"text\", le=\"{le}\"}})");
            let text = one(&prometheus_at, None, &text);
            assert!(
                (native - text).abs() < 1e-3,
                "{name} up to {le}: {native} {text}"
            );
        }
        for quantile in [0.5, 0.9, 0.99] {
            let native = format!("histogram_quantile({quantile}, sum({name}{{via=\"protobuf\"}}))");
            let native = one(&prometheus_at, None, &native);
            let text = format!(
                "histogram_quantile({quantile}, sum by (le) ({name}_bucket{{via=\"text\"}}))"
            );
            let text = one(&prometheus_at, None, &text);
            let pushed = format!("histogram_quantile({quantile}, sum({name}_bucket) by (vmrange))");
            let pushed = one(&victoria_at, pushed_at, &pushed);
            let within = |a: f64, b: f64, factor: f64| a / b <= factor && b / a <= factor;
            let bucket = 2f64.powf(1.0 / 8.0) * 1.0001;
            assert!(
                within(native, pushed, bucket),
                "{name} {quantile}: {native} {pushed}"
            );
            assert!(
                within(native, text, 2.0001),
                "{name} {quantile}: {native} {text}"
            );
            quantiles += 1;
        }
    }
    assert!(quantiles >= 3, "{quantiles}");
    let info = query(
        &prometheus_at,
        None,
        "target_info{via=\"text\", process_runtime_name=\"ghc\"}",
    );
    assert_eq!(info.len(), 1, "{info:?}");
    assert!(info[0].0.contains_key("process_runtime_version"));
}
