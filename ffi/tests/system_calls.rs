//! Each system call of the library fails, a few times or for good, as Linux may have it
//! fail: streams stay whole or end, the next client is served, every failure is
//! counted, and nothing spins.

use crate::support;

use std::time::{Duration, Instant};
use support::{Client, Driver, LIMIT, Stats, Stream, alone, eventually, within};

/// The messages "n:N" of a stream, N from `from`, without a gap.
#[track_caller]
fn check_numbered(bytes: &[u8], from: usize, to: usize) {
    let stream = Stream::try_cut(bytes).expect("a stream");
    let texts = stream.messages.iter().map(|event| event.text());
    let numbered: Vec<String> = texts.filter(|text| text.starts_with("n:")).collect();
    let expected: Vec<String> = (from..to).map(|n| format!("n:{n}")).collect();
    assert_eq!(numbered, expected);
    assert!(stream.losses.is_empty(), "{:?}", stream.losses);
}

#[track_caller]
fn fail(driver: &mut Driver, call: &str, error: i32, times: u64) {
    driver.quietly(&format!("fail {call} {error} {times}"));
}

fn left(driver: &mut Driver, call: &str) -> u64 {
    let said = driver.command(&format!("left {call}")).concat();
    let left = said.strip_prefix("left: ").map(str::parse);
    left.expect("a number").expect("a number")
}

/// A program that has nothing to do does next to nothing, while something happens
/// and for half a second more.
#[track_caller]
fn check_idle(what: &str, driver: &mut Driver, happens: impl FnOnce()) {
    let tries = |driver: &mut Driver| {
        let stats = driver.stats();
        stats.get("sleeps") + stats.get("sends_deferred")
    };
    let (tried, before) = (tries(driver), driver.process.processor_time());
    let begun = Instant::now();
    happens();
    std::thread::sleep(Duration::from_millis(500));
    let used = driver.process.processor_time() - before;
    assert!(used < Duration::from_millis(200), "{what}: {used:?}");
    // On a busy machine who spins gets little time, but does much in it. The memory of
    // the ring is seen to in between, a few hundred times.
    let tried = u128::from(tries(driver) - tried);
    let few = 1000 + begun.elapsed().as_millis() / 10;
    assert!(tried < few, "{what}: {tried} times");
}

/// The counters of failures, all but those of sockets that were merely full.
const FAULTS: [&str; 10] = [
    "calls_interrupted",
    "sends_deferred",
    "accepts_aborted",
    "accepts_deferred",
    "polls_failed",
    "wakeups_pending",
    "wakeups_failed",
    "options_failed",
    "clients_broken",
    "clients_displaced",
];

/// Of all failures these were counted, so often, and no other.
#[track_caller]
fn check_counted(before: &Stats, after: &Stats, counter: Option<&str>, times: u64) {
    for name in FAULTS {
        let expected = if Some(name) == counter { times } else { 0 };
        let counted = after.get(name) - before.get(name);
        assert_eq!(counted, expected, "{name}, of {counter:?}");
    }
}

