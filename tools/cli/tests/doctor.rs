//! `eventlog doctor`: programs linked in several ways, and streams.

use crate::common::{Dir, Done, Log, command, done, eventlog};
use crate::program::{at, create, gc_stats, message, run};
use ghc_eventlog::{CapsetType, EventBody, Texts};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::time::{Duration, Instant};

/// What the program does when it is really run.
const MAIN: &str = "main :: IO ()\nmain = writeFile \"ran\" \"\"\n";

/// A directory with programs, and the GHC that makes them.
struct Programs {
    dir: Dir,
    /// Whether eventlogs need `-eventlog` (before 9.4).
    old: bool,
    version: String,
}

impl Programs {
    /// `None` where there is no GHC.
    fn new() -> Option<Self> {
        if Command::new("ghc").arg("--version").output().is_err() {
            eprintln!("no ghc: skipped");
            return None;
        }
        let version = done(Command::new("ghc").arg("--numeric-version")).stdout;
        let version = version.trim().to_owned();
        let old = ["8.", "9.0", "9.2"]
            .iter()
            .any(|old| version.starts_with(old));
        let dir = Dir::new();
        dir.with("Main.hs", MAIN.as_bytes());
        Some(Self { dir, old, version })
    }

    /// Links one; `None` if this GHC has no libraries for that.
    fn link(&self, name: &str, flags: &[&str]) -> Option<String> {
        let mut ghc = Command::new("ghc");
        ghc.args([
            "-v0",
            "-outputdir",
            &format!("{name}.d"),
            "-o",
            name,
            "Main.hs",
        ]);
        let done = done(ghc.args(flags).current_dir(self.dir.path()));
        if done.code != 0 && done.stderr.contains("libraries for") {
            eprintln!("{name}: this GHC has no such libraries: skipped");
            return None;
        }
        done.exits(0);
        Some(self.dir.file(name))
    }

    /// With the flag that makes old systems log.
    fn logging<'a>(&self, flags: &[&'a str]) -> Vec<&'a str> {
        let flag = self.old.then_some("-eventlog");
        flags.iter().copied().chain(flag).collect()
    }

    fn strip(&self, program: &str) -> String {
        let stripped = format!("{program}.stripped");
        done(Command::new("strip").args(["-o", &stripped, program])).exits(0);
        stripped
    }

    fn has_run(&self) -> bool {
        let mark = self.dir.path().join("ran");
        let ran = mark.exists();
        let _ = std::fs::remove_file(mark);
        ran
    }

    fn doctor(&self, args: &[&str]) -> Done {
        done(
            command()
                .current_dir(self.dir.path())
                .arg("doctor")
                .args(args),
        )
    }
}

/// A name, flags of GHC, the exit code, and the expected states of some checks.
type Case<'a> = (&'a str, Vec<&'a str>, i32, &'a [(&'a str, &'a str)]);

/// The states by check, and the whole.
fn states(done: &Done) -> (BTreeMap<String, String>, serde_json::Value) {
    let report = done.json().remove(0);
    let checks = report["checks"].as_array().expect("a list");
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let states = checks
        .iter()
        .map(|of| (text(&of["check"]), text(&of["state"])));
    (states.collect(), report)
}

/// The flag to add for a check.
fn flag(report: &serde_json::Value, check: &str) -> Option<String> {
    let checks = report["checks"].as_array().expect("a list");
    let of = checks.iter().find(|of| of["check"] == check)?;
    of["add"].as_str().map(str::to_owned)
}

