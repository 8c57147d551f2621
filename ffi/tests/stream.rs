//! Every stream is a valid log: from its first byte, for every client, however
//! the program is built and started.

use crate::support;

use std::time::Duration;
use support::build::way_available;
use support::ghc::{Ghc, ghc};
use support::skip::need;
use support::worker::Setup;
use support::{
    Build, Client, Collector, Expected, Main, Start, Stream, Transport, Way, Worker, eventually,
    ghc_events,
};

const HEAP_PROF_SAMPLE_BEGIN: u16 = 162;
const THREAD_CREATE: u16 = 0;

/// Something of everything: messages on two capabilities, a heap profile.
fn work(worker: &mut Worker) {
    worker.command("message hello from the worker");
    worker.command("log 2 2000 100");
    worker.command("allocate 40");
    worker.command("gc");
    worker.command("marker all done");
}

fn check_work(stream: &Stream<'_>) {
    assert!(stream.has_message("hello from the worker"));
    assert!(stream.has_message("all done"));
    assert!(stream.losses.is_empty(), "{:?}", stream.losses);
    let expected: Vec<u64> = (0..2000).collect();
    for logger in 0..2 {
        assert!(
            stream.numbers(logger) == expected,
            "messages of logger {logger}"
        );
    }
    assert!(stream.count(HEAP_PROF_SAMPLE_BEGIN) > 0, "no heap sample");
}

/// What GHC's own reader makes of it.
fn check_shown(bytes: &[u8]) {
    if let Err(reason) = ghc_events::available() {
        support::skip::announce("reading with ghc-events", &reason);
        return;
    }
    let shown = ghc_events::show(bytes);
    for text in [
        "hello from the worker",
        "all done",
        "c1 0000001999",
        "wall clock",
    ] {
        assert!(shown.contains(text), "ghc-events does not show {text:?}");
    }
}

fn setup(start: Start, transport: Transport) -> Setup {
    Setup::new(start, transport)
        .rts("-N2")
        .rts("-hT")
        .rts("-i0.01")
}

/// A client that is there from the beginning to the end.
fn whole_run(ghc: &Ghc, start: Start, transport: Transport) {
    let mut worker = setup(start, transport).spawn(ghc);
    let collector = Collector::connect(&worker.address);
    worker.ready();
    // Started from Haskell, what was logged before the client came is not its.
    collector.wait_for_text("datb");
    work(&mut worker);
    let expected = Expected::of(&worker, ghc).capabilities(2).heap_profile();
    let status = worker.finish();
    assert!(status.success(), "{status}: {}", worker.process.stderr());
    assert_eq!(worker.process.stderr(), "");

    let bytes = collector.finish();
    assert_eq!(bytes[0], b'h');
    let stream = Stream::complete(&bytes);
    expected.check(&stream, "the first client");
    check_work(&stream);
    check_shown(&bytes);
}

/// A client after another one: what was said once is said to it, too.
fn late_client(ghc: &Ghc, start: Start, transport: Transport) {
    let mut worker = setup(start, transport).spawn(ghc);
    let mut first = worker.client();
    worker.ready();
    let expected = Expected::of(&worker, ghc).capabilities(2).heap_profile();
    first.read_until_text("datb");
    worker.command("log 2 30000 100"); // some chunks
    first.read_bytes(100_000);
    let bytes = first.leave();
    expected.check(&Stream::cut(&bytes), "the first client");
    worker.command("message while nobody listens");

    let mut late = worker.client();
    late.read_until("definitions for the late client", |bytes| {
        expected.complete(&Stream::cut(bytes))
    });
    let collector = Collector::resume(late);
    worker.command("message for the late one");
    worker.command("allocate 40");
    let status = worker.finish();
    assert!(status.success(), "{status}: {}", worker.process.stderr());
    assert_eq!(worker.process.stderr(), "");

    let bytes = collector.finish();
    let stream = Stream::complete(&bytes);
    expected.check(&stream, "the late client");
    assert!(stream.has_message("for the late one"));
    assert!(stream.count(HEAP_PROF_SAMPLE_BEGIN) > 0, "no heap sample");
    if ghc_events::available().is_ok() {
        assert!(ghc_events::show(&bytes).contains("for the late one"));
    }
}

macro_rules! every_way {
    ($($name:ident: $run:ident($start:ident, $transport:ident);)*) => {$(
        #[test]
        fn $name() {
            let ghc = need!(ghc());
            $run(ghc, Start::$start, Transport::$transport);
        }
    )*};
}

