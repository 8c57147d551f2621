//! Handlers that take their time, that ask the library, and that end the program: they
//! delay one another and nothing else.

use crate::support;

use std::process::ExitStatus;
use std::time::{Duration, Instant};
use support::commands::{BUILTIN, REQUEST_HEAP_CENSUS, frame, outcomes};
use support::ghc::{Ghc, ghc};
use support::process::ending;
use support::skip::need;
use support::worker::Setup;
use support::{
    Client, Collector, Commanded, Driver, LIMIT, Start, Stream, Transport, Worker, eventually,
};

const FLUSH_INTERVAL: (&str, &str) = ("GHC_EVENTLOG_FLUSH_INTERVAL", "50ms");

/// A worker with a command that waits for a release, in C or in Haskell, and a command
/// that does not wait.
fn worker_that_holds(ghc: &Ghc, setup: Setup, in_haskell: bool) -> Worker {
    let mut worker = setup.spawn(ghc);
    worker.ready();
    if in_haskell {
        worker.control_ok("namespace app");
        for command in [
            "command app 1 control hold",
            "command app 2 control note two",
        ] {
            let said = worker.command(command).concat();
            assert!(said.starts_with("command: 0 0"), "{said}");
        }
    } else {
        worker.handle("app", &[(1, "hold"), (2, "note two")]);
    }
    worker
}

/// While a handler waits, the stream and its flushes go on, clients come and go, and
/// commands queue up behind it.
#[test]
fn a_handler_that_waits_delays_commands_alone() {
    let ghc = need!(ghc());
    for (start, in_haskell) in [
        (Start::CMain, false),
        (Start::CMain, true),
        (Start::Haskell, true),
    ] {
        let setup = Setup::new(start, Transport::Unix).rts("-N2");
        let setup = setup.env(FLUSH_INTERVAL.0, FLUSH_INTERVAL.1);
        let mut worker = worker_that_holds(ghc, setup, in_haskell);
        let mut first = worker.client();
        first.read_until_text("datb");
        first.send(&[frame(b"app", 1), frame(b"app", 2)].concat());
        eventually(LIMIT, "both are received", || {
            worker.stats().get("commands_received") == 2
        });
        for round in 0..3 {
            let text = format!("meanwhile {round}");
            worker.command(&format!("message {text}"));
            first.read_until_text(&text);
        }
        Stream::cut(&first.leave());
        let mut second = worker.client();
        second.read_until_text("datb");
        worker.command("message for the second");
        second.read_until_text("for the second");
        second.send(&frame(b"app", 2));
        eventually(LIMIT, "all are received", || {
            worker.stats().get("commands_received") == 3
        });
        let what = format!("{start:?}, in Haskell: {in_haskell}");
        assert_eq!(outcomes(&worker.stats()), [0; 5], "{what}");
        let notes: Vec<_> = worker.notes();
        assert!(!notes.contains(&"two".into()), "{what}: {notes:?}");
        worker.control("release");
        let stats = worker.until_settled(3);
        assert_eq!(outcomes(&stats), [3, 0, 0, 0, 0], "{what}");
        let twos = worker.notes().iter().filter(|note| *note == "two").count();
        assert_eq!(twos, 2, "{what}");
        let collector = Collector::resume(second);
        assert!(worker.finish().success());
        Stream::complete(&collector.finish());
    }
}

/// More commands than can wait: those that came too late are dropped, and counted; when
/// there is room again, commands are run again.
#[test]
fn what_cannot_wait_is_dropped_and_counted() {
    let mut driver = Driver::logging(&[]);
    driver.handle("app", &[(1, "hold"), (2, "")]);
    let mut client = driver.served_client();
    client.send(&frame(b"app", 1));
    driver.until_noted(1);
    // Each takes at least its bytes but the magic: more than 64 KiB of them.
    const SENT: u64 = 50_000;
    client.send(&frame(b"app", 2).repeat(SENT as usize));
    eventually(LIMIT, "all are received", || {
        driver.stats().get("commands_received") == SENT + 1
    });
    let stats = driver.stats();
    let [run, .., dropped] = outcomes(&stats);
    assert_eq!(run, 0);
    assert!(dropped > 0 && dropped < SENT, "{stats:?}");
    driver.control("release");
    let stats = driver.until_settled(SENT + 1);
    assert_eq!(outcomes(&stats), [SENT + 1 - dropped, 0, 0, 0, dropped]);
    // As many as fit into 64 KiB were kept.
    assert!(SENT - dropped >= 64 * 1024 / 20, "{stats:?}");
    client.send(&frame(b"app", 2));
    let stats = driver.until_settled(SENT + 2);
    assert_eq!(outcomes(&stats)[4], dropped, "there is room again");
    assert_eq!(stats.get("bytes_garbage"), 0);
}

