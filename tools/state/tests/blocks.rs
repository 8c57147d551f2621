//! Whole blocks, of which it is known that they end where their markers say: the merge makes of them
//! what it makes of their events, pushed one by one.

mod common;

use common::program::{Blocks, program};
use common::{Random, real_logs};
use eventlog_state::{Merge, MergeOptions, Step, Take, Turn};
use ghc_eventlog::{Decoder, Encoded, Gap, Item, StopStatus, ids};
use std::collections::BTreeMap;

/// A step that owns its data.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Session,
    Block(Option<u16>, u64, Vec<u8>),
    Event(Ev, Turn),
    Gap(Gap),
    End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Ev {
    cap: Option<u16>,
    time: u64,
    offset: u64,
    raw: Vec<u8>,
    apart: bool,
}

#[derive(Default)]
struct Taken(Vec<Told>);

impl Take for Taken {
    fn step(&mut self, step: Step<'_>) {
        self.0.push(match step {
            Step::Session(_) => Told::Session,
            Step::Block(block) => Told::Block(block.cap, block.offset, block.raw.to_vec()),
            Step::Event(event, turn) => {
                let (cap, time, offset) = (event.cap, event.time, event.offset);
                let (raw, apart) = (event.raw.to_vec(), is_apart(&event.encoded()));
                let event = Ev {
                    cap,
                    time,
                    offset,
                    raw,
                    apart,
                };
                Told::Event(event, turn)
            }
            Step::Gap(gap) => Told::Gap(*gap),
            Step::End => Told::End,
        });
    }
}

/// Those that make a thread run, stop, or wait on its capability.
fn is_apart(event: &Encoded<'_>) -> bool {
    use ghc_eventlog::EventBody::StopThread;
    match event.id() {
        ids::RUN_THREAD | ids::THREAD_WAKEUP => true,
        ids::STOP_THREAD => {
            matches!(event.body(), StopThread { status, .. } if status != StopStatus::FINISHED)
        }
        _ => false,
    }
}

/// A part of a log, and whether it is a block that ends where its marker says.
struct Part<'a> {
    bytes: &'a [u8],
    is_block: bool,
    /// The merge is flushed before it: what other capabilities still have comes late.
    flush: bool,
}

/// Cuts a log at its blocks. Those in which a decoder finds anything but events are parts like any
/// other bytes.
fn parts<'a>(log: &'a [u8], random: &mut Random, flushes: u64) -> Vec<Part<'a>> {
    let mut decoder = Decoder::new().with_recovery(true);
    let mut rest = log;
    // The first byte of each block, and how many of its bytes are events.
    let mut blocks: Vec<(usize, usize, usize)> = Vec::new();
    let mut open = None;
    loop {
        match decoder.decode(&mut rest).unwrap() {
            Item::NeedMore => break,
            Item::Block(block) => {
                let size = (block.size as usize).max(block.raw.len());
                open = (block.size > 0).then_some(blocks.len());
                blocks.push((block.offset as usize, size, block.raw.len()));
            }
            Item::Event(event) => {
                if let Some((from, _, sound)) = open.map(|at| &mut blocks[at])
                    && event.offset as usize == *from + *sound
                {
                    *sound += event.raw.len();
                }
            }
            _ => open = None,
        }
    }
    let mut parts = Vec::new();
    let mut add = |bytes: &'a [u8], is_block| {
        if !bytes.is_empty() {
            let flush = flushes > 0 && random.one_in(flushes);
            parts.push(Part {
                bytes,
                is_block,
                flush,
            });
        }
    };
    let mut at = 0;
    for (from, size, sound) in blocks {
        if from >= at && size == sound && from + size <= log.len() {
            add(&log[at..from], false);
            add(&log[from..from + size], true);
            at = from + size;
        }
    }
    add(&log[at..], false);
    parts
}

fn options(max_bytes: usize) -> MergeOptions {
    MergeOptions {
        max_bytes,
        stale_after: None,
        recovery: true,
    }
}

