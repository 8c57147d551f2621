//! Recordings by processes that are killed, or that cannot write. The recording process is this
//! program itself, so it has a `main` of its own.

#[path = "../../state/tests/common/mod.rs"]
mod common;
mod support;

use common::program::{Blocks, program};
use eventlog_sessions::{
    EndReason, Error, Joined, Limits, Notice, Range, Rotation, Session, State, Store,
};
use eventlog_state::Severity;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use support::{Dir, Feed, joined, state};

const RECORD: &str = "--record";
/// A generous limit, for a busy machine.
const LONG: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, store, size, pause] = arguments.as_slice()
        && first == RECORD
    {
        record(
            Path::new(store),
            size.parse().expect("bytes"),
            pause.parse().expect("milliseconds"),
        );
        return ExitCode::SUCCESS;
    }
    let tests: [(&str, fn()); 5] = [
        ("a_killed_process_leaves_what_was_recorded", killed),
        ("a_full_disk_costs_what_comes_meanwhile", full),
        ("a_disk_that_is_full_from_the_start", full_from_the_start),
        ("what_is_missing_is_bridged", bridged),
        ("two_processes_record_into_one_directory", two_processes),
    ];
    let listed = arguments.iter().any(|argument| argument == "--list");
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let filter = filter.cloned().unwrap_or_default();
    for (name, test) in tests.iter().filter(|(name, _)| name.contains(&filter)) {
        match listed {
            true => println!("{name}: test"),
            false => {
                println!("test {name} ...");
                test();
            }
        }
    }
    ExitCode::SUCCESS
}

/// The log that is recorded.
fn log() -> Vec<u8> {
    let blocks = Blocks {
        events: 12,
        delay: 200,
        global_at_exit: false,
    };
    program(21, 6000, blocks)
}

/// Records the log block by block, and reports on standard output what happens.
fn record(store: &Path, size: u64, pause: u64) {
    let limits = Limits {
        rotation: Rotation {
            size: Some(size),
            age: None,
        },
        ..Limits::default()
    };
    let say = |what: &str| {
        let mut out = std::io::stdout();
        let _ = writeln!(out, "{what}").and_then(|()| out.flush());
    };
    let store = Store::open(store, limits)
        .expect("a store")
        .notices(move |notice| {
            say(match notice {
                Notice::Began { .. } => "began",
                Notice::Failed { error, .. } => {
                    assert!(matches!(error, Error::Io { .. }), "{error}");
                    "failed"
                }
                Notice::Resumed { .. } => "resumed",
                _ => "?",
            });
        });
    let mut feed = Feed::new(log());
    let mut recording = feed.begin(&store, "app");
    let status = recording.status();
    while feed.left() > 0 {
        feed.feed(&mut recording, 1);
        feed.idle(&mut recording);
        std::thread::sleep(Duration::from_millis(pause));
    }
    recording.end(EndReason::Complete);
    let status = status.lock().expect("a status");
    assert!(status.ended);
    println!("lost {} {}", status.lost.blocks, status.lost.bytes);
}

