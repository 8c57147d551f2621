//! Events of all capabilities ordered by time.

mod common;

use common::*;
use eventlog_state::{Merge, MergeOptions, Step, Turn};
use ghc_eventlog::{Decoder, Error, EventBody, Gap, Item, Order, OrderOptions, Part, Reader};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// A step that owns its data.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Session,
    Block(Option<u16>, u64),
    Event(Ev, Turn),
    Gap(Gap),
    End,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ev {
    cap: Option<u16>,
    time: u64,
    offset: u64,
    raw: Vec<u8>,
}

fn told(step: Step<'_>) -> Told {
    match step {
        Step::Session(_) => Told::Session,
        Step::Block(block) => Told::Block(block.cap, block.offset),
        Step::Event(event, turn) => Told::Event(
            Ev {
                cap: event.cap,
                time: event.time,
                offset: event.offset,
                raw: event.raw.to_vec(),
            },
            turn,
        ),
        Step::Gap(gap) => Told::Gap(*gap),
        Step::End => Told::End,
    }
}

const PLENTY: MergeOptions = MergeOptions {
    max_bytes: 1 << 30,
    stale_after: None,
    recovery: false,
};

fn drain(merge: &mut Merge, out: &mut Vec<Told>) -> Result<(), Error> {
    merge.drain(&mut |step| out.push(told(step)))
}

/// The bytes in pieces of these lengths, and then the rest.
fn by_bytes(
    bytes: &[u8],
    options: MergeOptions,
    mut length: impl FnMut() -> usize,
) -> (Vec<Told>, Merge, Option<Error>) {
    let mut merge = Merge::new(options);
    let (mut out, mut rest, mut error) = (Vec::new(), bytes, None);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(length().min(rest.len()));
        rest = after;
        merge.push_bytes(piece);
        error = error.or(drain(&mut merge, &mut out).err());
    }
    merge.flush();
    error = error.or(drain(&mut merge, &mut out).err());
    (out, merge, error)
}

fn by_items(bytes: &[u8], options: MergeOptions) -> (Vec<Told>, Merge) {
    let mut merge = Merge::new(options);
    let mut out = Vec::new();
    let mut decoder = Decoder::new().with_recovery(options.recovery);
    let mut rest = bytes;
    loop {
        let item = decoder.decode(&mut rest).unwrap();
        if item == Item::NeedMore {
            break;
        }
        merge.push(&item, decoder.header());
        drain(&mut merge, &mut out).unwrap();
    }
    merge.flush();
    drain(&mut merge, &mut out).unwrap();
    (out, merge)
}

/// Pushes events as runs, and everything else as items.
fn by_runs(bytes: &[u8], options: MergeOptions) -> (Vec<Told>, Merge) {
    let mut merge = Merge::new(options);
    let mut out = Vec::new();
    let decoder = Decoder::new().with_recovery(options.recovery);
    let mut reader = Reader::with_decoder(bytes, decoder);
    let mut header = None;
    while let ControlFlow::Break(()) = reader
        .for_each_part(|part| {
            match &part {
                Part::Item(Item::Header) => return ControlFlow::Break(()),
                Part::Item(Item::Event(_)) => return ControlFlow::Continue(()),
                Part::Item(item) => merge.push(item, header.as_ref()),
                Part::Run(run) => merge.push_run(run, header.as_ref()),
            }
            drain(&mut merge, &mut out).unwrap();
            ControlFlow::Continue(())
        })
        .unwrap()
    {
        header = reader.header().cloned();
        merge.push(&Item::Header, header.as_ref());
    }
    merge.flush();
    drain(&mut merge, &mut out).unwrap();
    (out, merge)
}

/// All events of a log in its order, with the key of each: the time with which it counts among
/// those of other capabilities.
fn keys(bytes: &[u8]) -> Vec<(u64, Ev)> {
    let mut reached: BTreeMap<Option<u16>, u64> = BTreeMap::new();
    let mut block: Option<(Option<u16>, u64)> = None;
    let mut out = Vec::new();
    let mut reader = Reader::new(bytes);
    while let Some(item) = reader.next_item().unwrap() {
        match item {
            Item::Event(event) => {
                let reached = reached.entry(event.cap).or_default();
                *reached = event.time.max(*reached);
                let ev = Ev {
                    cap: event.cap,
                    time: event.time,
                    offset: event.offset,
                    raw: event.raw.to_vec(),
                };
                out.push((*reached, ev));
            }
            Item::Block(next) => {
                if let Some((cap, end)) = block.replace((next.cap, next.end)) {
                    let reached = reached.entry(cap).or_default();
                    *reached = end.max(*reached);
                }
            }
            _ => {}
        }
    }
    out
}

