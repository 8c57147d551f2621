//! Exits in a storm: of every kind, while clients come, command and go, and while the
//! program is held up by one of them. Each ends as it would without us.

use crate::chance::{Chance, Seeded, first_seed, rounds};
use crate::storms::{Over, Seen, service};
use crate::support;

use std::sync::atomic::AtomicBool;
use std::time::Duration;
use support::commands::frame;
use support::ghc::{Ghc, ghc};
use support::process::ending;
use support::skip::need;
use support::worker::Setup;
use support::{
    Address, Build, Client, Collector, Commanded, LIMIT, Main, Stream, Transport, Worker, alone,
    eventually,
};

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
}

/// One that logs or does not, with three visitors, ends.
fn end_in_a_storm(ghc: &Ghc, chance: &mut Chance) {
    let main = chance.of(&[Main::Wrap, Main::Steps, Main::Haskell]);
    let transport = chance.of(&[Transport::Unix, Transport::Tcp]);
    let overflow = chance.of(&["drop", "block", "block:20ms"]);
    let interval = chance.of(&["0", "1ms", "10ms"]);
    let (way, loaded) = (chance.of(&WAYS), chance.once_in(2));
    let what = format!("{main:?}, {transport:?}, {overflow}, {interval}, {way:?}, load: {loaded}");
    println!("{what}");
    let mut worker = Setup::of(Build::new(main), transport)
        .rts("-N2")
        .env("GHC_EVENTLOG_OVERFLOW", overflow)
        .env("GHC_EVENTLOG_FLUSH_INTERVAL", interval)
        .env("GHC_EVENTLOG_CONTROL", "on")
        .spawn(ghc);
    worker.ready();
    if loaded {
        worker.command("load 2 100");
    } else {
        worker.command("log 2 3000 100");
    }
    let (seen, over) = (Seen::default(), AtomicBool::new(false));
    let chances = [chance.fork(), chance.fork(), chance.fork()];
    let address = worker.address.clone();
    let (expected, status) = std::thread::scope(|scope| {
        let _over = Over(&over);
        for chance in chances {
            scope.spawn(|| seen.visit_until(&over, &address, chance));
        }
        std::thread::sleep(chance.millis(60));
        let expected = way.begin(&mut worker);
        (expected, worker.process.wait())
    });
    let stderr = worker.process.stderr();
    assert_eq!(ending(status), expected, "{what}: {stderr}");
    let thrown = way == Way::Throw && stderr.contains("thrown as told");
    assert!(thrown || stderr.is_empty(), "{what}: {stderr}");
    if let (Address::Unix(path), true) = (&address, way.in_order()) {
        assert!(!path.exists(), "{what}: the socket file is left");
    }
}

#[test]
fn exits_of_every_kind_while_clients_come() {
    let ghc = need!(ghc());
    let _alone = alone();
    let first = first_seed();
    for seed in first..first + rounds(24) {
        let _seeded = Seeded {
            seed,
            what: "an exit".into(),
        };
        end_in_a_storm(ghc, &mut Chance::new(seed));
    }
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
/// not read: the exit waits no longer than it may.
#[test]
fn an_exit_that_would_have_to_wait() {
    let ghc = need!(ghc());
    let _alone = alone();
    for main in [Main::Wrap, Main::Steps, Main::Haskell] {
        let mut worker = Setup::of(Build::new(main), Transport::Unix)
            .rts("-N2")
            .env("GHC_EVENTLOG_BUFFER_SIZE", "2M")
            .env("GHC_EVENTLOG_SNDBUF", "128K")
            .env("GHC_EVENTLOG_OVERFLOW", "block")
            .env("GHC_EVENTLOG_EXIT_TIMEOUT", "700ms")
            .spawn(ghc);
        worker.ready();
        let mut client = stalled_client(&worker);
        // A flush in the middle of the logging would fill the ring before the exit.
        eventually(LIMIT, "the flush for the client", || {
            worker.stats().get("flushes") > 0
        });
        // Almost a buffer of the RTS for each capability, and room for one.
        worker.command("log 2 17000 100");
        let status = worker.finish();
        assert_eq!(ending(status), "status 0", "{main:?}");
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
    }
}

/// The whole program waits for a client that does not read. exit(), called by a command
/// of that client, ends it.
#[test]
fn exit_of_a_program_that_is_held_up() {
    let ghc = need!(ghc());
    let _alone = alone();
    for main in [Main::Wrap, Main::Haskell] {
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
        client.send(&frame(b"app", 1));
        let status = worker.process.wait();
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
    }
}
