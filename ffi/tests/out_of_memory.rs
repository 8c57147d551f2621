//! A program that has no memory left: no message, no abort. What cannot be had is told as a
//! status or counted, and with memory again all is as it was.

use crate::support;

use std::process::Command;
use support::build::c_program;
use support::files::{repository, test_program};
use support::waiting::EXIT_TIMEOUT;
use support::{TempDir, alone};

/// What the library asks the C library for: it gets it from the test program instead.
const ASKED_FOR: [&str; 7] = [
    "malloc",
    "calloc",
    "realloc",
    "posix_memalign",
    "mmap64",
    "pthread_create",
    "pthread_atfork",
];

/// Runs a whole life again and again: start, definitions, commands, a dump, a ring that
/// overflows, a second client, exit. Each time the next thing that the library asks for is
/// not available. In `out_of_memory.c` is what must be true nevertheless.
#[track_caller]
fn lives(how: &str, over: &str) {
    let _alone = alone();
    let table = format!("-I{}", repository().join("ffi/rts").display());
    let wrapped = ASKED_FOR.map(|name| format!("-Wl,--wrap={name}"));
    let mut flags = vec!["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"];
    flags.push(&table);
    flags.extend(wrapped.iter().map(String::as_str));
    let program = c_program(&test_program("out_of_memory.c"), "cc", &flags);
    let dir = TempDir::new();
    let output = Command::new(program)
        .arg(how)
        .arg(dir.path())
        .arg(over)
        .env(EXIT_TIMEOUT.0, EXIT_TIMEOUT.1)
        .output()
        .expect("the program");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{how}: {said}");
    let lives = said.trim().strip_prefix("lives: ").map(str::parse::<u32>);
    // What it asks for is counted; it is not nothing.
    assert!(matches!(lives, Some(Ok(100..))), "{how}: {said}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn any_one_thing_is_not_to_be_had() {
    lives("once", "unix");
    lives("once", "tcp");
}

#[test]
fn nothing_is_to_be_had_from_any_moment_on() {
    lives("from", "unix");
    lives("from", "tcp");
}
