//! Nothing of the beginning is lost: a C main keeps everything for its first
//! client, and whoever waits for a client waits until its stream has begun.

use crate::support;

use std::time::Duration;
use support::ghc::ghc;
use support::skip::need;
use support::worker::Setup;
use support::{Collector, Expected, Start, Stream, Transport};

const CREATE_THREAD: u16 = 0;
const RUN_THREAD: u16 = 1;
const TASK_CREATE: u16 = 55;

fn late_first_client(transport: Transport) {
    let ghc = need!(ghc());
    let mut worker = Setup::new(Start::CMain, transport).rts("-N2").spawn(ghc);
    worker.ready();
    worker.command("marker the very first");
    worker.command("log 2 20000 100");
    worker.command("sleep 2000");
    let collector = Collector::connect(&worker.address);
    collector.wait_for_text("datb");
    let expected = Expected::of(&worker, ghc).capabilities(2);
    assert!(worker.finish().success());

    let bytes = collector.finish();
    let stream = Stream::complete(&bytes);
    expected.check(&stream, "a client that is 2 s late");
    assert!(stream.has_message("the very first"));
    assert!(stream.losses.is_empty());
    for logger in 0..2 {
        let numbers = stream.numbers(logger);
        assert!(
            numbers == (0..20000).collect::<Vec<_>>(),
            "messages of logger {logger}"
        );
    }
    for (event, what) in [
        (CREATE_THREAD, "creation of the main thread"),
        (RUN_THREAD, "first run of the main thread"),
        (TASK_CREATE, "creation of the main task"),
    ] {
        assert!(stream.count(event) > 0, "no {what}");
    }
    // What the RTS says once is there once: this is the log itself, no replay.
    for number in [29, 30, 32, 43, 52] {
        assert_eq!(stream.count(number), 1, "event {number}");
    }
}

#[test]
fn c_main_keeps_everything_for_a_late_unix_client() {
    late_first_client(Transport::Unix);
}

#[test]
fn c_main_keeps_everything_for_a_late_tcp_client() {
    late_first_client(Transport::Tcp);
}

/// More than the ring holds: the oldest is kept, the gap is told of.
#[test]
fn the_oldest_is_kept_for_the_first_client() {
    let ghc = need!(ghc());
    let setup = Setup::new(Start::CMain, Transport::Unix);
    let mut worker = setup.env("GHC_EVENTLOG_BUFFER_SIZE", "8M").spawn(ghc);
    worker.ready();
    worker.command("log 1 200000 100"); // 22 MB
    let collector = Collector::connect(&worker.address);
    collector.wait_for_text("eventlog-socket: lost ");
    worker.command("message now we are live");
    let expected = Expected::of(&worker, ghc);
    assert!(worker.finish().success());

    let bytes = collector.finish();
    let stream = Stream::complete(&bytes);
    expected.check(&stream, "the first client");
    let numbers = stream.numbers(0);
    let kept = numbers
        .iter()
        .zip(0..)
        .take_while(|(number, at)| **number == *at)
        .count();
    let kept_bytes = kept * 112;
    assert!(
        kept_bytes > 5 << 20,
        "only {kept_bytes} bytes of the oldest were kept"
    );
    assert!(stream.has_message("now we are live"));
    let stats = worker.last_stats();
    assert!(stream.lost_chunks() > 0);
    assert_eq!(stream.lost_chunks(), stats.get("chunks_lost"));
    assert_eq!(stream.lost_bytes(), stats.get("bytes_lost"));
}

/// Twenty times: what is logged right after the wait is in the stream.
fn nothing_is_lost_after_waiting(start: Start, transport: Transport) {
    let ghc = need!(ghc());
    for run in 0..20 {
        let setup = Setup::new(start, transport)
            .env("GHC_EVENTLOG_WAIT", "1")
            .command("marker right after the wait")
            .command("message and then");
        let mut worker = setup.spawn_as_is(ghc);
        let collector = Collector::connect(&worker.address);
        let status = worker.process.wait();
        assert!(
            status.success(),
            "run {run}: {status}: {}",
            worker.process.stderr()
        );
        let bytes = collector.finish();
        let stream = Stream::complete(&bytes);
        assert!(stream.has_message("right after the wait"), "run {run}");
        assert!(stream.has_message("and then"), "run {run}");
    }
}

#[test]
fn start_and_wait_unix() {
    nothing_is_lost_after_waiting(Start::Haskell, Transport::Unix);
}

#[test]
fn start_and_wait_tcp() {
    nothing_is_lost_after_waiting(Start::Haskell, Transport::Tcp);
}

#[test]
fn c_main_and_wait_unix() {
    nothing_is_lost_after_waiting(Start::CMain, Transport::Unix);
}

/// The program does not go on before there is a client.
#[test]
fn waiting_waits() {
    let ghc = need!(ghc());
    for start in [Start::CMain, Start::Haskell] {
        let setup = Setup::new(start, Transport::Unix);
        let mut worker = setup.env("GHC_EVENTLOG_WAIT", "").spawn(ghc);
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(worker.process.line_now(), None, "{start:?}");
        let collector = Collector::connect(&worker.address);
        worker.ready();
        assert!(worker.finish().success());
        Stream::complete(&collector.finish());
    }
}

/// `eventlog_socket_wait` on its own, later, and again when nobody is there.
#[test]
fn waiting_later() {
    let ghc = need!(ghc());
    let mut worker = Setup::new(Start::Haskell, Transport::Unix).spawn(ghc);
    worker.ready();
    for round in ["first", "second"] {
        worker.begin("wait");
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(worker.process.line_now(), None, "{round}");
        let mut client = worker.client();
        assert!(worker.end()[0].starts_with("wait: 0 0 "), "{round}");
        worker.command(&format!("message of the {round} round"));
        // With a client there is nothing to wait for.
        assert!(
            worker.command("wait")[0].starts_with("wait: 0 0 "),
            "{round}"
        );
        client.read_until_text("datb");
        drop(client);
        support::eventually(support::LIMIT, "the leaving is noticed", || {
            worker.stats().get("connected") == 0
        });
    }
    assert!(worker.finish().success());
}
