//! A system that interrupts, fails and is short of everything: streams stay whole, the
//! program goes on, and what could not be started leaves nothing behind.

use crate::support;

use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::commands::{FLUSH, RTS, frame};
use support::ghc::ghc;
use support::skip::need;
use support::worker::Setup;
use support::{
    Client, Collector, Commanded, Driver, LIMIT, Start, Stream, TempDir, Transport, Worker, alone,
    eventually,
};

/// Signals to the process and to each of our threads, as fast as they go. The threads
/// are alive in the end, and neither a byte nor a command was lost.
#[test]
fn signals_to_every_thread() {
    let ghc = need!(ghc());
    let _alone = alone();
    for start in [Start::CMain, Start::Haskell] {
        let setup = Setup::new(start, Transport::Unix).rts("-N2");
        let setup = setup
            .env("GHC_EVENTLOG_OVERFLOW", "block")
            .env("GHC_EVENTLOG_FLUSH_INTERVAL", "20ms");
        let mut worker: Worker = setup.spawn(ghc);
        worker.ready();
        worker.handle("app", &[(1, "")]);
        assert_eq!(worker.control("interrupts"), ["interrupts: 0"]);
        let mut client = worker.client();
        client.read_until_text("datb");

        let process = worker.process.pid() as libc::c_long;
        let threads = ["eventlog-poll", "eventlog-ctl", "eventlog-flush"]
            .map(|name| libc::c_long::from(worker.process.thread(name).0));
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let signals = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                for thread in [process].iter().chain(&threads) {
                    // SAFETY: a system call without pointers; the process is ours and
                    // has not been waited for.
                    unsafe { libc::syscall(libc::SYS_tgkill, process, *thread, libc::SIGUSR1) };
                }
                std::thread::sleep(Duration::from_micros(200));
            }
        });
        let mut sender = client.sender();
        let collector = Collector::resume(client);
        worker.begin("log 2 40000 100");
        for _ in 0..50 {
            sender
                .write_all(&[frame(b"app", 1), frame(RTS, FLUSH)].concat())
                .expect("it reads");
            std::thread::sleep(Duration::from_millis(2));
        }
        worker.end();
        let stats = worker.until_settled(100);
        assert_eq!(stats.get("commands_run"), 100);
        stop.store(true, Ordering::Relaxed);
        signals.join().expect("signals");
        let handled = worker.control("interrupts").concat();
        assert_ne!(handled, "interrupts: 0", "no signal came through");
        assert!(worker.control("status").concat().starts_with("status: 0 0"));
        assert!(worker.finish().success(), "{}", worker.process.stderr());
        let bytes = collector.finish();
        let stream = Stream::complete(&bytes);
        for logger in 0..2 {
            let whole = stream.numbers(logger) == (0..40_000).collect::<Vec<_>>();
            assert!(whole, "{start:?}: messages of logger {logger}");
        }
    }
}

/// The messages "TEXT N" of a stream, N from 0, without a gap.
#[track_caller]
fn check_numbered(bytes: &[u8], count: usize) {
    let stream = Stream::complete(bytes);
    let texts = stream.messages.iter().map(|event| event.text());
    let numbered: Vec<String> = texts.filter(|text| text.starts_with("n:")).collect();
    let expected: Vec<String> = (0..count).map(|n| format!("n:{n}")).collect();
    assert_eq!(numbered, expected);
    assert!(stream.losses.is_empty(), "{:?}", stream.losses);
}

/// The system works again; it did not before.
#[track_caller]
fn end_troubles(driver: &mut Driver) {
    let said = driver.command("no-trouble").concat();
    let count = said.strip_prefix("troubles: ").map(str::parse::<u32>);
    assert!(matches!(count, Some(Ok(1..))), "{said}");
}

/// Sends that are interrupted, fail for lack of memory, or send but a part: of a header,
/// of a marker, of a second piece, one that goes around the end of the ring among them.
#[test]
fn sends_that_fail_for_a_moment() {
    let small = [
        ("GHC_EVENTLOG_BUFFER_SIZE", "64K"),
        ("GHC_EVENTLOG_OVERFLOW", "block"),
    ];
    check_flaky_sends(&[], 50_000, 40, 9);
    // Its chunks are smaller than the longest part.
    check_flaky_sends(&small, 5_000, 200, 8);
}

#[track_caller]
fn check_flaky_sends(environment: &[(&str, &str)], half: usize, count: usize, places: usize) {
    let mut driver = Driver::logging(environment);
    driver.quietly("flaky-sendmsg");
    let client = driver.served_client();
    // A writer that has to wait for room waits for a client that reads.
    let collector = Collector::resume(client);
    for number in 0..count {
        driver.quietly(&format!("chunk 0 fill:{half} text:n:{number} fill:{half}"));
    }
    // Several to a send.
    for number in count..count + 400 {
        driver.quietly(&format!("chunk 0 text:n:{number}"));
    }
    let count = count + 400;
    collector.wait_for_text(&format!("n:{}", count - 1));
    assert_eq!(
        driver.command("places-cut"),
        [format!("places-cut: {places}")]
    );
    end_troubles(&mut driver);
    let stats = driver.stats();
    for counter in [
        "calls_interrupted",
        "sends_deferred",
        "sends_full",
        "sends_partial",
    ] {
        assert!(stats.get(counter) > 0, "{counter}");
    }
    driver.quietly("stop");
    check_numbered(&collector.finish(), count);
    assert!(driver.finish().success());
}

