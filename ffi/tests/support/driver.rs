//! `driver.c`: a program without an RTS that drives the library as one would.

use super::build::c_program_of_parts;
use super::client::{Address, Client};
use super::files::{TempDir, repository, test_program};
use super::process::Running;
use super::stats::Stats;
use super::waiting::{EXIT_TIMEOUT, LIMIT, eventually};
use std::path::PathBuf;
use std::process::{Command, ExitStatus};

/// A driver that runs.
#[derive(Debug)]
pub struct Driver {
    pub process: Running,
    pub dir: TempDir,
}

impl Driver {
    /// One that has done nothing yet, with these variables in its environment.
    pub fn spawn(environment: &[(&str, &str)]) -> Self {
        Self::spawn_as(environment, |_| {})
    }

    /// The same, with a change to how it is run.
    pub fn spawn_as(environment: &[(&str, &str)], change: impl FnOnce(&mut Command)) -> Self {
        Self::spawn_with(&[], environment, change)
    }

    /// The same, with more parts, in C.
    pub fn spawn_with(
        more: &[&str],
        environment: &[(&str, &str)],
        change: impl FnOnce(&mut Command),
    ) -> Self {
        let table = format!("-I{}", repository().join("ffi/rts").display());
        let flags = [
            "-std=c11",
            "-D_GNU_SOURCE",
            "-DEVENTLOG_SOCKET_NO_RTS",
            "-Wall",
            "-Wextra",
            "-Werror",
        ];
        let flags = [&flags[..], &[table.as_str()]].concat();
        let parts = [
            "control.c",
            "control.h",
            "system.c",
            "system.h",
            "own_files.c",
            "own_files.h",
            "system_files.c",
            "system_files.h",
            "threads.c",
            "threads.h",
        ];
        let parts = [&parts[..], more].concat();
        let program = c_program_of_parts(&test_program("driver.c"), &parts, "cc", &flags);
        let mut command = Command::new(program);
        for (name, _) in std::env::vars() {
            if name.starts_with("GHC_EVENTLOG_") {
                command.env_remove(name);
            }
        }
        command.env(EXIT_TIMEOUT.0, EXIT_TIMEOUT.1);
        command.envs(environment.iter().copied());
        change(&mut command);
        Self {
            process: Running::spawn(command),
            dir: TempDir::new(),
        }
    }

    /// A child of its own, which does nothing and outlives it: its process id.
    #[track_caller]
    pub fn fork(&mut self) -> libc::pid_t {
        let said = self.command("fork").concat();
        let child = said.strip_prefix("child: ").map(str::parse);
        child.and_then(Result::ok).expect("a child")
    }

    /// One that listens.
    #[track_caller]
    pub fn listening(environment: &[(&str, &str)]) -> Self {
        let mut driver = Self::spawn(environment);
        driver.listen();
        driver
    }

    /// One whose log has started, and that lets clients begin.
    #[track_caller]
    pub fn logging(environment: &[(&str, &str)]) -> Self {
        let mut driver = Self::listening(environment);
        driver.start_log();
        driver
    }

    #[track_caller]
    pub fn listen(&mut self) {
        assert_eq!(self.try_to_listen(), "init: 0 0");
    }

    /// What comes of trying.
    #[track_caller]
    pub fn try_to_listen(&mut self) -> String {
        let path = self.dir.join("socket");
        self.command(&format!("init {}", path.display())).concat()
    }

    /// Listen at a port that the system chooses.
    #[track_caller]
    pub fn listen_tcp(&mut self) -> Address {
        assert_eq!(self.command("init-tcp 0"), ["init: 0 0"]);
        let port = self.stats().get("inet_port");
        Address::Tcp(u16::try_from(port).expect("a port"))
    }

    /// What a log begins with; let clients begin.
    #[track_caller]
    pub fn start_log(&mut self) {
        self.quietly("log");
        assert_eq!(self.command("ready"), ["ready: 0 0"]);
    }

    /// Run a command; what came of it.
    #[track_caller]
    pub fn command(&mut self, command: &str) -> Vec<String> {
        self.begin(command);
        self.end()
    }

    /// Run a command of which nothing is to be said.
    #[track_caller]
    pub fn quietly(&mut self, command: &str) {
        let said = self.command(command);
        assert!(said.is_empty(), "{command}: {said:?}");
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
        Stats::parse(&self.command("stats")[0])
    }

    pub fn socket_path(&self) -> PathBuf {
        self.dir.join("socket")
    }

    pub fn address(&self) -> Address {
        Address::Unix(self.socket_path())
    }

    #[track_caller]
    pub fn client(&self) -> Client {
        Client::connect(&self.address())
    }

    /// A client whose stream has begun.
    #[track_caller]
    pub fn served_client(&self) -> Client {
        let mut client = self.client();
        client.read_until_text("datb");
        client
    }

    /// Wait until the driver has noticed that its client is gone.
    #[track_caller]
    pub fn until_alone(&mut self) {
        eventually(LIMIT, "the leaving is noticed", || {
            self.stats().get("connected") == 0
        });
    }

    /// Let it return from main, and wait for its end.
    #[track_caller]
    pub fn finish(&mut self) -> ExitStatus {
        self.process.close_stdin();
        self.process.wait()
    }
}
