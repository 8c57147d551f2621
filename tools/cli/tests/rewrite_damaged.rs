//! Whatever the verbs that write logs make of damaged ones can be read: `show` reports no error,
//! and `validate` no error in the bytes.
//!
//! `EVENTLOG_FUZZ` sets how many damaged logs, `EVENTLOG_FUZZ_SEED` sets another start.

#[path = "../../../formats/events/tests/common/mod.rs"]
mod shapes;

use crate::common::{Dir, Done, eventlog};
use crate::ring::Ring;
use ghc_eventlog::{DATA_END, EventBody, EventType, Header, Text};
use std::collections::HashSet;
use std::os::unix::fs::FileExt;

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

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

/// The parts of a log that are damaged separately.
#[derive(Clone)]
struct Parts {
    header: Vec<u8>,
    blocks: Vec<Vec<u8>>,
}

impl Parts {
    fn bytes(&self, end: bool) -> Vec<u8> {
        let mark = DATA_END.to_be_bytes();
        let end: &[u8] = if end { &mark } else { &[] };
        [&self.header, &self.blocks.concat()[..], end].concat()
    }
}

/// A header without descriptions, so that most of the damage hits what follows it.
fn header(random: &mut Random) -> Vec<u8> {
    let mut types: Vec<EventType> = Header::standard().types().to_vec();
    types.iter_mut().for_each(|kind| kind.description.clear());
    if random.one_in(8) {
        // Block markers that are longer than today's, no blocks, or a type twice.
        match random.below(3) {
            0 => {
                let marker = types.iter_mut().find(|kind| kind.id == 18);
                marker.expect("block markers").size = Some(14 + random.below(9) as u16);
            }
            1 => types.retain(|kind| kind.id != 18),
            _ => {
                let mut other = types[random.below(types.len())].clone();
                other.size = other.size.map(|size| size + 1);
                types.insert(0, other);
            }
        }
    }
    Header::from_types(types)
        .expect("a header")
        .as_bytes()
        .to_vec()
}

/// Events of all types, in blocks of a few capabilities, in order.
fn log(random: &mut Random) -> Parts {
    let bodies: Vec<EventBody<'static>> = shapes::one_of_each();
    let mut time = 1 + random.below(1000) as u64;
    let header = header(random);
    let mut blocks = Vec::new();
    for _ in 0..2 + random.below(6) {
        let begin = time;
        let mut events = Vec::new();
        for _ in 0..random.below(12) {
            time += random.below(50) as u64;
            events.push(match random.below(12) {
                0 => table(time, random),
                1 => shapes::event(
                    time,
                    EventBody::TaskDelete {
                        task: random.next(),
                    },
                ),
                2 => {
                    let text = vec![0; random.below(40)];
                    let message = Text(&text);
                    shapes::event(time, EventBody::UserMsg { message })
                }
                _ => shapes::event(time, bodies[random.below(bodies.len())]),
            });
        }
        let cap = [None, Some(0), Some(1), Some(2)][random.below(4)];
        blocks.push(shapes::block(cap, begin, time, &events));
    }
    Parts { header, blocks }
}

/// An info table event, whose length is correct, one too many as in GHC, or wrong.
fn table(time: u64, random: &mut Random) -> Vec<u8> {
    let text = "x".repeat(random.below(20));
    let payload = shapes::ipe_payload(random.next(), [&text, "2", &text, "", "e", "f"]);
    let wrong = match random.below(6) {
        0..3 => 0,
        3 => 1,
        4 => random.below(100) as u16,
        _ => (random.below(20) as u16).wrapping_neg(),
    };
    let length = (payload.len() as u16).wrapping_add(wrong);
    shapes::variable(169, time, length, &payload)
}

