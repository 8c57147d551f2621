//! Threads of the program that are cancelled inside the library, and exits that come where
//! nobody expects them.

use crate::support;

use std::time::{Duration, Instant};
use support::process::ending;
use support::{Client, Collector, Driver, LIMIT, Stream};

/// A thread is cancelled in a call: that is put off until the call is over, and what comes
/// after it finds nothing half done.
#[test]
fn calls_of_threads_that_are_cancelled() {
    let mut driver = Driver::spawn(&[]);
    let path = driver.socket_path();
    let init = format!("cancelled init {}", path.display());
    assert_eq!(driver.command(&init), ["init: 0 0"]);
    assert_eq!(driver.try_to_listen(), "init: 10 114"); // EALREADY
    for call in ["log", "hook", "ready", "status"] {
        let said = driver.command(&format!("cancelled {call}"));
        assert_eq!(said, [format!("{call}: 0 0")]);
    }
    let collector = Collector::resume(driver.served_client());
    for call in ["wait", "chunk", "chunk", "stop"] {
        let said = driver.command(&format!("cancelled {call}"));
        assert_eq!(said, [format!("{call}: 0 0")]);
    }
    assert!(Stream::complete(&collector.finish()).has_message("cancelled"));
    assert!(driver.finish().success());
}

/// A driver with a client that takes nothing of what there is for it.
fn with_stalled_client(exit_timeout: &str) -> (Driver, Client) {
    let mut driver = Driver::logging(&[("GHC_EVENTLOG_EXIT_TIMEOUT", exit_timeout)]);
    let client = driver.served_client();
    for _ in 0..6 {
        driver.quietly("chunk 0 fill:1000000");
    }
    (driver, client)
}

/// Two threads exit: the second does not cut short what the first is about.
#[test]
fn two_exits_at_once() {
    let (mut driver, client) = with_stalled_client("600s");
    driver.begin("exit-twice");
    std::thread::sleep(Duration::from_millis(500));
    assert!(!driver.process.has_exited(), "the client is waited for");
    let collector = Collector::resume(client);
    let status = ending(driver.process.wait());
    assert!(["status 6", "status 7"].contains(&&*status), "{status}");
    assert!(!driver.socket_path().exists());
    Stream::complete(&collector.finish());
}

/// `quick_exit` is an exit like another.
#[test]
fn a_quick_exit() {
    for exit in ["quick-exit 4", "exit-in-wait 10"] {
        let mut driver = Driver::listening(&[]);
        driver.begin(exit);
        let status = ending(driver.process.wait());
        assert!(["status 4", "status 11"].contains(&&*status), "{status}");
        assert!(!driver.socket_path().exists(), "{exit}");
    }
    let mut driver = Driver::logging(&[]);
    let collector = Collector::resume(driver.served_client());
    driver.quietly("chunk 0 text:last-words");
    driver.begin("quick-exit 4");
    assert_eq!(ending(driver.process.wait()), "status 4");
    assert!(!driver.socket_path().exists());
    assert!(Stream::complete(&collector.finish()).has_message("last-words"));
}

/// A signal handler exits while the thread that it has interrupted is in the middle of a
/// call: at the place where that reads the clock, with what it looks at locked.
#[test]
fn an_exit_in_a_handler() {
    let mut driver = Driver::logging(&[]);
    let collector = Collector::resume(driver.served_client());
    driver.quietly("chunk 0 text:last-words");
    driver.quietly("exit-in-clock");
    let begun = Instant::now();
    driver.begin("status");
    assert_eq!(ending(driver.process.wait()), "status 11");
    assert!(begun.elapsed() < LIMIT / 2);
    assert!(!driver.socket_path().exists());
    assert!(Stream::complete(&collector.finish()).has_message("last-words"));
}

/// The same in the middle of a start: its socket's file does not stay behind.
#[test]
fn an_exit_in_a_handler_while_it_starts() {
    let mut driver = Driver::spawn(&[]);
    driver.quietly("exit-in-clock");
    driver.begin(&format!("init {}", driver.socket_path().display()));
    assert_eq!(ending(driver.process.wait()), "status 11");
    assert!(!driver.socket_path().exists());
}
