//! The items are the same however the bytes are split, and what is left over is
//! counted exactly.

mod common;

use common::*;
use ghc_eventlog::{Decoder, EventBody, Item, Part, Reader};
use std::io::{self, Read};
use std::ops::ControlFlow;

fn samples() -> Vec<(String, Vec<u8>)> {
    let mut logs = vec![("everything".to_owned(), everything())];
    logs.extend(kept_logs());
    logs
}

#[test]
fn any_split_gives_the_same() {
    for (name, bytes) in samples() {
        let whole = decode(&bytes);
        assert_eq!(whole.error, None, "{name}");
        assert!(whole.ending.is_complete(), "{name}");
        for split in [1, 2, 3, 7, 23, 24, 25, 100, 4096] {
            assert!(
                decode_split(&bytes, split) == whole,
                "{name} in pieces of {split}"
            );
        }
    }
}

#[test]
fn every_cut_in_two_gives_the_same() {
    let bytes = everything();
    let whole = decode(&bytes);
    for cut in 0..bytes.len() {
        let (a, b) = bytes.split_at(cut);
        assert!(
            decode_pieces(Decoder::new(), [a, b].into_iter()) == whole,
            "cut at {cut}"
        );
    }
}

#[test]
fn every_prefix_is_accepted_with_an_exact_rest() {
    for (name, bytes) in samples() {
        let whole = decode(&bytes);
        let header = whole.items[0].raw().len();
        for length in 0..=bytes.len() {
            let outcome = decode(&bytes[..length]);
            assert_eq!(outcome.error, None, "{name} cut to {length}");
            assert_eq!(outcome.ending.left, outcome.rest.len() as u64);
            assert_eq!(outcome.items[..], whole.items[..outcome.items.len()]);
            let used: usize = outcome.items.iter().map(|item| item.raw().len()).sum();
            assert_eq!(used + outcome.rest.len(), length, "{name} cut to {length}");
            assert_eq!(outcome.bytes(), &bytes[..length]);
            assert_eq!(outcome.ending.header, length >= header);
            // What is left is shorter than the item that it begins.
            if let Some(next) = whole.items.get(outcome.items.len()) {
                assert!(outcome.rest.len() < next.raw().len());
            }
            assert_eq!(outcome.ending.marked, length == bytes.len());
        }
    }
}

#[test]
fn nothing_at_all_is_not_an_error() {
    let outcome = decode(&[]);
    assert_eq!((outcome.items.len(), outcome.error), (0, None));
    assert!(!outcome.ending.header && !outcome.ending.is_complete());
}

/// A source that returns a few bytes at a time, `Interrupted`, or `WouldBlock`.
struct Trickle<'a> {
    bytes: &'a [u8],
    turn: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.turn += 1;
        if self.turn.is_multiple_of(5) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.turn.is_multiple_of(7) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = (self.turn % 13).min(into.len()).min(self.bytes.len());
        // A read of 0 bytes would be the end.
        let count = count.max(1.min(self.bytes.len()));
        let (now, later) = self.bytes.split_at(count);
        into[..count].copy_from_slice(now);
        self.bytes = later;
        Ok(count)
    }
}