/// A client comes, says something, and gets what is logged meanwhile, while a call
/// fails for a moment.
#[test]
fn failures_that_pass() {
    let mut driver = Driver::logging(&[]);
    let cases: &[(&str, &[i32], Option<&str>)] = &[
        ("accept4", &[libc::EINTR], Some("calls_interrupted")),
        (
            "accept4",
            &[libc::ECONNABORTED, libc::EPROTO],
            Some("accepts_aborted"),
        ),
        (
            "accept4",
            &[
                libc::EMFILE,
                libc::ENFILE,
                libc::ENOBUFS,
                libc::ENOMEM,
                libc::EPERM,
            ],
            Some("accepts_deferred"),
        ),
        ("accept4", &[libc::EAGAIN], None),
        ("poll", &[libc::EINTR], Some("calls_interrupted")),
        (
            "poll",
            &[libc::ENOMEM, libc::EAGAIN, libc::EINVAL],
            Some("polls_failed"),
        ),
        ("sendmsg", &[libc::EINTR], Some("calls_interrupted")),
        (
            "sendmsg",
            &[libc::ENOBUFS, libc::ENOMEM],
            Some("sends_deferred"),
        ),
        ("sendmsg", &[libc::EAGAIN], None),
        ("recv", &[libc::EINTR], Some("calls_interrupted")),
        ("recv", &[libc::EAGAIN], None),
        ("read", &[libc::EINTR, libc::EAGAIN], None),
    ];
    let mut count = 0;
    for (call, errors, counter) in cases {
        for error in *errors {
            let before = driver.stats();
            fail(&mut driver, call, *error, 3);
            let (mut client, from) = (driver.served_client(), count);
            client.send(b"?");
            // A send that would have had to wait was not one that found a full socket: each is read
            // before the next one comes.
            let mut log = |driver: &mut Driver| {
                driver.quietly(&format!("chunk 0 fill:5000 text:n:{count} fill:5000"));
                client.read_until_text(&format!("n:{count}"));
                count += 1;
            };
            eventually(LIMIT, "the failures have come", || {
                log(&mut driver);
                left(&mut driver, call) == 0
            });
            log(&mut driver);
            check_numbered(&client.leave(), from, count);
            driver.until_alone();
            check_counted(&before, &driver.stats(), *counter, 3);
        }
    }
    let stats = driver.stats();
    assert_eq!(stats.get("sends_full"), 3);
    let clients: usize = cases.iter().map(|(_, errors, _)| errors.len()).sum();
    assert_eq!(stats.get("connections"), clients as u64);
    assert_eq!(driver.command("status"), ["status: 0 0"]);
    assert!(driver.finish().success());
    assert_eq!(driver.process.stderr(), "");
}

/// What breaks a connection ends it, and no other.
#[test]
fn failures_that_end_a_connection() {
    let mut driver = Driver::logging(&[]);
    let errors = [
        libc::ECONNRESET,
        libc::EPIPE,
        libc::ETIMEDOUT,
        libc::EHOSTUNREACH,
        libc::EIO,
    ];
    for call in ["sendmsg", "recv"] {
        for error in errors {
            let before = driver.stats();
            let mut client = driver.served_client();
            fail(&mut driver, call, error, 1);
            client.send(b"?");
            driver.quietly("chunk 0 text:one");
            while matches!(client.read_some(LIMIT), Ok(1..)) {}
            driver.until_alone();
            assert_eq!(left(&mut driver, call), 0);
            check_counted(&before, &driver.stats(), Some("clients_broken"), 1);

            let mut next = driver.served_client();
            driver.quietly("chunk 0 text:two");
            next.read_until_text("two");
            drop(next);
            driver.until_alone();
        }
    }
    assert!(driver.finish().success());
}

/// A connection whose client leaves with something unread: the send and the receive that
/// find out are one break.
#[test]
fn a_break_counts_once() {
    let mut driver = Driver::logging(&[]);
    for breaks in 1..=20 {
        let client = driver.client();
        eventually(LIMIT, "it is sent something", || client.pending() > 0);
        driver.quietly("chunk 0 fill:100000");
        drop(client);
        driver.quietly("chunk 0 fill:100000");
        driver.until_alone();
        let counted = driver.stats().get("clients_broken");
        assert!(counted <= breaks, "{counted} of {breaks}");
    }
    assert!(driver.stats().get("clients_broken") > 0);
    assert!(driver.finish().success());
}

/// A connection that is reset by its peer.
#[test]
fn resets_are_counted() {
    let mut driver = Driver::spawn(&[]);
    let address = driver.listen_tcp();
    driver.start_log();
    for resets in 1..=5 {
        let mut client = Client::connect(&address);
        client.read_until_text("datb");
        client.reset();
        driver.until_alone();
        assert_eq!(driver.stats().get("clients_broken"), resets);
    }
    assert!(driver.finish().success());
}

