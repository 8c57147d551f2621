//! What the tests share: directories, and small logs.
#![allow(dead_code)]

use eventlog_source::{Arrival, Following, Log, Outcome, Reconnecting, Step};
use ghc_eventlog::{BlockBuilder, DATA_END, EventBody, Header, Item};
use std::ops::ControlFlow;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take before it counts as a failure.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A directory that is removed at the end of the test. Its name is short, because it is part of the
/// paths of sockets.
pub struct Dir(PathBuf);

impl Dir {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("source-{}-{count}", std::process::id()));
        std::fs::create_dir(&path).expect("a directory");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file in it with this content.
    pub fn with(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.file(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    /// A FIFO in it.
    pub fn fifo(&self, name: &str) -> PathBuf {
        let path = self.file(name);
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo").success());
        path
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A socket at this path on which no process listens any more. Nobody ever listened at the path
/// itself: a process that is about to connect would be accepted, and lost.
pub fn dead_socket(path: &Path) {
    let elsewhere = path.with_extension("elsewhere");
    drop(UnixListener::bind(&elsewhere).expect("a socket"));
    std::fs::rename(elsewhere, path).expect("moved");
}

/// A log with these messages, one per block, and optionally the mark at the end.
pub fn log(messages: &[&str], end: bool) -> Vec<u8> {
    let header = Header::standard();
    let mut bytes = header.as_bytes().to_vec();
    for (time, message) in (1..).zip(messages) {
        bytes.extend_from_slice(&block(time, message));
    }
    if end {
        bytes.extend_from_slice(&DATA_END.to_be_bytes());
    }
    bytes
}

/// A block with one message.
pub fn block(time: u64, message: &str) -> Vec<u8> {
    let mut block = BlockBuilder::new(Some(0));
    let message = EventBody::UserMsg {
        message: message.into(),
    };
    let header = Header::standard();
    block.push_body(&header, time, &message).expect("an event");
    block.finish().to_vec()
}

/// Reads a log to its end: `header` for each header, then the messages.
pub fn read(log: Log) -> (Vec<String>, Outcome) {
    let mut seen = Vec::new();
    let outcome = log.for_each(|step| {
        match step {
            Step::Header(_) => seen.push("header".to_owned()),
            Step::Item(Item::Event(event)) => {
                if let EventBody::UserMsg { message } = event.body {
                    seen.push(message.to_string());
                }
            }
            _ => {}
        }
        Ok::<_, eventlog_source::Error>(ControlFlow::Continue(()))
    });
    (seen, outcome.expect("no error of the source"))
}

/// What arrived, without the pauses; adjacent bytes are joined.
#[derive(Debug, PartialEq, Eq)]
pub enum Came {
    New,
    Bytes(String),
    Lost,
    End,
}

/// A source of arrivals.
pub trait Arrivals {
    fn arrival(&mut self, buffer: &mut [u8]) -> Arrival;
}

impl Arrivals for Following {
    fn arrival(&mut self, buffer: &mut [u8]) -> Arrival {
        self.next(buffer).expect("no error")
    }
}

impl Arrivals for Reconnecting {
    fn arrival(&mut self, buffer: &mut [u8]) -> Arrival {
        self.next(buffer).expect("no error")
    }
}

/// Takes arrivals until `enough` returns true.
#[track_caller]
pub fn until(from: &mut impl Arrivals, enough: impl Fn(&[Came]) -> bool) -> Vec<Came> {
    let (begun, mut came) = (Instant::now(), Vec::new());
    let mut buffer = [0; 7];
    while !enough(&came) {
        assert!(begun.elapsed() < PATIENCE, "only {came:?}");
        match from.arrival(&mut buffer) {
            Arrival::NewLog => came.push(Came::New),
            Arrival::Bytes(count) => {
                let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
                match came.last_mut() {
                    Some(Came::Bytes(before)) => before.push_str(&text),
                    _ => came.push(Came::Bytes(text)),
                }
            }
            Arrival::Lost(_) => came.push(Came::Lost),
            Arrival::End => came.push(Came::End),
            Arrival::Idle => {}
            other => panic!("{other:?}"),
        }
    }
    came
}

/// Whether the last bytes are these.
pub fn last_is(text: &'static str) -> impl Fn(&[Came]) -> bool {
    move |came| matches!(came.last(), Some(Came::Bytes(last)) if last == text)
}

pub fn bytes(text: &str) -> Came {
    Came::Bytes(text.to_owned())
}

/// Waits until a condition holds.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "{what}: it takes too long");
        std::thread::sleep(Duration::from_millis(5));
    }
}
