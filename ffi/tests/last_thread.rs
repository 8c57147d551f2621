//! Programs that leave `main` with `pthread_exit`: they end with their last thread.

use crate::support;

use std::time::{Duration, Instant};
use support::process::ending;
use support::{Collector, Driver, LIMIT, Stream, TempDir, eventually};

/// How long the last thread of the program goes on.
const LINGERS: Duration = Duration::from_millis(700);

/// End the main thread, and some time later the last other one: how the process ends.
#[track_caller]
fn leave(driver: &mut Driver, what: &str) {
    let begun = Instant::now();
    driver.begin(&format!("leave-main {}", LINGERS.as_millis()));
    assert_eq!(ending(driver.process.wait()), "status 0", "{what}");
    assert!(begun.elapsed() >= LINGERS, "{what}: with a thread in it");
    assert_eq!(driver.process.stderr(), "", "{what}");
    assert!(!driver.socket_path().exists(), "{what}: the socket is left");
}

#[test]
fn before_and_while_and_after_the_log() {
    leave(&mut Driver::listening(&[]), "before");
    leave(&mut Driver::logging(&[]), "while it runs");
    let mut driver = Driver::logging(&[]);
    driver.quietly("stop");
    leave(&mut driver, "after");
}

/// The client gets the rest of the log.
#[test]
fn the_client_gets_the_rest() {
    let mut driver = Driver::logging(&[]);
    let collector = Collector::resume(driver.served_client());
    driver.quietly("chunk 0 text:last-words");
    leave(&mut driver, "with a client");
    assert!(Stream::complete(&collector.finish()).has_message("last-words"));
}

#[test]
fn with_every_thread_of_ours() {
    let dir = TempDir::new();
    let file = dir.join("ring");
    let file = file.to_str().expect("a path");
    let variables = [
        ("GHC_EVENTLOG_RING_FILE", file),
        ("GHC_EVENTLOG_RING_FILE_SIZE", "1M"),
        ("GHC_EVENTLOG_FLUSH_INTERVAL", "50ms"),
    ];
    let mut driver = Driver::spawn_with(&["exits.c"], &variables, |_| {});
    driver.listen();
    driver.start_log();
    leave(&mut driver, "with a ring file and flushes");
}

/// When the poll thread has given up its descriptors, too.
#[test]
fn after_the_poll_thread_has_failed() {
    let mut driver = Driver::logging(&[]);
    let client = driver.served_client();
    driver.quietly("close-descriptors");
    // That it goes makes it notice.
    drop(client);
    eventually(LIMIT, "it is noticed", || {
        driver.command("status") != ["status: 0 0"]
    });
    driver.begin("leave-main 100");
    assert_eq!(ending(driver.process.wait()), "status 0");
}

/// While the last client is waited for, a signal ends the process as ever.
#[test]
fn signals_end_it() {
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
        let variables = [
            ("GHC_EVENTLOG_BUFFER_SIZE", "16M"),
            ("GHC_EVENTLOG_EXIT_TIMEOUT", "600s"),
        ];
        let mut driver = Driver::spawn(&variables);
        // No thread of ours takes signals beside such an RTS.
        driver.quietly("unthreaded-rts");
        driver.listen();
        driver.start_log();
        let _stalled = driver.served_client();
        for _ in 0..8 {
            driver.quietly("chunk 0 fill:1000000");
        }
        driver.begin("leave-main 0");
        std::thread::sleep(Duration::from_millis(300));
        assert!(!driver.process.has_exited(), "the client is waited for");
        driver.process.signal(signal);
        let status = driver.process.wait();
        assert_eq!(ending(status), format!("signal {signal}"));
    }
}
