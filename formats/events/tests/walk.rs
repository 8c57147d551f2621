//! Decoding the bytes of a block, from its beginning or from the middle.

mod common;

use common::*;
use ghc_eventlog::{Decoder, EventBody, Header, Item};
use std::collections::BTreeSet;
use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;

/// Logs of real programs, one with every type, and an old one, whose stop codes are not today's and
/// which is therefore not decoded on the fast path.
fn logs() -> Vec<(String, Vec<u8>)> {
    let mut logs = vec![
        ("everything".to_owned(), everything()),
        ("old".to_owned(), with_old_codes()),
    ];
    logs.extend(kept_logs());
    logs.extend(generated_logs());
    logs
}

/// Two capabilities under a header of GHC 7.8.2, with events for every path of decoding.
fn with_old_codes() -> Vec<u8> {
    let mut types = Header::standard().types().to_vec();
    types.retain(|kind| kind.id != 59);
    types.push(kind(999, Some(3)));
    let header = Header::from_types(types).unwrap();
    let events = |cap: u64| -> Vec<Vec<u8>> {
        (0..40)
            .flat_map(|n| {
                let time = 10 * n + cap;
                let names = b"\0\0\0\0\0\0\0\x01a\0b\0c\0d\0e\0f\0";
                [
                    fixed(1, time, &[0, 0, 0, 7]),
                    fixed(2, time, &[0, 0, 0, 7, 0, 8 + (n % 5) as u8, 0, 0, 0, 0]),
                    fixed(999, time, &[1, 2, 3]),
                    // Declared one byte too long.
                    variable(169, time, names.len() as u16 + 1, names),
                    variable(19, time, 2, b"hi"),
                ]
            })
            .collect()
    };
    let mut log = header.as_bytes().to_vec();
    log.extend(block(Some(0), 0, 500, &events(0)));
    log.extend(block(Some(1), 0, 500, &events(5)));
    log.extend_from_slice(&[0xff, 0xff]);
    log
}

fn header_of(bytes: &[u8]) -> Arc<Header> {
    let mut decoder = Decoder::new();
    assert_eq!(decoder.decode(&mut &bytes[..]), Ok(Item::Header));
    Arc::clone(decoder.header().unwrap())
}

#[test]
fn a_decoder_can_begin_at_any_event_of_a_block() {
    for (name, bytes) in logs() {
        let whole = decode(&bytes);
        let header = header_of(&bytes);
        let blocks: Vec<usize> = (0..whole.items.len())
            .filter(|&at| matches!(whole.items[at], Owned::Block { .. }))
            .collect();
        // A few blocks, from the beginning to the end of the log.
        let every = blocks.len().div_ceil(6).max(1);
        let last = blocks.len() - 1;
        for &block in blocks.iter().step_by(every).chain([&blocks[last]]) {
            let Owned::Block {
                size, cap, offset, ..
            } = whole.items[block]
            else {
                unreachable!()
            };
            let end = match size {
                0 => u64::MAX,
                size => offset + u64::from(size),
            };
            let events = whole.items[block + 1..].iter();
            let events = events.take_while(|item| matches!(item, Owned::Event { .. }));
            let count = events.clone().count();
            // Every event of a block of usual size; of a block with very many events the first and
            // the last ones, and some in between. Each time the items from there to some way after
            // the end of the block.
            let some = count.div_ceil(100).max(1);
            let starts = (0..count).filter(|at| at % some == 0 || *at < 20 || at + 20 > count);
            for start in starts {
                let first = block + 1 + start;
                let until = (block + count + 60).min(first + 500);
                let expected = &whole.items[first..until.min(whole.items.len())];
                let Owned::Event { offset, .. } = whole.items[first] else {
                    unreachable!()
                };
                let mut decoder = Decoder::at(Arc::clone(&header), cap, offset, end);
                assert_eq!((decoder.offset(), decoder.sessions()), (offset, 1));
                let mut input = &bytes[offset as usize..];
                for expected in expected {
                    let item = decoder.decode(&mut input).unwrap();
                    let item = Owned::new(&item, Some(&header)).unwrap();
                    assert_eq!(item, *expected, "{name} from {offset}");
                }
                if until >= whole.items.len() {
                    assert_eq!(decoder.decode(&mut input), Ok(Item::NeedMore));
                    assert_eq!(decoder.ending(input), whole.ending, "{name} from {offset}");
                }
            }
        }
    }
}

/// All items; events are read by `events`.
fn walk(
    bytes: &[u8],
    mut events: impl FnMut(&mut Decoder, &mut &[u8], &mut Vec<Owned>),
) -> Vec<Owned> {
    let (mut decoder, mut input) = (Decoder::new(), bytes);
    let mut items = Vec::new();
    loop {
        events(&mut decoder, &mut input, &mut items);
        assert_eq!(decoder.offset() as usize, bytes.len() - input.len());
        let item = decoder.decode(&mut input).unwrap();
        match Owned::new(&item, decoder.header().map(|header| &**header)) {
            Some(item) => {
                assert!(
                    !matches!(item, Owned::Event { .. }),
                    "left behind: {item:?}"
                );
                items.push(item);
            }
            None => {
                return items;
            }
        }
    }
}

