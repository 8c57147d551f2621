//! The commands that a program registers: which it may, and that each is handed what
//! is its own.

use crate::support;

use support::commands::{frame, outcomes};
use support::ghc::ghc;
use support::skip::need;
use support::worker::Setup;
use support::{Build, Client, Commanded, Driver, Main, Start, Transport};

const OK: &str = "0 0";
const NO_SUPPORT: &str = "7 0";
const EXISTS: &str = "8 0";
/// ERR_SYS with EINVAL.
const INVALID: &str = "10 22";

/// What a command of `control.c` says last: "STATUS ERROR" of "WHAT: STATUS ERROR WORDS".
#[track_caller]
fn status(program: &mut impl Commanded, command: &str) -> String {
    let said = program.control(command);
    let last = said.last().unwrap_or_else(|| panic!("{command}: nothing"));
    let (_, status) = last.split_once(": ").expect("a status");
    let numbers: Vec<&str> = status.splitn(3, ' ').collect();
    numbers[..2].join(" ")
}

#[test]
fn two_hundred_and_fifty_six_commands() {
    let mut driver = Driver::logging(&[]);
    driver.control_ok("namespace app");
    assert!(driver.control("commands app").is_empty());
    let mut client = driver.served_client();
    let frames: Vec<u8> = (0..=255).flat_map(|n| frame(b"app", n)).collect();
    client.send(&frames);
    let stats = driver.until_settled(256);
    assert_eq!(outcomes(&stats), [256, 0, 0, 0, 0]);
    let expected: Vec<String> = (0..=255)
        .flat_map(|n| [format!("app {n}"), format!("data {n}")])
        .collect();
    assert_eq!(driver.notes(), expected);
}

#[test]
fn three_hundred_namespaces() {
    let mut driver = Driver::logging(&[]);
    assert!(driver.control("namespaces 1 300").is_empty());
    let mut client = driver.served_client();
    let numbers = || (1..=300).rev();
    let frames: Vec<u8> = numbers()
        .flat_map(|n| frame(format!("space-{n}").as_bytes(), 1))
        .collect();
    client.send(&frames);
    let stats = driver.until_settled(300);
    assert_eq!(outcomes(&stats), [300, 0, 0, 0, 0]);
    let expected: Vec<String> = numbers().map(|n| format!("space-{n} 1")).collect();
    assert_eq!(driver.notes(), expected);
    for taken in ["space-1", "space-200", "space-300"] {
        assert_eq!(status(&mut driver, &format!("namespace {taken}")), EXISTS);
    }
    assert_eq!(status(&mut driver, "namespace space-301"), OK);
}

/// A name is compared to its end.
#[test]
fn names_that_begin_like_others() {
    let mut driver = Driver::logging(&[]);
    for name in ["foo", "foo-bar", "fo", "foo-bar-baz", "f"] {
        driver.handle(name, &[(1, "")]);
    }
    let mut client = driver.served_client();
    let order = ["f", "foo-bar", "fo", "foo", "foo-bar-baz", "foo-bar"];
    for name in order {
        client.send(&frame(name.as_bytes(), 1));
    }
    for name in ["fooo", "foo-", "foo-bar-", "bar", "FOO"] {
        client.send(&frame(name.as_bytes(), 1));
    }
    let stats = driver.until_settled(11);
    assert_eq!(outcomes(&stats), [6, 5, 0, 0, 0]);
    assert_eq!(driver.notes(), order.map(|name| format!("{name} 1")));
}

/// Each thing once, also the two hundredth.
#[test]
fn what_is_taken_stays_taken() {
    let mut driver = Driver::logging(&[]);
    driver.handle("app", &[(7, "note the first")]);
    assert_eq!(status(&mut driver, "namespace app"), EXISTS);
    assert_eq!(status(&mut driver, "command app 7 note the second"), EXISTS);
    for own in ["eventlog-socket", "eventlog-socket-rts"] {
        assert_eq!(status(&mut driver, &format!("namespace {own}")), EXISTS);
    }
    // All but the seventh are made; that one is refused.
    let said = driver.control("commands app");
    assert_eq!(said.len(), 1, "{said:?}");
    for number in 0..256 {
        let command = format!("command app {number} note too late");
        assert_eq!(status(&mut driver, &command), EXISTS, "{number}");
    }
    // A name that is near one of the library's own is free.
    for free in [
        "eventlog-socket-",
        "eventlog",
        "eventlog-socket-rts2",
        "Eventlog-Socket",
    ] {
        assert_eq!(
            status(&mut driver, &format!("namespace {free}")),
            OK,
            "{free}"
        );
    }
    let mut client = driver.served_client();
    client.send(&frame(b"app", 7));
    client.send(&frame(b"app", 200));
    driver.until_settled(2);
    let notes = ["app 7", "the first", "app 200", "data 200"];
    assert_eq!(driver.notes(), notes);
}

