//! `writers.c`: how it is run, and what it says.

use super::chunks::Chunks;
use crate::chance::Chance;
use crate::support::build::c_program_of_parts;
use crate::support::files::{TempDir, repository, test_program};
use crate::support::{Address, LIMIT, Running, Stats, eventually};
use std::process::Command;

/// What a round is like.
#[derive(Debug, Clone)]
pub struct Setup {
    pub seed: u64,
    pub producers: usize,
    pub chunks: u64,
    pub bytes: u64,
    pub largest: u64,
    pub nap: u64,
    pub ring: &'static str,
    pub overflow: &'static str,
    pub tcp: bool,
}

impl Setup {
    pub fn by_chance(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let producers = 1 + chance.below(8) as usize;
        Self {
            seed,
            producers,
            chunks: 4000 / producers as u64,
            bytes: (24 << 20) / producers as u64,
            largest: chance.of(&[300, 5_000, 70_000, 1 << 20, 3 << 20]),
            nap: chance.of(&[0, 3, 30]),
            ring: chance.of(&["64K", "256K", "1M", "4M", "16M"]),
            overflow: chance.of(&["drop", "drop", "block", "block:1ms", "block:50ms"]),
            tcp: chance.once_in(2),
        }
    }

    /// One producer, which never waits, and a ring that is soon full: none is too large.
    pub fn losing(seed: u64) -> Self {
        Self {
            seed,
            producers: 1,
            chunks: 4000,
            bytes: 24 << 20,
            largest: 30_000,
            nap: 0,
            ring: "64K",
            overflow: "drop",
            tcp: seed % 2 == 1,
        }
    }

    pub fn run(&self) -> Writers {
        self.run_with("60s")
    }

    pub fn run_with(&self, exit_timeout: &str) -> Writers {
        let table = format!("-I{}", repository().join("ffi/rts").display());
        let flags = "-std=c11 -D_DEFAULT_SOURCE -DEVENTLOG_SOCKET_NO_RTS -O1 -Wall -Wextra -Werror";
        let flags: Vec<&str> = flags.split(' ').chain([table.as_str()]).collect();
        let parts = ["control.c", "control.h"];
        let source = test_program("writers.c");
        let mut command = Command::new(c_program_of_parts(&source, &parts, "cc", &flags));
        for (name, _) in std::env::vars() {
            if name.starts_with("GHC_EVENTLOG_") {
                command.env_remove(name);
            }
        }
        let dir = TempDir::new();
        let path = dir.join("socket");
        let (seed, producers) = (self.seed.to_string(), self.producers.to_string());
        command
            .arg(if self.tcp {
                "tcp".as_ref()
            } else {
                path.as_os_str()
            })
            .args([seed, producers, self.chunks.to_string()])
            .args([self.bytes, self.largest, self.nap].map(|number| number.to_string()))
            .env("GHC_EVENTLOG_BUFFER_SIZE", self.ring)
            .env("GHC_EVENTLOG_OVERFLOW", self.overflow)
            .env("GHC_EVENTLOG_EXIT_TIMEOUT", exit_timeout);
        let mut process = Running::spawn(command);
        let ready = process.line().expect("it is ready");
        let port = ready
            .strip_prefix("ready ")
            .and_then(|port| port.parse().ok());
        let port: u16 = port.unwrap_or_else(|| panic!("{ready:?}"));
        Writers {
            process,
            address: match port {
                0 => Address::Unix(path),
                _ => Address::Tcp(port),
            },
            chunks: Chunks::new(self.seed, self.largest),
            _dir: dir,
        }
    }
}

/// `writers.c`, running.
pub struct Writers {
    pub process: Running,
    pub address: Address,
    pub chunks: Chunks,
    _dir: TempDir,
}

impl Writers {
    #[track_caller]
    pub fn command(&mut self, command: &str) -> Vec<String> {
        self.process.write_line(command);
        self.process.lines_until("done")
    }

    /// Wait for the producers; how many chunks and bytes each has written.
    #[track_caller]
    pub fn join(&mut self) -> Vec<(u64, u64)> {
        let lines = self.command("join");
        let attempts = lines.iter().map(|line| {
            let numbers = line.strip_prefix("attempts ").expect("a count");
            let numbers = numbers
                .split(' ')
                .map(|word| word.parse().expect("a number"));
            let numbers: Vec<u64> = numbers.collect();
            (numbers[1], numbers[2])
        });
        attempts.collect()
    }

    #[track_caller]
    pub fn stats(&mut self) -> Stats {
        Stats::parse(&self.command("stats")[0])
    }

    /// The counters, when no chunk is under way any more: each is counted once.
    #[track_caller]
    pub fn settled(&mut self, attempts: &[(u64, u64)]) -> Stats {
        let sum = |stats: &Stats, what: &str| -> u64 {
            let ends = ["sent", "lost", "discarded"];
            ends.iter()
                .map(|end| stats.get(&format!("{what}_{end}")))
                .sum()
        };
        let chunks: u64 = attempts.iter().map(|(chunks, _)| chunks).sum();
        let bytes: u64 = attempts.iter().map(|(_, bytes)| bytes).sum();
        let mut stats = Stats::default();
        eventually(LIMIT, &format!("{chunks} chunks are accounted for"), || {
            stats = self.stats();
            sum(&stats, "chunks") >= chunks
        });
        assert_eq!(sum(&stats, "chunks"), chunks, "{stats:?}");
        assert_eq!(sum(&stats, "bytes"), bytes, "{stats:?}");
        stats
    }

    #[track_caller]
    pub fn finish(&mut self) {
        self.process.close_stdin();
        assert!(self.process.wait().success());
        assert_eq!(self.process.stderr(), "");
    }
}
