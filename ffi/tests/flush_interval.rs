//! With nothing set, what a program logs arrives while it runs, and it does not stand still
//! for that longer than a hundredth of the time.

use crate::support;

use std::process::Command;
use std::time::{Duration, Instant};
use support::commands::{BUILTIN, REQUEST_HEAP_CENSUS, frame};
use support::ghc::{Ghc, ghc};
use support::skip::need;
use support::worker::Setup;
use support::{Collector, FLUSH_LIMIT, LIMIT, Start, Stream, Transport, Worker, alone, eventually};

const FLUSH_INTERVAL: &str = "GHC_EVENTLOG_FLUSH_INTERVAL";
const HEAP_SAMPLE_BEGIN: u16 = 162;
const STARTS: [Start; 2] = [Start::CMain, Start::Haskell];

/// From this version on the RTS flushes without ending its log.
fn flushes_by_default(ghc: &Ghc) -> Result<(), String> {
    if ghc.at_least(9, 2) {
        Ok(())
    } else {
        Err(format!("GHC {} restarts its log to flush", ghc.version()))
    }
}

/// How often the RTS flushes by itself.
#[track_caller]
fn ticks(worker: &mut Worker) -> u64 {
    ticks_of(&worker.command("flush-ticks"))
}

#[track_caller]
fn ticks_of(lines: &[String]) -> u64 {
    let said = lines.iter().find_map(|line| line.strip_prefix("ticks: "));
    let said = said.unwrap_or_else(|| panic!("no ticks: {lines:?}"));
    said.parse().expect("a number")
}

/// Nothing is set, and a plain client is there.
#[test]
fn events_arrive_while_the_program_runs() {
    let ghc = need!(ghc());
    need!(flushes_by_default(ghc));
    for start in STARTS {
        let mut worker = Setup::new(start, Transport::Unix).spawn(ghc);
        worker.ready();
        let mut client = worker.client();
        client.read_until_text("datb");
        worker.command("tick 30 100");
        // It goes on, and says nothing else.
        for n in 1..=30 {
            client.read_until_text(&format!("tick {n}."));
        }
        Stream::cut(&client.leave());
        assert!(worker.finish().success(), "{start:?}");
    }
}

/// A flight recorder is somebody who listens, too.
#[test]
fn events_get_into_the_ring_file_while_the_program_runs() {
    let ghc = need!(ghc());
    need!(flushes_by_default(ghc));
    let mut worker = Setup::new(Start::Haskell, Transport::Unix)
        .env("GHC_EVENTLOG_RING_FILE", "ring")
        .env("GHC_EVENTLOG_RING_FILE_SIZE", "8M")
        .spawn(ghc);
    worker.ready();
    worker.command("tick 3 100");
    let path = worker.dir.join("ring");
    eventually(FLUSH_LIMIT, "the last tick is in the file", || {
        let bytes = std::fs::read(&path).expect("the ring file");
        support::client::contains(&bytes, b"tick 3.")
    });
    assert!(worker.finish().success());
}

/// For so long a client is there, and nothing is flushed after what comes with it.
#[track_caller]
fn nothing_is_flushed(setup: Setup, ghc: &Ghc) {
    let mut worker = setup.spawn(ghc);
    worker.ready();
    let mut client = worker.client();
    client.read_until_text("datb");
    eventually(LIMIT, "the flush of the connect", || {
        worker.stats().get("flushes") == 1
    });
    worker.command("tick 30 100");
    assert_eq!(worker.stats().get("flushes"), 1);
    client.read_for(Duration::from_millis(200));
    assert!(!support::client::contains(&client.received, b"tick 1."));
    let collector = Collector::resume(client);
    assert!(worker.finish().success());
    let bytes = collector.finish();
    assert!(Stream::complete(&bytes).has_message("tick 30."));
}

#[test]
fn nought_switches_it_off() {
    let ghc = need!(ghc());
    for start in STARTS {
        let setup = Setup::new(start, Transport::Unix);
        nothing_is_flushed(setup.env(FLUSH_INTERVAL, "0"), ghc);
    }
    let setup = Setup::new(Start::Haskell, Transport::Tcp).start_with("flush-interval 0");
    nothing_is_flushed(setup.command("start"), ghc);
}

/// A flush of GHC 9.0 ends the log and starts it again.
#[test]
fn where_a_flush_restarts_the_log_nothing_is_flushed_unasked() {
    let ghc = need!(ghc());
    if flushes_by_default(ghc).is_err() {
        for start in STARTS {
            nothing_is_flushed(Setup::new(start, Transport::Unix), ghc);
        }
    }
}

/// Voluntary context switches of a thread: how often it went to sleep.
#[track_caller]
fn sleeps_of(worker: &Worker, name: &str) -> u64 {
    let (id, _) = worker.process.thread(name);
    let status = format!("/proc/{}/task/{id}/status", worker.process.pid());
    let status = std::fs::read_to_string(status).expect("the thread's status");
    let mut lines = status.lines();
    let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.expect("a count").trim().parse().expect("a number")
}

