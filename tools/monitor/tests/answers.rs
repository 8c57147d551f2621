//! Answers agree with the log: they are compared with other ways to compute them.

use crate::site::{Log, Site, message, real};
use eventlog_series::{Row, Rows};
use eventlog_state::{Fact, Keep, Merge, MergeOptions, State, Step, Totals};
use ghc_eventlog::{
    Breakdown, CapsetType, EventBody, Header, Item, Reader, StopStatus, Text, Texts,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

const REAL: [&str; 2] = ["9.0.2-hello", "9.10.3-hello-ipe"];
const MS: u64 = 1_000_000;

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

/// Two threads of two capabilities: one wakes the other, which then goes to the other capability.
fn threads_log() -> Vec<u8> {
    let create = |thread| EventBody::CreateThread { thread };
    let run = |thread| EventBody::RunThread { thread };
    let stop = |thread, status, info| EventBody::StopThread {
        thread,
        status,
        info: Some(info),
    };
    let mvar = StopStatus(7);
    Log::new()
        .block(
            None,
            &[
                (0, EventBody::CapCreate { created_cap: 0 }),
                (0, EventBody::CapCreate { created_cap: 1 }),
            ],
        )
        .block(
            Some(0),
            &[
                (MS, create(1)),
                (MS, create(2)),
                (
                    2 * MS,
                    EventBody::ThreadLabel {
                        thread: 2,
                        label: "worker".into(),
                    },
                ),
                (2 * MS, run(2)),
                (4 * MS, stop(2, mvar, 0)),
                (5 * MS, run(1)),
                (
                    10 * MS,
                    EventBody::ThreadWakeup {
                        thread: 2,
                        other_cap: 0,
                    },
                ),
                (
                    12 * MS,
                    EventBody::MigrateThread {
                        thread: 2,
                        new_cap: 1,
                    },
                ),
                (14 * MS, stop(1, StopStatus::BLACK_HOLE, 2)),
                (20 * MS, message("the end")),
            ],
        )
        .block(
            Some(1),
            &[
                (13 * MS, run(2)),
                (19 * MS, stop(2, StopStatus::FINISHED, 0)),
                (20 * MS, message("the end")),
            ],
        )
        .end()
}

#[test]
fn the_table_of_threads() {
    let (site, id) = Site::of(&threads_log());
    let threads = site.get(&format!("s/{id}/threads?sort=run_time&desc=1"));
    assert_eq!(threads["total"], 2);
    let rows = threads["rows"].as_array().unwrap();
    assert_eq!([&rows[0]["id"], &rows[1]["id"]], [1, 2]);
    assert_eq!(
        [&rows[0]["run_time"], &rows[1]["run_time"]],
        [9 * MS, 8 * MS]
    );
    assert_eq!(rows[0]["state"], "blocked");
    assert_eq!(rows[0]["reason"], "black_hole");
    assert_eq!(rows[0]["waits_for"], 2);
    assert_eq!(rows[0]["blocked"]["black_hole"], 6 * MS);
    assert_eq!(rows[1]["state"], "finished");
    assert_eq!(rows[1]["label"], "worker");
    assert_eq!(rows[1]["blocked"]["mvar"], 6 * MS);
    assert_eq!(rows[1]["ended"], 19 * MS);
    assert_eq!(rows[1]["migrations"], 1);
    assert_eq!(rows[1]["switches"], 2);
    let ids = |query: &str| -> Vec<u64> {
        let told = site.get(&format!("s/{id}/threads?{query}"));
        let rows = told["rows"].as_array().unwrap().iter();
        rows.map(|row| row["id"].as_u64().unwrap()).collect()
    };
    assert_eq!(ids("find=WORK"), [2]);
    assert_eq!(ids("find=1"), [1]);
    assert_eq!(ids("find=nobody"), [0; 0]);
    assert_eq!(ids(&format!("from={}", 19 * MS + 1)), [1]);
    assert_eq!(ids(&format!("to={MS}")), [0; 0]);
    assert_eq!(ids("sort=id&desc=1&limit=1"), [2]);
    assert_eq!(ids("sort=id&offset=1&limit=5"), [2]);
    assert_eq!(ids("sort=ended&offset=9"), [0; 0]);
    let one = site.get(&format!("s/{id}/thread/2"));
    assert_eq!(one["runs"][0]["from"], 13 * MS);
    assert_eq!(one["runs"][0]["cap"], 1);
    assert_eq!(one["runs"][1]["to"], 4 * MS);
    assert_eq!(one["blocked_longest"]["reason"], "mvar");
    assert_eq!(one["label"], "worker");
}

#[test]
fn arrows_and_what_goes_on_at_a_moment() {
    let (site, id) = Site::of(&threads_log());
    let arrows = site.get(&format!("s/{id}/arrows"));
    assert_eq!(arrows["total"], 3);
    let told: Vec<_> = arrows["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let number = |name: &str| it[name].as_u64();
            let kind = it["kind"].as_str().unwrap();
            (
                kind,
                number("time").unwrap() / MS,
                number("thread"),
                number("to_cap"),
                number("by"),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("wakeup", 10, Some(2), Some(0), Some(1)),
            ("migration", 12, Some(2), Some(1), Some(1)),
            ("blackhole", 14, Some(1), None, Some(2)),
        ]
    );
    let few = site.get(&format!(
        "s/{id}/arrows?from={}&to={}&limit=1",
        11 * MS,
        20 * MS
    ));
    assert_eq!(
        (&few["total"], &few["rows"][0]["kind"]),
        (&2.into(), &"migration".into())
    );
    let at = |row: &str, time: u64| site.get(&format!("s/{id}/at?row={row}&time={time}"));
    let blocked = at("t2", 7 * MS);
    assert_eq!(blocked["interval"]["state"], "blocked");
    assert_eq!(blocked["interval"]["reason"], "mvar");
    assert_eq!(blocked["interval"]["from"], 4 * MS);
    assert_eq!(blocked["interval"]["woken_by"]["thread"], 1);
    assert_eq!(blocked["interval"]["woken_by"]["time"], 10 * MS);
    assert_eq!(blocked["interval"]["label"], Value::Null);
    let names = |told: &Value| -> Vec<String> {
        let events = told["events"].as_array().unwrap().iter();
        events
            .map(|it| it["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names(&blocked),
        [
            "create_thread",
            "thread_label",
            "run_thread",
            "stop_thread",
            "thread_wakeup",
            "migrate_thread",
            "run_thread",
            "stop_thread",
        ]
    );
    let running = at("c0", 6 * MS);
    assert_eq!(running["interval"]["state"], "mutator");
    assert_eq!(running["interval"]["thread"], 1);
    let near = site.get(&format!(
        "s/{id}/at?row=c0&time={}&before=1&after=2",
        5 * MS
    ));
    assert_eq!(
        names(&near),
        ["run_thread", "thread_wakeup", "migrate_thread"]
    );
    assert_eq!(at("t99", 5 * MS)["interval"], Value::Null);
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

fn heap_profile(breakdown: Breakdown) -> EventBody<'static> {
    let empty = Text(b"");
    EventBody::HeapProfBegin {
        profile: 0,
        period: 1,
        breakdown,
        module_filter: empty,
        closure_filter: empty,
        type_filter: empty,
        cost_centre_filter: empty,
        stack_filter: empty,
        retainer_filter: empty,
        biography_filter: empty,
    }
}

/// A sample by info table of a log that was written by GHC 9.10, and what its map says about them.
#[test]
fn bands_of_info_tables_have_their_place_in_the_source() {
    let log = include_bytes!("../web/tests/heap-i.eventlog");
    let (site, id) = Site::of(log);
    let told = site.get(&format!("s/{id}/heap?top=1000"));
    assert_eq!(told["breakdown"], "info_table");
    assert_eq!(told.get("missing"), None);
    let mut reader = Reader::new(&log[..]);
    let (mut map, mut used) = (BTreeMap::new(), 0);
    while let Some(item) = reader.next_item().unwrap() {
        let Item::Event(event) = item else {
            continue;
        };
        if let EventBody::Ipe {
            info,
            table_name,
            type_desc,
            label,
            module,
            location,
            ..
        } = event.body
        {
            let texts = [table_name, type_desc, label, module, location];
            let mut texts = texts.map(|it| it.to_string());
            // Neither the file nor the span is known.
            if texts[4] == ":" {
                texts[4].clear();
            }
            map.insert(format!("{info:#x}"), texts);
        }
    }
    for band in told["bands"].as_array().unwrap() {
        let Some(table) = band.get("table") else {
            // Tables of the libraries, which were built without a map.
            let name = band["name"].as_str().unwrap();
            assert!(name.starts_with("0x") && !map.contains_key(name), "{name}");
            continue;
        };
        let keys = ["name", "type", "label", "module", "location"];
        let texts = keys.map(|key| table[key].as_str().unwrap().to_owned());
        let own = &map[table["address"].as_str().unwrap()];
        // Of several tables of one place the first one is named.
        assert_eq!(texts[3..], own[3..]);
        assert!(map.values().any(|it| *it == texts), "{texts:?}");
        assert!(texts[4].starts_with("Heap.hs:") || texts[4].is_empty());
        used += 1;
    }
    assert!(used > 3, "{used} bands have names: {told:#}");
}

#[test]
fn without_a_map_of_info_tables_the_flag_is_named() {
    const S: u64 = 1_000_000_000;
    let sample = [
        (1, heap_profile(Breakdown::INFO_TABLE)),
        (S, EventBody::HeapProfSampleBegin { era: 1 }),
        (
            S,
            EventBody::HeapProfSampleString {
                profile: 0,
                residency: 80,
                label: "0x474db0".into(),
            },
        ),
        (S, EventBody::HeapProfSampleEnd { era: 1 }),
    ];
    let (site, id) = Site::of(&Log::new().block(None, &sample).end());
    let told = site.get(&format!("s/{id}/heap"));
    let flag = told["missing"]["flag"].as_str().unwrap();
    assert!(flag.contains("-finfo-table-map"), "{told:#}");
    assert_eq!(told["bands"][0]["name"], "0x474db0");
    // Nor is there a tree of stacks.
    let error = site.refused(&format!("s/{id}/heap/tree"), 404);
    assert!(error.contains("-hc"), "{error}");
}

#[test]
fn the_heap_profile_by_band_and_its_difference() {
    let begin = heap_profile(Breakdown::CLOSURE_TYPE);
    const S: u64 = 1_000_000_000;
    let band = |label: &'static str, residency| EventBody::HeapProfSampleString {
        profile: 0,
        residency,
        label: label.into(),
    };
    let mut events = vec![(1, begin)];
    for n in 1..=100u64 {
        let time = n * S;
        events.push((time, EventBody::HeapProfSampleBegin { era: n }));
        events.push((time, band("leak", 100 * n)));
        events.push((time, band("steady", 5000)));
        events.push((time, band("small", 1)));
        events.push((time, EventBody::HeapProfSampleEnd { era: n }));
    }
    let (site, id) = Site::of(&Log::new().block(None, &events).end());
    let told = site.get(&format!("s/{id}/heap?top=2"));
    assert_eq!(told["breakdown"], "closure_type");
    assert_eq!(
        (&told["total"], &told["other_bands"]),
        (&100.into(), &1.into())
    );
    let bands = told["bands"].as_array().unwrap();
    let leak = bands.iter().find(|band| band["name"] == "leak").unwrap();
    assert!((leak["trend"].as_f64().unwrap() - 100.0).abs() < 1e-6);
    assert_eq!(leak["values"][9], 1000);
    assert_eq!(leak["max"], 10_000);
    let steady = bands.iter().find(|band| band["name"] == "steady").unwrap();
    assert!(steady["trend"].as_f64().unwrap().abs() < 1e-6);
    assert!(told["other"].as_array().unwrap().iter().all(|it| *it == 1));
    // Some of many samples, unchanged.
    let some = site.get(&format!("s/{id}/heap?points=10&from={}", 50 * S));
    let samples = some["samples"].as_array().unwrap();
    assert_eq!((samples.len(), &some["total"]), (10, &51.into()));
    for (at, time) in samples.iter().enumerate() {
        let leak = &some["bands"]
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["name"] == "leak");
        let value = leak.unwrap()["values"][at].as_u64().unwrap();
        assert_eq!(value, time.as_u64().unwrap() / S * 100);
    }
    let apart = site.get(&format!(
        "s/{id}/heap/diff?a={}&b={}",
        20 * S + 7,
        70 * S - 7
    ));
    assert_eq!(
        (&apart["a"], &apart["b"]),
        (&(20 * S).into(), &(70 * S).into())
    );
    let first = &apart["bands"][0];
    assert_eq!(
        (&first["name"], &first["change"]),
        (&"leak".into(), &5000.into())
    );
    assert_eq!((&first["a"], &first["b"]), (&2000.into(), &7000.into()));
    assert_eq!(
        apart["total_b"].as_u64().unwrap() - apart["total_a"].as_u64().unwrap(),
        5000
    );
}

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
