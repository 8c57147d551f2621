//! A late reader ends with the same state as one that was connected from the beginning.

use crate::common::logs::program::{Blocks, program, rewritten};
use crate::common::logs::{Random, real_logs};
use crate::common::*;
use eventlog_relay::{Options, Start};
use ghc_eventlog::notes::Note;
use ghc_eventlog::{Item, Reader};
use std::io::Read;

/// Whether the log ends with an incomplete block.
fn breaks_off(log: &[u8]) -> bool {
    let mut reader = Reader::new(log);
    let mut end = 0;
    while let Some(item) = reader.next_item().unwrap() {
        if let Item::Block(block) = item {
            end = block.offset + u64::from(block.size);
        }
    }
    end != log.len() as u64
}

/// Clients join at these boundaries of a log, over the socket and in the process.
fn check(name: &str, log: &[u8], most: usize) -> usize {
    let log = without_end(log);
    let (header, mut ends) = boundaries(log);
    // A program that was killed leaves a part of a block: it is passed on as a shorter one, so
    // its bytes differ.
    let broken = breaks_off(log);
    if broken {
        ends.pop();
    }
    let chosen = spread(ends.len(), most);
    let (whole, errors) = fold(log);
    let mut test = TestRelay::new(Options::default());
    test.begin(&header);
    let mut done = header.len();
    let mut clients = Vec::new();
    for (index, &end) in ends.iter().enumerate() {
        test.give(&log[done..end]);
        done = end;
        if chosen.binary_search(&index).is_err() {
            continue;
        }
        test.settle();
        if index % 5 == 4 {
            let mut reader = test.relay.reader("app", Start::Now).unwrap();
            let mut got = vec![0; header.len()];
            reader.read_exact(&mut got).unwrap();
            let read = std::thread::spawn(move || {
                reader.read_to_end(&mut got).unwrap();
                got
            });
            clients.push((end, read));
            continue;
        }
        let (client, mut got) = test.join(&header);
        let read = std::thread::spawn(move || {
            got.extend(client.read_all());
            got
        });
        clients.push((end, read));
    }
    test.give(&log[done..]);
    test.source.send(SourceStep::End).unwrap();
    let relay = test.relay.id();
    let count = clients.len();
    for (end, read) in clients {
        let got = read.join().unwrap();
        let (late, odd) = fold(&got);
        assert_eq!(late.difference(&whole), None, "{name} at {end}");
        assert!(odd <= errors, "{name} at {end}: {odd} errors");
        let told = messages(&got);
        // The log has no end mark, and a note says so.
        assert_eq!(
            Note::parse(told.last().unwrap()),
            Some(Note::SourceLost { relay })
        );
        let trailer = 24 + 12 + told.last().unwrap().len() + 2;
        let stream = &got[..got.len() - trailer];
        assert!(got.ends_with(&[0xff, 0xff]), "{name} at {end}");
        if broken {
            continue;
        }
        assert!(
            stream.ends_with(&log[end..]),
            "{name} at {end}: the stream is another one"
        );
        if end == header.len() {
            assert!(stream == log, "{name}: whoever was there gets other bytes");
        } else {
            let Some(Note::Joined(joined)) = Note::parse(&told[0]) else {
                panic!("{name} at {end}: {told:?}");
            };
            assert_eq!((joined.relay, joined.session), (relay, 1));
        }
    }
    count
}

#[test]
fn programs_that_were_never_run() {
    let mut count = 0;
    for seed in 0..24 {
        let blocks = Blocks {
            events: [3, 20, 60][seed as usize % 3],
            delay: [0, 50, 2000][seed as usize / 3 % 3],
            global_at_exit: seed % 8 == 7,
        };
        count += check(&format!("seed {seed}"), &program(seed, 400, blocks), 25);
    }
    assert!(count > 300, "{count}");
}

#[test]
fn real_logs_at_block_boundaries() {
    for (name, log) in real_logs() {
        check(&name, &log, 12);
    }
}

#[test]
fn real_logs_with_small_blocks() {
    let long = std::env::var_os("EVENTLOG_TEST_LONG").is_some();
    for (number, (name, log)) in real_logs().into_iter().enumerate() {
        if !long && number % 3 != 0 {
            continue;
        }
        let mut random = Random(number as u64);
        let blocks = Blocks {
            events: 1 + log.len() as u64 / 20 / 200,
            delay: [0, 1_000_000, 100_000_000][number % 3],
            global_at_exit: false,
        };
        check(&name, &rewritten(&log, blocks, &mut random), 15);
    }
}
