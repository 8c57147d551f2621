//! More clients than anybody wants, and clients that want nothing: port scanners, those
//! that never read, and those that come and go thousands of times.

use crate::support;

use std::time::{Duration, Instant};
use support::{Client, Driver, LIMIT, Stream, Transport, alone, eventually, within};

fn start(transport: Transport, environment: &[(&str, &str)]) -> (Driver, support::Address) {
    let mut driver = Driver::spawn(environment);
    let address = match transport {
        Transport::Tcp => driver.listen_tcp(),
        Transport::Unix => {
            driver.listen();
            driver.address()
        }
    };
    driver.start_log();
    (driver, address)
}

/// Somebody is served, from the beginning.
#[track_caller]
fn check_service(driver: &mut Driver, address: &support::Address) {
    let mut client = Client::connect(address);
    client.read_until_text("datb");
    driver.quietly("chunk 0 text:served");
    client.read_until_text("served");
    Stream::try_cut(&client.received).expect("a stream");
}

#[test]
fn thousands_of_connections() {
    let _alone = alone();
    for (transport, count) in [(Transport::Unix, 3_000), (Transport::Tcp, 1_000)] {
        // A ring that soon has all its memory.
        let (mut driver, address) = start(transport, &[("GHC_EVENTLOG_BUFFER_SIZE", "64K")]);
        for _ in 0..100 {
            check_service(&mut driver, &address);
            driver.until_alone();
        }
        let before = driver.stats().get("connections");
        let (descriptors, memory) = (driver.process.descriptors(), driver.process.resident());
        for round in 0..count {
            let client = Client::connect(&address);
            match round % 3 {
                0 => client.reset(),
                1 => client.half_close(),
                _ => drop(client),
            }
        }
        eventually(LIMIT, "all are dealt with", || {
            let stats = driver.stats();
            let met = stats.get("connections") + stats.get("accepts_aborted");
            met == before + count && stats.get("connected") == 0
        });
        check_service(&mut driver, &address);
        driver.until_alone();
        driver.process.until_descriptors(&descriptors);
        let grown = driver.process.resident().saturating_sub(memory);
        assert!(grown < 2 << 20, "{grown} bytes more");
        assert!(driver.finish().success());
    }
}

/// Connections that say nothing and read nothing, more of them than may wait: the
/// program goes on, and when they leave others are served.
#[test]
fn port_scanners() {
    for transport in [Transport::Unix, Transport::Tcp] {
        // Nobody gives way.
        let (mut driver, address) = start(transport, &[("GHC_EVENTLOG_STALL_TIMEOUT", "0")]);
        check_service(&mut driver, &address);
        driver.until_alone();
        let descriptors = driver.process.descriptors();
        let scanners: Vec<Client> = (0..40).map(|_| Client::connect(&address)).collect();
        eventually(LIMIT, "the first one's socket is full", || {
            for _ in 0..20 {
                driver.quietly("chunk 0 fill:100000");
            }
            driver.stats().get("chunks_lost") > 0
        });
        let slept = driver.stats().get("sleeps");
        let (_, before) = driver.process.thread("eventlog-poll");
        std::thread::sleep(Duration::from_secs(1));
        let (_, after) = driver.process.thread("eventlog-poll");
        let used = after - before;
        assert!(used < Duration::from_millis(200), "{used:?} in a second");
        // On a busy machine who spins gets little time, but does much in it.
        let slept = driver.stats().get("sleeps") - slept;
        assert!(slept < 100, "{slept} times");
        // Those that wait are the system's.
        assert_eq!(driver.process.descriptors().len(), descriptors.len() + 1);
        assert_eq!(driver.stats().get("connections"), 2);
        drop(scanners);
        check_service(&mut driver, &address);
        driver.until_alone();
        let stats = driver.stats();
        let met = stats.get("connections") + stats.get("accepts_aborted");
        assert_eq!(met, 42);
        driver.process.until_descriptors(&descriptors);
        assert!(driver.finish().success());
    }
}

/// One that never reads keeps its place while nobody else wants it, and no longer.
#[test]
fn clients_that_never_read_give_way() {
    for transport in [Transport::Unix, Transport::Tcp] {
        let (mut driver, address) = start(transport, &[("GHC_EVENTLOG_STALL_TIMEOUT", "400ms")]);
        let mut stalled = Client::connect(&address);
        eventually(LIMIT, "its socket is full", || {
            driver.quietly("chunk 0 fill:100000");
            driver.stats().get("chunks_lost") > 0
        });
        std::thread::sleep(Duration::from_millis(800));
        let stats = driver.stats();
        assert_eq!(
            (stats.get("connected"), stats.get("clients_displaced")),
            (1, 0)
        );

        check_service(&mut driver, &address);
        assert_eq!(driver.stats().get("clients_displaced"), 1);
        // What it did get is the beginning of a stream.
        while matches!(stalled.read_some(LIMIT), Ok(1..)) {}
        Stream::try_cut(&stalled.received).expect("a stream");
        assert!(driver.finish().success());
    }
}