#[test]
fn programs_tell_how_they_were_linked() {
    let Some(programs) = Programs::new() else {
        return;
    };
    let default = if programs.old { "missing" } else { "ok" };
    let logging = |flags: &[&'static str]| programs.logging(flags);
    let cases: &[Case] = &[
        (
            "plain",
            vec![],
            i32::from(programs.old),
            &[
                ("eventlog", default),
                ("threaded", "advice"),
                ("log", default),
                ("rtsopts", "advice"),
                ("library", "advice"),
                ("linking", "ok"),
            ],
        ),
        (
            "full",
            logging(&["-threaded", "-rtsopts", "-with-rtsopts=-N2 -l"]),
            0,
            &[
                ("eventlog", "ok"),
                ("threaded", "ok"),
                ("log", "ok"),
                ("rtsopts", "ok"),
            ],
        ),
        (
            "refuses",
            logging(&["-threaded", "-rtsopts=none"]),
            1,
            &[
                ("eventlog", "ok"),
                ("log", "missing"),
                ("rtsopts", "advice"),
            ],
        ),
        (
            "ignores",
            logging(&["-rtsopts=ignore"]),
            0,
            &[("log", "ok"), ("rtsopts", "advice")],
        ),
        (
            "profiled",
            vec!["-prof", "-threaded"],
            0,
            &[
                ("eventlog", "ok"),
                ("heap_profile", "ok"),
                ("threaded", "ok"),
            ],
        ),
        (
            "dynamic",
            logging(&["-dynamic", "-threaded"]),
            0,
            &[
                ("eventlog", "ok"),
                ("threaded", "ok"),
                ("linking", "advice"),
            ],
        ),
    ];
    for (name, flags, code, expected) in cases {
        let Some(program) = programs.link(name, flags) else {
            continue;
        };
        let done = programs.doctor(&["--json", &program]);
        assert_eq!(done.code, *code, "{name}: {done:#?}");
        assert_eq!(done.stderr, "", "{name}");
        let (states, report) = states(&done);
        for (check, state) in *expected {
            assert_eq!(states[*check], *state, "{name}, {check}: {report:#}");
        }
        assert_eq!(report["ghc"], programs.version, "{name}");
        let way = report["way"].as_str().expect("a way");
        let has = |part: &str| way.split('_').any(|of| of == part);
        assert_eq!(has("thr"), flags.contains(&"-threaded"), "{name}: {way}");
        assert_eq!(has("p"), flags.contains(&"-prof"), "{name}: {way}");
        for (check, add) in [("threaded", "-threaded"), ("eventlog", "-eventlog")] {
            let wanted = (states[check] != "ok").then(|| add.to_owned());
            assert_eq!(flag(&report, check), wanted, "{name}, {check}");
        }
        let profile = report["checks"].to_string();
        assert_eq!(
            profile.contains("built with -prof"),
            flags.contains(&"-prof")
        );
        assert!(!programs.has_run(), "{name} was run");
    }
    let full = programs.dir.file("full");
    let text = programs.doctor(&[&full]).exits(0).stdout;
    assert!(
        text.contains("on by default (-with-rtsopts='-N2 -l')"),
        "{text}"
    );
    let refuses = programs.dir.file("refuses");
    let text = programs.doctor(&[&refuses]).exits(1).stdout;
    assert!(text.contains("add: -with-rtsopts=-l"), "{text}");
}

#[test]
fn a_stripped_program_is_asked_if_that_is_wished() {
    let Some(programs) = Programs::new() else {
        return;
    };
    let flags = programs.logging(&["-threaded", "-with-rtsopts=-l"]);
    let full = programs.link("full", &flags).expect("static libraries");
    let full = programs.strip(&full);
    let done = programs.doctor(&["--json", &full]).exits(0);
    let (before, report) = states(&done);
    assert_eq!(
        (before["eventlog"].as_str(), before["threaded"].as_str()),
        ("ok", "ok")
    );
    assert_eq!(
        (before["log"].as_str(), before["rtsopts"].as_str()),
        ("unknown", "unknown")
    );
    assert_eq!(report["ghc"], programs.version);
    assert!(done.stderr.is_empty() && !programs.has_run());
    // If asked, it answers, and does not do its work.
    let done = programs
        .doctor(&["--json", "--ask", &full])
        .exits(0)
        .says("running `");
    let (after, _) = states(&done);
    assert_eq!(
        (after["log"].as_str(), after["rtsopts"].as_str()),
        ("ok", "ok")
    );
    assert!(!programs.has_run());
    // A program that refuses options says so.
    let flags = programs.logging(&["-rtsopts=none"]);
    let refuses = programs.link("refuses", &flags).expect("static libraries");
    let refuses = programs.strip(&refuses);
    let done = programs.doctor(&["--json", "--ask", &refuses]).exits(1);
    assert_eq!(states(&done).0["log"], "missing");
    assert!(!programs.has_run());
    // A program that would just run is not asked, if the file shows that.
    let flags = programs.logging(&["-rtsopts=ignore"]);
    let ignores = programs.link("ignores", &flags).expect("static libraries");
    programs
        .doctor(&["--ask", &ignores])
        .exits(0)
        .says("not asked");
    assert!(!programs.has_run());
}

/// Stands in for the library: the same names. They must be used, or the linker drops them.
const LIBRARY: &str = "\
    const char *variable(void) { return \"GHC_EVENTLOG_UNIX_PATH\"; }\n\
    int eventlog_socket_start(void) { return variable()[0]; }\n\
    __attribute__((constructor)) static void use(void) { eventlog_socket_start(); }\n\
    static void on_exit_hook(void) { eventlog_socket_start(); }\n\
    void OnExitHook(void) __attribute__((weak, alias(\"on_exit_hook\")));\n";

#[test]
fn the_library_and_its_exit_hook_are_found() {
    let Some(programs) = Programs::new() else {
        return;
    };
    programs.dir.with("library.c", LIBRARY.as_bytes());
    programs.dir.with("own.c", b"void OnExitHook(void) {}\n");
    let hooked = ["-threaded", "-rtsopts", "library.c"];
    let hooked = programs
        .link("hooked", &programs.logging(&hooked))
        .expect("static libraries");
    let (found, report) = states(&programs.doctor(&["--json", &hooked]).exits(0));
    for check in ["library", "exit_hook", "flush", "threaded"] {
        assert_eq!(found[check], "ok", "{check}: {report:#}");
    }
    assert_eq!(
        flag(&report, "flush").as_deref(),
        Some("GHC_EVENTLOG_FLUSH_INTERVAL=1s")
    );
    let stripped = programs.strip(&hooked);
    let (found, _) = states(&programs.doctor(&["--json", &stripped]).exits(0));
    assert_eq!(
        (found["library"].as_str(), found["exit_hook"].as_str()),
        ("ok", "unknown")
    );
    // A hook of the program's own replaces the library's.
    let own = ["-threaded", "library.c", "own.c"];
    let own = programs
        .link("own", &programs.logging(&own))
        .expect("static libraries");
    let (found, _) = states(&programs.doctor(&["--json", &own]).exits(0));
    assert_eq!(
        (found["exit_hook"].as_str(), found["flush"].as_str()),
        ("advice", "advice")
    );
    // Without -threaded nothing can be flushed.
    let plain = programs.logging(&["library.c"]);
    let plain = programs.link("single", &plain).expect("static libraries");
    let (found, _) = states(&programs.doctor(&["--json", &plain]).exits(1));
    assert_eq!(
        (found["threaded"].as_str(), found["flush"].as_str()),
        ("missing", "advice")
    );
    let dynamic = programs.logging(&["-dynamic", "-threaded", "library.c"]);
    if let Some(dynamic) = programs.link("shared", &dynamic) {
        let (found, _) = states(&programs.doctor(&["--json", &dynamic]).exits(1));
        assert_eq!(
            (found["library"].as_str(), found["exit_hook"].as_str()),
            ("ok", "missing")
        );
    }
}

#[test]
fn what_is_no_program_of_ghc_is_told() {
    let dir = Dir::new();
    let damaged = [b"\x7fELF\x02\x01\x01".as_slice(), &[0xee; 100]].concat();
    for (name, bytes, says) in [
        ("script", &b"#!/bin/sh\nexit\n"[..], "it is a script"),
        ("x.eventlog", &Log::new().end(), "it is an eventlog"),
        ("text", b"hello", "it is not an ELF file"),
        ("empty", b"", "it is not an ELF file"),
        ("damaged", &damaged, "no program compiled by GHC"),
    ] {
        let path = dir.with(name, bytes);
        eventlog(&["doctor", &path]).exits(1).says(says);
    }
    let own = env!("CARGO_BIN_EXE_eventlog");
    eventlog(&["doctor", own])
        .exits(1)
        .says("no trace of its runtime system");
    eventlog(&["doctor", &dir.file("nowhere")])
        .exits(3)
        .says("cannot read");
    eventlog(&["doctor", "-"]).exits(2);
    let directory = dir.path().to_str().expect("UTF-8");
    for endless in ["/dev/zero", directory] {
        eventlog(&["doctor", endless])
            .exits(3)
            .says("it is not a file");
    }
    let missing = format!("unix:{}", dir.file("nowhere"));
    eventlog(&["doctor", &missing])
        .exits(3)
        .says("cannot connect");
}

/// The beginning of a stream: which program it is.
fn beginning(args: &'static [u8]) -> Vec<u8> {
    let process = EventBody::CapsetCreate {
        capset: 0,
        capset_type: CapsetType::OS_PROCESS,
    };
    let identifier = EventBody::RtsIdentifier {
        capset: 0,
        identifier: "GHC-9.6.6 rts_thr".into(),
    };
    let args = EventBody::ProgramArgs {
        capset: 0,
        args: Texts(args),
    };
    let events = at(&[(0, process), (0, identifier), (0, args)]);
    Log::new().block(None, &events).bytes
}

/// Blocks, without a header before them.
fn block(events: &[crate::program::Timed<'_>]) -> Vec<u8> {
    let header = Log::new().bytes.len();
    Log::new()
        .block(Some(0), &at(events))
        .bytes
        .split_off(header)
}

/// Serves one client for as long as it stays.
fn serve(path: &str, mut serve: impl FnMut(&mut UnixStream) + Send + 'static) {
    let listener = UnixListener::bind(path).expect("a socket");
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        serve(&mut client);
    });
}

