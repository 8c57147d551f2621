//! Verbs that are stopped at a random moment leave nothing behind: no temporary files, and no
//! result that is incomplete.
//!
//! `EVENTLOG_TEST_INTERRUPTIONS` says how often each verb is stopped, `EVENTLOG_TEST_SEED` when.

use crate::common::{Dir, Log, command, eventlog, wait_until};
use crate::program::everything;
use crate::ring::Ring;
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often each verb is stopped.
fn tries() -> u32 {
    let wanted = std::env::var("EVENTLOG_TEST_INTERRUPTIONS").ok();
    wanted.map_or(4, |count| count.parse().expect("a number"))
}

/// A sequence that can be repeated.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let seed = std::env::var("EVENTLOG_TEST_SEED").ok();
        Self(seed.map_or(88_172_645_463_325_252, |seed| {
            seed.parse().expect("a number")
        }))
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}

/// A log that every verb takes some time to process.
fn long(program: u64) -> Vec<u8> {
    let mut log = Log::new();
    log.bytes = everything();
    log.bytes.truncate(log.bytes.len() - 2);
    for block in 0..40u64 {
        let texts: Vec<String> = (0..150)
            .map(|n| match n % 3 {
                0 => format!("START span {}", n / 3),
                1 => format!("STOP span {}", n / 3),
                _ => format!("message {n} of block {block} of program {program}"),
            })
            .collect();
        let base = 200_000_000 + block * 1_000_000;
        let messages: Vec<_> = texts
            .iter()
            .enumerate()
            .map(|(n, text)| (base + n as u64 * 1000, text.as_str()))
            .collect();
        log = log.messages((block % 2) as u16, &messages);
    }
    log.end()
}

/// Where a verb works: its directory, and the one for its temporary files.
struct Place {
    work: Dir,
    temp: Dir,
    before: Vec<String>,
}

