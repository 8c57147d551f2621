//! Thousands of damaged logs. Deterministic: the same damage every time.
//!
//! `EVENTLOG_FUZZ` sets how many; `EVENTLOG_FUZZ_SEED` sets another seed.

mod common;

use common::*;
use ghc_eventlog::{Decoder, Header, Item, MAX_ITEM, Order, OrderOptions, Stream, Writer};
use std::ops::ControlFlow;

/// A small generator of numbers (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// A short header, so that most of the damage hits what follows it.
fn small(parts: &[Vec<u8>]) -> Vec<u8> {
    let types = [
        1, 2, 9, 10, 18, 19, 45, 49, 53, 161, 163, 164, 169, 207, 210,
    ];
    let standard = Header::standard();
    let types = types.map(|id| {
        let mut kind = standard.event_type(id).unwrap().clone();
        kind.description.clear();
        kind
    });
    let header = Header::from_types(types.to_vec()).unwrap();
    [header.as_bytes().to_vec(), parts.concat()].concat()
}

fn seeds() -> Vec<Vec<u8>> {
    let of_small: Vec<_> = one_of_each()
        .into_iter()
        .filter(|body| {
            [1, 2, 9, 10, 19, 45, 49, 53, 161, 163, 164, 169, 207, 210].contains(&body.id())
        })
        .map(|body| event(40 + u64::from(body.id()), body))
        .collect();
    let payload = ipe_payload(1, ["a", "2", "c", "d", "e", "f"]);
    let excess = variable(169, 6, payload.len() as u16 + 1, &payload);
    let plain = small(&[
        block(None, 1, 9, &[run(2, 1), excess]),
        block(Some(0), 1, 300, &of_small),
        block(Some(1), 1, 4, &[]),
        block(Some(1), 4, 9, &[run(5, 3), run(6, 4), vec![0xff, 0xff]]),
    ]);
    let lead = [marker(Some(0), 1, 24 + 512, 2), plain.clone()].concat();
    let twice = [plain.clone(), plain.clone()].concat();
    let mut seeds = vec![plain, lead, twice, everything()];
    seeds.extend(kept_logs().into_iter().map(|(_, bytes)| bytes));
    seeds
}

/// Damages a log; returns where the first damage is.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) -> usize {
    let mut first = bytes.len();
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            return 0;
        }
        let at = random.below(bytes.len());
        first = first.min(at);
        let width = (1 << random.below(4)).min(bytes.len() - at);
        match random.below(8) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => bytes[at..at + width].fill(0xff),
            3 => bytes[at..at + width].fill(0),
            4 => bytes.truncate(at),
            5 => {
                let noise = random.next().to_be_bytes();
                bytes.splice(at..at, noise[..width].iter().copied());
            }
            6 => drop(bytes.drain(at..at + width)),
            _ => {
                let from = random.below(bytes.len());
                let length = random.below(64).min(bytes.len() - from);
                let copy = bytes[from..from + length].to_vec();
                bytes.splice(at..at, copy);
            }
        }
    }
    first
}

/// A summary of the items: enough to compare two runs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    items: u64,
    bytes: u64,
    hash: u64,
}

impl Sum {
    fn add(&mut self, item: &Item<'_>, header: usize) {
        self.items += 1;
        let (tag, offset, length) = match item {
            Item::Header => (1, 0, header as u64),
            Item::Block(block) => (2, block.offset, block.raw.len() as u64),
            Item::Event(event) => {
                let mut fields = 0u64;
                event.body.fields(|name, value| {
                    let value = value.as_u64().unwrap_or(name.len() as u64);
                    fields = fields.wrapping_mul(31).wrapping_add(value) & 0xffff_ffff;
                });
                (3 + (fields << 8), event.offset, event.raw.len() as u64)
            }
            Item::End => (4, 0, 2),
            Item::Gap(gap) => (5, gap.offset, gap.length),
            other => panic!("{other:?}"),
        };
        self.bytes += length;
        for part in [tag, offset, length] {
            self.hash = (self.hash ^ part)
                .wrapping_mul(0x100_0000_01b3)
                .rotate_left(17);
        }
    }
}

