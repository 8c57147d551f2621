//! Watching programs that run: asking them to flush, and reporting why nothing arrives.

use crate::common::{Dir, Log, command, eventlog};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// The command that a program with our library accepts: flush.
const FLUSH: &[u8] = b"\xf0\x9e\x97\x8c\x00\x13eventlog-socket-rts\x01";

/// A verb that is connected to us.
struct Watcher {
    child: Child,
    client: UnixStream,
    dir: Dir,
}

impl Watcher {
    /// Runs the verb with the source after its first word.
    fn start(args: &[&str]) -> Self {
        let dir = Dir::new();
        let path = dir.file("app.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        let child = command()
            .arg(args[0])
            .arg(format!("unix:{path}"))
            .args(&args[1..])
            .current_dir(dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let client = listener.accept().expect("a client").0;
        Self { child, client, dir }
    }

    /// The first line of standard error.
    fn told(&mut self) -> String {
        let mut line = String::new();
        let stderr = self.child.stderr.as_mut().expect("a pipe");
        BufReader::new(stderr).read_line(&mut line).expect("a line");
        line
    }

    fn end(mut self) {
        drop(self.client);
        self.child.wait().expect("it ends");
        drop(self.dir);
    }
}

#[test]
fn programs_are_asked_to_flush() {
    let verbs: [&[&str]; 4] = [
        &["show", "--flush", "30ms"],
        &["show", "--sort", "--flush", "30ms"],
        &["stats", "--follow", "--flush", "30ms"],
        &["spans", "--flush", "30ms"],
    ];
    for verb in verbs {
        let mut watcher = Watcher::start(verb);
        watcher.client.write_all(&Log::new().bytes).expect("sent");
        let mut frames = vec![0; 3 * FLUSH.len()];
        watcher.client.read_exact(&mut frames).expect("requests");
        assert_eq!(frames, FLUSH.repeat(3), "{verb:?}");
        watcher.end();
    }
}

#[test]
fn a_program_that_takes_no_requests_holds_nothing_up() {
    let mut watcher = Watcher::start(&["show", "--flush", "10ms"]);
    // Far more requests than a socket has room for would be sent in this time; none is read here.
    let log = Log::new();
    watcher.client.write_all(&log.bytes).expect("sent");
    std::thread::sleep(Duration::from_secs(4));
    let text = Log::new().messages(0, &[(1, "through")]).end();
    let rest = &text[log.bytes.len()..];
    watcher.client.write_all(rest).expect("sent");
    let mut line = String::new();
    let stdout = watcher.child.stdout.as_mut().expect("a pipe");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    assert!(line.contains("through"), "{line}");
    watcher.end();
}

#[test]
fn only_programs_can_be_asked() {
    let dir = Dir::new();
    let log = dir.with("log", &Log::new().end());
    eventlog(&["show", "--flush", "1s", &log])
        .exits(2)
        .says("no socket");
    for often in ["0", "1ms", "x"] {
        eventlog(&["show", "--flush", often, "unix:/nonexistent"]).exits(2);
    }
}

#[test]
fn silence_is_explained_once() {
    let mut watcher = Watcher::start(&["show"]);
    let told = watcher.told();
    assert!(
        told.contains("hint:") && told.contains("another client") && told.contains("+RTS -l"),
        "{told}"
    );
    watcher.end();

    // If the header came later than this, it was silent before, too.
    let soon = Duration::from_secs(3);
    let told = loop {
        let begun = Instant::now();
        let mut watcher = Watcher::start(&["validate"]);
        watcher.client.write_all(&Log::new().bytes).expect("sent");
        let in_time = begun.elapsed() < soon;
        let told = watcher.told();
        watcher.end();
        if in_time {
            break told;
        }
    };
    assert!(told.contains("2 MiB") && told.contains("--flush"), "{told}");

    let dir = Dir::new();
    let fifo = dir.file("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.expect("mkfifo").success());
    let mut child = command()
        .args(["show", &fifo])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    let stderr = child.stderr.as_mut().expect("a pipe");
    BufReader::new(stderr).read_line(&mut line).expect("a line");
    assert!(line.contains(&format!("-ol{fifo}")), "{line}");
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}
