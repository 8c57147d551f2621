//! A reader that falls behind gets a note of what it missed, and ends with the same state
//! as the others.

use crate::common::logs::program::{Blocks, program, rewritten};
use crate::common::logs::{Random, block, event, header, real_logs};
use crate::common::*;
use eventlog_relay::{OnLag, Options, Reader, Start};
use ghc_eventlog::notes::Note;
use ghc_eventlog::{EventBody, Item};
use std::io::Read;

fn small_ring() -> Options {
    let mut options = Options::default();
    options.ring_bytes = 64 << 10;
    options
}

fn read(reader: &mut Reader, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    let mut filled = 0;
    while filled < count {
        match reader.read(&mut bytes[filled..]).unwrap() {
            0 => break,
            more => filled += more,
        }
    }
    bytes.truncate(filled);
    bytes
}

/// Readers that stall at any byte, and continue when the stream has advanced for a while, or
/// has ended. Returns how many missed something.
fn check(name: &str, log: &[u8], random: &mut Random) -> usize {
    let log = without_end(log);
    let (header, ends) = boundaries(log);
    let (whole, _) = fold(log);
    // Two of the largest blocks have to fit into half of it.
    let largest = ends.windows(2).map(|two| two[1] - two[0]).max().unwrap();
    let mut options = small_ring();
    options.ring_bytes = options.ring_bytes.max(8 * largest);
    let limit = options.ring_bytes as u64;
    let mut test = TestRelay::new(options);
    let mut readers: Vec<(Reader, Vec<u8>)> = (0..6)
        .map(|_| (test.relay.reader("app", Start::Now).unwrap(), Vec::new()))
        .collect();
    test.begin(&header);
    for (reader, got) in &mut readers {
        got.extend(read(reader, header.len()));
    }
    let mut done = header.len();
    let mut stalled = vec![0u64; readers.len()];
    for &end in &ends {
        test.give(&log[done..end]);
        done = end;
        test.settle();
        for (number, (reader, got)) in readers.iter_mut().enumerate() {
            if stalled[number] > 0 {
                stalled[number] -= 1;
                continue;
            }
            // Reads some bytes; then it stalls for a while somewhere in the middle.
            reader.set_tick(Some(std::time::Duration::ZERO));
            let mut buffer = [0; 4096];
            let mut left = 1 + random.below(100_000) as usize;
            while left > 0 {
                let most = left.min(1 + random.below(4000) as usize);
                match reader.read(&mut buffer[..most]) {
                    Ok(0) | Err(_) => break,
                    Ok(count) => {
                        got.extend(&buffer[..count]);
                        left -= count;
                    }
                }
            }
            stalled[number] = random.below(60);
        }
    }
    test.source.send(SourceStep::End).unwrap();
    let status = test.wait("end", |status| status.sources[0].over);
    let relay = test.relay.id();
    let (mut missed, mut resyncs) = (0, 0);
    for (mut reader, mut got) in readers {
        reader.set_tick(Some(LONG));
        reader.read_to_end(&mut got).unwrap();
        drop(reader);
        let told = messages(&got);
        let losses = told.iter().filter_map(|text| match Note::parse(text) {
            Some(Note::RelayLoss(loss)) => Some(loss),
            _ => None,
        });
        let losses: Vec<_> = losses.collect();
        assert!(losses.iter().all(|loss| loss.relay == relay));
        let (state, _) = fold(&got);
        let bytes: u64 = losses.iter().map(|loss| loss.bytes).sum();
        assert_eq!(state.losses().bytes, whole.losses().bytes + bytes);
        assert_eq!(state.difference(&whole), None, "{name}: {told:?}");
        missed += usize::from(!losses.is_empty());
        resyncs += losses.len() as u64;
        if losses.is_empty() {
            assert!(got.starts_with(log), "{name}");
        }
    }
    // It is reported just after the reader is back on the ring.
    test.wait("count of resyncs", |status| {
        let session = status.sources[0].session.as_ref();
        session.is_some_and(|session| session.fold.resyncs == resyncs)
    });
    assert!(status.sources[0].session.as_ref().unwrap().ring.bytes <= limit);
    missed
}

