//! `eventlog relay --record` and `eventlog sessions`.

use crate::common::{Dir, Log, done, eventlog, eventlog_with};
use crate::program::{at, create, identity, message, run, stop};
use crate::relaying::{Client, Program, Relaying, end_alike, is_valid, relay, until};
use ghc_eventlog::{EventBody, Item, Reader, StopStatus};
use rustix::process::Signal;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A log of two capabilities in many blocks, and where each of them begins; it lasts for 60 s.
fn long_log(blocks: u64) -> (Vec<u8>, Vec<usize>) {
    let text = "x".repeat(300);
    let mut log = Log::new().block(None, &at(&identity(4711)));
    let mut begins = Vec::new();
    for number in 0..blocks {
        begins.push(log.bytes.len());
        let begin = 1 + number * 60_000 / blocks;
        let thread = number as u32 + 1;
        log = log.block(
            Some((number % 2) as u16),
            &at(&[
                (begin, create(thread)),
                (begin + 1, run(thread)),
                (begin + 2, message(&text)),
                (
                    begin + 3,
                    stop(
                        thread,
                        if number % 3 == 0 {
                            StopStatus::MVAR
                        } else {
                            StopStatus::FINISHED
                        },
                    ),
                ),
            ]),
        );
    }
    (log.end(), begins)
}

/// A relay that records the stream of a program of ours into `DIR/logs`.
struct Recording {
    dir: Dir,
    program: Program,
    relay: Relaying,
}

impl Recording {
    fn start(args: &[&str]) -> Self {
        let dir = Dir::new();
        let program = Program::new(&dir, "app.sock");
        let source = program.source();
        let args = [&[source.as_str(), "--record", "logs"], args].concat();
        let relay = Relaying::start(&dir, &args, 0);
        Self {
            dir,
            program,
            relay,
        }
    }

    fn logs(&self) -> String {
        self.dir.file("logs")
    }

    fn sessions(&self) -> Vec<serde_json::Value> {
        eventlog(&["sessions", "list", "--json", &self.logs()])
            .exits(0)
            .json()
    }

    fn export(&self, session: &str) -> Vec<u8> {
        let out = self.dir.file("exported");
        eventlog(&[
            "sessions",
            "export",
            &self.logs(),
            session,
            "--force",
            "-o",
            &out,
        ])
        .exits(0);
        std::fs::read(out).expect("a log")
    }

    /// The parts of a session, in order.
    fn parts(&self, session: &str) -> Vec<PathBuf> {
        let shown = eventlog(&["sessions", "show", "--json", &self.logs(), session]).exits(0);
        let files = shown.json()[0]["files"].as_array().expect("files").clone();
        let path = |file: &serde_json::Value| PathBuf::from(file["file"].as_str().expect("a path"));
        files.iter().map(path).collect()
    }

    /// Each part is a log for every tool, and `merge` joins them to the same log.
    fn check_parts(&self, session: &str) -> usize {
        let parts = self.parts(session);
        for part in &parts {
            is_valid(&self.dir, &std::fs::read(part).expect("a part"));
        }
        if parts.len() > 1 {
            let out = self.dir.file("merged");
            let mut merge: Vec<&str> = vec!["merge", "--force", "-o", &out];
            merge.extend(parts.iter().map(|part| part.to_str().expect("UTF-8")));
            eventlog(&merge).exits(0).says("one recording");
            let merged = std::fs::read(out).expect("a log");
            let mut exported = self.export(session);
            // Both add an end mark if there is none.
            if !exported.ends_with(&[0xff; 2]) {
                exported.extend([0xff; 2]);
            }
            assert!(
                merged == exported,
                "{} and {} bytes",
                merged.len(),
                exported.len()
            );
        }
        parts.len()
    }
}

