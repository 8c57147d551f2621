//! Texts of a log cannot send commands to the terminal, whichever verb prints them.

use crate::common::{Dir, Done, Log, command, done, eventlog};
use crate::program::{at, create, marker, message, run, stop};
use ghc_eventlog::{Breakdown, CapsetType, EventBody, StopStatus, Text, Texts};
use std::io::Write;
use std::os::unix::net::UnixListener;

/// A name that a hostile program may use: an escape sequence, a C1 control (UTF-8), DEL, a line
/// feed, characters that change the direction of text, separators of lines and paragraphs, and
/// invisible characters.
const NASTY: &str = "=\u{1b}[31m,\u{9b}2J\u{7f}\u{7}\na;\u{202e}b\u{2066}\u{200f}\u{61c}\u{2028}\u{200b}\u{feff}\u{e0041}";

/// A log that has this name wherever a log can contain a text.
fn nasty() -> Vec<u8> {
    let text = |start: &str| format!("{start}{}", NASTY.replace('\n', " "));
    let (start, stop_text) = (text("START "), text("STOP "));
    let args = [NASTY, "\0", NASTY, "\0"].concat();
    let filter = Text::from(NASTY);
    let profile = EventBody::HeapProfBegin {
        profile: 0,
        period: 1,
        breakdown: Breakdown::CLOSURE_TYPE,
        module_filter: filter,
        closure_filter: filter,
        type_filter: filter,
        cost_centre_filter: filter,
        stack_filter: filter,
        retainer_filter: filter,
        biography_filter: filter,
    };
    let centre = EventBody::HeapProfCostCentre {
        cost_centre: 1,
        label: NASTY.into(),
        module: NASTY.into(),
        location: NASTY.into(),
        is_caf: 0,
    };
    let events = [
        (
            1,
            EventBody::CapsetCreate {
                capset: 0,
                capset_type: CapsetType::OS_PROCESS,
            },
        ),
        (
            1,
            EventBody::RtsIdentifier {
                capset: 0,
                identifier: NASTY.into(),
            },
        ),
        (
            1,
            EventBody::ProgramArgs {
                capset: 0,
                args: Texts(args.as_bytes()),
            },
        ),
        (2, create(1)),
        (
            2,
            EventBody::ThreadLabel {
                thread: 1,
                label: NASTY.into(),
            },
        ),
        (3, run(1)),
        (4, message(NASTY)),
        (5, marker(NASTY)),
        (
            5,
            EventBody::LogMsg {
                message: NASTY.into(),
            },
        ),
        (6, message(&start)),
        (7, message(&stop_text)),
        (8, centre),
        (8, profile),
        (8, EventBody::HeapProfSampleBegin { era: 1 }),
        (
            8,
            EventBody::HeapProfSampleString {
                profile: 0,
                residency: 8,
                label: NASTY.into(),
            },
        ),
        (8, EventBody::HeapProfSampleEnd { era: 1 }),
        (9, stop(1, StopStatus::FINISHED)),
    ];
    Log::new().block(Some(0), &at(&events)).end()
}

/// Every way to print the contents of a log.
const WAYS: &[&[&str]] = &[
    &["show"],
    &["show", "--sort"],
    &["show", "--wall"],
    &["show", "--json"],
    &["stats"],
    &["stats", "--threads"],
    &["stats", "--threads", "--json"],
    &["spans"],
    &["spans", "--json"],
    &["spans", "--per-thread"],
    &["spans", "--per-thread", "--json"],
    &["spans", "--list"],
    &["spans", "--list", "--json"],
    &["validate"],
    &["validate", "--json"],
    &["export", "csv", "--what", "heap"],
    &["export", "csv", "--what", "spans"],
    &["export", "csv", "--what", "threads"],
    &["export", "folded", "--what", "heap"],
    &["export", "folded", "--what", "threads"],
    &["export", "hp"],
    &["export", "perfetto", "--json"],
    &["export", "speedscope", "--what", "spans"],
];

/// Fails if the output contains anything except printable characters.
#[track_caller]
fn prints_only(way: &[&str], done: &Done) {
    let commands = |c: &char| {
        (c.is_control() && !matches!(c, '\n' | '\t')) || (!c.is_ascii() && NASTY.contains(*c))
    };
    for text in [&done.stdout, &done.stderr] {
        let found: Vec<_> = text.chars().filter(commands).collect();
        assert!(found.is_empty(), "{way:?}: {found:?} in {text:?}");
    }
}

