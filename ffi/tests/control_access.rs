//! Whose commands are obeyed. Whoever may not is served all the same; what was asked
//! is counted.

use crate::support;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use support::build::c_program;
use support::commands::{FLUSH, REQUEST_HEAP_CENSUS, RTS, frame, older, outcomes};
use support::files::test_program;
use support::ghc::ghc;
use support::skip::need;
use support::worker::Setup;
use support::{Address, Client, Collector, Commanded, Driver, Running, Start, Stream, Transport};

const CONTROL: &str = "GHC_EVENTLOG_CONTROL";
const NOBODY: u32 = 65534;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    Obeyed,
    Denied,
}
use Answer::{Denied, Obeyed};

/// What becomes of a command of this client; it is served in any case.
#[track_caller]
fn answer(driver: &mut Driver, mut client: Client) -> Answer {
    client.send(&frame(b"app", 1));
    let stats = driver.until_settled(1);
    driver.quietly("chunk 0 text:served");
    client.read_until_text("served");
    match outcomes(&stats) {
        [1, 0, 0, 0, 0] => Obeyed,
        [0, 0, 0, 1, 0] => Denied,
        other => panic!("{other:?}"),
    }
}

/// The same for a driver in this environment, over both kinds of socket. `tuning` is
/// a value of EventlogSocketControl that the program sets itself.
#[track_caller]
fn answers(environment: &[(&str, &str)], tuning: Option<u8>) -> [Answer; 2] {
    answers_of(None, environment, tuning)
}

/// The same for a driver with this RTS.
#[track_caller]
fn answers_of(rts: Option<&str>, environment: &[(&str, &str)], tuning: Option<u8>) -> [Answer; 2] {
    [Transport::Unix, Transport::Tcp].map(|transport| {
        let mut driver = Driver::spawn(environment);
        if let Some(rts) = rts {
            driver.quietly(rts);
        }
        if let Some(whose) = tuning {
            let said = driver.command(&format!("obey {whose}"));
            assert_eq!(said, ["tuning: 0 0"]);
        }
        let address = match transport {
            Transport::Tcp => driver.listen_tcp(),
            Transport::Unix => {
                driver.listen();
                driver.address()
            }
        };
        driver.handle("app", &[(1, "")]);
        driver.start_log();
        answer(&mut driver, Client::connect(&address))
    })
}

#[test]
fn tcp_clients_are_not_obeyed_unless_asked_for() {
    assert_eq!(answers(&[], None), [Obeyed, Denied]);
}

#[test]
fn the_environment_says_whose_commands_are_obeyed() {
    assert_eq!(answers(&[(CONTROL, "on")], None), [Obeyed, Obeyed]);
    assert_eq!(answers(&[(CONTROL, "off")], None), [Denied, Denied]);
}

#[test]
fn so_does_the_program() {
    assert_eq!(answers(&[], Some(0)), [Obeyed, Denied]);
    assert_eq!(answers(&[], Some(1)), [Obeyed, Obeyed]);
    assert_eq!(answers(&[], Some(2)), [Denied, Denied]);
}

#[test]
fn the_environment_wins() {
    assert_eq!(answers(&[(CONTROL, "on")], Some(2)), [Obeyed, Obeyed]);
    assert_eq!(answers(&[(CONTROL, "off")], Some(1)), [Denied, Denied]);
}

/// A program may be built to obey over TCP, too. Whoever says otherwise wins.
#[test]
fn how_it_was_built_comes_last() {
    let built = Some("controlled-rts");
    assert_eq!(answers_of(built, &[], None), [Obeyed, Obeyed]);
    assert_eq!(answers_of(built, &[], Some(0)), [Obeyed, Denied]);
    assert_eq!(answers_of(built, &[], Some(2)), [Denied, Denied]);
    let off = [(CONTROL, "off")];
    assert_eq!(answers_of(built, &off, Some(1)), [Denied, Denied]);
    assert_eq!(answers_of(built, &off, None), [Denied, Denied]);
}

#[test]
fn a_tuning_out_of_range() {
    let mut driver = Driver::spawn(&[]);
    for whose in [3, 200] {
        let said = driver.command(&format!("obey {whose}"));
        assert_eq!(said, [format!("tuning: 10 {}", libc::EINVAL)]);
    }
}

#[test]
fn bad_values_in_the_environment() {
    for value in ["", "ON", "yes", "1", "unix", "on off"] {
        let mut driver = Driver::spawn(&[(CONTROL, value)]);
        let said = driver.try_to_listen();
        assert!(said.starts_with("init: 11 "), "{value:?}: {said}");
        assert!(!driver.socket_path().exists(), "{value:?}");
    }
}