/// One that reads, slowly, keeps its place; and so does one that reads nothing, if that
/// was asked for.
#[test]
fn clients_that_read_slowly_stay() {
    // One that gets no processor for long does not read.
    within(Duration::from_secs(1), "the longest pause", || {
        slow_client_stays("2s", Duration::from_secs(2), true)
    });
    slow_client_stays("0", Duration::MAX, false);
}

/// The longest pause between two reads, if it reads; with one of that length it need not stay.
#[track_caller]
fn slow_client_stays(timeout: &str, length: Duration, reads: bool) -> Duration {
    let mut longest = Duration::ZERO;
    let (mut driver, address) = start(Transport::Unix, &[("GHC_EVENTLOG_STALL_TIMEOUT", timeout)]);
    let mut slow = Client::connect(&address);
    eventually(LIMIT, "its socket is full", || {
        driver.quietly("chunk 0 fill:100000");
        driver.stats().get("chunks_lost") > 0
    });
    let mut before = Instant::now();
    if reads {
        // It was not quick to fill the socket.
        slow.read_some(LIMIT).expect("there is more");
    }
    let mut waiting = Client::connect(&address);
    for _ in 0..20 {
        if reads {
            for _ in 0..4 {
                slow.read_some(LIMIT).expect("there is more");
            }
            longest = longest.max(before.elapsed());
            before = Instant::now();
        }
        let got = waiting.read_some(Duration::from_millis(200));
        longest = longest.max(before.elapsed());
        if longest >= length / 2 {
            return longest;
        }
        assert!(got.is_err(), "served while another was");
    }
    drop(slow);
    waiting.read_until_text("datb");
    assert_eq!(driver.stats().get("clients_displaced"), 0);
    assert!(driver.finish().success());
    longest
}

/// One that stalled for long, and then reads again, is not one that stalls.
#[test]
fn clients_that_read_again_stay() {
    // It stalls again if it gets no processor for long.
    let most = Duration::from_secs(1);
    within(most, "the time since it read", reads_again);
}

/// How long ago it read; after two seconds it need not stay.
#[track_caller]
fn reads_again() -> Duration {
    let (mut driver, address) = start(Transport::Unix, &[("GHC_EVENTLOG_STALL_TIMEOUT", "2s")]);
    let mut client = Client::connect(&address);
    eventually(LIMIT, "its socket is full", || {
        driver.quietly("chunk 0 fill:100000");
        driver.stats().get("chunks_lost") > 0
    });
    std::thread::sleep(Duration::from_millis(2500));
    // Not enough for the system to say that there is room.
    let read = Instant::now();
    client.read_some(LIMIT).expect("there is more");
    let mut waiting = Client::connect(&address);
    let got = waiting.read_some(Duration::from_millis(500));
    let displaced = driver.stats().get("clients_displaced");
    let since = read.elapsed();
    if since < Duration::from_secs(1) {
        assert!(got.is_err(), "{got:?}");
        assert_eq!(displaced, 0);
        drop(client);
        waiting.read_until_text("datb");
        assert!(driver.finish().success());
    }
    since
}

/// What one that gives way had said is heard, and what it was sent is not taken back.
#[test]
fn clients_that_give_way_are_heard() {
    let (mut driver, address) = start(Transport::Tcp, &[("GHC_EVENTLOG_STALL_TIMEOUT", "300ms")]);
    let mut stalled = Client::connect(&address);
    eventually(LIMIT, "its socket is full", || {
        driver.quietly("chunk 0 fill:100000");
        driver.stats().get("chunks_lost") > 0
    });
    stalled.send(&[b'?'; 100]);
    check_service(&mut driver, &address);
    let stats = driver.stats();
    assert_eq!(
        (stats.get("clients_displaced"), stats.get("bytes_received")),
        (1, 100)
    );
    while !stalled.has_ended() {
        stalled.read_some(LIMIT).expect("what it was sent");
    }
    assert!(stalled.received.len() > 100_000);
    assert!(driver.finish().success());
}
