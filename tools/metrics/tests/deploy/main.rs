//! The shipped dashboard, alerts and configurations: each is what the program that reads it expects,
//! asks for metrics that there are, and fits the others.
//!
//! Their models have the keys that ours use, as the documentation of these programs names them;
//! any other key is an error.

mod alerts;
mod collector;
mod containers;
mod dashboards;
mod docker;
mod grafana;
mod kubernetes;
mod promql;
mod units;

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    let path = repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// A file with one document, in its model.
#[track_caller]
fn model<T: DeserializeOwned>(path: &str) -> T {
    of_yaml(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn of_yaml<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let documents = Yaml::load_from_str(text).map_err(|error| error.to_string())?;
    let [document] = &documents[..] else {
        return Err(format!("{} documents", documents.len()));
    };
    serde_json::from_value(json(document)?).map_err(|error| error.to_string())
}

fn json(yaml: &Yaml<'_>) -> Result<Value, String> {
    Ok(match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(is)) => Value::from(*is),
        Yaml::Value(Scalar::Integer(number)) => Value::from(*number),
        Yaml::Value(Scalar::FloatingPoint(number)) => Value::from(number.into_inner()),
        Yaml::Value(Scalar::String(text)) => Value::from(&**text),
        Yaml::Sequence(all) => Value::Array(all.iter().map(json).collect::<Result<_, _>>()?),
        Yaml::Mapping(all) => {
            let pair = |(key, value): (&Yaml<'_>, &Yaml<'_>)| {
                let key = key.as_str().ok_or_else(|| format!("{key:?} is a key"))?;
                Ok((key.to_owned(), json(value)?))
            };
            Value::Object(all.iter().map(pair).collect::<Result<_, String>>()?)
        }
        other => return Err(format!("not supported here: {other:?}")),
    })
}

/// An object without keys.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Empty {}

#[test]
fn models_refuse_what_they_do_not_know() {
    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Model {
        #[allow(dead_code, reason = "only whether it can be read matters")]
        known: u16,
    }
    of_yaml::<Model>("known: 1").expect("it is known");
    for wrong in [
        "known: 1\nother: 2",
        "known: '1'",
        "known: 1\n---\nknown: 1",
        "known: [1",
    ] {
        of_yaml::<Model>(wrong).expect_err(wrong);
    }
}
