//! Hooks: told of every log once, in order, when it begins and when it ends.

use crate::support;

use std::time::Instant;
use support::commands::{FLUSH, RTS, frame};
use support::ghc::ghc;
use support::skip::need;
use support::worker::Setup;
use support::{
    Client, Collector, Commanded, Driver, LIMIT, Start, Stream, TempDir, Transport, Worker,
    eventually, exit_with_hooks,
};

/// The hooks of this program, registered before it starts streaming: from its C main
/// before init, or from Haskell before start.
fn with_hooks(start: Start, transport: Transport, hooks: &[&str]) -> Setup {
    let setup = Setup::new(start, transport).without_flushes();
    match start {
        Start::CMain => setup.env("WORKER_CONTROL", &hooks.join("\n")),
        Start::Haskell => {
            let mut hooks = hooks.iter().map(|hook| format!("control {hook}"));
            let setup = setup.start_with(&hooks.next().expect("a hook"));
            hooks
                .fold(setup, |setup, hook| setup.command(&hook))
                .command("start")
        }
    }
}

const BOTH: [Start; 2] = [Start::CMain, Start::Haskell];

/// Called when the RTS is ready, before the program goes on: before Haskell's main, or
/// before start returns. What the handler logs is the first client's.
#[test]
fn the_first_log_begins_when_the_rts_is_ready() {
    let ghc = need!(ghc());
    for start in BOTH {
        let hook = "hook post note begun; log begun %";
        let setup = with_hooks(start, Transport::Unix, &[hook]).rts("-N2");
        let mut worker = setup
            .command("control note main")
            .command("message the first of main")
            .spawn(ghc);
        worker.ready();
        assert_eq!(worker.notes(), ["begun", "main"], "{start:?}");
        let collector = Collector::connect(&worker.address);
        collector.wait_for_text("datb");
        assert!(worker.finish().success());
        let bytes = collector.finish();
        let stream = Stream::complete(&bytes);
        let texts: Vec<String> = stream.messages.iter().map(|event| event.text()).collect();
        assert!(texts.contains(&"begun 1".into()), "{start:?}: {texts:?}");
        assert!(!texts.contains(&"begun 2".into()), "{start:?}: {texts:?}");
        let time = |text: &str| {
            let event = stream.messages.iter().find(|event| event.text() == text);
            event.expect("the message").time
        };
        assert!(time("begun 1") < time("the first of main"), "{start:?}");
    }
}

/// Each client's stream has what the hook logged for it, and nothing for another.
#[test]
fn each_client_has_its_own() {
    let ghc = need!(ghc());
    for (start, transport) in [
        (Start::CMain, Transport::Tcp),
        (Start::Haskell, Transport::Unix),
    ] {
        let hooks = ["hook post log begun %."];
        let mut worker = with_hooks(start, transport, &hooks).rts("-N2").spawn(ghc);
        worker.ready();
        for round in 1..=5 {
            let mut client = worker.client();
            client.read_until_text(&format!("begun {round}."));
            // What comes next, if anything.
            worker.command(&format!("message round {round}"));
            let (before, next) = (worker.stats().get("connections"), round + 1);
            assert_eq!(before, round);
            let bytes = client.leave();
            let stream = Stream::cut(&bytes);
            for other in 1..=next {
                let there = stream.has_message(&format!("begun {other}."));
                assert_eq!(there, other == round, "{start:?}: {other} for {round}");
            }
        }
        assert!(worker.finish().success());
        assert_eq!(worker.process.stderr(), "");
    }
}