/// Damages blocks, then bytes.
fn damage(mut parts: Parts, random: &mut Random) -> Vec<u8> {
    for _ in 0..random.below(4) {
        let at = random.below(parts.blocks.len());
        let other = parts.blocks[random.below(parts.blocks.len())].clone();
        let block = &mut parts.blocks[at];
        match random.below(9) {
            // Sizes that are wrong or missing.
            0 => block[10..14].fill(0),
            1 => block[10..14].copy_from_slice(&(random.below(400) as u32).to_be_bytes()),
            2 => block[13] = block[13].wrapping_add(2),
            // Blocks that occur twice, in each other, or in another order.
            3 => parts.blocks.insert(at, other),
            4 => drop(block.splice(24..24, other)),
            5 => drop(parts.blocks.remove(at)),
            // A hole, as after a lost write.
            6 => parts.blocks.insert(at, vec![0; random.below(200)]),
            // Times.
            7 => block[2 + random.below(2) * 12 + random.below(8)] ^= 1 << random.below(8),
            _ => parts.blocks.insert(at, DATA_END.to_be_bytes().to_vec()),
        }
        if parts.blocks.is_empty() {
            parts.blocks.push(vec![0; 24]);
        }
        parts
            .blocks
            .iter_mut()
            .for_each(|block| block.resize(block.len().max(24), 0));
    }
    let mut bytes = parts.bytes(!random.one_in(4));
    let header = parts.header.len();
    for _ in 0..random.below(6) {
        // What follows the header; rarely, the header.
        let from = if random.one_in(12) {
            12
        } else {
            header.min(bytes.len() - 1)
        };
        let at = from + random.below(bytes.len() - from);
        let width = (1 << random.below(4)).min(bytes.len() - at);
        match random.below(8) {
            0 | 1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes[at] = random.next() as u8,
            3 => bytes[at..at + width].fill(0xff),
            4 => bytes[at..at + width].fill(0),
            5 => bytes.truncate(at.max(header)),
            6 => drop(bytes.drain(at..at + width)),
            _ => {
                let from = random.below(bytes.len());
                let length = random.below(64).min(bytes.len() - from);
                let copy = bytes[from..from + length].to_vec();
                bytes.splice(at..at, copy);
            }
        }
    }
    bytes
}

/// A ring file with the blocks of a log as its chunks, and damage in its words, slots and tables.
fn ring_file(dir: &Dir, round: u64, random: &mut Random) -> String {
    let parts = log(random);
    let mut ring = Ring::new(dir.file(&format!("{round}.ring")));
    let bodies = shapes::one_of_each();
    let mut definitions = Vec::new();
    for _ in 0..random.below(6) {
        definitions.extend(match random.one_in(4) {
            true => table(1, random),
            false => shapes::event(
                random.below(2000) as u64,
                bodies[random.below(bodies.len())],
            ),
        });
    }
    ring.define(&parts.header, &[]);
    ring.define(&parts.header, &definitions);
    for generation in 0..random.below(3) as u32 {
        ring.table(169, generation, &table(2, random));
    }
    for block in &parts.blocks {
        let mut chunk = block.clone();
        if random.one_in(3) {
            let at = random.below(chunk.len());
            chunk[at] ^= 1 << random.below(8);
        }
        ring.push(&chunk);
    }
    let words = ring.layout.words_at..ring.layout.slots_at;
    if random.one_in(2) {
        let at = words.start + random.below((words.end - words.start) as usize / 64) as u64;
        ring.file
            .write_all_at(&[random.next() as u8], at)
            .expect("written");
    }
    let file = dir.with(&format!("{round}.left.ring"), &ring.image());
    std::fs::remove_file(&ring.path).expect("removed");
    file
}

/// Findings that no log may have, whatever happened in the program.
const IN_THE_BYTES: [&str; 9] = [
    "unreadable",
    "truncated",
    "no_header",
    "no_blocks",
    "declared_twice",
    "block_cut_short",
    "block_backwards",
    "blocks_out_of_order",
    "outside_block_times",
];

/// The errors of `validate` that are about bytes.
fn errors(path: &str) -> Vec<String> {
    let done = eventlog(&["validate", "--json", path]);
    assert!(done.code <= 1, "{done:?}");
    let findings = done.json();
    let errors = findings.iter().filter(|of| of["severity"] == "error");
    let kinds = errors.map(|of| of["kind"].as_str().expect("a kind").to_owned());
    let mut kinds: Vec<String> = kinds
        .filter(|kind| IN_THE_BYTES.contains(&&**kind) || kind == "short_payload")
        .collect();
    kinds.dedup();
    kinds
}

