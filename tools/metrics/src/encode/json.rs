//! One JSON object for each moment, with all metrics.

use crate::collected::{Attribute, Collected, Point, Value as Number};
use crate::table::Kind;
use serde_json::{Map, Value, json};

/// The metrics of one program. Times are nanoseconds, durations seconds.
pub fn encode(collected: &Collected) -> Value {
    let families = collected.families.iter().map(|family| {
        let kind = match family.metric.kind {
            Kind::Counter => "counter",
            Kind::UpDownCounter => "updowncounter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let points: Vec<Value> = family.points.iter().map(point).collect();
        json!({
            "name": family.metric.name,
            "unit": family.metric.unit,
            "kind": kind,
            "points": points,
        })
    });
    let families: Vec<Value> = families.collect();
    let resource = collected.resource.attributes.iter();
    let resource: Map<String, Value> = resource
        .map(|(key, value)| (key.to_string(), attribute(value)))
        .collect();
    json!({
        "time": collected.clock.map(|clock| clock.at(collected.time).to_string()),
        "time_ns": collected.time,
        "resource": resource,
        "metrics": families,
    })
}

fn attribute(value: &Attribute) -> Value {
    match value {
        Attribute::Text(text) => json!(**text),
        Attribute::Int(number) => json!(number),
        Attribute::Bool(yes) => json!(yes),
    }
}

fn point(point: &Point) -> Value {
    let attributes = point.attributes.iter();
    let attributes: Map<String, Value> = attributes
        .map(|(key, value)| ((*key).to_owned(), attribute(value)))
        .collect();
    let value = match &point.value {
        Number::Int(number) => json!(number),
        Number::Nanos(nanos) => json!(*nanos as f64 / 1e9),
        Number::Histogram(of) => {
            let counts: Vec<u64> = of.counts().collect();
            json!({
                "count": of.count(),
                "sum": of.sum() as f64 / 1e9,
                "min": of.range().map(|(min, _)| min as f64 / 1e9),
                "max": of.range().map(|(_, max)| max as f64 / 1e9),
                "scale": of.scale(),
                "zero_count": of.zero(),
                "offset": of.first(),
                "bucket_counts": counts,
            })
        }
    };
    json!({ "attributes": attributes, "start_ns": point.start, "value": value })
}