#[test]
fn invalid_registrations() {
    let mut driver = Driver::spawn(&[]);
    let said = driver.control("invalid");
    let of = |what: &str| {
        let start = format!("{what}: ");
        let line = said.iter().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("no {what} in {said:?}"))
    };
    for what in [
        "no name",
        "no room",
        "empty",
        "NUL",
        "NUL at the end",
        "command of NULL",
        "command of nothing",
        "no hook handler",
        "unknown hook",
        "negative hook",
        "no handler",
    ] {
        assert!(of(what).starts_with(INVALID), "{what}: {}", of(what));
    }
    for what in ["out", "name of NULL", "name of nothing"] {
        assert_eq!(of(what), "0", "{what}");
    }
    // None of that has left anything locked.
    assert!(of("valid").starts_with(OK), "{said:?}");
    assert!(of("handler").starts_with(OK), "{said:?}");
    driver.control_ok("hook post note still working");
    driver.listen();
    driver.start_log();
    assert_eq!(driver.notes(), ["still working"]);
}

/// Bytes are bytes; 255 of them are a name.
#[test]
fn strange_names() {
    let mut driver = Driver::logging(&[]);
    let longest = "n".repeat(255);
    let names = [longest.as_str(), r"\xff\x01\xf0\x9e\x97\x8c\x00\x03"];
    driver.handle(names[0], &[(0, "")]);
    assert_eq!(
        status(&mut driver, &format!("namespace {}", names[1])),
        INVALID
    );
    let strange = r"\xff\x01\xf0\x9e\x97\x8c\x02\x03GCTL\x05";
    driver.handle(strange, &[(0xf0, "")]);
    let mut client = driver.served_client();
    client.send(&frame(b"\xff\x01\xf0\x9e\x97\x8c\x02\x03GCTL\x05", 0xf0));
    client.send(&frame(longest.as_bytes(), 0));
    client.send(&frame(&longest.as_bytes()[1..], 0));
    let stats = driver.until_settled(3);
    assert_eq!(outcomes(&stats), [2, 1, 0, 0, 0]);
    let expected = [format!("{strange} 240"), format!("{longest} 0")];
    assert_eq!(driver.notes(), expected);
}

/// A handler may register what it likes.
#[test]
fn registering_from_within_handlers() {
    let mut driver = Driver::logging(&[]);
    driver.handle(
        "app",
        &[
            (
                1,
                "namespace inner; command inner 1 note inside; command app 2 note own",
            ),
            (3, "hook post note begun; hook pre note ended"),
        ],
    );
    let mut client = driver.served_client();
    let sequence = [
        frame(b"app", 1),
        frame(b"inner", 1),
        frame(b"app", 2),
        frame(b"app", 3),
    ];
    client.send(&sequence.concat());
    let stats = driver.until_settled(4);
    assert_eq!(outcomes(&stats), [4, 0, 0, 0, 0]);
    let notes = driver.until_noted(7);
    let expected = [
        "app 1", "inner 1", "inside", "app 2", "own", "app 3", "begun",
    ];
    assert_eq!(notes, expected);
    drop(client);
    assert_eq!(driver.until_noted(8)[7], "ended");
}

/// A thread registers, commands come, the registry is asked: all at once.
#[test]
fn registering_while_commands_flow() {
    let mut driver = Driver::logging(&[]);
    driver.handle("app", &[(1, "ask")]);
    let mut client = driver.served_client();
    driver.control("aside 600");
    for _ in 0..40 {
        client.send(&frame(b"app", 1).repeat(50));
        client.send(&frame(b"aside-599", 2));
    }
    assert!(driver.control("join").is_empty());
    let stats = driver.until_settled(40 * 51);
    let [run, unknown, ..] = outcomes(&stats);
    assert_eq!(run + unknown, 40 * 51, "{stats:?}");
    assert!(run >= 2000, "{stats:?}");
    client.send(&[frame(b"aside-0", 0), frame(b"aside-599", 2)].concat());
    let stats = driver.until_settled(40 * 51 + 2);
    assert_eq!(outcomes(&stats)[0], run + 2);
    let notes = driver.notes();
    assert_eq!(notes[notes.len() - 2..], ["aside-0 0", "aside-599 2"]);
}

