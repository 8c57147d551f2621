//! `eventlog show`.

use crate::common::{Dir, Log, command, done, eventlog, eventlog_with, finished};
use ghc_eventlog::{EventBody, StopStatus, Text};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

/// Two capabilities, threads, collections, messages; capability 1's block
/// comes last although its events come first.
fn sample() -> Vec<u8> {
    let run = |thread| EventBody::RunThread { thread };
    let stop = |thread| EventBody::StopThread {
        thread,
        status: StopStatus::FINISHED,
        info: Some(0),
    };
    let say = |message: &'static str| EventBody::UserMsg {
        message: message.into(),
    };
    Log::new()
        .block(
            None,
            &[
                (5, EventBody::CapCreate { created_cap: 0 }),
                (
                    6,
                    EventBody::WallClockTime {
                        capset: 1,
                        seconds: 1000,
                        nanoseconds: 6,
                    },
                ),
            ],
        )
        .block(
            Some(0),
            &[
                (1_000_000_000, EventBody::CreateThread { thread: 1 }),
                (
                    1_000_000_001,
                    EventBody::ThreadLabel {
                        thread: 1,
                        label: "worker".into(),
                    },
                ),
                (1_100_000_000, run(1)),
                (1_200_000_000, say("START request 17")),
                (1_300_000_000, stop(1)),
                (1_400_000_000, EventBody::GcStart),
                (1_500_000_000, EventBody::GcEnd),
                (
                    1_600_000_000,
                    EventBody::HeapLive {
                        capset: 0,
                        bytes: 4096,
                    },
                ),
            ],
        )
        .block(
            Some(1),
            &[
                (900_000_000, run(2)),
                (1_250_000_000, say("other")),
                (2_000_000_000, stop(2)),
            ],
        )
        .end()
}

fn show(args: &[&str]) -> crate::common::Done {
    let mut all = vec!["show", "-"];
    all.extend(args);
    eventlog_with(&all, &sample())
}

