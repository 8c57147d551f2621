//! Recorded logs, replayed.

use eventlog_source::{Replay, Speed};
use ghc_eventlog::{BlockBuilder, EventBody, Header};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const MS: u64 = 1_000_000;
const HOUR: u64 = 3_600_000 * MS;

fn header() -> Vec<u8> {
    Header::standard().as_bytes().to_vec()
}

/// A block of a capability, with an event at each of these times.
fn block(cap: u16, times: &[u64]) -> Vec<u8> {
    let mut block = BlockBuilder::new(Some(cap));
    for time in times {
        let pushed = block.push_body(&Header::standard(), *time, &EventBody::GcStart);
        pushed.expect("an event of the standard header");
    }
    block.finish().to_vec()
}

fn speed(text: &str) -> Speed {
    text.parse().expect("a speed")
}

/// The replayed log, and how long the replay takes.
fn replayed(log: &[u8], speed: Speed) -> (Vec<u8>, Duration) {
    let (mut out, start) = (Vec::new(), Instant::now());
    let read = Replay::new(log, speed).read_to_end(&mut out);
    read.expect("a slice can be read");
    (out, start.elapsed())
}

/// Reads a given number of bytes each time.
struct Bits<'a>(&'a [u8], usize);

impl Read for Bits<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(self.1);
        self.0.read(&mut buffer[..length])
    }
}

#[test]
fn speeds_are_written_as_people_do() {
    for (text, shown) in [
        ("1x", "1x"),
        ("2.5x", "2.5x"),
        ("10", "10x"),
        ("0.001x", "0.001x"),
        ("max", "max"),
    ] {
        assert_eq!(speed(text).to_string(), shown);
    }
    for text in [
        "", "x", "0x", "-1x", "0.0001x", "1e12x", "NaN", "inf", "fast", "1xx",
    ] {
        let error = text.parse::<Speed>().expect_err(text);
        assert!(error.to_string().contains("use 1x"), "{error}");
    }
}

#[test]
fn blocks_come_when_their_time_has_come() {
    // The log begins late in the program's run.
    let log = [
        header(),
        block(0, &[HOUR, HOUR + 100 * MS]),
        block(1, &[HOUR + 300 * MS]),
    ]
    .concat();
    let (out, took) = replayed(&log, Speed::ORIGINAL);
    assert!(out == log);
    assert!(took >= Duration::from_millis(300), "{took:?}");
    let (out, took) = replayed(&log, speed("2x"));
    assert!(out == log);
    assert!(took >= Duration::from_millis(150), "{took:?}");
}

#[test]
fn what_has_not_come_is_not_there_and_what_has_is() {
    let first = [header(), block(0, &[1, 2])].concat();
    let log = [first.clone(), block(0, &[HOUR])].concat();
    let stopped = Arc::new(AtomicBool::new(false));
    let wish = Arc::clone(&stopped);
    let stop = move || wish.load(Ordering::Relaxed);
    let mut replay = Replay::new(io::Cursor::new(log), Speed::ORIGINAL).stop(stop);
    let mut out = vec![0; first.len()];
    replay.read_exact(&mut out).expect("the first block");
    assert!(out == first);
    // The next one is an hour away, and waiting for it can be stopped.
    let waiter = std::thread::spawn(move || replay.read(&mut [0; 64]));
    std::thread::sleep(Duration::from_millis(50));
    assert!(!waiter.is_finished());
    stopped.store(true, Ordering::Relaxed);
    assert_eq!(waiter.join().expect("no panic").expect("the end"), 0);
}

/// None of these may wait for an hour.
#[test]
fn what_is_late_or_has_no_time_does_not_wait() {
    let far = [header(), block(0, &[0]), block(0, &[HOUR]), block(1, &[1])].concat();
    assert!(replayed(&far, Speed::Max).0 == far);
    assert!(replayed(&far, speed("1000000x")).0 == far);
    // The second log has a clock of its own, even if it begins inside a block.
    let again = [
        header(),
        block(0, &[5]),
        header(),
        block(0, &[HOUR]),
        vec![0xff, 0xff],
    ]
    .concat();
    assert!(replayed(&again, Speed::ORIGINAL).0 == again);
    let late = [header(), block(0, &[HOUR]), block(1, &[7, 9])].concat();
    assert!(replayed(&late, Speed::ORIGINAL).0 == late);
}

/// Also if the log is damaged, or is not a log.
#[test]
fn every_byte_comes_in_whatever_pieces() {
    let mut backwards = block(0, &[900, 1000]);
    // A marker that ends before it begins.
    backwards[14..22].copy_from_slice(&0u64.to_be_bytes());
    let whole = [
        header(),
        block(0, &[5, 6]),
        b"rubbish in the middle".to_vec(),
        backwards,
        block(3, &[10, 20, 30]),
        vec![0xff, 0xff],
        b"and after the end".to_vec(),
    ]
    .concat();
    let cut = &whole[..whole.len() - 40];
    for log in [
        &whole[..],
        cut,
        b"no log at all, but long enough to see",
        b"h",
        b"",
    ] {
        for length in [1, 7, 4096] {
            let mut out = Vec::new();
            let mut replay = Replay::new(Bits(log, length), Speed::ORIGINAL);
            replay.read_to_end(&mut out).expect("it can be read");
            assert!(out == log, "{} of {} bytes", out.len(), log.len());
        }
    }
}