/// Starts another process that records, with a shell command before it.
fn start(before: &str, store: &Path, size: u64, pause: u64) -> Child {
    let program = std::env::current_exe().expect("this program");
    let script = format!("{before} exec \"$0\" \"$@\"");
    Command::new("sh")
        .args(["-c", &script])
        .arg(program)
        .arg(RECORD)
        .arg(store)
        .args([size.to_string(), pause.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process")
}

fn only(store: &Path) -> Session {
    let mut sessions = Session::all(store).expect("sessions");
    assert_eq!(sessions.len(), 1);
    sessions.remove(0)
}

fn killed() {
    let log = log();
    let (mut shortest, mut longest) = (usize::MAX, 0);
    let begun = Instant::now();
    // More rounds on a busy machine, where a process may get nowhere in its time, or to its end.
    for round in 0.. {
        if round >= 12 && shortest < longest {
            break;
        }
        assert!(begun.elapsed() < LONG, "{shortest} to {longest} bytes");
        let dir = Dir::new();
        let pause = u64::from(round % 3 == 0 || round >= 12);
        let mut child = start("", &dir.store(), 12 << 10, pause);
        let mut out = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        out.read_line(&mut line).expect("a line");
        assert_eq!(line, "began\n");
        std::thread::sleep(Duration::from_millis(7 * (round % 12)));
        // During the recording it can be read, in whole blocks.
        let session = only(&dir.store());
        if session.state() == State::Recording {
            let live = joined(&session);
            assert!(
                log.starts_with(&live)
                    || log.starts_with(live.strip_suffix(&[0xff; 2]).expect("a mark"))
            );
        }
        child.kill().expect("killed");
        child.wait().expect("an end");
        let session = only(&dir.store());
        if matches!(session.state(), State::Ended(_)) {
            // The recording ended before the kill.
            assert!(joined(&session) == log);
            continue;
        }
        assert_eq!(session.state(), State::Killed);
        let bytes = joined(&session);
        // At most the end mark of a part that was to be continued may be in excess.
        let recorded = match log.starts_with(&bytes) {
            true => &bytes[..],
            false => bytes.strip_suffix(&[0xff; 2]).expect("a mark"),
        };
        assert!(log.starts_with(recorded), "round {round}");
        (shortest, longest) = (recorded.len().min(shortest), recorded.len().max(longest));
        for part in session.parts() {
            state(&fs::read(&part.path).expect("a part"));
        }
        assert!(session.remove().expect("removed") > 0);
        assert_eq!(fs::read_dir(dir.store()).expect("a store").count(), 0);
    }
}

/// The oddities in a log, in words.
fn errors(log: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut follower = eventlog_state::Follower::new(
        eventlog_state::MergeOptions::default(),
        eventlog_state::Keep::all(),
    );
    let mut see = |fact: eventlog_state::Fact<'_>| {
        if let eventlog_state::Fact::Odd(oddity) = fact
            && oddity.odd.severity() == Severity::Error
        {
            found.push(format!("{:?}: {}", oddity.at, oddity.odd));
        }
    };
    follower.push_bytes(log, &mut see).expect("a log");
    follower.finish(&mut see).expect("a log");
    found
}

/// Files cannot become longer than this. To a process this is like a full disk, except that a new
/// file has space.
const FULL: &str = "trap '' XFSZ; ulimit -f 32;";

fn full() {
    let log = log();
    let dir = Dir::new();
    // Parts are never closed because of their size: they fill the disk.
    let child = start(FULL, &dir.store(), 1 << 40, 20);
    let output = child.wait_with_output().expect("an end");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("text");
    let told: Vec<&str> = text.lines().collect();
    assert_eq!(told[..3], ["began", "failed", "resumed"], "{told:?}");
    let counted = told
        .last()
        .and_then(|last| last.strip_prefix("lost ")?.split_once(' '));
    let (blocks, bytes) = counted.expect("a count");
    let session = only(&dir.store());
    let lost = session.lost();
    assert_eq!(
        (lost.blocks.to_string(), lost.bytes.to_string()),
        (blocks.into(), bytes.into())
    );
    assert_eq!(
        lost.times as usize,
        told.iter().filter(|line| **line == "failed").count()
    );
    assert!(lost.blocks > 3);
    // What was lost and what was recorded add up to the whole log.
    let (missing, earlier) = session.missing();
    let trailing = log.len() as u64
        - session
            .parts()
            .last()
            .and_then(|part| Some(part.index.as_ref()?.stream_end()))
            .expect("parts");
    assert_eq!((missing + trailing, earlier), (lost.bytes, 0));
    check_bridged(&session, &log, trailing > 0);
}

/// The log with gaps says what is missing, contains what exists, and ends in the same state.
fn check_bridged(session: &Session, log: &[u8], is_cut_off: bool) {
    let whole = Joined::of(session, Range::default()).expect("parts");
    let missing = whole.missing().to_vec();
    assert!(!missing.is_empty());
    let bytes = joined(session);
    let state = state(&bytes);
    assert_eq!(state.losses().notes, missing.len() as u64);
    assert_eq!(
        state.losses().bytes,
        missing.iter().map(|it| it.bytes).sum::<u64>()
    );
    // Where a log is cut off, capabilities have not all come equally far. That alone can look like
    // an oddity.
    let ends = session
        .parts()
        .iter()
        .filter_map(|part| Some((part.number, part.index.as_ref()?.stream_end())));
    let breaks = ends.filter(|(number, _)| missing.iter().any(|it| it.after == *number));
    let known: usize = breaks
        .map(|(_, end)| errors(&log[..(end as usize).min(log.len())]).len())
        .sum();
    let errors = errors(&bytes);
    assert!(errors.len() <= known, "{known} known, {errors:#?}");
    if !is_cut_off {
        let end = support::state(log);
        assert_eq!(state.difference(&end), None);
    }
}

fn full_from_the_start() {
    let dir = Dir::new();
    // There is no space even for a header.
    let child = start("trap '' XFSZ; ulimit -f 0;", &dir.store(), 1 << 40, 5);
    let output = child.wait_with_output().expect("an end");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("text");
    let told: Vec<&str> = text.lines().collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0], "failed");
    let feed = Feed::new(log());
    let bytes = feed.log.len() - feed.header.as_bytes().len();
    assert!(told[1].ends_with(&format!(" {bytes}")), "{told:?}");
    // A directory that cannot be made at first, and then can.
    let dir = Dir::new();
    let store = Store::open(&dir.store(), Limits::default()).expect("a store");
    fs::remove_dir(dir.store()).expect("removed");
    fs::write(dir.store(), "in the way").expect("a file");
    let mut feed = Feed::new(log());
    let mut recording = feed.begin(&store, "app");
    feed.feed(&mut recording, 10);
    let status = recording.status();
    let failing = status.lock().expect("a status").failing.clone();
    assert!(
        failing
            .expect("it fails")
            .contains("cannot make a session in")
    );
    fs::remove_file(dir.store()).expect("removed");
    let start = Instant::now();
    while status.lock().expect("a status").failing.is_some() {
        assert!(start.elapsed() < LONG);
        feed.idle(&mut recording);
        std::thread::sleep(Duration::from_millis(20));
    }
    let from = feed.at();
    feed.feed(&mut recording, usize::MAX);
    recording.end(EndReason::Complete);
    let session = only(&dir.store());
    assert_eq!(session.lost().blocks, 10);
    assert_eq!(session.missing(), (0, from as u64));
    assert_eq!(state(&joined(&session)).difference(&state(&feed.log)), None);
}

