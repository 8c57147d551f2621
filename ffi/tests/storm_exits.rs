//! Exits in a storm: of every kind, while clients come, command and go, and while the
//! program is held up by one of them. Each ends as it would without us.

use crate::chance::{Chance, Seeded, first_seed, rounds};
use crate::storms::{Over, Seen, service};
use crate::support;
use crate::writers::visits::{EVERY_KIND, visit};

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use support::commands::frame;
use support::ghc::{Ghc, ghc};
use support::process::ending;
use support::recovery::recovered;
use support::skip::need;
use support::worker::Setup;
use support::{
    Address, Build, Client, Collector, Commanded, LIMIT, Main, Stream, TempDir, Transport, Worker,
    alone, eventually, within,
};

/// What an exit may take beyond the time it was given, on a machine that is very busy.
const ALLOWANCE: Duration = Duration::from_secs(5);

/// How a program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From main, or by hs_exit in a C main.
    Return,
    Exit,
    Throw,
    Interrupt,
    Terminate,
    /// exit() of C, while the RTS runs.
    Past,
}

const WAYS: [Way; 6] = [
    Way::Return,
    Way::Exit,
    Way::Throw,
    Way::Interrupt,
    Way::Terminate,
    Way::Past,
];

impl Way {
    /// Let it happen; how it is to end.
    fn begin(self, worker: &mut Worker) -> &'static str {
        match self {
            Self::Return => {
                worker.process.close_stdin();
                "status 0"
            }
            Self::Exit => {
                worker.begin("exit 3");
                "status 3"
            }
            Self::Throw => {
                worker.begin("throw");
                "status 1"
            }
            Self::Interrupt => {
                worker.process.signal(libc::SIGINT);
                "signal 2"
            }
            Self::Terminate => {
                worker.process.signal(libc::SIGTERM);
                "signal 15"
            }
            Self::Past => {
                worker.begin("c-exit 5");
                "status 5"
            }
        }
    }

    /// Whether the program, or the library in it, can clear up.
    fn in_order(self) -> bool {
        self != Self::Terminate
    }

    /// Whether the RTS hands over all that was logged.
    fn flushes(self) -> bool {
        !matches!(self, Self::Terminate | Self::Past)
    }
}

/// One that logs or does not, with three visitors, ends.
#[derive(Debug)]
struct Round {
    main: Main,
    transport: Transport,
    overflow: &'static str,
    interval: &'static str,
    way: Way,
    loaded: bool,
    /// The size of its ring file.
    recorded: Option<&'static str>,
}

impl Round {
    /// Ways to end, each with and without a file, take turns; the rest is up to chance.
    fn of(seed: u64, chance: &mut Chance) -> Self {
        let loaded = chance.once_in(2);
        // At full speed chunks have 2 MiB, and those of both capabilities must fit.
        let sizes = if loaded { ["8M", "16M"] } else { ["2M", "4M"] };
        let turn = seed as usize % (2 * WAYS.len());
        Self {
            main: chance.of(&[Main::Wrap, Main::Steps, Main::Haskell]),
            transport: chance.of(&[Transport::Unix, Transport::Tcp]),
            overflow: chance.of(&["drop", "block", "block:20ms"]),
            interval: chance.of(&["0", "1ms", "10ms"]),
            way: WAYS[turn / 2],
            loaded,
            recorded: turn.is_multiple_of(2).then(|| chance.of(&sizes)),
        }
    }

    fn spawn(&self, ghc: &Ghc, file: &Option<(TempDir, PathBuf)>) -> Worker {
        // A client may switch messages off, which would then be missed in the file.
        let control = if file.is_some() { "off" } else { "on" };
        let mut setup = Setup::of(Build::new(self.main), self.transport)
            .rts("-N2")
            .env("GHC_EVENTLOG_OVERFLOW", self.overflow)
            .env("GHC_EVENTLOG_FLUSH_INTERVAL", self.interval)
            .env("GHC_EVENTLOG_CONTROL", control);
        if let (Some(size), Some((_, file))) = (self.recorded, file) {
            setup = setup
                .env("GHC_EVENTLOG_RING_FILE", file.to_str().expect("plain"))
                .env("GHC_EVENTLOG_RING_FILE_SIZE", size);
        }
        setup.spawn(ghc)
    }

