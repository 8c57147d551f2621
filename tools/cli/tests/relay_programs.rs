//! `eventlog relay` of real GHC programs: unmodified ones, and one with the library in it.
//!
//! The GHC is `EVENTLOG_TEST_GHC`, a suite of `scripts/ghc-matrix` (default `host`).

use crate::common::{Dir, c_sources, done, repository};
use crate::relaying::{
    Client, END, Relaying, Socket, fold, is_valid, is_valid_for_us, relay, signal, until,
};
use ghc_eventlog::{EventBody, Item, Reader};
use rustix::process::Signal;
use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Works for each line of its input: threads are created, log and end, values are collected. It
/// reports each phase in the log and on its output.
const WORKER: &str = r#"
module Main (main) where
import Control.Concurrent
import Control.Exception (evaluate)
import Control.Monad
import Debug.Trace (traceEventIO, traceMarkerIO)
import GHC.Conc (labelThread, myThreadId)
import System.IO
import System.Mem (performMajorGC)

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  START
  phases <- lines <$> getContents
  forM_ phases $ \phase -> do
    traceMarkerIO ("phase " ++ phase)
    done <- forM [1 .. 8 :: Int] $ \n -> do
      ended <- newEmptyMVar
      there <- newEmptyMVar
      back <- newEmptyMVar
      _ <- forkIO $ forever (takeMVar there >>= putMVar back . (+ (1 :: Int)))
      _ <- forkIO $ do
        me <- myThreadId
        labelThread me ("worker " ++ show n)
        forM_ [1 .. 6000] $ \i -> do
          putMVar there i
          j <- takeMVar back
          when (i `mod` 100 == 0) $ traceEventIO (phase ++ ": " ++ show (n, j))
        putMVar ended ()
      pure ended
    mapM_ takeMVar done
    _ <- evaluate (sum [1 .. 100000 :: Int])
    performMajorGC
    putStrLn ("done " ++ phase)
"#;

/// A GHC, and where its programs can be run.
pub struct Ghc {
    suite: String,
    version: String,
}

impl Ghc {
    /// `None`, with a message, if there is none.
    pub fn find() -> Option<Self> {
        let suite = std::env::var("EVENTLOG_TEST_GHC").unwrap_or_else(|_| "host".into());
        let version = Self::command_in(&suite, "ghc")
            .arg("--numeric-version")
            .output();
        let version = version.ok().filter(|output| output.status.success());
        let Some(version) = version else {
            eprintln!("no GHC ({suite}): skipped");
            return None;
        };
        let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
        Some(Self { suite, version })
    }

    fn command_in(suite: &str, program: &str) -> Command {
        let mut command = Command::new(repository().join("scripts/ghc-matrix"));
        command.args([suite, program]);
        command
    }

    /// Before 9.4 programs must be linked with a flag.
    fn needs_flag(&self) -> bool {
        ["8.", "9.0.", "9.2."]
            .iter()
            .any(|old| self.version.starts_with(old))
    }

    /// The worker, without our library.
    fn worker(&self, dir: &Dir) -> String {
        dir.with("Main.hs", WORKER.replace("START", "pure ()").as_bytes());
        let mut ghc = Self::command_in(&self.suite, "ghc");
        ghc.args([
            "-v0",
            "-O",
            "-threaded",
            "-rtsopts",
            "-o",
            "worker",
            "Main.hs",
        ])
        .args(self.needs_flag().then_some("-eventlog"))
        .current_dir(dir.path());
        done(&mut ghc).exits(0);
        dir.file("worker")
    }

    /// The worker with the library, which creates a socket.
    pub fn streaming_worker(&self, dir: &Dir) -> String {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .parent()
            .expect("the target directory");
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args([
                "build",
                "--quiet",
                "--release",
                "-p",
                "eventlog-socket",
                "--target-dir",
            ])
            .arg(target)
            .current_dir(repository());
        done(&mut cargo).exits(0);
        let main = WORKER.replace("START", "startFromEnv").replace(
            "import System.IO\n",
            "import System.IO\nimport GHC.Eventlog.Socket\n",
        );
        dir.with("Main.hs", main.as_bytes());
        let root = repository();
        let at = |path: &str| root.join(path).display().to_string();
        let mut ghc = Self::command_in(&self.suite, "ghc");
        ghc.args([
            "-v0",
            "-O",
            "-threaded",
            "-rtsopts",
            "-o",
            "worker",
            "Main.hs",
        ])
        .args(self.needs_flag().then_some("-eventlog"))
        .args(["-outputdir", "objects"])
        .arg(format!("-i{}", at("haskell/eventlog-socket/src")))
        .args(c_sources(dir.path()))
        .arg(target.join("release/libeventlog_socket.a"))
        .current_dir(dir.path());
        done(&mut ghc).exits(0);
        dir.file("worker")
    }

