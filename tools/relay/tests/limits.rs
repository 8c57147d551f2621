//! A relay's use of system resources does not grow with its run time or its clients. This is
//! one test because it measures the whole process.

mod common;

use common::logs::{block, event, header};
use common::*;
use eventlog_relay::{Address, Options, Status};
use ghc_eventlog::EventBody;
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

fn count(dir: &str) -> usize {
    std::fs::read_dir(dir).unwrap().count()
}

/// Descriptors and threads, except for threads that bring a client up to date: those end a moment
/// after it has left.
fn used() -> (usize, usize) {
    let begun = Instant::now();
    let is_telling = || {
        let threads = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let mut names = threads.flat_map(|it| std::fs::read_to_string(it.path().join("comm")));
        names.any(|name| name.trim_end() == "relay-tells")
    };
    while is_telling() {
        assert!(begun.elapsed() < LONG, "threads of clients stay");
        std::thread::sleep(Duration::from_millis(2));
    }
    (count("/proc/self/fd"), count("/proc/self/task"))
}

/// About a thousand events of a short-lived thread.
fn lively(number: u64) -> Vec<u8> {
    let mut events = Vec::new();
    for n in 0..250 {
        let time = number * 1000 + n * 4;
        let thread = (number * 250 + n) as u32;
        events.push(event(time, EventBody::CreateThread { thread }));
        events.push(event(time + 1, EventBody::RunThread { thread }));
        events.push(event(
            time + 2,
            EventBody::StopThread {
                thread,
                status: ghc_eventlog::StopStatus::FINISHED,
                info: Some(0),
            },
        ));
    }
    block(Some(0), number * 1000, number * 1000 + 999, &events)
}

#[test]
fn nothing_leaks_and_memory_is_bounded() {
    let mut options = Options::default();
    options.ring_bytes = 4 << 20;
    let mut test = TestRelay::new(options);
    let tcp = test
        .relay
        .serve(&"tcp:127.0.0.1:0".parse().unwrap(), None)
        .unwrap();
    let Address::Tcp(tcp) = tcp else { panic!() };
    let nobody = |status: &Status| status.clients.is_empty();

    // Clients that connect and disconnect before there is a session.
    for n in 0..50 {
        let client = test.connect();
        if n % 2 == 0 {
            client.0.shutdown(Shutdown::Write).unwrap();
        }
    }
    test.wait("clients to leave", |status| {
        status.clients_total >= 50 && nobody(status)
    });
    test.begin(header().as_bytes());
    for number in 0..200 {
        test.give(&lively(number));
    }
    test.settle();
    test.join(header().as_bytes());
    test.wait("clients to leave", nobody);
    let before = used();

    let came = test.relay.status().clients_total;
    let mut number = 200;
    for n in 0..1000 {
        match n % 5 {
            0 => drop(test.connect()),
            1 => drop(TcpStream::connect(&tcp).unwrap()),
            2 => drop(test.join(header().as_bytes())),
            3 => {
                let mut client = test.connect();
                client.send(b"garbage");
                client.0.shutdown(Shutdown::Write).unwrap();
            }
            _ => {
                // In the middle of the first bytes.
                let mut client = test.connect();
                client.read_some(100);
            }
        }
        if n % 10 == 0 {
            test.give(&lively(number));
            number += 1;
        }
    }
    // TCP clients that say nothing are noticed when something is sent to them.
    let mut rounds = 0;
    loop {
        test.give(&lively(number));
        number += 1;
        rounds += 1;
        let status = test.relay.status();
        if status.clients_total >= came + 1000 && nobody(&status) {
            break;
        }
        assert!(rounds < 10_000, "{status:#?}");
        std::thread::sleep(Duration::from_millis(5));
    }
    test.settle();
    // The descriptors of the last one are closed a moment later.
    let begun = Instant::now();
    let mut after = used();
    let is_more = |after: (usize, usize)| after.0 > before.0 || after.1 > before.1;
    while is_more(after) && begun.elapsed() < LONG {
        std::thread::sleep(Duration::from_millis(10));
        after = used();
    }
    // It can be less: a thread of the first client may have been about to end.
    assert!(
        !is_more(after),
        "descriptors and threads: {before:?}, then {after:?}"
    );

    // A client that stalls, one that follows, and a long stream.
    let (_stalled, _) = test.join(header().as_bytes());
    let (mut follows, _) = test.join(header().as_bytes());
    let read = std::thread::spawn(move || {
        let mut sum = 0;
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = std::io::Read::read(&mut follows.0, &mut buffer) {
            sum += count;
        }
        sum
    });
    let mut steady = 0;
    for round in 0..40 {
        for _ in 0..100 {
            test.give(&lively(number));
            number += 1;
        }
        test.settle();
        // One that falls behind faster than the state can be followed would be disconnected.
        let status = test.wait("client that follows", |status| {
            status.clients.iter().any(|client| client.lag_bytes == 0)
        });
        let session = status.sources[0].session.as_ref().unwrap();
        assert!(session.ring.bytes <= 4 << 20);
        match round {
            10 => steady = status.resident_bytes,
            11.. => {
                let more = status.resident_bytes.saturating_sub(steady);
                assert!(more < 8 << 20, "{more} bytes more in round {round}");
            }
            _ => {}
        }
    }
    // Nothing is kept of finished threads.
    let status = test.relay.status();
    assert_eq!(status.sources[0].session.as_ref().unwrap().fold.threads, 0);
    let text = serde_json::to_string(&status).unwrap();
    let again: Status = serde_json::from_str(&text).unwrap();
    assert_eq!(again.clients.len(), 2);
    test.relay.clone().drain(Duration::from_secs(1));
    drop(test);
    assert!(read.join().unwrap() > 10 << 20);
}