#[test]
fn events_are_the_same_as_one_by_one() {
    for (name, bytes) in logs() {
        let whole = decode(&bytes);
        let all = walk(&bytes, |decoder, input, items| {
            let flow: ControlFlow<()> = decoder.for_each_event(input, |event| {
                items.extend(Owned::new(&Item::Event(event), None));
                Continue(())
            });
            assert_eq!(flow, Continue(()));
        });
        assert!(all == whole.items, "{name}");
        // Breaking after each event misses none either.
        let single = walk(&bytes, |decoder, input, items| {
            while let Break(item) =
                decoder.for_each_event(input, |event| Break(Owned::new(&Item::Event(event), None)))
            {
                items.extend(item);
            }
        });
        assert!(single == whole.items, "{name}");
        // An event that is declined is passed again: every event is seen twice.
        let twice = walk(&bytes, |decoder, input, items| {
            let mut declined = None;
            while let Break(offset) = decoder.for_each_event_while(input, |event| {
                if declined != Some(event.offset) {
                    return Break(event.offset);
                }
                items.extend(Owned::new(&Item::Event(event), None));
                Continue(())
            }) {
                declined = Some(offset);
                assert_eq!(decoder.offset(), offset, "{name}");
            }
        });
        assert!(twice == whole.items, "{name}");
    }
}

#[test]
fn blocks_can_be_merged_by_time() {
    let bytes = with_old_codes();
    let header = header_of(&bytes);
    // Both blocks, each with its own decoder.
    let mut places = Vec::new();
    let (mut decoder, mut rest) = (Decoder::new(), &bytes[..]);
    loop {
        match decoder.decode(&mut rest).unwrap() {
            Item::Block(block) => {
                let (from, end) = (block.offset + 24, block.offset + u64::from(block.size));
                places.push((
                    Decoder::at(Arc::clone(&header), block.cap, from, end),
                    &bytes[from as usize..end as usize],
                ));
            }
            Item::End => break,
            _ => {}
        }
    }
    let mut merged = Vec::new();
    let mut next = [0, 0];
    let mut turn = 0;
    while next[turn] != u64::MAX {
        let limit = next[1 - turn];
        let (decoder, input) = &mut places[turn];
        let flow = decoder.for_each_event_while(input, |event| {
            if event.time > limit {
                return Break(event.time);
            }
            merged.push((event.time, event.cap));
            Continue(())
        });
        next[turn] = match flow {
            Break(time) => time,
            Continue(()) => u64::MAX,
        };
        turn = usize::from(next[1] < next[0]);
    }
    assert_eq!(merged.len(), 2 * 40 * 5);
    assert!(merged.is_sorted_by_key(|(time, _)| time));
    let caps: BTreeSet<_> = merged.iter().map(|(_, cap)| *cap).collect();
    assert_eq!(caps, BTreeSet::from([Some(0), Some(1)]));
}

#[test]
fn what_is_no_whole_event_is_left() {
    let header = Arc::new(header_with(&[]));
    let event = fixed(1, 5, &[0, 0, 0, 7]);
    let info_table = variable(169, 5, 20, b"\0\0\0\0\0\0\0\x01a\0b\0c\0d\0e\0f\0");
    let mut cases = vec![
        ("marker", marker(Some(1), 0, 24, 9)),
        ("end", vec![0xff, 0xff]),
        ("header", header.as_bytes().to_vec()),
        ("undeclared", fixed(3000, 5, &[])),
        ("hole", vec![0; 40]),
    ];
    for (name, whole) in [("event", &event), ("info table", &info_table)] {
        cases.extend((0..whole.len()).map(|cut| (name, whole[..cut].to_vec())));
    }
    for recovery in [false, true] {
        for (name, bytes) in &cases {
            let at = Decoder::at(Arc::clone(&header), None, 0, u64::MAX);
            let mut decoder = at.clone().with_recovery(recovery);
            let both = [&event[..], bytes].concat();
            let mut input = &both[..];
            let mut count = 0;
            let flow: ControlFlow<()> = decoder.for_each_event(&mut input, |_| {
                count += 1;
                Continue(())
            });
            assert_eq!(
                (flow, count, input),
                (Continue(()), 1, &bytes[..]),
                "{name}"
            );
            // And it is decoded as if nothing had been tried.
            let mut other = at.clone().with_recovery(recovery);
            let mut rest = &both[..];
            let first = other.decode(&mut rest).unwrap();
            assert!(matches!(first, Item::Event(_)));
            assert_eq!(
                decoder.decode(&mut input),
                other.decode(&mut rest),
                "{name}"
            );
            assert_eq!(decoder.offset(), other.offset());
        }
    }
}

/// An event that reaches beyond its block is a fault, which `decode` reports.
#[test]
fn the_end_of_the_block_counts() {
    let header = Arc::new(header_with(&[]));
    let bytes = [fixed(1, 5, &[0, 0, 0, 7]), fixed(1, 6, &[0, 0, 0, 7])].concat();
    let mut decoder = Decoder::at(header, Some(4), 100, 100 + 14 + 13);
    let mut input = &bytes[..];
    let flow = decoder.for_each_event(&mut input, |event| {
        assert_eq!((event.cap, event.offset), (Some(4), 100));
        assert_eq!(event.body, EventBody::RunThread { thread: 7 });
        Continue::<()>(())
    });
    assert_eq!((flow, input.len()), (Continue(()), 14));
    assert_eq!(decoder.decode(&mut input).unwrap_err().offset, 114);
}
