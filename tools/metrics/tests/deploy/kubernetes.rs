//! A Deployment for Kubernetes: a program with its reader in one pod.

use crate::docker::images;
use crate::{model, of_yaml, read};
use serde::Deserialize;
use std::collections::BTreeMap;

type Labels = BTreeMap<String, String>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Deployment {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: Option<String>,
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    selector: Selector,
    template: Template,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Selector {
    match_labels: Labels,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Template {
    metadata: Metadata,
    spec: Pod,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Pod {
    security_context: PodSecurity,
    volumes: Vec<Volume>,
    init_containers: Vec<Container>,
    containers: Vec<Container>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PodSecurity {
    run_as_non_root: bool,
    run_as_user: u32,
    run_as_group: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Volume {
    name: String,
    #[expect(dead_code, reason = "only whether it can be read matters")]
    empty_dir: EmptyDir,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct EmptyDir {
    medium: Medium,
    size_limit: Quantity,
}

#[derive(Deserialize)]
enum Medium {
    Memory,
}

/// A number with a suffix.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Quantity;

impl TryFrom<String> for Quantity {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let suffix = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = &text[..text.len() - suffix.len()];
        match ["", "m", "Ki", "Mi", "Gi"].contains(&suffix) && !number.is_empty() {
            true => Ok(Self),
            false => Err(format!("{text} is not a quantity")),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Container {
    name: String,
    image: String,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: Vec<Variable>,
    #[serde(default)]
    ports: Vec<Port>,
    liveness_probe: Option<Probe>,
    readiness_probe: Option<Probe>,
    #[expect(dead_code, reason = "only whether it can be read matters")]
    resources: Option<Resources>,
    security_context: Option<Security>,
    volume_mounts: Vec<Mount>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Variable {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Port {
    name: String,
    container_port: u16,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Probe {
    http_get: HttpGet,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpGet {
    path: String,
    port: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Resources {
    requests: BTreeMap<Resource, Quantity>,
    limits: BTreeMap<Resource, Quantity>,
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
enum Resource {
    Cpu,
    Memory,
}

/// Without a user: all containers have the pod's.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Security {
    allow_privilege_escalation: bool,
    read_only_root_filesystem: bool,
    capabilities: Capabilities,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Capabilities {
    drop: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Mount {
    name: String,
    mount_path: String,
}

const PATH: &str = "deploy/kubernetes/sidecar.yaml";

impl Container {
    fn variable(&self, name: &str) -> &str {
        let found = self.env.iter().find(|it| it.name == name);
        &found
            .unwrap_or_else(|| panic!("{}: no {name}", self.name))
            .value
    }
}

#[test]
fn the_reader_beside_a_program_finds_it() {
    let deployment: Deployment = model(PATH);
    assert_eq!(deployment.api_version, "apps/v1");
    assert_eq!(deployment.kind, "Deployment");
    assert!(deployment.metadata.name.is_some());
    let template = &deployment.spec.template;
    for (key, value) in &deployment.spec.selector.match_labels {
        assert_eq!(template.metadata.labels.get(key), Some(value));
        assert_eq!(deployment.metadata.labels.get(key), Some(value));
    }
    let pod = &template.spec;
    assert!(pod.security_context.run_as_non_root);
    let ours = images();
    let user = pod.security_context.run_as_user.to_string();
    assert_eq!(pod.security_context.run_as_group.to_string(), user);
    for container in pod.containers.iter().chain(&pod.init_containers) {
        let image = container
            .image
            .strip_prefix("eventlog-")
            .unwrap_or(&container.image);
        assert_eq!(ours[image].user, user, "{}", container.name);
        for mount in &container.volume_mounts {
            let mut volumes = pod.volumes.iter();
            assert!(volumes.any(|it| it.name == mount.name), "{}", mount.name);
        }
    }
    let [program, metrics] = &pod.containers[..] else {
        panic!("a program, and its reader");
    };
    // One directory, at the same path in both, made before them.
    let dir = metrics.variable("XDG_RUNTIME_DIR");
    let sockets = program.variable("GHC_EVENTLOG_UNIX_PATH");
    assert!(
        sockets.starts_with(&format!("{dir}/eventlog/")),
        "{sockets}"
    );
    assert!(sockets.contains("%h-%p"), "{sockets}");
    for container in [program, metrics, &pod.init_containers[0]] {
        let mut mounts = container.volume_mounts.iter();
        let above = |it: &Mount| dir.starts_with(&format!("{}/", it.mount_path));
        assert!(mounts.any(above), "{}: {dir}", container.name);
    }
    assert_eq!(
        pod.init_containers[0].command,
        ["mkdir", "-m", "700", "-p", dir]
    );
    // The port of the pages.
    let port = &metrics.ports[0];
    let listens = format!("0.0.0.0:{}", port.container_port);
    assert_eq!(metrics.args, ["metrics", "--prometheus", listens.as_str()]);
    let annotations = &template.metadata.annotations;
    assert_eq!(
        annotations["prometheus.io/port"],
        port.container_port.to_string()
    );
    assert_eq!(annotations["prometheus.io/path"], "/metrics");
    assert_eq!(annotations["prometheus.io/scrape"], "true");
    for (probe, path) in [
        (&metrics.liveness_probe, "/-/healthy"),
        (&metrics.readiness_probe, "/-/ready"),
    ] {
        let ask = &probe.as_ref().expect("a probe").http_get;
        assert_eq!((ask.path.as_str(), &ask.port), (path, &port.name));
    }
    let security = metrics.security_context.as_ref().expect("limits");
    assert!(!security.allow_privilege_escalation && security.read_only_root_filesystem);
    assert_eq!(security.capabilities.drop, ["ALL"]);
}

#[test]
fn what_kubernetes_does_not_know_is_refused() {
    let text = read(PATH);
    for (from, to, fault) in [
        ("runAsUser", "runAsUsers", "unknown field"),
        ("emptyDir:", "emptyDirectory:", "unknown field"),
        ("16Mi", "16 Mi", "not a quantity"),
        ("\"9464\"", "9464", "invalid type"),
        ("httpGet", "httpget", "unknown field"),
        ("volumeMounts", "mounts", "unknown field"),
    ] {
        assert!(text.contains(from), "{from}");
        let told = of_yaml::<Deployment>(&text.replacen(from, to, 1)).err();
        assert!(
            told.as_ref().is_some_and(|it| it.contains(fault)),
            "{told:?}"
        );
    }
}