#[test]
fn programs_that_were_never_run() {
    let mut missed = 0;
    for seed in 0..30 {
        let blocks = Blocks {
            events: [3, 60, 400][seed as usize % 3],
            delay: [0, 50, 2000][seed as usize / 3 % 3],
            global_at_exit: seed % 10 == 9,
        };
        let log = program(seed, 6000, blocks);
        let mut random = Random(seed);
        missed += check(&format!("seed {seed}"), &log, &mut random);
    }
    assert!(missed > 60, "{missed}");
}

#[test]
fn real_logs_with_small_blocks() {
    let long = std::env::var_os("EVENTLOG_TEST_LONG").is_some();
    for (number, (name, log)) in real_logs().into_iter().enumerate() {
        if !long && number % 4 != 1 {
            continue;
        }
        let mut random = Random(number as u64);
        let blocks = Blocks {
            events: 1 + log.len() as u64 / 20 / 300,
            delay: [0, 1_000_000, 100_000_000][number % 3],
            global_at_exit: false,
        };
        let log = rewritten(&log, blocks, &mut random);
        check(&name, &log, &mut random);
    }
}

/// A log of messages with numbers, in blocks of about this size.
fn numbered(blocks: u64, each: u64) -> Vec<Vec<u8>> {
    (0..blocks)
        .map(|number| {
            let events: Vec<_> = (0..each)
                .map(|n| {
                    let time = 1 + number * each + n;
                    let text = format!("message {time} {}", "x".repeat(80));
                    let message = text.as_str().into();
                    event(time, EventBody::UserMsg { message })
                })
                .collect();
            block(Some(0), 1 + number * each, (number + 1) * each, &events)
        })
        .collect()
}

/// The numbers of the messages in a log.
fn numbers(log: &[u8]) -> Vec<u64> {
    let mut reader = ghc_eventlog::Reader::new(log);
    let mut numbers = Vec::new();
    while let Some(item) = reader.next_item().unwrap() {
        if let Item::Event(event) = item
            && let EventBody::UserMsg { message } = event.body
        {
            let text = message.to_string();
            numbers.push(text.split(' ').nth(1).unwrap().parse().unwrap());
        }
    }
    numbers
}

/// A client that has received a part of a large block gets the rest of the current event, and
/// no more of the block: the rest is not kept for it.
#[test]
fn a_client_that_stalls_in_a_large_block() {
    let mut test = TestRelay::new(small_ring());
    let mut reader = test.relay.reader("app", Start::Now).unwrap();
    test.begin(header().as_bytes());
    let large = numbered(1, 300).concat();
    assert!(large.len() > 30_000);
    test.give(&large);
    let mut got = read(&mut reader, header().as_bytes().len() + 1000);
    let rest = numbered(300, 10);
    for block in &rest {
        test.give(block);
        test.settle();
    }
    test.source.send(SourceStep::End).unwrap();
    reader.read_to_end(&mut got).unwrap();
    let numbers = numbers(&got);
    // It continues at the end of the log: everything else was missed.
    let count = numbers.len() as u64;
    assert_eq!(numbers, (1..=count).collect::<Vec<_>>());
    assert!((5..15).contains(&count), "{count}");
    // The block has the length in its marker.
    let (_, ends) = boundaries(&got);
    assert_eq!(ends[1] - ends[0], large.len());
    let told = messages(&got);
    assert!(
        told.iter()
            .any(|text| text.starts_with("eventlog relay: what was here is missing"))
    );
}

