//! A reader that is too slow costs memory up to a limit, never more; what is
//! lost is told in the stream, to the byte.

use crate::support;

use std::time::{Duration, Instant};
use support::ghc::{Ghc, ghc};
use support::skip::need;
use support::worker::Setup;
use support::{
    Collector, LIMIT, Pace, Start, Stats, Stream, Transport, Worker, alone, eventually,
    in_some_attempt, within,
};

const RING: u64 = 16 << 20;
/// Message events of the load: 100 bytes, and number, time and length.
const MESSAGE: u64 = 112;

/// `EVENTLOG_TEST_STALL_SECONDS`, for a longer or a shorter test.
fn stall() -> Duration {
    let seconds = std::env::var("EVENTLOG_TEST_STALL_SECONDS");
    Duration::from_secs(
        seconds
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(30),
    )
}

/// The most memory that a worker has in a while.
fn most_memory(worker: &Worker, time: Duration) -> u64 {
    let begun = Instant::now();
    let (mut most, mut looks) = (0, 0);
    while begun.elapsed() < time || looks < 50 {
        looks += 1;
        most = most.max(worker.process.resident());
        std::thread::sleep(Duration::from_millis(20));
    }
    most
}

/// The memory of the same load, with the RTS's own writer.
fn memory_without_us(ghc: &Ghc) -> u64 {
    let setup = Setup::new(Start::Haskell, Transport::Unix)
        .rts("-N2")
        .rts("-ol/dev/null");
    let mut worker = setup.start_with("gc").spawn(ghc);
    worker.ready();
    worker.command("load 2 100");
    let most = most_memory(&worker, Duration::from_secs(3));
    worker.command("unload");
    assert!(worker.finish().success());
    most
}

/// The stream tells what the counters count, and both explain what is missing.
fn check_accounts(stream: &Stream<'_>, logged: &[u64], stats: &Stats) {
    assert_eq!(
        stream.lost_chunks(),
        stats.get("chunks_lost"),
        "chunks: {stats:?}"
    );
    assert_eq!(
        stream.lost_bytes(),
        stats.get("bytes_lost"),
        "bytes: {stats:?}"
    );
    let mut missing = 0;
    for (logger, count) in (0..).zip(logged) {
        let numbers = stream.numbers(logger);
        let ordered = numbers.windows(2).all(|pair| pair[0] < pair[1]);
        assert!(ordered, "messages of logger {logger} out of order");
        missing += count - numbers.len() as u64;
    }
    let explained = missing * MESSAGE;
    let lost = stream.lost_bytes();
    // Lost chunks hold scheduler and GC events as well.
    assert!(
        explained <= lost && lost <= explained + explained / 4 + (4 << 20),
        "{missing} messages ({explained} bytes) are missing, {lost} bytes are told"
    );
}

#[test]
fn a_stalled_reader_costs_a_ring_and_no_more() {
    let ghc = need!(ghc());
    let _alone = alone();
    let usual = memory_without_us(ghc);

    let mut worker = Setup::new(Start::CMain, Transport::Unix)
        .rts("-N2")
        .env("GHC_EVENTLOG_BUFFER_SIZE", "16M")
        .spawn(ghc);
    worker.ready();
    let mut client = worker.client();
    client.read_until_text("datb");
    worker.command("load 2 100");
    let most = most_memory(&worker, stall());
    let bound = usual + RING + (8 << 20);
    assert!(most <= bound, "{most} bytes; without a reader {usual}");

    // The program has not been held up: it still logs at full speed.
    in_some_attempt("messages in a second", || {
        let before: u64 = worker.counters().iter().sum();
        worker.command("sleep 1000");
        let after: u64 = worker.counters().iter().sum();
        match after - before {
            count @ 0..=10_000 => Err(format!("{count}")),
            _ => Ok(()),
        }
    });
    eventually(LIMIT, "some chunks are lost", || {
        worker.stats().get("chunks_lost") > 0
    });

    let collector = Collector::resume(client);
    worker.command("sleep 1000");
    worker.command("unload");
    let logged = worker.counters();
    worker.command("message afterwards");
    let status = worker.finish();
    assert!(status.success(), "{status}");
    assert_eq!(worker.process.stderr(), "");

    let bytes = collector.finish();
    let stream = Stream::complete(&bytes);
    assert!(stream.has_message("afterwards"));
    let stats = worker.last_stats();
    assert!(stats.get("chunks_lost") > 0, "{stats:?}");
    assert!(stats.get("ring_high_water") <= RING, "{stats:?}");
    check_accounts(&stream, &logged[..2], &stats);
    // Each loss has its place in time: they follow one another.
    let ordered = stream
        .losses
        .windows(2)
        .all(|pair| pair[0].until <= pair[1].until);
    assert!(ordered, "{:?}", stream.losses);
}