    /// Run it to its end; how many clients were sent something.
    fn run(&self, ghc: &Ghc, chance: &mut Chance) -> u64 {
        println!("{self:?}");
        let file = self.recorded.map(|_| {
            let dir = TempDir::new();
            let file = dir.join("app.ring");
            (dir, file)
        });
        let mut worker = self.spawn(ghc, &file);
        worker.ready();
        if self.loaded {
            worker.command("load 2 100");
        } else {
            worker.command("log 2 3000 100");
        }
        let (seen, over, served) = (Seen::default(), AtomicBool::new(false), AtomicU64::new(0));
        let chances = [chance.fork(), chance.fork(), chance.fork()];
        let address = worker.address.clone();
        let (logged, expected, status) = std::thread::scope(|scope| {
            let _over = Over(&over);
            for mut chance in chances {
                let (seen, over, served, address) = (&seen, &over, &served, &address);
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        let kind = chance.of(&EVERY_KIND);
                        match visit(address, kind, 2 << 20, &mut chance) {
                            Some(bytes) => {
                                served.fetch_add(u64::from(!bytes.is_empty()), Ordering::Relaxed);
                                seen.check(&bytes);
                            }
                            None => std::thread::sleep(Duration::from_millis(1)),
                        }
                    }
                });
            }
            std::thread::sleep(chance.millis(60));
            let logged = if file.is_some() {
                let logged = worker.counters();
                worker.command("message the last words");
                logged
            } else {
                Vec::new()
            };
            let expected = self.way.begin(&mut worker);
            (logged, expected, worker.process.wait())
        });
        let stderr = worker.process.stderr();
        assert_eq!(ending(status), expected, "{self:?}: {stderr}");
        let thrown = self.way == Way::Throw && stderr.contains("thrown as told");
        assert!(thrown || stderr.is_empty(), "{self:?}: {stderr}");
        if let (Address::Unix(path), true) = (&address, self.way.in_order()) {
            assert!(!path.exists(), "{self:?}: the socket file is left");
        }
        if let Some((_dir, file)) = &file {
            self.check_file(file, &logged);
        }
        served.into_inner()
    }

    /// `logged`: how many messages of each logger there were when the end was near.
    fn check_file(&self, file: &std::path::Path, logged: &[u64]) {
        let recovered = recovered(file);
        let (stream, said) = (Stream::complete(&recovered.log), &recovered.said);
        for (logger, count) in (0..2).zip(logged) {
            let numbers = stream.numbers(logger);
            let whole = numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]);
            // A copy that took the system a whole lap may have been in the way of others.
            let gaps = self.loaded && said.contains("not recorded");
            assert!(whole || gaps, "{self:?}: logger {logger} has gaps: {said}");
            // Without a processor it may have been a whole lap of the others behind.
            let passed = self.loaded && numbers.is_empty() && !said.contains("; 0 overwritten");
            if self.way.flushes() && !passed {
                let end = numbers.last().map_or(0, |last| last + 1);
                let all = end == *count || self.loaded && end > *count;
                assert!(all, "{self:?}: {end} of {count}, logger {logger}: {said}");
            }
        }
        let is_some = (0..2).any(|logger| !stream.numbers(logger).is_empty());
        assert!(
            logged.is_empty() || !self.way.flushes() || is_some,
            "{self:?}: {said}"
        );
        if self.way.flushes() && !self.loaded {
            assert_eq!(stream.numbers(0).first(), Some(&0), "{self:?}: {said}");
            assert!(stream.has_message("the last words"), "{self:?}: {said}");
        }
    }
}

#[test]
fn exits_of_every_kind_while_clients_come() {
    let ghc = need!(ghc());
    let _alone = alone();
    let first = first_seed();
    let (mut served, mut with_clients) = (0, 0);
    for seed in first..first + rounds(24) {
        let _seeded = Seeded {
            seed,
            what: "an exit".into(),
        };
        let mut chance = Chance::new(seed);
        let clients = Round::of(seed, &mut chance).run(ghc, &mut chance);
        served += clients;
        with_clients += u64::from(clients > 0);
    }
    println!("{served} clients in {with_clients} rounds");
    // The others ended before one came, or met only those that read nothing.
    assert!(with_clients >= rounds(24) / 4, "{with_clients} had clients");
}

/// A service that handles SIGTERM ends as it says: the log is whole.
#[test]
fn a_service_that_is_terminated() {
    let ghc = need!(ghc());
    let _alone = alone();
    for transport in [Transport::Unix, Transport::Tcp] {
        let mut worker = service(transport).spawn(ghc);
        worker.ready();
        let collector = Collector::connect(&worker.address);
        collector.wait_for_text("c1 0000001000");
        worker.process.signal(libc::SIGTERM);
        let status = worker.process.wait();
        assert_eq!(ending(status), "status 15", "{}", worker.process.stderr());
        assert_eq!(worker.process.stderr(), "");
        Stream::complete(&collector.finish());
        if let Address::Unix(path) = &worker.address {
            assert!(!path.exists(), "the socket file is left");
        }
    }
}