/// A client that says it will send no more; it is served on.
#[test]
fn half_closes_are_counted() {
    let mut driver = Driver::logging(&[]);
    for count in 1..=5 {
        let mut client = driver.served_client();
        client.half_close();
        eventually(LIMIT, "it is counted", || {
            driver.stats().get("clients_half_closed") == count
        });
        driver.quietly("chunk 0 text:still");
        client.read_until_text("still");
        drop(client);
        driver.until_alone();
    }
    assert!(driver.finish().success());
}

/// Wake-ups that find the eventfd full: one is pending, no more is needed.
#[test]
fn a_full_eventfd() {
    let mut driver = Driver::logging(&[]);
    let mut client = driver.served_client();
    driver.quietly("fill-eventfd");
    let mut count = 0;
    eventually(LIMIT, "wake-ups find it full", || {
        driver.quietly(&format!("chunk 0 text:n:{count}"));
        count += 1;
        driver.stats().get("wakeups_pending") >= 10
    });
    client.read_until_text(&format!("n:{}", count - 1));
    let stats = driver.stats();
    assert!(stats.get("wakeups_pending") <= stats.get("wakeups") + 10);
    driver.command("no-trouble");
    driver.quietly("stop");
    check_numbered(&client.read_to_end(), 0, count);
    assert!(driver.finish().success());
}

/// A `poll` that fails for good: the stream goes on, slowly, and a core is not lost.
#[test]
fn poll_fails_for_good() {
    let _alone = alone();
    let mut driver = Driver::logging(&[]);
    for error in [libc::ENOMEM, libc::EINVAL, libc::EFAULT] {
        fail(&mut driver, "poll", error, 1_000_000);
        driver.process.thread("eventlog-poll");
        let mut client = driver.served_client();
        driver.quietly("chunk 0 text:through");
        client.read_until_text("through");
        let (_, before) = driver.process.thread("eventlog-poll");
        std::thread::sleep(Duration::from_secs(1));
        let (_, after) = driver.process.thread("eventlog-poll");
        assert!(
            after - before < Duration::from_millis(200),
            "{:?} in a second",
            after - before
        );
        drop(client);
        // Only a send tells that it has gone.
        eventually(LIMIT, "the leaving is noticed", || {
            driver.quietly("chunk 0 text:anybody");
            driver.stats().get("connected") == 0
        });
        driver.command("no-trouble");
    }
    assert_eq!(driver.command("status"), ["status: 0 0"]);
    driver.served_client();
    assert!(driver.finish().success());
}

/// An accept that fails for good, with somebody waiting.
#[test]
fn accept_fails_for_good() {
    let _alone = alone();
    let mut driver = Driver::logging(&[]);
    for error in [libc::EMFILE, libc::EPERM] {
        fail(&mut driver, "accept4", error, 1_000_000);
        let mut client = driver.client();
        let (_, before) = driver.process.thread("eventlog-poll");
        std::thread::sleep(Duration::from_secs(1));
        let (_, after) = driver.process.thread("eventlog-poll");
        assert!(
            after - before < Duration::from_millis(200),
            "{:?} in a second",
            after - before
        );
        eventually(LIMIT, "it has failed", || {
            driver.stats().get("accepts_deferred") > 3
        });
        driver.command("no-trouble");
        client.read_until_text("datb");
        drop(client);
        driver.until_alone();
    }
    assert!(driver.finish().success());
}

