//! Threads that write at the same time, clients of every kind, rings of every size:
//! every byte that a client receives is one that was written, whole chunks in the
//! order of each writer, and what is missing is told to the byte.
//!
//! `EVENTLOG_TEST_ROUNDS` times as many rounds as usual; `EVENTLOG_TEST_SEED` for those
//! that failed.

use crate::chance::{Chance, Seeded, first_seed, rounds};
use crate::support;

mod chunks;
pub mod visits;

use chunks::{Capture, Chunks};
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::build::c_program_of_parts;
use support::files::{TempDir, repository, test_program};
use support::{Address, Client, LIMIT, Running, Stats, alone, eventually};
use visits::{EVERY_KIND, Kind, PATIENT, stay, visit};

/// What a round is like.
#[derive(Debug, Clone)]
struct Setup {
    seed: u64,
    producers: usize,
    chunks: u64,
    bytes: u64,
    largest: u64,
    nap: u64,
    ring: &'static str,
    overflow: &'static str,
    tcp: bool,
}

impl Setup {
    fn by_chance(seed: u64) -> Self {
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

    fn run(&self) -> Writers {
        self.run_with("60s")
    }

    fn run_with(&self, exit_timeout: &str) -> Writers {
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
struct Writers {
    process: Running,
    address: Address,
    chunks: Chunks,
    _dir: TempDir,
}

impl Writers {
    #[track_caller]
    fn command(&mut self, command: &str) -> Vec<String> {
        self.process.write_line(command);
        self.process.lines_until("done")
    }

    /// Wait for the producers; how many chunks and bytes each has written.
    #[track_caller]
    fn join(&mut self) -> Vec<(u64, u64)> {
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
    fn stats(&mut self) -> Stats {
        Stats::parse(&self.command("stats")[0])
    }

    /// The counters, when no chunk is under way any more: each is counted once.
    #[track_caller]
    fn settled(&mut self, attempts: &[(u64, u64)]) -> Stats {
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
    fn finish(&mut self) {
        self.process.close_stdin();
        assert!(self.process.wait().success());
        assert_eq!(self.process.stderr(), "");
    }
}

#[track_caller]
fn read(chunks: &Chunks, bytes: &[u8]) -> Capture {
    Capture::read(chunks, bytes).unwrap_or_else(|what| panic!("{what}"))
}

/// One client from before the first chunk to the end: what it was sent and what it was
/// told to be lost is what was written, and the counters say the same.
fn one_client(setup: &Setup, kind: Kind, chance: &mut Chance) -> Stats {
    let mut writers = setup.run();
    let mut client = Client::connect(&writers.address);
    client.read_until_text("datb");
    let mut aside = chance.fork();
    let reader = std::thread::spawn(move || stay(client, kind, &mut aside));
    writers.command("go");
    let attempts = writers.join();
    let stats = writers.settled(&attempts);
    writers.command("stop");
    let bytes = reader.join().expect("a reader").expect("a whole stream");
    let capture = read(&writers.chunks, &bytes);
    writers.finish();
    assert!(capture.ended, "no end");

    let (mut missing, mut missing_bytes, mut empty) = (Vec::new(), 0, 0);
    for (producer, (count, _)) in attempts.iter().enumerate() {
        let numbers = capture.missing(&writers.chunks, producer, 0..*count);
        for number in &numbers {
            missing_bytes += writers.chunks.size(producer, *number);
        }
        empty += (0..*count)
            .filter(|n| writers.chunks.size(producer, *n) == 0)
            .count() as u64;
        missing.extend(numbers.into_iter().map(|number| (producer, number)));
    }
    let (told, told_bytes) = (capture.told_chunks(), capture.told_bytes());
    let what = format!("told {told} chunks, {told_bytes} bytes; {stats:?}");
    assert_eq!(told, stats.get("chunks_lost"), "{what}");
    assert_eq!(told_bytes, stats.get("bytes_lost"), "{what}");
    assert_eq!(told_bytes, missing_bytes, "{what}");
    assert_eq!(capture.bytes, stats.get("bytes_sent"), "{what}");
    assert_eq!(stats.get("chunks_discarded"), 0, "{what}");
    // Whether a chunk without bytes came nobody can see.
    let count = missing.len() as u64;
    assert!(
        count <= told && told <= count + empty,
        "{count} are missing; {what}"
    );
    assert_eq!(
        capture.unexplained(&missing),
        None,
        "{what}; {:?}",
        capture.told
    );
    check_places(setup, &capture, &missing);
    println!(
        "{setup:?}, {kind:?}: {what}, in {} messages",
        capture.told.len()
    );
    stats
}

/// Of one producer, a loss is told between the chunks that it lies between, but for a
/// few: the next chunk may leave no room for it.
fn check_places(setup: &Setup, capture: &Capture, missing: &[(usize, u64)]) {
    if setup.producers > 1 || missing.is_empty() {
        return;
    }
    let (mut gaps, mut in_place, mut at) = (0, 0, 0);
    for (place, numbers) in capture.chunks.windows(2).enumerate() {
        let (before, after) = (numbers[0].1, numbers[1].1);
        let from = at;
        while missing.get(at).is_some_and(|(_, number)| *number < after) {
            at += 1;
        }
        if missing[from..at].iter().any(|(_, number)| *number > before) {
            gaps += 1;
            in_place += usize::from(capture.told.iter().any(|told| told.place == place + 1));
        }
    }
    println!("{in_place} of {gaps} gaps are told in their place");
    assert!(
        in_place + 8 >= gaps / 2,
        "{in_place} of {gaps} told in their place"
    );
}

#[test]
fn one_client_can_account_for_every_chunk() {
    let _alone = alone();
    let first = first_seed();
    for seed in first..first + rounds(8) {
        let setup = Setup::by_chance(seed);
        let mut chance = Chance::new(!seed);
        let kind = chance.of(&PATIENT);
        let _seeded = Seeded {
            seed,
            what: format!("{kind:?}, {setup:?}"),
        };
        let stats = one_client(&setup, kind, &mut chance);
        if setup.overflow == "block" {
            // Whatever can ever fit comes.
            let chunks = Chunks::new(seed, setup.largest);
            let ring = stats.get("ring_size");
            let too_large =
                (0..setup.chunks).any(|n| (0..setup.producers).any(|p| chunks.size(p, n) > ring));
            assert!(too_large || stats.get("chunks_lost") == 0, "{stats:?}");
        }
    }
}

/// Clients that come and go, two at a time: each has whole chunks of its own, and at
/// the end every chunk was sent, lost, or discarded.
fn many_clients(setup: &Setup, chance: &mut Chance) {
    let mut writers = setup.run();
    let over = AtomicBool::new(false);
    let visitors = [chance.fork(), chance.fork()];
    let (address, chunks) = (writers.address.clone(), writers.chunks.clone());
    let (attempts, captures) = std::thread::scope(|scope| {
        let threads = visitors.map(|mut chance| {
            let (address, over, chunks) = (&address, &over, &chunks);
            scope.spawn(move || {
                let mut captures = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    let kind = chance.of(&EVERY_KIND);
                    let bytes = visit(address, kind, 8 << 20, &mut chance).expect("it listens");
                    captures.push(read(chunks, &bytes));
                }
                captures
            })
        });
        // Else a visitor that comes while this thread panics is waited for.
        let _over = OnDrop(&over);
        writers.command("go");
        let attempts = writers.join();
        over.store(true, Ordering::Relaxed);
        let captures: Vec<Capture> = threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("a visitor"))
            .collect();
        (attempts, captures)
    });
    let stats = writers.settled(&attempts);

    // One more, which stays to the end.
    let mut client = Client::connect(&writers.address);
    client.read_until_text("datb");
    writers.command("stop");
    let last = read(&writers.chunks, &client.read_to_end());
    assert!(last.ended && last.chunks.is_empty(), "{last:?}");
    writers.finish();
    let connections = stats.get("connections");
    assert!(connections <= captures.len() as u64 + 1, "{stats:?}");

    let whole = captures.iter().map(|capture| capture.chunks.len());
    let whole: usize = whole.sum();
    println!(
        "{setup:?}: {whole} chunks for {} clients; {stats:?}",
        captures.len()
    );
    let told: u64 = captures.iter().map(Capture::told_chunks).sum();
    assert!(
        told <= stats.get("chunks_lost"),
        "{told} are told; {stats:?}"
    );
    let came: u64 = captures.iter().map(|capture| capture.bytes).sum();
    assert!(
        came <= stats.get("bytes_sent"),
        "{came} bytes came; {stats:?}"
    );
    for producer in 0..setup.producers {
        // Where each client's chunks begin and end: not within those of another.
        let mut spans = BTreeMap::new();
        for capture in &captures {
            let mut numbers = capture.of(producer);
            if let Some(first) = numbers.next() {
                let again = spans.insert(first, numbers.last().unwrap_or(first));
                assert_eq!(
                    again, None,
                    "chunk {first} of producer {producer} came twice"
                );
            }
        }
        let spans: Vec<_> = spans.into_iter().collect();
        for pair in spans.windows(2) {
            assert!(pair[0].1 < pair[1].0, "producer {producer}: {pair:?}");
        }
    }
}

struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn each_of_many_clients_has_whole_chunks_of_its_own() {
    let _alone = alone();
    let first = first_seed();
    for seed in first..first + rounds(6) {
        let mut setup = Setup::by_chance(seed);
        // Long enough for some to come.
        setup.nap = 3;
        setup.bytes *= 4;
        let _seeded = Seeded {
            seed,
            what: format!("{setup:?}"),
        };
        many_clients(&setup, &mut Chance::new(!seed));
    }
}

/// What these tests rely on: whatever is wrong in a stream is found.
#[test]
fn faults_are_found() {
    let chunks = Chunks::new(5, 2000);
    let header = b"hdrbhetbhetehdredatb".to_vec();
    let numbers = (0..20).filter(|number| chunks.size(1, *number) > 100);
    let blocks: Vec<Vec<u8>> = numbers.map(|number| chunks.chunk(1, number)).collect();
    let stream = |order: &[usize]| {
        let parts = order.iter().map(|at| blocks[*at].as_slice());
        let parts: Vec<&[u8]> = [header.as_slice()].into_iter().chain(parts).collect();
        parts.concat()
    };
    let good = stream(&[0, 1, 3]);
    assert_eq!(read(&chunks, &good).chunks.len(), 3);
    for end in 0..good.len() {
        read(&chunks, &good[..end]);
    }
    for order in [[1, 0, 2], [0, 0, 1], [2, 3, 1]] {
        let outcome = Capture::read(&chunks, &stream(&order));
        assert!(outcome.is_err(), "{order:?}: {outcome:?}");
    }
    for at in 0..good.len() - 1 {
        let mut changed = good.clone();
        changed[at] ^= 0x40;
        assert!(
            Capture::read(&chunks, &changed).is_err(),
            "byte {at} changed"
        );
        let mut shorter = good.clone();
        shorter.remove(at);
        let outcome = Capture::read(&chunks, &shorter);
        // One of several equal bytes may have been the last one.
        assert!(
            outcome.is_err() || at > good.len() - 100,
            "byte {at} left out"
        );
    }
}

/// A chunk without bytes is one: it is counted, and adds nothing to the stream.
#[test]
fn chunks_without_bytes() {
    let setup = Setup {
        seed: 0,
        producers: 2,
        chunks: 5_000,
        bytes: 1,
        largest: 0,
        nap: 0,
        ring: "64K",
        overflow: "block",
        tcp: false,
    };
    let stats = one_client(&setup, Kind::Fast, &mut Chance::new(1));
    assert_eq!(stats.get("chunks_sent"), 10_000, "{stats:?}");
    assert_eq!(stats.get("bytes_sent"), 0, "{stats:?}");
}

/// Producers that wait for a client which takes nothing: the exit lets them go, and
/// takes no longer than it may.
#[test]
fn exits_while_writers_wait() {
    for tcp in [false, true] {
        let mut setup = Setup::by_chance(7);
        (setup.producers, setup.bytes, setup.largest) = (4, 64 << 20, 30_000);
        (setup.chunks, setup.ring, setup.overflow) = (1 << 40, "64K", "block");
        (setup.nap, setup.tcp) = (0, tcp);
        let mut writers = setup.run_with("1s");
        let mut client = Client::connect(&writers.address);
        client.read_until_text("datb");
        writers.command("go");
        // All of them wait when nothing moves any more.
        let mut before = u64::MAX;
        eventually(LIMIT, "they wait", || {
            std::thread::sleep(Duration::from_millis(200));
            let now = writers.stats().get("bytes_sent");
            std::mem::replace(&mut before, now) == now && now > 0
        });
        writers.command("halt");
        writers.command("exiting");
        let attempts = writers.join();
        writers.command("stop");
        let stats = writers.settled(&attempts);
        assert_eq!(stats.get("connected"), 0);
        writers.finish();
        client.read_until_quiet(LIMIT);
        assert!(!read(&writers.chunks, &client.leave()).chunks.is_empty());
    }
}
