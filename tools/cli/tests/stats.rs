//! `eventlog stats`.

use crate::common::{Dir, Log, command, eventlog, eventlog_with};
use crate::found::Tool;
use crate::program::{at, create, everything, message, run, stop};
use ghc_eventlog::notes::{Note, RunLoss};
use ghc_eventlog::{EventBody, StopStatus};
use std::io::Write;
use std::os::unix::net::UnixListener;

#[test]
fn a_log_is_summarised() {
    let dir = Dir::new();
    let log = dir.with("a.eventlog", &everything());
    let all = eventlog(&["stats", "--json", &log]).exits(0).json();
    let [report] = all.as_slice() else {
        panic!("{all:?}")
    };

    assert_eq!(report["program"]["name"], "demo");
    assert_eq!(report["program"]["rts"], "GHC-9.99 rts_test");
    assert_eq!(report["program"]["pid"], 77);
    // The wall clock was logged 1 ms after the start.
    assert_eq!(
        report["program"]["started"],
        "1970-01-01T00:16:40.000000000Z"
    );

    assert_eq!(report["time"]["elapsed_ns"], 100_000_000);
    assert_eq!(report["time"]["gc_ns"], 4_000_000);
    assert_eq!(report["time"]["productivity"], 0.96);

    // Two collections, led by capability 0; capability 1 only took part.
    assert_eq!(report["gc"]["pauses"]["count"], 2);
    assert_eq!(report["gc"]["pauses"]["max_ns"], 4_000_000);
    let generations = report["gc"]["generations"].as_array().expect("generations");
    let counts: Vec<_> = generations
        .iter()
        .map(|of| (&of["generation"], &of["pauses"]["count"]))
        .collect();
    assert_eq!(
        format!("{counts:?}"),
        "[(Number(0), Number(1)), (Number(1), Number(1))]"
    );
    assert_eq!(report["gc"]["work_balance"], 1.0);

    // Running totals of two capabilities.
    assert_eq!(report["heap"]["allocated_bytes"], 9700);
    assert_eq!(report["heap"]["peak_live_bytes"], 3000);
    assert_eq!(report["heap"]["peak_size_bytes"], 8000);
    assert_eq!(report["heap"]["heap_profile_samples"], 2);

    assert_eq!(report["threads"]["created"], 2);
    assert_eq!(report["threads"]["finished"], 1);
    assert_eq!(report["threads"]["peak_alive"], 2);
    assert_eq!(report["threads"]["switches"], 3);
    assert_eq!(report["threads"]["migrations"], 1);
    assert_eq!(report["sparks"]["converted"], 5);
    assert_eq!(report["sparks"]["fizzled"], 2);

    let caps = report["capabilities"].as_array().expect("capabilities");
    let running: Vec<_> = caps.iter().map(|cap| cap["running_ns"].as_u64()).collect();
    assert_eq!(running, [Some(35_000_000), Some(15_000_000)]);
    assert_eq!(caps[1]["gc_ns"], 4_000_000);
    assert_eq!(report["stream"]["user_markers"], 1);
}

#[test]
fn people_get_text() {
    let dir = Dir::new();
    let log = dir.with("a.eventlog", &everything());
    let done = eventlog(&["stats", &log]).exits(0);
    for wanted in [
        "demo, GHC-9.99",
        "96.0%",
        "generation 1",
        "created     2",
        "9 created: 5 converted",
    ] {
        assert!(
            done.stdout.contains(wanted),
            "no {wanted:?} in {}",
            done.stdout
        );
    }
    assert!(!done.stdout.contains('\x1b'), "colours without a terminal");
    assert_eq!(done.stderr, "");
}

#[test]
fn threads_are_ranked_by_running_time() {
    let log = everything();
    let done = eventlog_with(&["stats", "--json", "--threads=1", "-"], &log).exits(0);
    let report = &done.json()[0];
    let top = report["top_threads"].as_array().expect("threads");
    assert_eq!(top.len(), 1);
    assert_eq!(top[0]["thread"], 1);
    assert_eq!(top[0]["label"], "main");
    // 10 ms on one capability, 15 ms on the other.
    assert_eq!(top[0]["running_ns"], 25_000_000);
    assert_eq!(top[0]["state"], "finished");
    assert_eq!(top[0]["migrations"], 1);
}

#[test]
fn sessions_are_told_apart() {
    let twice = [everything(), everything()].concat();
    let reports = eventlog_with(&["stats", "--json", "-"], &twice)
        .exits(0)
        .json();
    assert_eq!(reports.len(), 2);
    assert_eq!(reports[1]["session"], 2);
    assert_eq!(reports[0]["heap"], reports[1]["heap"]);
}