/// A writer that cannot wake the poll thread writes all the same.
#[test]
fn wake_ups_that_fail() {
    let mut driver = Driver::logging(&[]);
    let mut client = driver.served_client();
    let mut count = 0;
    // It sleeps, and so is woken, when it has done what there is to do at first.
    eventually(LIMIT, "a wake-up fails", || {
        driver.quietly("fail-write");
        for _ in 0..3 {
            driver.quietly(&format!("chunk {} text:n:{count}", count % 3));
            count += 1;
        }
        driver.command("no-trouble") != ["troubles: 0"]
    });
    assert!(driver.stats().get("wakeups_failed") > 0);
    driver.quietly("stop");
    check_numbered(&client.read_to_end(), count);
    assert!(driver.finish().success());
    assert_eq!(driver.process.stderr(), "");
}

/// Options of a socket are wishes.
#[test]
fn options_that_cannot_be_set() {
    for transport in [Transport::Unix, Transport::Tcp] {
        let mut driver = Driver::spawn(&[("GHC_EVENTLOG_SNDBUF", "128K")]);
        driver.quietly("linger 1");
        let address = match transport {
            Transport::Tcp => driver.listen_tcp(),
            Transport::Unix => {
                driver.listen();
                driver.address()
            }
        };
        driver.quietly("fail-setsockopt");
        driver.start_log();
        for _ in 0..3 {
            let mut client = Client::connect(&address);
            client.read_until_text("datb");
        }
        let mut client = Client::connect(&address);
        client.read_until_text("datb");
        driver.quietly("chunk 0 text:n:0");
        // Each client's SO_SNDBUF; over TCP five options more.
        let of_each = if transport == Transport::Tcp { 6 } else { 1 };
        eventually(LIMIT, "all were accepted", || {
            driver.stats().get("options_failed") == 4 * of_each
        });
        end_troubles(&mut driver);
        driver.command("stop");
        check_numbered(&client.read_to_end(), 1);
        assert!(driver.finish().success());
    }
}

/// The client's socket lingers as long as was wished, at the end of its stream.
#[test]
fn lingering() {
    for (seconds, expected) in [("3", "linger: 1 3"), ("0", "linger: 0 0")] {
        for transport in [Transport::Unix, Transport::Tcp] {
            let mut driver = Driver::spawn(&[]);
            driver.quietly(&format!("linger {seconds}"));
            let address = match transport {
                Transport::Tcp => driver.listen_tcp(),
                Transport::Unix => {
                    driver.listen();
                    driver.address()
                }
            };
            driver.start_log();
            let mut client = Client::connect(&address);
            client.read_until_text("datb");
            assert_eq!(driver.command("stop"), [expected], "{transport:?}");
            Stream::complete(&client.read_to_end());
            assert!(driver.finish().success());
        }
    }
}

/// Starts that fail, over and over, use nothing up.
#[test]
fn failed_starts_leave_nothing() {
    let dir = TempDir::new();
    let taken = dir.join("taken");
    let _listener = UnixListener::bind(&taken).expect("a listener");
    let file = dir.join("file");
    std::fs::write(&file, "data").expect("a file");
    let mut driver = Driver::spawn(&[]);
    let fail = |driver: &mut Driver| {
        for (command, errno) in [
            ("init /proc/missing/socket".into(), libc::ENOENT),
            (format!("init {}", taken.display()), libc::EADDRINUSE),
            (format!("init {}", file.display()), libc::ENOTSOCK),
            (format!("init {}", "x".repeat(200)), libc::ENAMETOOLONG),
        ] {
            let said = driver.command(&command);
            assert_eq!(said, [format!("init: 10 {errno}")], "{command}");
        }
        let said = driver.command("init-tcp no-such-service").concat();
        assert!(said.starts_with("init: 9 "), "{said}");
    };
    fail(&mut driver);
    let before = driver.process.descriptors();
    for _ in 0..25 {
        fail(&mut driver);
    }
    assert_eq!(driver.process.descriptors(), before);
    driver.listen();
    driver.start_log();
    driver.served_client();
    assert!(driver.finish().success());
}

/// A ring that memory does not suffice for is an error, and nothing else.
#[test]
fn rings_that_do_not_fit() {
    for (size, expected) in [
        ("2G", format!("init: 10 {}", libc::ENOMEM)),
        ("4M", "init: 0 0".to_owned()),
    ] {
        let environment = [("GHC_EVENTLOG_BUFFER_SIZE", size)];
        let mut driver = Driver::spawn_as(&environment, |command| {
            let limit = libc::rlimit {
                rlim_cur: 1 << 30,
                rlim_max: 1 << 30,
            };
            // SAFETY: setrlimit is async-signal-safe; the struct is the closure's own.
            unsafe {
                command.pre_exec(move || match libc::setrlimit(libc::RLIMIT_AS, &limit) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                });
            }
        });
        assert_eq!(driver.try_to_listen(), expected, "{size}");
        assert_eq!(driver.socket_path().exists(), expected == "init: 0 0");
        assert!(driver.finish().success());
        assert_eq!(driver.process.stderr(), "");
    }
}