/// Until the client has gone.
fn stay(client: &mut UnixStream) {
    let _ = client.read(&mut [0]);
}

/// Listens to a program for longer and longer, until what is expected was seen: on a busy machine
/// little comes in a short time.
fn listening(program: fn(&mut UnixStream), more: &[&str], is_seen: impl Fn(&Done) -> bool) -> Done {
    let mut done = None;
    for time in ["500ms", "2s", "10s", "60s"] {
        let dir = Dir::new();
        let path = dir.file("app.sock");
        serve(&path, program);
        let args = [&["doctor", "--for", time], more, &[path.as_str()]].concat();
        let last = eventlog(&args);
        let seen = is_seen(&last);
        done = Some(last);
        if seen {
            break;
        }
    }
    done.expect("at least once")
}

/// The states by check, if it got that far.
fn state_of(done: &Done, check: &str) -> Option<String> {
    states(done).0.remove(check)
}

#[test]
fn a_stream_that_flushes_is_fine() {
    let program = |client: &mut UnixStream| {
        let _ = client.write_all(&beginning(b"./app\0+RTS\0-l\0"));
        let events = [
            (1, create(1)),
            (2, run(1)),
            (3, EventBody::GcStart),
            (4, gc_stats(0)),
            (5, message("hello")),
        ];
        // It ends when the client has gone.
        while client.write_all(&block(&events)).is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    let flushes = |done: &Done| state_of(done, "flush").as_deref() == Some("ok");
    let done = listening(program, &["--json"], flushes).exits(0);
    let (found, report) = states(&done);
    for check in ["connection", "threaded", "arguments", "classes", "flush"] {
        assert_eq!(found[check], "ok", "{check}: {report:#}");
    }
    assert_eq!(found["heap_profile"], "advice");
    assert_eq!(flag(&report, "heap_profile").as_deref(), Some("+RTS -hT"));
    assert_eq!(
        (&report["ghc"], &report["way"]),
        (&"9.6.6".into(), &"rts_thr".into())
    );
    assert_eq!(report["kind"], "stream");
    assert!(report.to_string().contains("./app +RTS -l"), "{report:#}");
}

#[test]
fn a_stream_that_does_not_flush_gets_advice() {
    let program = |client: &mut UnixStream| {
        let _ = client.write_all(&beginning(b"./app\0"));
        stay(client);
    };
    // The path alone is enough: it is a socket.
    let has_begun = |done: &Done| state_of(done, "arguments").as_deref() == Some("ok");
    let done = listening(program, &["--json"], has_begun).exits(0);
    let (found, report) = states(&done);
    assert_eq!(found["flush"], "advice", "{report:#}");
    assert_eq!(
        flag(&report, "flush").as_deref(),
        Some("GHC_EVENTLOG_FLUSH_INTERVAL=1s")
    );
    assert_eq!(found["classes"], "advice");
    assert!(report.to_string().contains("-lg"), "{report:#}");
}

#[test]
fn what_comes_with_the_client_is_no_flush() {
    let program = |client: &mut UnixStream| {
        let _ = client.write_all(&beginning(b"./app\0"));
        // What the library makes the program flush for a new client.
        std::thread::sleep(Duration::from_millis(100));
        let _ = client.write_all(&block(&[(1, create(1))]));
        stay(client);
    };
    // On a busy machine it can come so late that it counts as a flush.
    let is_none = |done: &Done| {
        let both = done.stdout.contains("connected; 2 blocks");
        both && state_of(done, "flush").as_deref() == Some("advice")
    };
    let done = listening(program, &["--json"], is_none).exits(0);
    assert!(is_none(&done), "{done:#?}");
}

#[test]
fn a_flush_of_the_runtime_system_that_can_hang_is_told() {
    let program = |client: &mut UnixStream| {
        let _ = client.write_all(&beginning(b"./app\0+RTS\0--eventlog-flush-interval=1\0"));
        while client.write_all(&block(&[(1, create(1))])).is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let is_told = |done: &Done| done.stdout.contains("can hang the program at its exit");
    let done = listening(program, &[], is_told).exits(0);
    assert!(is_told(&done), "{done:#?}");
}

#[test]
fn a_socket_without_a_log_is_told() {
    let dir = Dir::new();
    let path = dir.file("busy.sock");
    serve(&path, stay);
    let started = Instant::now();
    let done = eventlog(&["doctor", "--for", "500ms", &path]).exits(1);
    assert!(
        done.stdout.contains("another client is served"),
        "{done:#?}"
    );
    assert!(started.elapsed() >= Duration::from_millis(500));
    let path = dir.file("closed.sock");
    serve(&path, |_| {});
    let done = eventlog(&["doctor", &path]).exits(1);
    assert!(done.stdout.contains("closed at once"), "{done:#?}");
}
