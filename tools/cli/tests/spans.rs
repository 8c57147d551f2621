//! `eventlog spans`.

use crate::common::{Dir, Log, command, eventlog_with};
use crate::program::{Timed, at, create, everything, message, run, stop};
use ghc_eventlog::StopStatus;
use std::fs::File;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

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
    // The last line sums up.
    assert_eq!(rows.len(), 3);
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
    // The span of thread 1, though thread 2 began later.
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
    let done = done.says("spans that did not end: 1; ends without a beginning: 1");
    assert_eq!(done.stdout, "");
}

#[test]
fn parts_that_the_log_does_not_tell_are_no_numbers() {
    // The log of a program run with -l-au: only its own messages.
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
    // Everything is known about the durations.
    let mut others = text.lines().filter(|line| !line.starts_with("outside"));
    assert!(others.all(|line| !line.contains('%')), "{text}");
    let options = ["export", "csv", "--what", "spans", "-"];
    let rows = eventlog_with(&options, &log).exits(0).stdout;
    assert!(rows.ends_with(",a,,,,,\n"), "{rows}");

    let told = eventlog_with(&["spans", "-"], &everything())
        .exits(0)
        .stdout;
    assert!(!told.contains("not in the log"), "{told}");
}

#[test]
fn a_name_may_have_several_lines() {
    let events = [
        (1, message("START load\nconfig")),
        (4, message("STOP load\nconfig")),
        (5, message("begin a\nb")),
        (7, message("end a\nb")),
    ];
    assert_eq!(names(&[], &events), [("load\nconfig".into(), 3)]);
    let rules = ["--start", "^begin (.*)$", "--stop", "^end (.*)$"];
    assert_eq!(names(&rules, &events), [("a\nb".into(), 2)]);
    // The same for `show --grep`.
    let log = Log::new().block(Some(0), &at(&events)).end();
    let shown = eventlog_with(&["show", "--grep", "START.*config$", "-"], &log).exits(0);
    assert_eq!(shown.lines().len(), 1);
}

#[test]
fn any_two_messages_make_a_span() {
    let events = [
        (1, message("request arrives")),
        (4, message("answer leaves")),
        (5, message("request arrives")),
        (6, message("request arrives")),
        (8, message("answer leaves")),
    ];
    let between = ["--from", "^request", "--to", "^answer"];
    let name = "^request -> ^answer";
    assert_eq!(
        names(&between, &events),
        [(name.into(), 3), (name.into(), 2)]
    );
    // One message may end a span and begin the next.
    let ticks = [1, 3, 6].map(|time| (time, message("tick")));
    let between = ["--from", "tick", "--to", "tick"];
    let name = "tick -> tick";
    assert_eq!(
        names(&between, &ticks),
        [(name.into(), 2), (name.into(), 3)]
    );
    let log = Log::new().block(Some(0), &at(&ticks)).end();
    let args = [&["spans"], &between[..], &["-"]].concat();
    eventlog_with(&args, &log).exits(0).says(
        "spans that did not end: 1
",
    );
}

#[test]
fn any_two_messages_may_tell_what_belongs_together() {
    let events = [
        (1, message("got 7 from a")),
        (2, message("got 8 from b")),
        (5, message("sent 7 to a")),
        (9, message("sent 8 to b")),
    ];
    let numbers = ["--from", r"^got (?P<id>\d+)", "--to", r"^sent (?P<id>\d+)"];
    let spans = names(&numbers, &events);
    assert_eq!(
        spans.iter().map(|(_, time)| *time).collect::<Vec<_>>(),
        [4, 7]
    );
    let names_too = ["--from", "^got .* from (.*)", "--to", "^sent .* to (.*)"];
    assert_eq!(
        names(&names_too, &events),
        [("a".into(), 4), ("b".into(), 7)]
    );
    // A group that only one of them has is of no use: the latest is meant.
    let one = ["--from", "^got (.*) from", "--to", "^sent"];
    let spans = names(&one, &events);
    assert_eq!(
        spans.iter().map(|(_, time)| *time).collect::<Vec<_>>(),
        [3, 8]
    );
}

#[test]
fn other_threads_end_what_has_waited_longest() {
    let events = [
        (0, create(1)),
        (0, create(2)),
        (1, run(1)),
        (1, message("put")),
        (3, message("put")),
        (4, stop(1, StopStatus::MVAR)),
        (5, run(2)),
        (6, message("take")),
        (7, message("take")),
        (8, stop(2, StopStatus::FINISHED)),
    ];
    let spans = names(&["--from", "put", "--to", "take"], &events);
    assert_eq!(
        spans.iter().map(|(_, time)| *time).collect::<Vec<_>>(),
        [5, 4]
    );
}

#[test]
fn messages_to_measure_between_come_in_twos() {
    for args in [
        &["--from", "a"][..],
        &["--to", "a"],
        &["--from", "a", "--to", "b", "--start", "c"],
        &["--from", "(", "--to", "b"],
    ] {
        eventlog_with(&[&["spans"], args, &["-"]].concat(), b"").exits(2);
    }
}

#[test]
fn time_outside_all_spans_is_told() {
    let events = [
        (10, message("the beginning")),
        (20, message("START a")),
        (30, message("START b")),
        (40, message("STOP a")),
        (50, message("STOP b")),
        (60, message("START never ends")),
        (70, message("START a")),
        (75, message("STOP a")),
        (110, message("the end")),
    ];
    let log = Log::new().block(Some(0), &at(&events)).end();
    let rows = eventlog_with(&["spans", "--json", "-"], &log)
        .exits(0)
        .json();
    let summary = &rows.last().expect("a summary")["summary"];
    assert_eq!(summary["log_ns"], 100_000_000);
    // All except 20 to 50 and 70 to 75: overlaps count once, spans that did not end not at all.
    assert_eq!(summary["outside_ns"], 65_000_000);
    assert_eq!(summary["spans"], 3);
    let text = eventlog_with(&["spans", "-"], &log).exits(0).stdout;
    assert!(
        text.contains("outside all spans: 65.0ms of 100ms (65.0%)"),
        "{text}"
    );
    // A log that starts again has two beginnings and two ends.
    let twice = [&log[..], &log].concat();
    let rows = eventlog_with(&["spans", "--json", "-"], &twice).json();
    let summary = &rows.last().expect("a summary")["summary"];
    assert_eq!(summary["log_ns"], 200_000_000);
    assert_eq!(summary["outside_ns"], 130_000_000);
}

/// There may be other capabilities, of which nothing was said: they are not waited for forever.
#[test]
fn a_span_of_a_program_that_says_nothing_more_is_listed() {
    let dir = Dir::new();
    let socket = dir.file("app.sock");
    let program = UnixListener::bind(&socket).expect("a socket");
    let mut child = command()
        .args(["spans", "--list", "--json", &format!("unix:{socket}")])
        .stdout(File::create(dir.file("spans")).expect("a file"))
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut client = program.accept().expect("a client").0;
    let log = Log::new().messages(0, &[(5_000, "START a"), (9_000, "STOP a")]);
    client.write_all(&log.bytes).expect("it reads");
    // If it does not come, the connection ends with the test, and so does whoever reads from it.
    let spans = || std::fs::read_to_string(dir.file("spans")).expect("UTF-8");
    crate::common::wait_until("a span comes", || spans().ends_with('\n'));
    let span: serde_json::Value = serde_json::from_str(&spans()).expect("JSON");
    assert_eq!(span["name"], "a", "{span}");
    // With the end of the program it ends.
    drop(client);
    drop(program);
    assert!(child.wait().expect("it ends").success());
}
