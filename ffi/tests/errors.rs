//! What can go wrong at the start is told by its status, leaves nothing behind,
//! and harms nobody.

use crate::support;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use support::build::probe;
use support::files::free_port;
use support::ghc::ghc;
use support::probe::{expect, run_probe, start_probe, status, text};
use support::skip::need;
use support::worker::Setup;
use support::{Address, Build, Collector, Driver, Main, Running, Stream, TempDir, Transport};

const OK: i32 = 0;
const RTS_NOSUPPORT: i32 = 1;
const ENV_NOADDR: i32 = 3;
const ENV_TOOLONG: i32 = 4;
const ENV_NOHOST: i32 = 5;
const ENV_NOPORT: i32 = 6;
const GAI: i32 = 9;
const SYS: i32 = 10;
const ENV_INVALID: i32 = 11;

const UNIX_PATH: &str = "GHC_EVENTLOG_UNIX_PATH";
const INET_HOST: &str = "GHC_EVENTLOG_INET_HOST";
const INET_PORT: &str = "GHC_EVENTLOG_INET_PORT";

/// In a directory that is not there, and that nobody can make.
const MISSING: &str = "/proc/missing/socket";

#[test]
fn no_address() {
    let lines = run_probe(&["from-env"], &[]);
    expect(&lines, "from_env", ENV_NOADDR, 0);
    assert!(lines.contains(&"untouched: 1".into()), "{lines:?}");
}

#[test]
fn half_an_address() {
    let lines = run_probe(&["from-env"], &[(INET_HOST, "localhost")]);
    expect(&lines, "from_env", ENV_NOPORT, 0);
    assert!(
        lines.contains(&"addr: inet 'localhost' ''".into()),
        "{lines:?}"
    );
    let lines = run_probe(&["from-env"], &[(INET_PORT, "4242")]);
    expect(&lines, "from_env", ENV_NOHOST, 0);
    assert!(lines.contains(&"addr: inet '' '4242'".into()), "{lines:?}");
}

#[test]
fn addresses_from_the_environment() {
    let unix = (UNIX_PATH, "/tmp/a.sock");
    let (host, port) = ((INET_HOST, "127.0.0.1"), (INET_PORT, "4242"));
    let lines = run_probe(&["from-env"], &[host, port]);
    expect(&lines, "from_env", OK, 0);
    assert!(
        lines.contains(&"addr: inet '127.0.0.1' '4242'".into()),
        "{lines:?}"
    );
    assert!(lines.contains(&"opts: 0 0 0".into()), "{lines:?}");
    // The path wins; anything at all means waiting.
    let lines = run_probe(
        &["from-env"],
        &[host, port, unix, ("GHC_EVENTLOG_WAIT", "0")],
    );
    expect(&lines, "from_env", OK, 0);
    assert!(
        lines.contains(&"addr: unix '/tmp/a.sock'".into()),
        "{lines:?}"
    );
    assert!(lines.contains(&"opts: 1 0 0".into()), "{lines:?}");
    let lines = run_probe(&["from-env"], &[unix, ("GHC_EVENTLOG_WAIT", "")]);
    assert!(lines.contains(&"opts: 1 0 0".into()), "{lines:?}");
}

#[test]
fn paths_that_are_too_long() {
    let dir = TempDir::new();
    let directory = text(dir.path());
    let of_length = |length: usize| {
        let name = "x".repeat(length - directory.len() - 1);
        format!("{directory}/{name}")
    };
    let longest = of_length(107);
    let lines = run_probe(&["env-init"], &[(UNIX_PATH, &longest)]);
    expect(&lines, "from_env", OK, 0);
    expect(&lines, "init", OK, 0);
    let too_long = of_length(108);
    let lines = run_probe(&["from-env"], &[(UNIX_PATH, &too_long)]);
    expect(&lines, "from_env", ENV_TOOLONG, 0);
    let told = format!("addr: unix '{too_long}'");
    assert!(lines.contains(&told), "{lines:?}");
    let lines = run_probe(&["init-unix", &too_long, "status"], &[]);
    expect(&lines, "init", SYS, libc::ENAMETOOLONG);
    let left = std::fs::read_dir(dir.path())
        .expect("the directory")
        .count();
    assert_eq!(left, 0, "something is left behind");
}