/// Runs a verb, and returns the errors in its result, if it has made one.
fn made(verb: &[&str], inputs: &[&str], out: &str) -> (Done, Vec<String>) {
    let _ = std::fs::remove_file(out);
    let done = eventlog(&[verb, inputs, &["-o", out, "--force"]].concat());
    assert!(done.code <= 1, "{verb:?} {inputs:?}: {done:?}");
    if !std::path::Path::new(out).exists() {
        assert_eq!(done.code, 1, "{verb:?} {inputs:?}: {done:?}");
        return (done, Vec::new());
    }
    let mut errors = errors(out);
    let shown = eventlog(&["show", out]);
    if shown.code != 0 {
        errors.push(format!("show: {}", shown.stderr));
    }
    (done, errors)
}

/// A task in a recovered log that occurs without having been created before, if there is one. (If a
/// chunk is lost in the middle, one may be deleted twice.)
fn unmatched(log: &[u8]) -> Option<u64> {
    let (mut created, mut found) = (HashSet::new(), None);
    crate::ring::each_event(log, |event| match event.body {
        EventBody::TaskCreate { task, .. } => _ = created.insert(task),
        EventBody::TaskMigrate { task, .. } | EventBody::TaskDelete { task }
            if !created.contains(&task) =>
        {
            found = Some(task);
        }
        _ => {}
    });
    found
}

fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// One damaged log and one damaged ring file, through all verbs. Returns what went wrong.
fn round(dir: &Dir, seed: u64) -> Vec<String> {
    let mut random = Random(seed);
    let mut wrong = Vec::new();
    let parts = log(&mut random);
    let bytes = damage(parts, &mut random);
    let input = dir.with(&format!("{seed}.eventlog"), &bytes);
    let out = dir.file(&format!("{seed}.out"));
    let mut check = |verb: &[&str], inputs: &[&str], allowed: &[&str]| {
        let (done, errors) = made(verb, inputs, &out);
        let bad: Vec<_> = errors
            .iter()
            .filter(|kind| !allowed.contains(&&***kind))
            .collect();
        if !bad.is_empty() {
            wrong.push(format!("seed {seed}, {verb:?}: {bad:?}; {}", done.stderr));
        }
    };
    check(&["repair"], &[&input], &[]);
    // These keep every event as it is.
    let kept = ["short_payload"];
    check(&["sort"], &[&input], &kept);
    check(&["cut"], &[&input], &kept);
    check(&["cut", "--from", "300ns"], &[&input], &kept);
    let whole = dir.with(&format!("{seed}.whole"), &log(&mut random).bytes(true));
    check(&["merge", "--parts", "no"], &[&input, &whole], &kept);
    check(&["merge", "--parts", "yes"], &[&whole, &input], &kept);
    let ring = ring_file(dir, seed, &mut random);
    check(&["recover"], &[&ring], &[]);
    if let Ok(log) = std::fs::read(&out) {
        wrong.extend(
            unmatched(&log).map(|task| format!("seed {seed}: task {task} was not created")),
        );
    }
    for file in [&input, &out, &whole, &ring] {
        let keep = !wrong.is_empty() && std::env::var_os("EVENTLOG_FUZZ_KEEP").is_some();
        if !keep {
            let _ = std::fs::remove_file(file);
        }
    }
    wrong
}

#[test]
fn what_is_made_of_damaged_logs_can_be_read() {
    let (count, start) = (
        number("EVENTLOG_FUZZ", 120),
        number("EVENTLOG_FUZZ_SEED", 1),
    );
    let dir = Dir::new();
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let workers = [0, 1].map(|worker| {
            let dir = &dir;
            let seeds = (start..start + count).filter(move |seed| seed % 2 == worker);
            scope.spawn(move || seeds.flat_map(|seed| round(dir, seed)).collect::<Vec<_>>())
        });
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("no panic"))
            .collect()
    });
    assert!(
        wrong.is_empty(),
        "{} faults:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
