//! Answers agree with the log: they are compared with other ways to compute them.

use crate::site::{Log, MS, Site, message, real};
use eventlog_series::{Row, Rows};
use eventlog_state::{Fact, Keep, Merge, MergeOptions, State, Step, Totals};
use ghc_eventlog::{CapsetType, EventBody, Header, Item, Reader, Texts};
use serde_json::Value;
use std::sync::Arc;

const REAL: [&str; 2] = ["9.0.2-hello", "9.10.3-hello-ipe"];

/// State and totals of a whole log.
fn fold(log: &[u8]) -> (State, Totals) {
    let mut merge = Merge::new(MergeOptions::default());
    let (mut state, mut totals) = (None, Totals::new());
    merge.push_bytes(log);
    merge.flush();
    let drained = merge.drain(&mut |step| match step {
        Step::Session(header) => state = Some(State::new(header, Keep::all())),
        Step::Block(block) => {
            totals.block(block);
            let state: &mut State = state.as_mut().unwrap();
            state.block(block, &mut |fact: Fact<'_>| totals.see(&fact));
        }
        Step::Event(event, turn) => {
            totals.event(event);
            let state: &mut State = state.as_mut().unwrap();
            state.apply(event, turn, &mut |fact| totals.see(&fact));
        }
        _ => {}
    });
    drained.unwrap();
    let mut state = state.unwrap();
    state.finish(&mut |fact| totals.see(&fact));
    (state, totals)
}

#[test]
fn an_overview_is_the_report_of_the_log() {
    for name in REAL {
        let log = real(name);
        let (site, id) = Site::of(&log);
        let told = site.get(&format!("s/{id}/overview"));
        let (state, totals) = fold(&log);
        let report = serde_json::to_value(totals.report(&state)).unwrap();
        for (ours, theirs) in [
            ("/program/name", "/program/name"),
            ("/program/args", "/program/args"),
            ("/program/rts", "/program/rts"),
            ("/program/pid", "/program/pid"),
            ("/uptime", "/time/elapsed_ns"),
            ("/mutator", "/time/mutator_ns"),
            ("/collecting", "/time/gc_ns"),
            ("/productivity", "/time/productivity"),
            ("/heap/live", "/heap/live_bytes"),
            ("/heap/size", "/heap/size_bytes"),
            ("/heap/allocated", "/heap/allocated_bytes"),
            ("/pauses/count", "/gc/pauses/count"),
            ("/pauses/max", "/gc/pauses/max_ns"),
            ("/pauses/p99", "/gc/pauses/p99_ns"),
            ("/threads/created", "/threads/created"),
            ("/threads/switches", "/threads/switches"),
            ("/stream/events", "/stream/events"),
        ] {
            let (ours_is, theirs_is) = (told.pointer(ours), report.pointer(theirs));
            assert_eq!(ours_is, theirs_is, "{name}: {ours}");
            assert!(ours_is.is_some(), "{name}: {ours}");
        }
        for cap in told["capabilities"].as_array().unwrap() {
            let shares = cap["shares"].as_object().unwrap().values();
            let sum: f64 = shares.map(|share| share.as_f64().unwrap()).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{name}: {sum}");
        }
        let flags: Vec<&str> = told["program"]["flags"]
            .as_array()
            .unwrap()
            .iter()
            .map(|flag| flag.as_str().unwrap())
            .collect();
        assert!(flags.contains(&"-l"), "{name}: {flags:?}");
        let missing = told["missing"].as_array().unwrap();
        let profile = missing.iter().find(|it| it["what"] == "the heap profile");
        assert_eq!(profile.unwrap()["flag"], "+RTS -hT");
    }
}

/// All events of a log in the order of time: time, capability, name, and text.
fn events(log: &[u8]) -> Vec<(u64, Option<u16>, String, String)> {
    let mut events = Vec::new();
    let mut reader = Reader::new(log);
    while let Some(item) = reader.next_item().unwrap() {
        if let Item::Event(event) = item {
            let text = match event.body {
                EventBody::UserMsg { message } => message.to_string(),
                EventBody::UserMarker { marker } => marker.to_string(),
                _ => {
                    let text = event.to_string();
                    text[event.name().len()..].trim_start().to_owned()
                }
            };
            events.push((event.time, event.cap, event.name().to_owned(), text));
        }
    }
    events.sort_by_key(|event| event.0);
    events
}

fn told_events(told: &Value) -> Vec<(u64, Option<u16>, String, String)> {
    let rows = told["rows"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.map(|row| {
        let cap = row["cap"].as_u64().map(|cap| cap as u16);
        (
            row["time"].as_u64().unwrap(),
            cap,
            text(&row["name"]),
            text(&row["text"]),
        )
    })
    .collect()
}

#[test]
fn events_of_any_time_are_those_of_the_log() {
    for name in REAL {
        let log = real(name);
        let (site, id) = Site::of(&log);
        let all = events(&log);
        let told = site.get(&format!("s/{id}/events?limit=5000"));
        assert_eq!(told["more"], false);
        let mut whole = told_events(&told);
        // Events at the same time may be in any order.
        let mut sorted = all.clone();
        whole.sort();
        sorted.sort();
        assert_eq!(whole, sorted, "{name}");
        let (first, last) = (all[0].0, all[all.len() - 1].0);
        for part in 0..7 {
            let from = first + (last - first) / 7 * part;
            let to = from + (last - first) / 5;
            let wanted = all.iter().filter(|it| (from..to).contains(&it.0)).count();
            let told = site.get(&format!("s/{id}/events?from={from}&to={to}&limit=5000"));
            assert_eq!(told_events(&told).len(), wanted, "{name} {part}");
            let few = site.get(&format!("s/{id}/events?from={from}&to={to}&limit=3"));
            assert_eq!(few["more"], wanted > 3, "{name} {part}");
            let first_few = told_events(&few);
            let times: Vec<u64> = first_few.iter().map(|it| it.0).collect();
            let expected = told_events(&told);
            let expected: Vec<u64> = expected.iter().take(3).map(|it| it.0).collect();
            assert_eq!(times, expected);
        }
        let stops = site.get(&format!("s/{id}/events?find=%5Estop_&cap=0&limit=5000"));
        let wanted = all
            .iter()
            .filter(|it| it.2.starts_with("stop_") && it.1 == Some(0));
        assert_eq!(told_events(&stops).len(), wanted.count(), "{name}");
        assert!(!told_events(&stops).is_empty());
    }
}

#[test]
fn messages_and_markers_are_found_by_what_they_say() {
    let marker = |text: &'static str| EventBody::UserMarker {
        marker: text.into(),
    };
    let log = Log::new()
        .messages(0, &[(10, "request 17 begins"), (30, "request 17 ends")])
        .block(
            Some(1),
            &[(20, marker("request 99")), (40, message("nothing"))],
        )
        .end();
    let (site, id) = Site::of(&log);
    let texts = |query: &str| -> Vec<String> {
        let told = site.get(&format!("s/{id}/events?{query}"));
        told_events(&told).into_iter().map(|it| it.3).collect()
    };
    assert_eq!(
        texts("kind=message"),
        ["request 17 begins", "request 17 ends", "nothing"]
    );
    assert_eq!(texts("kind=marker"), ["request 99"]);
    assert_eq!(
        texts("kind=user&find=request+%5Cd%2B"),
        ["request 17 begins", "request 99", "request 17 ends"]
    );
    assert_eq!(texts("find=ends%24&kind=all"), ["request 17 ends"]);
    assert_eq!(texts("cap=1"), ["request 99", "nothing"]);
    assert_eq!(
        texts("from=20&to=40&kind=all"),
        ["request 99", "request 17 ends"]
    );
}

#[test]
fn tiles_are_those_of_the_rows() {
    for name in REAL {
        let log = real(name);
        let (site, id) = Site::of(&log);
        let mut reader = Reader::new(&log[..]);
        while reader.header().is_none() {
            reader.next_item().unwrap();
        }
        let header: Arc<Header> = reader.header().unwrap().clone();
        let behind = &log[header.as_bytes().len()..];
        let mut rows = Rows::new(header);
        let mut at = 0;
        while behind.len() - at > 2 {
            let size = u32::from_be_bytes(behind[at + 10..at + 14].try_into().unwrap()) as usize;
            rows.block(at as u64, &behind[at..at + size]);
            at += size;
        }
        rows.finish();
        let told = site.get(&format!("s/{id}/rows"));
        let caps: Vec<u64> = told["caps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|cap| cap["cap"].as_u64().unwrap())
            .collect();
        assert_eq!(caps, rows.caps().map(u64::from).collect::<Vec<_>>());
        assert_eq!(
            told["states"]["cap"],
            serde_json::json!(Row::Cap(0).states())
        );
        assert_eq!(
            told["states"]["thread"],
            serde_json::json!(Row::Threads.states())
        );
        let mut some = false;
        for z in [6, 12, 16, 40] {
            let wanted = [
                ("c0", Row::Cap(0)),
                ("t1", Row::Thread(1)),
                ("threads", Row::Threads),
            ];
            let names = wanted.map(|(name, _)| name);
            let tiles = site.tiles(&id, z, 0, 5, &names);
            assert_eq!(tiles.len(), 15);
            for (tile, place) in tiles.iter().zip(0..) {
                let (row, index) = (wanted[place / 5].1, (place % 5) as u64);
                let expected = rows.tile(behind, row, z, index).unwrap().encode(z, index);
                assert_eq!(*tile, expected, "{name} {row:?} {z} {index}");
                some |= tile[0] != 0;
            }
        }
        assert!(some, "{name}: nothing but empty tiles");
    }
}

#[test]
fn collections_and_their_histogram() {
    let stats = |generation, copied| EventBody::GcStatsGhc {
        capset: 0,
        generation,
        copied,
        slop: 1,
        fragmentation: 2,
        par_threads: 2,
        par_max_copied: copied / 4 * 3,
        par_tot_copied: copied,
        par_balanced_copied: Some(0),
    };
    let mut events = Vec::new();
    for n in 1..=50u64 {
        let begin = n * 10 * MS;
        events.push((begin, EventBody::RequestParGc));
        events.push((begin + 1000, EventBody::GcStart));
        events.push((begin + 1000 + n * 1000, stats((n % 2) as u16, n * 400)));
        events.push((begin + 1000 + n * 1000, EventBody::GcEnd));
    }
    let mark = [
        (5 * MS, EventBody::ConcMarkBegin),
        (400 * MS, EventBody::ConcMarkEnd { marked: 3 }),
    ];
    let log = Log::new()
        .block(Some(0), &events)
        .block(Some(1), &mark)
        .end();
    let (site, id) = Site::of(&log);
    let told = site.get(&format!("s/{id}/collections"));
    assert_eq!(told["total"], 51);
    let rows = told["rows"].as_array().unwrap();
    let concurrent: Vec<_> = rows
        .iter()
        .filter(|row| row["concurrent"] == true)
        .collect();
    assert_eq!(concurrent.len(), 1);
    assert_eq!(concurrent[0]["phases"][0]["kind"], "mark");
    let tenth = rows
        .iter()
        .find(|row| row["from"] == 100 * MS + 1000)
        .unwrap();
    assert_eq!(tenth["to"], 100 * MS + 11_000);
    assert_eq!(tenth["generation"], 0);
    assert_eq!(tenth["copied"], 4000);
    assert_eq!(tenth["sync"], 1000);
    assert_eq!(tenth["balance"], 0.5);
    for generation in ["0", "1"] {
        let bars = told["histogram"][generation].as_array().unwrap();
        let counted: u64 = bars.iter().map(|bar| bar["count"].as_u64().unwrap()).sum();
        assert_eq!(counted, 25, "{generation}");
    }
    // Only the longest, if there are too many.
    let few = site.get(&format!("s/{id}/collections?limit=3"));
    let longest: Vec<u64> = few["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["to"].as_u64().unwrap() - row["from"].as_u64().unwrap())
        .collect();
    assert_eq!(longest, [395 * MS, 49_000, 50_000]);
    let window = site.get(&format!(
        "s/{id}/collections?from={}&to={}",
        450 * MS,
        470 * MS
    ));
    assert_eq!(window["total"], 2);
    let pauses = site.get(&format!("s/{id}/series?names=gc.pause&points=10"));
    let points = pauses["names"]["gc.pause"]["points"].as_array().unwrap();
    let total: f64 = points.iter().map(|point| point[3].as_f64().unwrap()).sum();
    assert_eq!(total, (1..=50).map(|n| f64::from(n) * 1000.0).sum::<f64>());
    assert!(points.len() <= 10, "{}", points.len());
    assert!(points.iter().any(|point| point[2] == 50_000.0));
}

#[test]
fn series_have_every_value_in_some_point() {
    let mut events = Vec::new();
    let sparks = |created, converted, remaining| EventBody::SparkCounters {
        created,
        dud: 0,
        overflowed: 0,
        converted,
        gcd: 0,
        fizzled: 0,
        remaining,
    };
    for n in 1..=10_000u64 {
        let bytes = if n == 7777 { 1 << 40 } else { n };
        events.push((n * MS, EventBody::HeapLive { capset: 0, bytes }));
        events.push((
            n * MS,
            EventBody::HeapAllocated {
                capset: 0,
                bytes: n * 64,
            },
        ));
        events.push((n * MS, sparks(n * 3, n, n % 5)));
    }
    let (site, id) = Site::of(&Log::new().block(Some(2), &events).end());
    let list = site.get(&format!("s/{id}/series"));
    let names: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    for name in [
        "heap.live",
        "heap.size",
        "heap.blocks",
        "heap.allocated",
        "gc.pause",
        "events.rate",
        "threads.live",
        "activity",
        "sparks.created.2",
        "sparks.pool.2",
        "sparks.overflowed.2",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    let names = names.join(",");
    let all = site.get(&format!("s/{id}/series?names={names}&points=50"));
    let points = |name: &str| all["names"][name]["points"].as_array().unwrap().clone();
    let sum = |name: &str| -> f64 { points(name).iter().map(|it| it[3].as_f64().unwrap()).sum() };
    assert!(
        points("heap.live")
            .iter()
            .any(|it| it[2] == (1u64 << 40) as f64)
    );
    assert!(points("heap.live").len() <= 50);
    assert_eq!(sum("heap.allocated"), 640_000.0);
    assert_eq!(sum("sparks.created.2"), 30_000.0);
    assert_eq!(sum("sparks.converted.2"), 10_000.0);
    assert_eq!(all["names"]["heap.live"]["kind"], "gauge");
    assert_eq!(all["names"]["heap.allocated"]["kind"], "rate");
    assert!(points("heap.size").is_empty());
    // A part of it.
    let part = site.get(&format!(
        "s/{id}/series?names=heap.allocated&from={}&to={}&points=7",
        1000 * MS,
        2000 * MS
    ));
    let part = part["names"]["heap.allocated"]["points"]
        .as_array()
        .unwrap()
        .clone();
    let sum: f64 = part.iter().map(|it| it[3].as_f64().unwrap()).sum();
    assert!((63_000.0..=65_000.0).contains(&sum), "{sum}");
}

#[test]
fn what_is_known_of_the_program() {
    let identity = [
        (
            0,
            EventBody::CapsetCreate {
                capset: 0,
                capset_type: CapsetType::OS_PROCESS,
            },
        ),
        (
            0,
            EventBody::RtsIdentifier {
                capset: 0,
                identifier: "GHC-9.99 rts_thr".into(),
            },
        ),
        (
            0,
            EventBody::ProgramArgs {
                capset: 0,
                args: Texts(b"/bin/demo\0x\0+RTS\0-N2\0-RTS\0y\0"),
            },
        ),
        (
            0,
            EventBody::OsprocessPid {
                capset: 0,
                pid: 4321,
            },
        ),
        (
            5,
            EventBody::WallClockTime {
                capset: 0,
                seconds: 1000,
                nanoseconds: 5,
            },
        ),
    ];
    let (site, id) = Site::of(&Log::new().block(None, &identity).end());
    let session = &site.sessions("a")[0];
    assert_eq!(session["id"], id);
    assert_eq!(session["program"], "demo");
    assert_eq!(
        (&session["pid"], &session["rts"]),
        (&4321.into(), &"GHC-9.99 rts_thr".into())
    );
    assert_eq!(session["wall"], "1000000000000");
    assert_eq!(
        (&session["ended"], &session["live"]),
        (&true.into(), &false.into())
    );
    let told = site.get(&format!("s/{id}/overview"));
    assert_eq!(told["program"]["flags"], serde_json::json!(["-N2"]));
}