#[test]
fn bad_hosts_and_ports() {
    for (host, port) in [
        ("127.0.0.1", "no such service"),
        ("no host, surely", "4242"),
    ] {
        let lines = run_probe(&["init-tcp", host, port], &[]);
        let (code, error, words) = status(&lines, "init");
        assert_eq!(code, GAI, "{words}");
        assert_ne!(error, 0, "{words}");
        assert!(!words.is_empty());
    }
}

#[test]
fn occupied_port() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a listener");
    let port = listener
        .local_addr()
        .expect("an address")
        .port()
        .to_string();
    let lines = run_probe(&["init-tcp", "127.0.0.1", &port], &[]);
    expect(&lines, "init", SYS, libc::EADDRINUSE);
}

/// An error is not put down to the file of a start before it.
#[test]
fn an_occupied_port_after_an_occupied_path() {
    let mut driver = Driver::spawn(&[]);
    let path = driver.socket_path();
    let _server = UnixListener::bind(&path).expect("a socket");
    let why = driver
        .command(&format!("init-why {}", path.display()))
        .concat();
    assert!(why.contains(text(&path)), "{why}");
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = taken.local_addr().expect("its number").port();
    let why = driver.command(&format!("init-tcp-why {port}")).concat();
    let port_alone = format!("port {port}: already in use: somebody listens there");
    assert_eq!(why, port_alone);
    assert!(driver.finish().success());
}

/// A port is free again at once, also after a connection on it.
#[test]
fn ports_are_reused() {
    let port = free_port();
    for _ in 0..3 {
        let argument = port.to_string();
        let arguments = ["init-tcp", "127.0.0.1", &argument, "pause"];
        let mut probe = start_probe(&arguments, &[]);
        let lines = probe.lines_until("paused");
        expect(&lines, "init", OK, 0);
        let client = support::Client::connect(&Address::Tcp(port));
        probe.write_line("go on");
        assert!(probe.wait().success());
        drop(client);
    }
}

#[test]
fn numeric_and_empty_hosts() {
    for host in ["127.0.0.1", "localhost", "", "0.0.0.0"] {
        let lines = run_probe(&["init-tcp", host, "0", "stats"], &[]);
        expect(&lines, "init", OK, 0);
        let port = lines
            .iter()
            .find_map(|line| line.strip_prefix("inet_port: "));
        assert_ne!(port, Some("0"), "{host:?}");
        assert!(port.is_some(), "{host:?}");
    }
}

/// The socket of another process that lives is not taken from it.
#[test]
fn live_socket_of_another_process() {
    let dir = TempDir::new();
    let path = dir.join("socket");
    let listener = UnixListener::bind(&path).expect("a listener");
    let lines = run_probe(&["init-unix", text(&path)], &[]);
    expect(&lines, "init", SYS, libc::EADDRINUSE);
    UnixStream::connect(&path).expect("it still listens");
    drop(listener);
}

/// The same between two programs of ours: the second one runs on without.
#[test]
fn live_socket_of_another_program() {
    let dir = TempDir::new();
    let path = dir.join("socket");
    let arguments = ["init-unix", text(&path), "pause"];
    let mut first = start_probe(&arguments, &[]);
    expect(&first.lines_until("paused"), "init", OK, 0);
    let lines = run_probe(&["init-unix", text(&path), "status"], &[]);
    expect(&lines, "init", SYS, libc::EADDRINUSE);
    assert!(
        path.exists(),
        "the second program's exit took the first one's file"
    );
    UnixStream::connect(&path).expect("the first one still listens");
    first.write_line("go on");
    assert!(first.wait().success());
    assert!(!path.exists(), "the socket file is left");
}

#[test]
fn stale_socket() {
    let dir = TempDir::new();
    let path = dir.join("socket");
    drop(UnixListener::bind(&path).expect("a listener"));
    assert!(path.exists());
    let mut probe = start_probe(&["init-unix", text(&path), "pause"], &[]);
    expect(&probe.lines_until("paused"), "init", OK, 0);
    UnixStream::connect(&path).expect("it listens");
    probe.write_line("go on");
    assert!(probe.wait().success());
    assert!(!path.exists(), "the socket file is left");
}

