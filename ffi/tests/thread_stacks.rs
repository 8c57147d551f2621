//! Programs with megabytes of thread-local variables, which the C library takes out of the
//! stack of each thread, and with unusual limits: every thread of the library has room.

use crate::support;

use support::commands::{RTS, SYNC, frame};
use support::ghc::ghc;
use support::skip::need;
use support::worker::Setup;
use support::{Collector, Commanded, Driver, Start, Stream, TempDir, Transport, alone};

/// Linked to it, a program has 4 MiB of them.
const THREAD_LOCALS: &str = "thread_locals.c";
/// Linked to it, a program has the limits that its environment says.
const LIMITED: &str = "limits.c";

const LIMITS: [&[(&str, &str)]; 3] = [
    &[],
    &[("STACK_LIMIT", "64")],
    &[("STACK_LIMIT", "unlimited")],
];
const LOCKED: &[(&str, &str)] = &[("LOCK_MEMORY", "1")];

/// Only root may lock as much as a program with a ring has.
fn may_lock() -> Result<(), &'static str> {
    // SAFETY: no arguments.
    match unsafe { libc::geteuid() } {
        0 => Ok(()),
        _ => Err("not root, who may lock memory"),
    }
}

/// A client is served, a command of it is run, a ring file is recorded into, and the end
/// comes in order.
#[track_caller]
fn check_in_c(limits: &[(&str, &str)]) {
    let dir = TempDir::new();
    let file = dir.join("ring");
    let mut environment = vec![
        (
            "GHC_EVENTLOG_RING_FILE",
            file.to_str().expect("a plain path"),
        ),
        ("GHC_EVENTLOG_BUFFER_SIZE", "1M"),
        ("GHC_EVENTLOG_RING_FILE_SIZE", "1M"),
    ];
    environment.extend(limits);
    let mut driver = Driver::spawn_with(&[THREAD_LOCALS, LIMITED], &environment, |_| {});
    driver.listen();
    driver.handle("app", &[(1, "note came")]);
    driver.start_log();
    let mut client = driver.served_client();
    client.send(&frame(b"app", 1));
    driver.until_noted(2);
    driver.quietly("chunk 0 text:hello");
    let collector = Collector::resume(client);
    driver.quietly("stop");
    let status = driver.finish();
    assert!(status.success(), "{limits:?}: {status}");
    assert_eq!(driver.process.stderr(), "", "{limits:?}");
    let bytes = collector.finish();
    assert_eq!(Stream::complete(&bytes).messages[0].text(), "hello");
}

#[test]
fn a_program_in_c() {
    for limits in LIMITS {
        check_in_c(limits);
    }
}

#[test]
fn a_program_in_c_that_locks_its_memory() {
    need!(may_lock());
    let _alone = alone();
    check_in_c(LOCKED);
}

/// The same, with the thread that flushes, and an exit while the client is there.
#[track_caller]
fn check_in_haskell(start: Start, parts: &[&'static str], limits: &[(&str, &str)]) {
    let ghc = need!(ghc());
    let mut setup = Setup::new(start, Transport::Unix)
        .build(|mut build| {
            build.parts.extend(parts);
            build
        })
        .env("GHC_EVENTLOG_BUFFER_SIZE", "1M")
        .env("GHC_EVENTLOG_RING_FILE", "ring")
        .env("GHC_EVENTLOG_RING_FILE_SIZE", "1M");
    for (name, value) in limits {
        setup = setup.env(name, value);
    }
    let mut worker = setup.spawn(ghc);
    worker.ready();
    worker.handle("app", &[(1, "note came")]);
    let mut client = worker.client();
    client.read_until_text("datb");
    client.send(&[frame(b"app", 1), frame(RTS, SYNC)].concat());
    worker.until_noted(2);
    client.read_until_text("sync 1");
    let collector = Collector::resume(client);
    let status = worker.finish();
    assert!(status.success(), "{start:?} {limits:?}: {status}");
    assert_eq!(worker.process.stderr(), "", "{start:?} {limits:?}");
    Stream::complete(&collector.finish());
}

#[test]
fn a_program_in_haskell() {
    for start in [Start::CMain, Start::Haskell] {
        check_in_haskell(start, &[THREAD_LOCALS], &[]);
    }
}

/// Without those variables: the RTS's own threads have the program's default size, which
/// is too small for them then.
#[test]
fn a_program_in_haskell_with_a_limited_stack() {
    for limits in &LIMITS[1..] {
        check_in_haskell(Start::Haskell, &[LIMITED], limits);
    }
}

#[test]
fn a_program_in_haskell_that_locks_its_memory() {
    need!(may_lock());
    let _alone = alone();
    check_in_haskell(Start::Haskell, &[THREAD_LOCALS, LIMITED], LOCKED);
}
