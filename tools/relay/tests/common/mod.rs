//! A relay with a source that the test controls, and clients with real sockets.
#![allow(dead_code)]

#[path = "../../../state/tests/common/mod.rs"]
pub mod logs;

use eventlog_relay::{Address, Arrivals, Intake, Options, Relay, Status};
use eventlog_source::{Arrival, Error};
use eventlog_state::{Fact, Follower, Keep, MergeOptions, Severity, State};
use ghc_eventlog::{Item, Reader};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// A generous limit, for a busy machine.
pub const LONG: Duration = Duration::from_secs(120);

/// What the source does next.
pub enum SourceStep {
    NewLog,
    Bytes(Vec<u8>),
    Lost,
    End,
    Commands(OwnedFd),
}

/// A source that the test controls.
pub struct ControlledSource {
    steps: Receiver<SourceStep>,
    rest: VecDeque<u8>,
    commands: Option<OwnedFd>,
}

impl Arrivals for ControlledSource {
    fn next(&mut self, buffer: &mut [u8]) -> Result<Arrival, Error> {
        if self.rest.is_empty() {
            match self.steps.recv_timeout(Duration::from_millis(50)) {
                Ok(SourceStep::NewLog) => return Ok(Arrival::NewLog),
                Ok(SourceStep::Bytes(bytes)) => self.rest = bytes.into(),
                Ok(SourceStep::Lost) => return Ok(Arrival::Lost(None)),
                Ok(SourceStep::Commands(commands)) => {
                    self.commands = Some(commands);
                    return Ok(Arrival::Idle);
                }
                Ok(SourceStep::End) | Err(RecvTimeoutError::Disconnected) => {
                    return Ok(Arrival::End);
                }
                Err(RecvTimeoutError::Timeout) => return Ok(Arrival::Idle),
            }
        }
        let count = self.rest.read(buffer).unwrap();
        Ok(Arrival::Bytes(count))
    }

    fn commands(&mut self) -> Option<OwnedFd> {
        self.commands.take()
    }
}

/// A source and the channel that controls it.
pub fn source() -> (Sender<SourceStep>, Intake) {
    let (sender, steps) = channel();
    let rest = VecDeque::new();
    let source = ControlledSource {
        steps,
        rest,
        commands: None,
    };
    (sender, Intake::new(source))
}

/// A temporary directory that is removed when this is dropped.
pub struct Dir(pub PathBuf);