fn events(told: &[Told], of_caps: bool) -> Vec<Ev> {
    let events = told.iter().filter_map(|told| match told {
        Told::Event(event, _) => Some(event),
        _ => None,
    });
    let events = events.filter(|event| event.cap.is_some() == of_caps);
    events.cloned().collect()
}

/// The expected result if all capabilities are known from the beginning: sorted.
fn expected(bytes: &[u8]) -> Vec<Ev> {
    let mut keys: Vec<_> = keys(bytes)
        .into_iter()
        .filter(|(_, event)| event.cap.is_some())
        .map(|(key, event)| ((key, event.offset), event))
        .collect();
    keys.sort_by_key(|(key, _)| *key);
    keys.into_iter().map(|(_, event)| event).collect()
}

/// A log that a runtime system could write: each capability fills blocks in its own time, and they
/// are written one after the other, not in order. Some events are dated back.
fn random_log(random: &mut Random, announced: bool) -> Vec<u8> {
    let caps = 1 + random.below(5) as u16;
    let mut blocks: Vec<(u64, Vec<u8>)> = Vec::new();
    let spread = [1, 10, 1000][random.below(3) as usize];
    for cap in 0..caps {
        let mut now = if random.one_in(4) {
            random.below(4000)
        } else {
            0
        };
        // A silent capability writes an empty block at the end.
        let count = if random.one_in(5) {
            0
        } else {
            1 + random.below(6)
        };
        for _ in 0..count {
            let (begin, mut events) = (now, Vec::new());
            for n in 0..random.below(40) as u32 {
                now += random.below(spread);
                let back = if random.one_in(9) {
                    random.below(50)
                } else {
                    0
                };
                let time = now.saturating_sub(back);
                events.push(match random.below(6) {
                    0 => event(time, EventBody::GcEnd),
                    1 => event(
                        time,
                        EventBody::UserMsg {
                            message: "hello".into(),
                        },
                    ),
                    _ => event(time, EventBody::RunThread { thread: n }),
                });
            }
            now += random.below(20);
            let arrival = now + random.below(3) * random.below(2000);
            blocks.push((arrival, block(Some(cap), begin, now, &events)));
            now += random.below(20);
        }
        blocks.push((1 << 20, block(Some(cap), now, 1 << 20, &[])));
    }
    // Blocks of one capability are in order.
    let mut latest: BTreeMap<u16, u64> = BTreeMap::new();
    for (arrival, bytes) in &mut blocks {
        let cap = u16::from_be_bytes([bytes[22], bytes[23]]);
        let latest = latest.entry(cap).or_default();
        *arrival = (*arrival).max(*latest);
        *latest = *arrival;
    }
    let mut definitions = Vec::new();
    if announced {
        definitions
            .extend((0..caps).map(|cap| event(0, EventBody::CapCreate { created_cap: cap })));
    }
    let mut parts = vec![block(None, 0, 5, &definitions)];
    blocks.sort_by_key(|(arrival, _)| *arrival);
    parts.extend(blocks.into_iter().map(|(_, bytes)| bytes));
    let program = event(
        3,
        EventBody::UserMarker {
            marker: "outside".into(),
        },
    );
    parts.insert(
        1 + random.below(parts.len() as u64) as usize,
        block(None, 5, 9, std::slice::from_ref(&program)),
    );
    if random.one_in(3) {
        parts.push(program);
    }
    if random.one_in(2) {
        parts.push(vec![0xff, 0xff]);
    }
    log(&parts)
}