/// The loss is in the stream where it happened, not at the end.
#[test]
fn losses_are_told_in_their_place() {
    let ghc = need!(ghc());
    let _alone = alone();
    let setup = Setup::new(Start::Haskell, Transport::Unix);
    let mut worker = setup.env("GHC_EVENTLOG_BUFFER_SIZE", "4M").spawn(ghc);
    worker.ready();
    let mut client = worker.client();
    client.read_until_text("datb");
    worker.command("log 1 150000 100"); // 17 MB
    let logged = worker.counters();
    let collector = Collector::resume(client);
    // The ring runs empty; then the log goes on.
    worker.command("sleep 500");
    worker.command("log 1 30000 100");
    assert!(worker.finish().success());
    let bytes = collector.finish();
    let stream = Stream::complete(&bytes);
    let stats = worker.last_stats();
    check_accounts(&stream, &[logged[0] + 30000], &stats);

    // Between the last message before the gap and the first one after it.
    let numbers = stream.numbers(0);
    let gap = numbers.windows(2).position(|pair| pair[1] > pair[0] + 1);
    let gap = gap.expect("a gap");
    let message = |at: usize| {
        let mut all = stream
            .messages
            .iter()
            .filter(|event| event.payload.starts_with(b"c0 "));
        all.nth(at).expect("a message").time as f64 / 1e9
    };
    let (before, after) = (message(gap), message(gap + 1));
    let loss = stream.losses[0];
    assert!(
        before - 0.5 <= loss.since && loss.until <= after + 0.5,
        "gap from {before} s to {after} s, told as {loss:?}"
    );
    let offset = |text: &[u8]| bytes.windows(text.len()).position(|window| window == text);
    let told = offset(b"eventlog-socket: lost ").expect("told");
    let next = format!("c0 {:010}", numbers[gap + 1]);
    let last = format!("c0 {:010}", numbers[gap]);
    assert!(
        offset(last.as_bytes()) < Some(told),
        "told before the last message"
    );
    assert!(
        Some(told) < offset(next.as_bytes()),
        "told after the next message"
    );
}

/// `block`: the program waits for its reader, and nothing is lost.
#[test]
fn blocking_loses_nothing() {
    let ghc = need!(ghc());
    let _alone = alone();
    let setup = Setup::new(Start::CMain, Transport::Unix)
        .rts("-N2")
        .env("GHC_EVENTLOG_BUFFER_SIZE", "4M")
        .env("GHC_EVENTLOG_OVERFLOW", "block")
        .env("GHC_EVENTLOG_EXIT_TIMEOUT", "20s");
    let mut worker = setup.spawn(ghc);
    let collector = Collector::start(worker.client(), Pace::BytesPerSecond(10_000_000));
    worker.ready();
    collector.wait_for_text("datb");
    let begun = Instant::now();
    worker.command("log 2 150000 100"); // 33 MB
    let took = begun.elapsed();
    assert!(
        took > Duration::from_millis(1500),
        "it did not wait: {took:?}"
    );
    assert!(worker.finish().success());
    let bytes = collector.finish();
    let stream = Stream::complete(&bytes);
    assert!(stream.losses.is_empty(), "{:?}", stream.losses);
    for logger in 0..2 {
        let numbers = stream.numbers(logger);
        assert!(
            numbers == (0..150_000).collect::<Vec<_>>(),
            "messages of logger {logger}"
        );
    }
    assert_eq!(worker.last_stats().get("chunks_lost"), 0);
}

/// `block` waits for a client, not for nobody: neither without one nor when it
/// leaves while the program waits for it.
#[test]
fn blocking_ends_when_the_client_leaves() {
    let ghc = need!(ghc());
    let _alone = alone();
    for start in [Start::CMain, Start::Haskell] {
        let setup = Setup::new(start, Transport::Unix)
            .env("GHC_EVENTLOG_BUFFER_SIZE", "4M")
            .env("GHC_EVENTLOG_OVERFLOW", "block");
        let mut worker = setup.spawn(ghc);
        worker.ready();
        worker.command("log 1 150000 100");
        let mut client = worker.client();
        client.read_until_text("datb");
        worker.begin("log 1 150000 100");
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(
            worker.process.line_now(),
            None,
            "{start:?}: it did not block"
        );
        drop(client);
        worker.end();
        let collector = Collector::connect(&worker.address);
        collector.wait_for_text("datb");
        assert!(worker.finish().success());
        Stream::complete(&collector.finish());
    }
}

