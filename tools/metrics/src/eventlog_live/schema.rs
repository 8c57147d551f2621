//! A JSON schema of the configuration.

use super::processors::{Group, PROCESSORS};
use serde_json::{Map, Value, json};

/// The schema (draft 2020-12). It allows exactly what [`Config`](super::Config) accepts.
pub fn schema() -> Value {
    let mut groups = Map::new();
    for group in Group::ALL {
        let kind = match group {
            Group::Metrics => "#/$defs/metric",
            _ => "#/$defs/other",
        };
        let of = PROCESSORS.iter().filter(|of| of.group == group);
        let properties: Map<String, Value> = of
            .map(|of| {
                let value = json!({ "description": of.description, "$ref": kind });
                (of.key.to_owned(), value)
            })
            .collect();
        groups.insert(group.key().to_owned(), mapping(properties));
    }
    let rate = |what: &str| json!({ "description": what, "$ref": "#/$defs/rate" });
    let mut other = Map::new();
    other.insert("name".into(), json!({ "type": "string", "minLength": 1 }));
    other.insert("description".into(), json!({ "type": "string" }));
    other.insert(
        "export".into(),
        rate("How often it is sent; false: not at all."),
    );
    let mut metric = other.clone();
    metric.insert("aggregate".into(), rate("How often a value is taken."));
    let processors: Map<String, Value> = [
        ("processors".to_owned(), mapping(groups)),
        (
            "defaults".to_owned(),
            json!({ "description": "For anchors; nothing reads it." }),
        ),
    ]
    .into_iter()
    .collect();
    let mut schema = mapping(processors);
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "Configuration for eventlog metrics --config".into();
    schema["$defs"] = json!({
        "rate": { "oneOf": [
            { "type": "boolean" },
            { "type": "string", "pattern": r"^[0-9]+x$" },
            { "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?s$" },
        ]},
        "metric": mapping(metric),
        "other": mapping(other),
    });
    schema
}

/// A mapping with these keys and no others, or nothing.
fn mapping(properties: Map<String, Value>) -> Value {
    json!({
        "type": ["object", "null"],
        "properties": properties,
        "additionalProperties": false,
    })
}
