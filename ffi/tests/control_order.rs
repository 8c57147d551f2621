//! When commands are run: in the order of their arrival, once the program is ready,
//! and whatever has become of the client since.

use crate::support;

use std::time::Duration;
use support::commands::{frame, older, outcomes};
use support::ghc::ghc;
use support::skip::need;
use support::worker::Setup;
use support::{
    Address, Build, Client, Collector, Commanded, Driver, LIMIT, Main, Start, Stream, Transport,
    eventually,
};

/// Numbers that look like chance, the same in every run.
fn scattered(round: u64, below: u64) -> u64 {
    let mixed = (round + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 33) % below
}

#[test]
fn commands_run_in_the_order_of_their_arrival() {
    let mut driver = Driver::logging(&[]);
    for name in ["a", "bb", "ccc"] {
        driver.handle(name, &[(1, ""), (7, ""), (255, "")]);
    }
    let mut client = driver.served_client();
    let mut expected = Vec::new();
    for round in 0..2000 {
        let name = ["a", "bb", "ccc"][scattered(round, 3) as usize];
        let number = [1, 7, 255][scattered(round + 5000, 3) as usize];
        client.send(&frame(name.as_bytes(), number));
        expected.push(format!("{name} {number}"));
    }
    driver.until_settled(2000);
    assert_eq!(driver.notes(), expected);
}

/// What comes before the program says that its RTS is ready waits for that.
#[test]
fn commands_that_come_before_ready_run_after_it() {
    let mut driver = Driver::listening(&[]);
    driver.handle("app", &[(1, ""), (2, "")]);
    driver.control_ok("hook post note begun");
    let mut client = driver.client();
    client.send(&[frame(b"app", 1), frame(b"app", 2)].concat());
    eventually(LIMIT, "the commands are received", || {
        driver.stats().get("commands_received") == 2
    });
    driver.quietly("log");
    assert_eq!(outcomes(&driver.stats()), [0; 5]);
    assert_eq!(driver.command("ready"), ["ready: 0 0"]);
    driver.until_settled(2);
    assert_eq!(driver.notes(), ["begun", "app 1", "app 2"]);
}

/// The same with a C main that takes its time between hs_init and that.
#[test]
fn commands_before_ready_of_a_c_main() {
    let ghc = need!(ghc());
    for transport in [Transport::Unix, Transport::Tcp] {
        let setup = Setup::of(Build::new(Main::Steps), transport)
            .without_flushes()
            .env("MAIN_PAUSE", "1")
            .env("GHC_EVENTLOG_CONTROL", "on")
            .env(
                "WORKER_CONTROL",
                "namespace app\ncommand app 1 log handled %\nhook post note begun",
            );
        let mut worker = setup.spawn(ghc);
        worker.process.lines_until("not ready yet");
        let mut client = worker.client();
        for _ in 0..3 {
            client.send(&frame(b"app", 1));
        }
        client.read_until_quiet(Duration::from_millis(200));
        assert_eq!(client.received.len(), 0, "a stream before its time");
        worker.process.write_line("go on");
        worker.ready();
        worker.until_settled(3);
        assert_eq!(worker.notes(), ["begun", "app 1", "app 1", "app 1"]);
        let collector = Collector::resume(client);
        assert!(worker.finish().success(), "{}", worker.process.stderr());
        let bytes = collector.finish();
        let stream = Stream::complete(&bytes);
        for n in 1..=3 {
            assert!(stream.has_message(&format!("handled {n}")), "{transport:?}");
        }
    }
}

/// Send and close, at once or when the stream has begun, with a log that is quiet or
/// not: the command is run. Older clients do it so.
#[test]
fn commands_of_clients_that_close_at_once_are_run() {
    let ghc = need!(ghc());
    for transport in [Transport::Unix, Transport::Tcp] {
        let setup = Setup::new(Start::CMain, transport)
            .without_flushes()
            .rts("-N2");
        let mut worker = setup.env("GHC_EVENTLOG_CONTROL", "on").spawn(ghc);
        worker.ready();
        worker.handle("app", &[(1, "")]);
        let mut sent = 0;
        for busy in [false, true] {
            if busy {
                worker.command("load 1 100");
            }
            for begun in [false, true] {
                for _ in 0..25 {
                    let mut client = worker.client();
                    if begun {
                        client.read_until_text("datb");
                    }
                    client.send(&frame(b"app", 1));
                    drop(client);
                    sent += 1;
                }
                let what = format!("{transport:?}, busy {busy}, begun {begun}");
                eventually(LIMIT, &format!("{what}: all have come and gone"), || {
                    let stats = worker.stats();
                    stats.get("connections") == sent && stats.get("connected") == 0
                });
                let stats = worker.stats();
                assert_eq!(stats.get("commands_received"), sent, "{what}");
            }
        }
        worker.command("unload");
        let stats = worker.until_settled(sent);
        assert_eq!(outcomes(&stats), [sent, 0, 0, 0, 0], "{transport:?}");
        assert!(worker.finish().success());
    }
}

/// The client need not be there any more when its command has its turn.
#[test]
fn commands_outlive_their_client() {
    let mut driver = Driver::logging(&[]);
    driver.handle("app", &[(1, "hold"), (2, "")]);
    let mut client = driver.served_client();
    client.send(&[frame(b"app", 1), frame(b"app", 2), frame(b"app", 2)].concat());
    eventually(LIMIT, "the commands are received", || {
        driver.stats().get("commands_received") == 3
    });
    drop(client);
    driver.until_alone();
    assert_eq!(driver.until_noted(1), ["app 1"]);
    driver.control("release");
    driver.until_settled(3);
    assert_eq!(driver.notes(), ["app 1", "app 2", "app 2"]);
}

/// "I shall send nothing more" says nothing about listening.
#[test]
fn half_closed_clients_get_what_their_commands_do() {
    let ghc = need!(ghc());
    for transport in [Transport::Unix, Transport::Tcp] {
        let setup = Setup::new(Start::CMain, transport)
            .rts("-N2")
            .env("GHC_EVENTLOG_CONTROL", "on")
            .env("GHC_EVENTLOG_FLUSH_INTERVAL", "50ms");
        let mut worker = setup.spawn(ghc);
        worker.ready();
        worker.handle("app", &[(1, "log handled")]);
        let mut client: Client = worker.client();
        client.send(&[frame(b"app", 1), older(3)].concat());
        client.half_close();
        client.read_until_text("handled");
        worker.until_settled(2);
        worker.command("message and then");
        client.read_until_text("and then");
        assert_eq!(worker.stats().get("connected"), 1);
        let collector = Collector::resume(client);
        assert!(worker.finish().success());
        Stream::complete(&collector.finish());
    }
}

/// A second client's commands wait until it is its turn.
#[test]
fn commands_of_a_waiting_client_wait_with_it() {
    let mut driver = Driver::logging(&[]);
    driver.handle("app", &[(1, ""), (2, "")]);
    let mut first = driver.served_client();
    let mut second = Client::connect(&Address::Unix(driver.socket_path()));
    second.send(&frame(b"app", 2));
    first.send(&frame(b"app", 1));
    driver.until_settled(1);
    drop(first);
    driver.until_settled(2);
    assert_eq!(driver.notes(), ["app 1", "app 2"]);
}