/// A start of which any call fails says why and leaves nothing; the next one works.
#[test]
fn starts_that_fail_anywhere() {
    let calls = [
        ("socket", libc::EMFILE, ""),
        ("bind", libc::EACCES, ""),
        ("listen", libc::EADDRINUSE, ""),
        ("eventfd", libc::EMFILE, ""),
        ("thread", libc::EAGAIN, ""),
        ("socket", libc::ENOBUFS, "-tcp"),
        ("setsockopt", libc::ENOMEM, "-tcp"),
        ("bind", libc::EADDRINUSE, "-tcp"),
        ("listen", libc::EADDRINUSE, "-tcp"),
        ("getsockname", libc::ENOBUFS, "-tcp"),
        ("eventfd", libc::ENFILE, "-tcp"),
        ("thread", libc::EAGAIN, "-tcp"),
    ];
    for (call, error, kind) in calls {
        let mut driver = Driver::spawn(&[]);
        let path = driver.socket_path();
        let place = match kind {
            "" => path.display().to_string(),
            _ => "0".to_owned(),
        };
        // Whatever the C library opens for good is open then.
        // A thread is tried once more, with a smaller stack.
        let times = if call == "thread" { 2 } else { 1 };
        fail(&mut driver, call, error, times);
        let expected = format!("init: 10 {error}");
        assert_eq!(driver.command(&format!("init{kind} {place}")), [expected]);
        let descriptors = driver.process.descriptors();
        assert!(
            !descriptors.iter().any(|target| target.contains("socket:")
                || target.contains("eventfd")
                || target.contains("eventlog")),
            "{call}: {descriptors:?}"
        );
        assert!(!path.exists(), "{call}: the socket is there");
        assert_eq!(driver.command("status"), ["status: 0 0"]);

        let again = driver.command(&format!("init{kind} {place}"));
        assert_eq!(again, ["init: 0 0"], "{call}");
        driver.start_log();
        if kind.is_empty() {
            driver.served_client();
        }
        assert!(driver.finish().success());
        assert_eq!(driver.process.stderr(), "");
    }
}

/// A send that fails for good for lack of memory: the program goes on, a core is not
/// lost, who leaves is noticed, and when there is memory the stream is whole.
#[test]
fn sends_fail_for_good() {
    for error in [libc::ENOBUFS, libc::ENOMEM] {
        let mut driver = Driver::logging(&[]);
        let mut client = driver.served_client();
        driver.quietly("chunk 0 text:n:0");
        client.read_until_text("n:0");
        let before = driver.stats();
        fail(&mut driver, "sendmsg", error, 1_000_000);
        for n in 1..100 {
            driver.quietly(&format!("chunk {} text:n:{n}", n % 3));
        }
        eventually(LIMIT, "it is put off", || {
            driver.stats().get("sends_deferred") > before.get("sends_deferred")
        });
        check_idle("logging", &mut driver, || {});
        assert_eq!(client.pending(), 0);
        let mut failures = 0;
        eventually(LIMIT, "it is tried again", || {
            failures = 1_000_000 - left(&mut driver, "sendmsg");
            failures > 3
        });
        let looked = Instant::now();
        driver.command("no-trouble");
        client.read_until_text("n:99");
        check_numbered(&client.received, 0, 100);

        // One more, between two looks at the counter, and not many on a busy machine.
        let more = 100 + looked.elapsed().as_millis() as u64 / 50;
        let after = driver.stats();
        let counted = after.get("sends_deferred") - before.get("sends_deferred");
        assert!((failures..failures + more).contains(&counted), "{counted}");

        fail(&mut driver, "sendmsg", error, 1_000_000);
        driver.quietly("chunk 0 text:for-nobody");
        drop(client);
        driver.until_alone();
        let waiting = driver.client();
        check_idle("beginning", &mut driver, || {});
        assert_eq!(waiting.pending(), 0);
        driver.command("no-trouble");
        drop(waiting);
        driver.until_alone();
        driver.served_client();
        assert!(driver.finish().success());
        assert_eq!(driver.process.stderr(), "");
    }
}

/// The wall clock is set, back and forth, while a client stalls and the log ends: who
/// waits for a time waits for as long as was said.
#[test]
fn the_wall_clock_steps() {
    let timeout = Duration::from_millis(500);
    for step in [-100_000_000, 100_000_000] {
        within(10 * timeout, "the end", || {
            let waited = end_while_the_clock_steps(step);
            assert!(waited >= timeout, "{waited:?}");
            waited
        });
    }
}

