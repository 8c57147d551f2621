//! Many processes that have one environment: each has its own socket and file, as the value
//! of a variable says.

use crate::support;

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use support::ghc::ghc;
use support::probe::{expect, run_probe, start_probe, status, text};
use support::recovery::recovered;
use support::skip::need;
use support::worker::Setup;
use support::{
    Address, Build, Collector, LIMIT, Main, Start, Stream, TempDir, Transport, eventually,
};

const OK: i32 = 0;
const ENV_TOOLONG: i32 = 4;
const SYS: i32 = 10;

const UNIX_PATH: &str = "GHC_EVENTLOG_UNIX_PATH";
const RING_FILE: &str = "GHC_EVENTLOG_RING_FILE";
const SIZE: (&str, &str) = ("GHC_EVENTLOG_RING_FILE_SIZE", "1M");
/// Its payload ends with a process id.
const OSPROCESS_PID: u16 = 32;

/// Two at once, with directories of their own, which only their user may enter.
#[test]
fn two_processes_and_one_variable() {
    let dir = TempDir::new();
    let socket = format!("{}/run/%p/%n.100%%.socket", text(dir.path()));
    let ring = format!("{}/rings/%n-%p", text(dir.path()));
    let environment = [(UNIX_PATH, &*socket), (RING_FILE, &ring), SIZE];
    let mut probes = [(); 2].map(|()| start_probe(&["env-init", "pause"], &environment));
    for probe in &mut probes {
        let lines = probe.lines_until("paused");
        expect(&lines, "init", OK, 0);
        let program = std::fs::read_link(format!("/proc/{}/exe", probe.pid()));
        let program = program.expect("an executable");
        let name = text(Path::new(program.file_name().expect("a name"))).to_owned();
        let own = dir.join(&format!("run/{}", probe.pid()));
        let socket = own.join(format!("{name}.100%.socket"));
        assert!(lines.contains(&format!("addr: unix '{}'", text(&socket))));
        UnixStream::connect(&socket).expect("it listens");
        assert!(dir.join(&format!("rings/{name}-{}", probe.pid())).exists());
        for made in [own, dir.join("run"), dir.join("rings")] {
            let mode = std::fs::metadata(&made).expect("a directory").permissions();
            assert_eq!(mode.mode() & 0o7777, 0o700, "{}", made.display());
        }
    }
    for mut probe in probes {
        probe.write_line("go on");
        assert!(probe.wait().success());
    }
}

/// What a program says itself is taken as it is; so is what stands for nothing.
#[test]
fn only_the_environment_is_expanded() {
    let dir = TempDir::new();
    let own = dir.join("%p.%h.%n.%%");
    let mut probe = start_probe(&["init-unix", text(&own), "pause"], &[]);
    expect(&probe.lines_until("paused"), "init", OK, 0);
    assert!(own.exists());
    probe.write_line("go on");
    assert!(probe.wait().success());
    let lines = run_probe(&["from-env"], &[(UNIX_PATH, "/%q/%2p/%")]);
    let unchanged = "addr: unix '/%q/%2p/%'".to_owned();
    assert!(lines.contains(&unchanged), "{lines:?}");
}

/// It counts how long a path is in the end, and that one is named.
#[test]
fn the_length_is_that_of_the_result() {
    let short = format!("/tmp/{}", "%n".repeat(40));
    let lines = run_probe(&["from-env"], &[(UNIX_PATH, &short)]);
    expect(&lines, "from_env", ENV_TOOLONG, 0);
    let words = status(&lines, "from_env").2;
    let address = lines
        .iter()
        .find_map(|line| line.strip_prefix("addr: unix '"));
    let result = address.expect("an address").trim_end_matches('\'');
    assert!(!result.contains('%') && result.len() > 107, "{result}");
    let named = format!("socket {result} (GHC_EVENTLOG_UNIX_PATH): longer than 107 bytes");
    assert_eq!(words, named);
    let long = format!("/tmp/{}", "%%".repeat(60));
    let lines = run_probe(&["from-env"], &[(UNIX_PATH, &long)]);
    expect(&lines, "from_env", OK, 0);
}

