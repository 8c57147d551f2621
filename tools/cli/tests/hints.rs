//! Errors name the cause that applies, and the file, and what to do.

use crate::common::{Dir, command, dead_socket, done, eventlog, eventlog_with};
use crate::program::everything;

/// A file of each kind, and what the hint has to contain. `LOG` stands for its name.
fn cases() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let log = everything();
    let converted = |byte: &u8| match byte {
        b'\n' => b"\r\n".to_vec(),
        byte => vec![*byte],
    };
    let crlf = log.iter().flat_map(converted).collect();
    let utf8 = String::from_utf8_lossy(&log).into_owned().into_bytes();
    let utf16 = log.iter().flat_map(|&byte| [byte, 0]);
    let utf16 = [0xff, 0xfe].into_iter().chain(utf16).collect();
    let filled = |start: &[u8]| [start, &[0x81; 100]].concat();
    vec![
        (
            "an xz file",
            filled(b"\xfd7zXZ\0"),
            "`xz -dc LOG | eventlog VERB -`",
        ),
        (
            "a bzip2 file",
            filled(b"BZh91AY&SY"),
            "`bzip2 -dc LOG | eventlog VERB -`",
        ),
        (
            "a program",
            filled(b"\x7fELF\x02\x01\x01\0"),
            "`eventlog run -- LOG`",
        ),
        ("zeros", vec![0; 4096], "never written"),
        ("UTF-16", utf16, "PowerShell"),
        ("LF to CR LF", crlf, "LF to CR LF"),
        ("UTF-8", utf8, "as if it were text in UTF-8"),
        (
            "text",
            b"Some text that is no log at all.\n".to_vec(),
            "+RTS -l",
        ),
    ]
}

#[test]
fn what_is_no_log_gets_the_advice_that_applies_in_every_verb() {
    let dir = Dir::new();
    for (kind, bytes, wanted) in cases() {
        let log = dir.with("it is here.eventlog", &bytes);
        let quoted = format!("'{log}'");
        for verb in ["show", "stats", "validate", "spans"] {
            let wanted = wanted.replace("LOG", &quoted).replace("VERB", verb);
            let done = eventlog(&[verb, &log]).exits(1);
            assert!(
                done.stderr.contains(&wanted),
                "{kind}, {verb}: no {wanted:?} in {}",
                done.stderr
            );
            let hints = done.stderr.matches("hint:").count();
            assert_eq!(hints, 1, "{kind}, {verb}: {}", done.stderr);
        }
        for verb in ["repair", "sort", "cut"] {
            let out = dir.file("out");
            let call = format!("{verb} - -o OUTPUT");
            let wanted = wanted.replace("LOG", &quoted).replace("VERB -", &call);
            let done = eventlog(&[verb, &log, "-o", &out, "--force"]).exits(1);
            assert!(
                done.stderr.contains(&wanted),
                "{kind}, {verb}: no {wanted:?} in {}",
                done.stderr
            );
        }
        let done = eventlog(&["show", "--recover", &log]).exits(1);
        let wanted = wanted.replace("LOG", &quoted).replace("VERB", "show");
        assert!(
            done.stderr.contains(&wanted),
            "{kind}: no {wanted:?} in {}",
            done.stderr
        );
    }
}

#[test]
fn a_fault_in_a_log_names_it_in_the_advice() {
    let dir = Dir::new();
    let mut bytes = everything();
    bytes.truncate(bytes.len() - 2);
    bytes.extend([0x77; 100]);
    let log = dir.with("a b.eventlog", &bytes);
    let repair = format!("`eventlog repair '{log}' -o");
    let validate = format!("`eventlog validate '{log}'`");
    eventlog(&["show", &log])
        .exits(1)
        .says(&repair)
        .says(&validate);
    // Without a file there is no name to propose.
    eventlog_with(&["show", "-"], &bytes)
        .exits(1)
        .says("`eventlog repair FILE -o");
    let xz = [b"\xfd7zXZ\0".as_slice(), &[0x81; 100]].concat();
    eventlog_with(&["show", "-"], &xz)
        .exits(1)
        .says("`... | xz -dc | eventlog show -`");
}

#[test]
fn what_cannot_be_opened_is_told_why() {
    let dir = Dir::new();
    let missing = dir.file("no/such/a.eventlog");
    let parent = format!("there is no directory {}", dir.file("no"));
    for verb in ["show", "validate", "stats"] {
        eventlog(&[verb, &missing]).exits(3).says(&parent);
    }
    let path = dir.path().to_str().expect("UTF-8");
    eventlog(&["show", path])
        .exits(3)
        .says("it is a directory")
        .says("name a log in it");
    let socket = format!("unix:{}", dir.file("none/socket"));
    let args = ["show", "--wait", "0", &socket];
    eventlog(&args)
        .exits(3)
        .says(&format!("there is no directory {}", dir.file("none")));
    // A socket on which no process listens any more.
    let gone = dir.file("gone");
    dead_socket(&gone);
    let args = ["show", "--wait", "0", &format!("unix:{gone}")];
    eventlog(&args)
        .exits(3)
        .says("nobody listens there any more");
}