every_way! {
    whole_run_c_main_unix: whole_run(CMain, Unix);
    whole_run_c_main_tcp: whole_run(CMain, Tcp);
    whole_run_haskell_unix: whole_run(Haskell, Unix);
    whole_run_haskell_tcp: whole_run(Haskell, Tcp);
    late_client_c_main_unix: late_client(CMain, Unix);
    late_client_c_main_tcp: late_client(CMain, Tcp);
    late_client_haskell_unix: late_client(Haskell, Unix);
    late_client_haskell_tcp: late_client(Haskell, Tcp);
}

/// Without -threaded nothing may be asked of the RTS from outside; streams are
/// valid all the same.
#[test]
fn non_threaded_programs() {
    let ghc = need!(ghc());
    for main in [Main::Wrap, Main::Haskell] {
        let build = Build::new(main).non_threaded();
        let mut worker = Setup::of(build, Transport::Unix).rts("-hT").spawn(ghc);
        let mut first = worker.client();
        worker.ready();
        first.read_until_text("datb");
        let mut expected = Expected::of(&worker, ghc).heap_profile();
        expected.rts = format!("GHC-{} rts", ghc.version());
        worker.command("log 1 30000 100");
        worker.command("allocate 40");
        first.read_bytes(1_000_000);
        let bytes = first.leave();
        let stream = Stream::cut(&bytes);
        if main == Main::Wrap {
            expected.check(&stream, "the first client");
        }
        let collector = Collector::connect(&worker.address);
        collector.wait_for_text("datb");
        worker.command("message for the late one");
        let status = worker.finish();
        assert!(
            status.success(),
            "{main:?}: {status}: {}",
            worker.process.stderr()
        );
        assert_eq!(worker.process.stderr(), "");
        let bytes = collector.finish();
        let stream = Stream::complete(&bytes);
        expected.check(&stream, "the late client");
        assert!(stream.has_message("for the late one"));
        let untrue = stream.all(29).any(|event| event.text().contains("_thr"));
        assert!(!untrue, "a threaded RTS, it says");
    }
}

/// The RTS that checks itself finds nothing to complain of.
#[test]
fn debugging_rts() {
    let ghc = need!(ghc());
    need!(way_available(ghc, Way::Debug));
    for main in [Main::Wrap, Main::Haskell] {
        let build = Build::new(main).way(Way::Debug);
        let setup = Setup::of(build, Transport::Unix).rts("-N2").rts("-hT");
        let mut worker = setup.env("GHC_EVENTLOG_FLUSH_INTERVAL", "50ms").spawn(ghc);
        let mut first = worker.client();
        worker.ready();
        let expected = Expected::of(&worker, ghc).capabilities(2).heap_profile();
        worker.command("log 2 1000 100");
        first.read_until_text("c1 0000000999");
        Stream::cut(&first.leave());
        let collector = Collector::connect(&worker.address);
        // Before that the flushes are of nobody's log.
        collector.wait_for_text("datb");
        worker.command("message again");
        collector.wait_for_text("again");
        let status = worker.finish();
        assert!(
            status.success(),
            "{main:?}: {status}: {}",
            worker.process.stderr()
        );
        let bytes = collector.finish();
        expected.check(&Stream::complete(&bytes), "the late client");
    }
}

/// The cost centres of a profiled program reach late clients.
#[test]
fn cost_centres() {
    let ghc = need!(ghc());
    need!(way_available(ghc, Way::Profiling));
    for main in [Main::Wrap, Main::Haskell] {
        let mut build = Build::new(main).way(Way::Profiling);
        build.flags.push("-fprof-auto".into());
        let setup = Setup::of(build, Transport::Unix).rts("-hc").rts("-i0.01");
        let mut worker = setup.spawn(ghc);
        let mut first = worker.client();
        worker.ready();
        let expected = Expected::of(&worker, ghc).cost_centres();
        first.read_until("definitions", |bytes| {
            expected.complete(&Stream::cut(bytes))
        });
        drop(first);
        let collector = Collector::connect(&worker.address);
        collector.wait_for_text("datb");
        worker.command("allocate 40");
        let status = worker.finish();
        assert!(
            status.success(),
            "{main:?}: {status}: {}",
            worker.process.stderr()
        );
        let bytes = collector.finish();
        let stream = Stream::complete(&bytes);
        expected.check(&stream, "the late client");
        assert!(stream.count(163) > 0, "no sample by cost centre");
        if ghc_events::available().is_ok() {
            ghc_events::show(&bytes);
        }
    }
}

