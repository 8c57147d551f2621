//! The configurations of Prometheus, and its alerts.

use crate::promql::{check, labels_of};
use crate::{model, of_yaml, read};
use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    rules: Vec<Alert>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Alert {
    alert: String,
    expr: String,
    r#for: Option<Duration>,
    #[expect(dead_code, reason = "only whether it can be read matters")]
    labels: Labels,
    annotations: Annotations,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Labels {
    #[expect(dead_code, reason = "only whether it can be read matters")]
    severity: Severity,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    Warning,
    Critical,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Annotations {
    summary: String,
    description: Option<String>,
}

/// As Prometheus writes it: a number and a unit.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Duration;

impl TryFrom<String> for Duration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = &text[..text.len() - unit.len()];
        let known = ["ms", "s", "m", "h", "d", "w", "y"].contains(&unit);
        match known && !number.is_empty() {
            true => Ok(Self),
            false => Err(format!("{text} is not a duration")),
        }
    }
}

/// What is wrong with alerts, apart from their expressions.
fn faults(text: &str) -> Vec<String> {
    let rules: Rules = match of_yaml(text) {
        Ok(rules) => rules,
        Err(error) => return vec![error],
    };
    let mut faults = Vec::new();
    let mut names = BTreeSet::new();
    for group in &rules.groups {
        if !names.insert(&group.name) {
            faults.push(format!("two groups {}", group.name));
        }
        for rule in &group.rules {
            if !names.insert(&rule.alert) {
                faults.push(format!("two alerts {}", rule.alert));
            }
            if rule.r#for.is_none() && !rule.expr.contains("increase(") {
                faults.push(format!("{} fires after one scrape", rule.alert));
            }
            let texts = [
                Some(&rule.annotations.summary),
                rule.annotations.description.as_ref(),
            ];
            let has = labels_of(&rule.expr);
            for part in texts
                .iter()
                .flatten()
                .flat_map(|text| text.split("{{ ").skip(1))
            {
                let Some((part, _)) = part.split_once(" }}") else {
                    faults.push(format!("{}: the end of a template", rule.alert));
                    continue;
                };
                let mut words = part.split(" | ");
                let value = words.next().unwrap_or_default();
                let label = value.strip_prefix("$labels.");
                if value != "$value" && !label.is_some_and(|label| has.contains(label)) {
                    faults.push(format!("{}: {value} is not in its result", rule.alert));
                }
                let functions = ["humanize", "humanizePercentage", "humanizeDuration"];
                let unknown = words.filter(|word| !functions.contains(word));
                faults.extend(unknown.map(|word| format!("{}: no function {word}", rule.alert)));
            }
        }
    }
    faults
}

#[test]
fn alerts_are_what_prometheus_expects() {
    let text = read("deploy/prometheus/alerts.yml");
    assert_eq!(faults(&text), [""; 0]);
    // Each of these would be told.
    for (from, to, fault) in [
        ("annotations:", "annotation:", "unknown field"),
        ("severity: warning", "severity: worrying", "unknown variant"),
        ("for: 10m", "for: 10min", "not a duration"),
        ("        for: 10m\n", "", "after one scrape"),
        ("- name: eventlog-exporter", "- name: haskell", "two groups"),
        ("HaskellHeapNearLimit", "HaskellPausesAreLong", "two alerts"),
        ("$labels.job", "$labels.jobs", "$labels.jobs is not"),
        ("humanizePercentage", "percentage", "no function percentage"),
    ] {
        assert!(text.contains(from), "{from}");
        let told = faults(&text.replacen(from, to, 1));
        assert!(
            told.iter().any(|it| it.contains(fault)),
            "{fault}: {told:?}"
        );
    }
}

#[test]
fn alerts_are_about_metrics_that_there_are() {
    let rules: Rules = model("deploy/prometheus/alerts.yml");
    let alerts: Vec<&Alert> = rules.groups.iter().flat_map(|group| &group.rules).collect();
    for alert in &alerts {
        check(&alert.expr);
    }
    assert!(alerts.len() >= 10);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[expect(dead_code, reason = "only whether it can be read matters")]
    global: Global,
    pub rule_files: Vec<String>,
    pub scrape_configs: Vec<Scrape>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Global {
    #[expect(dead_code, reason = "only whether it can be read matters")]
    scrape_interval: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scrape {
    pub job_name: String,
    #[serde(default)]
    pub honor_labels: bool,
    #[serde(default)]
    #[expect(dead_code, reason = "only whether it can be read matters")]
    always_scrape_classic_histograms: bool,
    #[serde(default)]
    pub static_configs: Vec<Static>,
    #[serde(default)]
    pub http_sd_configs: Vec<Discovery>,
    #[serde(default)]
    #[expect(dead_code, reason = "only whether it can be read matters")]
    metric_relabel_configs: Vec<Relabel>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Static {
    pub targets: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discovery {
    pub url: String,
    #[expect(dead_code, reason = "only whether it can be read matters")]
    refresh_interval: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Relabel {
    source_labels: Vec<String>,
    regex: String,
    action: Action,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Keep,
    Drop,
}

#[test]
fn prometheus_asks_the_exporter_where_it_listens() {
    for path in [
        "deploy/prometheus/prometheus.yml",
        "deploy/prometheus/prometheus-sd.yml",
    ] {
        let config: Config = model(path);
        assert_eq!(config.rule_files, ["alerts.yml"], "{path}");
        let unit = read("deploy/systemd/eventlog-metrics.service");
        let mut jobs = BTreeSet::new();
        for scrape in &config.scrape_configs {
            assert!(jobs.insert(&scrape.job_name), "{path}");
            let urls = scrape.http_sd_configs.iter().map(|of| of.url.as_str());
            let paths = urls.map(|url| url.strip_prefix("http://").expect("an address"));
            let found = paths.map(|of| of.strip_suffix("/sd").expect("the path of the targets"));
            let named = scrape.static_configs.iter().flat_map(|of| &of.targets);
            for address in found.chain(named.map(String::as_str)) {
                let listens = format!("--prometheus {address}\n");
                assert!(unit.contains(&listens), "{path}: {address}");
            }
            // The labels on the page are those of the programs.
            assert_eq!(
                scrape.honor_labels,
                !scrape.static_configs.is_empty(),
                "{path}"
            );
        }
    }
    // The alerts know the exporter by this name.
    assert!(read("deploy/prometheus/alerts.yml").contains("up{job=\"eventlog\"}"));
}

#[test]
fn the_two_configurations_differ_in_addresses_only() {
    let here = read("deploy/prometheus/prometheus.yml").replace("127.0.0.1:9464", "metrics:9464");
    let here = here.replace("15s", "5s");
    let there = read("deploy/compose/prometheus.yml");
    let rest = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(rest(&here), rest(&there));
}
