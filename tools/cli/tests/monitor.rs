//! `eventlog monitor`: what a browser gets, for files, for programs that are found, and for
//! programs that it runs.

use crate::common::{Dir, Log, command, done};
use crate::found::{Machine, Tool, haskell_program};
use crate::relaying::{LIMIT, until};
use rustix::process::Signal;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Instant;

/// A monitor that runs.
pub struct Monitor {
    pub tool: Tool,
    /// The address without the token.
    pub at: String,
    pub token: Option<String>,
}

/// `eventlog monitor`, with its files in this directory.
pub fn monitor(dir: &Dir, args: &[&str]) -> Command {
    let mut command = command();
    command
        .arg("monitor")
        .args(args)
        .env("XDG_CACHE_HOME", dir.path())
        .current_dir(dir.path());
    command
}

impl Monitor {
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let mut tool = Tool::start(command);
        tool.prints_more_than(0);
        let line = tool.lines()[0].clone();
        let (at, token) = match line.split_once("#token=") {
            Some((at, token)) => (at.to_owned(), Some(token.to_owned())),
            None => (line, None),
        };
        Self { tool, at, token }
    }

    pub fn ask(&self, path: &str, token: Option<&str>) -> (u16, Vec<u8>) {
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let token = token.unwrap_or_default();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{token}\r\n");
        let mut answer = Vec::new();
        match self.at.strip_prefix("unix:") {
            Some(path) => {
                let mut stream = UnixStream::connect(path).expect("it listens");
                stream.write_all(request.as_bytes()).expect("it reads");
                stream.read_to_end(&mut answer).expect("an answer");
            }
            None => {
                let at = self.at.strip_prefix("http://").expect("an address");
                let mut stream = TcpStream::connect(at.trim_end_matches('/')).expect("it listens");
                stream.write_all(request.as_bytes()).expect("it reads");
                stream.read_to_end(&mut answer).expect("an answer");
            }
        }
        let head = answer.windows(4).position(|it| it == b"\r\n\r\n");
        let head = head.expect("a head");
        let text = String::from_utf8_lossy(&answer[..head]);
        let status = text.split(' ').nth(1).and_then(|it| it.parse().ok());
        (status.expect("a status"), answer[head + 4..].to_vec())
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(&format!("/api/{path}"), self.token.as_deref());
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).expect("JSON")
    }

    /// Asks again until the answer fulfils a condition.
    #[track_caller]
    pub fn until(&self, what: &str, path: &str, is: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let answer = self.get(path);
            if is(&answer) {
                return answer;
            }
            assert!(
                start.elapsed() < LIMIT,
                "{what}: {answer:#} {}",
                self.tool.told()
            );
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Waits for the session that fulfils a condition.
    #[track_caller]
    pub fn session(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let found = |all: &Value| {
            let all = all.as_array().expect("a list");
            all.iter().find(|it| is(it)).cloned()
        };
        let all = self.until(what, "sessions", |all| found(all).is_some());
        found(&all).expect("it was there")
    }

    pub fn messages(&self, session: &Value) -> Vec<String> {
        let id = session["id"].as_str().expect("an id");
        let told = self.get(&format!("s/{id}/events?kind=message&limit=5000"));
        let rows = told["rows"].as_array().expect("rows").iter();
        rows.map(|row| row["text"].as_str().expect("text").to_owned())
            .collect()
    }
}

fn log() -> Vec<u8> {
    Log::new().messages(0, &[(1, "hello"), (2, "there")]).end()
}

#[test]
fn the_first_line_is_an_address_that_nobody_else_knows() {
    let dir = Dir::new();
    dir.with("a.eventlog", &log());
    let mut monitor = Monitor::start(&mut monitor(&dir, &["a.eventlog"]));
    assert!(
        monitor.at.starts_with("http://127.0.0.1:"),
        "{}",
        monitor.at
    );
    let token = monitor.token.clone().expect("a token");
    assert!(
        token.len() >= 32 && token.bytes().all(|it| it.is_ascii_hexdigit()),
        "{token}"
    );
    let session = monitor.session("the log is read", |it| it["ended"] == true);
    assert_eq!(session["name"], "a");
    assert_eq!(monitor.messages(&session), ["hello", "there"]);
    assert_eq!(monitor.ask("/api/sessions", None).0, 401);
    assert_eq!(monitor.ask("/api/sessions", Some("wrong")).0, 401);
    let (status, page) = monitor.ask("/", None);
    assert_eq!(status, 200);
    assert!(page.starts_with(b"<!doctype html>"));
    assert_eq!(
        (monitor.tool.count(), monitor.tool.told()),
        (1, String::new())
    );
    monitor.tool.signal(Signal::INT);
    assert_eq!(monitor.tool.end().code(), Some(0));
}