#[test]
fn a_reader_can_be_asked_again_after_its_source_made_it_wait() {
    let bytes = everything();
    let whole = decode(&bytes);
    let mut reader = Reader::new(Trickle {
        bytes: &bytes,
        turn: 0,
    });
    let mut items = Vec::new();
    let mut waits = 0;
    loop {
        match reader.next_item() {
            Ok(Some(Item::Header)) => {
                items.push(Owned::Header(reader.header().unwrap().as_bytes().to_vec()));
            }
            Ok(Some(item)) => items.extend(Owned::new(&item, None)),
            Ok(None) => break,
            Err(ghc_eventlog::ReadError::Io(error)) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                waits += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(waits > 10);
    assert!(items == whole.items);
    assert!(reader.ending().is_complete());
}

#[test]
fn a_file_that_grows_can_be_followed() {
    let bytes = everything();
    let path = std::env::temp_dir().join(format!("grows-{}.eventlog", std::process::id()));
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let mut reader = Reader::new(std::fs::File::open(&path).unwrap());
    let mut events = 0;
    let mut count = |reader: &mut Reader<std::fs::File>| {
        while let Some(item) = reader.next_item().unwrap() {
            events += usize::from(matches!(item, Item::Event(_)));
        }
        events
    };
    let before = count(&mut reader);
    std::fs::write(&path, &bytes).unwrap();
    let after = count(&mut reader);
    std::fs::remove_file(&path).unwrap();
    assert!(before < after);
    assert_eq!(after, one_of_each().len());
}

#[test]
fn the_fast_loop_gives_the_same_items() {
    let mut bytes = everything();
    bytes.extend_from_slice(&everything());
    let whole = decode(&bytes);
    let mut reader = Reader::new(&bytes[..]);
    let mut items = Vec::new();
    let flow = reader
        .for_each(|item| {
            items.extend(match item {
                Item::Header => None,
                item => Owned::new(&item, None),
            });
            ControlFlow::<()>::Continue(())
        })
        .unwrap();
    assert_eq!(flow, ControlFlow::Continue(()));
    let mut expected = whole.items;
    expected.retain(|item| !matches!(item, Owned::Header(_)));
    assert!(items == expected);
    assert_eq!(reader.ending(), whole.ending);
    assert_eq!(reader.decoder().sessions(), 2);
}

#[test]
fn the_fast_loop_stops_where_it_is_told_and_goes_on_there() {
    let bytes = everything();
    let whole = decode(&bytes);
    let mut reader = Reader::new(&bytes[..]);
    let mut items = Vec::new();
    while let ControlFlow::Break(()) = reader
        .for_each(|item| {
            items.extend(Owned::new(&item, Some(&ghc_eventlog::Header::standard())));
            ControlFlow::Break(())
        })
        .unwrap()
    {}
    assert!(items == whole.items);
}

#[test]
fn runs_are_the_events_before_them_all_together() {
    // Two events are outside any block, just after one.
    let mut bytes = everything();
    bytes.extend_from_slice(&log(&[
        block(
            Some(1),
            0,
            9,
            &[event(1, EventBody::GcStart), event(2, EventBody::GcEnd)],
        ),
        event(3, EventBody::GcStart),
        event(4, EventBody::GcEnd),
    ]));
    for length in [1, usize::MAX] {
        let (mut events, mut runs) = (Vec::new(), Vec::new());
        let (mut open, mut joined) = (0, 0);
        let flow = Reader::new(Slowly(&bytes, length)).for_each_part(|part| {
            match part {
                Part::Item(Item::Event(event)) => {
                    open += 1;
                    let bytes = (event.offset..).zip(event.raw.to_vec());
                    events.extend(bytes.map(|byte| (event.cap, byte)));
                }
                Part::Item(_) => assert_eq!(open, 0, "events without a run"),
                Part::Run(run) => {
                    joined += u64::from(open > 1);
                    if events.len() == runs.len() + run.raw.len() {
                        open = 0;
                    }
                    let bytes = (run.offset..).zip(run.raw.to_vec());
                    runs.extend(bytes.map(|byte| (run.cap, byte)));
                }
            }
            ControlFlow::<()>::Continue(())
        });
        assert_eq!(flow.unwrap(), ControlFlow::Continue(()));
        assert_eq!(open, 0);
        assert!(events == runs, "{length} bytes at a time");
        assert_eq!(joined > 0, length > 1);
        let outside = events.iter().rev().take_while(|(cap, _)| cap.is_none());
        assert_eq!(outside.count(), 20);
        // The same runs, and all other items the same, when events are not
        // passed on.
        let (mut others, mut alone) = ((0, 0), Vec::new());
        let flow = Reader::new(Slowly(&bytes, length)).for_each_run(|part| {
            match part {
                Part::Item(Item::Event(_)) => others.0 += 1,
                Part::Item(_) => others.1 += 1,
                Part::Run(run) => {
                    let bytes = (run.offset..).zip(run.raw.to_vec());
                    alone.extend(bytes.map(|byte| (run.cap, byte)));
                }
            }
            ControlFlow::<()>::Continue(())
        });
        assert_eq!(flow.unwrap(), ControlFlow::Continue(()));
        assert!(alone == runs, "{length} bytes at a time");
        let count = |wanted: fn(&Item<'_>) -> bool| {
            let mut count = 0;
            let flow = Reader::new(Slowly(&bytes, length)).for_each(|item| {
                count += u64::from(wanted(&item));
                ControlFlow::<()>::Continue(())
            });
            assert_eq!(flow.unwrap(), ControlFlow::Continue(()));
            count
        };
        assert_eq!(others.1, count(|item| !matches!(item, Item::Event(_))));
        assert!(others.0 < count(|item| matches!(item, Item::Event(_))));
    }
}

/// Returns a given number of bytes at a time.
struct Slowly<'a>(&'a [u8], usize);

impl Read for Slowly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.1.min(buffer.len());
        self.0.read(&mut buffer[..length])
    }
}