#[test]
fn files_are_left_alone() {
    let dir = TempDir::new();
    let path = dir.join("precious");
    std::fs::write(&path, "data").expect("a file");
    let lines = run_probe(&["init-unix", text(&path)], &[]);
    expect(&lines, "init", SYS, libc::ENOTSOCK);
    assert_eq!(std::fs::read_to_string(&path).expect("the file"), "data");

    let link = dir.join("link");
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    let lines = run_probe(&["init-unix", text(&link)], &[]);
    let (code, _, words) = status(&lines, "init");
    assert_eq!(code, SYS, "a link: {words}");
    assert!(link.is_symlink(), "the link is gone");
    assert_eq!(std::fs::read_to_string(&path).expect("the file"), "data");

    let lines = run_probe(&["init-unix", text(dir.path())], &[]);
    let (code, _, words) = status(&lines, "init");
    assert_eq!(code, SYS, "a directory: {words}");
    assert!(dir.path().is_dir());
}

#[test]
fn missing_directory() {
    let lines = run_probe(&["init-unix", MISSING], &[]);
    expect(&lines, "init", SYS, libc::ENOENT);
}

#[test]
fn only_the_owner_may_connect() {
    let dir = TempDir::new();
    let path = dir.join("socket");
    let mut command = Command::new("sh");
    command.args(["-c", "umask 0; exec \"$@\"", "sh"]);
    command
        .arg(probe())
        .args(["init-unix", text(&path), "pause"]);
    let mut probe = Running::spawn(command);
    expect(&probe.lines_until("paused"), "init", OK, 0);
    let mode = std::fs::metadata(&path)
        .expect("the socket file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
    probe.write_line("go on");
    assert!(probe.wait().success());
}

/// At the exit the path may lead to something else: that stays.
#[test]
fn what_took_the_place_of_the_socket_stays() {
    let dir = TempDir::new();
    let path = dir.join("socket");
    for file in [true, false] {
        let mut probe = start_probe(&["init-unix", text(&path), "pause"], &[]);
        expect(&probe.lines_until("paused"), "init", OK, 0);
        std::fs::remove_file(&path).expect("the socket file");
        let listener = if file {
            std::fs::write(&path, "data").expect("a file");
            None
        } else {
            Some(UnixListener::bind(&path).expect("a listener"))
        };
        probe.write_line("go on");
        assert!(probe.wait().success());
        assert!(path.exists(), "file: {file}: it was deleted");
        drop(listener);
        std::fs::remove_file(&path).expect("still there");
    }
}

#[test]
fn bad_values_in_the_environment() {
    let dir = TempDir::new();
    let path = dir.join("socket");
    for (name, values) in [
        (
            "GHC_EVENTLOG_BUFFER_SIZE",
            &["abc", "12Q", "-1", "1K", "8G", "1.5M", "K"][..],
        ),
        (
            "GHC_EVENTLOG_OVERFLOW",
            &["maybe", "block:", "block:soon", "block:5", "DROP"],
        ),
        (
            "GHC_EVENTLOG_EXIT_TIMEOUT",
            &["soon", "-1s", "5 minutes", "s"],
        ),
        (
            "GHC_EVENTLOG_FLUSH_INTERVAL",
            &["often", "-1s", "ms", "0x10ms"],
        ),
        ("GHC_EVENTLOG_STALL_TIMEOUT", &["never", "30", "-1s"]),
        ("GHC_EVENTLOG_SNDBUF", &["big", "-5", "7Q"]),
    ] {
        for value in values {
            let environment = [(UNIX_PATH, text(&path)), (name, value)];
            let lines = run_probe(&["env-init"], &environment);
            let (code, _, words) = status(&lines, "init");
            assert_eq!(code, ENV_INVALID, "{name}={value}: {words}");
            assert!(words.contains(name), "{name}={value}: {words}");
            assert!(words.contains(value), "{name}={value}: {words}");
            assert!(!path.exists(), "{name}={value}: the socket is there");
        }
    }
}

#[test]
fn good_values_in_the_environment() {
    let dir = TempDir::new();
    let path = dir.join("socket");
    for (name, value) in [
        ("GHC_EVENTLOG_BUFFER_SIZE", "64K"),
        ("GHC_EVENTLOG_BUFFER_SIZE", "4194304"),
        ("GHC_EVENTLOG_OVERFLOW", "drop"),
        ("GHC_EVENTLOG_OVERFLOW", "block"),
        ("GHC_EVENTLOG_OVERFLOW", "block:50ms"),
        ("GHC_EVENTLOG_OVERFLOW", "block:2s"),
        ("GHC_EVENTLOG_EXIT_TIMEOUT", "0"),
        ("GHC_EVENTLOG_EXIT_TIMEOUT", "250ms"),
        ("GHC_EVENTLOG_EXIT_TIMEOUT", "2s"),
        ("GHC_EVENTLOG_FLUSH_INTERVAL", "0"),
        ("GHC_EVENTLOG_FLUSH_INTERVAL", "100ms"),
        ("GHC_EVENTLOG_STALL_TIMEOUT", "0"),
        ("GHC_EVENTLOG_STALL_TIMEOUT", "1m"),
        ("GHC_EVENTLOG_SNDBUF", "1M"),
    ] {
        let environment = [(UNIX_PATH, text(&path)), (name, value)];
        let lines = run_probe(&["env-init"], &environment);
        let (code, _, words) = status(&lines, "init");
        assert_eq!(code, OK, "{name}={value}: {words}");
    }
}

#[test]
fn starting_twice() {
    let dir = TempDir::new();
    let (one, two) = (dir.join("one"), dir.join("two"));
    let lines = run_probe(&["init-unix", text(&one), "init-unix", text(&two)], &[]);
    let statuses: Vec<&String> = lines
        .iter()
        .filter(|line| line.starts_with("init: "))
        .collect();
    assert!(statuses[0].starts_with("init: 0 0 "), "{lines:?}");
    let again = format!("init: {SYS} {} ", libc::EALREADY);
    assert!(statuses[1].starts_with(&again), "{lines:?}");
    assert!(!two.exists());
    let arguments = ["init-unix", text(&one), "tuning", "65536", "0"];
    let lines = run_probe(&arguments, &[]);
    expect(&lines, "set_tuning", SYS, libc::EALREADY);
}

/// After an error nothing is left, and it can be tried again.
#[test]
fn trying_again() {
    let dir = TempDir::new();
    let good = dir.join("good");
    let arguments = [
        "init-unix",
        MISSING,
        "init-tcp",
        "127.0.0.1",
        "no such service",
        "status",
        "wait",
        "init-unix",
        text(&good),
        "status",
        "pause",
    ];
    let mut probe = start_probe(&arguments, &[]);
    let lines = probe.lines_until("paused");
    let statuses: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("init: "))
        .map(|rest| rest.split(' ').next().unwrap_or_default())
        .collect();
    assert_eq!(statuses, ["10", "9", "0"], "{lines:?}");
    expect(&lines, "wait", SYS, libc::ENOTCONN);
    UnixStream::connect(&good).expect("it listens");
    probe.write_line("go on");
    assert!(probe.wait().success());
    assert!(!good.exists());
}

