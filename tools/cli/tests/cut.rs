//! `eventlog cut`.

use crate::common::{Log, eventlog_with};
use crate::program::{at, create, everything, marker, message, run, stop};
use crate::rewriting::{assert_valid, count, events, rewritten};
use ghc_eventlog::{EventBody, Header, StopStatus};

#[test]
fn a_cut_has_what_it_needs() {
    let cut = rewritten(&["cut", "--from", "32ms", "--to", "56ms"], &everything());
    assert_valid(&cut);
    let events = events(&cut);
    // No event is outside the range.
    assert!(
        events
            .iter()
            .all(|event| (32_000_000..56_000_000).contains(&event.0)),
        "{events:?}"
    );
    let counts = count(&events);
    // Both threads are alive, one of them runs.
    assert_eq!(counts["create_thread"], 2);
    assert_eq!(counts["thread_label"], 1);
    assert_eq!(counts["rts_identifier"], 1);
    assert_eq!(counts["heap_prof_begin"], 1);
    assert_eq!(counts["user_marker"], 1);
    // The samples at 20 and 60 ms are outside.
    assert!(!counts.contains_key("heap_prof_sample_begin"));

    // The clock still gives the same start.
    let stats = |log: &[u8]| {
        eventlog_with(&["stats", "--json", "-"], log)
            .exits(0)
            .json()
            .remove(0)
    };
    let (whole, part) = (stats(&everything()), stats(&cut));
    assert_eq!(whole["program"], part["program"]);
    // Running totals continue.
    assert_eq!(part["heap"]["allocated_bytes"], 5700);
    // Thread 2 ran from 32 to 55, thread 1 from 40 to 55.
    assert_eq!(part["capabilities"][0]["running_ns"], 23_000_000);
    assert_eq!(part["capabilities"][1]["running_ns"], 15_000_000);
}

#[test]
fn a_cut_of_everything_changes_nothing_but_the_order() {
    let log = everything();
    let (mut before, mut after) = (events(&log), events(&rewritten(&["cut"], &log)));
    before.sort();
    after.sort();
    assert_eq!(before, after);
}

#[test]
fn heap_samples_are_cut_whole() {
    let begin = EventBody::HeapProfSampleBegin { era: 1 };
    let band = EventBody::HeapProfSampleString {
        profile: 0,
        residency: 1,
        label: "x".into(),
    };
    let end = EventBody::HeapProfSampleEnd { era: 1 };
    let log = Log::new()
        .block(None, &at(&[(10, begin), (20, band), (30, end)]))
        .end();
    let samples = |from: &str, to: &str| {
        let cut = rewritten(&["cut", "--from", from, "--to", to], &log);
        count(&events(&cut))
            .iter()
            .filter(|(name, _)| name.starts_with("heap_prof"))
            .count()
    };
    assert_eq!(samples("15ms", "1s"), 0);
    assert_eq!(samples("0s", "15ms"), 3);
    assert_eq!(samples("0s", "1s"), 3);
}

#[test]
fn markers_capabilities_and_types_select() {
    let rounds = [
        (1, marker("round 1")),
        (2, message("a")),
        (3, marker("round 2")),
        (4, message("b")),
        (5, marker("round 3")),
        (6, message("c")),
    ];
    let log = Log::new()
        .block(Some(0), &at(&rounds))
        .block(Some(1), &at(&[(4, message("other"))]))
        .end();
    let texts = |options: &[&str]| -> Vec<String> {
        let cut = rewritten(&[&["cut"], options].concat(), &log);
        events(&cut).into_iter().map(|event| event.2).collect()
    };
    let range = [
        "--from-marker",
        "round 2",
        "--to-marker",
        "round 3",
        "--cap",
        "0",
    ];
    assert_eq!(
        texts(&range),
        [
            "user_marker marker=round 2",
            "user_msg message=b",
            "user_marker marker=round 3"
        ]
    );
    assert_eq!(texts(&["--cap", "1"]), ["user_msg message=other"]);
    assert_eq!(texts(&["--type", "user_marker"]).len(), 3);
    assert_eq!(texts(&["--exclude", "user_marker"]).len(), 4);
}

