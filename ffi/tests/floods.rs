//! Clients that send without end: the program is not kept busy by them, takes every byte
//! all the same, and does what others ask for.

use crate::support;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::commands::{Commanded, RTS, frame, older};
use support::{Address, Client, Driver, LIMIT, eventually, in_some_attempt};

/// For so long somebody floods.
const WHILE: Duration = Duration::from_secs(4);
/// One part in so many of a processor's time is what it may cost.
const SHARE: u32 = 20;

#[derive(Clone, Copy, Debug)]
enum Transport {
    Unix,
    Tcp,
}

/// A program that obeys its clients, `obey` in the words of the driver.
fn program(transport: Transport, obey: u8) -> (Driver, Address) {
    let mut driver = Driver::spawn(&[]);
    driver.command(&format!("obey {obey}"));
    let address = match transport {
        Transport::Unix => {
            driver.listen();
            driver.address()
        }
        Transport::Tcp => driver.listen_tcp(),
    };
    driver.start_log();
    driver.handle("app", &[(1, "")]);
    (driver, address)
}

/// Sends these bytes again and again, so many at a time, until it is told to stop; how
/// many it has sent.
fn send_for_ever(
    mut sender: Box<dyn Write + Send>,
    bytes: Vec<u8>,
    at_a_time: usize,
    stop: Arc<AtomicBool>,
) -> std::thread::JoinHandle<usize> {
    std::thread::spawn(move || {
        let mut sent = 0;
        while !stop.load(Ordering::Relaxed) {
            let from = sent % bytes.len();
            let to = bytes.len().min(from + at_a_time);
            sent += sender.write(&bytes[from..to]).expect("the program reads");
        }
        // The rest of a frame that has begun.
        let from = sent % bytes.len();
        if from > 0 {
            sender.write_all(&bytes[from..]).expect("the program reads");
            sent += bytes.len() - from;
        }
        sent
    })
}

#[track_caller]
fn check_flood(transport: Transport, obey: u8, bytes: &[u8], at_a_time: usize) {
    let what = format!(
        "{transport:?}, obey {obey}, {:?} by {at_a_time}",
        bytes[..bytes.len().min(24)].escape_ascii().to_string()
    );
    // If the thread that runs them gets no processor for a second, some are dropped.
    in_some_attempt(&what, || {
        match flood(transport, obey, bytes, at_a_time, &what) {
            0 => Ok(()),
            dropped => Err(format!("{dropped} commands are dropped")),
        }
    });
}

/// How many commands are dropped.
#[track_caller]
fn flood(transport: Transport, obey: u8, bytes: &[u8], at_a_time: usize, what: &str) -> u64 {
    let (mut driver, address) = program(transport, obey);
    let mut client = Client::connect(&address);
    client.read_until_text("datb");
    let stop = Arc::new(AtomicBool::new(false));
    let flood = send_for_ever(
        client.sender(),
        bytes.to_vec(),
        at_a_time,
        Arc::clone(&stop),
    );
    let (begun, before) = (Instant::now(), driver.process.processor_time());
    std::thread::sleep(WHILE);
    let (used, took) = (driver.process.processor_time() - before, begun.elapsed());
    stop.store(true, Ordering::Relaxed);
    let sent = flood.join().expect("the flood");
    assert!(used <= took / SHARE, "{what}: {used:?} in {took:?}");

    driver.until_received(sent);
    let mut stats = driver.stats();
    eventually(LIMIT, "all commands are done with", || {
        stats = driver.stats();
        support::commands::commands_waiting(&stats) == 0
    });
    eprintln!("{what}: {used:?} in {took:?}, {sent} bytes");
    // It served its client meanwhile.
    driver.quietly("chunk 0 text:afterwards");
    client.read_until_text("afterwards");
    drop(client);
    driver.until_alone();
    assert!(driver.finish().success());
    stats.get("commands_dropped")
}

const UNIX_CONTROL: u8 = 0;
const ALL_CONTROL: u8 = 1;

#[test]
fn garbage() {
    for transport in [Transport::Unix, Transport::Tcp] {
        check_flood(transport, UNIX_CONTROL, &[b'x'; 65536], 65536);
    }
}

#[test]
fn garbage_byte_by_byte() {
    for transport in [Transport::Unix, Transport::Tcp] {
        check_flood(transport, UNIX_CONTROL, b"x", 1);
    }
}

/// Over TCP nobody is obeyed, if it was not asked for.
#[test]
fn commands_that_are_not_obeyed() {
    let bytes = frame(RTS, 1).repeat(2000);
    check_flood(Transport::Tcp, UNIX_CONTROL, &bytes, bytes.len());
}

#[test]
fn commands_that_are_obeyed() {
    for transport in [Transport::Unix, Transport::Tcp] {
        let bytes = [frame(b"app", 1), older(1), frame(RTS, 1)].concat();
        let bytes = bytes.repeat(1000);
        check_flood(transport, ALL_CONTROL, &bytes, bytes.len());
    }
}

/// Clients that come and go without end.
#[test]
fn connections() {
    for transport in [Transport::Unix, Transport::Tcp] {
        let (mut driver, address) = program(transport, UNIX_CONTROL);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let to = address.clone();
        let flood = std::thread::spawn(move || {
            let mut count = 0;
            while !stopped.load(Ordering::Relaxed) {
                // A queue that is full is a reset over TCP.
                count += u32::from(Client::try_connect(&to).is_ok());
            }
            count
        });
        let (begun, before) = (Instant::now(), driver.process.processor_time());
        std::thread::sleep(WHILE);
        let (used, took) = (driver.process.processor_time() - before, begun.elapsed());
        stop.store(true, Ordering::Relaxed);
        let count = flood.join().expect("the flood");
        eprintln!("{transport:?}: {used:?} in {took:?}, {count} clients");
        assert!(used <= took / SHARE, "{transport:?}: {used:?} in {took:?}");
        // Whoever comes after them is served.
        let mut client = Client::connect(&address);
        client.read_until_text("datb");
        driver.quietly("chunk 0 text:afterwards");
        client.read_until_text("afterwards");
        drop(client);
        driver.until_alone();
        assert!(driver.finish().success());
    }
}
