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
