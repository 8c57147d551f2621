//! The end of a program: the rest of the log arrives, the program ends as it
//! would without us, and it ends in time.

use crate::support;

use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::ghc::{Ghc, ghc};
use support::process::ending;
use support::skip::need;
use support::waiting::within;
use support::worker::{EVERY_WAY, Setup};
use support::{Client, Collector, LIMIT, Pace, Start, Stream, TempDir, Transport, Worker, alone};

/// Megabytes of log, an exit right after the last message: the client gets
/// everything, to the end mark.
fn tail(ghc: &Ghc, run: u32, start: Start, transport: Transport, pace: Pace) {
    const MESSAGES: u64 = 20_000;
    let setup = Setup::new(start, transport)
        .rts("-N2")
        .env("GHC_EVENTLOG_WAIT", "1")
        .command(&format!("log 2 {MESSAGES} 150")) // 6.5 MB
        .command("message the last words");
    let mut worker = setup.spawn_as_is(ghc);
    let collector = Collector::start(worker.client(), pace);
    let status = worker.process.wait();
    let whose = format!("run {run}, {start:?}, {transport:?}, {pace:?}");
    assert!(
        status.success(),
        "{whose}: {status}: {}",
        worker.process.stderr()
    );
    assert_eq!(worker.process.stderr(), "", "{whose}");

    let bytes = collector.finish();
    let stream = Stream::complete(&bytes);
    assert!(stream.losses.is_empty(), "{whose}: {:?}", stream.losses);
    assert!(stream.has_message("the last words"), "{whose}");
    for logger in 0..2 {
        let numbers = stream.numbers(logger);
        assert!(
            numbers == (0..MESSAGES).collect::<Vec<_>>(),
            "{whose}: logger {logger}"
        );
    }
}

/// Fifty runs: all four ways in turn.
fn fifty_tails(pace: Pace) {
    let ghc = need!(ghc());
    let _alone = alone();
    for run in 0..50 {
        let (start, transport) = EVERY_WAY[run as usize % 4];
        tail(ghc, run, start, transport, pace);
    }
}

#[test]
fn the_tail_reaches_a_fast_reader() {
    fifty_tails(Pace::Fast);
}

#[test]
fn the_tail_reaches_a_slow_reader() {
    fifty_tails(Pace::BytesPerSecond(20_000_000));
}

/// Ctrl-C: the tail arrives, the socket file goes, the program dies of SIGINT.
#[test]
fn interrupted_programs() {
    let ghc = need!(ghc());
    for (start, transport) in EVERY_WAY {
        let mut worker = Setup::new(start, transport).spawn(ghc);
        worker.ready();
        let collector = Collector::connect(&worker.address);
        collector.wait_for_text("datb");
        worker.command("log 1 30000 100");
        worker.command("message before the interrupt");
        worker.process.signal(libc::SIGINT);
        let status = worker.process.wait();
        assert_eq!(
            ending(status),
            "signal 2",
            "{start:?}: {}",
            worker.process.stderr()
        );
        let bytes = collector.finish();
        assert!(Stream::complete(&bytes).has_message("before the interrupt"));
        if transport == Transport::Unix {
            assert!(
                !worker.socket_path().exists(),
                "{start:?}: the socket file is left"
            );
        }
    }
}

/// Interrupted while it works, not while it waits.
#[test]
fn interrupted_under_load() {
    let ghc = need!(ghc());
    let _alone = alone();
    for run in 0..10 {
        let start = [Start::CMain, Start::Haskell][run % 2];
        let mut worker = Setup::new(start, Transport::Unix).rts("-N2").spawn(ghc);
        worker.ready();
        let collector = Collector::connect(&worker.address);
        collector.wait_for_text("datb");
        worker.command("load 2 100");
        worker.command("sleep 30");
        worker.process.signal(libc::SIGINT);
        let status = worker.process.wait();
        assert_eq!(
            ending(status),
            "signal 2",
            "{start:?}: {}",
            worker.process.stderr()
        );
        Stream::complete(&collector.finish());
        assert!(
            !worker.socket_path().exists(),
            "{start:?}: the socket file is left"
        );
    }
}

