//! Clients come and go. Each gets a stream of its own, from a header on.

use crate::support;

use std::time::{Duration, Instant};
use support::ghc::ghc;
use support::skip::need;
use support::stream::Stream as Walked;
use support::waiting::within;
use support::worker::Setup;
use support::{
    Build, Client, Collector, LIMIT, Main, Start, Stream, Transport, Worker, alone, eventually,
};

/// Connect, read something between little and much, leave. The capture is
/// valid, and goes on where no earlier one was.
fn come_and_go(worker: &Worker, round: usize, loggers: u16, last: &mut [Option<u64>]) {
    let mut client = worker.client();
    client.read_bytes(1 + (round * 7919) % 400_000);
    let bytes = client.leave();
    let stream = Stream::cut(&bytes);
    for logger in 0..loggers {
        let numbers = stream.numbers(logger);
        let ordered = numbers.windows(2).all(|pair| pair[0] < pair[1]);
        assert!(
            ordered,
            "round {round}: messages of logger {logger} out of order"
        );
        let last = &mut last[usize::from(logger)];
        if let (Some(first), Some(before)) = (numbers.first(), *last) {
            assert!(
                *first > before,
                "round {round}: message {first} after {before}"
            );
        }
        *last = numbers.last().copied().or(*last);
    }
}

fn hundred_reconnects(start: Start, transport: Transport) {
    let ghc = need!(ghc());
    let _alone = alone();
    let mut worker = Setup::new(start, transport)
        .without_flushes()
        .rts("-N2")
        .spawn(ghc);
    worker.ready();
    worker.command("load 2 100");
    let mut last = [None; 2];
    come_and_go(&worker, 0, 2, &mut last);
    eventually(LIMIT, "the leaving is noticed", || {
        worker.stats().get("connected") == 0
    });
    let before = worker.process.descriptors();
    for round in 1..=100 {
        come_and_go(&worker, round, 2, &mut last);
    }
    eventually(LIMIT, "the leaving is noticed", || {
        worker.stats().get("connected") == 0
    });
    worker.process.until_descriptors(&before);
    worker.command("unload");
    assert_eq!(worker.stats().get("connections"), 101);
    let status = worker.finish();
    assert!(status.success(), "{status}");
    assert_eq!(worker.process.stderr(), "");
}

#[test]
fn hundred_reconnects_c_main_unix() {
    hundred_reconnects(Start::CMain, Transport::Unix);
}

#[test]
fn hundred_reconnects_c_main_tcp() {
    hundred_reconnects(Start::CMain, Transport::Tcp);
}

#[test]
fn hundred_reconnects_haskell_unix() {
    hundred_reconnects(Start::Haskell, Transport::Unix);
}

/// Without -threaded the RTS has no locks: nothing of ours may touch it.
#[test]
fn reconnects_to_non_threaded_programs() {
    let ghc = need!(ghc());
    let _alone = alone();
    for main in [Main::Wrap, Main::Haskell] {
        let build = Build::new(main).non_threaded();
        let mut worker = Setup::of(build, Transport::Unix)
            .without_flushes()
            .spawn(ghc);
        worker.ready();
        worker.command("load 1 100");
        let mut last = [None; 1];
        for round in 0..60 {
            come_and_go(&worker, round, 1, &mut last);
        }
        worker.command("unload");
        let collector = Collector::connect(&worker.address);
        collector.wait_for_text("datb");
        let status = worker.finish();
        assert!(status.success(), "{main:?}: {status}");
        assert_eq!(worker.process.stderr(), "");
        Stream::complete(&collector.finish());
    }
}

/// One at a time: a second client waits, and is served the moment the first
/// one leaves.
fn second_client_waits(transport: Transport) {
    let ghc = need!(ghc());
    within(Duration::from_secs(2), "the second is served", || {
        let mut worker = Setup::new(Start::CMain, transport)
            .without_flushes()
            .spawn(ghc);
        worker.ready();
        let mut first = worker.client();
        first.read_until_text("datb");
        let mut second = worker.client();
        let nothing = second.read_some(Duration::from_millis(500));
        assert!(nothing.is_err(), "{nothing:?}");
        worker.command("message for the first");
        let left = Instant::now();
        drop(first);
        second.read_until_text("datb");
        let served = left.elapsed();
        let collector = Collector::resume(second);
        worker.command("message for the second");
        assert!(worker.finish().success());
        let bytes = collector.finish();
        assert!(Stream::complete(&bytes).has_message("for the second"));
        served
    });
}