/// Decodes in pieces, checking what must hold for any bytes at all.
fn run_decoder(bytes: &[u8], recovery: bool, mut piece: impl FnMut() -> usize) -> Sum {
    let mut stream = Stream::with_decoder(Decoder::new().with_recovery(recovery));
    let mut order = Order::new(OrderOptions {
        max_bytes: 4096,
        ..OrderOptions::default()
    });
    let mut sum = Sum::default();
    let mut at = 0;
    let mut failed = None;
    let mut events = 0u64;
    let mut ordered = 0u64;
    'all: while at < bytes.len() {
        let end = (at + piece().max(1)).min(bytes.len());
        stream.push(&bytes[at..end]);
        at = end;
        loop {
            let before = stream.decoder().offset();
            match stream.next_item() {
                Ok(Item::NeedMore) => break,
                Ok(item) => {
                    if recovery {
                        order.push(&item);
                    }
                    if let Item::Event(event) = &item {
                        events += 1;
                        assert_eq!(event.offset, before);
                        let from = before as usize;
                        assert_eq!(event.raw, &bytes[from..from + event.raw.len()]);
                        assert!(event.raw.len() <= MAX_ITEM + 12);
                    }
                    if let Item::Header = item {
                        let length = stream.header().unwrap().as_bytes().len();
                        sum.add(&Item::Header, length);
                    } else {
                        sum.add(&item, 0);
                    }
                    while recovery && order.next_event().is_some() {
                        ordered += 1;
                    }
                }
                Err(error) => {
                    failed = Some(error);
                    break 'all;
                }
            }
        }
        assert!(stream.rest().len() <= MAX_ITEM + 64);
    }
    let ending = stream.ending();
    match failed {
        Some(error) => {
            assert!(!recovery, "a recovering decoder never fails");
            assert_eq!(stream.next_item().unwrap_err(), error);
            assert!(error.offset <= bytes.len() as u64);
        }
        None => {
            // All bytes are accounted for.
            let tail = ending.left + ending.gap.map_or(0, |gap| gap.length);
            assert_eq!(
                stream.decoder().offset() + stream.rest().len() as u64,
                at as u64
            );
            assert_eq!(sum.bytes + tail, bytes.len() as u64);
        }
    }
    if recovery {
        order.flush();
        while order.next_event().is_some() {
            ordered += 1;
        }
        assert_eq!(events, ordered);
    }
    sum
}

/// What a strict decoder takes is written back byte for byte.
fn written_back(bytes: &[u8]) {
    let mut input = bytes;
    let mut decoder = Decoder::new();
    let mut writer = Writer::new(Vec::new());
    loop {
        match decoder.decode(&mut input) {
            Ok(Item::NeedMore) | Err(_) => break,
            Ok(item) => writer
                .item(&item, decoder.header().map(|header| &**header))
                .unwrap(),
        }
    }
    let written = writer.into_inner();
    if decoder.sessions() > 0 {
        assert_eq!(written, bytes[..written.len()]);
    }
}

#[test]
fn damaged_logs() {
    let number = |name: &str, default: u64| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let count = number("EVENTLOG_FUZZ", 20_000);
    let mut random = Random(number("EVENTLOG_FUZZ_SEED", 1));
    let seeds = seeds();
    let ends: Vec<Vec<u64>> = seeds.iter().map(|seed| item_ends(seed)).collect();
    for round in 0..count {
        // Mostly the small ones: they are faster and hit more of the format.
        let which = if round % 16 == 0 {
            random.below(seeds.len())
        } else {
            random.below(3)
        };
        let mut bytes = seeds[which].clone();
        let first = damage(&mut bytes, &mut random);
        let whole = run_decoder(&bytes, round % 2 == 0, || usize::MAX / 2);
        let step = 1 + random.below(100);
        let split = run_decoder(&bytes, round % 2 == 0, || step);
        assert_eq!(whole, split, "round {round}");
        if round % 2 == 1 {
            // Every item that ends before the damage has been delivered.
            // A marker at the very front is recognised only with the header
            // after it.
            let known = if which == 1 && first < 28 {
                0
            } else {
                first as u64
            };
            let sound = ends[which].partition_point(|&end| end <= known);
            assert!(whole.items >= sound as u64, "round {round}");
        }
        if round % 16 == 0 {
            written_back(&bytes);
            fast_loop(&bytes, &whole);
        }
    }
}

/// Where the items of a sound log end.
fn item_ends(bytes: &[u8]) -> Vec<u64> {
    let mut stream = Stream::new();
    stream.push(bytes);
    let mut ends = Vec::new();
    while !matches!(stream.next_item().unwrap(), Item::NeedMore) {
        ends.push(stream.decoder().offset());
    }
    ends
}

/// The reader's fast loop agrees with the rest.
fn fast_loop(bytes: &[u8], whole: &Sum) {
    let mut items = 0;
    let decoder = Decoder::new().with_recovery(true);
    let mut reader = ghc_eventlog::Reader::with_decoder(bytes, decoder);
    let flow = reader.for_each(|_| {
        items += 1;
        ControlFlow::<()>::Continue(())
    });
    assert!(flow.is_ok());
    assert_eq!(items, whole.items);
}
