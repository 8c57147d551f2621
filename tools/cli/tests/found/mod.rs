//! Programs that are found by themselves: a directory for them, and programs with the behaviour
//! that tests need.

use crate::common::{Dir, Done, c_sources, command, done, repository};
use crate::relaying::{LIMIT, Lines, until};
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A machine of its own, as far as finding programs is concerned.
pub struct Machine {
    pub dir: Dir,
}

impl Machine {
    pub fn new() -> Self {
        let dir = Dir::new();
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(dir.path(), private).expect("a mode");
        Self { dir }
    }

    /// Where the sockets are.
    pub fn place(&self) -> PathBuf {
        self.dir.path().join("eventlog")
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.place().join(name)
    }

    /// The names there, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.place()).expect("it is there");
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            let name = entry.expect("an entry").file_name();
            name.to_string_lossy().into_owned()
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }

    /// Creates the socket of a program with this name.
    pub fn listen(&self, name: &str) -> UnixListener {
        if !self.place().exists() {
            done(&mut self.command(&["list"])).exits(0);
        }
        UnixListener::bind(self.file(&format!("{name}.sock"))).expect("a socket")
    }

    /// `eventlog` with these arguments, here.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = command();
        command
            .args(args)
            .env("XDG_RUNTIME_DIR", self.dir.path())
            .current_dir(self.dir.path());
        command
    }

    pub fn eventlog(&self, args: &[&str]) -> Done {
        done(&mut self.command(args))
    }

    /// The same, running.
    #[track_caller]
    pub fn start(&self, args: &[&str]) -> Tool {
        Tool::start(&mut self.command(args))
    }

    /// A real program that runs until it is ended. `None` where there is no GHC.
    pub fn program(&self) -> Option<Running> {
        self.program_with(&[])
    }

    pub fn program_with(&self, env: &[(&str, &str)]) -> Option<Running> {
        let pattern = self.file("%n-%p.sock");
        self.program_at(pattern.to_str().expect("UTF-8"), env)
    }

    /// The same with its socket at this path.
    pub fn program_at(&self, socket: &str, env: &[(&str, &str)]) -> Option<Running> {
        let program = haskell_program()?;
        let child = Command::new(program)
            .args(["+RTS", "-l", "-ol/dev/null"])
            .env("GHC_EVENTLOG_UNIX_PATH", socket)
            .env("GHC_EVENTLOG_FLUSH_INTERVAL", "50ms")
            .env_remove("GHC_EVENTLOG_WAIT")
            .envs(env.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .current_dir(self.dir.path())
            .spawn()
            .expect("it starts");
        let running = Running(child);
        let path = socket.replace("%n-%p", &running.name());
        until("the program listens", || listens(&path));
        Some(running)
    }
}

/// Whether a process listens at this path, as the kernel tells it: the socket exists before, and a
/// connection would be that of a client.
fn listens(path: &str) -> bool {
    const LISTENS: &str = "00010000";
    let sockets = std::fs::read("/proc/net/unix").expect("the sockets of this machine");
    let sockets = String::from_utf8_lossy(&sockets).into_owned();
    sockets.lines().any(|line| {
        let flags = line.split_whitespace().nth(3);
        flags == Some(LISTENS) && line.strip_suffix(path).is_some_and(|it| it.ends_with(' '))
    })
}

/// A real program: it logs a message a millisecond, "number 1" and so on, until its input ends.
pub struct Running(Child);

impl Running {
    pub fn name(&self) -> String {
        format!("numbers-{}", self.0.id())
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Lets it run to its end.
    #[track_caller]
    pub fn end(&mut self) {
        drop(self.0.stdin.take());
        until("the program ends", || {
            self.0.try_wait().expect("a child").is_some()
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const MAIN: &str = r#"
import Control.Concurrent (forkIO, threadDelay)
import Control.Concurrent.MVar
import Control.Monad (forM_)
import Debug.Trace (traceEventIO)
import GHC.Eventlog.Socket (startFromEnv)

main :: IO ()
main = do
  startFromEnv
  over <- newEmptyMVar
  _ <- forkIO (getContents >>= \input -> length input `seq` putMVar over ())
  let go n = do
        traceEventIO ("number " ++ show (n :: Int))
        threadDelay 1000
        done <- tryReadMVar over
        maybe (go (n + 1)) pure done
  go 1
"#;

/// The program, linked with the library; `None` where there is no GHC.
pub fn haskell_program() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    PROGRAM.get_or_init(link).as_deref()
}

fn link() -> Option<PathBuf> {
    if Command::new("ghc").arg("--version").output().is_err() {
        eprintln!("no ghc: skipped");
        return None;
    }
    let repository = repository();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let target = target.expect("tmp/ is in the target directory");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--release", "-p", "eventlog-socket"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(&repository);
    done(&mut cargo).exits(0);
    // One for each set of tests: those may run at the same time.
    let objects =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(concat!("numbers-", env!("CARGO_CRATE_NAME")));
    std::fs::create_dir_all(&objects).expect("a directory");
    std::fs::write(objects.join("Main.hs"), MAIN).expect("a file");
    let version = done(Command::new("ghc").arg("--numeric-version")).stdout;
    let old = ["8.", "9.0", "9.2"]
        .iter()
        .any(|old| version.starts_with(old));
    let mut ghc = Command::new("ghc");
    ghc.args([
        "-v0",
        "-threaded",
        "-rtsopts",
        "-outputdir",
        "o",
        "-o",
        "numbers",
    ])
    .args(old.then_some("-eventlog"))
    .arg(format!(
        "-i.:{}",
        repository.join("haskell/eventlog-socket/src").display()
    ))
    .arg("Main.hs")
    .args(c_sources(&objects))
    .arg(target.join("release/libeventlog_socket.a"))
    .current_dir(&objects);
    done(&mut ghc).exits(0);
    Some(objects.join("numbers"))
}

/// `eventlog`, running; killed when dropped.
pub struct Tool {
    pub child: Child,
    out: Lines,
    told: Lines,
}

impl Tool {
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let out = Lines::of(child.stdout.take().expect("a pipe"));
        let told = Lines::of(child.stderr.take().expect("a pipe"));
        Self { child, out, told }
    }

    /// The lines of standard output so far.
    pub fn lines(&self) -> Vec<String> {
        self.out.so_far().clone()
    }

    pub fn count(&self) -> usize {
        self.out.so_far().len()
    }

    /// Standard error so far.
    pub fn told(&self) -> String {
        self.told.so_far().join("\n")
    }

    /// Waits until there are more lines than these.
    #[track_caller]
    pub fn prints_more_than(&mut self, count: usize) {
        let what = format!("more than {count} lines");
        let start = Instant::now();
        while self.count() <= count {
            let over = self.child.try_wait().expect("a child");
            if over.is_some() {
                self.out.end();
                self.told.end();
            }
            assert!(
                over.is_none() || self.count() > count,
                "{over:?}: {}",
                self.told()
            );
            assert!(start.elapsed() < LIMIT, "{what}: {}", self.told());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id() as i32).expect("a number");
        kill_process(pid, signal).expect("it is there");
    }

    /// Waits for its end, and for the last line that it prints.
    #[track_caller]
    pub fn end(&mut self) -> ExitStatus {
        let mut status = None;
        until("it ends", || {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        });
        self.out.end();
        self.told.end();
        status.expect("it has ended")
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
