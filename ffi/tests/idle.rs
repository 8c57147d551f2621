//! A poll thread that has nothing to do does nothing: it sleeps without waking up.

use crate::support;

use std::time::{Duration, Instant};
use support::{Client, Driver, LIMIT, eventually};

/// For so long nothing happens.
const WHILE: Duration = Duration::from_secs(3);

/// How often it went to sleep meanwhile, and the processor time it took.
#[track_caller]
fn observe(driver: &mut Driver) -> (u64, Duration) {
    // Until it rests.
    let mut sleeps = driver.stats().get("sleeps");
    eventually(LIMIT, "it comes to rest", || {
        std::thread::sleep(Duration::from_millis(200));
        let now = driver.stats().get("sleeps");
        std::mem::replace(&mut sleeps, now) == now && driver.process.rests("eventlog-poll")
    });
    let (_, before) = driver.process.thread("eventlog-poll");
    std::thread::sleep(WHILE);
    let (_, after) = driver.process.thread("eventlog-poll");
    (driver.stats().get("sleeps") - sleeps, after - before)
}

#[track_caller]
fn check_idle(driver: &mut Driver, wakeups: std::ops::RangeInclusive<u64>, what: &str) {
    let (count, time) = observe(driver);
    assert!(wakeups.contains(&count), "{what}: woke {count} times");
    assert!(time <= Duration::from_millis(20), "{what}: {time:?}");
}

#[test]
fn nothing_happens_nobody_wakes() {
    let mut driver = Driver::spawn(&[]);
    let address = driver.listen_tcp();
    check_idle(&mut driver, 0..=0, "no log");
    driver.start_log();
    check_idle(&mut driver, 0..=0, "no client");
    let mut client = Client::connect(&address);
    client.read_until_text("datb");
    driver.quietly("chunk 0 text:one");
    client.read_until_text("one");
    check_idle(&mut driver, 0..=0, "a client that has everything");
    client.half_close();
    // It is asked once a second whether it is there.
    observe_probing(&mut driver);
    drop(client);
    driver.until_alone();
    check_idle(&mut driver, 0..=0, "the client has gone");
    assert!(driver.finish().success());
}

#[track_caller]
fn observe_probing(driver: &mut Driver) {
    let begun = Instant::now();
    let sleeps = driver.stats().get("sleeps");
    let (_, before) = driver.process.thread("eventlog-poll");
    std::thread::sleep(WHILE);
    let (_, after) = driver.process.thread("eventlog-poll");
    let mut count = driver.stats().get("sleeps") - sleeps;
    let most = begun.elapsed().as_secs() + 2;
    assert!(count <= most, "woke {count} times, not {most}");
    let time = after - before;
    assert!(time <= Duration::from_millis(20), "{time:?}");
    // The thread may have got no processor yet.
    eventually(LIMIT, "it is asked", || {
        count = driver.stats().get("sleeps") - sleeps;
        count > 0
    });
}

/// A zero window: the client's socket is full, and writers lose chunks without end.
#[test]
fn a_stalled_client_wakes_nobody() {
    for tcp in [true, false] {
        let mut driver = Driver::spawn(&[("GHC_EVENTLOG_BUFFER_SIZE", "1M")]);
        let address = if tcp {
            driver.listen_tcp()
        } else {
            driver.listen();
            driver.address()
        };
        driver.start_log();
        let client = Client::connect(&address);
        eventually(LIMIT, "its socket is full", || {
            driver.quietly("chunk 0 fill:100000");
            driver.stats().get("chunks_lost") > 20
        });
        check_idle(&mut driver, 0..=0, "stalled");
        // Nor do writers that lose more.
        let sleeps = driver.stats().get("sleeps");
        for _ in 0..200 {
            driver.quietly("chunk 0 fill:100000");
        }
        let woken = driver.stats().get("sleeps") - sleeps;
        assert!(woken <= 2, "woke {woken} times for what is lost");
        drop(client);
        driver.until_alone();
        assert!(driver.finish().success());
    }
}

/// The log ends, and its client has stalled for longer than it may: nobody spins.
#[test]
fn a_drain_wakes_nobody() {
    let environment = [
        ("GHC_EVENTLOG_BUFFER_SIZE", "1M"),
        ("GHC_EVENTLOG_STALL_TIMEOUT", "200ms"),
        ("GHC_EVENTLOG_EXIT_TIMEOUT", "3s"),
    ];
    let mut driver = Driver::logging(&environment);
    let _client = driver.client();
    eventually(LIMIT, "its socket is full", || {
        driver.quietly("chunk 0 fill:100000");
        driver.stats().get("chunks_lost") > 0
    });
    std::thread::sleep(Duration::from_millis(500));
    let (_, before) = driver.process.thread("eventlog-poll");
    driver.quietly("stop");
    let (_, after) = driver.process.thread("eventlog-poll");
    let time = after - before;
    assert!(time <= Duration::from_millis(100), "{time:?}");
    assert!(driver.finish().success());
}

/// A writer that wakes the poll thread goes on: batch jobs do not preempt who wakes them.
#[test]
#[cfg(target_os = "linux")]
fn waking_up_preempts_nobody() {
    let mut driver = Driver::logging(&[]);
    let (thread, _) = driver.process.thread("eventlog-poll");
    eventually(LIMIT, "it is a batch job", || {
        // SAFETY: no pointers.
        unsafe { libc::sched_getscheduler(thread) == libc::SCHED_BATCH }
    });
    // SAFETY: as above.
    let of_program = unsafe { libc::sched_getscheduler(driver.process.pid() as libc::pid_t) };
    assert_eq!(of_program, libc::SCHED_OTHER);
    assert!(driver.finish().success());
}
