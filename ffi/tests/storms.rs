//! A storm over a program that works: clients of every kind come, command and go, two or
//! more at a time, while it computes, logs, forks, is signalled and collects garbage.
//! What it computes is right, what each client got is a log, as is what the ring file has
//! at any time, the counters add up, and nothing is used up.
//!
//! `EVENTLOG_TEST_STORM_SECONDS` for a longer storm, and `EVENTLOG_TEST_STORM_REPORT` for
//! figures on stderr, that often in seconds; scripts/soak sets both.

use crate::chance::{Chance, Seeded, first_seed, setting};
use crate::support;
use crate::writers::visits::{EVERY_KIND, visit};

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use support::commands::{RTS, commands_waiting, frame};
use support::files::test_program;
use support::ghc::{Ghc, ghc};
use support::process::ending;
use support::recovery::{Recovered, recovered_by_as_is};
use support::skip::need;
use support::worker::Setup;
use support::{
    Address, Build, Client, Collector, LIMIT, Loss, Main, Stats, Stream, TempDir, Transport,
    Worker, alone, eventually,
};

const VISITORS: usize = 4;
/// What may come to be in use meanwhile, in bytes, threads and descriptors: the garbage
/// collector and the RTS's pool of threads are not ours to hold still.
const MEMORY: u64 = 24 << 20;
const DEFINITIONS: u64 = 1 << 20;
const THREADS: usize = 8;
const DESCRIPTORS: usize = 2;
/// How often that is looked at, at least, in each half of the time.
const LOOKS: usize = 10;

/// `Storm.hs`, to be run.
pub fn service(transport: Transport) -> Setup {
    let mut build = Build::new(Main::Haskell);
    build.flags.extend(["-main-is".into(), "Storm".into()]);
    let source = std::fs::read_to_string(test_program("Storm.hs")).expect("a source");
    build.modules.push(("Storm".into(), source));
    Setup::of(build, transport)
        .rts("-N2")
        .env("GHC_EVENTLOG_FLUSH_INTERVAL", "2ms")
        .env("GHC_EVENTLOG_CONTROL", "on")
}

/// What all clients have seen.
#[derive(Debug, Default)]
pub struct Seen {
    connections: AtomicU64,
    told: AtomicU64,
    bytes: AtomicU64,
    /// For each logger, where the messages of each client begin and end.
    spans: Mutex<[BTreeMap<u64, u64>; 2]>,
}

impl Seen {
    /// A capture is a log, cut somewhere, and none of its messages came to another.
    #[track_caller]
    pub fn check(&self, bytes: &[u8]) {
        let stream = Stream::cut(bytes);
        for logger in 0..2 {
            let numbers = stream.numbers(logger);
            let ordered = numbers.windows(2).all(|pair| pair[0] < pair[1]);
            assert!(ordered, "messages of logger {logger} out of order");
            if let (Some(first), Some(last)) = (numbers.first(), numbers.last()) {
                let mut spans = self.spans.lock().expect("spans");
                let spans = &mut spans[usize::from(logger)];
                let before = spans.range(..=last).next_back();
                let apart = before.is_none_or(|(_, end)| end < first);
                assert!(
                    apart,
                    "{first} to {last} of logger {logger}, and {before:?}"
                );
                spans.insert(*first, *last);
            }
        }
        let of_child = stream
            .messages
            .iter()
            .any(|event| event.text().contains("in the child"));
        assert!(!of_child, "events of a child");
        self.told.fetch_add(stream.lost_chunks(), Ordering::Relaxed);
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }

