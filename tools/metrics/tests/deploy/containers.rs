//! A Compose file, and what it starts.

use crate::alerts::Config;
use crate::docker::{Image, images};
use crate::{Empty, model, read, repository};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Compose {
    name: String,
    services: BTreeMap<String, Service>,
    volumes: BTreeMap<String, Empty>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Service {
    build: Option<Build>,
    image: Option<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    volumes: Vec<String>,
    #[serde(default)]
    ports: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Build {
    context: String,
    dockerfile: String,
    target: String,
}

impl Service {
    /// What is mounted at a path: its name or path outside.
    fn mounted(&self, path: &str) -> Option<&str> {
        let mut mounts = self.volumes.iter().map(|volume| volume.split(':'));
        mounts.find_map(|mut parts| {
            let from = parts.next()?;
            (parts.next()? == path).then_some(from)
        })
    }

    /// The file outside that is at this path inside.
    fn file(&self, inside: &Path) -> Option<PathBuf> {
        let above = inside.ancestors().find_map(|above| {
            let from = self.mounted(above.to_str()?)?;
            Some((from, inside.strip_prefix(above).ok()?))
        });
        above.map(|(from, rest)| beside_compose(from).join(rest))
    }
}

fn beside_compose(path: &str) -> PathBuf {
    let mut whole = PathBuf::from("deploy/compose");
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => assert!(whole.pop(), "{path} leaves the repository"),
            Component::Normal(part) => whole.push(part),
            Component::CurDir => {}
            other => panic!("{other:?} in {path}"),
        }
    }
    repository().join(whole)
}

fn compose() -> Compose {
    model("deploy/compose/compose.yaml")
}

#[test]
fn compose_names_what_there_is() {
    let compose = compose();
    assert!(!compose.name.is_empty());
    let services: BTreeSet<&str> = compose.services.keys().map(String::as_str).collect();
    assert_eq!(
        services,
        BTreeSet::from(["grafana", "metrics", "oddball", "prometheus"])
    );
    let ours = images();
    for (name, service) in &compose.services {
        match (&service.build, &service.image) {
            (Some(build), None) => {
                assert_eq!(
                    beside_compose(&build.context),
                    repository().join(""),
                    "{name}"
                );
                assert_eq!(build.dockerfile, "deploy/Dockerfile");
                assert!(ours.contains_key(&build.target), "{name}: {}", build.target);
            }
            (None, Some(image)) => {
                let version = image.split_once(':').map(|(_, version)| version);
                let is_one = version.is_some_and(|it| it.contains(|c: char| c.is_ascii_digit()));
                assert!(is_one, "{name}: {image} has no version");
            }
            _ => panic!("{name}: an image, or how it is built"),
        }
        for volume in &service.volumes {
            let parts: Vec<&str> = volume.split(':').collect();
            let (from, to) = (parts[0], parts[1]);
            assert!(to.starts_with('/'), "{volume}");
            if from.starts_with('.') {
                assert!(beside_compose(from).exists(), "{name}: {volume}");
                assert_eq!(parts[2..], ["ro"], "{name}: {volume}");
            } else {
                assert!(compose.volumes.contains_key(from), "{name}: {volume}");
            }
        }
        // Nothing is open to other machines.
        for port in &service.ports {
            let parts: Vec<&str> = port.split(':').collect();
            assert_eq!(parts[0], "127.0.0.1", "{name}: {port}");
            assert_eq!(parts[1], parts[2], "{name}: {port}");
        }
    }
}