/// Nobody listens: no thread of ours wakes up, before the first client and after the last.
#[test]
fn without_a_client_nothing_wakes_up() {
    let ghc = need!(ghc());
    let mut worker = Setup::new(Start::Haskell, Transport::Unix).spawn(ghc);
    worker.ready();
    for round in 0..2 {
        let mut before = [0, 0];
        let threads = ["eventlog-flush", "eventlog-poll"];
        eventually(LIMIT, "they come to rest", || {
            std::thread::sleep(Duration::from_millis(200));
            let now = threads.map(|name| sleeps_of(&worker, name));
            let at_rest = threads.iter().all(|name| worker.process.rests(name));
            std::mem::replace(&mut before, now) == now && at_rest
        });
        std::thread::sleep(Duration::from_secs(3));
        let now = threads.map(|name| sleeps_of(&worker, name));
        assert_eq!(now, before, "round {round}");
        let mut client = worker.client();
        client.read_until_text("datb");
        drop(client);
        eventually(LIMIT, "it is gone", || worker.stats().get("connected") == 0);
    }
    assert!(worker.finish().success());
}

/// Something lets the program stop only after a while, again and again, and the interval
/// is short. The flush that met it is followed by none for a hundred times what it took.
#[track_caller]
fn a_long_flush_is_followed_by_a_pause(beside: &str, begun: &str) {
    let ghc = need!(ghc());
    let _alone = alone();
    let setup = Setup::new(Start::Haskell, Transport::Unix).rts("-N2");
    // No collections of an idle program, which wait for the same.
    let mut worker = setup.rts("-I0").env(FLUSH_INTERVAL, "20ms").spawn(ghc);
    worker.ready();
    worker.begin(beside);
    let mut seen = Vec::new();
    while !seen.iter().any(|line| line == begun) {
        seen.push(worker.process.line().expect("it runs"));
    }
    if !seen.iter().any(|line| line == "done") {
        worker.end();
    }
    let collector = Collector::connect(&worker.address);
    let connected = Instant::now();
    let mut before = connected;
    let flushed = loop {
        let asked = Instant::now();
        let stats = worker.stats();
        if stats.get("flush_ns_longest") >= 200_000_000 {
            break stats;
        }
        before = asked;
        assert!(connected.elapsed() < LIMIT, "no long flush");
        std::thread::sleep(Duration::from_millis(5));
    };
    // It had not ended `before`.
    let pause = 100 * Duration::from_nanos(flushed.get("flush_ns_longest"));
    // Few ticks: the runtime's timer may have to wait for what is beside, each time.
    worker.command("tick 3 500");
    let stats = worker.stats();
    assert!(before.elapsed() < pause, "too slow to tell");
    assert_eq!(
        stats.get("flushes"),
        flushed.get("flushes"),
        "after {:?} of {pause:?}",
        before.elapsed()
    );
    assert_eq!(
        stats.get("flush_ns_total"),
        flushed.get("flush_ns_total"),
        "no time without a flush"
    );
    worker.process.kill();
    Stream::cut(&collector.leave());
}

#[test]
fn unsafe_calls_do_not_stop_the_program_again_and_again() {
    a_long_flush_is_followed_by_a_pause("naps 100 2000", "napping");
}

#[test]
fn loops_that_do_not_allocate_do_not_stop_the_program_again_and_again() {
    a_long_flush_is_followed_by_a_pause("spins 100 4000", "spinning");
}

/// While somebody listens, the RTS does not flush by itself; before and after it does.
#[test]
fn an_interval_of_the_rts_is_taken_over_and_given_back() {
    let ghc = need!(ghc());
    need!(flushes_by_default(ghc));
    let while_connected = Duration::from_secs(1);
    for (start, ours) in [
        (Start::CMain, Some("10ms")),
        (Start::Haskell, Some("0")),
        (Start::Haskell, None),
    ] {
        let mut setup = Setup::new(start, Transport::Unix)
            .rts("-N2")
            .rts("--eventlog-flush-interval=0.02");
        if let Some(interval) = ours {
            setup = setup.env(FLUSH_INTERVAL, interval);
        }
        let mut worker = setup.spawn(ghc);
        worker.ready();
        let of_rts = ticks(&mut worker);
        assert_eq!(of_rts, 2, "{start:?}, {ours:?}");
        for _ in 0..2 {
            let flushes = worker.stats().get("flushes");
            let collector = Collector::connect(&worker.address);
            eventually(LIMIT, "it is taken", || ticks(&mut worker) == 0);
            // A child has its own RTS, for which nobody flushes.
            let in_child = worker.command("fork-process flush-ticks");
            assert_eq!(ticks_of(&in_child), of_rts, "in a child: {in_child:?}");
            let begun = Instant::now();
            while begun.elapsed() < while_connected {
                assert_eq!(ticks(&mut worker), 0, "{start:?}, {ours:?}");
                std::thread::sleep(Duration::from_millis(2));
            }
            worker.command("message said by interval");
            collector.wait_for_text("said by interval");
            // More than the default's.
            eventually(FLUSH_LIMIT, "as often as the program wants", || {
                worker.stats().get("flushes") >= flushes + 10
            });
            Stream::cut(&collector.leave());
            eventually(LIMIT, "it is given back", || ticks(&mut worker) == of_rts);
        }
        let collector = Collector::connect(&worker.address);
        eventually(LIMIT, "it is taken", || ticks(&mut worker) == 0);
        assert!(worker.finish().success(), "{start:?}, {ours:?}");
        Stream::complete(&collector.finish());
    }
}