/// Whatever is left out of a log, the rest is a valid log: no end without a beginning.
#[test]
fn whatever_a_cut_leaves_out_the_rest_is_valid() {
    let task = |task| EventBody::TaskCreate {
        task,
        task_cap: 0,
        kernel_thread: task,
    };
    let migrate = |task| EventBody::TaskMigrate {
        task,
        old_cap: 0,
        new_cap: 1,
    };
    let delete = |task| EventBody::TaskDelete { task };
    let tasks = [
        (10, task(1)),
        // The beginning of this one is not in the log.
        (11, migrate(9)),
        (12, delete(9)),
        (45, migrate(1)),
        (46, task(2)),
        (50, delete(1)),
        (51, delete(2)),
    ];
    let mut log = everything();
    let end = log.len() - 2;
    // The last global block ends at 100 ms.
    let mut block = ghc_eventlog::BlockBuilder::new(None);
    for (time, body) in at(&tasks) {
        block
            .push_body(&Header::standard(), time, &body)
            .expect("an event");
    }
    block.cover(u64::MAX, 100_000_000);
    log.splice(end..end, block.finish().iter().copied());

    let names: std::collections::BTreeSet<String> = events(&log)
        .into_iter()
        .map(|(.., text)| text.split(' ').next().unwrap_or_default().to_owned())
        .collect();
    let mut cuts: Vec<Vec<&str>> = vec![vec![], vec!["--cap", "0"], vec!["--cap", "1"]];
    for name in &names {
        cuts.push(vec!["--type", name]);
        cuts.push(vec!["--exclude", name]);
    }
    for from in ["0s", "22ms", "47ms"] {
        for what in &cuts {
            let cut = rewritten(&[&["cut", "--from", from][..], what].concat(), &log);
            let valid = eventlog_with(&["validate", "-"], &cut);
            assert_eq!(valid.code, 0, "{from} {what:?}: {}", valid.stdout);
            let mut alive = std::collections::BTreeSet::new();
            for (.., text) in events(&cut) {
                let mut words = text.split(' ');
                let (name, task) = (words.next().unwrap_or_default(), words.next());
                let task = task.map(str::to_owned);
                let known = match name {
                    "task_create" => alive.insert(task),
                    "task_migrate" => alive.contains(&task),
                    "task_delete" => alive.remove(&task),
                    _ => true,
                };
                assert!(known, "{from} {what:?}: {text}");
            }
        }
    }
    // The result contains what was asked for, with what belongs to it, and nothing else.
    let runs = events(&rewritten(&["cut", "--type", "run_thread"], &log));
    let counts = count(&runs);
    assert_eq!((counts["run_thread"], counts["stop_thread"]), (3, 3));
    assert!(!counts.contains_key("create_thread"));
    let none = events(&rewritten(&["cut", "--exclude", "gc_end"], &log));
    assert!(!count(&none).contains_key("gc_start"));
}

/// Limits are respected: after a million threads the cut is like one after a thousand.
#[test]
fn a_cut_after_a_million_threads_has_what_was_told_last() {
    const THREADS: u32 = 1 << 20;
    let mut log = Log::new().block(None, &[(1, EventBody::CapCreate { created_cap: 0 })]);
    let all: Vec<u32> = (1..=THREADS).collect();
    for threads in all.chunks(1 << 16) {
        let created: Vec<_> = threads.iter().map(|&it| (10, create(it))).collect();
        log = log.block(Some(0), &created);
    }
    for threads in all.chunks(1 << 16) {
        let over = threads.iter().flat_map(|&it| {
            let time = 20 + u64::from(it);
            [(time, run(it)), (time, stop(it, StopStatus::FINISHED))]
        });
        log = log.block(Some(0), &over.collect::<Vec<_>>());
    }
    let centre = EventBody::HeapProfCostCentre {
        cost_centre: 7,
        label: "f".into(),
        module: "M".into(),
        location: "f.hs".into(),
        is_caf: 0,
    };
    let last = [
        (2_000_000, centre),
        (2_000_000, EventBody::CapCreate { created_cap: 1 }),
    ];
    let log = log
        .block(None, &last)
        .block(Some(0), &[(3_000_000, message("after"))])
        .end();
    let cut = rewritten(&["cut", "--from", "2500us"], &log);
    assert_valid(&cut);
    let texts: Vec<String> = events(&cut).into_iter().map(|event| event.2).collect();
    assert_eq!(
        texts,
        [
            "cap_create created_cap=0",
            "cap_create created_cap=1",
            "heap_prof_cost_centre cost_centre=7 label=f module=M location=f.hs is_caf=0",
            "user_msg message=after",
        ]
    );
}