#[test]
fn nothing_started() {
    let lines = run_probe(&["wait", "stats", "status", "discard", "wait"], &[]);
    expect(&lines, "wait", SYS, libc::ENOTCONN);
    expect(&lines, "stats", SYS, libc::ENOTCONN);
    expect(&lines, "status", OK, 0);
    assert!(lines.contains(&"written: 1".into()), "{lines:?}");
}

#[test]
fn bad_arguments() {
    let lines = run_probe(&["nulls"], &[]);
    assert!(lines.contains(&"defaults: 0 0 0".into()), "{lines:?}");
    for what in [
        "from_env NULL",
        "init NULL",
        "start NULL",
        "init no path",
        "init empty path",
        "init bad tag",
        "init no port",
        "tuning NULL",
        "stats NULL",
    ] {
        expect(&lines, what, SYS, libc::EINVAL);
    }
}

#[test]
fn tuning_out_of_range() {
    let dir = TempDir::new();
    for (size, overflow) in [("1024", "0"), ("8589934592", "0"), ("65536", "7")] {
        let lines = run_probe(&["tuning", size, overflow], &[]);
        expect(&lines, "set_tuning", SYS, libc::EINVAL);
        assert!(
            lines.contains(&"tuning: 16777216 0 0 2000 0".into()),
            "{lines:?}"
        );
    }
    let path = dir.join("socket");
    let arguments = ["tuning", "100000", "1", "init-unix", text(&path), "stats"];
    let lines = run_probe(&arguments, &[]);
    expect(&lines, "set_tuning", OK, 0);
    assert!(lines.contains(&"ring_size: 131072".into()), "{lines:?}");
    // The environment wins.
    let lines = run_probe(&arguments, &[("GHC_EVENTLOG_BUFFER_SIZE", "1M")]);
    assert!(lines.contains(&"ring_size: 1048576".into()), "{lines:?}");
}