/// What a merge makes of these parts, each pushed by `push`.
fn taken(
    parts: &[Part<'_>],
    max_bytes: usize,
    apart: bool,
    mut push: impl FnMut(&mut Merge, &Part<'_>),
) -> (Vec<Told>, u64) {
    let mut merge = Merge::new(options(max_bytes));
    let mut taken = Taken::default();
    let mut drain = |merge: &mut Merge| match apart {
        true => merge.drain_apart(&mut taken, &is_apart).unwrap(),
        false => merge.drain_to(&mut taken).unwrap(),
    };
    for part in parts {
        if part.flush {
            merge.flush();
            drain(&mut merge);
        }
        push(&mut merge, part);
        drain(&mut merge);
    }
    merge.flush();
    drain(&mut merge);
    let late = merge.late();
    (taken.0, late)
}

fn by_blocks(parts: &[Part<'_>], max_bytes: usize, apart: bool) -> (Vec<Told>, u64) {
    taken(parts, max_bytes, apart, |merge, part| match part.is_block {
        true => merge.push_block(part.bytes),
        false => merge.push_bytes(part.bytes),
    })
}

/// Pushes one item of a decoder after the other.
fn by_items(parts: &[Part<'_>], max_bytes: usize) -> (Vec<Told>, u64) {
    let mut decoder = Decoder::new().with_recovery(true);
    let mut rest = Vec::new();
    taken(parts, max_bytes, false, |merge, part| {
        rest.extend_from_slice(part.bytes);
        let mut input = &rest[..];
        loop {
            let item = decoder.decode(&mut input).unwrap();
            if item == Item::NeedMore {
                break;
            }
            merge.push(&item, decoder.header());
        }
        rest = input.to_vec();
    })
}

fn events(told: &[Told]) -> impl Iterator<Item = (&Ev, Turn)> {
    told.iter().filter_map(|told| match told {
        Told::Event(event, turn) => Some((event, *turn)),
        _ => None,
    })
}

/// All events and gaps in the order of the log.
fn by_offset(told: &[Told]) -> Vec<(u64, &[u8], u64)> {
    let told = told.iter().filter_map(|told| match told {
        Told::Event(event, _) => Some((event.offset, &event.raw[..], 0)),
        Told::Gap(gap) => Some((gap.offset, &[][..], gap.length)),
        _ => None,
    });
    let mut told: Vec<_> = told.collect();
    told.sort_unstable();
    told
}

/// For each event that has to be in its place: what was before it of each capability. And all
/// events by capability.
type Places<'a> = (
    Vec<(&'a Ev, BTreeMap<Option<u16>, usize>)>,
    BTreeMap<Option<u16>, Vec<&'a Ev>>,
);

fn places(told: &[Told]) -> Places<'_> {
    let mut before = BTreeMap::new();
    let (mut places, mut caps) = (Vec::new(), BTreeMap::<_, Vec<_>>::new());
    for (event, _) in events(told) {
        if !event.apart {
            places.push((event, before.clone()));
        }
        *before.entry(event.cap).or_default() += 1;
        caps.entry(event.cap).or_default().push(event);
    }
    (places, caps)
}

/// How much there was to see.
#[derive(Default)]
struct Seen {
    blocks: usize,
    others: usize,
    late: u64,
    apart: usize,
}

#[track_caller]
fn same(name: &str, log: &[u8], is_damaged: bool, flushes: u64, seen: &mut Seen) {
    let random = &mut Random(flushes);
    let parts = parts(log, random, flushes);
    seen.blocks += parts.iter().filter(|part| part.is_block).count();
    seen.others += parts.iter().filter(|part| !part.is_block).count();
    for max_bytes in [1 << 30, 4 << 10] {
        let (items, items_late) = by_items(&parts, max_bytes);
        let (blocks, blocks_late) = by_blocks(&parts, max_bytes, false);
        match is_damaged {
            false => {
                assert!(blocks == items, "{name}");
                assert_eq!(blocks_late, items_late, "{name}");
            }
            // A decoder has events out of a block before it is known how the block ends, so they can be
            // passed on earlier.
            true => assert!(by_offset(&blocks) == by_offset(&items), "{name}"),
        }
        // Nor does it matter that it was known.
        let bytes = taken(&parts, max_bytes, false, |merge, part| {
            merge.push_bytes(part.bytes);
        });
        assert!(bytes == (blocks.clone(), blocks_late), "{name}");
        // Nothing is left out, and all bytes are those of the log.
        for (event, _) in events(&blocks) {
            let at = event.offset as usize;
            assert!(log[at..].starts_with(&event.raw), "{name}: {event:?}");
        }
        seen.late += blocks_late;
        // Events that need not be in their place: the others are, and nothing is lost.
        if max_bytes >= log.len() {
            let (apart, apart_late) = by_blocks(&parts, max_bytes, true);
            assert!(places(&apart) == places(&blocks), "{name}");
            assert_eq!(apart_late, blocks_late, "{name}");
            seen.apart += usize::from(apart != blocks);
        }
    }
}

#[test]
fn of_real_logs() {
    let mut seen = Seen::default();
    for (name, log) in real_logs() {
        if log.len() < 1 << 20 {
            same(&name, &log, false, 0, &mut seen);
            same(&name, &log, false, 3, &mut seen);
        }
    }
    assert!(seen.blocks > 100, "{}", seen.blocks);
}

#[test]
fn of_generated_logs() {
    let mut seen = Seen::default();
    for seed in 0..40 {
        let mut random = Random(seed);
        let blocks = Blocks {
            events: 1 + random.below(60),
            delay: [0, 2_000, 1_000_000][seed as usize % 3],
            global_at_exit: seed % 2 == 0,
        };
        let log = program(seed, 1_000, blocks);
        for flushes in [0, 10, 2] {
            same(&format!("seed {seed}"), &log, false, flushes, &mut seen);
        }
    }
    assert!(seen.blocks > 5_000, "{}", seen.blocks);
    assert!(seen.late > 5_000, "{}", seen.late);
    assert!(seen.apart > 40, "{}", seen.apart);
}

/// What is known of one block says nothing about the others.
#[test]
fn among_damaged_blocks() {
    let mut seen = Seen::default();
    for seed in 0..200 {
        let mut random = Random(seed);
        let blocks = Blocks {
            events: 5 + random.below(30),
            delay: 2_000,
            global_at_exit: seed % 2 == 0,
        };
        let mut log = program(seed, 300, blocks);
        for _ in 0..1 + random.below(6) {
            let at = 4_000 + random.below(log.len() as u64 - 4_000) as usize;
            match random.below(3) {
                0 => log[at] ^= 1 << random.below(8),
                1 => drop(log.drain(at..(at + 1 + random.below(90) as usize).min(log.len()))),
                _ => drop(log.splice(at..at, (0..random.below(40)).map(|n| n as u8))),
            }
        }
        let flushes = [0, 4][seed as usize % 2];
        same(&format!("seed {seed}"), &log, true, flushes, &mut seen);
    }
    assert!(seen.blocks > 2_000, "{}", seen.blocks);
    assert!(seen.others > 400, "{}", seen.others);
}