#[test]
fn second_client_waits_unix() {
    second_client_waits(Transport::Unix);
}

#[test]
fn second_client_waits_tcp() {
    second_client_waits(Transport::Tcp);
}

/// A quiet program writes nothing that would fail. The end of a client that has
/// read everything is noticed all the same.
#[test]
fn leaving_a_quiet_program_is_noticed() {
    let ghc = need!(ghc());
    for transport in [Transport::Unix, Transport::Tcp] {
        let mut worker = Setup::new(Start::CMain, transport)
            .without_flushes()
            .spawn(ghc);
        worker.ready();
        for round in 0..5 {
            let what = format!("{transport:?} {round}: the next one is served");
            within(Duration::from_secs(3), &what, || {
                let mut client = worker.client();
                client.read_until_text("datb");
                client.read_until_quiet(Duration::from_millis(100));
                drop(client);
                let left = Instant::now();
                let mut next = worker.client();
                next.read_until_text("datb");
                left.elapsed()
            });
        }
        assert!(worker.finish().success());
    }
}

/// A client that says it will send nothing more still listens.
fn half_closed_clients_are_served(transport: Transport) {
    let ghc = need!(ghc());
    let mut worker = Setup::new(Start::CMain, transport)
        .without_flushes()
        .rts("-N2")
        .spawn(ghc);
    worker.ready();
    let mut client = worker.client();
    client.read_until_text("datb");
    client.half_close();
    let collector = Collector::resume(client);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(worker.stats().get("connected"), 1);
    worker.command("log 2 30000 100");
    worker.command("sleep 200");
    let before = worker.process.processor_time();
    worker.command("sleep 1000");
    let used = worker.process.processor_time() - before;
    assert!(
        used < Duration::from_millis(300),
        "{used:?} of work in a second of rest"
    );
    assert!(worker.finish().success());
    let bytes = collector.finish();
    let stream = Stream::complete(&bytes);
    for logger in 0..2 {
        let numbers = stream.numbers(logger);
        assert!(
            numbers == (0..30000).collect::<Vec<_>>(),
            "messages of logger {logger}"
        );
    }
}

#[test]
fn half_closed_unix_clients_are_served() {
    half_closed_clients_are_served(Transport::Unix);
}

#[test]
fn half_closed_tcp_clients_are_served() {
    half_closed_clients_are_served(Transport::Tcp);
}

/// What waited for a client that has left is nobody's: the next one gets no
/// more of it than the RTS itself still has in its buffers (2 MiB).
#[test]
fn nothing_of_an_old_connection_reaches_a_new_one() {
    let ghc = need!(ghc());
    for start in [Start::CMain, Start::Haskell] {
        let mut worker = Setup::new(start, Transport::Unix)
            .without_flushes()
            .spawn(ghc);
        worker.ready();
        let mut stalled: Client = worker.client();
        stalled.read_until_text("datb");
        worker.command("log 1 120000 100"); // 13 MB wait in the ring
        let logged = worker.counters()[0];
        drop(stalled);

        let collector = Collector::connect(&worker.address);
        collector.wait_for_text("datb");
        worker.command("message new");
        assert!(worker.finish().success());
        let bytes = collector.finish();
        let stream = Walked::complete(&bytes);
        assert!(stream.has_message("new"));
        if let Some(first) = stream.numbers(0).first() {
            let of_old = (logged - first) * 112;
            assert!(
                of_old <= 2 << 20,
                "{start:?}: {of_old} bytes of the old connection"
            );
        }
        let stats = worker.last_stats();
        assert!(stats.get("chunks_discarded") > 0, "{stats:?}");
        assert_eq!(
            stream.lost_chunks(),
            0,
            "discarded is not lost: {:?}",
            stream.losses
        );
    }
}