/// Two clients at sockets: the one that reads nothing does not affect the other, and gets
/// everything that is still in the ring when it continues.
#[test]
fn a_client_that_stalls_and_one_that_does_not() {
    let mut test = TestRelay::new(small_ring());
    let stalled = test.connect_and_wait();
    let mut busy = test.connect_and_wait();
    test.begin(header().as_bytes());
    let blocks = numbered(2000, 20);
    let mut got = busy.read_some(header().as_bytes().len());
    for block in &blocks {
        test.give(block);
        // It gets every block although the other client does not read.
        got.extend(busy.read_some(block.len()));
        test.settle();
    }
    let status = test.relay.status();
    let lag = status.clients.iter().map(|client| client.lag_bytes).max();
    assert!(lag.unwrap() > 64 << 10, "{status:#?}");
    let all: u64 = 2000 * 20;
    let read = std::thread::spawn(move || stalled.read_all());
    test.wait("resync", |status| {
        status
            .clients
            .iter()
            .any(|client| client.resyncs > 0 && client.lag_bytes == 0)
    });
    test.source.send(SourceStep::End).unwrap();
    got.extend(busy.read_all());
    assert_eq!(numbers(&got), (1..=all).collect::<Vec<_>>());
    let late = read.join().unwrap();
    let numbers = numbers(&late);
    assert_eq!(numbers[..100], (1..=100).collect::<Vec<_>>()[..]);
    assert!(numbers.is_sorted() && numbers.len() < all as usize);
    let losses = fold(&late).0.losses().bytes;
    let total: usize = blocks.iter().map(Vec::len).sum();
    let lost = (all - numbers.len() as u64) as f64 / all as f64 * total as f64;
    // The reported loss is right, to within the blocks at its ends.
    assert!((losses as f64 - lost).abs() < 20_000.0, "{losses} {lost}");
}

/// A file is read as fast as possible, but not so fast that a client that fell behind cannot
/// be brought up to date.
#[test]
fn a_source_that_can_wait_does_not_outrun_the_fold() {
    for large in [20, 200] {
        let mut test = TestRelay::of_file(small_ring());
        let stalled = test.connect_and_wait();
        test.begin(header().as_bytes());
        // Much more than fits into the ring and the buffers of the socket.
        let count = 60_000 / large;
        let blocks = numbered(count + 1, large);
        for block in &blocks[..count as usize] {
            test.give(block);
        }
        test.settle();
        let status = test.relay.status();
        assert_eq!(status.clients_lagged, 0, "blocks of {large}");
        let read = std::thread::spawn(move || stalled.read_all());
        test.wait("resync", |status| {
            let mut clients = status.clients.iter();
            status.clients_lagged > 0 || clients.any(|it| it.resyncs > 0 && it.lag_bytes == 0)
        });
        test.give(&blocks[count as usize]);
        test.source.send(SourceStep::End).unwrap();
        let late = read.join().unwrap();
        let status = test.relay.status();
        assert_eq!(status.clients_lagged, 0, "blocks of {large}");
        assert!(late.ends_with(&[0xff, 0xff]));
        let numbers = numbers(&late);
        let all = (count + 1) * large;
        assert!(numbers.is_sorted() && numbers.len() < all as usize);
        assert_eq!(numbers.last(), Some(&all), "blocks of {large}");
    }
}

#[test]
fn a_client_that_is_not_to_lose_anything_is_disconnected() {
    let mut options = small_ring();
    options.on_lag = OnLag::Disconnect;
    let mut test = TestRelay::new(options);
    let mut reader = test.relay.reader("app", Start::Now).unwrap();
    let stalled = test.connect_and_wait();
    test.begin(header().as_bytes());
    let mut got = read(&mut reader, header().as_bytes().len());
    for block in numbered(1500, 20) {
        test.give(&block);
        test.settle();
    }
    reader.read_to_end(&mut got).unwrap();
    for log in [got, stalled.read_all()] {
        let numbers = numbers(&log);
        let count = numbers.len() as u64;
        assert_eq!(numbers, (1..=count).collect::<Vec<_>>());
        assert!(count < 30_000);
        let last = messages(&log).pop().unwrap();
        assert!(
            matches!(Note::parse(&last), Some(Note::RelayLoss(_))),
            "{last}"
        );
        assert!(!log.ends_with(&[0xff, 0xff]));
    }
    test.wait("end of the client", |status| status.clients_lagged == 1);
}