#[test]
fn several_files_and_one_that_grows() {
    let dir = Dir::new();
    dir.with("a.eventlog", &log());
    let whole = log();
    let grows = dir.with("b.eventlog", &whole[..whole.len() - 2]);
    let monitor = Monitor::start(&mut monitor(&dir, &["a.eventlog", "b.eventlog"]));
    monitor.session("the first is complete", |it| {
        it["name"] == "a" && it["ended"] == true
    });
    let second = monitor.session("the second has begun", |it| {
        it["name"] == "b" && it["events"] == 2
    });
    assert_eq!(second["ended"], false);
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(grows)
        .expect("a file");
    file.write_all(&whole[whole.len() - 2..]).expect("written");
    monitor.session("the second is complete", |it| {
        it["name"] == "b" && it["ended"] == true
    });
}

#[test]
fn a_log_and_a_heap_profile_that_grows() {
    const HEAP: &str = "JOB \"demo +RTS -hc\"\nDATE \"Mon Nov 30 09:10 2026\"\n\
        SAMPLE_UNIT \"seconds\"\nVALUE_UNIT \"bytes\"\n\
        BEGIN_SAMPLE 0.000000\nEND_SAMPLE 0.000000\n\
        BEGIN_SAMPLE 0.500000\n(1)main\t4096\nEND_SAMPLE 0.500000\n\
        BEGIN_SAMPLE 1.000000\n(1)main\t8192\nEND_SAMPLE 1.000000\n";
    let dir = Dir::new();
    dir.with("a.eventlog", &log());
    let (first, second) = HEAP.split_at(HEAP.len() - 30);
    let grows = dir.with("heap.hp", first.as_bytes());
    let monitor = Monitor::start(&mut monitor(&dir, &["a.eventlog", "heap.hp"]));
    let log = monitor.session("the log is read", |it| it["ended"] == true);
    assert_eq!(
        (&log["name"], &log["heap_file"]),
        (&"a".into(), &Value::Null)
    );
    let samples = |count: usize| {
        monitor.session("the profile is read", |it| {
            it["name"] == "heap.hp" && it["heap_file"]["samples"] == count
        })
    };
    let session = samples(2);
    assert_eq!(session["heap_file"]["job"], "demo +RTS -hc");
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(grows)
        .expect("a file");
    file.write_all(second.as_bytes()).expect("written");
    let session = samples(3);
    let id = session["id"].as_str().expect("an id");
    let heap = monitor.get(&format!("s/{id}/heap"));
    assert_eq!(heap["breakdown"], "cost_centre");
    assert_eq!(heap["bands"][0]["name"], "(1)main");
    assert_eq!(heap["bands"][0]["values"], serde_json::json!([4096, 8192]));
    assert!(monitor.tool.told().is_empty(), "{}", monitor.tool.told());
}

#[test]
fn what_cannot_be_read_or_served_is_told_at_once() {
    let dir = Dir::new();
    dir.with("a.eventlog", &log());
    let run = |args: &[&str]| done(&mut monitor(&dir, args));
    run(&["missing.eventlog"]).exits(3).says("missing.eventlog");
    run(&["."]).exits(3).says("cannot open .");
    run(&["a.eventlog", "--listen", "nonsense"]).exits(2);
    run(&["a.eventlog", "--listen", "127.0.0.1:99999"]).exits(2);
    run(&["a.eventlog", "--keep", "1K"]).exits(2).says("8M");
    run(&["a.eventlog", "--rts", "-hT"])
        .exits(2)
        .says("behind --");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = taken.local_addr().expect("an address").to_string();
    run(&["a.eventlog", "--listen", &at])
        .exits(3)
        .says(&at)
        .says("another port");
    let nowhere = format!("unix:{}", dir.file("nowhere/m.sock"));
    run(&["a.eventlog", "--listen", &nowhere])
        .exits(3)
        .says("nowhere/m.sock");
    run(&["--", "/nonexistent/program"])
        .exits(127)
        .says("cannot run");
}

#[test]
fn without_a_token_it_says_what_it_exposes() {
    let dir = Dir::new();
    dir.with("a.eventlog", &log());
    let args = ["a.eventlog", "--no-token", "--listen", "127.0.0.1:0"];
    let monitor = Monitor::start(&mut monitor(&dir, &args));
    assert_eq!(monitor.token, None);
    monitor.session("everybody may ask", |it| it["ended"] == true);
    until("it is told", || monitor.tool.told().contains("every user"));
}