/// Before init, while clients come and go, and when they have gone.
#[test]
fn registering_at_any_time() {
    let mut driver = Driver::spawn(&[]);
    driver.handle("before", &[(1, "")]);
    driver.listen();
    driver.handle("listening", &[(1, "")]);
    driver.start_log();
    let mut client = driver.served_client();
    driver.handle("served", &[(1, "")]);
    client.send(&frame(b"before", 1));
    client.send(&frame(b"served", 1));
    driver.until_settled(2);
    drop(client);
    driver.until_alone();
    driver.handle("alone", &[(1, "")]);
    let mut client = driver.served_client();
    client.send(&frame(b"alone", 1));
    client.send(&frame(b"listening", 1));
    driver.until_settled(4);
    let expected = ["before 1", "served 1", "alone 1", "listening 1"];
    assert_eq!(driver.notes(), expected);
    driver.quietly("stop");
    assert_eq!(status(&mut driver, "namespace after"), OK);
    assert_eq!(status(&mut driver, "status"), OK);
}

// ------------------------------------------------------- with the RTS -----

/// Handlers in C and in Haskell, in one namespace.
#[test]
fn handlers_of_a_haskell_program() {
    let ghc = need!(ghc());
    for start in [Start::CMain, Start::Haskell] {
        let mut worker = Setup::new(start, Transport::Unix)
            .without_flushes()
            .rts("-N2")
            .spawn(ghc);
        worker.ready();
        worker.handle("app", &[(1, "log in C %")]);
        let said = worker.command("command app 2 message in Haskell");
        assert!(said.concat().starts_with("command: 0 0"), "{said:?}");
        let said = worker.command("command app 2 message too late");
        assert!(said.concat().starts_with("command: 8 0"), "{said:?}");
        let mut client: Client = worker.client();
        client.read_until_text("datb");
        for number in [1, 2, 1, 2] {
            client.send(&frame(b"app", number));
        }
        let stats = worker.until_settled(4);
        assert_eq!(outcomes(&stats), [4, 0, 0, 0, 0]);
        client.send(&frame(b"eventlog-socket-rts", 2));
        client.read_until_text("sync 1");
        let bytes = client.leave();
        let stream = support::Stream::cut(&bytes);
        // Each is in the buffer of some capability.
        let mut messages: Vec<_> = stream.messages.iter().collect();
        messages.sort_by_key(|event| event.time);
        let texts: Vec<String> = messages.iter().map(|event| event.text()).collect();
        let expected = [
            "in C 1",
            "in Haskell",
            "in C 2",
            "in Haskell",
            "eventlog-socket: sync 1",
        ];
        let said: Vec<_> = texts
            .iter()
            .filter(|text| expected.contains(&text.as_str()))
            .collect();
        assert_eq!(said, expected, "{start:?}");
        assert!(worker.finish().success());
    }
}

/// No thread but its own may enter such an RTS: it cannot have commands.
#[test]
fn programs_without_threads() {
    let ghc = need!(ghc());
    for main in [Main::Wrap, Main::Haskell] {
        let build = Build::new(main).non_threaded();
        let setup = Setup::of(build, Transport::Unix).without_flushes();
        let mut worker = setup.command("control namespace early").spawn(ghc);
        let said = worker.ready();
        let refused = said
            .last()
            .is_some_and(|l| l.starts_with("namespace: 7 0 "));
        assert!(refused, "{main:?}: {said:?}");
        assert_eq!(status(&mut worker, "namespace app"), NO_SUPPORT);
        let mut client = worker.client();
        client.read_until_text("datb");
        client.send(&[frame(b"app", 1), frame(b"early", 1)].concat());
        let stats = worker.until_settled(2);
        assert_eq!(outcomes(&stats), [0, 2, 0, 0, 0]);
        assert!(worker.finish().success());
        assert_eq!(worker.process.stderr(), "");
    }
}

/// Also when its C main asks before hs_init.
#[test]
fn programs_without_threads_ask_early() {
    let ghc = need!(ghc());
    let build = Build::new(Main::Wrap).non_threaded();
    let setup = Setup::of(build, Transport::Unix)
        .without_flushes()
        .env("WORKER_CONTROL", "namespace app");
    let mut worker = setup.spawn(ghc);
    let said = worker.ready();
    assert!(said[0].starts_with("namespace: 7 0 "), "{said:?}");
    assert!(worker.finish().success());
}
