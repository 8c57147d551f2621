//! What the library does to the program that it is part of: whom it keeps waiting,
//! and what it leaves behind.

use crate::support;

use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};
use support::ghc::ghc;
use support::skip::need;
use support::worker::Setup;
use support::{
    Build, Client, Collector, Driver, LIMIT, Main, Stream, Transport, alone, eventually,
};

const BUFFER_SIZE: &str = "GHC_EVENTLOG_BUFFER_SIZE";
const OVERFLOW: &str = "GHC_EVENTLOG_OVERFLOW";
const FLUSH_INTERVAL: &str = "GHC_EVENTLOG_FLUSH_INTERVAL";

/// ERR_SYS with ENOTCONN, of a wait.
const NOBODY_CAN_COME: &str = "wait: 10 107";
/// ERR_SYS with EADDRINUSE, of an init.
const IN_USE: &str = "init: 10 98";

/// Exits of a program with an OnExitHook of its own, flushed as often as possible
/// with a client there. None hangs, and the hook has run.
fn exits_with_an_own_hook(main: Main, exits: usize) {
    let ghc = need!(ghc());
    let _alone = alone();
    let mut build = Build::new(main);
    build.parts.push("own_exit_hook.c");
    for exit in 1..=exits {
        let mut worker = Setup::of(build.clone(), Transport::Unix)
            .rts("-N2")
            .env(FLUSH_INTERVAL, "1ms")
            .spawn(ghc);
        worker.ready();
        let collector = Collector::connect(&worker.address);
        collector.wait_for_text("datb");
        worker.command("log 2 100 100");
        let status = worker.finish_within(Duration::from_secs(20));
        assert!(status.success(), "exit {exit}: {status}");
        let said: Vec<String> = std::iter::from_fn(|| worker.process.line()).collect();
        assert_eq!(said, ["own exit hook"], "exit {exit}");
        Stream::complete(&collector.finish());
    }
}

/// A program that starts streaming from Haskell and has an exit hook of its own
/// exits, with that hook, as it would without the library.
#[test]
fn own_exit_hook_start_from_haskell() {
    exits_with_an_own_hook(Main::Haskell, 15);
}

/// The same with a C main, where the library sets an exit hook, too.
#[test]
fn own_exit_hook_c_main() {
    exits_with_an_own_hook(Main::Wrap, 5);
}