/// Every status has words; those of the system are the system's.
#[test]
fn statuses_in_words() {
    let lines = run_probe(&["codes"], &[]);
    let mut words: Vec<&str> = lines
        .iter()
        .map(|line| line.splitn(4, ' ').nth(3).unwrap_or(""))
        .collect();
    assert_eq!(words.len(), 15);
    let system = words[11];
    assert!(system.contains("No such file or directory"), "{system}");
    for (word, line) in words.iter().zip(&lines) {
        assert!(!word.is_empty() && *word != "(null)", "{line}");
    }
    // Known ones are told apart.
    words = words[1..13].to_vec();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), 12, "{lines:?}");
}

/// The first generation has no statuses: they are asked for.
#[test]
fn older_names() {
    let dir = TempDir::new();
    let good = dir.join("good");
    let lines = run_probe(&["old-unix", MISSING, "status"], &[]);
    expect(&lines, "status", SYS, libc::ENOENT);
    let lines = run_probe(&["old-tcp", "127.0.0.1", "no such service", "status"], &[]);
    assert_eq!(status(&lines, "status").0, GAI, "{lines:?}");
    let mut probe = start_probe(&["old-unix", text(&good), "status", "pause"], &[]);
    expect(&probe.lines_until("paused"), "status", OK, 0);
    UnixStream::connect(&good).expect("it listens");
    probe.write_line("go on");
    assert!(probe.wait().success());
    // No RTS to start: it says so, and stays up.
    let lines = run_probe(&["old-start-unix", text(&good), "status"], &[]);
    expect(&lines, "status", RTS_NOSUPPORT, 0);
    let lines = run_probe(&["old-start-tcp", "127.0.0.1", "0", "status"], &[]);
    expect(&lines, "status", RTS_NOSUPPORT, 0);
}

#[test]
fn no_rts_to_start() {
    let dir = TempDir::new();
    let path = dir.join("socket");
    let lines = run_probe(&["start-unix", text(&path)], &[]);
    expect(&lines, "start", RTS_NOSUPPORT, 0);
    assert!(!path.exists());
}

/// A child of fork cannot start, nor take anything from its parent.
#[test]
fn in_a_child() {
    let dir = TempDir::new();
    let (path, childs) = (dir.join("socket"), dir.join("child"));
    let arguments = ["init-unix", text(&path), "forked", text(&childs), "pause"];
    let mut probe = start_probe(&arguments, &[]);
    let lines = probe.lines_until("paused");
    expect(&lines, "child init", SYS, libc::EOPNOTSUPP);
    assert!(path.exists(), "the child took the socket file");
    UnixStream::connect(&path).expect("it listens");
    probe.write_line("go on");
    assert!(probe.wait().success());
    assert!(!path.exists());
}

/// What would keep the RTS from taking our writer is asked before anything is made: the
/// program can try again.
#[test]
fn a_start_that_cannot_attach_leaves_nothing() {
    let mut driver = Driver::spawn(&[]);
    let socket = driver.socket_path();
    let start = format!("start {}", text(&socket));
    driver.quietly("unable-rts");
    for _ in 0..2 {
        assert_eq!(
            driver.command(&start),
            [format!("start: {RTS_NOSUPPORT} 0")]
        );
        assert!(!socket.exists());
    }
    driver.quietly("able-rts");
    assert_eq!(driver.command(&start), [format!("start: {OK} 0")]);
    assert!(socket.exists());
    assert_eq!(
        driver.command(&start),
        [format!("start: {SYS} {}", libc::EALREADY)]
    );
    // One that runs is not asked again.
    driver.quietly("unable-rts");
    assert_eq!(
        driver.command(&start),
        [format!("start: {SYS} {}", libc::EALREADY)]
    );
    assert!(driver.finish().success());
}

