//! Filters that can match nothing say so, and why.

use crate::common::{Dir, eventlog};
use crate::program::everything;

#[test]
fn filters_that_contradict_themselves_are_errors_of_usage() {
    let dir = Dir::new();
    let log = dir.with("a.eventlog", &everything());
    let out = dir.file("out");
    let cases: [(&[&str], &str); 7] = [
        (
            &["show", "--from", "2s", "--to", "1s"],
            "--from is later than --to",
        ),
        (&["show", "--cap", "3-1"], "use 1-3"),
        (
            &["show", "--type", "gc", "--exclude", "gc"],
            "--exclude takes out all",
        ),
        (&["show", "--exclude", "*,0-300"], "no event type"),
        (
            &["cut", "-o", &out, "--type", "gc", "--exclude", "gc,gc_*"],
            "--exclude takes out all",
        ),
        (
            &["export", "csv", "--from", "2s", "--to", "1s"],
            "--from must be earlier",
        ),
        (
            &["cut", "-o", &out, "--from", "2s", "--to", "1s"],
            "--from must be earlier",
        ),
    ];
    for (args, wanted) in cases {
        let done = eventlog(&[args, &[&log]].concat()).exits(2);
        assert!(done.stderr.contains(wanted), "{args:?}: {}", done.stderr);
    }
}

#[test]
fn what_nothing_meets_is_told() {
    let dir = Dir::new();
    let log = dir.with("a.eventlog", &everything());
    let cases: [(&[&str], &str); 9] = [
        (&["--type", "9999"], "no events of these types"),
        (&["--type", "task"], "no events of these types"),
        (&["--cap", "7-9"], "no events of these capabilities"),
        (&["--from", "5s"], "the log goes from 0ns to 100ms"),
        (&["--thread", "no such"], "no thread was called \"no such\""),
        (&["--thread", "99"], "no events of these threads"),
        (&["--grep", "no such"], "no text in the log matches"),
        (
            &["--thread", "2", "--type", "create_thread", "--grep", "main"],
            "all of them at once",
        ),
        (
            &["--cap", "1", "--type", "spark_counters", "--json"],
            "all of them at once",
        ),
    ];
    for (args, wanted) in cases {
        for sort in [&["show"][..], &["show", "--sort"]] {
            let done = eventlog(&[sort, args, &[&log]].concat()).exits(0);
            assert_eq!(done.stdout, "", "{args:?}");
            let note = format!("nothing matched: {wanted}");
            let told = done.stderr.contains("nothing matched: ") && done.stderr.contains(wanted);
            assert!(told, "{args:?}: no {note:?} in {}", done.stderr);
        }
    }
    // A label that no thread has is reported even if others matched.
    let done = eventlog(&["show", "--thread", "main,mian", &log]).exits(0);
    assert!(
        done.stderr.contains("no thread was called \"mian\""),
        "{}",
        done.stderr
    );
}

#[test]
fn what_matches_gets_no_remarks() {
    let dir = Dir::new();
    let log = dir.with("a.eventlog", &everything());
    let cases: [&[&str]; 6] = [
        &[],
        &["--thread", "main"],
        &["--thread", "main", "-n", "1"],
        &["--type", "gc", "--cap", "0"],
        &["--grep", "START"],
        &["--from", "1ms", "--to", "1ms"],
    ];
    for args in cases {
        let done = eventlog(&[&["show"], args, &[&log]].concat()).exits(0);
        assert!(!done.stdout.is_empty(), "{args:?}");
        assert_eq!(done.stderr, "", "{args:?}");
    }
}

#[test]
fn a_part_without_anything_is_not_taken_for_a_log_without_it() {
    let dir = Dir::new();
    let log = dir.with("a.eventlog", &everything());
    let formats: [&[&str]; 6] = [
        &["csv"],
        &["csv", "--what", "heap"],
        &["hp"],
        &["folded", "--what", "threads"],
        &["folded", "--what", "heap"],
        &["speedscope", "--what", "spans"],
    ];
    for format in formats {
        let args = [&["export"], format, &["--from", "50s", &log]].concat();
        let done = eventlog(&args).exits(1).says("between --from and --to");
        assert!(!done.stderr.contains("+RTS"), "{format:?}: {}", done.stderr);
    }
}