#[test]
fn no_verb_lets_a_text_command_the_terminal() {
    let dir = Dir::new();
    let log = dir.with("a.eventlog", &nasty());
    for way in WAYS {
        let done = eventlog(&[*way, &[&log]].concat()).exits(0);
        prints_only(way, &done);
        // A line feed in a name does not begin a new line, either.
        let own = done
            .stdout
            .lines()
            .find(|line| line.starts_with("a;") || line.starts_with("a:"));
        assert_eq!(own, None, "{way:?}: {}", done.stdout);
    }
}

#[test]
fn nor_does_the_name_of_a_file_in_an_error() {
    let dir = Dir::new();
    let log = dir.with("a\u{1b}[31m\u{9b}2J.eventlog", &nasty()[..700]);
    let missing = dir.file("b\u{1b}[31m.eventlog");
    for verb in ["show", "stats", "validate"] {
        prints_only(&[verb], &eventlog(&[verb, &log]));
        let done = eventlog(&[verb, &missing]).exits(3).says("\\u{1b}[31m");
        prints_only(&[verb], &done);
    }
}

#[test]
fn raw_prints_what_is_there() {
    let dir = Dir::new();
    let log = dir.with("a.eventlog", &nasty());
    for way in WAYS {
        // `hp` and `folded` have their own lines, and this log has no faults.
        if way.contains(&"hp") || way.contains(&"folded") || way.contains(&"validate") {
            continue;
        }
        let done = eventlog(&[*way, &["--raw", &log]].concat()).exits(0);
        if way.contains(&"stats") || way.contains(&"export") || !way.contains(&"--json") {
            assert!(done.stdout.contains('\u{9b}'), "{way:?}: {}", done.stdout);
        }
    }
}

#[test]
fn json_stands_for_the_same_with_and_without_raw() {
    let dir = Dir::new();
    let log = dir.with("a.eventlog", &nasty());
    let lines = |way: &&&[&str]| way.contains(&"--json") && !way.contains(&"export");
    for way in WAYS.iter().filter(lines) {
        let safe = eventlog(&[*way, &[&log]].concat()).exits(0).json();
        let raw = eventlog(&[*way, &["--raw", &log]].concat()).exits(0).json();
        assert_eq!(safe, raw, "{way:?}");
    }
    let label = eventlog(&["show", "--json", "--type", "thread_label", &log]).json();
    assert_eq!(label[0]["label"], NASTY);
}

#[test]
fn cells_of_a_table_are_no_formulas() {
    let dir = Dir::new();
    for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "=cmd|'/C calc'!A0"] {
        let (start, end) = (format!("START {formula}"), format!("STOP {formula}"));
        let events = [
            (1, create(1)),
            (
                1,
                EventBody::ThreadLabel {
                    thread: 1,
                    label: formula.into(),
                },
            ),
            (2, run(1)),
            (3, message(&start)),
            (4, message(&end)),
            (5, stop(1, StopStatus::FINISHED)),
        ];
        let log = Log::new().block(Some(0), &at(&events)).end();
        let log = dir.with("a.eventlog", &log);
        for what in ["spans", "threads"] {
            let way = ["export", "csv", "--what", what, &log];
            let done = eventlog(&way).exits(0);
            assert!(
                done.stdout.contains(&format!(",'{formula}")),
                "{}",
                done.stdout
            );
            let raw = eventlog(&[&way[..], &["--raw"]].concat()).exits(0);
            assert!(
                raw.stdout.contains(&format!(",{formula}")),
                "{}",
                raw.stdout
            );
        }
    }
}

#[test]
fn arguments_are_told_as_they_are_typed() {
    let dir = Dir::new();
    let args = Texts(b"/bin/demo\0two words\0--plain=1\0it's\0\0");
    let events = [(1, EventBody::ProgramArgs { capset: 0, args })];
    let log = dir.with("a.eventlog", &Log::new().block(None, &at(&events)).end());
    let done = done(command().args(["stats", &log])).exits(0);
    let wanted = "arguments   'two words' --plain=1 'it'\\''s' ''";
    assert!(done.stdout.contains(wanted), "{}", done.stdout);
}

#[test]
fn nor_does_a_program_that_is_examined_while_it_runs() {
    let dir = Dir::new();
    let path = dir.file("socket");
    let listener = UnixListener::bind(&path).expect("a socket");
    let program = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut client, _) = listener.accept().expect("a client");
            client.write_all(&nasty()).expect("it listens");
        }
    });
    let source = format!("unix:{path}");
    for way in [&["doctor"][..], &["doctor", "--json"]] {
        let done = eventlog(&[way, &["--for", "10s", &source]].concat());
        assert!(!done.stdout.is_empty(), "{done:#?}");
        prints_only(way, &done);
    }
    program.join().expect("the program ends");
}