#[test]
fn like_sorting_by_the_time_with_which_events_count() {
    for seed in 0..300 {
        let mut random = Random(seed);
        let bytes = random_log(&mut random, true);
        let expected = expected(&bytes);
        let globals: Vec<_> = keys(&bytes)
            .into_iter()
            .map(|(_, event)| event)
            .filter(|event| event.cap.is_none())
            .collect();
        let every = [usize::MAX, 1, 7, 100, 1 + random.below(500) as usize];
        let mut outputs = vec![by_items(&bytes, PLENTY), by_runs(&bytes, PLENTY)];
        assert!(outputs[0].0 == outputs[1].0, "seed {seed}");
        for length in every {
            let (out, merge, error) = by_bytes(&bytes, PLENTY, || length);
            assert_eq!(error, None);
            outputs.push((out, merge));
        }
        let zero = without_sizes(&bytes);
        for (out, merge) in &outputs {
            check(out, merge, &expected, &globals);
        }
        // Blocks without a size.
        let zero_expected = self::expected(&zero);
        for length in [usize::MAX, 13] {
            let (out, merge, _) = by_bytes(&zero, PLENTY, || length);
            assert_eq!(merge.late(), 0, "seed {seed}");
            assert!(events(&out, true) == zero_expected, "seed {seed}");
        }
        for (out, merge) in [by_items(&zero, PLENTY), by_runs(&zero, PLENTY)] {
            assert_eq!(merge.late(), 0);
            assert!(events(&out, true) == zero_expected, "seed {seed}");
        }
    }
}

fn check(out: &[Told], merge: &Merge, expected: &[Ev], globals: &[Ev]) {
    assert!(events(out, true) == expected);
    assert!(events(out, false) == globals);
    assert_eq!(merge.late(), 0);
    let certain = |told: &Told| !matches!(told, Told::Event(_, turn) if *turn != Turn::Certain);
    assert!(out.iter().all(certain));
    assert_eq!(out[0], Told::Session);
    // A block is passed on just before its first event.
    let mut told: BTreeMap<Option<u16>, u64> = BTreeMap::new();
    let mut blocks = BTreeSet::new();
    for step in out {
        match step {
            Told::Block(cap, offset) => {
                told.insert(*cap, *offset);
                assert!(blocks.insert(*offset));
            }
            Told::Event(event, _) => {
                let block = told.get(&event.cap).copied();
                assert!(block.is_some_and(|block| block < event.offset));
            }
            _ => {}
        }
    }
}

/// If capabilities are not known, and if too much would have to be held.
#[test]
fn what_is_not_certain_is_said_to_be_so() {
    let (mut late, mut early) = (0, 0);
    for seed in 0..300 {
        let mut random = Random(seed);
        let announced = random.one_in(2);
        let bytes = random_log(&mut random, announced);
        let options = MergeOptions {
            max_bytes: [0, 100, 2000][random.below(3) as usize],
            stale_after: random.one_in(3).then(|| random.below(500)),
            ..PLENTY
        };
        let key_of: BTreeMap<u64, u64> = keys(&bytes)
            .into_iter()
            .map(|(key, event)| (event.offset, key))
            .collect();
        let (mut by_bytes, merge, _) = by_bytes(&bytes, options, || 64);
        let items = by_items(&bytes, options);
        for (out, merge) in [(&mut by_bytes, &merge), (&mut items.0.clone(), &items.1)] {
            // Each event once, those of one capability in the order of the log.
            let mut all = events(out, true);
            let mut wanted = expected(&bytes);
            for cap in 0..5 {
                let of = |events: &[Ev]| -> Vec<u64> {
                    let of = events.iter().filter(|event| event.cap == Some(cap));
                    of.map(|event| event.offset).collect()
                };
                assert!(of(&all).is_sorted());
                assert_eq!(of(&all), of(&wanted));
            }
            all.sort();
            wanted.sort();
            assert_eq!(all, wanted);
            let mut reached = 0;
            let mut count = 0;
            for told in out.iter() {
                let Told::Event(event, turn) = told else {
                    continue;
                };
                if event.cap.is_none() {
                    assert_eq!(*turn, Turn::Certain);
                    continue;
                }
                let key = key_of[&event.offset];
                assert_eq!(*turn == Turn::Late, key < reached, "seed {seed}");
                count += u64::from(*turn == Turn::Late);
                early += u64::from(*turn == Turn::Early);
                reached = reached.max(key);
            }
            assert_eq!(merge.late(), count);
            late += count;
        }
    }
    assert!(late > 100 && early > 100, "{late} {early}");
}