#[test]
fn a_session_is_the_stream_byte_for_byte() {
    let (log, _) = long_log(400);
    let mut recording = Recording::start(&["--rotate-size", "32K", "--to", "unix:fan.sock"]);
    recording.program.accept().write_all(&log).expect("sent");
    recording.relay.tells("session_ended", 1);
    recording.relay.signal(Signal::TERM);
    assert_eq!(recording.relay.end(), 0, "{}", recording.relay.text());
    let began = recording.relay.told("recording_began");
    assert_eq!(began.len(), 1);
    assert_eq!(began[0]["directory"], "logs/app-0001");
    assert!(recording.export("app") == log);
    assert!(recording.check_parts("app") > 3);
    let sessions = recording.sessions();
    assert_eq!(sessions.len(), 1);
    let session = &sessions[0];
    assert_eq!(session["session"], "app-0001");
    assert_eq!(
        (&session["source"], &session["from"]),
        (&"app".into(), &recording.program.source().into())
    );
    assert_eq!(
        (&session["pid"], &session["state"]),
        (&4711.into(), &"complete".into())
    );
    assert_eq!(session["lost"]["bytes"], 0);
    let mut reader = Reader::new(&log[..]);
    let (mut events, mut last) = (0, 0);
    while let Some(item) = reader.next_item().expect("a log") {
        if let Item::Event(event) = item {
            (events, last) = (events + 1, event.time.max(last));
        }
    }
    assert_eq!(
        (&session["events"], &session["end_ns"]),
        (&events.into(), &last.into())
    );
    // For people.
    let logs = recording.logs();
    let list = eventlog(&["sessions", "list", &logs]).exits(0);
    let row: Vec<&str> = list.lines()[1].split_ascii_whitespace().collect();
    assert_eq!(
        (row[0], row[2], row.last()),
        ("app-0001", "4711", Some(&"complete"))
    );
    assert!(
        list.lines().iter().all(|line| line.len() <= 80),
        "{}",
        list.stdout
    );
    let show = eventlog(&["sessions", "show", &logs, "app"]).exits(0);
    assert!(show.stdout.contains("came to its end mark") && show.stdout.contains("pid 4711"));
    assert!(!show.stdout.contains("missing"), "{}", show.stdout);
    let piped = eventlog_with(&["stats", "--json", "-"], &recording.export("app-0001")).exits(0);
    assert_eq!(piped.json()[0]["stream"]["events"], events);
    // Notes, and removal.
    eventlog(&["sessions", "note", &logs, "app", "slow\u{1b}[31m today"]).exits(0);
    let show = eventlog(&["sessions", "show", &logs, "app"]).exits(0);
    assert!(
        show.stdout.contains("slow\\u{1b}[31m today"),
        "{}",
        show.stdout
    );
    eventlog(&["sessions", "rm", &logs, "app"])
        .exits(0)
        .says("removed app-0001");
    eventlog(&["sessions", "list", &logs])
        .exits(0)
        .says("no sessions");
}

#[test]
fn a_range_is_what_cut_makes_of_the_whole() {
    let (log, _) = long_log(900);
    let mut recording = Recording::start(&["--rotate-size", "32K"]);
    recording.program.accept().write_all(&log).expect("sent");
    recording.relay.tells("session_ended", 1);
    recording.relay.signal(Signal::TERM);
    assert_eq!(recording.relay.end(), 0);
    let whole = recording.dir.with("whole", &log);
    let (out, expected) = (recording.dir.file("range"), recording.dir.file("cut"));
    for (from, to) in [("20s", "21s"), ("0s", "5s"), ("59s", "90s"), ("10s", "50s")] {
        let range = ["--from", from, "--to", to, "--force"];
        let logs = recording.logs();
        let export = ["sessions", "export", &logs, "app", "-o", &out];
        eventlog(&[&export[..], &range].concat()).exits(0);
        eventlog(&[&["cut", &whole, "-o", &expected][..], &range].concat()).exits(0);
        let (range, cut) = (
            std::fs::read(&out).expect("a log"),
            std::fs::read(&expected).expect("a log"),
        );
        is_valid(&recording.dir, &range);
        end_alike(&range, &cut);
        let messages = |log: &[u8]| {
            let mut reader = Reader::new(log);
            let mut found = Vec::new();
            while let Some(item) = reader.next_item().expect("a log") {
                if let Item::Event(event) = item
                    && matches!(event.body, EventBody::UserMsg { .. })
                {
                    found.push((event.cap, event.time, event.to_string()));
                }
            }
            found.sort();
            found
        };
        assert!(messages(&range).len() > 10);
        assert_eq!(messages(&range), messages(&cut), "{from} to {to}");
    }
    let logs = recording.logs();
    let export = |more: &[&str]| eventlog(&[&["sessions", "export", &logs, "app"], more].concat());
    export(&["--from", "2s", "--to", "1s"])
        .exits(2)
        .says("earlier than --to");
    export(&["--from", "2m"])
        .exits(2)
        .says("there is nothing from 2m00s on");
    export(&["-o", &out]).exits(2).says("exists already");
}

