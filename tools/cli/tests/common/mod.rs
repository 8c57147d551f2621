//! What the tests share: calling the program, and making small logs.

use ghc_eventlog::{BlockBuilder, EventBody, Header};
use std::ffi::OsStr;
use std::io::{ErrorKind, Write};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The output and the exit code of a run of the program.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    /// The lines of standard output.
    pub fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }

    /// Standard output as JSON values, one per line.
    pub fn json(&self) -> Vec<serde_json::Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.stdout.lines().map(parse).collect()
    }

    /// Fails unless the exit code is this one.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Fails unless standard error contains this.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no {text:?} in {}", self.stderr);
        self
    }
}

/// Whether this process ignores a signal that asks it to end: SIGINT, as for processes that a shell
/// starts in the background, or SIGHUP, as for processes that `nohup` starts. The program would
/// ignore it, too: it leaves ignored signals ignored.
fn ignores_signals() -> bool {
    const HUP_INT_QUIT_TERM: u64 = 1 | 1 << 1 | 1 << 2 | 1 << 14;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & HUP_INT_QUIT_TERM != 0)
}

/// The program, ready for arguments. Signals end it, in whatever environment the tests run.
pub fn command() -> Command {
    let program = env!("CARGO_BIN_EXE_eventlog");
    let mut command = if ignores_signals() {
        let mut env = Command::new("env");
        env.args(["--default-signal=HUP,INT,QUIT,TERM", program]);
        env
    } else {
        Command::new(program)
    };
    command
        .env_remove("NO_COLOR")
        .env_remove("GHCRTS")
        // A program that happens to run on this machine must not be found.
        .env("XDG_RUNTIME_DIR", "/nonexistent")
        .stdin(Stdio::null());
    command
}

/// Runs the program.
pub fn eventlog<S: AsRef<OsStr>>(args: &[S]) -> Done {
    done(command().args(args))
}

/// Runs the program with this on its standard input.
pub fn eventlog_with<S: AsRef<OsStr>>(args: &[S], input: &[u8]) -> Done {
    let mut child = command()
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // It may stop reading early.
    let feeder = std::thread::spawn(move || _ = stdin.write_all(&input));
    let output = child.wait_with_output().expect("the program ends");
    feeder.join().expect("the feeder ends");
    finished(output)
}

/// Runs a command to its end.
pub fn done(command: &mut Command) -> Done {
    finished(command.output().expect("the program starts"))
}

pub fn finished(output: std::process::Output) -> Done {
    use std::os::unix::process::ExitStatusExt;
    let code = output
        .status
        .code()
        .unwrap_or_else(|| 1000 + output.status.signal().unwrap_or(0));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Done {
        code,
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// The root of the repository.
pub fn repository() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the root of the repository")
}

/// Copies the library's C files, which go into a program with it, and tells their names. GHC puts
/// an object beside its source, and tests with other GHCs may compile them at the same time.
pub fn c_sources(into: &Path) -> [&'static str; 2] {
    let names = ["eventlog_socket_hs.c", "eventlog_socket_rts.c"];
    for (dir, name) in [
        ("haskell/eventlog-socket/cbits", names[0]),
        ("ffi/rts", names[1]),
        ("ffi/rts", "eventlog_socket_rts.h"),
        ("include", "eventlog_socket.h"),
    ] {
        let from = repository().join(dir).join(name);
        std::fs::copy(&from, into.join(name)).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
    }
    names
}

/// A directory that is removed with the test.
pub struct Dir(PathBuf);

impl Dir {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("eventlog-test-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A path in it, as a string for command lines.
    pub fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("UTF-8").to_owned()
    }

    /// A file in it with this content.
    pub fn with(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.file(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    /// The names in it, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("the directory");
        let mut names: Vec<_> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("UTF-8")
            })
            .collect();
        names.sort();
        names
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A log that is being built.
pub struct Log {
    pub header: Header,
    pub bytes: Vec<u8>,
}

impl Log {
    /// Only a header.
    pub fn new() -> Self {
        let header = Header::standard();
        Self {
            bytes: header.as_bytes().to_vec(),
            header,
        }
    }

    /// A block of one capability (`None`: the global one).
    pub fn block(mut self, cap: Option<u16>, events: &[(u64, EventBody<'_>)]) -> Self {
        let mut block = BlockBuilder::new(cap);
        for (time, body) in events {
            block
                .push_body(&self.header, *time, body)
                .expect("an event of the standard header");
        }
        self.bytes.extend_from_slice(block.finish());
        self
    }

    /// A block with messages, at these times.
    pub fn messages(self, cap: u16, messages: &[(u64, &str)]) -> Self {
        let events: Vec<_> = messages
            .iter()
            .map(|(time, text)| {
                (
                    *time,
                    EventBody::UserMsg {
                        message: (*text).into(),
                    },
                )
            })
            .collect();
        self.block(Some(cap), &events)
    }

    /// Raw bytes.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Adds the end mark, and returns the bytes.
    pub fn end(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&[0xff, 0xff]);
        self.bytes
    }
}

/// Waits until a condition holds.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "{what}: it takes too long"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether no process has the socket at this path open. Nothing connects to it.
pub fn is_dead(path: impl AsRef<Path>) -> bool {
    // Of the wrong type: the kernel says so if the socket is open, and refuses it otherwise.
    let knocked = UnixDatagram::unbound().and_then(|knocks| knocks.connect(path));
    knocked.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

/// A socket at this path on which no process listens, as one that is killed leaves it. Nobody ever
/// listened at the path itself.
///
/// To close a listener is not enough: until it runs its own program, a process that another test
/// starts at this moment has a copy of the descriptor.
#[track_caller]
pub fn dead_socket(path: impl AsRef<Path>) {
    let dir = Dir::new();
    let elsewhere = dir.path().join("dead");
    drop(UnixListener::bind(&elsewhere).expect("a socket"));
    wait_until("the socket is dead", || is_dead(&elsewhere));
    std::fs::rename(elsewhere, path).expect("moved");
}
