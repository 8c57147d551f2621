//! `eventlog monitor` with many pages open: all are served, nothing leaks, and beyond the limit
//! clients are told so.

use crate::common::{Dir, Log};
use crate::monitor::{Monitor, monitor};
use crate::relaying::{LIMIT, until};
use ghc_eventlog::{BlockBuilder, EventBody};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::{UnixListener, UnixStream};

/// The tabs of a whole office.
const TABS: usize = 200;

/// A connection of a page, with the answer as far as it was read.
struct Page(BufReader<TcpStream>);

impl Page {
    fn connect(monitor: &Monitor) -> TcpStream {
        let at = monitor.at.strip_prefix("http://").expect("an address");
        let stream = TcpStream::connect(at.trim_end_matches('/')).expect("it listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        stream
    }

    /// Sends a request, which is answered later.
    fn ask(monitor: &Monitor, path: &str) -> Self {
        let mut stream = Self::connect(monitor);
        let token = monitor.token.as_deref().expect("a token");
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("it reads");
        Self(BufReader::new(stream))
    }

    /// The status of the answer, and all of its head.
    fn head(&mut self) -> (u16, String) {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let count = self.0.read_line(&mut head).expect("an answer");
            assert!(count > 0, "it ends after {head:?}");
        }
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok());
        (status.expect("a status"), head)
    }

    fn status(&mut self) -> u16 {
        self.head().0
    }

    /// What the monitor says if it has too many clients. An answer of another kind is not read: a
    /// stream has no end.
    fn refusal(&mut self) -> Option<String> {
        let (status, head) = self.head();
        if status != 503 {
            return None;
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then_some(value)
        });
        let length: usize = length.and_then(|it| it.parse().ok()).expect("a length");
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("the whole answer");
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        Some(body["error"].as_str().expect("a text").to_owned())
    }

    fn stream(monitor: &Monitor) -> Self {
        let mut page = Self::ask(monitor, "/api/stream");
        assert_eq!(page.status(), 200);
        page
    }

    /// Reads lists of sessions until one has this many events.
    fn hears(&mut self, events: u64) {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.0.read_line(&mut line).expect("a line") > 0, "it ends");
            if let Some(list) = line.strip_prefix("data: ") {
                let list: Value = serde_json::from_str(list).expect("JSON");
                if list[0]["events"] == events {
                    return;
                }
            }
        }
    }
}

/// The connections that the monitor has not closed: sockets of its port that belong to a process,
/// its listening one excepted (proc_pid_net(5)).
fn connections(monitor: &Monitor) -> usize {
    let (_, port) = monitor.at.rsplit_once(':').expect("an address");
    let port: u16 = port.trim_end_matches('/').parse().expect("a port");
    let of = format!("/proc/{}/net/tcp", monitor.tool.child.id());
    let sockets = std::fs::read_to_string(of).expect("it runs");
    let is_open = |socket: &str| {
        let columns: Vec<&str> = socket.split_ascii_whitespace().collect();
        let (local, state, inode) = (columns[1], columns[3], columns[9]);
        local.ends_with(&format!(":{port:04X}")) && state != "0A" && inode != "0"
    };
    sockets.lines().skip(1).filter(|it| is_open(it)).count()
}

/// The memory that it occupies, in bytes.
fn memory(monitor: &Monitor, id: &Value) -> u64 {
    let id = id.as_str().expect("an id");
    let told = monitor.get(&format!("s/{id}/stream"));
    told["memory"].as_u64().expect("a number")
}

/// A program that writes messages.
struct Program {
    socket: UnixStream,
    log: Log,
    events: u64,
}

impl Program {
    fn write(&mut self, messages: u64) {
        let mut block = BlockBuilder::new(Some(0));
        for _ in 0..messages {
            self.events += 1;
            let message = "this is what happens".into();
            let body = EventBody::UserMsg { message };
            let pushed = block.push_body(&self.log.header, self.events * 1000, &body);
            pushed.expect("an event of the standard header");
        }
        let written = self.socket.write_all(block.finish());
        written.expect("the monitor reads");
    }
}

#[test]
fn two_hundred_tabs_are_served_and_leave_nothing_behind() {
    let dir = Dir::new();
    let path = dir.file("app.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    let monitor = Monitor::start(&mut monitor(&dir, &[&format!("unix:{path}")]));
    let (socket, _) = listener.accept().expect("a client");
    // If the monitor did not read for this long, the program would notice.
    socket.set_write_timeout(Some(LIMIT)).expect("a limit");
    let log = Log::new();
    let mut program = Program {
        socket,
        log,
        events: 0,
    };
    let header = program.log.header.as_bytes().to_vec();
    program.socket.write_all(&header).expect("it reads");
    program.write(1);
    let session = monitor.session("it has begun", |it| it["events"] == 1);
    let mut after_first = None;
    for round in 0..4 {
        let mut tabs: Vec<Page> = (0..TABS).map(|_| Page::stream(&monitor)).collect();
        assert!(connections(&monitor) >= TABS);
        // Some never read what they are sent.
        let deaf = tabs.split_off(TABS - 20);
        std::thread::scope(|scope| {
            for path in ["overview", "threads", "rows", "events?find=what", "stream"] {
                let id = session["id"].as_str().expect("an id");
                let monitor = &monitor;
                scope.spawn(move || {
                    for _ in 0..20 {
                        monitor.get(&format!("s/{id}/{path}"));
                    }
                });
            }
            for _ in 0..50 {
                program.write(1000);
            }
        });
        for tab in &mut tabs {
            tab.hears(program.events);
        }
        drop((tabs, deaf));
        until("no connection is left", || connections(&monitor) == 0);
        let now = memory(&monitor, &session["id"]);
        let first = *after_first.get_or_insert(now);
        // Nothing of 200 clients; the log itself adds a few bytes.
        assert!(now < first + (8 << 20), "{round}: {first} and {now}");
    }
}

#[test]
fn beyond_the_limit_clients_are_told_so() {
    let dir = Dir::new();
    dir.with("a.eventlog", &Log::new().messages(0, &[(1, "hello")]).end());
    let monitor = Monitor::start(&mut monitor(&dir, &["a.eventlog"]));
    monitor.session("the log is read", |it| it["ended"] == true);
    let mut streams: Vec<Page> = (0..400).map(|_| Page::stream(&monitor)).collect();
    let refused = |path: &str| Page::ask(&monitor, path).refusal();
    let told = refused("/api/stream").expect("there are too many");
    assert!(told.contains("400 pages"), "{told}");
    // Requests are answered all the same.
    assert_eq!(refused("/api/sessions"), None);
    assert_eq!(refused("/"), None);
    // A page that is closed makes room at once, although nothing happens in the program.
    drop(streams.pop());
    until("there is room for another", || {
        let mut page = Page::ask(&monitor, "/api/stream");
        let served = page.status() == 200;
        if served {
            streams.push(page);
        }
        served
    });
    // Connections that ask for nothing take the rest of the room.
    let mut idle = Vec::new();
    let mut told = None;
    until("there are too many connections", || {
        idle.push(Page::connect(&monitor));
        if idle.len() >= 150 {
            told = refused("/api/sessions");
        }
        told.is_some()
    });
    let told = told.expect("an error");
    assert!(told.contains("600 connections"), "{told}");
    drop(idle);
    until("there is room again", || refused("/api/sessions").is_none());
    assert_eq!(streams.len(), 400);
    drop(streams);
}