/// The status is the program's own, with and without a client.
#[test]
fn exit_statuses() {
    let ghc = need!(ghc());
    for start in [Start::CMain, Start::Haskell] {
        for (command, expected, words) in [
            ("exit 0", "status 0", ""),
            ("exit 3", "status 3", ""),
            ("throw", "status 1", "thrown as told"),
        ] {
            for listening in [true, false] {
                let mut worker = Setup::new(start, Transport::Unix).spawn(ghc);
                worker.ready();
                let collector = listening.then(|| Collector::connect(&worker.address));
                if let Some(collector) = &collector {
                    collector.wait_for_text("datb");
                }
                worker.begin("message the end is near");
                worker.begin(command);
                let status = worker.process.wait();
                let what = format!("{start:?}, {command}, client: {listening}");
                assert_eq!(ending(status), expected, "{what}");
                let stderr = worker.process.stderr();
                assert!(stderr.contains(words), "{what}: {stderr}");
                assert_eq!(words.is_empty(), stderr.is_empty(), "{what}: {stderr}");
                if let Some(collector) = collector {
                    let bytes = collector.finish();
                    assert!(
                        Stream::complete(&bytes).has_message("the end is near"),
                        "{what}"
                    );
                }
                assert!(
                    !worker.socket_path().exists(),
                    "{what}: the socket file is left"
                );
            }
        }
    }
}

/// `exit()` from C ends the process without the RTS. It must not hang or crash.
#[test]
fn exits_past_the_rts() {
    let ghc = need!(ghc());
    for start in [Start::CMain, Start::Haskell] {
        for listening in [true, false] {
            let mut worker = Setup::new(start, Transport::Unix).rts("-N2").spawn(ghc);
            worker.ready();
            let collector = listening.then(|| Collector::connect(&worker.address));
            if let Some(collector) = &collector {
                collector.wait_for_text("datb");
            }
            worker.command("load 1 100");
            worker.begin("c-exit 5");
            let status = worker.process.wait();
            assert_eq!(
                ending(status),
                "status 5",
                "{start:?}: {}",
                worker.process.stderr()
            );
            if let Some(collector) = collector {
                Stream::cut(&collector.leave());
            }
            assert!(
                !worker.socket_path().exists(),
                "{start:?}: the socket file is left"
            );
        }
    }
}

/// How long a program takes to end, with a client that has stalled.
fn end_with_stalled_client(ghc: &Ghc, start: Start, timeout: Option<&str>) -> Duration {
    let setup = Setup::new(start, Transport::Unix);
    let setup = match timeout {
        Some(timeout) => setup.env("GHC_EVENTLOG_EXIT_TIMEOUT", timeout),
        None => setup.unset_exit_timeout(),
    };
    let mut worker = setup.spawn(ghc);
    worker.ready();
    let mut client = worker.client();
    client.read_until_text("datb");
    worker.command("log 1 60000 100");
    let begun = Instant::now();
    let status = worker.finish();
    let took = begun.elapsed();
    assert!(status.success(), "{status}: {}", worker.process.stderr());
    assert_eq!(worker.process.stderr(), "");
    assert!(!worker.socket_path().exists(), "the socket file is left");
    // What did arrive is a valid beginning.
    client.read_until_quiet(Duration::from_millis(200));
    Stream::cut(&client.leave());
    took
}

#[test]
fn a_stalled_client_delays_the_exit_as_long_as_told() {
    let ghc = need!(ghc());
    let _alone = alone();
    let margin = Duration::from_millis(1500);
    for (start, timeout, expected) in [
        (Start::CMain, None, 2000),
        (Start::Haskell, None, 2000),
        (Start::CMain, Some("500ms"), 500),
        (Start::CMain, Some("4s"), 4000),
        (Start::Haskell, Some("0"), 0),
    ] {
        let expected = Duration::from_millis(expected);
        let what = format!("{start:?}, timeout {timeout:?}");
        within(expected + margin, &what, || {
            let took = end_with_stalled_client(ghc, start, timeout);
            assert!(took >= expected.mul_f64(0.9), "{what}: {took:?}");
            took
        });
    }
}

/// The deadline is for a client that takes nothing for too long altogether:
/// a slow one with a longer deadline gets it all.
#[test]
fn a_longer_exit_timeout_for_a_slow_client() {
    let ghc = need!(ghc());
    let _alone = alone();
    let setup = Setup::new(Start::CMain, Transport::Unix)
        .env("GHC_EVENTLOG_EXIT_TIMEOUT", "30s")
        .env("GHC_EVENTLOG_WAIT", "1")
        .command("log 1 60000 100")
        .command("message the last words");
    let mut worker = setup.spawn_as_is(ghc);
    let collector = Collector::start(worker.client(), Pace::BytesPerSecond(2_000_000));
    assert!(worker.process.wait().success());
    let bytes = collector.finish();
    let stream = Stream::complete(&bytes);
    assert!(stream.has_message("the last words"));
    assert_eq!(stream.numbers(0).len(), 60000);
}

