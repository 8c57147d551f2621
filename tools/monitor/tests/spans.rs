//! The program's own spans: found by name, nested, and summed up.

use crate::site::{Log, Site, message};
use ghc_eventlog::EventBody;
use serde_json::Value;

#[test]
fn spans_and_their_summary() {
    let run = EventBody::RunThread { thread: 7 };
    let mut events = vec![(0, EventBody::CreateThread { thread: 7 }), (1, run)];
    let mut time = 10;
    for n in 1..=100u64 {
        events.push((time, message("START request")));
        events.push((time + 1, message("START inner")));
        events.push((time + n * 1000, message("STOP inner")));
        events.push((time + n * 1000 + 1, message("STOP request")));
        time += 200_000;
    }
    events.push((time, message("START never")));
    let (site, id) = Site::of(&Log::new().block(Some(0), &events).end());
    let spans = site.get(&format!("s/{id}/spans"));
    assert_eq!(spans["total"], 201);
    let rows = spans["rows"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["track"] == "thread 7"));
    let depth = |name: &str| -> Vec<u64> {
        let of = rows.iter().filter(|row| row["name"] == name);
        let mut depths: Vec<u64> = of.map(|row| row["depth"].as_u64().unwrap()).collect();
        depths.dedup();
        depths
    };
    assert_eq!((depth("request"), depth("inner")), (vec![0], vec![1]));
    let open = rows.iter().find(|row| row["name"] == "never").unwrap();
    assert_eq!(open["to"], Value::Null);
    let longest = site.get(&format!("s/{id}/spans?limit=2&find=requ"));
    let lengths: Vec<u64> = longest["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["to"].as_u64().unwrap() - row["from"].as_u64().unwrap())
        .collect();
    assert_eq!(lengths, [99_001, 100_001]);
    let summary = site.get(&format!("s/{id}/spans/summary"));
    let request = &summary
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["name"] == "request");
    let request = request.unwrap();
    assert_eq!(
        (&request["count"], &request["max"]),
        (&100.into(), &100_001.into())
    );
    let p50 = request["p50"].as_u64().unwrap();
    assert!((49_000..=52_000).contains(&p50), "{p50}");
    assert_eq!(request["running"], request["total"]);
    let bars = request["histogram"].as_array().unwrap();
    let counted: u64 = bars.iter().map(|bar| bar["count"].as_u64().unwrap()).sum();
    assert_eq!(counted, 100);
    let never = summary
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["name"] == "never");
    assert_eq!(never.unwrap()["open"], 1);
}

/// The names of the spans in an answer, in the order of time.
fn names(told: &Value) -> Vec<&str> {
    let rows = told["rows"].as_array().unwrap().iter();
    rows.map(|row| row["name"].as_str().unwrap()).collect()
}

#[test]
fn spans_are_found_by_name_however_short_they_are() {
    // Many that are longer than what is searched for.
    let mut events = Vec::new();
    for n in 0..300u64 {
        events.push((n * 1000, message("START usual")));
        events.push((n * 1000 + 900, message("STOP usual")));
    }
    for (time, text) in [
        (100, "START Load a.txt"),
        (101, "STOP Load a.txt"),
        (200, "START Load (b)"),
        (202, "STOP Load (b)"),
        (5300, "START load c.txt"),
        (5303, "STOP load c.txt"),
        (400_000, "START Load that lasts"),
    ] {
        events.push((time, message(text)));
    }
    events.sort_by_key(|event| event.0);
    let (site, id) = Site::of(&Log::new().block(Some(0), &events).end());
    let spans = |query: &str| site.get(&format!("s/{id}/spans?{query}"));
    // What is found is not what happens to be among the longest of all.
    assert_eq!(
        names(&spans("limit=3")),
        ["usual", "usual", "Load that lasts"]
    );
    for (query, expected) in [
        (
            "find=Load",
            &["Load a.txt", "Load (b)", "Load that lasts"][..],
        ),
        ("find=%5ELoad+.*%5C.txt%24", &["Load a.txt"]),
        (
            "find=(%3Fi)load",
            &["Load a.txt", "Load (b)", "load c.txt", "Load that lasts"],
        ),
        ("find=(%3Fi)load&from=1000&to=9000", &["load c.txt"]),
        ("find=nothing", &[]),
        ("name=Load+(b)", &["Load (b)"]),
        ("name=Load", &[]),
        ("name=Load+(b)&find=txt", &[]),
    ] {
        let told = spans(&format!("{query}&limit=3000"));
        assert_eq!(names(&told), expected, "{query}");
        assert_eq!(told["total"], expected.len(), "{query}");
        let summary = site.get(&format!("s/{id}/spans/summary?{query}"));
        let summed = summary.as_array().unwrap().iter();
        let mut summed: Vec<&str> = summed.map(|it| it["name"].as_str().unwrap()).collect();
        let mut expected = expected.to_vec();
        summed.sort_unstable();
        expected.sort_unstable();
        assert_eq!(summed, expected, "{query}");
    }
    let longest = spans("find=Load&limit=2");
    assert_eq!(names(&longest), ["Load (b)", "Load that lasts"]);
    assert_eq!(longest["total"], 3);
}

/// What cannot be searched for is refused in the same words everywhere.
#[test]
fn patterns_that_are_not_valid_are_refused() {
    let (site, id) = Site::of(
        &Log::new()
            .messages(0, &[(1, "START x"), (2, "STOP x")])
            .end(),
    );
    for find in ["%5Bx", "x%7B1000%7D%7B1000%7D"] {
        let told = ["events", "spans", "spans/summary"]
            .map(|what| site.refused(&format!("s/{id}/{what}?find={find}"), 400));
        assert!(told[0].contains("is not a regular expression"), "{told:?}");
        assert!(told.iter().all(|it| *it == told[0]), "{told:?}");
    }
}