#[test]
fn an_announced_capability_that_is_silent_holds_the_others_back() {
    let run = |time| event(time, EventBody::RunThread { thread: 1 });
    let create = |cap| event(1, EventBody::CapCreate { created_cap: cap });
    let parts = [
        block(None, 0, 2, &[create(0), create(1)]),
        block(Some(0), 0, 10, &[run(5), run(10)]),
        block(Some(1), 0, 7, &[]),
        block(Some(1), 7, 12, &[run(8)]),
    ];
    let mut merge = Merge::new(PLENTY);
    let mut out = Vec::new();
    let mut after = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let bytes = if at == 0 {
            log(std::slice::from_ref(part))
        } else {
            part.clone()
        };
        merge.push_bytes(&bytes);
        drain(&mut merge, &mut out).unwrap();
        after.push(
            events(&out, true)
                .iter()
                .map(|event| event.time)
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(after, [vec![], vec![], vec![5], vec![5, 8, 10]]);
    assert_eq!(merge.watermark().unwrap().low(), 10);
    assert_eq!(merge.watermark().unwrap().of(Some(1)), Some(12));
}

/// A block counts when its last byte has arrived, and not before.
#[test]
fn a_block_counts_when_it_is_here_whole() {
    let run = |time| event(time, EventBody::RunThread { thread: 1 });
    let create = event(1, EventBody::CapCreate { created_cap: 0 });
    let bytes = log(&[
        block(None, 0, 2, &[create]),
        block(Some(0), 0, 10, &[run(5), run(6)]),
    ]);
    let (last, before) = bytes.split_last().unwrap();
    let mut merge = Merge::new(PLENTY);
    let mut out = Vec::new();
    merge.push_bytes(before);
    drain(&mut merge, &mut out).unwrap();
    assert!(events(&out, true).is_empty());
    merge.push_bytes(&[*last]);
    drain(&mut merge, &mut out).unwrap();
    assert_eq!(events(&out, true).len(), 2);
    // If it never arrives, the part that has arrived is passed on in the end; then the stream can
    // go on.
    let mut merge = Merge::new(PLENTY);
    let mut out = Vec::new();
    merge.push_bytes(before);
    merge.flush();
    drain(&mut merge, &mut out).unwrap();
    assert_eq!(events(&out, true).len(), 1);
    assert_eq!(merge.ending().left, 13);
    merge.push_bytes(&[*last]);
    merge.flush();
    drain(&mut merge, &mut out).unwrap();
    assert_eq!(events(&out, true), expected(&bytes));
    assert_eq!(
        out.iter()
            .filter(|told| matches!(told, Told::Block(Some(_), _)))
            .count(),
        1
    );
}

#[test]
fn memory_is_bounded() {
    let create = |cap| event(1, EventBody::CapCreate { created_cap: cap });
    let mut merge = Merge::new(MergeOptions {
        max_bytes: 1 << 20,
        ..PLENTY
    });
    let mut count = 0u64;
    let mut early = 0u64;
    let mut most = 0;
    merge.push_bytes(&log(&[block(
        None,
        0,
        2,
        &[create(0), create(1), create(7)],
    )]));
    let mut take = |merge: &mut Merge| {
        merge
            .drain(&mut |step| {
                if let Step::Event(event, turn) = step
                    && event.cap.is_some()
                {
                    count += 1;
                    early += u64::from(turn == Turn::Early);
                }
            })
            .unwrap();
        most = most.max(merge.held_bytes());
    };
    let mut pushed = 0;
    for n in 0..400u64 {
        // Capability 7 is silent forever.
        let events: Vec<_> = (0..5000)
            .map(|at| event(n * 5000 + at, EventBody::RunThread { thread: 3 }))
            .collect();
        pushed += events.len() as u64;
        let bytes = block(Some((n % 2) as u16), n * 5000, (n + 1) * 5000, &events);
        for piece in bytes.chunks(30_000) {
            merge.push_bytes(piece);
            take(&mut merge);
        }
    }
    // A block without an end.
    merge.push_bytes(&marker(Some(0), 0, 0, 1 << 40));
    for n in 0..200u64 {
        let events: Vec<_> = (0..5000)
            .map(|at| event((400 + n) * 5000 + at, EventBody::RunThread { thread: 3 }))
            .collect();
        pushed += events.len() as u64;
        merge.push_bytes(&events.concat());
        take(&mut merge);
    }
    merge.flush();
    take(&mut merge);
    assert_eq!(count, pushed);
    assert!(early > 2_000_000, "{early}");
    assert!(most < 10 << 20, "{most}");
}

#[test]
fn real_logs_lose_nothing_and_keep_the_order() {
    for (name, bytes) in real_logs() {
        let (out, merge, error) = by_bytes(&bytes, PLENTY, || 256 << 10);
        assert_eq!(error, None, "{name}");
        let merged = events(&out, true);
        let wanted = expected(&bytes);
        let mut order = Order::new(OrderOptions::default());
        let mut reader = Reader::new(&bytes[..]);
        while let Some(item) = reader.next_item().unwrap() {
            order.push(&item);
            while order.next_event().is_some() {}
        }
        order.flush();
        while order.next_event().is_some() {}
        assert!(
            merge.late() <= order.late(),
            "{name}: {} {}",
            merge.late(),
            order.late()
        );
        if merge.late() == 0 {
            assert!(merged == wanted, "{name}");
        }
        for cap in merged
            .iter()
            .filter_map(|event| event.cap)
            .collect::<BTreeSet<_>>()
        {
            let of = merged.iter().filter(|event| event.cap == Some(cap));
            assert!(of.is_sorted_by_key(|event| event.offset), "{name}");
        }
        let mut sorted = [merged, events(&out, false)].concat();
        sorted.sort_by_key(|event| event.offset);
        let plain: Vec<_> = keys(&bytes).into_iter().map(|(_, event)| event).collect();
        assert!(sorted == plain, "{name}");
        let of_caps = |out: &[Told]| events(out, true);
        let mut random = Random(1);
        let (other, _, _) = by_bytes(&bytes, PLENTY, || 1 + random.below(9000) as usize);
        assert!(of_caps(&other) == of_caps(&out), "{name}");
        let (items, _) = by_items(&bytes, PLENTY);
        assert!(of_caps(&items) == of_caps(&out), "{name}");
        // The same without sizes.
        let (zero, merge, _) = by_bytes(&without_sizes(&bytes), PLENTY, || 256 << 10);
        assert_eq!(merge.late(), 0, "{name}");
        let offsets =
            |out: &[Told]| -> Vec<u64> { of_caps(out).iter().map(|event| event.offset).collect() };
        assert!(offsets(&zero) == offsets(&out), "{name}");
    }
}

/// What a plain decoder returns for a stream.
fn plain(bytes: &[u8], recovery: bool) -> (Vec<Ev>, Vec<Gap>, usize, Option<Error>) {
    let mut decoder = Decoder::new().with_recovery(recovery);
    let (mut rest, mut events, mut gaps) = (bytes, Vec::new(), Vec::new());
    let mut sessions = 0;
    loop {
        match decoder.decode(&mut rest) {
            Ok(Item::NeedMore) => break,
            Ok(Item::Event(event)) => events.push(Ev {
                cap: event.cap,
                time: event.time,
                offset: event.offset,
                raw: event.raw.to_vec(),
            }),
            Ok(Item::Gap(gap)) => gaps.push(gap),
            Ok(Item::Header) => sessions += 1,
            Ok(_) => {}
            Err(error) => return (events, gaps, sessions, Some(error)),
        }
    }
    (events, gaps, sessions, None)
}

fn in_order_of_the_stream(out: &[Told]) -> (Vec<Ev>, Vec<Gap>, usize) {
    let mut all = [events(out, true), events(out, false)].concat();
    all.sort_by_key(|event| event.offset);
    let mut gaps: Vec<_> = out
        .iter()
        .filter_map(|told| match told {
            Told::Gap(gap) => Some(*gap),
            _ => None,
        })
        .collect();
    gaps.sort_by_key(|gap| gap.offset);
    let sessions = out.iter().filter(|told| **told == Told::Session).count();
    (all, gaps, sessions)
}

/// Logs that are damaged somewhere, joined, or cut off.
fn damaged(random: &mut Random) -> Vec<u8> {
    let announced = random.one_in(2);
    let mut bytes = random_log(random, announced);
    let after_header = header().as_bytes().len() as u64;
    let within = |random: &mut Random, bytes: &[u8]| {
        (after_header + random.below(bytes.len() as u64 - after_header)) as usize
    };
    if random.one_in(3) {
        // A program that was killed, and the log of the next one.
        bytes.truncate(within(random, &bytes));
        let next = random_log(random, announced);
        bytes.extend(next);
    }
    match random.below(5) {
        0 => {
            let at = within(random, &bytes);
            bytes[at] ^= 1 << random.below(8);
        }
        1 => {
            let at = within(random, &bytes);
            let length = random.below(200) as usize;
            bytes.drain(at..bytes.len().min(at + length));
        }
        2 => {
            let at = within(random, &bytes);
            let until = bytes.len().min(at + random.below(300) as usize);
            bytes[at..until].fill(random.below(2) as u8 * 0xff);
        }
        3 => bytes.truncate(within(random, &bytes)),
        // GHC 9.0 starts its log again inside a block.
        _ => {
            let again = random_log(random, announced);
            bytes.extend(marker(Some(0), 5, again.len() as u32 + 24, 1000));
            bytes.extend(again);
        }
    }
    bytes
}

#[test]
fn damaged_streams_are_what_a_plain_decoder_makes_of_them() {
    let recovering = MergeOptions {
        recovery: true,
        ..PLENTY
    };
    let (mut faults, mut restarts, mut better) = (0, 0, 0);
    for seed in 0..1500 {
        let mut random = Random(seed);
        let bytes = damaged(&mut random);
        let (events, gaps, sessions, _) = plain(&bytes, true);
        restarts += usize::from(sessions > 1);
        for length in [usize::MAX, 1 + random.below(300) as usize] {
            let (out, merge, error) = by_bytes(&bytes, recovering, || length);
            assert_eq!(error, None);
            let of_merge = in_order_of_the_stream(&out);
            // A plain decoder may accept noise that reaches beyond the block; a block that is
            // followed by another is not given up.
            if !gaps.is_empty() && (of_merge.1 != gaps || of_merge.0 != events) {
                let first = gaps[0].offset;
                assert_eq!(of_merge.1[0].error, gaps[0].error, "seed {seed}, {length}");
                let before = |events: &[Ev]| -> Vec<Ev> {
                    let before = events.iter().filter(|event| event.offset < first);
                    before.cloned().collect()
                };
                assert!(
                    before(&of_merge.0) == before(&events),
                    "seed {seed}, {length}"
                );
                better += 1;
                continue;
            }
            assert!(of_merge.0 == events, "seed {seed}, {length}");
            assert_eq!(of_merge.2, sessions, "seed {seed}, {length}");
            let mut decoder = Decoder::new().with_recovery(true);
            let mut rest = &bytes[..];
            while decoder.decode(&mut rest) != Ok(Item::NeedMore) {}
            assert_eq!(
                merge.ending(),
                decoder.ending(rest),
                "seed {seed}, {length}"
            );
        }
        // Without recovery: everything before the fault, and the fault.
        let (events, _, _, error) = plain(&bytes, false);
        faults += usize::from(error.is_some());
        for length in [usize::MAX, 1 + random.below(300) as usize] {
            let (out, _, ours) = by_bytes(&bytes, PLENTY, || length);
            assert_eq!(ours, error, "seed {seed}, {length}");
            let (mut all, _, _) = in_order_of_the_stream(&out);
            if let Some(error) = error {
                all.retain(|event| event.offset < error.offset);
            }
            let first = all.iter().zip(&events).position(|(a, b)| a != b);
            let lengths = (all.len(), events.len());
            assert!(
                all == events,
                "seed {seed}, {length}: {first:?} {lengths:?} {error:?}"
            );
        }
    }
    assert!(faults > 300 && restarts > 300, "{faults} {restarts}");
    assert!(better < 100, "{better}");
}

/// A fault in one block costs only that block, whatever it looks like.
#[test]
fn a_fault_costs_one_block() {
    let run = |time| event(time, EventBody::RunThread { thread: 1 });
    for noise in [
        vec![0xee; 30],
        marker(Some(4), 1, 1 << 20, 1 << 50),
        vec![0; 40],
    ] {
        let blocks: Vec<_> = (0..6u64)
            .map(|n| {
                let mut events = vec![run(10 * n), run(10 * n + 1)];
                if n == 2 {
                    events.extend([vec![0xee, 0xee], noise.clone()]);
                }
                block(Some((n % 2) as u16), 10 * n, 10 * n + 5, &events)
            })
            .collect();
        let options = MergeOptions {
            recovery: true,
            ..PLENTY
        };
        let (out, _, error) = by_bytes(&log(&blocks), options, || usize::MAX);
        assert_eq!(error, None);
        let times: Vec<_> = events(&out, true).iter().map(|event| event.time).collect();
        assert_eq!(times, [0, 1, 10, 11, 20, 21, 30, 31, 40, 41, 50, 51]);
        let gaps = out.iter().filter(|told| matches!(told, Told::Gap(_)));
        assert_eq!(gaps.count(), 1);
    }
}