    /// The command line of the worker, with two capabilities.
    pub fn call(&self, worker: &str, more: &[&str]) -> Vec<String> {
        let matrix = repository().join("scripts/ghc-matrix");
        let mut call = match self.suite.as_str() {
            "host" => vec![worker.to_owned()],
            suite => vec![
                matrix.display().to_string(),
                suite.to_owned(),
                worker.to_owned(),
            ],
        };
        call.extend(["+RTS", "-N2", "-l"].map(str::to_owned));
        call.extend(more.iter().map(|more| (*more).to_owned()));
        call
    }
}

/// A worker that runs; killed when dropped.
pub struct Working {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Working {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the worker starts");
        let stdin = child.stdin.take();
        Self { child, stdin }
    }

    pub fn phase(&mut self, name: &str) {
        let stdin = self.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{name}").expect("it listens");
    }

    pub fn end(&mut self) {
        self.stdin = None;
        assert!(self.child.wait().expect("it ends").success());
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The phases in a log.
fn phases(log: &[u8]) -> Vec<String> {
    let mut reader = Reader::new(log);
    let mut phases = Vec::new();
    while let Some(item) = reader.next_item().expect("a log") {
        if let Item::Event(event) = item
            && let EventBody::UserMarker { marker } = event.body
            && let Some(phase) = marker.to_string_lossy().strip_prefix("phase ")
        {
            phases.push(phase.to_owned());
        }
    }
    phases
}

const PHASES: [&str; 3] = ["1", "2", "3"];

/// An unmodified program that is run; a new client joins in each phase.
#[test]
fn clients_of_an_unmodified_program_may_come_at_any_time() {
    let Some(ghc) = Ghc::find() else { return };
    let dir = Dir::new();
    let worker = ghc.worker(&dir);
    let to = format!("--to=unix:{}", dir.file("fan.sock"));
    let mut command = relay(&dir);
    command
        .args(["--json", &to, "--to=tcp:127.0.0.1:0", "--"])
        .args(ghc.call(&worker, &[]))
        .stdin(Stdio::piped());
    let mut relaying = Relaying::spawn(&mut command, 2);
    let first = relaying.client();
    relaying.tells("client_came", 1);
    let mut stdin = relaying.child.stdin.take().expect("a pipe");
    let mut late = Vec::new();
    for (number, phase) in PHASES.iter().enumerate() {
        let before = first.count();
        writeln!(stdin, "{phase}").expect("it listens");
        // The program prints a line when it has finished the phase, and it never waits for a
        // client.
        until("the phase is over", || {
            relaying.lines().contains(&format!("done {phase}"))
        });
        until("buffers are full", || first.count() > before);
        let client = Client::connect(&relaying.addresses[number % 2]);
        client.gets(1);
        late.push(client);
    }
    drop(stdin);
    let log = first.end();
    assert_eq!(relaying.end(), 0);
    // Nothing of it was lost on its way through the pipe.
    assert_eq!(relaying.tells("session_ended", 1)[0]["marked"], true);
    assert!(log.ends_with(END));
    assert_eq!(phases(&log), PHASES);
    is_valid(&dir, &log);
    let whole = fold(&log);
    for client in late {
        let received = client.end();
        assert!(received.ends_with(END));
        is_valid(&dir, &received);
        assert_eq!(fold(&received).difference(&whole), None);
    }
}

/// The program's own file, while it is being written.
#[test]
fn what_clients_get_comes_to_the_same_as_the_file_of_the_program() {
    let Some(ghc) = Ghc::find() else { return };
    let dir = Dir::new();
    let worker = ghc.worker(&dir);
    let file = dir.file("own.eventlog");
    let to = format!("--to=unix:{}", dir.file("fan.sock"));
    let relaying = Relaying::start(&dir, &[&file, &to], 1);
    let first = relaying.client();
    relaying.tells("client_came", 1);
    let own = format!("-ol{file}");
    let call = ghc.call(&worker, &[&own]);
    let mut working = Working::start(Command::new(&call[0]).args(&call[1..]));
    let mut late = Vec::new();
    for phase in PHASES {
        let before = first.count();
        working.phase(phase);
        until("buffers are full", || first.count() > before);
        let client = relaying.client();
        client.gets(1);
        late.push(client);
    }
    working.end();
    let received = first.end();
    let own = std::fs::read(&file).expect("the program's file");
    assert!(received == own, "{} of {} bytes", received.len(), own.len());
    let whole = fold(&own);
    for client in late {
        let received = client.end();
        is_valid(&dir, &received);
        assert_eq!(fold(&received).difference(&whole), None);
    }
}

/// A program with the library: it serves one client, which is the relay. Some of the relay's
/// clients stall, and the relay itself is stopped and continued.
#[test]
fn a_program_with_a_socket_is_not_disturbed_by_clients() {
    let Some(ghc) = Ghc::find() else { return };
    let dir = Dir::new();
    let worker = ghc.streaming_worker(&dir);
    let socket = dir.file("app.sock");
    let to = format!("--to=unix:{}", dir.file("fan.sock"));
    let source = format!("unix:{socket}");
    let mut relaying = Relaying::start(&dir, &[&source, &to], 1);
    let first = relaying.client();
    let _stalled = Socket::connect(&relaying.addresses[0]);
    relaying.tells("client_came", 2);
    let call = ghc.call(&worker, &["-ol/dev/null"]);
    let mut command = Command::new(&call[0]);
    command
        .args(&call[1..])
        .env("GHC_EVENTLOG_UNIX_PATH", &socket)
        .env("GHC_EVENTLOG_WAIT", "1")
        .env("GHC_EVENTLOG_OVERFLOW", "block");
    let mut working = Working::start(&mut command);
    relaying.tells("source_connected", 1);
    let mut late = Vec::new();
    for phase in PHASES {
        let before = first.count();
        working.phase(phase);
        until("buffers are full", || first.count() > before);
        if phase == "2" {
            // The relay hangs for a while; a client that connects now is served.
            signal(&working.child, Signal::STOP);
            let client = relaying.client();
            client.gets(1);
            late.push(client);
            signal(&working.child, Signal::CONT);
        }
        let client = relaying.client();
        client.gets(1);
        late.push(client);
    }
    working.end();
    let log = first.end();
    assert!(log.ends_with(END));
    assert_eq!(phases(&log), PHASES);
    // Not for GHC's own check: threads have run before the program began to stream.
    is_valid_for_us(&dir, &log);
    let whole = fold(&log);
    for client in late {
        let received = client.end();
        is_valid_for_us(&dir, &received);
        assert_eq!(fold(&received).difference(&whole), None);
    }
    // For the relay the session is over, too, but the program may come back.
    relaying.tells("session_ended", 1);
    let mut working = Working::start(&mut command);
    relaying.tells("session_began", 2);
    let client = relaying.client();
    client.gets(1);
    working.phase("7");
    // The log of a program that is killed ends as well, and is reported to lack its end mark.
    signal(&working.child, Signal::KILL);
    is_valid_for_us(&dir, &client.end());
    let over = relaying.tells("session_ended", 2);
    assert_eq!(over[1]["marked"], false);
    relaying.signal(Signal::TERM);
    assert_eq!(relaying.end(), 0);
}

/// With a client that reads nothing, and a pipe that is soon full, the program continues, even when
/// the relay itself is killed.
#[test]
fn a_program_that_is_run_outlives_the_relay() {
    let Some(ghc) = Ghc::find() else { return };
    let dir = Dir::new();
    let worker = ghc.worker(&dir);
    let mut command = relay(&dir);
    let marker = dir.file("through");
    let script = format!("{} && touch {marker}", ghc.call(&worker, &[]).join(" "));
    command
        .args(["--json", "--to=tcp:127.0.0.1:0", "--", "sh", "-c", &script])
        .stdin(Stdio::piped());
    let mut relaying = Relaying::spawn(&mut command, 1);
    let _stalled = Socket::connect(&relaying.addresses[0]);
    relaying.tells("client_came", 1);
    let mut stdin = relaying.child.stdin.take().expect("a pipe");
    writeln!(stdin, "1").expect("it listens");
    until("the phase is over", || {
        relaying.lines().contains(&"done 1".to_owned())
    });
    relaying.signal(Signal::KILL);
    assert_eq!(relaying.end(), 1009);
    // Its output is a pipe that this test still reads.
    for phase in &PHASES[1..] {
        writeln!(stdin, "{phase}").expect("it listens");
    }
    drop(stdin);
    until("the program is through", || Path::new(&marker).exists());
    until("nothing is left of the pipe", || {
        !dir.names()
            .iter()
            .any(|name| name.starts_with("eventlog-run"))
    });
}