impl Place {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let work = Dir::new();
        for (name, bytes) in files {
            work.with(name, bytes);
        }
        let before = work.names();
        Self {
            work,
            temp: Dir::new(),
            before,
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = command();
        command
            .args(args)
            .current_dir(self.work.path())
            .env("TMPDIR", self.temp.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Fails if there is anything except the inputs and these files, which must be the same as
    /// without an interruption.
    #[track_caller]
    fn check(&self, what: &str, results: &[(&str, &[u8])]) {
        for name in self.work.names() {
            if self.before.contains(&name) {
                continue;
            }
            let result = results.iter().find(|(result, _)| *result == name);
            let (_, bytes) = result.unwrap_or_else(|| panic!("{what}: {name} is left"));
            let found = std::fs::read(self.work.file(&name)).expect("a result");
            assert!(found == *bytes, "{what}: {name} is not whole");
        }
        assert_eq!(self.temp.names(), [""; 0], "{what}");
    }
}

const SIGNALS: [i32; 4] = [2, 15, 1, 9];

/// Sends a signal to a process that we started, at once.
fn signal(child: &Child, signal: i32) {
    let signal = Signal::from_named_raw(signal).expect("it has a name");
    // It may have ended by itself.
    let _ = kill_process(Pid::from_child(child), signal);
}

/// Runs a verb again and again, and stops it each time; its result is the file `out`, if it has
/// one. `signals` are those to choose from.
fn interrupt(verb: &[&str], files: &[(&str, &[u8])], signals: &[i32]) {
    let mut random = Random::new();
    let place = Place::new(files);
    let started = Instant::now();
    let status = place.command(verb).status().expect("it runs");
    let mut takes = started.elapsed();
    let least = takes / 10;
    assert!(
        status.code().is_some_and(|code| code <= 1),
        "{verb:?}: {status}"
    );
    let result = std::fs::read(place.work.file("out")).ok();
    let results: Vec<_> = result.iter().map(|bytes| ("out", &bytes[..])).collect();
    place.check("uninterrupted", &results);
    let mut stopped = 0;
    for number in 0..tries() {
        let place = Place::new(files);
        let chosen = signals[random.below(signals.len() as u64) as usize];
        let delay = Duration::from_nanos(random.below(takes.as_nanos() as u64));
        let what = format!("{verb:?}, {number}: signal {chosen} after {delay:?}");
        let mut child = place.command(verb).spawn().expect("it starts");
        std::thread::sleep(delay);
        signal(&child, chosen);
        let status = child.wait().expect("it ends");
        match status.signal() {
            Some(_) => stopped += 1,
            // The machine is less busy than before.
            None => takes = takes.mul_f64(0.9).max(least),
        }
        place.check(&what, &results);
    }
    // Some runs may have ended before the signal, but not all.
    assert!(
        tries() < 20 || stopped > tries() / 10,
        "{verb:?}: {stopped}"
    );
}

#[test]
fn verbs_that_convert() {
    let (log, other) = (long(1), long(2));
    let files: &[(&str, &[u8])] = &[("log", &log), ("other", &other)];
    let verbs: [&[&str]; 11] = [
        &["repair", "log", "-o", "out"],
        &["sort", "log", "-o", "out"],
        &["sort", "log", "-o", "out", "--memory", "1M"],
        &["cut", "log", "--from", "3ms", "-o", "out"],
        &["merge", "log", "other", "-o", "out"],
        &["export", "perfetto", "log", "-o", "out"],
        &[
            "export",
            "speedscope",
            "--what",
            "spans",
            "log",
            "-o",
            "out",
        ],
        &["export", "folded", "--what", "threads", "log", "-o", "out"],
        &["export", "hp", "log", "-o", "out"],
        &["export", "csv", "log", "-o", "out"],
        &["completions", "bash"],
    ];
    for verb in verbs {
        interrupt(verb, files, &SIGNALS);
    }
}

#[test]
fn verbs_that_only_look() {
    let log = long(1);
    let files: &[(&str, &[u8])] = &[("log", &log)];
    let verbs: [&[&str]; 7] = [
        &["show", "log"],
        &["show", "--sort", "log"],
        &["show", "--sort", "--sort-memory", "100K", "log"],
        &["stats", "log"],
        &["validate", "log"],
        &["spans", "log"],
        &["types"],
    ];
    for verb in verbs {
        interrupt(verb, files, &SIGNALS);
    }
}

/// Temporary files, while there are some for sure.
#[test]
fn sorting_with_temporary_files() {
    let dir = Dir::new();
    let mut log = Log::new();
    for block in 0..60u64 {
        let text = "x".repeat(1000);
        let messages: Vec<_> = (0..100).map(|n| (block * 100 + n, text.as_str())).collect();
        log = log.messages((block % 4) as u16, &messages);
    }
    let log = dir.with("log", &log.end());
    let bytes = std::fs::read(&log).expect("a log");
    for verb in [
        &["sort", "log", "-o", "out", "--memory", "1M"][..],
        &["show", "--sort", "--sort-memory", "1M", "log"],
    ] {
        interrupt(verb, &[("log", &bytes)], &SIGNALS);
    }
}

/// A file that is replaced has either the old content or the new.
#[test]
fn a_file_that_is_replaced() {
    let log = long(1);
    let mut random = Random::new();
    let place = Place::new(&[("log", &log)]);
    let started = Instant::now();
    eventlog(&[
        "sort",
        &place.work.file("log"),
        "-o",
        &place.work.file("new"),
    ])
    .exits(0);
    let takes = started.elapsed();
    let new = std::fs::read(place.work.file("new")).expect("a result");
    for number in 0..tries() {
        let place = Place::new(&[("log", &log), ("out", b"old")]);
        let delay = Duration::from_nanos(random.below(takes.as_nanos() as u64));
        // Between two system calls the new file has a temporary name. Signals wait until that is
        // over; SIGKILL would not.
        let chosen = SIGNALS[random.below(3) as usize];
        let args = ["sort", "log", "-o", "out", "--force"];
        let mut child = place.command(&args).spawn().expect("it starts");
        std::thread::sleep(delay);
        signal(&child, chosen);
        child.wait().expect("it ends");
        place.check(&format!("{number}: signal {chosen}"), &[]);
        let out = std::fs::read(place.work.file("out")).expect("a file");
        assert!(out == b"old" || out == new, "{number}: signal {chosen}");
    }
}

#[test]
fn recovering_a_ring_file() {
    let dir = Dir::new();
    let ring = Ring::with_header(dir.file("ring"));
    for number in 0..2000 {
        ring.push(&crate::ring::numbered(number, Some(0), 300));
    }
    let image = ring.image();
    for verb in ["recover", "snapshot"] {
        interrupt(&[verb, "ring", "-o", "out"], &[("ring", &image)], &SIGNALS);
    }
}

/// Of many results, each is whole.
#[test]
fn man_pages() {
    let mut random = Random::new();
    let whole = Dir::new();
    let started = Instant::now();
    eventlog(&["man", &whole.file("man")]).exits(0);
    let takes = started.elapsed();
    for number in 0..tries() {
        let place = Place::new(&[]);
        let mut child = place.command(&["man", "man"]).spawn().expect("it starts");
        std::thread::sleep(Duration::from_nanos(random.below(takes.as_nanos() as u64)));
        signal(&child, SIGNALS[random.below(4) as usize]);
        child.wait().expect("it ends");
        let Ok(pages) = std::fs::read_dir(place.work.file("man")) else {
            continue;
        };
        for page in pages {
            let page = page.expect("an entry");
            let name = page.file_name().into_string().expect("UTF-8");
            let expected = std::fs::read(whole.file("man") + "/" + &name);
            let expected = expected.unwrap_or_else(|_| panic!("{number}: {name} is left"));
            assert!(
                std::fs::read(page.path()).expect("a page") == expected,
                "{name}"
            );
        }
    }
}

/// What is recorded is written in place: a beginning of it is left, which can be read, and nothing
/// else. The program that is run reaches its end, and then the FIFO is removed, too.
#[test]
fn recordings() {
    let log = long(1);
    let script = "exec 9<>${GHCRTS##*-ol}; cat log >&9; exec 9>&-; echo >> through";
    let verbs: [&[&str]; 4] = [
        &["record", "log", "-o", "out"],
        &["record", "log", "-o", "out.zst"],
        &["run", "-o", "out", "--", "sh", "-c", script],
        &["run", "-o", "out.zst", "--", "sh", "-c", script],
    ];
    let mut random = Random::new();
    for verb in verbs {
        let place = Place::new(&[("log", &log)]);
        let started = Instant::now();
        let status = place.command(verb).status().expect("it runs");
        let takes = started.elapsed();
        assert!(status.success(), "{verb:?}");
        for number in 0..tries() {
            let place = Place::new(&[("log", &log)]);
            let delay = Duration::from_nanos(random.below(takes.as_nanos() as u64));
            let chosen = SIGNALS[random.below(4) as usize];
            let what = format!("{verb:?}, {number}: signal {chosen} after {delay:?}");
            let mut child = place.command(verb).spawn().expect("it starts");
            std::thread::sleep(delay);
            signal(&child, chosen);
            child.wait().expect("it ends");
            // If run was killed, its second process waits for the end of the program.
            wait_until(&what, || place.temp.names().is_empty());
            let names = place.work.names();
            let known = ["log", "out", "out.zst", "through"];
            let unknown = names.iter().find(|name| !known.contains(&name.as_str()));
            assert_eq!(unknown, None, "{what}");
            if names.contains(&"out".to_owned()) {
                let out = std::fs::read(place.work.file("out")).expect("a recording");
                assert!(log.starts_with(&out), "{what}");
            }
            if names.contains(&"out.zst".to_owned()) {
                // Nothing, or not even a header, is a log that breaks off early.
                let shown = eventlog(&["show", &place.work.file("out.zst")]);
                assert!(shown.code <= 1, "{what}: {}", shown.stderr);
                assert!(
                    !shown.stderr.contains("damaged"),
                    "{what}: {}",
                    shown.stderr
                );
            }
        }
    }
}

/// An error in writing names the file, in every verb, for standard output and for other files.
#[test]
fn what_cannot_be_written_is_named() {
    let dir = Dir::new();
    let log = dir.with("a.eventlog", &everything());
    for verb in [
        &["show", &log][..],
        &["stats", &log],
        &["validate", &log],
        &["export", "perfetto", &log],
        &["export", "csv", "--what", "threads", &log],
        &["sort", "-o", "-", &log],
        &["repair", "-o", "-", &log],
        &["types"],
    ] {
        let full = std::fs::File::create("/dev/full").expect("opened");
        let mut command = command();
        let output = command.args(verb).stdout(full).output().expect("it runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            stderr.contains("cannot write standard output: No space left"),
            "{verb:?}: {stderr}"
        );
        assert!(!stderr.contains("temp-dir"), "{stderr}");
        assert_eq!(output.status.code(), Some(3), "{verb:?}");
    }
    for verb in [&["export", "perfetto"][..], &["sort"], &["repair"]] {
        let done = eventlog(&[verb, &[log.as_str(), "-o", "/dev/full"]].concat()).exits(3);
        done.says("cannot write /dev/full: No space left");
    }
}
