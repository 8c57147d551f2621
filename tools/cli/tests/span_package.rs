//! `eventlog spans` on what the Haskell package `eventlog-span` writes.

use crate::common::{Dir, done, eventlog};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Runs the example of the package, and returns the path of its log; `None` if there is no GHC.
fn log_of_the_example(dir: &Dir) -> Option<String> {
    if Command::new("ghc").arg("--version").output().is_err() {
        eprintln!("no ghc: skipped");
        return None;
    }
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../haskell/eventlog-span");
    let build = |more: &[&str]| {
        let mut ghc = Command::new("ghc");
        ghc.args(["-v0", "-O", "-threaded", "-rtsopts"]).args(more);
        ghc.arg(format!("-i{}", package.join("src").display()));
        ghc.args(["-outputdir", "objects", "-o", "example"]);
        ghc.arg(package.join("example/Main.hs"));
        done(ghc.current_dir(dir.path()))
    };
    // Before 9.4 a program has the eventlog only if linked for it; later compilers warn about the
    // flag.
    build(&["-eventlog"]).exits(0);
    let mut example = Command::new(dir.path().join("example"));
    example.args(["+RTS", "-l", "-olexample.eventlog", "-N2"]);
    let ran = done(example.current_dir(dir.path())).exits(0);
    assert_eq!(ran.stdout, "(5000050000,5000050000)\n");
    Some(dir.file("example.eventlog"))
}

#[test]
fn every_span_of_the_package_is_paired() {
    let dir = Dir::new();
    let Some(log) = log_of_the_example(&dir) else {
        return;
    };
    let spans = eventlog(&["spans", "--list", "--json", &log])
        .exits(0)
        .json();
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for span in &spans {
        let name = span["name"].as_str().expect("a name");
        let name: String = name.chars().take(24).collect();
        *found.entry(name).or_default() += 1;
    }
    let expected = [
        ("(name failed)", 1),
        ("(unnamed)", 1),
        ("aaaaaaaaaaaaaaaaaaaaaaaa", 1),
        ("endless endless endless ", 1),
        ("fails", 1),
        ("gün€ 😀", 1),
        ("half \u{fffd} a pair", 1),
        ("inner", 2),
        ("is killed", 1),
        ("outer", 1),
        ("sum", 1),
        ("times out", 1),
        ("two lines and a tab", 1),
        ("worker", 4),
    ];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(found, BTreeMap::from(expected));

    // As in the program: the thread that began a span ended it, and inner spans end first.
    let named = |name: &str| -> Vec<_> { spans.iter().filter(|it| it["name"] == name).collect() };
    let only = |name: &str| named(name)[0];
    let time = |span: &serde_json::Value, at: &str| span[at].as_u64().expect("a time");
    let outer = only("outer");
    for inner in named("inner") {
        assert_eq!(inner["thread"], outer["thread"]);
        assert!(time(inner, "start_ns") > time(outer, "start_ns"));
        assert!(time(inner, "end_ns") < time(outer, "end_ns"));
    }
    let mut threads: Vec<_> = named("worker").iter().map(|it| &it["thread"]).collect();
    threads.sort_by_key(|thread| thread.as_u64());
    threads.dedup();
    assert_eq!(threads.len(), 4, "{threads:?}");
    assert_ne!(only("is killed")["thread"], outer["thread"]);
}

#[test]
fn names_are_one_line_and_of_bounded_length() {
    let dir = Dir::new();
    let Some(log) = log_of_the_example(&dir) else {
        return;
    };
    let messages = eventlog(&["show", "--json", &log]).exits(0).json();
    let messages: Vec<_> = messages
        .iter()
        .filter(|event| event["event"] == "user_msg")
        .map(|event| event["message"].as_str().expect("a text"))
        .collect();
    let of = |word: &str| -> Vec<&str> {
        let mut names: Vec<_> = messages
            .iter()
            .filter_map(|message| message.strip_prefix(word))
            .collect();
        names.sort_unstable();
        names
    };
    assert_eq!(of("START "), of("STOP "));
    assert_eq!(of("START ").len() + of("STOP ").len(), messages.len());
    assert!(!messages.iter().any(|text| text.contains(char::is_control)));
    // All of it, and the last character only if all of its bytes fit.
    assert!(of("STOP ").contains(&"endless ".repeat(512).as_str()));
    assert!(of("STOP ").contains(&"a".repeat(4095).as_str()));
}
