//! Addresses that are wrong say which part of them is, and where it was asked for; ports that
//! the system chooses are told.

use crate::support;

use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use support::TempDir;
use support::probe::{expect, run_probe, start_probe, status, text};

const OK: i32 = 0;
const GAI: i32 = 9;
const SYS: i32 = 10;

const UNIX_PATH: &str = "GHC_EVENTLOG_UNIX_PATH";
const INET_HOST: &str = "GHC_EVENTLOG_INET_HOST";
const INET_PORT: &str = "GHC_EVENTLOG_INET_PORT";
const PORT_FILE: &str = "GHC_EVENTLOG_PORT_FILE";
const LOCAL: (&str, &str) = (INET_HOST, "127.0.0.1");

/// What an init says of the address in this environment.
#[track_caller]
fn refusal(environment: &[(&str, &str)]) -> String {
    let lines = run_probe(&["env-init"], environment);
    expect(&lines, "from_env", OK, 0);
    let (code, _, words) = status(&lines, "init");
    assert_ne!(code, OK, "{lines:?}");
    words.to_owned()
}

/// The C library takes all of these for numbers, and 16 bits of each.
#[test]
fn numbers_that_are_no_port() {
    for port in ["99999", "65536", "-1", "+80", " 80", "4294967376", "."] {
        let lines = run_probe(&["init-tcp", "127.0.0.1", port], &[]);
        let (code, error, words) = status(&lines, "init");
        assert_eq!((code, error), (GAI, libc::EAI_SERVICE), "{port}: {words}");
        let said = format!("port {port}: neither a number from 0 to 65535 nor ");
        assert!(words.starts_with(&said), "{words}");
    }
}

/// Of host and port only the one that is wrong is named, with its variable.
#[test]
fn the_part_that_is_wrong_is_named() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a listener");
    let taken = listener.local_addr().expect("an address").port();
    let taken = taken.to_string();
    for (host, port, named) in [
        (
            "127.0.0.1",
            "99999",
            "port 99999 (GHC_EVENTLOG_INET_PORT): ",
        ),
        (
            "no such host",
            "no such service",
            "port no such service (GHC_EVENTLOG_INET_PORT): ",
        ),
        (
            "no such host",
            "4242",
            "host no such host (GHC_EVENTLOG_INET_HOST): ",
        ),
        (
            "192.0.2.1",
            "0",
            "host 192.0.2.1 (GHC_EVENTLOG_INET_HOST): not an address of this machine",
        ),
        (
            "127.0.0.1",
            &taken,
            &format!("port {taken} (GHC_EVENTLOG_INET_PORT): already in use"),
        ),
        (
            "127.0.0.1",
            "",
            "port \"\" (GHC_EVENTLOG_INET_PORT): neither a number",
        ),
    ] {
        let words = refusal(&[(INET_HOST, host), (INET_PORT, port)]);
        assert!(words.starts_with(named), "{words}");
        // From code it is no variable's.
        let lines = run_probe(&["init-tcp", host, port], &[]);
        let plain = named.replacen(" (GHC_EVENTLOG_INET_PORT)", "", 1);
        let plain = plain.replacen(" (GHC_EVENTLOG_INET_HOST)", "", 1);
        let words = status(&lines, "init").2;
        assert!(words.starts_with(&plain), "{words}");
    }
}

#[test]
fn the_variable_of_a_path_is_named() {
    let dir = TempDir::new();
    let (file, lives) = (dir.join("file"), dir.join("lives"));
    std::fs::write(&file, "words").expect("a file");
    let _listener = UnixListener::bind(&lives).expect("a listener");
    for (path, words) in [
        (text(&file), "not a socket"),
        (text(&lives), "already in use"),
        ("/proc/missing/socket", "No such file or directory"),
    ] {
        let said = refusal(&[(UNIX_PATH, path)]);
        let start = format!("socket {path} (GHC_EVENTLOG_UNIX_PATH): ");
        assert!(said.starts_with(&start) && said.contains(words), "{said}");
    }
    // What else is in the environment has nothing to do with it.
    let good = dir.join("good");
    let size = ("GHC_EVENTLOG_BUFFER_SIZE", "lots");
    let said = refusal(&[(UNIX_PATH, text(&good)), size]);
    assert!(said.starts_with("GHC_EVENTLOG_BUFFER_SIZE: "), "{said}");
    assert!(!said.contains(UNIX_PATH), "{said}");
}

