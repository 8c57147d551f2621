//! `eventlog spans`.

mod common;
mod program;

use common::{Log, eventlog_with};
use ghc_eventlog::StopStatus;
use program::{Timed, at, create, everything, message, run, stop};

fn list(options: &[&str], log: &[u8]) -> Vec<(String, u64, serde_json::Value)> {
    let args = [&["spans", "--list", "--json"], options, &["-"]].concat();
    let spans = eventlog_with(&args, log).exits(0).json();
    let span = |of: serde_json::Value| {
        let name = of["name"].as_str().expect("a name").to_owned();
        (
            name,
            of["duration_ns"].as_u64().expect("a duration") / 1_000_000,
            of,
        )
    };
    spans.into_iter().map(span).collect()
}

fn names(options: &[&str], events: &[Timed<'_>]) -> Vec<(String, u64)> {
    let log = Log::new().block(Some(0), &at(events)).end();
    list(options, &log)
        .into_iter()
        .map(|(name, time, _)| (name, time))
        .collect()
}

#[test]
fn spans_are_measured_across_capabilities() {
    let spans = list(&[], &everything());
    let short: Vec<_> = spans
        .iter()
        .map(|(name, time, _)| (name.as_str(), *time))
        .collect();
    assert_eq!(short, [("small", 5), ("small", 10), ("big", 40)]);
    let big = &spans[2].2;
    assert_eq!(big["thread"], 1);
    assert_eq!(big["label"], "main");
    assert_eq!(big["running_ns"], 20_000_000);
    assert_eq!(big["gc_ns"], 4_000_000);
}

#[test]
fn names_are_summarised() {
    let rows = eventlog_with(&["spans", "--json", "-"], &everything())
        .exits(0)
        .json();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (&rows[0]["name"], &rows[0]["total_ns"]),
        (&"big".into(), &40_000_000.into())
    );
    assert_eq!(
        (&rows[1]["count"], &rows[1]["max_ns"]),
        (&2.into(), &10_000_000.into())
    );
    let by_count = eventlog_with(&["spans", "--json", "--by", "count", "-"], &everything()).json();
    assert_eq!(by_count[0]["name"], "small");
    let text = eventlog_with(&["spans", "--per-thread", "-"], &everything())
        .exits(0)
        .stdout;
    assert!(text.contains("1 main"), "{text}");
}

#[test]
fn spans_nest_and_overlap() {
    let nested = [
        (1, message("START a")),
        (2, message("START a")),
        (3, message("STOP a")),
        (9, message("STOP a")),
    ];
    assert_eq!(names(&[], &nested), [("a".into(), 1), ("a".into(), 8)]);
    let numbered = [
        (1, message("START 1 request")),
        (2, message("START 2 request")),
        (5, message("STOP 1 request")),
        (9, message("STOP 2 request")),
    ];
    assert_eq!(
        names(&[], &numbered),
        [("request".into(), 4), ("request".into(), 7)]
    );
}

#[test]
fn threads_have_their_own_spans() {
    let next =
        |from: u32, to: u32, time| [(time, stop(from, StopStatus::YIELDING)), (time, run(to))];
    let mut events = vec![
        (0, create(1)),
        (0, create(2)),
        (0, run(1)),
        (1, message("START work")),
    ];
    events.extend(next(1, 2, 2));
    events.push((3, message("START work")));
    events.extend(next(2, 1, 4));
    // That of thread 1, though thread 2 began later.
    events.push((11, message("STOP work")));
    events.extend(next(1, 2, 12));
    events.push((13, message("STOP work")));
    let log = Log::new().block(Some(0), &at(&events)).end();
    let spans = list(&[], &log);
    let short: Vec<_> = spans
        .iter()
        .map(|(_, time, of)| (*time, of["thread"].as_u64()))
        .collect();
    assert_eq!(short, [(10, Some(1)), (10, Some(2))]);
}

#[test]
fn other_words_can_be_used() {
    let events = [(1, message("begin x")), (4, message("end x"))];
    let options = ["--start", "^begin (.*)", "--stop", "^end (.*)"];
    assert_eq!(names(&options, &events), [("x".into(), 3)]);
    let log = Log::new().end();
    eventlog_with(&["spans", "--start", "(", "-"], &log).exits(2);
}

#[test]
fn what_does_not_fit_is_told() {
    let events = [(1, message("START a")), (2, message("STOP b"))];
    let log = Log::new().block(Some(0), &at(&events)).end();
    let done = eventlog_with(&["spans", "-"], &log).exits(0);
    let done = done.says("1 spans did not end, 1 ends had no beginning");
    assert_eq!(done.stdout, "");
}

#[test]
fn parts_that_the_log_does_not_tell_are_no_numbers() {
    // Of a program run with -l-au: only its own messages.
    let log = Log::new()
        .block(
            Some(0),
            &at(&[(1, message("START a")), (5, message("STOP a"))]),
        )
        .end();
    for options in [
        &["spans", "--json", "-"][..],
        &["spans", "--list", "--json", "-"],
    ] {
        let span = &eventlog_with(options, &log).exits(0).json()[0];
        assert!(
            span["running_ns"].is_null() && span["gc_ns"].is_null(),
            "{span}"
        );
    }
    let text = eventlog_with(&["spans", "-"], &log).exits(0).stdout;
    assert!(
        text.contains("running is not in the log (needs -ls)"),
        "{text}"
    );
    assert!(text.contains("gc is not in the log (needs -lg)"), "{text}");
    assert!(!text.contains('%'), "{text}");
    let options = ["export", "csv", "--what", "spans", "-"];
    let rows = eventlog_with(&options, &log).exits(0).stdout;
    assert!(rows.ends_with(",a,,,,,\n"), "{rows}");

    let told = eventlog_with(&["spans", "-"], &everything())
        .exits(0)
        .stdout;
    assert!(!told.contains("not in the log"), "{told}");
}