/// A client that has seen the header, and takes nothing more of what it is sent.
fn stalled_client(worker: &Worker) -> Client {
    let mut client = worker.client();
    client.read_until_text("datb");
    client
}

/// The rest of the log does not fit, and the policy is to wait for a client that does
/// not read: the exit waits no longer than it may. One of the times is longer than the
/// allowance, so that to have it twice would show, and longer than the usual one.
#[test]
fn an_exit_that_would_have_to_wait() {
    let ghc = need!(ghc());
    let _alone = alone();
    for (main, timeout) in [
        (Main::Wrap, Duration::from_millis(700)),
        (Main::Steps, Duration::from_millis(6000)),
        (Main::Haskell, Duration::from_millis(700)),
    ] {
        let given = format!("{}ms", timeout.as_millis());
        within(timeout + ALLOWANCE, &format!("{main:?}, {given}"), || {
            exit_of_one_that_waits(ghc, main, timeout)
        });
    }
}

/// How long its exit takes.
#[track_caller]
fn exit_of_one_that_waits(ghc: &Ghc, main: Main, timeout: Duration) -> Duration {
    let given = format!("{}ms", timeout.as_millis());
    let mut worker = Setup::of(Build::new(main), Transport::Unix)
        .rts("-N2")
        .env("GHC_EVENTLOG_BUFFER_SIZE", "2M")
        .env("GHC_EVENTLOG_SNDBUF", "128K")
        .env("GHC_EVENTLOG_OVERFLOW", "block")
        .env("GHC_EVENTLOG_EXIT_TIMEOUT", &given)
        .spawn(ghc);
    worker.ready();
    let mut client = stalled_client(&worker);
    // A flush in the middle of the logging would fill the ring before the exit.
    eventually(LIMIT, "the flush for the client", || {
        worker.stats().get("flushes") > 0
    });
    // Almost a buffer of the RTS for each capability, and room for one.
    worker.command("log 2 17000 100");
    let begun = Instant::now();
    let status = worker.finish();
    let took = begun.elapsed();
    assert_eq!(ending(status), "status 0", "{main:?}");
    assert!(took >= timeout.mul_f64(0.9), "{main:?}, {given}: {took:?}");
    assert_eq!(worker.process.stderr(), "", "{main:?}");
    assert!(
        !worker.socket_path().exists(),
        "{main:?}: the socket file is left"
    );
    let stats = worker.last_stats();
    assert!(
        stats.get("chunks_lost") > 0,
        "{main:?}: it all fitted: {stats:?}"
    );
    client.read_until_quiet(LIMIT);
    Stream::cut(&client.leave());
    took
}

/// The whole program waits for a client that does not read. exit(), called by a command
/// of that client, ends it, in the time that it is given.
#[test]
fn exit_of_a_program_that_is_held_up() {
    let ghc = need!(ghc());
    let _alone = alone();
    let timeout = Duration::from_millis(500);
    for main in [Main::Wrap, Main::Haskell] {
        within(timeout + ALLOWANCE, &format!("{main:?}"), || {
            exit_of_one_that_is_held_up(ghc, main)
        });
    }
}

/// How long its exit takes.
#[track_caller]
fn exit_of_one_that_is_held_up(ghc: &Ghc, main: Main) -> Duration {
    let mut worker = Setup::of(Build::new(main), Transport::Unix)
        .rts("-N2")
        .env("GHC_EVENTLOG_BUFFER_SIZE", "4M")
        .env("GHC_EVENTLOG_OVERFLOW", "block")
        .env("GHC_EVENTLOG_EXIT_TIMEOUT", "500ms")
        .spawn(ghc);
    worker.ready();
    worker.handle("app", &[(1, "exit 5")]);
    let mut client = stalled_client(&worker);
    worker.begin("load 2 100");
    // When nothing more comes, the socket is full; the ring soon after.
    let mut before = 0;
    eventually(LIMIT, "the client is sent all that it can hold", || {
        std::thread::sleep(Duration::from_millis(500));
        let pending = client.pending();
        std::mem::replace(&mut before, pending) == pending && pending > 0
    });
    let begun = Instant::now();
    client.send(&frame(b"app", 1));
    let status = worker.process.wait();
    let took = begun.elapsed();
    assert_eq!(
        ending(status),
        "status 5",
        "{main:?}: {}",
        worker.process.stderr()
    );
    assert!(
        !worker.socket_path().exists(),
        "{main:?}: the socket file is left"
    );
    client.read_until_quiet(LIMIT);
    Stream::cut(&client.leave());
    took
}