#[test]
fn half_an_address_is_named_with_its_value() {
    for (variable, value, lacks) in [
        (INET_PORT, "4242", "GHC_EVENTLOG_INET_HOST is not set"),
        (INET_HOST, "some.where", "GHC_EVENTLOG_INET_PORT is not set"),
    ] {
        let lines = run_probe(&["from-env"], &[(variable, value)]);
        let words = status(&lines, "from_env").2;
        let said = words.contains(&format!("{value} ({variable}): {lacks}"));
        assert!(said, "{words}");
    }
}

/// The file has the port that the system has chosen when the start returns, and is gone at
/// the end.
#[test]
fn chosen_ports_are_told() {
    let dir = TempDir::new();
    let file = dir.join("made/port");
    let chosen = [LOCAL, (INET_PORT, "0"), (PORT_FILE, text(&file))];
    for before in [None, Some("12345\n"), Some("")] {
        if let Some(before) = before {
            std::fs::write(&file, before).expect("a port file");
        }
        let mut probe = start_probe(&["env-init", "stats", "pause"], &chosen);
        let lines = probe.lines_until("paused");
        expect(&lines, "init", OK, 0);
        let told = std::fs::read_to_string(&file).expect("the port file");
        let port: u16 = told.trim_end().parse().expect("a port");
        assert_eq!(told, format!("{port}\n"));
        assert!(lines.contains(&format!("inet_port: {port}")), "{lines:?}");
        TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        probe.write_line("go on");
        assert!(probe.wait().success());
        let left = std::fs::read_dir(dir.join("made")).expect("the directory");
        assert_eq!(left.count(), 0);
    }
}

/// A Unix socket has no port to be told.
#[test]
fn no_port_no_file() {
    let dir = TempDir::new();
    let (socket, file) = (dir.join("socket"), dir.join("port"));
    let both = [(UNIX_PATH, text(&socket)), (PORT_FILE, text(&file))];
    let mut probe = start_probe(&["env-init", "pause"], &both);
    expect(&probe.lines_until("paused"), "init", OK, 0);
    assert!(!file.exists());
    probe.write_line("go on");
    assert!(probe.wait().success());
}

/// What is not a port file is not replaced; one that cannot be made is an error.
#[test]
fn port_files_that_cannot_be() {
    let dir = TempDir::new();
    let (precious, link) = (dir.join("precious"), dir.join("link"));
    std::fs::write(&precious, "123456").expect("a file");
    std::os::unix::fs::symlink(&precious, &link).expect("a link");
    for (path, errno, reason) in [
        (text(&precious), libc::EEXIST, "not a port file"),
        (text(&link), libc::EEXIST, "not a port file"),
        (text(dir.path()), libc::EEXIST, "not a port file"),
        ("/proc/missing/port", libc::ENOENT, "No such file"),
    ] {
        let chosen = [LOCAL, (INET_PORT, "0"), (PORT_FILE, path)];
        let lines = run_probe(&["env-init"], &chosen);
        expect(&lines, "init", SYS, errno);
        let words = status(&lines, "init").2;
        let start = format!("port file {path} (GHC_EVENTLOG_PORT_FILE): ");
        assert!(
            words.starts_with(&start) && words.contains(reason),
            "{words}"
        );
    }
    assert_eq!(std::fs::read(&precious).expect("the file"), b"123456");
    assert!(link.is_symlink());
    let left = std::fs::read_dir(dir.path()).expect("the directory");
    assert_eq!(left.count(), 2);
}