impl Dir {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("eventlog-relay-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A relay with one source, served at a Unix socket.
pub struct TestRelay {
    pub relay: Relay,
    pub source: Sender<SourceStep>,
    pub at: PathBuf,
    /// Bytes of the present log that were sent to it, without the header.
    pub given: u64,
    _dir: Dir,
}

impl TestRelay {
    pub fn new(options: Options) -> Self {
        Self::reading(options, |intake| intake)
    }

    /// One whose source may wait, as a file may.
    pub fn of_file(options: Options) -> Self {
        Self::reading(options, |intake| intake.may_wait(true))
    }

    fn reading(options: Options, how: impl FnOnce(Intake) -> Intake) -> Self {
        let dir = Dir::new();
        let relay = Relay::start(options).unwrap();
        let (source, intake) = source();
        relay.add("app", how(intake)).unwrap();
        let at = dir.0.join("app.relay");
        relay.serve(&Address::Unix(at.clone()), None).unwrap();
        Self {
            relay,
            source,
            at,
            given: 0,
            _dir: dir,
        }
    }

    /// A log begins, with this header.
    pub fn begin(&mut self, header: &[u8]) {
        self.given = 0;
        self.source.send(SourceStep::NewLog).unwrap();
        self.source
            .send(SourceStep::Bytes(header.to_vec()))
            .unwrap();
    }

    pub fn give(&mut self, bytes: &[u8]) {
        self.given += bytes.len() as u64;
        self.source.send(SourceStep::Bytes(bytes.to_vec())).unwrap();
    }

    /// Waits until all bytes that were sent are in the ring and in the state.
    pub fn settle(&self) {
        let given = self.given;
        self.wait("all that was given", |status| {
            let session = status.sources[0].session.as_ref();
            session.is_some_and(|it| it.bytes >= given && it.fold.lag_bytes == 0)
        });
    }

    /// Waits until the status meets the condition.
    pub fn wait(&self, what: &str, is_so: impl Fn(&Status) -> bool) -> Status {
        let until = Instant::now() + LONG;
        loop {
            let status = self.relay.status();
            if is_so(&status) {
                return status;
            }
            assert!(Instant::now() < until, "no {what}: {status:#?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn connect(&self) -> Client {
        Client(UnixStream::connect(&self.at).unwrap())
    }

    /// Connects, and waits until the relay has accepted the client.
    pub fn connect_and_wait(&self) -> Client {
        let before = self.relay.status().clients_total;
        let client = self.connect();
        self.wait("client", |status| status.clients_total > before);
        client
    }

    /// Connects, and waits until the relay has computed where the client starts.
    pub fn join(&self, header: &[u8]) -> (Client, Vec<u8>) {
        let mut client = self.connect();
        let got = client.read_some(header.len());
        assert!(got == header, "another header");
        (client, got)
    }
}

/// A client.
pub struct Client(pub UnixStream);

impl Client {
    pub fn read_some(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.set_read_timeout(Some(LONG)).unwrap();
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// All up to the end.
    pub fn read_all(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.0.set_read_timeout(Some(LONG)).unwrap();
        self.0.read_to_end(&mut bytes).unwrap();
        bytes
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }
}

/// A log folded to its end, and the number of events in it that no runtime system writes.
pub fn fold(bytes: &[u8]) -> (State, usize) {
    let options = MergeOptions {
        max_bytes: 1 << 30,
        ..MergeOptions::default()
    };
    let mut follower = Follower::new(options, Keep::all());
    let mut errors = 0;
    let mut see = |fact: Fact<'_>| {
        if let Fact::Odd(oddity) = fact {
            errors += usize::from(oddity.odd.severity() == Severity::Error);
        }
    };
    for piece in bytes.chunks(1 << 20) {
        follower.push_bytes(piece, &mut see).unwrap();
    }
    follower.finish(&mut see).unwrap();
    (follower.state().unwrap().clone(), errors)
}

/// Without the mark at the end, if there is one.
pub fn without_end(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(&[0xff, 0xff]).unwrap_or(bytes)
}

/// The header, and where each block of a log ends.
pub fn boundaries(bytes: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let mut reader = Reader::new(bytes);
    let mut ends = Vec::new();
    while let Some(item) = reader.next_item().unwrap() {
        if let Item::Block(block) = item {
            ends.push(block.offset as usize);
        }
    }
    let header = reader.header().unwrap().as_bytes().to_vec();
    ends.push(bytes.len());
    ends.dedup();
    ends.retain(|&end| end >= header.len());
    (header, ends)
}

/// A sample of this many indices: all of them in the long form.
pub fn spread(count: usize, most: usize) -> Vec<usize> {
    let most = match std::env::var_os("EVENTLOG_TEST_LONG") {
        Some(_) => 500,
        None => most,
    };
    if count <= most {
        return (0..count).collect();
    }
    (0..most).map(|n| n * (count - 1) / (most - 1)).collect()
}

/// The messages in a log.
pub fn messages(bytes: &[u8]) -> Vec<String> {
    let mut reader = Reader::new(bytes);
    let mut messages = Vec::new();
    while let Some(item) = reader.next_item().unwrap() {
        if let Item::Event(event) = item
            && let ghc_eventlog::EventBody::LogMsg { message } = event.body
        {
            messages.push(message.to_string());
        }
    }
    messages
}
