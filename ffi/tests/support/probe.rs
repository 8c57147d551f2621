//! `probe.c`: calls of the library, without an RTS, and the statuses they return.

use super::build::probe;
use super::process::Running;
use std::path::Path;
use std::process::Command;

/// A probe that runs with an environment of our variables alone.
pub fn start_probe(arguments: &[&str], environment: &[(&str, &str)]) -> Running {
    let mut command = Command::new(probe());
    for (name, _) in std::env::vars() {
        if name.starts_with("GHC_EVENTLOG_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).envs(environment.iter().copied());
    Running::spawn(command)
}

/// What a probe says; it must end well and say nothing on stderr.
#[track_caller]
pub fn run_probe(arguments: &[&str], environment: &[(&str, &str)]) -> Vec<String> {
    let mut probe = start_probe(arguments, environment);
    let mut lines = Vec::new();
    while let Some(line) = probe.line() {
        lines.push(line);
    }
    let status = probe.wait();
    assert!(status.success(), "{arguments:?}: {status}, after {lines:?}");
    assert_eq!(probe.stderr(), "", "{arguments:?}");
    lines
}

/// Status, error and words of the line "WHAT: STATUS ERROR WORDS".
#[track_caller]
pub fn status<'a>(lines: &'a [String], what: &str) -> (i32, i32, &'a str) {
    let start = format!("{what}: ");
    let rest = lines.iter().find_map(|line| line.strip_prefix(&start));
    let rest = rest.unwrap_or_else(|| panic!("no {what} in {lines:?}"));
    let mut parts = rest.splitn(3, ' ');
    let mut part = || parts.next().unwrap_or_default();
    let numbers = (part().parse(), part().parse());
    (
        numbers.0.expect("a status"),
        numbers.1.expect("an error"),
        part(),
    )
}

#[track_caller]
pub fn expect(lines: &[String], what: &str, code: i32, error: i32) {
    let (is_code, is_error, words) = status(lines, what);
    assert_eq!(
        (is_code, is_error),
        (code, error),
        "{what}: {words} ({lines:?})"
    );
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}
