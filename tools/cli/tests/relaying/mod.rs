//! A relay that runs, programs for it to read, and clients that read what it serves.

use crate::common::{Dir, Log, command};
use eventlog_state::{Follower, Keep, MergeOptions, State};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A limit for everything, generous enough for a busy machine: a flush by interval that took long
/// there is followed by a pause of a hundred times as long.
pub const LIMIT: Duration = Duration::from_secs(400);

/// Waits until a condition holds.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "{what}: it takes too long");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sends a signal to a process that we have started.
pub fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(child.id() as i32).expect("a number");
    kill_process(pid, signal).expect("it is there");
}

/// Lines of a stream as they arrive.
pub struct Lines {
    so_far: Arc<Mutex<Vec<String>>>,
    reader: JoinHandle<()>,
}

impl Lines {
    pub fn of(stream: impl Read + Send + 'static) -> Self {
        let so_far = Arc::<Mutex<Vec<String>>>::default();
        let into = Arc::clone(&so_far);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                into.lock().expect("whole").push(line);
            }
        });
        Self { so_far, reader }
    }

    /// The lines that have arrived so far.
    pub fn so_far(&self) -> MutexGuard<'_, Vec<String>> {
        self.so_far.lock().expect("whole")
    }

    /// Waits for the end of the stream: a process that has ended may have left lines in the pipe.
    #[track_caller]
    pub fn end(&self) {
        until("the output ends", || self.reader.is_finished());
    }
}

/// `eventlog relay`, running; killed when dropped.
pub struct Relaying {
    pub child: Child,
    /// The addresses that it printed first, with whole paths.
    pub addresses: Vec<String>,
    dir: PathBuf,
    out: Lines,
    told: Lines,
}

/// `eventlog relay`, with its files in this directory.
pub fn relay(dir: &Dir) -> Command {
    let mut command = command();
    command
        .arg("relay")
        .env("XDG_RUNTIME_DIR", dir.path())
        .env("TMPDIR", dir.path())
        .current_dir(dir.path());
    command
}

impl Relaying {
    /// With `--json`, and this many addresses.
    #[track_caller]
    pub fn start(dir: &Dir, args: &[&str], addresses: usize) -> Self {
        Self::spawn(relay(dir).arg("--json").args(args), addresses)
    }

    /// Starts this command.
    #[track_caller]
    pub fn spawn(command: &mut Command, addresses: usize) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the relay starts");
        let out = Lines::of(child.stdout.take().expect("a pipe"));
        let told = Lines::of(child.stderr.take().expect("a pipe"));
        let at = command.get_current_dir().expect("it has one").to_owned();
        let mut relaying = Self {
            child,
            addresses: Vec::new(),
            dir: at.clone(),
            out,
            told,
        };
        until("the addresses are printed", || {
            let over = relaying.child.try_wait().expect("a child").is_some();
            if over {
                relaying.out.end();
                relaying.told.end();
            }
            let count = relaying.out.so_far().len();
            assert!(!over || count >= addresses, "{}", relaying.text());
            count >= addresses
        });
        // Some are relative to the directory of the relay, which is not ours.
        let absolute = |line: &String| match line.strip_prefix("unix:") {
            Some(path) => format!("unix:{}", at.join(path).display()),
            None => line.clone(),
        };
        relaying.addresses = relaying.lines()[..addresses].iter().map(absolute).collect();
        relaying
    }

    /// The lines of standard output so far.
    pub fn lines(&self) -> Vec<String> {
        self.out.so_far().clone()
    }

    /// Standard error so far.
    pub fn text(&self) -> String {
        self.told.so_far().join("\n")
    }

    /// The reports of these events, as JSON.
    pub fn told(&self, event: &str) -> Vec<serde_json::Value> {
        let lines = self.told.so_far();
        let parse = |line: &String| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        };
        let all = lines.iter().map(parse);
        all.filter(|line: &serde_json::Value| line["event"] == event)
            .collect()
    }

    /// Waits until this many of these events are reported.
    #[track_caller]
    pub fn tells(&self, event: &str, count: usize) -> Vec<serde_json::Value> {
        until(&format!("{count} times {event}"), || {
            self.told(event).len() >= count
        });
        self.told(event)
    }

    /// A client of the first address.
    pub fn client(&self) -> Client {
        Client::connect(&self.addresses[0])
    }

    pub fn signal(&self, what: Signal) {
        signal(&self.child, what);
    }

    /// Waits for its end, and for its last line of output; returns the exit code, or 1000 and the
    /// signal.
    #[track_caller]
    pub fn end(&mut self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        let mut status = None;
        until("the relay ends", || {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        });
        let status = status.expect("it has ended");
        // A program that it runs may continue after the relay was killed, and has the same output.
        if status.code().is_some() {
            self.out.end();
            self.told.end();
        }
        status
            .code()
            .unwrap_or_else(|| 1000 + status.signal().unwrap_or(0))
    }

    /// Its status. It can be queried a moment after it serves.
    #[track_caller]
    pub fn status(&self) -> serde_json::Value {
        let path = format!("eventlog/relay-{}.status", self.child.id());
        let path = self.dir.join(path);
        let mut text = String::new();
        until("a status", || {
            text.clear();
            let asked = UnixStream::connect(&path);
            asked.is_ok_and(|mut stream| stream.read_to_string(&mut text).is_ok())
        });
        serde_json::from_str(&text).expect("JSON")
    }

    /// How many descriptors it has.
    pub fn descriptors(&self) -> usize {
        let fds = std::fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        fds.expect("it runs").count()
    }
}

