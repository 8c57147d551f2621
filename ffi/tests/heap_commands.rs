//! The commands that profile: samples of the heap and of cost centres, on demand.

use crate::support;

use support::build::way_available;
use support::commands::{
    BUILTIN, REQUEST_HEAP_CENSUS, START_HEAP_PROFILING, START_PROFILING, STOP_HEAP_PROFILING,
    STOP_PROFILING, frame, older, outcomes,
};
use support::ghc::{Ghc, ghc};
use support::marked::sum;
use support::skip::need;
use support::worker::Setup;
use support::{
    Build, Client, Collector, Commanded, Main, Marked, Start, Stream, Transport, Way, Worker,
    in_some_attempt,
};

const SAMPLE_BEGIN: u16 = 162;
const SAMPLE_END: u16 = 165;
const COST_CENTRE_SAMPLE: u16 = 167;

const CONTROL: (&str, &str) = ("GHC_EVENTLOG_CONTROL", "on");

/// A heap profile that samples nothing by itself.
fn without_samples(setup: Setup, ghc: &Ghc) -> Setup {
    setup.rts("-hT").rts(if ghc.at_least(9, 2) {
        "--no-automatic-heap-samples"
    } else {
        "-i1000"
    })
}

/// How many whole samples have come.
fn samples(bytes: &[u8]) -> u64 {
    let stream = Stream::try_cut(bytes).expect("a stream");
    stream.count(SAMPLE_END)
}

#[track_caller]
fn read_samples(client: &mut Client, count: u64) {
    client.read_until(&format!("{count} samples"), |bytes| samples(bytes) >= count);
}

/// In a program that does nothing, and so collects nothing: one sample for each
/// request, and nothing else has to be asked for. (Without the collections of idle
/// programs: two that are made at once may both make the sample that is due.)
#[test]
fn one_census_for_each_request() {
    let ghc = need!(ghc());
    for (start, transport) in [
        (Start::CMain, Transport::Unix),
        (Start::Haskell, Transport::Tcp),
    ] {
        let setup = Setup::new(start, transport)
            .without_flushes()
            .env(CONTROL.0, CONTROL.1);
        let setup = without_samples(setup, ghc).rts("-N2").rts("-I0");
        let mut worker = setup.spawn(ghc);
        worker.ready();
        let mut client = worker.client();
        client.read_until_text("datb");
        for count in 1..=4 {
            let request = match count % 2 {
                0 => older(3),
                _ => frame(BUILTIN, REQUEST_HEAP_CENSUS),
            };
            client.send(&request);
            read_samples(&mut client, count);
            worker.until_settled(count);
        }
        worker.command("gc");
        worker.command("allocate 3");
        let collector = Collector::resume(client);
        let status = worker.finish();
        assert!(status.success(), "{status}: {}", worker.process.stderr());
        let bytes = collector.finish();
        let stream = Stream::complete(&bytes);
        assert_eq!(stream.count(SAMPLE_BEGIN), 4, "{start:?}, {transport:?}");
        assert_eq!(stream.count(SAMPLE_END), 4, "{start:?}, {transport:?}");
        let stats = worker.last_stats();
        assert_eq!(outcomes(&stats), [4, 0, 0, 0, 0]);
    }
}

/// Many requests at once are answered by as many samples at most, and one at least.
#[test]
fn a_row_of_requests() {
    let ghc = need!(ghc());
    let setup = Setup::new(Start::CMain, Transport::Unix).without_flushes();
    let mut worker = without_samples(setup, ghc).spawn(ghc);
    worker.ready();
    let mut client = worker.client();
    client.read_until_text("datb");
    let mut sent = 0;
    for count in [200, 5000] {
        let row = frame(BUILTIN, REQUEST_HEAP_CENSUS).repeat(count);
        let before = samples(&client.received);
        client.send(&row);
        sent += count as u64;
        let stats = worker.until_settled(sent);
        let [run, unknown, refused, denied, dropped] = outcomes(&stats);
        assert_eq!([unknown, refused, denied], [0; 3], "{stats:?}");
        assert_eq!(run + dropped, sent, "{stats:?}");
        read_samples(&mut client, before + 1);
    }
    let collector = Collector::resume(client);
    assert!(worker.finish().success());
    let bytes = collector.finish();
    let stream = Stream::complete(&bytes);
    let samples = stream.count(SAMPLE_BEGIN);
    assert!((2..=sent).contains(&samples), "{samples}");
}