fn events(args: &[&str]) -> Vec<String> {
    let mut all = args.to_vec();
    all.push("--json");
    let lines = show(&all).exits(0).json();
    lines
        .iter()
        .map(|line| line["event"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn a_line_tells_time_capability_type_and_fields() {
    let done = show(&[]).exits(0);
    let lines = done.lines();
    assert_eq!(lines.len(), 13);
    assert_eq!(lines[0], "   0.000000005       - cap_create created_cap=0");
    assert_eq!(lines[2], "   1.000000000 cap 0   create_thread thread=1");
    assert_eq!(
        lines[5],
        "   1.200000000 cap 0   user_msg START request 17 (thread 1)"
    );
    assert_eq!(
        lines[6],
        "   1.300000000 cap 0   stop_thread thread=1 status=finished info=0"
    );
    assert_eq!(done.stderr, "");
}

#[test]
fn json_has_one_object_per_event() {
    let lines = show(&["--json"]).exits(0).json();
    assert_eq!(lines.len(), 13);
    assert_eq!(
        lines[5],
        serde_json::json!({
            "time": 1_200_000_000u64, "cap": 0, "event": "user_msg",
            "message": "START request 17", "in_thread": 1
        })
    );
    assert_eq!(lines[0]["cap"], serde_json::Value::Null);
}

#[test]
fn sorted_is_in_the_order_of_time() {
    let times = |lines: Vec<serde_json::Value>| -> Vec<u64> {
        lines
            .iter()
            .map(|line| line["time"].as_u64().expect("a time"))
            .collect()
    };
    let sorted = times(show(&["--sort", "--json"]).exits(0).json());
    assert!(sorted.is_sorted() && sorted.len() == 13, "{sorted:?}");
    // Also through the temporary file, and live.
    let spilled = times(
        show(&["--sort", "--sort-memory", "1", "--json"])
            .exits(0)
            .json(),
    );
    assert_eq!(spilled, sorted);
    let live = times(show(&["--sort", "--follow", "--json"]).exits(0).json());
    assert_eq!(live, sorted);
}

#[test]
fn filters_choose_types() {
    assert_eq!(events(&["--type", "gc"]), ["gc_start", "gc_end"]);
    assert_eq!(events(&["--type", "gc_s*,heap"]), ["gc_start", "heap_live"]);
    assert_eq!(events(&["--type", "9"]), ["gc_start"]);
    assert_eq!(events(&["-t", "gc", "-x", "gc_end"]), ["gc_start"]);
    show(&["--type", "gc_strat"])
        .exits(2)
        .says("did you mean gc_start?");
}

#[test]
fn filters_choose_capabilities_threads_and_times() {
    assert_eq!(
        events(&["--cap", "1"]),
        ["run_thread", "user_msg", "stop_thread"]
    );
    assert_eq!(events(&["--cap", "global"]).len(), 2);
    assert_eq!(events(&["--cap", "0-1"]).len(), 11);
    let worker = [
        "create_thread",
        "thread_label",
        "run_thread",
        "user_msg",
        "stop_thread",
    ];
    assert_eq!(events(&["--thread", "1"]), worker);
    assert_eq!(events(&["--thread", "worker"]), worker[1..]);
    assert_eq!(
        events(&["--thread", "2,7"]),
        ["run_thread", "user_msg", "stop_thread"]
    );
    assert_eq!(
        events(&["--from", "1.4s", "--to", "1500ms"]),
        ["gc_start", "gc_end"]
    );
    show(&["--cap", "x"]).exits(2);
    show(&["--from", "yesterday"]).exits(2);
}

#[test]
fn filters_choose_texts() {
    assert_eq!(events(&["--grep", r"request \d+$"]), ["user_msg"]);
    assert_eq!(events(&["--grep", "WORKER"]), [""; 0]);
    assert_eq!(events(&["--grep", "WORKER", "-i"]), ["thread_label"]);
    show(&["--grep", "("]).exits(2);
}

#[test]
fn the_limit_ends_it() {
    assert_eq!(events(&["-n", "2"]), ["cap_create", "wall_clock_time"]);
    assert_eq!(events(&["-n", "1", "--sort", "-t", "gc"]), ["gc_start"]);
    assert_eq!(events(&["-n", "0"]), [""; 0]);
}

#[test]
fn the_time_of_day_accounts_for_the_clock_events_own_time() {
    let lines = show(&["--wall", "--json", "-t", "gc_start"])
        .exits(0)
        .json();
    assert_eq!(lines[0]["wall"], "1970-01-01T00:16:41.400000000Z");
    // A file is searched for it, wherever it is.
    let dir = Dir::new();
    let log = Log::new()
        .block(Some(0), &[(1, EventBody::GcStart)])
        .block(
            None,
            &[(
                2,
                EventBody::WallClockTime {
                    capset: 1,
                    seconds: 7,
                    nanoseconds: 2,
                },
            )],
        )
        .end();
    let file = dir.with("late.eventlog", &log);
    let done = eventlog(&["show", "--wall", "-t", "gc", &file]).exits(0);
    assert!(
        done.stdout.starts_with("1970-01-01T00:00:07.000000001Z "),
        "{}",
        done.stdout
    );
}

#[test]
fn blocks_are_shown_on_demand() {
    let done = show(&["--blocks", "-c", "1"]).exits(0);
    assert_eq!(
        done.lines()
            .iter()
            .filter(|line| line.contains(" block "))
            .count(),
        3
    );
    let blocks = show(&["--blocks", "--json", "-n", "1"]).exits(0).json();
    assert_eq!(blocks[0]["block"]["end"], 6);
}

#[test]
fn texts_of_the_program_cannot_break_the_line_or_the_terminal() {
    let log = Log::new()
        .block(
            Some(0),
            &[(
                1,
                EventBody::UserMsg {
                    message: "a\n\x1b[31mb\u{9b}c".into(),
                },
            )],
        )
        .block(
            Some(0),
            &[(
                2,
                EventBody::ThreadLabel {
                    thread: 1,
                    label: "x y\"\\".into(),
                },
            )],
        )
        .block(
            Some(0),
            &[(
                3,
                EventBody::UserMsg {
                    message: Text(b"\xff\xfe"),
                },
            )],
        )
        .end();
    let done = eventlog_with(&["show", "-", "--color", "never"], &log).exits(0);
    let lines = done.lines();
    assert_eq!(lines.len(), 3, "{done:?}");
    assert!(
        lines[0].ends_with(r"user_msg a\n\u{1b}[31mb\u{9b}c"),
        "{}",
        lines[0]
    );
    assert!(lines[1].ends_with(r#"label="x y\"\\""#), "{}", lines[1]);
    assert!(lines[2].ends_with("\u{fffd}\u{fffd}"), "{}", lines[2]);
}

#[test]
fn colours_only_when_asked_for_in_a_pipe() {
    assert!(!show(&[]).stdout.contains('\x1b'));
    assert!(show(&["--color", "always"]).stdout.contains('\x1b'));
    assert!(
        !show(&["--color", "always", "--json"])
            .stdout
            .contains('\x1b')
    );
}

#[test]
fn every_cut_of_a_log_is_shown_up_to_the_cut() {
    let whole = sample();
    let header = ghc_eventlog::Header::standard().as_bytes().len();
    let mut before = 0;
    for cut in header..whole.len() {
        let done = eventlog_with(&["show", "--json", "-"], &whole[..cut]).exits(0);
        let count = done.lines().len();
        assert!(count >= before, "at {cut}");
        assert!(
            done.stderr.contains("warning:"),
            "at {cut}: {}",
            done.stderr
        );
        before = count;
    }
    assert_eq!(before, 13);
    eventlog_with(&["show", "-"], &whole[..header / 2])
        .exits(1)
        .says("before its header is complete");
    eventlog_with(&["show", "-"], b"").exits(1);
}

#[test]
fn a_fault_is_told_with_its_place_after_everything_before_it() {
    let good = Log::new().messages(0, &[(1, "good")]).bytes;
    let offset = good.len();
    let bad = [&good[..], &[0x30, 0x39, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    for sort in [&["show", "-"][..], &["show", "-", "--sort"]] {
        let done = eventlog_with(sort, &bad)
            .exits(1)
            .says(&format!("at byte {offset}"))
            .says("hint:");
        assert!(done.stdout.contains("good"));
    }
    let after = Log::new().messages(0, &[(2, "after")]).bytes;
    let recovered = [&bad[..], &after[Log::new().bytes.len()..], &[0xff, 0xff]].concat();
    let done = eventlog_with(&["show", "-", "--recover"], &recovered).exits(0);
    assert!(
        done.stdout.contains("good") && done.stdout.contains("after"),
        "{done:?}"
    );
    assert!(done.stdout.contains("12 bytes skipped"), "{done:?}");
}

#[test]
fn what_is_no_log_is_named() {
    eventlog_with(&["show", "-"], b"JOB \"x\"\nDATE \"y\"\n")
        .exits(1)
        .says("heap profile")
        .says("hint:");
    eventlog_with(&["show", "-"], b"\x1f\x8b\x08\x00\x00\x00")
        .exits(1)
        .says("gzip");
}

#[test]
fn logs_that_follow_each_other_are_told_apart() {
    let two = [sample(), sample()].concat();
    let done = eventlog_with(&["show", "-"], &two).exits(0);
    assert_eq!(done.lines().len(), 27);
    assert!(done.stdout.contains("the log starts again (part 2)"));
    let lines = eventlog_with(&["show", "-", "--json", "--sort"], &two)
        .exits(0)
        .json();
    assert_eq!(lines[13], serde_json::json!({"session": 2}));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut log = Log::new();
    for _ in 0..2000 {
        log = log.messages(
            0,
            &[(
                1,
                "a message that is long enough to fill pipes, again and again",
            )],
        );
    }
    let dir = Dir::new();
    let file = dir.with("log", &log.end());
    for args in [
        &["show", &file][..],
        &["show", "--sort", &file],
        &["show", "--json", &file],
    ] {
        let mut child = command()
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe"))
            .read_line(&mut line)
            .expect("a line");
        let done = finished(child.wait_with_output().expect("it ends")).exits(0);
        assert_eq!(done.stderr, "");
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let dir = Dir::new();
    let file = dir.with("log", &sample());
    let full = std::fs::File::create("/dev/full").expect("/dev/full");
    done(command().args(["show", &file]).stdout(full))
        .exits(3)
        .says("No space left");
}

#[test]
fn a_growing_file_is_followed_to_its_end() {
    let whole = Log::new()
        .messages(0, &[(1, "one")])
        .messages(0, &[(2, "two")])
        .end();
    let dir = Dir::new();
    let path = dir.file("growing.eventlog");
    let mut child = command()
        .args(["show", "--follow", &path])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut file = std::fs::File::create(&path).expect("a file");
    let half = whole.len() - 30;
    file.write_all(&whole[..half]).expect("written");
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a line");
    assert!(line.ends_with("user_msg one\n"), "{line}");
    file.write_all(&whole[half..]).expect("written");
    line.clear();
    stdout.read_line(&mut line).expect("a line");
    assert!(line.ends_with("user_msg two\n"), "{line}");
    finished(child.wait_with_output().expect("it ends")).exits(0);
}

#[test]
fn a_followed_file_that_is_written_anew_is_read_anew() {
    let dir = Dir::new();
    let unfinished = Log::new()
        .messages(0, &[(1, "first run, which is the longer one")])
        .bytes;
    let path = dir.with("log", &unfinished);
    let mut child = command()
        .args(["show", "--follow", &path])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a line");
    dir.with("log", &Log::new().messages(0, &[(1, "second")]).end());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("lines");
    assert!(rest.ends_with("user_msg second\n"), "{rest}");
    finished(child.wait_with_output().expect("it ends"))
        .exits(0)
        .says("was started again");
}