#[test]
fn sources_that_cannot_be_are_errors_of_usage() {
    let long = format!("unix:/{}", "x".repeat(107));
    for source in [
        "unix:",
        "tcp:",
        "tcp:foo",
        "tcp::80",
        "tcp:foo:",
        "tcp:foo:0",
        "tcp:foo:65536",
        "tcp:foo:http",
        "tcp:::1:80",
        "tcp:[foo]:80",
        "",
        &long,
    ] {
        for verb in ["show", "stats", "validate"] {
            let done = eventlog(&[verb, source]).exits(2);
            assert!(done.stderr.contains("invalid value"), "{}", done.stderr);
        }
        eventlog(&["record", source, "-o", "/dev/null"]).exits(2);
        eventlog(&["control", source, "flush"]).exits(2);
    }
    // As long as a path may be, and an address of each kind: these fail only when connecting.
    let longest = format!("unix:/{}", "x".repeat(106));
    for source in [longest.as_str(), "tcp:[::1]:1", "tcp:127.0.0.1:1"] {
        eventlog(&["show", "--wait", "0", source]).exits(3);
    }
}

#[test]
fn times_and_sizes_that_make_no_sense_are_errors_of_usage() {
    let cases: [&[&str]; 4] = [
        &["stats", "--follow", "--interval", "0", "-"],
        &["stats", "--follow", "--interval", "0ms", "-"],
        &["record", "-", "-o", "/dev/null", "--rotate-size", "0"],
        &["record", "-", "-o", "/dev/null", "--rotate-time", "0s"],
    ];
    for args in cases {
        eventlog(args).exits(2).says("than 0");
    }
}

#[test]
fn the_number_of_threads_may_stand_behind_the_option() {
    let dir = Dir::new();
    let log = dir.with("a.eventlog", &everything());
    let count = |args: &[&str]| {
        let done = eventlog(&[&["stats", "--json"], args].concat()).exits(0);
        done.json()[0]["top_threads"].as_array().map(Vec::len)
    };
    assert_eq!(count(&["--threads", "1", &log]), Some(1));
    assert_eq!(count(&["--threads=1", &log]), Some(1));
    assert_eq!(count(&[&log, "--threads", "1"]), Some(1));
    assert_eq!(count(&["--threads", &log]), Some(2));
    assert_eq!(count(&[&log, "--threads"]), Some(2));
    assert_eq!(count(&[&log]), None);
    // A file whose name is a number, behind the mark that ends options.
    std::fs::copy(&log, dir.file("7")).expect("a copy");
    let mut command = command();
    command.args(["stats", "--json", "--threads", "--", "7"]);
    let done = done(command.current_dir(dir.path())).exits(0);
    assert_eq!(
        done.json()[0]["top_threads"].as_array().map(Vec::len),
        Some(2)
    );
}

#[test]
fn a_result_that_cannot_be_written_is_told_why() {
    let dir = Dir::new();
    let log = dir.with("a.eventlog", &everything());
    let out = dir.file("no/such/out");
    let missing = format!("there is no directory {}", dir.file("no"));
    let ways: [&[&str]; 7] = [
        &["repair"],
        &["cut"],
        &["sort"],
        &["merge", &log],
        &["export", "perfetto"],
        &["record"],
        &["run", "--", "/bin/true"],
    ];
    for way in ways {
        let log = if way[0] == "run" {
            None
        } else {
            Some(log.as_str())
        };
        let (verb, rest) = way.split_at(1);
        let args: Vec<&str> = [verb, &["-o", &out], rest].concat();
        let args = [args, log.into_iter().collect()].concat();
        let done = eventlog(&args);
        assert!(done.stderr.contains(&missing), "{args:?}: {}", done.stderr);
    }
}

/// If there is no log at all, that is reported once, and no file is left or replaced.
#[test]
fn without_a_log_nothing_else_is_said_or_written() {
    let dir = Dir::new();
    let cut = &everything()[..300];
    let zeros = [0; 64];
    for (name, bytes) in [("empty", &[][..]), ("cut", cut), ("zeros", &zeros)] {
        let log = dir.with(name, bytes);
        let out = dir.with("out", b"before");
        let exports = ["csv", "hp", "folded", "speedscope", "perfetto"];
        let exports = exports.map(|format| vec!["export", format, &log]);
        let others = [
            vec!["spans", &log],
            vec!["sort", &log],
            vec!["cut", &log, "--from", "0s"],
            vec!["repair", &log],
        ];
        for verb in exports.into_iter().chain(others) {
            if verb[0] != "spans" {
                let args = [&verb[..], &["-o", &out, "--force"]].concat();
                eventlog(&args).exits(1);
                assert_eq!(std::fs::read(&out).expect("kept"), b"before", "{args:?}");
                std::fs::remove_file(&out).expect("removed");
                eventlog(&args).exits(1);
                assert!(!std::fs::exists(&out).expect("looked"), "{args:?} {name}");
                dir.with("out", b"before");
            }
            let to = ["-o", "-"];
            let to = if verb[0] == "spans" { &[][..] } else { &to[..] };
            let done = eventlog(&[&verb[..], to].concat()).exits(1);
            assert!(done.stdout.is_empty(), "{verb:?} {name}");
            assert!(!done.stderr.contains("no spans"), "{}", done.stderr);
            assert!(!done.stderr.contains("the log has no"), "{}", done.stderr);
        }
    }
}

#[test]
fn a_command_that_is_proposed_is_complete() {
    let dir = Dir::new();
    let xz = dir.with("a.xz", &[b"\xfd7zXZ\0".as_slice(), &[0x81; 100]].concat());
    for (args, call) in [
        (vec!["stats", &xz], "eventlog stats -`"),
        (vec!["export", "hp", &xz], "eventlog export FORMAT -`"),
        (vec!["sort", &xz, "-o", "-"], "eventlog sort - -o OUTPUT`"),
        (
            vec!["repair", &xz, "-o", "-"],
            "eventlog repair - -o OUTPUT`",
        ),
    ] {
        eventlog(&args).exits(1).says(call);
    }
}
