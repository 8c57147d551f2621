//! `Worker.hs` in all its forms, with a socket.

use super::build::{Build, Main};
use super::client::{Address, Client};
use super::files::{TempDir, free_port};
use super::ghc::Ghc;
use super::process::Running;
use super::stats::Stats;
use super::waiting::EXIT_TIMEOUT;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, SystemTime};

/// How the program comes to stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    CMain,
    Haskell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Unix,
    Tcp,
}

/// All combinations.
pub const EVERY_WAY: [(Start, Transport); 4] = [
    (Start::CMain, Transport::Unix),
    (Start::CMain, Transport::Tcp),
    (Start::Haskell, Transport::Unix),
    (Start::Haskell, Transport::Tcp),
];

/// What to run.
#[derive(Debug)]
pub struct Setup {
    build: Build,
    address: Option<Address>,
    transport: Transport,
    commands: Vec<String>,
    rts: Vec<String>,
    environment: Vec<(String, String)>,
    without_socket: bool,
    usual_exit_timeout: bool,
}

impl Setup {
    pub fn new(start: Start, transport: Transport) -> Self {
        Self::of(
            Build::new(match start {
                Start::CMain => Main::Wrap,
                Start::Haskell => Main::Haskell,
            }),
            transport,
        )
    }

    pub fn of(build: Build, transport: Transport) -> Self {
        let begin: &[&str] = match build.main {
            Main::Haskell => &["start"],
            _ => &[],
        };
        Self {
            build,
            address: None,
            transport,
            commands: begin.iter().map(|word| word.to_string()).collect(),
            rts: vec!["-l".into()],
            environment: Vec::new(),
            without_socket: false,
            usual_exit_timeout: false,
        }
    }

    pub fn build(mut self, change: impl FnOnce(Build) -> Build) -> Self {
        self.build = change(self.build);
        self
    }

    /// Listen there instead of at an address of its own.
    pub fn at(mut self, address: &Address) -> Self {
        self.address = Some(address.clone());
        self
    }

    /// With no address in its environment.
    pub fn without_socket(mut self) -> Self {
        self.without_socket = true;
        self
    }

    pub fn rts(mut self, option: &str) -> Self {
        self.rts.push(option.into());
        self
    }

    /// Without `-l`: the RTS logs nothing of itself.
    pub fn without_log(mut self) -> Self {
        self.rts.retain(|option| option != "-l");
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Nothing is flushed by interval, only what somebody asks for.
    pub fn without_flushes(self) -> Self {
        self.env("GHC_EVENTLOG_FLUSH_INTERVAL", "0")
    }

    /// At its exit a client has the time that it has if nothing says otherwise.
    pub fn unset_exit_timeout(mut self) -> Self {
        self.usual_exit_timeout = true;
        self
    }

    /// A command that it runs before it serves.
    pub fn command(mut self, command: &str) -> Self {
        self.commands.push(command.into());
        self
    }

    /// In place of the command that starts streaming.
    pub fn start_with(mut self, command: &str) -> Self {
        self.commands = vec![command.into()];
        self
    }

    /// Run it, to take commands in the end.
    pub fn spawn(mut self, ghc: &Ghc) -> Worker {
        self.commands.push("serve".into());
        self.spawn_as_is(ghc)
    }

    /// Run it with its commands alone.
    pub fn spawn_as_is(self, ghc: &Ghc) -> Worker {
        let program = self.build.program(ghc);
        let dir = TempDir::new();
        let address = self.address.unwrap_or_else(|| match self.transport {
            Transport::Unix => Address::Unix(dir.join("socket")),
            Transport::Tcp => Address::Tcp(free_port()),
        });
        let mut command = ghc.command(&program);
        command
            .args(&self.commands)
            .arg("+RTS")
            .args(&self.rts)
            .arg("-RTS")
            .current_dir(dir.path())
            .env("WORKER_STATS", dir.join("stats"));
        for (name, _) in std::env::vars() {
            if name.starts_with("GHC_EVENTLOG_") {
                command.env_remove(name);
            }
        }
        match &address {
            _ if self.without_socket => {}
            Address::Unix(path) => {
                command.env("GHC_EVENTLOG_UNIX_PATH", path);
            }
            Address::Tcp(port) => {
                command
                    .env("GHC_EVENTLOG_INET_HOST", "127.0.0.1")
                    .env("GHC_EVENTLOG_INET_PORT", port.to_string());
            }
        }
        if !self.usual_exit_timeout {
            command.env(EXIT_TIMEOUT.0, EXIT_TIMEOUT.1);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let started = SystemTime::now();
        let process = Running::spawn(command);
        Worker {
            process,
            address,
            program,
            dir,
            started,
            served: None,
        }
    }
}

/// A worker that runs.
#[derive(Debug)]
pub struct Worker {
    pub process: Running,
    pub address: Address,
    pub program: PathBuf,
    pub dir: TempDir,
    pub started: SystemTime,
    /// When it took commands.
    pub served: Option<SystemTime>,
}

impl Worker {
    /// Wait until it takes commands; what it said before.
    #[track_caller]
    pub fn ready(&mut self) -> Vec<String> {
        let said = self.process.lines_until("serving");
        self.served = Some(SystemTime::now());
        said
    }

    /// Connect.
    #[track_caller]
    pub fn client(&self) -> Client {
        Client::connect(&self.address)
    }

    /// Run a command; what it printed.
    #[track_caller]
    pub fn command(&mut self, command: &str) -> Vec<String> {
        self.begin(command);
        self.end()
    }

    /// Send a command. Its end is waited for with `end`.
    #[track_caller]
    pub fn begin(&mut self, command: &str) {
        self.process.write_line(command);
    }

    #[track_caller]
    pub fn end(&mut self) -> Vec<String> {
        self.process.lines_until("done")
    }

    #[track_caller]
    pub fn stats(&mut self) -> Stats {
        let lines = self.command("stats");
        Stats::parse(lines.last().expect("a line of counters"))
    }

    /// How many messages each logger has logged so far.
    #[track_caller]
    pub fn counters(&mut self) -> Vec<u64> {
        let lines = self.command("counters");
        let words = lines[0].split_whitespace().skip(1);
        words.map(|word| word.parse().expect("a count")).collect()
    }

    /// Let it return from main, and wait for its end.
    #[track_caller]
    pub fn finish(&mut self) -> ExitStatus {
        self.process.close_stdin();
        self.process.wait()
    }

    /// The same, with a limit of its own.
    #[track_caller]
    pub fn finish_within(&mut self, limit: Duration) -> ExitStatus {
        self.process.close_stdin();
        self.process.wait_for(limit)
    }

    /// The counters when everything was over.
    #[track_caller]
    pub fn last_stats(&self) -> Stats {
        Stats::read(&self.dir.join("stats"))
    }

    pub fn socket_path(&self) -> &Path {
        match &self.address {
            Address::Unix(path) => path,
            Address::Tcp(_) => panic!("a TCP socket has no path"),
        }
    }
}
