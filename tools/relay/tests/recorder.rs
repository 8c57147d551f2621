//! A recorder misses nothing, and can continue in another file at any piece.

use crate::common::logs::program::{Blocks, program};
use crate::common::*;
use eventlog_relay::{Cut, Options, PieceKind, Recorded, Recorder};
use std::time::Duration;

fn next(recorder: &mut Recorder) -> Recorded {
    match recorder.next(LONG) {
        Recorded::Idle => panic!("nothing comes"),
        recorded => recorded,
    }
}

/// A file that begins with this.
fn begin(cut: &Cut) -> Vec<u8> {
    let mut file = cut.header.as_bytes().to_vec();
    cut.beginning
        .write(&mut |bytes| file.extend_from_slice(bytes));
    file
}

fn small_ring() -> Options {
    let mut options = Options::default();
    options.ring_bytes = 64 << 10;
    options
}

#[test]
fn the_source_waits_and_files_go_on_at_every_piece() {
    for seed in 0..6 {
        let blocks = Blocks {
            events: [3, 20, 60][seed as usize % 3],
            delay: [0, 50, 2000][seed as usize / 3 % 3],
            global_at_exit: false,
        };
        let log = program(seed, 6000, blocks);
        let log = without_end(&log);
        let (header, ends) = boundaries(log);
        let (whole, _) = fold(log);
        let mut test = TestRelay::new(small_ring());
        let mut recorder = test.relay.recorder("app").unwrap();
        assert!(test.relay.recorder("app").is_err());
        test.begin(&header);
        test.give(&log[header.len()..]);
        test.source.send(SourceStep::End).unwrap();
        // It waits for the recorder: the log is larger than the ring.
        test.wait("full ring", |status| {
            let session = status.sources[0].session.as_ref();
            session.is_some_and(|it| it.ring.waits > 0)
        });
        let Recorded::Began(began) = next(&mut recorder) else {
            panic!("no session");
        };
        assert_eq!((began.number, began.offset), (1, 0));
        let mut raw = began.header.as_bytes().to_vec();
        let mut files: Vec<(usize, Vec<u8>)> = Vec::new();
        let chosen = spread(ends.len(), 25);
        let mut index = 0;
        loop {
            match next(&mut recorder) {
                Recorded::Piece(piece) => {
                    assert_eq!(piece.kind, PieceKind::Block);
                    assert_eq!(piece.offset as usize, raw.len() - header.len());
                    assert!(piece.begin <= piece.end);
                    raw.extend_from_slice(&piece.bytes);
                    for (_, file) in &mut files {
                        file.extend_from_slice(&piece.bytes);
                    }
                    index += 1;
                    assert_eq!(raw.len(), ends[index]);
                    // Two cuts at the same place are equal.
                    if chosen.contains(&index) {
                        let cut = recorder.cut().unwrap();
                        assert_eq!(cut.offset as usize, raw.len() - header.len());
                        files.push((raw.len(), begin(&cut)));
                        assert_eq!(begin(&recorder.cut().unwrap()), files.last().unwrap().1);
                    }
                }
                Recorded::Ended { marked, cut_off } => {
                    assert_eq!((marked, cut_off), (false, 0));
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(next(&mut recorder), Recorded::Over));
        assert!(raw == log, "seed {seed}");
        assert!(files.len() > 20);
        for (at, file) in files {
            let state = fold(&file).0;
            assert_eq!(state.difference(&whole), None, "seed {seed} at {at}");
        }
    }
}

#[test]
fn every_session_is_recorded() {
    let logs: Vec<Vec<u8>> = (0..5)
        .map(|seed| {
            let blocks = Blocks {
                events: 20,
                delay: 0,
                global_at_exit: false,
            };
            without_end(&program(seed, 100, blocks)).to_vec()
        })
        .collect();
    let mut test = TestRelay::new(small_ring());
    // A recorder that was dropped does not block the source.
    drop(test.relay.recorder("app").unwrap());
    let mut recorder = test.relay.recorder("app").unwrap();
    assert!(matches!(recorder.next(Duration::ZERO), Recorded::Idle));
    for log in &logs {
        let header = boundaries(log).0;
        test.begin(&header);
        test.give(&log[header.len()..]);
        test.source.send(SourceStep::Lost).unwrap();
    }
    test.source.send(SourceStep::End).unwrap();
    let mut recorded: Vec<Vec<u8>> = Vec::new();
    loop {
        match next(&mut recorder) {
            Recorded::Began(began) => {
                recorded.push(began.header.as_bytes().to_vec());
                assert_eq!(began.number as usize, recorded.len());
            }
            Recorded::Piece(piece) => recorded.last_mut().unwrap().extend(&piece.bytes),
            Recorded::Ended { .. } => {}
            Recorded::Over => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(recorded == logs);
}

#[test]
fn one_that_comes_late_begins_with_what_holds_then() {
    let blocks = Blocks {
        events: 20,
        delay: 50,
        global_at_exit: false,
    };
    let log = program(2, 8000, blocks);
    let log = without_end(&log);
    let (header, ends) = boundaries(log);
    let middle = ends[ends.len() / 2];
    let mut test = TestRelay::new(small_ring());
    test.begin(&header);
    for two in ends.windows(2).take_while(|two| two[1] <= middle) {
        test.give(&log[two[0]..two[1]]);
        test.settle();
    }
    let mut recorder = test.relay.recorder("app").unwrap();
    let Recorded::Began(began) = next(&mut recorder) else {
        panic!("no session");
    };
    // Earlier pieces are gone; from now on the source waits.
    assert!(began.offset > 0);
    let cut = recorder.cut().unwrap();
    assert_eq!(cut.offset, began.offset);
    let mut file = begin(&cut);
    test.give(&log[middle..]);
    test.source.send(SourceStep::End).unwrap();
    let mut offset = began.offset;
    loop {
        match next(&mut recorder) {
            Recorded::Piece(piece) => {
                assert_eq!(piece.offset, offset);
                offset = piece.reaches();
                file.extend(&piece.bytes);
            }
            Recorded::Ended { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(offset as usize, log.len() - header.len());
    assert_eq!(fold(&file).0.difference(&fold(log).0), None);
}

#[test]
fn one_that_is_dropped_lets_the_source_go_on() {
    let blocks = Blocks {
        events: 60,
        delay: 0,
        global_at_exit: false,
    };
    let log = program(1, 6000, blocks);
    let log = without_end(&log);
    let header = boundaries(log).0;
    let mut test = TestRelay::new(small_ring());
    let recorder = test.relay.recorder("app").unwrap();
    test.begin(&header);
    test.give(&log[header.len()..]);
    test.source.send(SourceStep::End).unwrap();
    test.wait("full ring", |status| {
        let session = status.sources[0].session.as_ref();
        session.is_some_and(|it| it.ring.waits > 0)
    });
    assert!(!test.relay.status().sources[0].over);
    drop(recorder);
    test.wait("end", |status| status.sources[0].over);
}
