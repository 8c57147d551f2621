//! The configuration of an OpenTelemetry Collector.

use crate::model;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    receivers: Receivers,
    exporters: BTreeMap<String, Endpoint>,
    service: Service,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Receivers {
    otlp: Receiver,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Receiver {
    protocols: Protocols,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Protocols {
    http: Endpoint,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Endpoint {
    endpoint: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Service {
    #[expect(dead_code, reason = "only whether it can be read matters")]
    telemetry: Telemetry,
    pipelines: BTreeMap<String, Pipeline>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Telemetry {
    metrics: Level,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Level {
    level: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pipeline {
    receivers: Vec<String>,
    exporters: Vec<String>,
}

#[test]
fn the_collector_has_a_way_for_each_signal() {
    let config: Config = model("deploy/otelcol/otelcol.yaml");
    let signals: Vec<&str> = config
        .service
        .pipelines
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(signals, ["logs", "metrics", "traces"]);
    for (signal, pipeline) in &config.service.pipelines {
        assert_eq!(pipeline.receivers, ["otlp"], "{signal}");
        assert_eq!(pipeline.exporters, [format!("otlphttp/{signal}")]);
        assert!(
            config.exporters.contains_key(&pipeline.exporters[0]),
            "{signal}"
        );
    }
    // No two at the same address.
    let mut all: Vec<&str> = config.exporters.values().map(|of| &*of.endpoint).collect();
    let own = format!("http://{}", config.receivers.otlp.protocols.http.endpoint);
    all.push(&own);
    let hosts = all.iter().map(|url| url.split('/').nth(2).expect("a host"));
    let hosts: std::collections::BTreeSet<&str> = hosts.collect();
    assert_eq!(hosts.len(), all.len(), "{all:?}");
}