/// Without a client there is nobody to wait for.
#[test]
fn no_client_no_delay() {
    let ghc = need!(ghc());
    let _alone = alone();
    for start in [Start::CMain, Start::Haskell] {
        within(Duration::from_secs(1), &format!("{start:?}"), || {
            let mut worker = Setup::new(start, Transport::Unix).spawn(ghc);
            worker.ready();
            worker.command("log 1 60000 100");
            let begun = Instant::now();
            assert!(worker.finish().success());
            let took = begun.elapsed();
            let is_left = worker.socket_path().exists();
            assert!(!is_left, "{start:?}: the socket file is left");
            took
        });
    }
}

/// A client that has taken everything is not waited for.
#[test]
fn a_fast_client_does_not_delay_the_exit() {
    let ghc = need!(ghc());
    let _alone = alone();
    within(Duration::from_secs(2), "the exit", || {
        let setup = Setup::new(Start::CMain, Transport::Tcp);
        let mut worker = setup.env("GHC_EVENTLOG_EXIT_TIMEOUT", "30s").spawn(ghc);
        worker.ready();
        let collector = Collector::connect(&worker.address);
        collector.wait_for_text("datb");
        worker.command("log 1 10000 100");
        let begun = Instant::now();
        assert!(worker.finish().success());
        let took = begun.elapsed();
        Stream::complete(&collector.finish());
        took
    });
}

/// Clients that come while the program goes.
#[test]
fn connecting_during_the_exit() {
    let ghc = need!(ghc());
    let _alone = alone();
    for run in 0..40 {
        within(Duration::from_secs(10), &format!("run {run}"), || {
            connect_during_an_exit(ghc, run)
        });
    }
}

/// How long the exit takes.
#[track_caller]
fn connect_during_an_exit(ghc: &Ghc, run: usize) -> Duration {
    let (start, transport) = EVERY_WAY[run % 4];
    let mut worker = Setup::new(start, transport).rts("-N2").spawn(ghc);
    worker.ready();
    worker.command("log 2 2000 100");
    let over = Arc::new(AtomicBool::new(false));
    let (address, stop) = (worker.address.clone(), Arc::clone(&over));
    let clients = std::thread::spawn(move || {
        let mut captures = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            if let Ok(mut client) = Client::try_connect(&address) {
                client.read_until_quiet(Duration::from_millis(20));
                captures.push(client.leave());
            }
        }
        captures
    });
    std::thread::sleep(Duration::from_millis(run as u64));
    let begun = Instant::now();
    let status = worker.finish();
    let took = begun.elapsed();
    over.store(true, Ordering::Relaxed);
    let what = format!("run {run}, {start:?}, {transport:?}");
    assert!(
        status.success(),
        "{what}: {status}: {}",
        worker.process.stderr()
    );
    for capture in clients.join().expect("clients") {
        Stream::cut(&capture);
    }
    if transport == Transport::Unix {
        assert!(
            !worker.socket_path().exists(),
            "{what}: the socket file is left"
        );
    }
    took
}

/// A program killed leaves its socket file; the next one takes the place.
#[test]
fn after_a_killed_program() {
    let ghc = need!(ghc());
    let dir = TempDir::new();
    let address = support::Address::Unix(dir.join("socket"));
    let setup = || Setup::new(Start::CMain, Transport::Unix).at(&address);
    let mut killed: Worker = setup().spawn(ghc);
    killed.ready();
    let mut client = killed.client();
    client.read_until_text("datb");
    killed.process.signal(libc::SIGKILL);
    assert_eq!(killed.process.wait().signal(), Some(libc::SIGKILL));
    client.read_until_quiet(LIMIT);
    assert!(client.has_ended());
    assert!(killed.socket_path().exists());

    let mut next = setup().spawn(ghc);
    next.ready();
    let collector = Collector::connect(&address);
    collector.wait_for_text("datb");
    assert!(next.finish().success());
    Stream::complete(&collector.finish());
}
