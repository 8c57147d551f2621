//! The command line as a whole: help, completions, man pages, exit codes.

use crate::common::{Dir, command, done, eventlog};

fn verbs() -> Vec<String> {
    let help = eventlog(&["help"]).exits(0).stdout;
    let list = help
        .split("Commands:\n")
        .nth(1)
        .and_then(|rest| rest.split("\n\n").next())
        .expect("verbs");
    let names = list
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_verb_has_help_with_examples() {
    let verbs = verbs();
    assert!(verbs.len() >= 7, "{verbs:?}");
    for verb in &verbs {
        let help = eventlog(&[verb, "--help"]).exits(0).stdout;
        assert!(help.contains("Examples:"), "{verb}: {help}");
        assert!(help.contains(&format!("eventlog {verb}")), "{verb}: {help}");
    }
}

#[test]
fn exit_codes_are_documented() {
    let help = eventlog(&["--help"]).exits(0).stdout;
    assert!(help.contains("Exit codes:"));
}

#[test]
fn no_verb_and_a_wrong_verb_are_usage_errors() {
    eventlog::<&str>(&[]).exits(2);
    eventlog(&["frobnicate"]).exits(2);
}

#[test]
fn completions_name_every_verb() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = eventlog(&["completions", shell]).exits(0).stdout;
        for verb in verbs() {
            assert!(script.contains(&verb), "{shell}: {verb}");
        }
    }
    eventlog(&["completions", "tcsh"]).exits(2);
}

#[test]
fn there_is_a_man_page_for_every_verb() {
    let dir = Dir::new();
    let target = dir.file("new/man1");
    eventlog(&["man", &target]).exits(0);
    let page = std::fs::read_to_string(format!("{target}/eventlog.1")).expect("a man page");
    assert!(page.contains(".SH EXIT CODES\n"), "{page}");
    assert!(page.contains(".SH ENVIRONMENT\n"), "{page}");
    for verb in verbs() {
        let page = std::fs::read_to_string(format!("{target}/eventlog-{verb}.1")).expect(&verb);
        // Lines of examples are not filled, and so can be copied from the page.
        assert!(page.contains(".SH EXAMPLES\n.nf\n"), "{page}");
        assert!(page.contains(&format!("\neventlog {verb}")), "{page}");
    }
    let page = std::fs::read_to_string(format!("{target}/eventlog-record.1")).expect("a man page");
    for part in [
        "\neventlog record [OPTIONS] \\-\\-output <FILE> [SOURCE]\n",
        "\\fI<SIZE>\\fR",
        "\n.IP \\(bu 2\nlost: ",
        "\neventlog record unix:/tmp/app.sock \\-o app.eventlog.zst \\-\\-flush 1s\n",
    ] {
        assert!(page.contains(part), "{part:?} is not in {page}");
    }
    let file = dir.with("file", b"");
    eventlog(&["man", &format!("{file}/dir")])
        .exits(3)
        .says("hint:");
}

#[test]
fn types_are_listed_for_people_and_programs() {
    let text = eventlog(&["types"]).exits(0).stdout;
    assert!(
        text.contains("gc_start") && text.contains("classes:"),
        "{text}"
    );
    let lines = eventlog(&["types", "--json"]).exits(0).json();
    let start = lines
        .iter()
        .find(|line| line["name"] == "gc_start")
        .expect("gc_start");
    assert_eq!((&start["id"], &start["class"]), (&9.into(), &"gc".into()));
}

#[test]
fn errors_are_coloured_only_if_wanted() {
    let plain = eventlog(&["show", "/nonexistent"]).exits(3).stderr;
    assert!(!plain.contains('\x1b'), "{plain}");
    let coloured = eventlog(&["show", "--color", "always", "/nonexistent"])
        .exits(3)
        .stderr;
    assert!(coloured.contains('\x1b'), "{coloured}");
    let never = done(
        command()
            .args(["show", "/nonexistent"])
            .env("NO_COLOR", "1"),
    )
    .exits(3)
    .stderr;
    assert!(!never.contains('\x1b'), "{never}");
}