/// How long a client that stalls is waited for.
#[track_caller]
fn end_while_the_clock_steps(step: i64) -> Duration {
    let mut driver = Driver::logging(&[
        ("GHC_EVENTLOG_EXIT_TIMEOUT", "500ms"),
        ("GHC_EVENTLOG_BUFFER_SIZE", "64K"),
    ]);
    driver.quietly(&format!("clock-step {step}"));
    let mut client = driver.served_client();
    for n in 0..10 {
        driver.quietly(&format!("chunk 0 text:n:{n}"));
    }
    client.read_until_text("n:9");
    eventually(LIMIT, "its socket is full", || {
        driver.quietly("chunk 0 fill:30000");
        driver.stats().get("sends_full") > 0
    });
    let begun = Instant::now();
    driver.quietly("stop");
    let waited = begun.elapsed();
    check_numbered(&client.received, 0, 10);
    assert!(driver.finish().success());
    waited
}

/// The program closes every descriptor it finds, as some do to become a daemon, or but the
/// eventfd, and opens others, which get the same numbers: streaming ends, with a status
/// that says why. Nothing spins, and the program's own files are neither closed nor
/// written to.
#[test]
fn all_descriptors_are_closed() {
    let mut failed = 0;
    for close in ["close-descriptors", "close-eventfd"] {
        for open in [None, Some("open-files"), Some("open-files-for-writing")] {
            for served in [false, true] {
                failed += check_closed(close, open, served);
            }
        }
    }
    // Not each time: who goes to sleep in between finds a closed descriptor.
    assert!(failed > 0, "no wake-up failed");
}

/// How many wake-ups failed.
#[track_caller]
fn check_closed(close: &str, open: Option<&str>, served: bool) -> u64 {
    let case = format!("{close}, {open:?}, served: {served}");
    let mut driver = Driver::logging(&[]);
    let client = served.then(|| driver.served_client());
    let at_rest = || driver.process.rests("eventlog-poll");
    eventually(LIMIT, "the poll thread sleeps", at_rest);
    driver.quietly(close);
    if let Some(open) = open {
        let file = driver.dir.join("own");
        driver.quietly(&format!("{open} {}", file.display()));
    }
    let path = driver.socket_path();
    // Who sleeps in a poll does not notice; the next one who says something, or comes,
    // makes it notice.
    let address = driver.address();
    check_idle(&case, &mut driver, || match &client {
        Some(client) => {
            let _ = client.sender().write_all(b"?");
        }
        None => drop(Client::try_connect(&address)),
    });
    if let Some(mut client) = client {
        while matches!(client.read_some(LIMIT), Ok(1..)) {}
    }
    let lost = format!("status: 10 {}", libc::EBADF);
    eventually(LIMIT, &format!("{case} is noticed"), || {
        driver.command("status") == [lost.as_str()]
    });
    eventually(LIMIT, "the socket's file is gone", || !path.exists());
    let failed = driver.stats().get("wakeups_failed");
    assert!(failed <= 1, "{case}: {failed} wake-ups failed");
    for _ in 0..1000 {
        driver.quietly("chunk 0 fill:10000");
    }
    driver.quietly("stop");
    check_idle(&case, &mut driver, || {});
    if open.is_some() {
        driver.quietly("check-files");
    }
    assert!(driver.finish().success());
    assert_eq!(driver.process.stderr(), "");
    failed
}

/// The log ends when the program has closed everything, and before anybody notices: what
/// has the numbers now is neither closed nor written to.
#[test]
fn the_log_ends_with_descriptors_closed() {
    for served in [false, true] {
        let mut driver = Driver::logging(&[("GHC_EVENTLOG_EXIT_TIMEOUT", "100ms")]);
        let client = served.then(|| driver.served_client());
        driver.quietly("close-descriptors");
        let file = driver.dir.join("own");
        driver.quietly(&format!("open-files {}", file.display()));
        drop(client);
        drop(Client::try_connect(&driver.address()));
        driver.quietly("stop");
        driver.quietly("chunk 0 text:late");
        driver.quietly("check-files");
        assert!(driver.finish().success());
        assert_eq!(driver.process.stderr(), "");
    }
}