#[test]
fn at_a_unix_socket() {
    let dir = Dir::new();
    dir.with("a.eventlog", &log());
    let path = format!("unix:{}", dir.file("m.sock"));
    let mut monitor = Monitor::start(&mut monitor(&dir, &["a.eventlog", "--listen", &path]));
    assert_eq!(monitor.at, path);
    monitor.session("it is served there", |it| it["ended"] == true);
    assert_eq!(monitor.ask("/api/sessions", None).0, 401);
    until("it is told how", || monitor.tool.told().contains("ssh -L"));
    monitor.tool.signal(Signal::TERM);
    assert_eq!(monitor.tool.end().code(), Some(0));
    assert!(!dir.names().contains(&"m.sock".to_owned()));
}

#[test]
fn a_program_that_it_runs() {
    let dir = Dir::new();
    dir.with("log", &log());
    let script = "log=${GHCRTS##*-ol}; exec 9<>\"$log\"; cat log >&9; exit 7";
    let mut monitor = Monitor::start(&mut monitor(&dir, &["--", "sh", "-c", script]));
    let session = monitor.session("its log is read", |it| it["ended"] == true);
    assert_eq!(monitor.messages(&session), ["hello", "there"]);
    until("its end is told", || {
        monitor.tool.told().contains("has ended")
    });
    // The files in which its log is kept have no names.
    let kept = dir.path().join("eventlog");
    assert_eq!(std::fs::read_dir(kept).expect("it is there").count(), 0);
    monitor.tool.signal(Signal::INT);
    assert_eq!(monitor.tool.end().code(), Some(7));
}

#[test]
fn a_real_program_that_it_runs() {
    let Some(program) = haskell_program() else {
        return;
    };
    let dir = Dir::new();
    let program = program.to_str().expect("UTF-8");
    let mut monitor = Monitor::start(&mut monitor(&dir, &["--rts", "-hT -i0.001", "--", program]));
    let session = monitor.session("it has ended", |it| it["ended"] == true);
    assert_eq!(session["error"], Value::Null);
    assert_eq!(session["program"], "numbers");
    assert!(monitor.messages(&session).contains(&"number 1".to_owned()));
    let id = session["id"].as_str().expect("an id");
    let told = monitor.get(&format!("s/{id}/overview"));
    assert!(told["threads"]["created"].as_u64() > Some(1), "{told:#}");
    assert!(
        told["missing"]
            .as_array()
            .expect("a list")
            .iter()
            .all(|it| it["flag"] != "+RTS -ls")
    );
    let rows = monitor.get(&format!("s/{id}/rows"));
    assert_eq!(rows["caps"][0]["row"], "c0");
    monitor.tool.signal(Signal::INT);
    assert_eq!(monitor.tool.end().code(), Some(0));
}

#[test]
fn programs_are_shown_as_they_come_and_go() {
    let machine = Machine::new();
    let cache = Dir::new();
    let mut command = machine.command(&["monitor"]);
    let mut monitor = Monitor::start(command.env("XDG_CACHE_HOME", cache.path()));
    assert_eq!(monitor.get("sessions"), serde_json::json!([]));
    let Some(mut first) = machine.program() else {
        return;
    };
    let is = |name: String| move |it: &Value| it["name"] == name.as_str();
    let messages = |name: &str| {
        let session = monitor.session("it is found", is(name.to_owned()));
        match session["events"].as_u64() {
            Some(1..) => monitor.messages(&session).len(),
            _ => 0,
        }
    };
    until("it is shown while it runs", || messages(&first.name()) > 20);
    let second = machine.program().expect("as before");
    until("so is another one", || messages(&second.name()) > 20);
    let name = first.name();
    first.end();
    let session = monitor.session("its end is told", |it| {
        is(name.clone())(it) && it["ended"] == true
    });
    assert_eq!(session["pid"], first.pid());
    assert_eq!(session["live"], false);
    let other = monitor.session("the other one goes on", is(second.name()));
    assert_eq!(other["live"], true);
    // Other clients can read it meanwhile.
    let name = second.name();
    let shown = machine.eventlog(&["show", "-n", "5", &name]).exits(0);
    assert_eq!(shown.lines().len(), 5);
    monitor.tool.signal(Signal::INT);
    assert_eq!(monitor.tool.end().code(), Some(0));
}