#[test]
fn a_killed_relay_leaves_what_was_recorded() {
    let (log, begins) = long_log(400);
    let mut recording = Recording::start(&["--rotate-size", "32K"]);
    let mut source = recording.program.accept();
    // A part of the next block has arrived.
    let whole = begins[300];
    source.write_all(&log[..whole + 100]).expect("sent");
    recording.relay.tells("recording_began", 1);
    until("all of it is written", || {
        recording.export("app").len() == whole
    });
    assert_eq!(recording.sessions()[0]["state"], "running");
    eventlog(&["sessions", "rm", &recording.logs(), "app"])
        .exits(3)
        .says("is being recorded");
    recording.relay.signal(Signal::KILL);
    recording.relay.end();
    let sessions = recording.sessions();
    assert_eq!(
        (&sessions[0]["state"], &sessions[0]["pid"]),
        (&"killed".into(), &4711.into())
    );
    assert!(recording.export("app") == log[..whole]);
    assert!(recording.check_parts("app") > 3);
    // With only the parts left.
    for entry in std::fs::read_dir(recording.dir.file("logs/app-0001")).expect("a session") {
        let path = entry.expect("a file").path();
        if path
            .extension()
            .is_some_and(|extension| extension != "eventlog")
        {
            std::fs::remove_file(path).expect("removed");
        }
    }
    assert!(recording.export("app") == log[..whole]);
    assert_eq!(recording.sessions()[0]["pid"], 4711);
    eventlog(&["sessions", "rm", &recording.logs(), "app"]).exits(0);
}

#[test]
fn a_stopped_relay_has_written_everything() {
    let (log, begins) = long_log(300);
    for (signal, again) in [(Signal::TERM, false), (Signal::INT, true)] {
        let mut recording = Recording::start(&["--to", "unix:fan.sock"]);
        let mut source = recording.program.accept();
        source.write_all(&log[..begins[250]]).expect("sent");
        let client = Client::connect(&format!("unix:{}", recording.dir.file("fan.sock")));
        recording.relay.tells("recording_began", 1);
        if again {
            // What has arrived is recorded, whether the relay has already noticed or not.
            client.gets(1000);
        }
        until("the relay has it all", || {
            let status = eventlog_in(&recording.dir, &["relay", "--status", "--json"]);
            let sent = begins[250] - Log::new().bytes.len();
            status
                .json()
                .iter()
                .any(|status| status["sources"][0]["session"]["bytes"] == sent)
        });
        recording.relay.signal(signal);
        assert_eq!(recording.relay.end(), 0);
        assert!(recording.export("app") == log[..begins[250]]);
        assert_eq!(recording.sessions()[0]["state"], "stopped");
    }
}

fn eventlog_in(dir: &Dir, args: &[&str]) -> crate::common::Done {
    done(
        crate::common::command()
            .args(args)
            .env("XDG_RUNTIME_DIR", dir.path()),
    )
}

#[test]
fn a_connection_that_breaks_ends_a_session_and_the_next_log_is_another() {
    let (log, begins) = long_log(60);
    let mut recording = Recording::start(&[]);
    for (number, end) in [(1, begins[40]), (2, log.len())] {
        recording
            .program
            .accept()
            .write_all(&log[..end])
            .expect("sent");
        recording.relay.tells("session_ended", number);
    }
    recording.relay.tells("recording_began", 2);
    recording.relay.signal(Signal::TERM);
    recording.relay.end();
    let states: Vec<_> = recording
        .sessions()
        .iter()
        .map(|it| it["state"].clone())
        .collect();
    assert_eq!(states, ["lost", "complete"]);
    assert!(recording.export("app-0001") == log[..begins[40]]);
    assert!(recording.export("app-0002") == log);
    let logs = recording.logs();
    eventlog(&["sessions", "show", &logs, "app"])
        .exits(2)
        .says("can be any of app-0001, app-0002");
    eventlog(&["sessions", "show", &logs, "b"])
        .exits(2)
        .says("there are app-0002, app-0001");
    // One of several names is wrong: nothing is removed.
    eventlog(&["sessions", "rm", &logs, "app-0001", "x"]).exits(2);
    assert_eq!(recording.sessions().len(), 2);
    eventlog(&["sessions", "rm", &logs, "app-0001", "app-0002", "app-0001"]).exits(0);
    assert_eq!(recording.sessions().len(), 0);
}

