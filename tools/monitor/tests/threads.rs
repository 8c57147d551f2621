//! Threads: the table of all, one of them, what wakes them, and what goes on at a moment.

use crate::site::{Log, MS, Site, message};
use ghc_eventlog::{EventBody, StopStatus};
use serde_json::Value;

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
fn when_all_threads_have_finished_that_is_known() {
    let (site, id) = Site::of(&threads_log());
    let threads = &site.get(&format!("s/{id}/rows"))["threads"];
    assert_eq!(
        (&threads["alive"], &threads["ended"]),
        (&1.into(), &Value::Null)
    );
    let mut events = Vec::new();
    for (thread, begin) in [(1, MS), (2, 2 * MS)] {
        let status = StopStatus::FINISHED;
        let info = Some(0);
        let stop = EventBody::StopThread {
            thread,
            status,
            info,
        };
        events.extend([
            (begin, EventBody::CreateThread { thread }),
            (begin, EventBody::RunThread { thread }),
            (begin + MS / 2, stop),
        ]);
    }
    events.push((9 * MS, message("the end")));
    let (site, id) = Site::of(&Log::new().block(Some(0), &events).end());
    let threads = &site.get(&format!("s/{id}/rows"))["threads"];
    assert_eq!(threads["alive"], 0);
    assert_eq!(threads["ended"], 2 * MS + MS / 2);
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
            // Its owner runs on the other capability.
            ("blackhole", 14, Some(1), Some(1), Some(2)),
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