/// What the built-in commands 1 to 5 and the three older ones do, one after the other:
/// "run" or "refused" for each.
fn what_they_do(worker: &mut Worker) -> [[&'static str; 5]; 2] {
    let mut client = worker.client();
    let mut sent = worker.stats().get("commands_received");
    let mut outcome = |frame: Vec<u8>| {
        let before = outcomes(&worker.stats());
        client.send(&frame);
        sent += 1;
        let after = outcomes(&worker.until_settled(sent));
        let index = (0..5).find(|at| after[*at] > before[*at]);
        ["run", "unknown", "refused", "denied", "dropped"][index.expect("an outcome")]
    };
    let present = [1, 2, 3, 4, 5].map(|number| outcome(frame(BUILTIN, number)));
    let old = [1, 2, 3, 4, 0].map(|number| outcome(older(number)));
    [present, old]
}

/// With a heap profile, without one, and linked dynamically.
#[test]
fn every_command_in_both_protocols() {
    let ghc = need!(ghc());
    let modern = ghc.at_least(9, 2);
    let heap_timer = if modern { "run" } else { "refused" };
    for (main, way, profile) in [
        (Main::Wrap, Way::Vanilla, true),
        (Main::Haskell, Way::Vanilla, true),
        (Main::Haskell, Way::Vanilla, false),
        (Main::Wrap, Way::Dynamic, true),
    ] {
        need!(way_available(ghc, way));
        let mut setup = Setup::of(Build::new(main).way(way), Transport::Unix).without_flushes();
        if profile {
            setup = without_samples(setup, ghc);
        }
        let mut worker = setup.spawn(ghc);
        worker.ready();
        let timer = if profile { heap_timer } else { "refused" };
        let census = match (profile, way) {
            (false, _) => "refused",
            // What 9.0 would have to set is hidden in its shared library.
            (true, Way::Dynamic) if !modern => "refused",
            (true, _) => "run",
        };
        assert_eq!(
            what_they_do(&mut worker),
            [
                ["refused", "refused", timer, timer, census],
                [timer, timer, census, "unknown", "unknown"]
            ],
            "{main:?}, {way:?}, profile {profile}"
        );
        let status = worker.finish();
        assert!(status.success(), "{status}: {}", worker.process.stderr());
        assert_eq!(worker.process.stderr(), "");
    }
}

/// Samples at an interval begin and end when they are told to.
#[test]
fn heap_profiling_starts_and_stops() {
    let ghc = need!(ghc());
    let setup = Setup::new(Start::CMain, Transport::Unix).without_flushes();
    let mut worker = without_samples(setup, ghc).rts("-i0.01").spawn(ghc);
    worker.ready();
    let mut client = Marked::new(worker.client());
    if !ghc.at_least(9, 2) {
        // Its scheduler would undo either at once.
        client.order(BUILTIN, START_HEAP_PROFILING);
        client.order(BUILTIN, STOP_HEAP_PROFILING);
        let stats = worker.until_settled(2);
        assert_eq!(outcomes(&stats), [0, 0, 2, 0, 0]);
        assert!(worker.finish().success());
        return;
    }
    worker.command("allocate 20");
    let before = client.mark();
    client.order(BUILTIN, START_HEAP_PROFILING);
    let started = client.mark();
    until_sampled(&mut worker, &mut client, started);
    client.order(BUILTIN, STOP_HEAP_PROFILING);
    client.mark();
    // A sample that was due by then.
    worker.command("gc");
    let stopped = client.mark();
    worker.command("sleep 100");
    worker.command("allocate 60");
    let quiet = client.mark();
    // The older protocol starts it as well.
    client.client.send(&older(1));
    client.mark();
    until_sampled(&mut worker, &mut client, quiet);

    let samples = |from, to| sum(&client.between(from, to), &[SAMPLE_BEGIN]);
    assert_eq!(samples(0, before), 0, "before the start");
    assert_eq!(samples(stopped, quiet), 0, "after the stop");
    assert!(worker.finish().success());
}

/// More than one sample comes after this mark. The RTS's timer may be late.
#[track_caller]
fn until_sampled(worker: &mut Worker, client: &mut Marked, mark: usize) {
    in_some_attempt("two samples", || {
        worker.command("sleep 100");
        worker.command("allocate 60");
        let to = client.mark();
        match sum(&client.between(mark, to), &[SAMPLE_BEGIN]) {
            count @ 0..=1 => Err(format!("{count}")),
            _ => Ok(()),
        }
    });
}

/// Without -threaded nobody but the program itself may collect: a request waits for
/// the next collection.
#[test]
fn a_census_without_threads() {
    let ghc = need!(ghc());
    for main in [Main::Wrap, Main::Haskell] {
        let build = Build::new(main).non_threaded();
        let setup = Setup::of(build, Transport::Unix).without_flushes();
        let mut worker = without_samples(setup, ghc).spawn(ghc);
        worker.ready();
        worker.command("gc");
        let mut client = worker.client();
        client.read_until_text("datb");
        client.send(&frame(BUILTIN, REQUEST_HEAP_CENSUS));
        let stats = worker.until_settled(1);
        assert_eq!(outcomes(&stats), [1, 0, 0, 0, 0]);
        worker.command("gc");
        worker.command("gc");
        let collector = Collector::resume(client);
        assert!(worker.finish().success());
        let bytes = collector.finish();
        assert_eq!(Stream::complete(&bytes).count(SAMPLE_BEGIN), 1, "{main:?}");
    }
}

/// Samples of cost centres, in a program that was built for them.
#[test]
fn profiling_starts_and_stops() {
    let ghc = need!(ghc());
    need!(way_available(ghc, Way::Profiling));
    let build = Build::new(Main::Wrap).way(Way::Profiling);
    let setup = Setup::of(build, Transport::Unix)
        .without_flushes()
        .rts("-p")
        .rts("-V0.001");
    let mut worker = setup.spawn(ghc);
    worker.ready();
    let mut client = Marked::new(worker.client());
    let mut work = |client: &mut Marked, order: Option<u8>| {
        if let Some(order) = order {
            client.order(BUILTIN, order);
        }
        let from = client.mark();
        worker.command("allocate 10");
        let to = client.mark();
        sum(&client.between(from, to), &[COST_CENTRE_SAMPLE])
    };
    for (order, some, what) in [
        (None, true, "-p samples from the start"),
        (Some(STOP_PROFILING), false, "after the stop"),
        (Some(START_PROFILING), true, "and again"),
        (Some(STOP_PROFILING), false, "and again"),
    ] {
        if some {
            // The RTS's timer may be late.
            in_some_attempt(what, || match work(&mut client, order) {
                count @ 0..=1 => Err(format!("{count}")),
                _ => Ok(()),
            });
        } else {
            assert_eq!(work(&mut client, order), 0, "{what}");
        }
    }
    let stats = worker.stats();
    assert_eq!(stats.get("commands_refused"), 0);
    assert!(worker.finish().success());
}