/// The same for a ring file, for all of the program's life.
#[test]
fn an_interval_of_the_rts_is_taken_over_for_a_ring_file() {
    let ghc = need!(ghc());
    need!(flushes_by_default(ghc));
    let mut worker = Setup::new(Start::Haskell, Transport::Unix)
        .rts("--eventlog-flush-interval=0.02")
        .env("GHC_EVENTLOG_RING_FILE", "ring")
        .env("GHC_EVENTLOG_RING_FILE_SIZE", "8M")
        .spawn(ghc);
    worker.ready();
    eventually(LIMIT, "it is taken", || ticks(&mut worker) == 0);
    let mut client = worker.client();
    client.read_until_text("datb");
    drop(client);
    eventually(LIMIT, "it is gone", || worker.stats().get("connected") == 0);
    worker.command("sleep 200");
    assert_eq!(ticks(&mut worker), 0);
    assert!(worker.finish().success());
}

/// The ring has room for all buffers of sixteen capabilities at once, and more: nothing is
/// lost of a burst, even if the client reads nothing meanwhile.
#[test]
fn bursts_of_many_capabilities_fit() {
    let ghc = need!(ghc());
    let _alone = alone();
    let mut worker = Setup::new(Start::Haskell, Transport::Unix)
        .rts("-N16")
        .spawn(ghc);
    worker.ready();
    assert_eq!(worker.stats().get("ring_size"), 64 << 20);
    let mut client = worker.client();
    client.read_until_text("datb");
    // Eight loggers, four megabytes each, of which the RTS may still have a buffer.
    const LOGGED: usize = 8 * 32_000 * 112;
    const KEPT: usize = 8 * (2 << 20);
    for burst in 0..3 {
        worker.command("log 8 32000 100");
        worker.command(&format!("message burst {burst}"));
        if ghc.at_least(9, 2) {
            client.read_until_text(&format!("burst {burst}"));
        } else {
            client.read_bytes((burst + 1) * LOGGED - KEPT);
        }
    }
    assert_eq!(worker.stats().get("chunks_lost"), 0);
    let collector = Collector::resume(client);
    assert!(worker.finish().success());
    let bytes = collector.finish();
    let stream = Stream::complete(&bytes);
    assert_eq!(stream.lost_chunks(), 0);
    for logger in 0..8 {
        assert!(stream.numbers(logger).into_iter().eq(0..96000), "{logger}");
    }
}

/// Before the RTS runs, nobody knows how many capabilities it will have: as many as there
/// are processors, as with `-N`.
#[test]
fn before_the_rts_runs_the_ring_is_for_all_processors() {
    let ghc = need!(ghc());
    let mut nproc = Command::new("nproc");
    nproc.env_remove("OMP_NUM_THREADS");
    nproc.env_remove("OMP_THREAD_LIMIT");
    let said = nproc.output().expect("nproc").stdout;
    let processors: u64 = String::from_utf8_lossy(&said).trim().parse().expect("one");
    let room = ((processors + 1) * (2 << 20)).next_power_of_two();
    let mut worker = Setup::new(Start::CMain, Transport::Unix).spawn(ghc);
    worker.ready();
    let size = worker.stats().get("ring_size");
    assert_eq!(size, room.clamp(16 << 20, 256 << 20));
    assert!(worker.finish().success());
}

/// Flushes make no samples of the heap: with --no-automatic-heap-samples there are those
/// that somebody asked for, at once, and no others.
#[test]
fn beside_no_automatic_heap_samples() {
    let ghc = need!(ghc());
    need!(flushes_by_default(ghc));
    let mut worker = Setup::new(Start::Haskell, Transport::Unix)
        .rts("-hT")
        .rts("-i0.1")
        .rts("--no-automatic-heap-samples")
        .spawn(ghc);
    worker.ready();
    let samples = |bytes: &[u8]| {
        let stream = Stream::try_cut(bytes).expect("a stream");
        stream.count(HEAP_SAMPLE_BEGIN)
    };
    let mut client = worker.client();
    client.read_until_text("datb");
    worker.command("tick 25 100");
    client.read_until_text("tick 25.");
    assert_eq!(samples(&client.received), 0);
    client.send(&frame(BUILTIN, REQUEST_HEAP_CENSUS));
    client.read_until("the sample", |bytes| samples(bytes) == 1);
    worker.command("tick 25 100");
    worker.command("message after the sample");
    client.read_until_text("after the sample");
    assert_eq!(samples(&client.received), 1);
    assert!(worker.finish().success());
}
