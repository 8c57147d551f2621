//! The programs under `examples/`, run for a scenario, and clients that watch
//! their events one by one.

use super::build::{is_kept, library};
use super::client::{Address, Client};
use super::files::{TempDir, free_port, repository};
use super::ghc::Ghc;
use super::process::Running;
use super::stream::Stream;
use super::waiting::{EXIT_TIMEOUT, FLUSH_LIMIT};
use super::worker::Transport;
use eventlog_control::{Frame, RtsCommand};
use ghc_eventlog::{Decoder, Event, EventBody, Item};
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

// -------------------------------------------------------------- building --

/// The program, built by `scripts/build-example` if it is not in the cache.
#[track_caller]
pub fn program(name: &str, ghc: &Ghc) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);

    // It is made where the script looks for it, and makes it.
    library();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("tmp/ is in the target directory");
    let library = target.join("release/libeventlog_socket.a");
    let cache = std::env::temp_dir().join("eventlog-socket-test-programs");
    let kept = cache.join(format!("{name}-{:016x}", fingerprint(name, ghc, &library)));
    let program = kept.join(name);
    if is_kept(&kept, &program) {
        return program;
    }
    // In the end the directory is renamed: whole or not at all.
    let making = cache.join(format!("making-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&making);
    fs::create_dir_all(&making).expect("a build directory");
    let output = ghc
        .command(repository().join("scripts/build-example"))
        .arg(name)
        .arg(&making)
        .env("CARGO_TARGET_DIR", target)
        .current_dir(repository())
        .output()
        .expect("scripts/build-example");
    assert!(
        output.status.success(),
        "build-example {name}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    // Another test process may have been faster.
    if fs::rename(&making, &kept).is_err() {
        let _ = fs::remove_dir_all(&making);
    }
    assert!(program.exists(), "{program:?} was not made");
    program
}

/// Of everything that goes into the program.
fn fingerprint(name: &str, ghc: &Ghc, library: &Path) -> u64 {
    let root = repository();
    let mut files = vec![library.to_path_buf(), root.join("scripts/build-example")];
    for folder in [
        &format!("examples/{name}"),
        "haskell/eventlog-socket",
        "include",
        "ffi/rts",
    ] {
        files_below(&root.join(folder), &mut files);
    }
    let mut hasher = DefaultHasher::new();
    ghc.id().hash(&mut hasher);
    for file in files {
        let content = fs::read(&file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        let name = file.strip_prefix(&root).unwrap_or(Path::new("library"));
        (name, content).hash(&mut hasher);
    }
    hasher.finish()
}

fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        match path.file_name() {
            Some(name) if name == "dist" || name == "dist-newstyle" => {}
            _ if path.is_dir() => files_below(&path, files),
            _ => files.push(path),
        }
    }
}

// --------------------------------------------------------------- running --

/// An example, and how to run it.
#[derive(Debug)]
pub struct Example {
    name: &'static str,
    transport: Transport,
    arguments: Vec<String>,
    rts: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Example {
    /// It waits for a client before it begins.
    pub fn new(name: &'static str, transport: Transport) -> Self {
        Self {
            name,
            transport,
            arguments: Vec::new(),
            rts: Vec::new(),
            environment: vec![("GHC_EVENTLOG_WAIT".into(), "1".into())],
        }
    }

    /// Arguments, separated by spaces.
    pub fn arguments(mut self, words: &str) -> Self {
        self.arguments.extend(words.split(' ').map(String::from));
        self
    }

    /// Options of the RTS, separated by spaces.
    pub fn rts(mut self, words: &str) -> Self {
        self.rts.extend(words.split(' ').map(String::from));
        self
    }

    /// Flush often: by the RTS, or by the library where the RTS cannot.
    pub fn flushing(self, ghc: &Ghc) -> Self {
        if ghc.at_least(9, 2) {
            self.rts("--eventlog-flush-interval=0.05")
        } else {
            self.env("GHC_EVENTLOG_FLUSH_INTERVAL", "50ms")
        }
    }

    /// A heap profile of which no sample comes by itself.
    pub fn profiled_on_request(self, ghc: &Ghc) -> Self {
        if ghc.at_least(9, 2) {
            self.rts("-hT --no-automatic-heap-samples -i0.02")
        } else {
            self.rts("-hT -i1000")
        }
    }

    /// Over TCP, commands are for those who ask for it.
    pub fn controlled(self) -> Self {
        match self.transport {
            Transport::Unix => self,
            Transport::Tcp => self.env("GHC_EVENTLOG_CONTROL", "on"),
        }
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    #[track_caller]
    pub fn spawn(self, ghc: &Ghc) -> Show {
        let program = program(self.name, ghc);
        let dir = TempDir::new();
        let mut command: Command = ghc.command(program);
        for (name, _) in std::env::vars() {
            if name.starts_with("GHC_EVENTLOG_") {
                command.env_remove(name);
            }
        }
        let address = match self.transport {
            Transport::Unix => {
                let path = dir.join("socket");
                command.env("GHC_EVENTLOG_UNIX_PATH", &path);
                Address::Unix(path)
            }
            Transport::Tcp => {
                let port = free_port();
                command
                    .env("GHC_EVENTLOG_INET_HOST", "127.0.0.1")
                    .env("GHC_EVENTLOG_INET_PORT", port.to_string());
                Address::Tcp(port)
            }
        };
        command
            .args(&self.arguments)
            .arg("+RTS")
            .args(&self.rts)
            .arg("-RTS")
            .env(EXIT_TIMEOUT.0, EXIT_TIMEOUT.1)
            .envs(self.environment)
            .current_dir(dir.path());
        Show {
            process: Running::spawn(command),
            address,
            dir,
        }
    }
}

/// An example that runs. Killed when dropped.
#[derive(Debug)]
pub struct Show {
    pub process: Running,
    pub address: Address,
    pub dir: TempDir,
}

impl Show {
    /// Connect as soon as it listens.
    #[track_caller]
    pub fn watch(&self) -> Watcher {
        Watcher::of(Client::connect(&self.address))
    }

    /// It goes on, and has nothing to complain of. Its end is now.
    #[track_caller]
    pub fn stop(mut self) {
        let ended = self.process.has_exited();
        let said = self.process.stderr();
        assert!(!ended && said.is_empty(), "ended: {ended}; said {said:?}");
        self.process.kill();
    }

    /// It comes to its own end, and has nothing to complain of.
    #[track_caller]
    pub fn finish(mut self) {
        let status = self.process.wait();
        let said = self.process.stderr();
        assert!(status.success() && said.is_empty(), "{status}: {said:?}");
    }
}

// -------------------------------------------------------------- watching --

/// What may be waited for.
#[derive(Debug, Clone, Copy)]
pub enum What {
    /// A marker of the program that begins so.
    Marker(&'static str),
    /// This message of the program.
    Message(&'static str),
    /// An event of one of these types.
    Types(&'static [u16]),
    /// A collection of the whole heap (of two generations).
    MajorCollection,
    /// The mark that the command `sync` leaves.
    Sync,
}

pub const WALL_CLOCK_TIME: What = What::Types(&[43]);
pub const HEAP_SAMPLE_BEGIN: What = What::Types(&[162]);
pub const HEAP_SAMPLE: What = What::Types(&[164]);
pub const HEAP_SAMPLE_END: What = What::Types(&[165]);

impl What {
    fn is(self, event: &Event<'_>) -> bool {
        match (self, &event.body) {
            (Self::Marker(start), EventBody::UserMarker { marker }) => {
                marker.as_bytes().starts_with(start.as_bytes())
            }
            (Self::Message(whole), EventBody::UserMsg { message }) => *message == whole,
            (Self::Sync, EventBody::UserMsg { message }) => {
                message.as_bytes().starts_with(b"eventlog-socket: sync ")
            }
            (Self::MajorCollection, EventBody::GcStatsGhc { generation, .. }) => *generation == 1,
            (Self::Types(numbers), _) => numbers.contains(&event.id()),
            _ => false,
        }
    }
}

/// A client that takes the events one after the other, in the order of the stream.
#[derive(Debug)]
pub struct Watcher {
    client: Client,
    decoder: Decoder,
    /// Bytes of what the client has received that the decoder has taken.
    taken: usize,
    /// Events so far.
    pub events: u64,
}

impl Watcher {
    fn of(client: Client) -> Self {
        Self {
            client,
            decoder: Decoder::new(),
            taken: 0,
            events: 0,
        }
    }

    /// Send bytes in one piece.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.client.sender().write_all(bytes).expect("sent");
    }

    /// Wait for this, whatever else comes.
    #[track_caller]
    pub fn wait_for(&mut self, what: What) {
        self.walk(what, None, |event| what.is(event));
    }

    /// The same, several times.
    #[track_caller]
    pub fn wait_for_more(&mut self, times: usize, what: What) {
        for _ in 0..times {
            self.wait_for(what);
        }
    }

    /// Wait for so many of `until`. Nothing `unwanted` may come before.
    #[track_caller]
    pub fn without(&mut self, unwanted: What, times: usize, until: What) {
        for _ in 0..times {
            self.walk(until, Some(unwanted), |event| until.is(event));
        }
    }

    /// Wait until this has happened so often that there are so many events.
    #[track_caller]
    pub fn wait_for_events(&mut self, count: u64, unwanted: Option<What>) {
        let missing = count.saturating_sub(self.events);
        for _ in 0..missing {
            self.walk(What::Types(&[]), unwanted, |_| true);
        }
    }

    /// Have everything that was logged before this call behind us: wait for the
    /// mark of a flush. A busy machine may hold more rounds of a program in its
    /// buffers than a scenario could sensibly count.
    #[track_caller]
    pub fn sync(&mut self) {
        self.send(Frame::rts(RtsCommand::Sync).as_bytes());
        self.wait_for(What::Sync);
    }

    /// The same. Nothing `unwanted` may come before.
    #[track_caller]
    pub fn sync_without(&mut self, unwanted: What) {
        self.send(Frame::rts(RtsCommand::Sync).as_bytes());
        self.without(unwanted, 1, What::Sync);
    }

    /// Go on until `enough`.
    #[track_caller]
    fn walk(&mut self, what: What, unwanted: Option<What>, enough: impl Fn(&Event<'_>) -> bool) {
        let deadline = Instant::now() + FLUSH_LIMIT;
        loop {
            let mut rest = &self.client.received[self.taken..];
            let item = match self.decoder.decode(&mut rest) {
                Ok(item) => item,
                Err(error) => panic!("waiting for {what:?}: {error}"),
            };
            self.taken = self.client.received.len() - rest.len();
            match item {
                Item::Event(event) => {
                    self.events += 1;
                    let wrong = unwanted.is_some_and(|unwanted| unwanted.is(&event));
                    assert!(!wrong, "waiting for {what:?}: {event}");
                    if enough(&event) {
                        return;
                    }
                }
                Item::NeedMore => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    match self.client.read_some(left) {
                        Ok(1..) => {}
                        Ok(0) => panic!("the stream ended before {what:?}"),
                        Err(error) => panic!("no {what:?} after {} events: {error}", self.events),
                    }
                }
                _ => {}
            }
        }
    }

    /// Leave, over TCP by saying so first, as careful clients do. What was received
    /// is a valid stream as far as it goes.
    #[track_caller]
    pub fn leave(mut self, transport: Transport) -> Vec<u8> {
        if transport == Transport::Tcp {
            self.client.half_close();
            self.client.read_for(Duration::from_millis(50));
        }
        let bytes = self.client.leave();
        Stream::cut(&bytes);
        bytes
    }

    /// Everything up to the end of the program, a complete stream.
    #[track_caller]
    pub fn finish(mut self) -> Vec<u8> {
        let bytes = self.client.read_to_end();
        Stream::complete(&bytes);
        bytes
    }
}

/// Each scenario over a Unix socket and over TCP.
macro_rules! over_both {
    ($($scenario:ident)*) => {
        mod unix {
            $(#[test]
            fn $scenario() {
                let ghc = crate::support::skip::need!(crate::support::ghc::ghc());
                super::$scenario(ghc, crate::support::Transport::Unix);
            })*
        }
        mod tcp {
            $(#[test]
            fn $scenario() {
                let ghc = crate::support::skip::need!(crate::support::ghc::ghc());
                super::$scenario(ghc, crate::support::Transport::Tcp);
            })*
        }
    };
}
pub(crate) use over_both;