/// What the program has put in the place of our descriptors is not ours: no wake-up waits for
/// room in its pipes, nor ends it with SIGPIPE; its sockets are neither written to, nor read,
/// nor shut down.
#[test]
fn what_replaces_descriptors_is_left_alone() {
    for kind in ["full-pipes", "broken-pipes", "sockets"] {
        for (served, awake) in [(false, false), (true, false), (true, true)] {
            let case = format!("{kind}, served: {served}, awake: {awake}");
            let mut driver = Driver::logging(&[("GHC_EVENTLOG_EXIT_TIMEOUT", "100ms")]);
            let client = served.then(|| driver.served_client());
            if awake {
                // It waits for room in the client's socket, with more to send.
                driver.quietly("chunk 0 fill:1900000");
                driver.quietly("chunk 0 fill:1900000");
            } else {
                let at_rest = || driver.process.rests("eventlog-poll");
                eventually(LIMIT, "the poll thread sleeps", at_rest);
            }
            driver.quietly(&format!("replace-descriptors {kind}"));
            for _ in 0..20 {
                driver.quietly("chunk 0 fill:10000");
            }
            // Now who slept is awake.
            if let Some(mut client) = client {
                let _ = client.sender().write_all(b"?");
                // As much as still comes; who sleeps may stay asleep.
                while matches!(client.read_some(Duration::from_millis(300)), Ok(1..)) {}
            } else {
                drop(Client::try_connect(&driver.address()));
            }
            driver.quietly("chunk 0 text:more");
            driver.quietly("stop");
            driver.quietly("chunk 0 text:late");
            assert_eq!(driver.command("check-replaced").concat(), "", "{case}");
            assert!(driver.finish().success(), "{case}");
            assert_eq!(driver.process.stderr(), "", "{case}");
        }
    }
}

/// Who waits for a word to change, where the system does not let anybody do that, looks now and
/// then, and does not spin.
#[test]
fn futexes_that_are_refused() {
    let mut driver = Driver::spawn(&[]);
    let ring_file = format!("ring-file {} 1048576", driver.dir.join("ring").display());
    assert_eq!(driver.command(&ring_file), ["ring-file: 0 0"]);
    driver.quietly("fail-futex");
    driver.listen();
    driver.start_log();
    let mut client = driver.served_client();
    check_idle("no futexes", &mut driver, || {});
    driver.quietly("chunk 0 text:n:0");
    driver.quietly("stop");
    check_numbered(&client.read_to_end(), 0, 1);
    assert!(driver.finish().success());
    assert_eq!(driver.process.stderr(), "");
}

/// A program that was started without standard error has nothing of ours in its place: what it
/// prints all the same goes nowhere, neither to a client nor into the ring file, and is answered
/// by no signal.
#[test]
fn nothing_is_opened_in_place_of_standard_error() {
    for unix in [true, false] {
        let mut driver = Driver::spawn(&[]);
        let ring_file = format!("ring-file {} 1048576", driver.dir.join("ring").display());
        assert_eq!(driver.command(&ring_file), ["ring-file: 0 0"]);
        driver.quietly("close-standard-error");
        let address = if unix {
            driver.listen();
            driver.address()
        } else {
            driver.listen_tcp()
        };
        driver.quietly("print-error");
        driver.start_log();
        for n in 0..2 {
            let mut client = Client::connect(&address);
            client.read_until_text("datb");
            driver.quietly("print-error");
            driver.quietly(&format!("chunk 0 text:n:{n}"));
            client.read_until_text(&format!("n:{n}"));
            driver.quietly("print-error");
            if n == 1 {
                driver.quietly("stop");
                check_numbered(&client.read_to_end(), 1, 2);
            }
        }
        driver.quietly("print-error");
        assert!(driver.finish().success());
    }
}
