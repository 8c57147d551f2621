//! Commands, hooks and flushes at the edges: at the start, under pressure, in children,
//! and while an RTS exits.

use crate::support;

use std::time::{Duration, Instant};
use support::commands::{RTS, SYNC, frame, mark, outcomes};
use support::ghc::ghc;
use support::process::ending;
use support::skip::need;
use support::worker::Setup;
use support::{
    Build, Client, Collector, Commanded, Driver, LIMIT, Main, Start, Stream, Transport, eventually,
    in_some_attempt,
};

// ------------------------------------------------------- an RTS that exits --

/// A driver with the RTS of `exits.c`, which can be flushed and tells of its exit.
fn driver_that_exits(environment: &[(&str, &str)]) -> Driver {
    Driver::spawn_with(&["exits.c"], environment, |_| {})
}

/// While a flush is under way, the command of this number ends the RTS. A flush that
/// lasts so much longer is waited for: it is not inside when the exit goes on.
#[track_caller]
fn a_flush_during_the_exit(number: u8, lasts: &str) {
    // If the thread that flushes gets no processor for a second, it is inside for too long.
    in_some_attempt("no flush is inside", || try_a_flush(number, lasts));
}

fn try_a_flush(number: u8, lasts: &str) -> Result<(), String> {
    let mut driver = driver_that_exits(&[("FLUSH_SAYS", ""), ("FLUSH_UNTIL_EXIT", lasts)]);
    driver.listen();
    driver.start_log();
    driver.quietly("chunk 0 text:before");
    // A client that comes makes it flush.
    let mut client = driver.client();
    assert_eq!(driver.process.line().as_deref(), Some("flush"));
    client.send(&frame(b"exits", number));
    let inside = driver.process.line();
    assert_eq!(ending(driver.process.wait()), "status 0", "{number}");
    assert!(Stream::complete(&client.read_to_end()).has_message("before"));
    match inside.as_deref() {
        Some("flushes inside: 0") => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// A handler that does not return has two seconds. A flush has its own.
#[test]
fn the_exit_waits_for_a_flush_after_it_gave_a_handler_up() {
    a_flush_during_the_exit(1, "2800");
}

/// A handler cannot wait for itself. It can wait for a flush.
#[test]
fn the_exit_of_a_handler_waits_for_a_flush() {
    a_flush_during_the_exit(2, "700");
}

/// A handler that forks: there is nothing more to do in the child when it returns, and
/// the child ends. The parent goes on.
#[test]
fn a_child_that_returns_from_a_handler_ends() {
    let mut driver = driver_that_exits(&[]);
    driver.handle("app", &[(1, "")]);
    driver.listen();
    driver.start_log();
    let mut client = driver.served_client();
    client.send(&[frame(b"exits", 3), frame(b"app", 1)].concat());
    assert_eq!(driver.process.line().as_deref(), Some("child: 0"));
    let stats = driver.until_settled(2);
    assert_eq!(outcomes(&stats), [2, 0, 0, 0, 0]);
    assert_eq!(driver.notes(), ["app 1"]);
    driver.quietly("chunk 0 text:afterwards");
    client.read_until_text("afterwards");
    assert!(driver.finish().success());
}

/// What hooks log when the program is ready is taken out of the RTS's buffers, though
/// nobody is there yet: it comes first when somebody does.
#[test]
fn what_the_first_hooks_log_is_flushed() {
    let mut driver = driver_that_exits(&[]);
    driver.control_ok("hook post log begun");
    driver.listen();
    driver.start_log();
    eventually(LIMIT, "a flush", || driver.stats().get("flushes") > 0);
    assert_eq!(driver.stats().get("connections"), 0);
    assert!(driver.finish().success());
}

/// With the `block` policy, the mark of a sync waits for room like any chunk.
#[test]
fn a_mark_waits_for_room() {
    let mut driver = driver_that_exits(&[
        ("FLUSH_SAYS", ""),
        ("GHC_EVENTLOG_OVERFLOW", "block"),
        ("GHC_EVENTLOG_BUFFER_SIZE", "64K"),
        ("GHC_EVENTLOG_SNDBUF", "128K"),
    ]);
    driver.listen();
    driver.start_log();
    let mut client = driver.served_client();
    assert_eq!(driver.process.line().as_deref(), Some("flush"));
    // More than the ring and the socket hold, in chunks shorter than the mark: when one
    // of them waits for room, there is none for the mark.
    client.send(&frame(b"exits", 4));
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(driver.process.line_now(), None, "everything fits");
    client.send(&frame(RTS, SYNC));
    assert_eq!(driver.process.line().as_deref(), Some("flush"));
    // What does not wait would be lost by now.
    std::thread::sleep(Duration::from_millis(200));
    client.read_until_text(&mark(1));
    // The rest is read meanwhile.
    let collector = Collector::resume(client);
    assert_eq!(driver.process.line().as_deref(), Some("filled"));
    let stats = driver.until_settled(2);
    assert_eq!(outcomes(&stats), [2, 0, 0, 0, 0]);
    assert_eq!(stats.get("chunks_lost"), 0, "{stats:?}");
    driver.quietly("stop");
    let bytes = collector.finish();
    let stream = Stream::complete(&bytes);
    assert_eq!(stream.losses, []);
    assert!(stream.has_message(&mark(1)));
    assert!(driver.finish().success());
}

// ------------------------------------------------------ clients in a hurry --

/// A handler may wait for what main does after `ready`: that waits for hooks alone.
#[test]
fn ready_does_not_wait_for_commands() {
    let mut driver = Driver::listening(&[]);
    driver.handle("app", &[(1, "hold; note released")]);
    driver.control_ok("hook post note begun");
    let mut client = driver.client();
    client.send(&frame(b"app", 1));
    eventually(LIMIT, "the command is received", || {
        driver.stats().get("commands_received") == 1
    });
    driver.quietly("log");
    assert_eq!(driver.command("ready"), ["ready: 0 0"]);
    assert_eq!(driver.until_noted(2), ["begun", "app 1"]);
    driver.control("release");
    driver.until_settled(1);
    assert_eq!(driver.notes(), ["begun", "app 1", "released"]);
    assert!(driver.finish().success());
}

/// A hook is registered while a log runs, and its client leaves before the thread of the
/// handlers has time for either: the hook is told of that log. One that is registered
/// after the client has left is not.
#[test]
fn a_hook_of_a_log_whose_client_has_left() {
    let mut driver = Driver::listening(&[]);
    driver.handle("app", &[(1, "hold; note released")]);
    driver.start_log();
    let mut client = driver.served_client();
    client.send(&frame(b"app", 1));
    assert_eq!(driver.until_noted(1), ["app 1"]);
    driver.control_ok("hook post note begun");
    driver.control_ok("hook pre note ended");
    drop(client);
    driver.until_alone();
    driver.control("release");
    assert_eq!(
        driver.until_noted(4),
        ["app 1", "released", "begun", "ended"]
    );
    driver.control_ok("hook pre note late");
    let mut client = driver.served_client();
    driver.until_noted(5);
    client.send(b"?");
    drop(client);
    let notes = driver.until_noted(7);
    assert_eq!(notes[4..], ["begun", "ended", "late"]);
    assert!(driver.finish().success());
}

/// Two hundred that connect, send a command, and are gone at once.
#[track_caller]
fn clients_in_a_hurry(driver: &mut Driver, first: Option<Client>) {
    const HURRIED: u64 = 200;
    let served = u64::from(first.is_some());
    let address = driver.address();
    let hurried = std::thread::spawn(move || {
        for _ in 0..HURRIED {
            Client::connect(&address).send(&frame(b"app", 1));
        }
    });
    if let Some(first) = first {
        // As many as may queue up do so behind it.
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(driver.stats().get("commands_received"), 0);
        drop(first);
    }
    hurried.join().expect("they are let in");
    eventually(LIMIT, "all have come and gone", || {
        let stats = driver.stats();
        stats.get("connections") == HURRIED + served && stats.get("connected") == 0
    });
    let stats = driver.until_settled(HURRIED);
    assert_eq!(outcomes(&stats), [HURRIED, 0, 0, 0, 0]);
    assert_eq!(stats.get("bytes_garbage"), 0);
    assert_eq!(driver.notes().len() as u64, HURRIED);
}

#[test]
fn commands_of_clients_in_a_hurry() {
    let mut driver = Driver::logging(&[]);
    driver.handle("app", &[(1, "")]);
    clients_in_a_hurry(&mut driver, None);
    assert!(driver.finish().success());
}

#[test]
fn commands_of_clients_in_a_hurry_behind_another() {
    let mut driver = Driver::logging(&[]);
    driver.handle("app", &[(1, "")]);
    let first = driver.served_client();
    clients_in_a_hurry(&mut driver, Some(first));
    assert!(driver.finish().success());
}

// ------------------------------------------------------- in a GHC program --

/// Capabilities that were added while no log ran: the RTS cannot start one, and the
/// program is told.
#[test]
fn capabilities_that_were_added_before_a_log() {
    let ghc = need!(ghc());
    let setup = Setup::new(Start::Haskell, Transport::Unix).without_log();
    let setup = setup.start_with("capabilities 4").command("start");
    let mut worker = setup.spawn(ghc);
    let said = worker.ready();
    let [said] = &said[..] else {
        panic!("{said:?}");
    };
    assert!(said.starts_with("start: 1 0 "), "{said}");
    assert!(said.contains("capabilities"), "{said}");
    // The program goes on without streaming.
    assert_eq!(worker.command("print alive"), ["alive"]);
    assert!(worker.finish().success());
    assert_eq!(worker.process.stderr(), "");
}

/// Added while a log runs, be it the RTS's own or ours, they take part in it.
#[test]
fn capabilities_that_are_added_to_a_log() {
    let ghc = need!(ghc());
    for (log, before) in [(true, true), (true, false), (false, false)] {
        let mut setup = Setup::new(Start::Haskell, Transport::Unix);
        if !log {
            setup = setup.without_log();
        }
        let order = match before {
            true => ["capabilities 4", "start"],
            false => ["start", "capabilities 4"],
        };
        let setup = setup.start_with(order[0]).command(order[1]);
        let mut worker = setup.spawn(ghc);
        let what = format!("-l: {log}, {order:?}");
        assert_eq!(worker.ready(), ["start: 0 0 success"], "{what}");
        let collector = Collector::connect(&worker.address);
        collector.wait_for_text("datb");
        worker.command("log 4 100 50");
        assert!(worker.finish().success(), "{what}");
        assert_eq!(worker.process.stderr(), "", "{what}");
        let bytes = collector.finish();
        let stream = Stream::complete(&bytes);
        // Without -l, messages of the program are off like all other events.
        for logger in 0..4 {
            let expected: Vec<u64> = if log { (0..100).collect() } else { Vec::new() };
            assert_eq!(stream.numbers(logger), expected, "{what}: {logger}");
        }
    }
}

/// The signals that the thread of handlers, and the main thread, block; as soon as `holds`, because that thread is
/// there before it has set its mask.
fn blocked_signals(build: Build, holds: fn([u64; 2]) -> bool) -> Option<[u64; 2]> {
    let ghc = match ghc() {
        Ok(ghc) => ghc,
        Err(reason) => {
            support::skip::announce("blocked_signals", reason);
            return None;
        }
    };
    let mut worker = Setup::of(build, Transport::Unix).spawn(ghc);
    worker.ready();
    let pid = worker.process.pid();
    let (handlers, _) = worker.process.thread("eventlog-ctl");
    let masks = || {
        [handlers.to_string(), pid.to_string()].map(|task| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/task/{task}/status"));
            let status = status.expect("the status of a thread");
            let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
            u64::from_str_radix(mask.expect("SigBlk").trim(), 16).expect("a mask")
        })
    };
    let begun = Instant::now();
    while !holds(masks()) && begun.elapsed() < LIMIT {
        std::thread::sleep(Duration::from_millis(5));
    }
    let masks = masks();
    assert!(worker.finish().success());
    Some(masks)
}

/// Without -threaded, signals (the RTS's timer among them) interrupt the one thread of
/// the RTS, never that of handlers.
#[test]
fn signals_of_a_program_without_threads() {
    for main in [Main::Wrap, Main::Haskell] {
        let Some([handlers, program]) = blocked_signals(Build::new(main).non_threaded(), |_| true)
        else {
            return;
        };
        for signal in [libc::SIGVTALRM, libc::SIGALRM, libc::SIGINT, libc::SIGCHLD] {
            let bit = 1 << (signal - 1);
            assert_ne!(handlers & bit, 0, "{main:?}: signal {signal}");
            assert_eq!(program & bit, 0, "{main:?}: signal {signal} of the program");
        }
    }
}

/// With it, the thread has the program's mask: the RTS may make a worker from it.
#[test]
fn signals_of_a_program_with_threads() {
    for main in [Main::Wrap, Main::Haskell] {
        let Some([handlers, program]) = blocked_signals(Build::new(main), |[a, b]| a == b) else {
            return;
        };
        assert_eq!(handlers, program, "{main:?}: {handlers:x} {program:x}");
    }
}