/// A census that was asked for before a handler that waits is not kept waiting by it.
#[test]
fn a_census_before_a_handler_is_made_before_it() {
    let ghc = need!(ghc());
    let setup = Setup::new(Start::CMain, Transport::Unix)
        .without_flushes()
        .rts("-hT")
        .rts("-i1000");
    let mut worker = worker_that_holds(ghc, setup, false);
    let mut client = worker.client();
    client.read_until_text("datb");
    client.send(&[frame(BUILTIN, REQUEST_HEAP_CENSUS), frame(b"app", 1)].concat());
    client.read_until("the sample", |bytes| {
        Stream::try_cut(bytes).is_ok_and(|stream| stream.count(165) == 1)
    });
    worker.until_noted(1);
    worker.control("release");
    worker.until_settled(2);
    assert!(worker.finish().success());
}

/// The functions of the library answer a handler: it holds no lock of theirs.
#[test]
fn handlers_may_ask() {
    let ghc = need!(ghc());
    for start in [Start::CMain, Start::Haskell] {
        let mut setup = Setup::new(start, Transport::Unix).without_flushes();
        let hook = "hook post ask";
        setup = match start {
            Start::CMain => setup.env("WORKER_CONTROL", hook),
            Start::Haskell => setup
                .start_with(&format!("control {hook}"))
                .command("start"),
        };
        let mut worker = setup.spawn(ghc);
        worker.ready();
        worker.handle("app", &[(1, "ask")]);
        worker.control_ok("hook pre ask");
        let mut client: Client = worker.client();
        client.read_until_text("datb");
        client.send(&frame(b"app", 1));
        worker.until_settled(1);
        drop(client);
        let notes = worker.until_noted(4);
        let asked = "asked 0 0 0";
        assert_eq!(notes, [asked, "app 1", asked, asked], "{start:?}");
        assert!(worker.finish().success());
    }
}

/// How a program is told to end.
#[derive(Debug, Clone, Copy)]
enum End {
    Return,
    Exit,
    Interrupt,
}

/// The RTS says so itself when it interrupts what is in it, or when its main thread
/// exits after another.
#[track_caller]
fn only_the_rts_complains(worker: &Worker, what: &str) {
    for line in worker.process.stderr().lines() {
        let of_rts = ["interrupted", "too many hs_exit()s"];
        let known = of_rts.iter().any(|end| line.ends_with(end));
        assert!(known, "{what}: {line}");
    }
}

/// A handler that would take forever does not keep a program from ending as it would
/// without: with its status, and with the rest of its log delivered.
#[test]
fn exits_during_a_handler() {
    let ghc = need!(ghc());
    let mut cases = Vec::new();
    for (start, in_haskell, end) in [
        (Start::CMain, false, End::Exit),
        (Start::CMain, true, End::Exit),
        (Start::CMain, true, End::Interrupt),
        (Start::Haskell, false, End::Interrupt),
        (Start::Haskell, true, End::Return),
        (Start::Haskell, true, End::Exit),
    ] {
        let setup = Setup::new(start, Transport::Unix)
            .without_flushes()
            .rts("-N2");
        let mut worker = setup.spawn(ghc);
        worker.ready();
        worker.control_ok("namespace app");
        // One that rests in Haskell's scheduler, or in a call.
        let said = match in_haskell {
            true => worker.command("command app 1 sleep 600000"),
            false => worker.control("command app 1 sleep 600000"),
        };
        assert!(said.concat().starts_with("command: 0 0"), "{said:?}");
        let mut client = worker.client();
        client.read_until_text("datb");
        client.send(&frame(b"app", 1).repeat(2));
        eventually(LIMIT, "they are received", || {
            worker.stats().get("commands_received") == 2
        });
        cases.push((start, in_haskell, end, worker, Collector::resume(client)));
    }
    // All at once: each takes the two seconds that a handler gets.
    for (_, _, end, worker, _) in &mut cases {
        worker.command("message the last words");
        match end {
            End::Return => worker.process.close_stdin(),
            End::Exit => worker.begin("exit 3"),
            End::Interrupt => worker.process.signal(libc::SIGINT),
        }
    }
    for (start, in_haskell, end, mut worker, collector) in cases {
        let what = format!("{start:?}, in Haskell: {in_haskell}, {end:?}");
        let status = worker.process.wait();
        let expected = match end {
            End::Return => "status 0",
            End::Exit => "status 3",
            End::Interrupt => "signal 2",
        };
        assert_eq!(
            ending(status),
            expected,
            "{what}: {}",
            worker.process.stderr()
        );
        only_the_rts_complains(&worker, &what);
        let bytes = collector.finish();
        assert!(
            Stream::complete(&bytes).has_message("the last words"),
            "{what}"
        );
        assert!(!worker.socket_path().exists(), "{what}");
    }
}