#[test]
fn sighup_opens_recordings_anew() {
    let (log, begins) = long_log(300);
    let mut recording = Recording::start(&[]);
    let mut source = recording.program.accept();
    source.write_all(&log[..begins[100]]).expect("sent");
    recording.relay.tells("recording_began", 1);
    until("it is recorded", || {
        recording.export("app").len() == begins[100]
    });
    let moved = recording.dir.file("moved");
    std::fs::rename(recording.dir.file("logs/app-0001"), &moved).expect("moved");
    recording.relay.signal(Signal::HUP);
    recording.relay.tells("recording_began", 2);
    source.write_all(&log[begins[100]..]).expect("sent");
    drop(source);
    recording.relay.tells("session_ended", 1);
    recording.relay.signal(Signal::TERM);
    assert_eq!(recording.relay.end(), 0);
    // The part that was moved away is a session as well.
    let store = recording.dir.path().to_str().expect("UTF-8").to_owned();
    let first = recording.dir.file("first");
    eventlog(&["sessions", "export", &store, "moved", "-o", &first]).exits(0);
    let first = std::fs::read(first).expect("a log");
    assert!(first == [&log[..begins[100]], &[0xff; 2]].concat());
    let second = recording.export("app");
    assert!(second.ends_with(&log[begins[100]..]));
    is_valid(&recording.dir, &second);
    end_alike(&second, &log);
    assert_eq!(recording.sessions()[0]["removed_bytes"], begins[100]);
}

#[test]
fn several_relays_record_into_one_directory() {
    let dir = Dir::new();
    let (log, _) = long_log(200);
    let program = dir.with("app.eventlog", &log);
    let mut relays: Vec<Relaying> = (0..3)
        .map(|_| {
            let args = [
                program.as_str(),
                "--speed",
                "max",
                "--record",
                "logs",
                "--rotate-size",
                "20K",
                "--max-bytes",
                "10M",
            ];
            Relaying::start(&dir, &args, 0)
        })
        .collect();
    for relay in &mut relays {
        assert_eq!(relay.end(), 0, "{}", relay.text());
    }
    let logs = dir.file("logs");
    let sessions = eventlog(&["sessions", "list", "--json", &logs])
        .exits(0)
        .json();
    let mut names: Vec<_> = sessions
        .iter()
        .map(|it| it["session"].as_str().expect("a name").to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["app-0001", "app-0002", "app-0003"]);
    for name in names {
        let out = dir.file(&name);
        eventlog(&["sessions", "export", &logs, &name, "-o", &out]).exits(0);
        assert!(std::fs::read(&out).expect("a log") == log);
    }
}

/// The size of files is limited, which is treated as a full disk; a new file has room.
#[test]
fn a_full_disk_costs_only_the_recording() {
    let (log, begins) = long_log(3000);
    let dir = Dir::new();
    let source = Program::new(&dir, "app.sock");
    let inner = relay(&dir);
    let program = inner.get_program().to_str().expect("UTF-8").to_owned();
    let args: Vec<&str> = inner
        .get_args()
        .map(|it| it.to_str().expect("UTF-8"))
        .collect();
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -f 512; exec \"$0\" \"$@\"", &program])
        .args(args)
        .args([
            "--json",
            &source.source(),
            "--record",
            "logs",
            "--to",
            "unix:fan.sock",
        ])
        .env("XDG_RUNTIME_DIR", dir.path())
        .current_dir(dir.path())
        .stdin(Stdio::null());
    let mut relay = Relaying::spawn(&mut limited, 1);
    let client = Client::connect(&format!("unix:{}", dir.file("fan.sock")));
    // A client that connects later would get the state instead of the events that led to it.
    relay.tells("client_came", 1);
    let mut stream = source.accept();
    stream.write_all(&log[..begins[1500]]).expect("sent");
    let failed = relay.tells("recording_failed", 1);
    let message = failed[0]["message"].as_str().expect("text");
    assert!(
        message.contains("cannot write logs/app-0001/0001.eventlog"),
        "{message}"
    );
    // What is lost is counted from then on.
    until("a loss is counted", || {
        let status = eventlog_in(&dir, &["relay", "--status", "--json"]).exits(0);
        status.json()[0]["recordings"][0]["lost"]["bytes"].as_u64() > Some(0)
    });
    let words = eventlog_in(&dir, &["relay", "--status"]).exits(0);
    assert!(words.stdout.contains("lost"), "{}", words.stdout);
    // The log is served nevertheless.
    client.gets(begins[1500] - 1);
    relay.tells("recording_resumed", 1);
    stream.write_all(&log[begins[1500]..]).expect("sent");
    drop(stream);
    assert!(client.end() == log);
    relay.tells("session_ended", 1);
    relay.signal(Signal::TERM);
    assert_eq!(relay.end(), 0);
    let logs = dir.file("logs");
    let session = eventlog(&["sessions", "list", "--json", &logs])
        .exits(0)
        .json()[0]
        .clone();
    let lost = session["lost"]["bytes"].as_u64().expect("a number");
    assert!(lost > 0);
    let shown = eventlog(&["sessions", "list", &logs]).exits(0);
    assert!(shown.stdout.contains("KiB"), "{}", shown.stdout);
    let out = dir.file("whole.eventlog");
    eventlog(&["sessions", "export", &logs, "app", "-o", &out])
        .exits(0)
        .says("could not be recorded");
    let whole = std::fs::read(&out).expect("a log");
    let losses = eventlog(&["stats", "--json", &out]).exits(0).json()[0]["stream"].clone();
    assert!(losses["lost_bytes"].as_u64() > Some(0), "{losses}");
    assert!(whole.len() < log.len() && whole.starts_with(&log[..begins[500]]));
    is_valid(&dir, &whole);
}