/// The socket of a log that has ended is gone and stays away, also when the start
/// of that log had not been dealt with.
#[test]
fn short_log_leaves_no_socket() {
    let mut driver = Driver::spawn(&[]);
    driver.quietly("slow-accept 300");
    driver.listen();
    let _client = driver.client();
    driver.quietly("await-accept");
    driver.quietly("log");
    driver.quietly("stop");
    let ended = Instant::now();
    while ended.elapsed() < Duration::from_millis(500) {
        assert!(
            !driver.socket_path().exists(),
            "there {:?} after the end",
            ended.elapsed()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(driver.finish().success());
}

/// With the block policy, too, nobody waits for a client that is not served yet:
/// it makes no room.
#[test]
fn nobody_waits_for_a_client_that_is_not_served() {
    let mut driver = Driver::listening(&[(BUFFER_SIZE, "64K"), (OVERFLOW, "block")]);
    let client = driver.client();
    eventually(LIMIT, "it is taken", || {
        driver.stats().get("connected") == 1
    });
    driver.quietly("log");
    for _ in 0..8 {
        driver.quietly("chunk 0 fill:20000");
    }
    let lost = driver.stats().get("chunks_lost");
    assert!(lost > 0, "they fit");
    assert_eq!(driver.command("ready"), ["ready: 0 0"]);
    let collector = Collector::resume(client);
    driver.quietly("stop");
    let bytes = collector.finish();
    assert_eq!(Stream::complete(&bytes).lost_chunks(), lost);
}

/// Writing a chunk leaves errno alone, also when it waits for nothing: whoever is
/// interrupted by it may look at errno next.
#[test]
fn writing_leaves_errno_alone() {
    let sndbuf = ("GHC_EVENTLOG_SNDBUF", "128K");
    let mut driver = Driver::logging(&[(BUFFER_SIZE, "64K"), (OVERFLOW, "block:5ms"), sndbuf]);
    let _client = driver.served_client();
    for _ in 0..20 {
        driver.quietly("chunk 0 fill:30000"); // the driver looks at errno
    }
    assert!(driver.stats().get("chunks_lost") > 0);
}

/// A wait that begins when the log has ended says that nobody can come.
#[test]
fn wait_after_the_end_returns() {
    let mut driver = Driver::logging(&[]);
    driver.quietly("stop");
    assert_eq!(driver.command("wait"), [NOBODY_CAN_COME]);
}

/// A wait that is under way when the log ends says that nobody can come.
#[test]
fn wait_returns_when_the_log_ends() {
    let mut driver = Driver::logging(&[]);
    driver.quietly("wait-aside");
    std::thread::sleep(Duration::from_millis(100));
    driver.quietly("stop");
    assert_eq!(driver.command("join"), [NOBODY_CAN_COME]);
}

/// A wait after the RTS has refused the writer, and another start, say that.
#[test]
fn calls_after_a_failed_start_tell_its_reason() {
    let mut driver = Driver::spawn(&[]);
    driver.quietly("refusing-rts");
    driver.listen();
    assert_eq!(driver.command("ready"), ["ready: 2 0"]);
    assert_eq!(driver.command("wait"), ["wait: 2 0"]);
    assert_eq!(driver.try_to_listen(), "init: 2 0");
    let path = driver.socket_path();
    let start = format!("start {}", path.display());
    assert_eq!(driver.command(&start), ["start: 2 0"]);
    assert_eq!(driver.command("obey 1"), ["tuning: 2 0"]);
    assert!(driver.finish().success());
    assert!(!path.exists());
}

/// Whoever says again that the RTS is ready, when it has refused the writer, is told the
/// same; so is whoever asks how it goes.
#[test]
fn a_failed_start_is_told_again() {
    let mut driver = Driver::spawn(&[]);
    driver.quietly("refusing-rts");
    driver.listen();
    assert_eq!(driver.command("status"), ["status: 0 0"]);
    for _ in 0..3 {
        assert_eq!(driver.command("ready"), ["ready: 2 0"]);
        assert_eq!(driver.command("status"), ["status: 2 0"]);
        assert_eq!(driver.command("control-status"), ["control-status: 2 0"]);
    }
    assert!(driver.finish().success());
}

/// Two threads say it at the same time: both are told what came of it.
#[test]
fn two_starts_at_once_are_told_the_same() {
    let mut driver = Driver::spawn(&[]);
    driver.quietly("slowly-refusing-rts");
    driver.listen();
    driver.quietly("ready-aside");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(driver.command("ready"), ["ready: 2 0"]);
    assert_eq!(driver.command("join"), ["ready: 2 0"]);
    assert!(driver.finish().success());
}

/// A wait after the log was started again waits for a client again.
#[test]
fn wait_in_a_second_log_waits() {
    let mut driver = Driver::logging(&[]);
    driver.quietly("stop");
    driver.quietly("log");
    driver.quietly("wait-aside");
    std::thread::sleep(Duration::from_millis(100));
    let _client = driver.served_client();
    assert_eq!(driver.command("join"), ["wait: 0 0"]);
}

/// Of two programs that start at the same time where a stale socket is, one has
/// the place and is reached there, and the other is told so.
#[test]
fn one_of_two_starters_gets_the_place() {
    let mut first = Driver::spawn(&[]);
    let mut second = Driver::spawn(&[]);
    let path = first.socket_path();
    drop(UnixListener::bind(&path).expect("a stale socket"));
    let init = format!("init {}", path.display());
    first.quietly("slow-listen 300");
    first.begin(&init);
    assert_eq!(first.process.line().as_deref(), Some("about to listen"));
    assert_eq!(second.command(&init), [IN_USE]);
    assert_eq!(first.end(), ["init: 0 0"]);

    first.quietly("log");
    assert_eq!(first.command("ready"), ["ready: 0 0"]);
    let mut client = Client::try_connect(&first.address()).expect("somebody listens");
    client.read_until_text("datb");
    assert!(first.finish().success());
    assert!(second.finish().success());
}

/// The high-water mark says how full the ring was, while it is and when it is
/// empty again, also if nobody but the writers was at work when it filled up.
#[test]
fn high_water_is_what_was_in_use() {
    let mut driver = Driver::logging(&[(BUFFER_SIZE, "1M")]);
    while driver.stats().get("chunks_lost") == 0 {
        driver.quietly("chunk 0 fill:100000");
    }
    let full = driver.stats().get("ring_high_water");
    let size = driver.stats().get("ring_size");
    assert!((size - 110_000..=size).contains(&full), "{full} of {size}");

    let mut client = driver.client();
    client.read_bytes(900_000);
    assert_eq!(driver.stats().get("ring_high_water"), full);
}