/// Directories are made below our own only, and nothing is followed there.
#[test]
fn directories_are_made_below_our_own() {
    let dir = TempDir::new();
    let foreign = dir.join("foreign");
    std::fs::create_dir(&foreign).expect("a directory");
    if std::os::unix::fs::chown(&foreign, Some(65534), None).is_ok() {
        let path = foreign.join("made/socket");
        let lines = run_probe(&["init-unix", text(&path)], &[]);
        expect(&lines, "init", SYS, libc::ENOENT);
        assert!(!foreign.join("made").exists());
        let path = foreign.join("made/ring");
        let ring = [(RING_FILE, text(&path)), SIZE];
        let socket = dir.join("socket");
        let lines = run_probe(&["init-unix", text(&socket)], &ring);
        expect(&lines, "init", 12, libc::ENOENT);
    } else {
        eprintln!("the directory of another user was left out: not root");
    }
    let up = dir.join("not/../there/socket");
    let lines = run_probe(&["init-unix", text(&up)], &[]);
    expect(&lines, "init", SYS, libc::ENOENT);
    assert!(!dir.join("there").exists());
    // A link to where nothing is.
    std::os::unix::fs::symlink(dir.join("nowhere"), dir.join("link")).expect("a link");
    let lines = run_probe(&["init-unix", text(&dir.join("link/socket"))], &[]);
    let code = status(&lines, "init").0;
    assert_eq!(code, SYS, "{lines:?}");
    assert!(!dir.join("nowhere").exists());
    // One that is there stays as it is.
    let open = dir.join("open");
    std::fs::DirBuilder::new()
        .mode(0o755)
        .create(&open)
        .expect("a directory");
    let lines = run_probe(&["init-unix", text(&open.join("deep/socket"))], &[]);
    expect(&lines, "init", OK, 0);
    let mode = std::fs::metadata(&open).expect("it").permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
}

// ------------------------------------------------------- with the RTS -----

/// The sockets in a directory.
fn sockets(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "socket"))
        .collect()
}

fn per_process(dir: &TempDir) -> String {
    format!("{}/%p.socket", text(dir.path()))
}

/// Two instances of a program, started as one.
#[test]
fn two_instances_stream() {
    let ghc = need!(ghc());
    let dir = TempDir::new();
    for main in [Main::Haskell, Main::Wrap] {
        let mut workers = [(); 2].map(|()| {
            let setup = Setup::of(Build::new(main), Transport::Unix);
            setup.env(UNIX_PATH, &per_process(&dir)).spawn(ghc)
        });
        for (number, worker) in workers.iter_mut().enumerate() {
            worker.ready();
            let own = dir.join(&format!("{}.socket", worker.process.pid()));
            let collector = Collector::connect(&Address::Unix(own));
            collector.wait_for_text("datb");
            worker.command(&format!("message instance {number}"));
            assert!(worker.finish().success());
            let bytes = collector.finish();
            let stream = Stream::complete(&bytes);
            assert!(stream.has_message(&format!("instance {number}")));
            assert_eq!(stream.messages.len(), 1);
        }
    }
    assert_eq!(sockets(dir.path()), Vec::<PathBuf>::new());
}

/// A child of forkProcess streams that has asked for it, after the commands of `script`; its
/// parent, if that streams, goes on.
#[track_caller]
fn child_streams(setup: Setup, dir: &TempDir, script: &str) {
    let ghc = ghc().expect("a GHC");
    let mut worker = setup.env(UNIX_PATH, &per_process(dir)).spawn(ghc);
    worker.ready();
    let own = dir.join(&format!("{}.socket", worker.process.pid()));
    let parent = own.exists().then(|| {
        let collector = Collector::connect(&Address::Unix(own.clone()));
        collector.wait_for_text("datb");
        collector
    });
    for round in 0..2 {
        let text = format!("said in child {round}");
        worker.begin(&format!(
            "fork-script {script}start; wait; log 1 200 1000; message {text};"
        ));
        let found = || sockets(dir.path()).into_iter().find(|path| *path != own);
        eventually(LIMIT, "the child listens", || found().is_some());
        let socket = found().expect("its socket");
        let child = socket.file_stem().and_then(|stem| stem.to_str());
        let child: u32 = child.and_then(|stem| stem.parse().ok()).expect("its id");
        let bytes = Collector::connect(&Address::Unix(socket.clone())).finish();
        let said = worker.end();
        assert!(
            said.iter().any(|line| line.starts_with("start: 0 0 ")),
            "{said:?}"
        );
        let ended = "child: Just (Exited ExitSuccess)".to_owned();
        assert!(said.contains(&ended), "{said:?}");
        let stream = Stream::complete(&bytes);
        assert!(stream.has_message(&text), "round {round}");
        let hooked = script.contains("hook");
        assert_eq!(stream.has_message("begun in the child"), hooked);
        assert_eq!(stream.numbers(0), (0..200).collect::<Vec<_>>());
        let ids: Vec<&[u8]> = stream
            .all(OSPROCESS_PID)
            .map(|event| event.payload)
            .collect();
        assert!(!ids.is_empty());
        for id in ids {
            assert!(id.ends_with(&child.to_be_bytes()), "{id:?} is not {child}");
        }
        assert!(!socket.exists());
    }
    worker.command("message said in the parent");
    assert!(worker.finish().success());
    assert_eq!(worker.process.stderr(), "");
    if let Some(parent) = parent {
        let bytes = parent.finish();
        let stream = Stream::complete(&bytes);
        assert!(stream.has_message("said in the parent"));
        assert_eq!(stream.messages.len(), 1, "the child's are there, too");
    }
}