#[test]
fn losses_on_the_way_are_told() {
    let log = Log::new()
        .block(
            Some(0),
            &at(&[
                (
                    1,
                    message("eventlog-socket: lost 3 chunks, 4096 bytes, between 0.1 s and 0.2 s"),
                ),
                (2, message("eventlog-socket: lost 1 chunk, 10 bytes")),
                (3, message("lost 99 chunks, 99 bytes")),
            ]),
        )
        .end();
    let report = &eventlog_with(&["stats", "--json", "-"], &log)
        .exits(0)
        .json()[0];
    assert_eq!(report["stream"]["lost_chunks"], 4);
    assert_eq!(report["stream"]["lost_bytes"], 4106);
    eventlog_with(&["stats", "-"], &log).exits(0);
}

#[test]
fn what_a_recorder_dropped_is_told() {
    let loss = RunLoss {
        blocks: 7,
        size: "3 MB",
        since: "0.1 s",
        until: "0.2 s",
    };
    let text = Note::RunLoss(loss).to_string();
    let dropped = EventBody::LogMsg {
        message: text.as_str().into(),
    };
    let chunks = message("eventlog-socket: lost 3 chunks, 4096 bytes");
    for (events, chunks, told) in [
        (&[dropped][..], 0, "7 blocks on the way (told 1 times)"),
        (
            &[dropped, chunks],
            3,
            "3 chunks with 4.00 KiB and 7 blocks on the way (told 2 times)",
        ),
    ] {
        let events: Vec<_> = (1..).zip(events.iter().copied()).collect();
        let log = Log::new().block(None, &at(&events)).end();
        let report = &eventlog_with(&["stats", "--json", "-"], &log)
            .exits(0)
            .json()[0];
        assert_eq!(report["stream"]["lost_blocks"], 7);
        assert_eq!(report["stream"]["lost_chunks"], chunks);
        let text = eventlog_with(&["stats", "-"], &log).exits(0).stdout;
        assert!(text.contains(told), "no {told:?} in {text}");
    }
}

/// A thread that its own capability wakes is ready from then on. A wake-up by another capability
/// is only a message to its own.
#[test]
fn a_wake_up_ends_the_time_in_which_a_thread_is_blocked() {
    let (run, blocked) = (run(1), stop(1, StopStatus(8)));
    let wake = EventBody::ThreadWakeup {
        thread: 1,
        other_cap: 0,
    };
    for (waker, wanted) in [(0, [10, 33, 20]), (1, [10, 3, 50])] {
        let log = Log::new()
            .block(Some(0), &at(&[(0, create(1)), (3, run)]))
            .block(Some(0), &at(&[(8, blocked)]))
            .block(Some(waker), &at(&[(28, wake)]))
            .block(Some(0), &at(&[(58, run), (63, blocked)]))
            .end();
        let report = &eventlog_with(&["stats", "--json", "--threads", "-"], &log)
            .exits(0)
            .json()[0];
        let thread = &report["top_threads"][0];
        let times = ["running_ns", "runnable_ns", "blocked_ns"];
        let wanted = wanted.map(|time: u64| time * 1_000_000);
        assert_eq!(times.map(|of| thread[of].as_u64()), wanted.map(Some));
    }
}

#[test]
fn what_came_before_a_fault_is_used() {
    let mut log = everything();
    let good = eventlog_with(&["stats", "--json", "-"], &log)
        .exits(0)
        .json();
    let end = log.len() - 2;
    log.truncate(end);
    log.extend_from_slice(&[0x77; 100]);
    let done = eventlog_with(&["stats", "--json", "-"], &log).exits(1);
    let done = done.says(&format!("byte {end}")).says("repair");
    assert_eq!(done.json()[0]["heap"], good[0]["heap"]);
}

#[test]
fn a_log_that_breaks_off_is_no_failure() {
    let log = everything();
    let done = eventlog_with(&["stats", "--json", "-"], &log[..log.len() - 7]).exits(0);
    assert!(done.stderr.contains("cut off"), "{}", done.stderr);
    assert_eq!(done.json()[0]["threads"]["created"], 2);
    eventlog_with(&["stats", "-"], b"").exits(1);
    eventlog_with(&["stats", "-"], &log[..100]).exits(1);
}

#[test]
fn a_running_program_is_followed() {
    let dir = Dir::new();
    let path = dir.file("socket");
    let listener = UnixListener::bind(&path).expect("a socket");
    let source = format!("unix:{path}");
    let mut stats = command();
    stats.args([
        "stats",
        "--json",
        "--follow",
        "--interval",
        "100ms",
        &source,
    ]);
    let mut stats = Tool::start(&mut stats);
    let (mut client, _) = listener.accept().expect("a client");
    let mut log = Log::new();
    let mut sent = 0;
    for n in 1..=20u64 {
        let allocated = EventBody::HeapAllocated {
            capset: 0,
            bytes: 1000 * n,
        };
        log = log.block(Some(0), &at(&[(n * 100, allocated)]));
        client.write_all(&log.bytes[sent..]).expect("it listens");
        sent = log.bytes.len();
        if n % 5 == 0 {
            let reports = stats.count();
            stats.prints_more_than(reports);
        }
    }
    client.write_all(&[0xff, 0xff]).expect("it listens");
    drop(client);
    assert!(stats.end().success(), "{}", stats.told());
    let parse = |line: &String| serde_json::from_str(line).expect("JSON");
    let reports: Vec<serde_json::Value> = stats.lines().iter().map(parse).collect();
    assert!(reports.len() >= 4, "{} reports", reports.len());
    let last = reports.last().expect("a report");
    assert_eq!(last["complete"], true);
    assert_eq!(last["heap"]["allocated_bytes"], 20_000);
    let new: u64 = reports
        .iter()
        .filter_map(|of| of["interval"]["allocated_bytes"].as_u64())
        .sum();
    // Nothing may have arrived before the first one.
    let first = reports[0]["heap"]["allocated_bytes"].as_u64();
    assert_eq!(new + first.unwrap_or(0), 20_000);
}

