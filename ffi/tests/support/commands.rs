//! What a client may send, written down as the protocol says it (the library has its
//! own builder of frames, which may be wrong), and what becomes of it.

use super::driver::Driver;
use super::stats::Stats;
use super::waiting::{LIMIT, eventually};
use super::worker::Worker;
use std::fmt::Debug;

pub const BUILTIN: &[u8] = b"eventlog-socket";
pub const RTS: &[u8] = b"eventlog-socket-rts";

pub const START_PROFILING: u8 = 1;
pub const STOP_PROFILING: u8 = 2;
pub const START_HEAP_PROFILING: u8 = 3;
pub const STOP_HEAP_PROFILING: u8 = 4;
pub const REQUEST_HEAP_CENSUS: u8 = 5;

pub const FLUSH: u8 = 1;
pub const SYNC: u8 = 2;

/// A frame of the present protocol.
pub fn frame(namespace: &[u8], command: u8) -> Vec<u8> {
    let length = u8::try_from(namespace.len()).expect("at most 255 bytes");
    let mut bytes = vec![0xf0, 0x9e, 0x97, 0x8c, 0x00, length];
    bytes.extend(namespace);
    bytes.push(command);
    bytes
}

/// A frame of the older protocol.
pub fn older(command: u8) -> Vec<u8> {
    vec![b'G', b'C', b'T', b'L', command]
}

/// The text of the mark that the sync command number `n` of a program leaves.
pub fn mark(n: usize) -> String {
    format!("eventlog-socket: sync {n}")
}

/// A program that handles commands: `control.c` is in it.
pub trait Commanded: Debug {
    /// Run a command; what it printed.
    fn tell(&mut self, command: &str) -> Vec<String>;

    fn stats_now(&mut self) -> Stats;

    /// Run a command of `control.c`.
    #[track_caller]
    fn control(&mut self, command: &str) -> Vec<String> {
        self.tell(&format!("control {command}"))
    }

    /// Run one that is to succeed.
    #[track_caller]
    fn control_ok(&mut self, command: &str) {
        let said = self.control(command);
        let status = said.last().and_then(|line| line.split_once(": "));
        let good = status.is_some_and(|(_, status)| status.starts_with("0 0 "));
        assert!(good, "{command}: {said:?}");
    }

    /// Make a namespace with commands, each with its script.
    #[track_caller]
    fn handle(&mut self, namespace: &str, commands: &[(u8, &str)]) {
        self.control_ok(&format!("namespace {namespace}"));
        for (number, script) in commands {
            self.control_ok(&format!("command {namespace} {number} {script}"));
        }
    }

    /// What handlers have noted so far.
    #[track_caller]
    fn notes(&mut self) -> Vec<String> {
        let lines = self.control("notes");
        let notes = lines.iter().filter_map(|line| line.strip_prefix("note: "));
        notes.map(String::from).collect()
    }

    /// Wait until handlers have noted as much.
    #[track_caller]
    fn until_noted(&mut self, count: usize) -> Vec<String> {
        let mut notes = Vec::new();
        eventually(LIMIT, &format!("{count} notes"), || {
            notes = self.notes();
            notes.len() >= count
        });
        notes
    }

    /// Wait until so many commands were received and none waits any more.
    #[track_caller]
    fn until_settled(&mut self, received: u64) -> Stats {
        let mut stats = Stats::default();
        eventually(LIMIT, &format!("{received} commands done with"), || {
            stats = self.stats_now();
            stats.get("commands_received") >= received && commands_waiting(&stats) == 0
        });
        assert_eq!(stats.get("commands_received"), received, "{stats:?}");
        stats
    }

    /// Wait until so many bytes were received from clients.
    #[track_caller]
    fn until_received(&mut self, bytes: usize) {
        eventually(LIMIT, &format!("{bytes} bytes are received"), || {
            self.stats_now().get("bytes_received") >= bytes as u64
        });
    }
}

/// Every command is counted when it is received, and once more in the end.
pub fn commands_waiting(stats: &Stats) -> u64 {
    let ends = ["run", "unknown", "refused", "denied", "dropped"];
    let done: u64 = ends
        .iter()
        .map(|end| stats.get(&format!("commands_{end}")))
        .sum();
    let received = stats.get("commands_received");
    received.checked_sub(done).expect("more ends than commands")
}

/// What became of commands, for comparing: run, unknown, refused, denied, dropped.
pub fn outcomes(stats: &Stats) -> [u64; 5] {
    ["run", "unknown", "refused", "denied", "dropped"]
        .map(|end| stats.get(&format!("commands_{end}")))
}

impl Commanded for Worker {
    #[track_caller]
    fn tell(&mut self, command: &str) -> Vec<String> {
        self.command(command)
    }

    #[track_caller]
    fn stats_now(&mut self) -> Stats {
        self.stats()
    }
}

impl Commanded for Driver {
    #[track_caller]
    fn tell(&mut self, command: &str) -> Vec<String> {
        self.command(command)
    }

    #[track_caller]
    fn stats_now(&mut self) -> Stats {
        self.stats()
    }
}