/// Registered while a client is there: called for its log, at once, and then as all
/// others. Registered while nobody is there: called for the next.
#[test]
fn hooks_that_come_later() {
    let ghc = need!(ghc());
    for start in BOTH {
        let mut worker = Setup::new(start, Transport::Unix)
            .without_flushes()
            .rts("-N2")
            .spawn(ghc);
        worker.ready();
        let mut client = worker.client();
        client.read_until_text("datb");
        worker.control_ok("hook post note one; log one %.");
        assert_eq!(worker.until_noted(1), ["one"], "{start:?}");
        client.read_until_text("one 1.");
        worker.control_ok("hook post note two");
        assert_eq!(worker.until_noted(2), ["one", "two"], "{start:?}");
        drop(client);
        eventually(LIMIT, "the leaving is noticed", || {
            worker.stats().get("connected") == 0
        });
        worker.control_ok("hook post note three");
        worker.command("sleep 100");
        assert_eq!(worker.notes().len(), 2, "{start:?}: a call without a log");
        let mut client = worker.client();
        client.read_until_text("one 2.");
        let notes = worker.until_noted(5);
        assert_eq!(notes, ["one", "two", "one", "two", "three"], "{start:?}");
        assert!(worker.finish().success());
    }
}

/// A hook that logs as much as fills the RTS's buffers, and one that flushes them: both
/// come back to the writer.
#[test]
fn hooks_that_fill_and_flush() {
    let ghc = need!(ghc());
    for start in BOTH {
        // 9.0 has no such function; commands flush it another way.
        let flush = if ghc.at_least(9, 2) { "flush" } else { "ask" };
        let hook = format!("hook post log before; {flush}; log after; {flush}; note done");
        let setup = with_hooks(start, Transport::Unix, &[&hook]).rts("-N2");
        let mut worker = setup.spawn(ghc);
        worker.ready();
        assert_eq!(worker.notes().last().map(String::as_str), Some("done"));
        let said = worker.command("hook post log 1 30000 100").concat();
        assert!(said.starts_with("hook: 0 0"), "{said}");
        let mut client = worker.client();
        client.send(&frame(RTS, FLUSH));
        client.read_until_text("c0 0000029999");
        let bytes = client.leave();
        let stream = Stream::cut(&bytes);
        assert!(stream.has_message("before") && stream.has_message("after"));
        let mut client = worker.client();
        client.read_until_text("c0 0000059999");
        Stream::cut(&client.leave());
        assert!(worker.finish().success());
        assert_eq!(worker.process.stderr(), "");
    }
}

/// In the order of their registration, those included that a hook registers.
#[test]
fn hooks_are_called_in_order() {
    let ghc = need!(ghc());
    for start in BOTH {
        let hooks = [
            "hook post note one; hook post note three",
            "hook post note two",
            "hook pre note minus one",
            "hook pre note minus two",
        ];
        let mut worker = with_hooks(start, Transport::Unix, &hooks).spawn(ghc);
        worker.ready();
        let first = ["one", "two", "three"];
        assert_eq!(worker.notes(), first, "{start:?}");
        let mut client = worker.client();
        client.read_until_text("datb");
        drop(client);
        let ends = ["minus one", "minus two"];
        let notes = worker.until_noted(5);
        assert_eq!(notes[3..], ends, "{start:?}");
        // The first has registered another one by then.
        let mut client: Client = worker.client();
        client.read_until_text("datb");
        let second = ["one", "two", "three", "three"];
        let notes = worker.until_noted(9);
        assert_eq!(notes[5..], second, "{start:?}");
        assert!(worker.finish().success());
    }
}

/// A handler is handed what it was registered with.
#[test]
fn hooks_have_their_data() {
    let mut driver = Driver::spawn(&[]);
    for number in 0..50 {
        driver.control_ok(&format!("hook post note data {number}"));
    }
    driver.listen();
    driver.start_log();
    let expected: Vec<String> = (0..50).map(|n| format!("data {n}")).collect();
    assert_eq!(driver.notes(), expected);
}

/// Begun, ended, begun, ended: whatever clients do.
#[track_caller]
fn check_pairs(notes: &[String], what: &str) {
    let pairs = notes
        .iter()
        .zip(["post", "pre"].iter().cycle())
        .all(|(note, expected)| note == expected);
    assert!(pairs, "{what}: {notes:?}");
}

