//! `eventlog snapshot` of a running process, which is the test itself.

use crate::common::{Dir, done, eventlog};
use crate::ring::{Ring, messages, numbered};
use std::process::Command;

/// Set in a process that runs one test alone.
const ALONE: &str = "EVENTLOG_TEST_ALONE";

/// Runs a test of this program in a process of its own, in which no other test has a ring file.
#[track_caller]
fn alone(name: &str, test: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        return test();
    }
    let mut again = Command::new(std::env::current_exe().expect("this program"));
    let done = done(again.args(["--exact", name]).env(ALONE, "1"));
    // With another name than that of the test, it would run none.
    assert!(done.stdout.contains(" 1 passed"), "{done:#?}");
    done.exits(0);
}

#[test]
fn a_process_is_enough_to_find_its_file() {
    alone("snapshot::a_process_is_enough_to_find_its_file", || {
        its_own_process_is_enough();
    });
}

fn its_own_process_is_enough() {
    let dir = Dir::new();
    let ring = Ring::with_header(dir.file("a ring"));
    let pid = std::process::id().to_string();
    let out = dir.file("out");
    let snapshot = |source: &str| {
        let done = eventlog(&["snapshot", source, "-o", &out, "--force"]).exits(0);
        eventlog(&["validate", "--strict", &out]).exits(0);
        (done, messages(&std::fs::read(&out).expect("a log")).0)
    };
    ring.push(&numbered(0, Some(0), 100));
    let (done, numbers) = snapshot(&pid);
    assert_eq!(numbers, [0]);
    done.says(&format!("process {pid} ({}): 1 chunks", ring.path));

    ring.push(&numbered(1, Some(0), 100));
    assert_eq!(snapshot(&ring.path).1, [0, 1]);

    // Also under another name, and without any.
    std::fs::rename(&ring.path, dir.file("b")).expect("another name");
    assert_eq!(snapshot(&pid).1, [0, 1]);
    std::fs::remove_file(dir.file("b")).expect("no name");
    ring.push(&numbered(2, Some(0), 100));
    assert_eq!(snapshot(&pid).1, [0, 1, 2]);
    let other = dir.with("b", b"not it");
    assert_eq!(snapshot(&pid).1, [0, 1, 2]);
    assert_eq!(std::fs::read(other).expect("a file"), b"not it");
}

#[test]
fn a_process_without_one_is_told() {
    let dir = Dir::new();
    let none = dir.file("none");
    eventlog(&["snapshot", "1999999999", "-o", &none])
        .exits(3)
        .says("there is no process 1999999999");
    let mut sleeper = Command::new("sleep").arg("600").spawn().expect("sleep");
    let done = eventlog(&["snapshot", &sleeper.id().to_string(), "-o", &none]);
    sleeper.kill().expect("it runs");
    sleeper.wait().expect("it ends");
    done.exits(3).says("has no ring file");
    assert!(!std::path::Path::new(&none).exists());
}