#[test]
fn command_lines_without_sense_are_refused() {
    let dir = Dir::new();
    let cases: &[(&[&str], &str)] = &[
        (&["x.eventlog", "--rotate-size=1M"], "--record"),
        (
            &["x.eventlog", "--record=logs", "--keep=3"],
            "--rotate-size or --rotate-age",
        ),
        (&["x.eventlog", "--record=logs", "--keep=0"], "1 at least"),
        (
            &["x.eventlog", "--record=logs", "--max-bytes=3K"],
            "1M at least",
        ),
        (&["x.eventlog"], "or --record DIR"),
    ];
    for (args, text) in cases {
        done(relay(&dir).args(*args)).exits(2).says(text);
    }
    dir.with("file", b"");
    done(relay(&dir).args(["x.eventlog", "--record=file"]))
        .exits(3)
        .says("cannot make file");
    eventlog(&["sessions", "list", &dir.file("none")])
        .exits(3)
        .says("what `eventlog relay --record` was given");
    eventlog(&["sessions", "note", &dir.file("none"), "a", " "])
        .exits(2)
        .says("empty");
}

/// A program that makes heap samples and collections all the time.
const HEAP: &str = r#"
import qualified Data.Map as M
import Control.Concurrent
import Control.Monad
main = do
  box <- newMVar M.empty
  forM_ [1 .. 40 :: Int] $ \k -> do
    modifyMVar_ box $ \m -> do
      let n = M.union m (M.fromList [(x * k, show x) | x <- [1 .. 3000 :: Int]])
      M.size n `seq` pure n
    forkIO (void (readMVar box))
  readMVar box >>= print . M.size
"#;

#[test]
fn a_real_program_with_a_heap_profile() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let suite = std::env::var("EVENTLOG_TEST_GHC").unwrap_or_else(|_| "host".into());
    let matrix = |program: &str| {
        let mut command = Command::new(repository.join("scripts/ghc-matrix"));
        command.args([&suite, program]);
        command
    };
    let version = matrix("ghc").arg("--numeric-version").output();
    let Some(version) = version.ok().filter(|output| output.status.success()) else {
        eprintln!("no GHC ({suite}): skipped");
        return;
    };
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let old = ["8.", "9.0.", "9.2."]
        .iter()
        .any(|old| version.starts_with(old));
    let dir = Dir::new();
    dir.with("Main.hs", HEAP.as_bytes());
    let mut ghc = matrix("ghc");
    ghc.args(["-v0", "-threaded", "-rtsopts", "-o", "heap", "Main.hs"])
        .args(old.then_some("-eventlog"))
        .current_dir(dir.path());
    done(&mut ghc).exits(0);
    // Without automatic flushes a block is as large as a buffer.
    let flags = ["+RTS", "-l", "-hT", "-i0.001", "-N2"];
    let flush = ["--eventlog-flush-interval=0.01"];
    let mut command = relay(&dir);
    command.args([
        "--json",
        "--record",
        "logs",
        "--rotate-size",
        "40K",
        "--to",
        "unix:fan.sock",
        "--",
    ]);
    match suite.as_str() {
        "host" => command.arg(dir.file("heap")),
        suite => command
            .arg(repository.join("scripts/ghc-matrix"))
            .arg(suite)
            .arg(dir.file("heap")),
    };
    command
        .args(flags)
        .args((!old).then_some(flush).into_iter().flatten());
    let mut relay = Relaying::spawn(&mut command, 1);
    assert_eq!(relay.end(), 0, "{}", relay.text());
    let recording = Recording {
        program: Program::new(&dir, "none.sock"),
        dir,
        relay,
    };
    let session = recording.sessions()[0].clone();
    assert_eq!(session["state"], "complete");
    let name = session["session"].as_str().expect("a name").to_owned();
    let parts = recording.check_parts(&name);
    assert!(old || parts > 2, "{parts} parts");
    let whole = recording.export(&name);
    is_valid(&recording.dir, &whole);
}