#[test]
fn starts_and_ends_alternate_over_quick_reconnects() {
    let ghc = need!(ghc());
    for (start, transport) in [
        (Start::CMain, Transport::Unix),
        (Start::Haskell, Transport::Tcp),
    ] {
        let hooks = ["hook post note post", "hook pre note pre"];
        let mut worker = with_hooks(start, transport, &hooks).rts("-N2").spawn(ghc);
        worker.ready();
        worker.command("load 1 100");
        for round in 0..50 {
            let mut client = worker.client();
            match round % 3 {
                0 => {}
                1 => client.read_until_text("datb"),
                _ => client.read_bytes(50_000),
            }
        }
        eventually(LIMIT, "all have gone", || {
            let stats = worker.stats();
            stats.get("connections") == 50 && stats.get("connected") == 0
        });
        let what = format!("{start:?}, {transport:?}");
        check_pairs(&worker.notes(), &what);
        // The one who is here now has a log, and it has begun.
        let mut client = worker.client();
        client.read_until_text("datb");
        eventually(LIMIT, "the last log begins", || {
            worker.notes().last().map(String::as_str) == Some("post")
        });
        worker.command("unload");
        drop(client);
        eventually(LIMIT, "the last log ends", || {
            worker.notes().last().map(String::as_str) == Some("pre")
        });
        let notes = worker.notes();
        check_pairs(&notes, &what);
        assert!(notes.len() >= 4, "{what}: {notes:?}");
        assert!(worker.finish().success());
    }
}

/// Registered for both moments of a log that is over before a handler can be called:
/// told of both, or of none.
#[test]
fn no_end_without_a_start() {
    let mut driver = Driver::logging(&[]);
    driver.handle("app", &[(1, "hold")]);
    let mut client = driver.served_client();
    client.send(&frame(b"app", 1));
    driver.until_noted(1);
    driver.control_ok("hook post note post");
    driver.control_ok("hook pre note pre");
    drop(client);
    driver.until_alone();
    driver.control("release");
    driver.until_settled(1);
    let client = driver.served_client();
    eventually(LIMIT, "the next log begins", || {
        driver.notes().last().map(String::as_str) == Some("post")
    });
    drop(client);
    eventually(LIMIT, "it ends", || {
        driver.notes().last().map(String::as_str) == Some("pre")
    });
    check_pairs(&driver.notes()[1..], "after the command");
}

/// Registered while the log runs, and the program exits before the thread of the handlers
/// had time for it: told all the same.
#[test]
fn hooks_that_come_just_before_the_exit() {
    exit_with_hooks("the hooks are called", || {
        let mut driver = Driver::logging(&[]);
        driver.handle("app", &[(1, "sleep 500")]);
        let mut client = driver.served_client();
        client.send(&frame(b"app", 1));
        driver.until_noted(1);
        // On a busy machine the handler may have returned before that.
        let mut said = driver.control("hook post say post");
        said.extend(driver.control("hook pre say pre"));
        let begun = Instant::now();
        assert!(driver.finish().success());
        let took = begun.elapsed();
        said.extend(std::iter::from_fn(|| driver.process.line()));
        said.retain(|line| !line.starts_with("hook: 0 0 "));
        (took, move || assert_eq!(said, ["post", "pre"]))
    });
}

/// Without an RTS, too, and for a log that is ended and started again.
#[test]
fn hooks_of_a_program_without_an_rts() {
    let mut driver = Driver::spawn(&[]);
    driver.control_ok("hook post note post; log begun %");
    driver.control_ok("hook pre note pre; log ended %");
    driver.listen();
    driver.quietly("log");
    assert!(driver.notes().is_empty());
    assert_eq!(driver.command("ready"), ["ready: 0 0"]);
    assert_eq!(driver.notes(), ["post"]);
    let mut client = driver.client();
    client.read_until_text("begun 1");
    drop(client);
    assert_eq!(driver.until_noted(2)[1], "pre");
    let mut client = driver.client();
    client.read_until_text("begun 2");
    driver.quietly("stop");
    let bytes = client.read_to_end();
    let stream = Stream::complete(&bytes);
    assert!(!stream.has_message("begun 1") && !stream.has_message("ended 1"));
    assert_eq!(driver.until_noted(4)[2..], ["post", "pre"]);
    driver.quietly("log");
    let mut client = driver.client();
    client.read_until_text("begun 3");
    assert_eq!(driver.until_noted(5)[4], "post");
    assert!(driver.finish().success());
}