/// Capabilities that come later are defined for clients that come later still;
/// those that rest speak no more.
#[test]
fn capabilities_come_and_go() {
    let ghc = need!(ghc());
    let mut worker = Setup::new(Start::CMain, Transport::Unix).spawn(ghc);
    let first = Collector::connect(&worker.address);
    worker.ready();
    worker.command("capabilities 3");
    worker.command("log 3 1000 100");
    worker.command("capabilities 1");
    worker.command("log 1 1000 100");
    worker.command("capabilities 3");
    let expected = Expected::of(&worker, ghc).capabilities(3);
    // A flush makes the RTS hand over the definition; connecting asks for one.
    Stream::cut(&first.leave());
    let late = Collector::connect(&worker.address);
    late.wait_for_text("datb");
    worker.command("log 3 1000 100");
    assert!(worker.finish().success(), "{}", worker.process.stderr());
    let bytes = late.finish();
    let stream = Stream::complete(&bytes);
    expected.check(&stream, "the late client");
    if ghc_events::available().is_ok() {
        ghc_events::show(&bytes);
    }
}

/// Port 0: the system chooses, and the program can tell.
#[test]
fn chosen_port() {
    let ghc = need!(ghc());
    for start in [Start::CMain, Start::Haskell] {
        let setup = Setup::new(start, Transport::Tcp);
        let mut worker = setup.env("GHC_EVENTLOG_INET_PORT", "0").spawn(ghc);
        worker.ready();
        let port = worker.stats().get("inet_port");
        assert_ne!(port, 0);
        let address = support::Address::Tcp(u16::try_from(port).expect("a port"));
        let collector = Collector::connect(&address);
        collector.wait_for_text("datb");
        assert!(worker.finish().success());
        Stream::complete(&collector.finish());
    }
}

/// The counters count what they say.
#[test]
fn counters() {
    let ghc = need!(ghc());
    let mut worker = Setup::new(Start::CMain, Transport::Unix)
        .rts("-N2")
        .env("GHC_EVENTLOG_BUFFER_SIZE", "16M")
        .spawn(ghc);
    worker.ready();
    let before = worker.stats();
    assert_eq!((before.get("connections"), before.get("connected")), (0, 0));
    assert_eq!(before.get("ring_size"), 16 << 20);
    assert_eq!(before.get("inet_port"), 0);

    let mut client: Client = worker.client();
    client.read_until_text("datb");
    // A thread that gets no processor flushes only when the client has left: not at all.
    let mut flushed = worker.stats();
    eventually(support::LIMIT, "a flush for the client", || {
        flushed = worker.stats();
        flushed.get("flushes") > 0
    });
    worker.command("log 2 30000 100");
    // More than a buffer of the RTS: one chunk at least has been sent whole. It counts when
    // the last of it has been sent.
    client.read_bytes(3_000_000);
    let mut during = worker.stats();
    eventually(support::LIMIT, "chunks that are sent", || {
        during = worker.stats();
        during.get("chunks_sent") > 2
            && during.get("bytes_sent") > flushed.get("bytes_sent") + 1_000
    });
    assert_eq!((during.get("connections"), during.get("connected")), (1, 1));
    assert!(during.get("definition_bytes") > 500, "{during:?}");
    assert!(during.get("ring_high_water") > 1 << 20, "{during:?}");
    drop(client);
    eventually(support::LIMIT, "the leaving is noticed", || {
        worker.stats().get("connected") == 0
    });
    worker.command("log 2 60000 100");
    let after = worker.stats();
    assert!(after.get("chunks_discarded") > 0, "{after:?}");
    assert!(after.get("bytes_discarded") > 4_000_000, "{after:?}");

    let collector = Collector::connect(&worker.address);
    collector.wait_for_text("datb");
    assert!(worker.finish_within(Duration::from_secs(30)).success());
    let bytes = collector.finish();
    let stream = Stream::complete(&bytes);
    assert!(stream.count(THREAD_CREATE) < 100);
    let last = worker.last_stats();
    assert_eq!(last.get("connections"), 2);
    assert_eq!(last.get("chunks_lost"), 0);
}