/// `block:50ms`: each chunk waits, then the program goes on.
#[test]
fn blocking_for_a_while() {
    let ghc = need!(ghc());
    let _alone = alone();
    // It does not wait for too long.
    within(Duration::from_secs(10), "the wait", || {
        block_for_a_while(ghc)
    });
}

/// How long it waits.
#[track_caller]
fn block_for_a_while(ghc: &Ghc) -> Duration {
    let setup = Setup::new(Start::CMain, Transport::Unix)
        .rts("-N2")
        .env("GHC_EVENTLOG_BUFFER_SIZE", "4M")
        .env("GHC_EVENTLOG_OVERFLOW", "block:50ms");
    let mut worker = setup.spawn(ghc);
    worker.ready();
    let mut client = worker.client();
    client.read_until_text("datb");
    let begun = Instant::now();
    worker.command("log 2 100000 100"); // about 11 chunks, two at a time
    let took = begun.elapsed();
    assert!(
        took > Duration::from_millis(120),
        "it did not wait: {took:?}"
    );
    let logged = worker.counters();
    let collector = Collector::resume(client);
    worker.command("message on we go");
    assert!(worker.finish().success());
    let bytes = collector.finish();
    let stream = Stream::complete(&bytes);
    assert!(stream.has_message("on we go"));
    assert!(stream.lost_chunks() > 0);
    check_accounts(&stream, &logged[..2], &worker.last_stats());
    took
}

#[test]
fn sizes_of_the_ring() {
    let ghc = need!(ghc());
    for (given, size) in [
        ("64K", 64 << 10),
        ("65536", 64 << 10),
        ("100000", 128 << 10),
        ("1M", 1 << 20),
        ("33M", 64 << 20),
        ("1G", 1 << 30),
    ] {
        let setup = Setup::new(Start::CMain, Transport::Unix);
        let mut worker = setup.env("GHC_EVENTLOG_BUFFER_SIZE", given).spawn(ghc);
        worker.ready();
        assert_eq!(worker.stats().get("ring_size"), size, "{given}");
        // What is not used is not taken.
        let resident = worker.process.resident();
        assert!(resident < 100 << 20, "{given}: {resident} bytes resident");
        assert!(worker.finish().success());
    }
}

/// A ring that is smaller than the RTS's chunks loses them, whole and counted.
#[test]
fn a_ring_smaller_than_a_chunk() {
    let ghc = need!(ghc());
    for overflow in ["drop", "block"] {
        let setup = Setup::new(Start::CMain, Transport::Unix)
            .env("GHC_EVENTLOG_BUFFER_SIZE", "64K")
            .env("GHC_EVENTLOG_OVERFLOW", overflow);
        let mut worker = setup.spawn(ghc);
        worker.ready();
        let collector = Collector::connect(&worker.address);
        collector.wait_for_text("datb");
        worker.command("log 1 100000 100");
        worker.command("message small");
        let logged = worker.counters();
        assert!(worker.finish().success());
        let bytes = collector.finish();
        let stream = Stream::complete(&bytes);
        assert!(stream.lost_chunks() >= 5, "{overflow}: {:?}", stream.losses);
        check_accounts(&stream, &logged[..1], &worker.last_stats());
    }
}

/// The socket's buffer is as small as asked for.
#[test]
fn socket_buffer_size() {
    let ghc = need!(ghc());
    let pending = |size: Option<&str>| {
        let mut setup = Setup::new(Start::CMain, Transport::Unix);
        if let Some(size) = size {
            setup = setup.env("GHC_EVENTLOG_SNDBUF", size);
        }
        let mut worker = setup.spawn(ghc);
        worker.ready();
        let client = worker.client();
        worker.command("log 1 60000 100");
        // More than a socket holds has been handed over by then.
        eventually(LIMIT, "the socket is full", || {
            client.pending() > 0 && worker.process.rests("eventlog-poll")
        });
        let pending = client.pending();
        let collector = Collector::resume(client);
        assert!(worker.finish().success());
        Stream::complete(&collector.finish());
        pending
    };
    let usual = pending(None);
    let small = pending(Some("8K"));
    assert!(
        small * 3 < usual,
        "{small} bytes wait, {usual} without the option"
    );
}