/// exit() on any thread has its status. When the RTS is shut down on a thread that is
/// not its main one, that one is interrupted and exits, too, with 252: the faster of the
/// two has its way, with the library and without.
#[track_caller]
fn expect_ending(status: ExitStatus, command: &str, what: &str) {
    let (verb, number) = command.split_once(' ').expect("a status");
    let ending = ending(status);
    let interrupted = verb == "shutdown" && ending == "status 252";
    assert!(
        interrupted || ending == format!("status {number}"),
        "{what}: {ending}"
    );
}

/// A handler may end the program: exit() past the RTS, or with it.
#[test]
fn handlers_that_exit() {
    let ghc = need!(ghc());
    for start in [Start::CMain, Start::Haskell] {
        for command in ["exit 5", "shutdown 6"] {
            let mut worker = Setup::new(start, Transport::Unix)
                .without_flushes()
                .rts("-N2")
                .spawn(ghc);
            worker.ready();
            worker.handle("app", &[(1, command)]);
            worker.control_ok("hook pre say ended %");
            worker.command("load 1 100");
            let mut client = worker.client();
            client.read_until_text("datb");
            client.send(&frame(b"app", 1).repeat(3));
            let collector = Collector::resume(client);
            let begun = Instant::now();
            let status = worker.process.wait();
            let what = format!("{start:?}, {command}");
            expect_ending(status, command, &what);
            // Nobody waits for himself: the handler that exits has the hooks called.
            let said: Vec<String> = std::iter::from_fn(|| worker.process.line()).collect();
            assert_eq!(said, ["ended 1"], "{what}");
            only_the_rts_complains(&worker, &what);
            assert!(begun.elapsed() < LIMIT / 2, "{what}");
            Stream::cut(&collector.finish());
            assert!(!worker.socket_path().exists(), "{what}");
        }
    }
}

/// The same without an RTS: exit() from a handler of a driver.
#[test]
fn handlers_that_exit_without_an_rts() {
    let mut driver = Driver::logging(&[]);
    driver.handle("app", &[(1, "exit 7")]);
    let mut client = driver.served_client();
    driver.quietly("chunk 0 text:before");
    client.send(&frame(b"app", 1));
    let bytes = client.read_to_end();
    assert_eq!(ending(driver.process.wait()), "status 7");
    assert!(Stream::complete(&bytes).has_message("before"));
    assert!(!driver.socket_path().exists());
}

/// An exception that a Haskell handler lets go ends the program, as GHC has it; it does
/// not hang.
#[test]
fn handlers_that_throw() {
    let ghc = need!(ghc());
    let mut worker = Setup::new(Start::CMain, Transport::Unix)
        .without_flushes()
        .spawn(ghc);
    worker.ready();
    worker.control_ok("namespace app");
    worker.command("command app 1 throw");
    let mut client = worker.client();
    client.read_until_text("datb");
    client.send(&frame(b"app", 1));
    let collector = Collector::resume(client);
    let status = worker.process.wait_for(Duration::from_secs(30));
    expect_ending(status, "shutdown 1", "an exception");
    let stderr = worker.process.stderr();
    assert!(stderr.contains("thrown as told"), "{stderr}");
    Stream::cut(&collector.finish());
}

/// A handler that is in Haskell when the RTS shuts down is ended by the RTS with
/// `pthread_exit`, which unwinds the calls that are under way: that of the loop in C that
/// called it, and none in Rust.
#[test]
fn no_rust_below_a_handler() {
    let ghc = need!(ghc());
    for start in [Start::CMain, Start::Haskell] {
        let mut worker = Setup::new(start, Transport::Unix)
            .without_flushes()
            .spawn(ghc);
        worker.ready();
        worker.handle("app", &[(1, "frames")]);
        let mut client = worker.client();
        client.read_until_text("datb");
        client.send(&frame(b"app", 1));
        no_rust_among_frames(&mut worker, &format!("a command, {start:?}"));
        // Registered while a log runs: it is called at once.
        worker.begin("control hook post frames");
        no_rust_among_frames(&mut worker, &format!("a hook, {start:?}"));
        drop(client);
        worker.process.kill();
    }
}

/// The next frames that are said, as places in the file of the program.
#[track_caller]
fn no_rust_among_frames(worker: &mut Worker, what: &str) {
    let mut lines = std::iter::from_fn(|| worker.process.line());
    let said = lines.find(|line| line.starts_with("frames: "));
    let said = said.expect("the handler's frames");
    let places = said.split(' ').skip(1);
    let output = std::process::Command::new("addr2line")
        .args(["-f", "-e", &format!("/proc/{}/exe", worker.process.pid())])
        .args(places)
        .output()
        .expect("addr2line");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // The name of a function, and its place in a source.
    let calls: Vec<&str> = text.lines().step_by(2).collect();
    assert_eq!(calls.last(), Some(&"call_handlers"), "{what}: {calls:?}");
    let rust = calls
        .iter()
        .find(|name| name.starts_with("_ZN") || name.starts_with("_R"));
    assert!(rust.is_none(), "{what}: {calls:?}");
}