// ------------------------------------------------------- with the RTS -----

/// A bad address: the program runs as if nothing had been asked, and a C main
/// says on stderr why it is not watched.
#[test]
fn haskell_programs_run_on() {
    let ghc = need!(ghc());
    let bad = Address::Unix(MISSING.into());
    for main in [Main::Wrap, Main::Haskell, Main::Older] {
        let setup = Setup::of(Build::new(main), Transport::Unix).at(&bad);
        let mut worker = setup.command("log 1 100 100").spawn(ghc);
        let said = worker.ready();
        if main == Main::Haskell {
            expect(&said, "start", SYS, libc::ENOENT);
        }
        worker.command("log 1 60000 100");
        worker.command("gc");
        let status = worker.finish();
        let stderr = worker.process.stderr();
        assert!(status.success(), "{main:?}: {status}: {stderr}");
        if main == Main::Wrap {
            assert!(stderr.contains("No such file or directory"), "{stderr}");
        } else {
            assert_eq!(stderr, "", "{main:?}");
        }
    }
}

/// The same with nothing in the environment at all.
#[test]
fn no_address_for_a_c_main() {
    let ghc = need!(ghc());
    let setup = Setup::of(Build::new(Main::Wrap), Transport::Tcp);
    let setup = setup
        .env(INET_HOST, "127.0.0.1")
        .env(INET_PORT, "no such service");
    let mut worker = setup.env("GHC_EVENTLOG_WAIT", "1").spawn(ghc);
    // A wait for a client that cannot come would be forever.
    worker.ready();
    assert!(worker.finish().success());
    assert!(
        worker.process.stderr().contains("without streaming"),
        "{}",
        worker.process.stderr()
    );
}

#[test]
fn bad_values_for_haskell_programs() {
    let ghc = need!(ghc());
    let setup = Setup::of(Build::new(Main::Haskell), Transport::Unix);
    let mut worker = setup.env("GHC_EVENTLOG_BUFFER_SIZE", "huge").spawn(ghc);
    let said = worker.ready();
    let (code, _, words) = status(&said, "start");
    assert_eq!(code, ENV_INVALID, "{words}");
    assert!(
        words.contains("GHC_EVENTLOG_BUFFER_SIZE") && words.contains("huge"),
        "{words}"
    );
    assert!(worker.finish().success());
}

#[test]
fn starting_a_haskell_program_twice() {
    let ghc = need!(ghc());
    for main in [Main::Wrap, Main::Haskell] {
        let setup = Setup::of(Build::new(main), Transport::Unix);
        let mut worker = setup.command("start").command("start").spawn(ghc);
        let collector = Collector::connect(&worker.address);
        let said = worker.ready();
        let again = format!("start: {SYS} {} ", libc::EALREADY);
        assert!(
            said[said.len() - 1].starts_with(&again),
            "{main:?}: {said:?}"
        );
        worker.command("message once");
        collector.wait_for_text("datb");
        assert!(worker.finish().success());
        Stream::complete(&collector.finish());
    }
}

/// Without -l, or before the RTS of 9.4 without -eventlog, there is no log to
/// stream; the program runs.
#[test]
fn programs_without_a_log() {
    let ghc = need!(ghc());
    for main in [Main::Wrap, Main::Haskell] {
        let mut worker = Setup::of(Build::new(main), Transport::Unix)
            .without_log()
            .spawn(ghc);
        let said = worker.ready();
        assert!(said.len() <= 1, "{said:?}");
        worker.command("log 1 1000 100");
        let mut client = support::Client::try_connect(&worker.address);
        worker.command("sleep 100");
        let status = worker.finish();
        assert!(
            status.success(),
            "{main:?}: {status}: {}",
            worker.process.stderr()
        );
        if let Ok(client) = &mut client {
            client.read_until_quiet(std::time::Duration::from_millis(200));
            Stream::cut(&client.received);
        }
    }
}