/// Figures that need certain events, by the class that has them.
const OF_GC: [&str; 11] = [
    "/time/gc_ns",
    "/time/mutator_ns",
    "/time/productivity",
    "/gc",
    "/heap/allocated_bytes",
    "/heap/allocation_rate",
    "/heap/live_bytes",
    "/heap/peak_live_bytes",
    "/heap/size_bytes",
    "/heap/peak_size_bytes",
    "/capabilities/0/gc_ns",
];
const OF_SCHEDULER: [&str; 5] = [
    "/threads",
    "/top_threads",
    "/capabilities/0/running_ns",
    "/capabilities/0/utilisation",
    "/capabilities/0/switches",
];

/// The log of `everything` without the events of some classes.
fn without(classes: &[&str]) -> Vec<u8> {
    let dir = Dir::new();
    let log = dir.with("a.eventlog", &everything());
    let mut kept = Log::new();
    let mut reader = ghc_eventlog::Reader::new(std::fs::File::open(&log).expect("a log"));
    let unwanted = |id: u16| match id {
        0..=4 | 8 | 15 => classes.contains(&"scheduler"),
        9..=12 | 20..=22 | 49..=54 | 90 | 91 => classes.contains(&"gc"),
        34..=41 => classes.contains(&"sparks"),
        _ => false,
    };
    while let Some(item) = reader.next_item().expect("a log without faults") {
        if let ghc_eventlog::Item::Event(event) = item
            && !unwanted(event.id())
        {
            kept = kept.block(event.cap, &[(event.time, event.body)]);
        }
    }
    kept.end()
}

#[test]
fn what_the_events_cannot_tell_is_no_number() {
    let gc = "not in the log (needs -lg)";
    let scheduler = "not in the log (needs -ls)";
    let cases: [(&[&str], &[&str], &[&str]); 5] = [
        (&[], &[], &[]),
        (&["gc"], &OF_GC, &[gc]),
        (&["scheduler"], &OF_SCHEDULER, &[scheduler]),
        (&["sparks"], &["/sparks"], &["sparks      not in the log"]),
        (
            &["gc", "scheduler", "sparks"],
            &[&OF_GC[..], &OF_SCHEDULER, &["/sparks"]].concat(),
            &[gc, scheduler, "not in the log (needs -lsg)"],
        ),
    ];
    let all = [&OF_GC[..], &OF_SCHEDULER, &["/sparks"]].concat();
    for (classes, unknown, told) in cases {
        let log = without(classes);
        let options = ["stats", "--threads", "--json", "-"];
        let report = &eventlog_with(&options, &log).exits(0).json()[0];
        for path in &all {
            let value = report.pointer(path);
            assert!(value.is_some(), "{classes:?}: no {path}");
            let null = value.is_some_and(serde_json::Value::is_null);
            assert_eq!(
                null,
                unknown.contains(path),
                "{classes:?}: {path} is {value:?}"
            );
        }
        assert!(report["time"]["elapsed_ns"].is_u64(), "{report}");
        let text = eventlog_with(&["stats", "--threads", "-"], &log)
            .exits(0)
            .stdout;
        for told in told {
            assert!(text.contains(told), "{classes:?}: no {told:?} in {text}");
        }
        assert_eq!(text.contains("not in the log"), !told.is_empty(), "{text}");
        assert_eq!(
            text.contains("%") && text.contains("productivity"),
            !classes.contains(&"gc")
        );
    }
}

#[test]
fn a_log_without_events_has_no_times() {
    let report = &eventlog_with(&["stats", "--json", "-"], &Log::new().end())
        .exits(0)
        .json()[0];
    for of in ["first_ns", "last_ns", "elapsed_ns"] {
        assert!(report["time"][of].is_null(), "{report}");
    }
    assert!(report["program"]["args"].is_null(), "{report}");
    let text = eventlog_with(&["stats", "-"], &Log::new().end())
        .exits(0)
        .stdout;
    assert!(text.contains("it has no events"), "{text}");
    // In that case it is not known which options the program lacks.
    assert!(!text.contains("needs -l"), "{text}");
}