#[test]
fn children_of_a_program_that_streams() {
    need!(ghc());
    for start in [Start::Haskell, Start::CMain] {
        let dir = TempDir::new();
        let setup = Setup::new(start, Transport::Unix).rts("-N2");
        let hook = "control hook post log begun in the child; ";
        child_streams(setup, &dir, hook);
    }
}

#[test]
fn children_without_threads() {
    need!(ghc());
    let dir = TempDir::new();
    let mut build = Build::new(Main::Haskell);
    build.threaded = false;
    child_streams(Setup::of(build, Transport::Unix), &dir, "");
}

/// The parent has not started, or could not.
#[test]
fn children_of_a_program_that_does_not_stream() {
    need!(ghc());
    for start in ["start-unix /proc/missing/socket no", "print nothing"] {
        let dir = TempDir::new();
        let setup = Setup::new(Start::Haskell, Transport::Unix);
        // Not into the file that the RTS would make.
        child_streams(setup.start_with(start), &dir, "");
    }
}

/// Each process has a ring file, and the child's has what the child said.
#[test]
fn children_record() {
    let ghc = need!(ghc());
    let dir = TempDir::new();
    let ring = format!("{}/%p.ring", text(dir.path()));
    let setup = Setup::new(Start::Haskell, Transport::Unix).without_socket();
    let setup = setup.env(RING_FILE, &ring).env(SIZE.0, SIZE.1);
    let mut worker = setup.spawn(ghc);
    worker.ready();
    worker.command("message said in the parent");
    let said = worker.command("fork-script start; message said in the child;");
    assert!(
        said.iter().any(|line| line.starts_with("start: 0 0 ")),
        "{said:?}"
    );
    assert!(worker.finish().success());
    let own = dir.join(&format!("{}.ring", worker.process.pid()));
    let mut rings: Vec<PathBuf> = std::fs::read_dir(dir.path())
        .expect("the directory")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    rings.sort_by_key(|ring| *ring != own);
    assert_eq!(rings.len(), 2, "{rings:?}");
    for (ring, who, other) in [(0, "parent", "child"), (1, "child", "parent")] {
        let log = recovered(&rings[ring]).log;
        let stream = Stream::complete(&log);
        assert!(stream.has_message(&format!("said in the {who}")), "{who}");
        assert!(
            !stream.has_message(&format!("said in the {other}")),
            "{who}"
        );
    }
}

/// A child of a plain fork has no RTS that works: it cannot start, whatever it says.
#[test]
fn children_of_a_plain_fork_stay_inert() {
    let ghc = need!(ghc());
    let dir = TempDir::new();
    let setup = Setup::new(Start::Haskell, Transport::Unix);
    let mut worker = setup.env(UNIX_PATH, &per_process(&dir)).spawn(ghc);
    worker.ready();
    let said = worker.command("fork-and-start").concat();
    let inert = format!("start: {SYS} {} ", libc::EOPNOTSUPP);
    assert!(said.starts_with(&inert), "{said}");
    // Also below a child that might.
    let said = worker.command("fork-script fork-and-start; start; fork-and-start;");
    let starts: Vec<bool> = said.iter().map(|line| line.starts_with(&inert)).collect();
    assert_eq!(starts, [true, false, true, false], "{said:?}");
    assert!(said[1].starts_with("start: 0 0 "), "{said:?}");
    assert!(worker.finish().success());
}

/// Who watches a program that runs without `-l` is told, as long as there is nothing else.
#[test]
fn a_program_that_logs_nothing_says_so() {
    let ghc = need!(ghc());
    for start in [Start::Haskell, Start::CMain] {
        for logs in [true, false] {
            let mut setup = Setup::new(start, Transport::Unix);
            if !logs {
                setup = setup.without_log();
            }
            let mut worker = setup.spawn(ghc);
            worker.ready();
            let first = Collector::connect(&worker.address);
            first.wait_for_text("datb");
            worker.command("message heard or not");
            eventually(LIMIT, "the first is served", || {
                logs || first.contains("+RTS -l")
            });
            let first = first.leave();
            eventually(LIMIT, "it is gone", || worker.stats().get("connected") == 0);
            let second = Collector::connect(&worker.address);
            second.wait_for_text("datb");
            assert!(worker.finish().success());
            for bytes in [first, second.finish()] {
                let stream = Stream::cut(&bytes);
                let told = stream.messages.iter().filter(|event| {
                    event
                        .payload
                        .starts_with(b"eventlog-socket: this program runs without +RTS -l")
                });
                assert_eq!(told.count(), usize::from(!logs), "{start:?}, -l: {logs}");
            }
        }
    }
}
