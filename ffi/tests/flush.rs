//! What a quiet program logs is delivered before 2 MiB of it are there: at the
//! connect, and at an interval if one is set. And no flush stops an exit.

use crate::support;

use std::time::{Duration, Instant};
use support::ghc::{Ghc, ghc};
use support::skip::need;
use support::waiting::within;
use support::worker::Setup;
use support::{Collector, Start, Stream, Transport, alone};

/// The concurrent collector has swept.
const CONC_SWEEP_END: u16 = 205;

fn require_flush_option(ghc: &Ghc) -> Result<(), String> {
    if ghc.at_least(9, 2) {
        Ok(())
    } else {
        Err(format!(
            "GHC {} has no --eventlog-flush-interval",
            ghc.version()
        ))
    }
}

/// Sixty times: start, log, end. All of them end.
fn sixty_exits(ghc: &Ghc, setup: impl Fn(Start) -> Setup) {
    let _alone = alone();
    for run in 0..60 {
        let start = [Start::CMain, Start::Haskell][run % 2];
        let setup = setup(start)
            .env("GHC_EVENTLOG_WAIT", "1")
            .command("log 1 200 100")
            .command("sleep 60")
            .command("allocate 2")
            .command("message the last words");
        let mut worker = setup.spawn_as_is(ghc);
        let collector = Collector::connect(&worker.address);
        let status = worker.process.wait();
        assert!(
            status.success(),
            "run {run}: {status}: {}",
            worker.process.stderr()
        );
        let bytes = collector.finish();
        assert!(
            Stream::complete(&bytes).has_message("the last words"),
            "run {run}"
        );
    }
}

/// GHC #26573: the RTS's own flush can deadlock with the exit; not with us.
#[test]
fn no_hang_with_the_flush_interval_of_the_rts() {
    let ghc = need!(ghc());
    need!(require_flush_option(ghc));
    sixty_exits(ghc, |start| {
        Setup::new(start, Transport::Unix)
            .rts("-N2")
            .rts("--eventlog-flush-interval=0.01")
    });
}

#[test]
fn no_hang_with_our_flush_interval() {
    let ghc = need!(ghc());
    sixty_exits(ghc, |start| {
        let setup = Setup::new(start, Transport::Unix).rts("-N2");
        setup.env("GHC_EVENTLOG_FLUSH_INTERVAL", "10ms")
    });
}

#[test]
fn no_hang_with_both() {
    let ghc = need!(ghc());
    need!(require_flush_option(ghc));
    sixty_exits(ghc, |start| {
        let setup = Setup::new(start, Transport::Unix).rts("--eventlog-flush-interval=0.01");
        setup.env("GHC_EVENTLOG_FLUSH_INTERVAL", "10ms")
    });
}

/// A program that rests delivers what it logged before it began to rest.
#[test]
fn our_interval_delivers_the_messages_of_a_quiet_program() {
    let ghc = need!(ghc());
    for start in [Start::CMain, Start::Haskell] {
        let setup = Setup::new(start, Transport::Unix).rts("-N2");
        let mut worker = setup.env("GHC_EVENTLOG_FLUSH_INTERVAL", "50ms").spawn(ghc);
        worker.ready();
        let mut client = worker.client();
        client.read_until_text("datb");
        // Long enough for the RTS's own ticker to have stopped.
        worker.command("sleep 1000");
        for round in 0..10 {
            let what = format!("{start:?}, round {round}");
            let mut attempt = 0;
            within(Duration::from_secs(2), &what, || {
                attempt += 1;
                let text = format!("a quiet word, round {round}, attempt {attempt}.");
                let said = Instant::now();
                worker.command(&format!("message {text}"));
                client.read_until_text(&text);
                let took = said.elapsed();
                // A flush that took long is followed by a pause.
                let longest = Duration::from_nanos(worker.stats().get("flush_ns_longest"));
                took.saturating_sub(100 * longest)
            });
        }
        let collector = Collector::resume(client);
        assert!(worker.finish().success());
        let bytes = collector.finish();
        Stream::complete(&bytes);
        let stats = worker.last_stats();
        assert!(stats.get("flushes") >= 10, "{stats:?}");
    }
}

/// Flushing is for somebody: without a client there is none.
#[test]
fn no_flushes_without_a_client() {
    let ghc = need!(ghc());
    let setup = Setup::new(Start::Haskell, Transport::Unix);
    let mut worker = setup.env("GHC_EVENTLOG_FLUSH_INTERVAL", "20ms").spawn(ghc);
    worker.ready();
    let before = worker.stats().get("flushes");
    worker.command("sleep 500");
    assert_eq!(worker.stats().get("flushes"), before);
    assert!(worker.finish().success());
}

/// What the RTS holds when a client connects is the client's.
#[test]
fn messages_arrive_at_the_connect() {
    let ghc = need!(ghc());
    for start in [Start::CMain, Start::Haskell] {
        let mut worker = Setup::new(start, Transport::Unix)
            .without_flushes()
            .rts("-N2")
            .spawn(ghc);
        worker.ready();
        for round in 0..5 {
            let text = format!("before the connect, round {round}");
            worker.command(&format!("message {text}"));
            let mut client = worker.client();
            client.read_until_text(&text);
            Stream::cut(&client.leave());
        }
        assert!(worker.finish().success());
    }
}

/// The concurrent collector logs on a thread that no flush holds up, into the buffer that all share.
#[test]
fn flushes_beside_the_concurrent_collector() {
    let ghc = need!(ghc());
    for (start, transport) in [
        (Start::CMain, Transport::Unix),
        (Start::Haskell, Transport::Tcp),
    ] {
        let setup = Setup::new(start, transport)
            .rts("-N2")
            .rts("--nonmoving-gc");
        let mut worker = setup.env("GHC_EVENTLOG_FLUSH_INTERVAL", "1ms").spawn(ghc);
        worker.ready();
        let collector = Collector::connect(&worker.address);
        collector.wait_for_text("datb");
        for _ in 0..1000 {
            worker.command("gc");
        }
        worker.command("message after the collections");
        assert!(worker.finish().success());
        let bytes = collector.finish();
        let stream = Stream::complete(&bytes);
        assert!(stream.has_message("after the collections"), "{start:?}");
        let sweeps = stream.count(CONC_SWEEP_END);
        assert!(sweeps > 0, "{start:?}: {:?}", stream.counts);
    }
}