/// Somebody else ends the log, and starts it again.
#[test]
fn a_log_that_others_end() {
    let ghc = need!(ghc());
    let hooks = ["hook post note post", "hook pre note pre"];
    let mut worker: Worker = with_hooks(Start::CMain, Transport::Unix, &hooks).spawn(ghc);
    worker.ready();
    let collector = Collector::connect(&worker.address);
    collector.wait_for_text("datb");
    worker.command("message before the end");
    worker.control("end-logging");
    let bytes = collector.finish();
    assert!(Stream::complete(&bytes).has_message("before the end"));
    assert_eq!(worker.until_noted(2), ["post", "pre"]);
    assert_eq!(worker.control("start-logging"), ["started: 1"]);
    let collector = Collector::connect(&worker.address);
    collector.wait_for_text("datb");
    worker.command("message of a second log");
    assert_eq!(worker.until_noted(3)[2], "post");
    assert!(worker.finish().success());
    let bytes = collector.finish();
    assert!(Stream::complete(&bytes).has_message("of a second log"));
}

/// The program goes on when the hooks were told of the log that ran when the RTS became
/// ready: clients that come and go meanwhile have others, which it does not wait for.
#[test]
fn ready_does_not_wait_for_every_log() {
    const LOGS: usize = 10;
    let mut driver = Driver::spawn(&[]);
    driver.control_ok("hook post note begun; hold");
    driver.listen();
    driver.quietly("log");
    driver.quietly("ready-aside");
    driver.until_noted(1);
    let mut client = driver.served_client();
    for log in 1..=LOGS {
        // The next client's log has begun before the hook is through with this one's.
        drop(client);
        driver.until_alone();
        client = driver.served_client();
        driver.control("release");
        driver.until_noted(log + 1);
    }
    // The hook still holds the last one.
    assert_eq!(driver.command("join"), ["ready: 0 0"]);
    driver.control("release");
    drop(client);
    assert!(driver.finish().success());
}

/// The start of the log of a ring file, which the poll thread hears of late, is the start of
/// the one that the hooks were told of.
#[test]
fn the_log_of_a_ring_file_begins_once() {
    let dir = TempDir::new();
    let file = dir.join("ring");
    let file = file.to_str().expect("a plain path");
    let size = ("GHC_EVENTLOG_RING_FILE_SIZE", "1M");
    let mut driver = Driver::spawn(&[("GHC_EVENTLOG_RING_FILE", file), size]);
    driver.control_ok("hook post note post");
    driver.control_ok("hook pre note pre");
    assert_eq!(driver.command("init-none"), ["init: 0 0"]);
    eventually(LIMIT, "the poll thread sleeps", || {
        driver.stats().get("sleeps") > 0
    });
    // What wakes it is read that much later.
    driver.quietly("slow-read 1000");
    let sleeps = driver.stats().get("sleeps");
    driver.start_log();
    assert_eq!(driver.notes(), ["post"]);
    driver.quietly("slow-read 0");
    eventually(LIMIT, "the poll thread has heard of it", || {
        driver.stats().get("sleeps") > sleeps
    });
    driver.quietly("stop");
    assert_eq!(driver.until_noted(2), ["post", "pre"]);
    // Another log is another one.
    driver.quietly("log");
    assert_eq!(driver.until_noted(3), ["post", "pre", "post"]);
    assert!(driver.finish().success());
}