/// The status of a bad value names the variable and the value.
#[test]
fn a_bad_value_is_named() {
    let ghc = need!(ghc());
    let setup = Setup::new(Start::Haskell, Transport::Unix).without_flushes();
    let mut worker = setup.env(CONTROL, "sometimes").spawn(ghc);
    let said = worker.ready().concat();
    assert!(said.starts_with("start: 11 "), "{said}");
    assert!(
        said.contains(CONTROL) && said.contains("sometimes"),
        "{said}"
    );
    assert!(worker.finish().success());
}

/// With an RTS: what is denied is not done.
#[test]
fn denied_commands_do_nothing() {
    let ghc = need!(ghc());
    for start in [Start::CMain, Start::Haskell] {
        let setup = Setup::new(start, Transport::Tcp)
            .without_flushes()
            .rts("-hT")
            .rts("-i1000");
        let mut worker = setup.spawn(ghc);
        worker.ready();
        worker.handle("app", &[(1, "log handled")]);
        let mut client = worker.client();
        client.read_until_text("datb");
        let frames = [
            frame(b"app", 1),
            frame(b"eventlog-socket", REQUEST_HEAP_CENSUS),
            frame(RTS, FLUSH),
            older(3),
            frame(b"nobody", 1),
        ];
        client.send(&frames.concat());
        let stats = worker.until_settled(5);
        assert_eq!(outcomes(&stats), [0, 0, 0, 5, 0]);
        assert!(worker.notes().is_empty());
        let collector = Collector::resume(client);
        worker.command("gc");
        assert!(worker.finish().success());
        assert_eq!(worker.process.stderr(), "");
        let bytes = collector.finish();
        let stream = Stream::complete(&bytes);
        assert_eq!(stream.count(162), 0, "a sample");
        assert!(!stream.has_message("handled"));
    }
}

fn require_root() -> Result<(), String> {
    // SAFETY: no arguments.
    match unsafe { libc::geteuid() } {
        0 => Ok(()),
        user => Err(format!("user {user} cannot become another one")),
    }
}

/// A driver that runs as this user, in a directory where it may listen.
fn driver_of(user: u32, environment: &[(&str, &str)]) -> Driver {
    let mut driver = Driver::spawn_as(environment, |command| {
        command.uid(user).gid(user);
    });
    let everybody = PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(driver.dir.path(), everybody).expect("a directory for all");
    driver.listen();
    driver.handle("app", &[(1, "")]);
    driver.start_log();
    driver
}

/// A client process of this user, which has sent a command.
fn sender_of(user: u32, path: &Path) -> Running {
    let sender = c_program(&test_program("sender.c"), "cc", &["-std=c11", "-Wall"]);
    let mut command = Command::new(sender);
    command.arg(path).uid(user).gid(user);
    let mut sender = Running::spawn(command);
    let bytes = frame(b"app", 1);
    let text = std::str::from_utf8(&bytes).expect("the magic is a character");
    sender.write_line(text);
    assert_eq!(sender.line(), Some(format!("sent as {user}")));
    sender
}

/// Behind the file of a socket may be whoever its permissions let in. Only the
/// program's own user is obeyed, and root.
#[test]
fn other_users_are_not_obeyed() {
    need!(require_root());
    for environment in [&[][..], &[(CONTROL, "on")]] {
        for (of_program, of_client, expected) in [
            (0, NOBODY, [0, 0, 0, 1, 0]),
            (NOBODY, NOBODY - 1, [0, 0, 0, 1, 0]),
            (NOBODY, NOBODY, [1, 0, 0, 0, 0]),
            (NOBODY, 0, [1, 0, 0, 0, 0]),
        ] {
            let mut driver = driver_of(of_program, environment);
            let path = driver.socket_path();
            let everybody = PermissionsExt::from_mode(0o666);
            std::fs::set_permissions(&path, everybody).expect("a socket for all");
            let sender = sender_of(of_client, &path);
            let stats = driver.until_settled(1);
            let what = format!("{environment:?}: {of_client} to {of_program}");
            assert_eq!(outcomes(&stats), expected, "{what}");
            assert_eq!(stats.get("connected"), 1, "{what}");
            drop(sender);
        }
    }
}

/// The next client is judged again.
#[test]
fn each_client_is_judged_by_itself() {
    need!(require_root());
    let mut driver = driver_of(0, &[]);
    let path = driver.socket_path();
    let everybody = PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(&path, everybody).expect("a socket for all");
    let sender = sender_of(NOBODY, &path);
    driver.until_settled(1);
    drop(sender);
    let mut client = Client::connect(&Address::Unix(path));
    client.send(&frame(b"app", 1));
    let stats = driver.until_settled(2);
    assert_eq!(outcomes(&stats), [1, 0, 0, 1, 0]);
}