/// `EVENTLOG_DOCKER_COMPOSE` is its program (`scripts/counterparts` gets it). If it is not set, the test
/// is skipped. No Docker is needed for this.
#[test]
fn docker_compose_takes_the_file() {
    let program = std::env::var("EVENTLOG_DOCKER_COMPOSE");
    let Some(program) = program.ok().filter(|path| !path.is_empty()) else {
        eprintln!("skipped: EVENTLOG_DOCKER_COMPOSE is not set");
        return;
    };
    let takes = |text: &str| {
        let mut command = Command::new(&program);
        // From its input, as if it were in its place.
        command.args(["--project-directory", "deploy/compose", "-f", "-", "config"]);
        let child = command
            .current_dir(repository())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.expect("the program starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(text.as_bytes()).expect("it reads");
        drop(stdin);
        let done = child.wait_with_output().expect("it ends");
        let says = String::from_utf8_lossy(&done.stderr).into_owned();
        (done.status.success(), says)
    };
    let text = read("deploy/compose/compose.yaml");
    assert_eq!(takes(&text), (true, String::new()));
    let (taken, says) = takes(&text.replace("ports:", "port:"));
    assert!(!taken && says.contains("port"), "{says}");
}

#[test]
fn the_services_of_compose_find_each_other() {
    let compose = compose();
    let ours = images();
    // The program and its reader have one directory, whose name both know from the environment.
    let of = |service: &str| -> (&Service, &Image) {
        let service = &compose.services[service];
        let build = service.build.as_ref().expect("it is built");
        (service, &ours[&build.target])
    };
    let ((program, made), (reader, metrics)) = (of("oddball"), of("metrics"));
    let dir = &metrics.environment["XDG_RUNTIME_DIR"];
    assert_eq!(made.environment["XDG_RUNTIME_DIR"], *dir);
    let sockets = &made.environment["GHC_EVENTLOG_UNIX_PATH"];
    assert!(
        sockets.starts_with(&format!("{dir}/eventlog/")),
        "{sockets}"
    );
    assert!(
        sockets.contains("%h-%p"),
        "each container has its process 1: {sockets}"
    );
    assert_eq!(program.mounted(dir), Some("programs"));
    assert_eq!(reader.mounted(dir), Some("programs"));
    assert_eq!(made.user, metrics.user);
    // Prometheus asks the reader where it listens.
    let config: Config = model("deploy/compose/prometheus.yml");
    let mut targets = config
        .scrape_configs
        .iter()
        .flat_map(|it| &it.static_configs);
    let target = &targets.next().expect("a target").targets[0];
    let (host, port) = target.split_once(':').expect("a port");
    assert_eq!(host, "metrics");
    let listens = format!("0.0.0.0:{port}");
    assert_eq!(
        metrics.command,
        ["metrics", "--prometheus", listens.as_str()]
    );
    assert_eq!(metrics.ports, [port]);
    // Its configuration, and the alerts that this names, are where it looks for them.
    let prometheus = &compose.services["prometheus"];
    let config_file = Path::new("/etc/prometheus/prometheus.yml");
    assert_eq!(
        prometheus.file(config_file),
        Some(repository().join("deploy/compose/prometheus.yml"))
    );
    for rules in &config.rule_files {
        let rules = prometheus.file(&config_file.with_file_name(rules));
        assert_eq!(
            rules,
            Some(repository().join("deploy/prometheus/alerts.yml"))
        );
    }
    // Grafana asks Prometheus, and has the dashboard.
    let sources: Sources = model("deploy/grafana/provisioning/datasources/prometheus.yml");
    assert_eq!(sources.api_version, 1);
    let source = &sources.datasources[0];
    assert_eq!(
        (source.kind.as_str(), source.access.as_str()),
        ("prometheus", "proxy")
    );
    assert!(!source.name.is_empty() && source.is_default);
    let url = source.url.strip_prefix("http://").expect("an address");
    let (host, port) = url.split_once(':').expect("a port");
    assert!(compose.services.contains_key(host), "{url}");
    let published = format!("127.0.0.1:{port}:{port}");
    assert_eq!(compose.services[host].ports, [published]);
    // A rate needs at least two scrapes.
    let interval = &source.json_data.time_interval;
    let scraped = format!("scrape_interval: {interval}\n");
    assert!(read("deploy/compose/prometheus.yml").contains(&scraped));

    let grafana = &compose.services["grafana"];
    let provisioning = grafana.file(Path::new("/etc/grafana/provisioning/datasources"));
    assert!(
        provisioning
            .expect("it is mounted")
            .join("prometheus.yml")
            .exists()
    );
    let provided: Providers = model("deploy/grafana/provisioning/dashboards/haskell.yml");
    assert_eq!(provided.api_version, 1);
    let provider = &provided.providers[0];
    assert!(!provider.name.is_empty());
    assert_eq!(provider.kind, "file");
    let dashboards = grafana.file(Path::new(&provider.options.path));
    assert_eq!(dashboards, Some(repository().join("dashboards").join("")));
    let home = &grafana.environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"];
    let home = grafana.file(Path::new(home)).expect("it is mounted");
    assert_eq!(home, repository().join("dashboards/haskell.json"));
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Sources {
    api_version: u8,
    datasources: Vec<Source>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Source {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    access: String,
    url: String,
    is_default: bool,
    json_data: JsonData,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct JsonData {
    time_interval: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Providers {
    api_version: u8,
    providers: Vec<Provider>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Provider {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    options: ProviderOptions,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderOptions {
    path: String,
}
