//! The Dockerfile.

use crate::{read, repository};
use std::collections::BTreeMap;

/// An image that it can make: a stage of the build, with what it has from those before it.
#[derive(Clone, Debug, Default)]
pub struct Image {
    pub environment: BTreeMap<String, String>,
    pub user: String,
    pub entry: Vec<String>,
    pub command: Vec<String>,
    pub ports: Vec<String>,
}

/// The images of deploy/Dockerfile, by the name of their stage.
pub fn images() -> BTreeMap<String, Image> {
    stages(&read("deploy/Dockerfile")).unwrap_or_else(|fault| panic!("deploy/Dockerfile: {fault}"))
}

fn list(text: &str) -> Result<Vec<String>, String> {
    serde_json::from_str(text).map_err(|error| format!("{text}: {error}"))
}

fn stages(text: &str) -> Result<BTreeMap<String, Image>, String> {
    let mut all: BTreeMap<String, Image> = BTreeMap::new();
    let mut stage: Option<(String, Image)> = None;
    for line in text.lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (word, rest) = line
            .split_once(' ')
            .ok_or(format!("{line}: no instruction"))?;
        if word == "FROM" {
            if let Some((name, image)) = stage.take() {
                all.insert(name, image);
            }
            let (from, name) = rest.split_once(" AS ").ok_or(format!("{rest}: no name"))?;
            if !all.contains_key(from) && !from.contains(':') {
                return Err(format!(
                    "{from}: neither a stage nor an image with a version"
                ));
            }
            stage = Some((name.to_owned(), all.get(from).cloned().unwrap_or_default()));
            continue;
        }
        let (_, image) = stage
            .as_mut()
            .ok_or(format!("{line}: before the first stage"))?;
        match word {
            "RUN" | "WORKDIR" => {}
            "USER" => rest.clone_into(&mut image.user),
            "ENV" => {
                let (name, value) = rest.split_once('=').ok_or(format!("{rest}: no value"))?;
                image.environment.insert(name.to_owned(), value.to_owned());
            }
            "COPY" => {
                let stage = rest
                    .strip_prefix("--from=")
                    .and_then(|it| it.split(' ').next());
                if let Some(stage) = stage.filter(|stage| !all.contains_key(*stage)) {
                    return Err(format!("{stage}: no stage before this one"));
                }
            }
            "EXPOSE" => image.ports.push(rest.to_owned()),
            "ENTRYPOINT" => image.entry = list(rest)?,
            "CMD" => image.command = list(rest)?,
            other => return Err(format!("{other}: no instruction")),
        }
    }
    all.extend(stage);
    Ok(all)
}

#[test]
fn the_dockerfile_makes_two_images_without_root() {
    let all = images();
    for name in ["eventlog", "oddball"] {
        let image = &all[name];
        assert_eq!(image.user, "1000", "{name}");
        assert_eq!(image.entry, [name]);
        assert!(!image.command.is_empty(), "{name}");
    }
    // What it calls is there.
    let text = read("deploy/Dockerfile");
    assert!(text.contains("RUN scripts/build-example oddball /out\n"));
    assert!(repository().join("scripts/build-example").exists());
    assert!(repository().join("examples/oddball").exists());
    // Each of these would be told.
    for (from, to, fault) in [
        (
            "FROM user AS eventlog",
            "FROM users AS eventlog",
            "users: neither",
        ),
        ("--from=haskell", "--from=haskel", "haskel: no stage"),
        ("EXPOSE", "EXPOSED", "EXPOSED: no instruction"),
        ("CMD [\"metrics\",", "CMD [metrics,", "expected value"),
    ] {
        assert!(text.contains(from), "{from}");
        let told = stages(&text.replacen(from, to, 1)).expect_err(fault);
        assert!(told.contains(fault), "{told}");
    }
}