/// Parts that do not continue where the ones before them end.
fn bridged() {
    let mut gaps = 0;
    for seed in 0..12 {
        let blocks = Blocks {
            events: 12,
            delay: [0, 200, 2000][seed as usize % 3],
            global_at_exit: false,
        };
        let log = program(seed, 3000, blocks);
        let dir = Dir::new();
        let limits = Limits {
            rotation: Rotation {
                size: Some(8 << 10),
                age: None,
            },
            ..Limits::default()
        };
        let store = Store::open(&dir.store(), limits).expect("a store");
        let session = support::recorded(&store, &log);
        let count = session.parts().len();
        if count < 5 {
            continue;
        }
        for part in [1, count / 2] {
            fs::remove_file(&session.parts()[part].path).expect("removed");
        }
        let session = Session::open(session.dir()).expect("a session");
        check_bridged(&session, &log, false);
        gaps += 1;
    }
    assert!(gaps > 5, "{gaps}");
}

fn two_processes() {
    let dir = Dir::new();
    let children = [0, 1, 2].map(|_| start("", &dir.store(), 16 << 10, 0));
    for child in children {
        assert!(child.wait_with_output().expect("an end").status.success());
    }
    let sessions = Session::all(&dir.store()).expect("sessions");
    let mut names: Vec<&str> = sessions.iter().map(Session::name).collect();
    names.sort_unstable();
    assert_eq!(names, ["app-0001", "app-0002", "app-0003"]);
    let log = log();
    assert!(sessions.iter().all(|session| joined(session) == log));
}