    /// Clients come and go until it is over, or nobody listens any more.
    pub fn visit_until(&self, over: &AtomicBool, address: &Address, mut chance: Chance) {
        while !over.load(Ordering::Relaxed) {
            let kind = chance.of(&EVERY_KIND);
            match visit(address, kind, 2 << 20, &mut chance) {
                Some(bytes) => {
                    self.connections.fetch_add(1, Ordering::Relaxed);
                    self.check(&bytes);
                }
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}

/// Sets it when it is dropped, so that a test that fails ends its threads.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What the program uses at a moment.
#[derive(Debug, Clone, Copy, Default)]
struct Usage {
    memory: u64,
    threads: usize,
    descriptors: usize,
    definitions: u64,
}

impl Usage {
    fn of(worker: &Worker, stats: &Stats) -> Self {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", worker.process.pid()));
        Self {
            memory: worker.process.resident(),
            threads: tasks.expect("/proc/PID/task").count(),
            descriptors: worker.process.descriptors().len(),
            definitions: stats.get("definition_bytes"),
        }
    }

    fn most(self, other: Self) -> Self {
        Self {
            memory: self.memory.max(other.memory),
            threads: self.threads.max(other.threads),
            descriptors: self.descriptors.max(other.descriptors),
            definitions: self.definitions.max(other.definitions),
        }
    }
}

/// Figures for people, past the test harness.
struct Report {
    every: Option<Duration>,
    next: Instant,
    begun: Instant,
}

impl Report {
    fn new() -> Self {
        let every = setting("EVENTLOG_TEST_STORM_REPORT", 0);
        Self {
            every: (every > 0).then(|| Duration::from_secs(every)),
            next: Instant::now(),
            begun: Instant::now(),
        }
    }

    fn say(&mut self, worker: &Worker, stats: &Stats, usage: Usage) {
        let Some(every) = self.every else { return };
        if Instant::now() < self.next {
            return;
        }
        self.next += every;
        let count = |name: &str| stats.get(name);
        let line = format!(
            "{:6.0} s: {} chunks {} MB sent, {} lost, {} discarded; {} connections, {} commands, \
             {} flushes, {} wake-ups; {} KB definitions, {} KB memory, {} threads, {} descriptors, \
             {:.1} s processor\n",
            self.begun.elapsed().as_secs_f64(),
            count("chunks_sent"),
            count("bytes_sent") >> 20,
            count("chunks_lost"),
            count("chunks_discarded"),
            count("connections"),
            count("commands_received"),
            count("flushes"),
            count("wakeups"),
            usage.definitions >> 10,
            usage.memory >> 10,
            usage.threads,
            usage.descriptors,
            worker.process.processor_time().as_secs_f64(),
        );
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

/// How much of this comes in a day of service; see scripts/soak.
const DAY: [(&str, u64); 4] = [
    ("connections", 24 * 60),
    ("commands_received", 24 * 60),
    ("flushes", 24 * 3600),
    ("chunks_sent", 2 * 24 * 3600),
];

fn say_days(stats: &Stats) {
    let share = |(name, day): &(&str, u64)| {
        let days = stats.get(name) as f64 / *day as f64;
        format!("{name} of {days:.2} days")
    };
    let shares: Vec<String> = DAY.iter().map(share).collect();
    println!("{}", shares.join(", "));
}

/// What only grows.
const COUNTERS: [&str; 18] = [
    "ring_high_water",
    "chunks_sent",
    "bytes_sent",
    "chunks_lost",
    "bytes_lost",
    "chunks_discarded",
    "bytes_discarded",
    "connections",
    "wakeups",
    "flushes",
    "bytes_received",
    "commands_received",
    "commands_run",
    "commands_unknown",
    "commands_refused",
    "commands_denied",
    "commands_dropped",
    "bytes_garbage",
];

/// No counter goes back.
#[track_caller]
fn check_counters(before: &Stats, now: &Stats) {
    for name in COUNTERS {
        assert!(
            before.get(name) <= now.get(name),
            "{name}: {before:?}, {now:?}"
        );
    }
}

/// What the service computed so far; never anything wrong.
#[track_caller]
fn computed(line: &str) -> u64 {
    let rest = line
        .strip_prefix("rounds ")
        .and_then(|rest| rest.split_once(" wrong "));
    let (rounds, wrong) = rest.unwrap_or_else(|| panic!("{line:?}"));
    assert_eq!(wrong, "0", "computed wrongly");
    rounds.parse().expect("a number")
}

/// Something that the program does or meets in a storm; each ends as it would without us.
fn happen(worker: &mut Worker, ring_file: &str, chance: &mut Chance) {
    match chance.below(15) {
        0 => {
            let status = 1 + chance.below(50);
            let said = worker.command(&format!("fork {status}"));
            assert_eq!(
                said,
                [format!("child: Just (Exited (ExitFailure {status}))")]
            );
        }
        1 => {
            let said = worker.command("start").concat();
            let already = format!("start: 10 {} ", libc::EALREADY);
            assert!(said.starts_with(&already), "{said}");
        }
        2 => worker.process.signal(libc::SIGPIPE),
        3 => drop(worker.command("gc")),
        4 => drop(worker.command("message in the storm")),
        5 => drop(recorded("snapshot", ring_file)),
        _ => {}
    }
}

/// What the ring file has, which is a log.
#[track_caller]
fn recorded(verb: &str, ring_file: &str) -> Recovered {
    let recovered = recovered_by_as_is(verb, ring_file);
    Stream::complete(&recovered.log);
    recovered
}

fn until_alone(worker: &mut Worker) -> Stats {
    let mut stats = Stats::default();
    eventually(LIMIT, "all clients are done with", || {
        stats = worker.stats();
        stats.get("connected") == 0 && commands_waiting(&stats) == 0
    });
    stats
}

fn storm(ghc: &Ghc, transport: Transport, time: Duration, seed: u64) {
    let mut chance = Chance::new(seed);
    let ring = chance.of(&["256K", "1M", "4M"]);
    // One half of the time each: a program that waits meets less.
    let overflow = match seed % 2 {
        0 => "drop",
        _ => chance.of(&["block", "block:5ms"]),
    };
    let _seeded = Seeded {
        seed,
        what: format!("{transport:?}, ring of {ring}, {overflow}, {time:?}"),
    };
    let dir = TempDir::new();
    let ring_file = dir.join("storm.ring");
    let ring_file = ring_file.to_str().expect("a plain path");
    let mut worker = service(transport)
        .env("GHC_EVENTLOG_RING_FILE", ring_file)
        .env("GHC_EVENTLOG_RING_FILE_SIZE", "16M")
        .env("GHC_EVENTLOG_BUFFER_SIZE", ring)
        .env("GHC_EVENTLOG_OVERFLOW", overflow)
        .env("GHC_EVENTLOG_EXIT_TIMEOUT", "30s")
        .spawn(ghc);
    worker.ready();
    let mut first = worker.client();
    first.read_until_text("datb");
    drop(first);
    until_alone(&mut worker);
    let at_rest = worker.process.descriptors();

    let (seen, over) = (Seen::default(), AtomicBool::new(false));
    let chances: Vec<Chance> = (0..VISITORS).map(|_| chance.fork()).collect();
    let address = worker.address.clone();
    std::thread::scope(|scope| {
        let _over = Over(&over);
        let visitors: Vec<_> = chances
            .into_iter()
            .map(|chance| scope.spawn(|| seen.visit_until(&over, &address, chance)))
            .collect();
        last_for(&mut worker, time, ring_file, &mut chance, || {
            visitors.iter().any(|visitor| visitor.is_finished())
        });
    });

    let stats = until_alone(&mut worker);
    let open = worker.process.descriptors();
    assert_eq!(open.len(), at_rest.len(), "{at_rest:?}, then {open:?}");
    let came = seen.connections.load(Ordering::Relaxed) + 1;
    assert_eq!(stats.get("connections"), came, "{stats:?}");
    say_days(&stats);
    let told = seen.told.load(Ordering::Relaxed);
    assert!(
        told <= stats.get("chunks_lost"),
        "{told} are told; {stats:?}"
    );
    see_it_end(worker, &seen, bytes_of(ring));
    let recovered = recorded("recover", ring_file);
    let stream = Stream::complete(&recovered.log);
    assert!(stream.has_message("the last words"), "{}", recovered.said);
}

/// Let it work in the storm for a while, and watch what it uses. Where a machine is so busy
/// that little happens in that time, for as long as it takes to compare the two halves.
fn last_for(
    worker: &mut Worker,
    time: Duration,
    ring_file: &str,
    chance: &mut Chance,
    mut failed: impl FnMut() -> bool,
) {
    let mut report = Report::new();
    let mut before = worker.stats();
    let [early, late] = [(); 2].map(|()| {
        let begun = Instant::now();
        let mut most = Usage::default();
        let mut looks = 0;
        while begun.elapsed() < time / 2 || looks < LOOKS {
            assert!(!failed(), "a client failed");
            happen(worker, ring_file, chance);
            std::thread::sleep(chance.millis(60));
            let now = worker.stats();
            check_counters(&before, &now);
            before = now;
            let usage = Usage::of(worker, &before);
            most = most.most(usage);
            looks += 1;
            report.say(worker, &before, usage);
        }
        most
    });
    let rounds = computed(&worker.command("rounds").concat());
    assert!(rounds > 0, "it does not work");
    let what = format!("at most {early:?} in the first half, {late:?} in the second");
    assert!(late.memory <= early.memory + MEMORY, "{what}");
    assert!(late.threads <= early.threads + THREADS, "{what}");
    assert!(
        late.descriptors <= early.descriptors + DESCRIPTORS,
        "{what}"
    );
    assert!(
        late.definitions <= early.definitions + DEFINITIONS,
        "{what}"
    );
}

/// The size of a ring as it is written in the environment, in bytes.
fn bytes_of(size: &str) -> u64 {
    let (number, unit) = size.split_at(size.len() - 1);
    let number: u64 = number.parse().expect("a number and a unit");
    number << if unit == "K" { 10 } else { 20 }
}

/// After all that a client gets what is logged, to the end. Only a chunk that is larger than
/// the whole ring cannot be had, and that is told.
fn see_it_end(mut worker: Worker, seen: &Seen, ring: u64) {
    let commands = worker.stats().get("commands_received");
    let mut client: Client = worker.client();
    // Messages may have been switched off. A flush: the last chunks are small then, unless
    // much is logged before the program gets to its end.
    client.send(&frame(RTS, 16));
    client.send(&frame(RTS, 1));
    client.read_until_text("datb");
    eventually(LIMIT, "the command is run", || {
        let stats = worker.stats();
        stats.get("commands_received") > commands + 1 && commands_waiting(&stats) == 0
    });
    let collector = Collector::resume(client);
    worker.process.close_stdin();
    let status = worker.process.wait();
    assert_eq!(ending(status), "status 0", "{}", worker.process.stderr());
    assert_eq!(worker.process.stderr(), "");
    let last = worker.process.line().expect("its result");
    computed(&last);
    let bytes = collector.finish();
    let stream = Stream::complete(&bytes);
    let is_too_large = |loss: &Loss| loss.bytes > ring * loss.chunks;
    assert!(
        stream.has_message("the last words") || stream.losses.iter().any(is_too_large),
        "{:?}",
        stream.losses
    );
    seen.check(&bytes);
    if let Address::Unix(path) = &worker.address {
        assert!(!path.exists(), "the socket file is left");
    }
}

fn seconds() -> Duration {
    Duration::from_secs(setting("EVENTLOG_TEST_STORM_SECONDS", 10)) / 2
}

/// Half of the time over a Unix socket, half of it over TCP.
#[test]
fn clients_come_command_and_go() {
    let ghc = need!(ghc());
    let _alone = alone();
    let seed = first_seed();
    storm(ghc, Transport::Unix, seconds(), seed);
    storm(ghc, Transport::Tcp, seconds(), seed + 1);
}

/// A flush that is under way when the program forks does not keep the child.
#[test]
fn children_of_a_program_that_is_flushed() {
    let ghc = need!(ghc());
    let _alone = alone();
    let setup = service(Transport::Unix).env("GHC_EVENTLOG_FLUSH_INTERVAL", "1ms");
    let mut worker = setup.spawn(ghc);
    worker.ready();
    let collector = Collector::connect(&worker.address);
    collector.wait_for_text("datb");
    for status in 1..=20 {
        let said = worker.command(&format!("fork {status}"));
        let expected = format!("child: Just (Exited (ExitFailure {status}))");
        assert_eq!(said, [expected]);
    }
    worker.process.close_stdin();
    assert_eq!(ending(worker.process.wait()), "status 0");
    Stream::complete(&collector.finish());
}