impl Drop for Relaying {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection of either kind.
pub enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Socket {
    #[track_caller]
    pub fn connect(address: &str) -> Self {
        Self::try_connect(address).unwrap_or_else(|error| panic!("{address}: {error}"))
    }

    pub fn try_connect(address: &str) -> io::Result<Self> {
        match address.split_once(':') {
            Some(("unix", path)) => UnixStream::connect(path).map(Self::Unix),
            Some(("tcp", address)) => TcpStream::connect(address).map(Self::Tcp),
            _ => panic!("{address} is no address"),
        }
    }

    pub fn shutdown(&self, how: Shutdown) {
        let done = match self {
            Self::Unix(stream) => stream.shutdown(how),
            Self::Tcp(stream) => stream.shutdown(how),
        };
        done.expect("it is open");
    }

    fn try_clone(&self) -> Self {
        match self {
            Self::Unix(stream) => Self::Unix(stream.try_clone().expect("a descriptor")),
            Self::Tcp(stream) => Self::Tcp(stream.try_clone().expect("a descriptor")),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(buffer),
            Self::Tcp(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A client that reads all the time.
pub struct Client {
    pub socket: Socket,
    received: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Client {
    #[track_caller]
    pub fn connect(address: &str) -> Self {
        Self::of(Socket::connect(address))
    }

    pub fn of(socket: Socket) -> Self {
        let received: Arc<Mutex<Vec<u8>>> = Arc::default();
        let into = Arc::clone(&received);
        let mut from = socket.try_clone();
        let reader = std::thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                let mut into = into.lock().expect("whole");
                into.extend_from_slice(&buffer[..count]);
            }
        });
        Self {
            socket,
            received,
            reader,
        }
    }

    /// What has arrived so far.
    pub fn received(&self) -> Vec<u8> {
        self.received.lock().expect("whole").clone()
    }

    pub fn count(&self) -> usize {
        self.received.lock().expect("whole").len()
    }

    /// Waits until this many bytes have arrived.
    #[track_caller]
    pub fn gets(&self, bytes: usize) {
        until(&format!("{bytes} bytes come"), || self.count() >= bytes);
    }

    /// Waits for the end of the log, and returns it.
    #[track_caller]
    pub fn end(self) -> Vec<u8> {
        until("the log ends", || self.reader.is_finished());
        self.received()
    }
}

/// A program with its socket, which serves one client at a time, as the test directs.
pub struct Program {
    listener: UnixListener,
    pub path: String,
}

impl Program {
    pub fn new(dir: &Dir, name: &str) -> Self {
        let path = dir.file(name);
        // The socket of an earlier program.
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).expect("a socket");
        Self { listener, path }
    }

    pub fn source(&self) -> String {
        format!("unix:{}", self.path)
    }

    /// Waits for the connection of the relay.
    pub fn accept(&self) -> UnixStream {
        self.listener.accept().expect("the relay").0
    }
}

/// The bytes of a log after the header.
pub fn body(log: &[u8]) -> &[u8] {
    &log[Log::new().bytes.len()..]
}

pub const END: &[u8] = &[0xff, 0xff];

/// The state at the end of a log, in the order of time.
pub fn fold(log: &[u8]) -> State {
    let options = MergeOptions {
        max_bytes: 1 << 30,
        ..MergeOptions::default()
    };
    let mut follower = Follower::new(options, Keep::all());
    for piece in log.chunks(1 << 20) {
        follower.push_bytes(piece, &mut |_| {}).expect("a log");
    }
    follower.finish(&mut |_| {}).expect("a log");
    follower.state().expect("there is a header").clone()
}

/// Fails unless a client has received all of this log, which has no end mark, and then one.
#[track_caller]
pub fn is_ended(received: &[u8], log: &[u8]) {
    let rest = received.strip_prefix(log);
    let rest = rest.unwrap_or_else(|| panic!("{} of {} bytes", received.len(), log.len()));
    // There may be a message about the missing end mark.
    assert!(rest.ends_with(END) && rest.len() < 500, "{rest:?}");
}

/// Fails unless both logs lead to the same state.
#[track_caller]
pub fn end_alike(one: &[u8], other: &[u8]) {
    if let Some(difference) = fold(one).difference(&fold(other)) {
        panic!("{difference}");
    }
}

/// Fails unless our own check finds nothing wrong with a log.
#[track_caller]
pub fn is_valid_for_us(dir: &Dir, log: &[u8]) {
    let path = dir.with("checked.eventlog", log);
    crate::common::eventlog(&["validate", &path]).exits(0);
}

/// Fails unless our own check and GHC's find nothing wrong with a log.
#[track_caller]
pub fn is_valid(dir: &Dir, log: &[u8]) {
    is_valid_for_us(dir, log);
    let path = dir.file("checked.eventlog");
    if Command::new("ghc-events").arg("--help").output().is_err() {
        eprintln!("no ghc-events: not asked");
        return;
    }
    let output = Command::new("ghc-events")
        .args(["validate", "threads", &path])
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("ghc-events");
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("Valid event log"),
        "{}: {said}",
        output.status
    );
}
