//! `eventlog recover` of ring files that are damaged, cut off, or none.

use crate::common::{Dir, Done, eventlog};
use crate::ring::{
    CAPACITY, Ring, block, each_event, events, info_table, messages, numbered, recovered,
};
use eventlog_ring::header_index;
use eventlog_ring_file::{Layout, Slot};
use ghc_eventlog::{EventBody, Header};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// A file with a lap and a half of chunks, definitions and tables.
fn typical(dir: &Dir) -> (Layout, Vec<u8>, Vec<u64>) {
    let mut ring = Ring::new(dir.file("typical"));
    let caps = block(None, &[(1, EventBody::CapCreate { created_cap: 0 })]);
    ring.define(Header::standard().as_bytes(), &[]);
    ring.define(Header::standard().as_bytes(), events(&caps));
    for part in 0..4 {
        ring.table(169, 0, &info_table(5 + part, &"n".repeat(3000)));
    }
    for number in 0..150 {
        ring.push(&numbered(
            number,
            Some((number % 3) as u16),
            10_000 + 17 * number as usize,
        ));
    }
    std::mem::forget(ring.recorder.reserve(5000).expect("room"));
    for number in 150..170 {
        ring.push(&numbered(number, Some(0), 3000));
    }
    let (numbers, ..) = recovered(dir, &ring);
    assert!(numbers.len() > 80, "{}", numbers.len());
    (ring.layout, ring.image(), numbers)
}

/// Recovers an image, if possible, and checks that the result is in order.
fn attempt(dir: &Dir, bytes: &[u8]) -> Option<(Vec<u64>, Vec<String>, Done)> {
    let file = dir.with("damaged", bytes);
    let out = dir.file("out.eventlog");
    let done = eventlog(&["recover", &file, "-o", &out, "--force"]);
    if done.code != 0 {
        let done = done.exits(1);
        assert!(done.stderr.contains("error: cannot recover"), "{done:?}");
        return None;
    }
    eventlog(&["validate", "--quiet", &out]).exits(0);
    let log = std::fs::read(&out).expect("a log");
    let (numbers, others) = messages(&log);
    Some((numbers, others, done))
}

/// Pseudo-random numbers.
struct Noise(u64);

impl Noise {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) % limit
    }
}

/// Recovers with little memory; standard error must contain `text`.
fn with_little_memory(dir: &Dir, file: &str, code: i32, text: &str) -> u64 {
    let (program, out) = (env!("CARGO_BIN_EXE_eventlog"), dir.file("out.eventlog"));
    let script = format!("ulimit -v 300000; exec {program} recover {file} -o {out} --force");
    let done = crate::common::done(std::process::Command::new("sh").args(["-c", &script]));
    done.exits(code).says(text);
    std::fs::metadata(&out).map_or(0, |about| about.len())
}

/// A few kilobytes on the disk with the declared size of gigabytes.
#[test]
fn holes_are_not_believed() {
    let dir = Dir::new();
    let sparse = |layout: &Layout| {
        let file = File::create(dir.file("sparse")).expect("a file");
        file.set_len(layout.file_size).expect("a size");
        file.write_all_at(&layout.encode(), 0).expect("written");
        file
    };
    let entry = |len: u64| {
        let words = [u32::from_ne_bytes(*b"TABL"), 169, 0, len as u32, 0, 0];
        words.map(u32::to_ne_bytes).concat()
    };

    // Slots and tables that are larger than any real ones.
    let mut layout = Layout::new(CAPACITY, 4096, 1, 7);
    (layout.slot_size, layout.tables_size) = (4 << 30, 4 << 30);
    layout.tables_at = layout.slots_at + 2 * layout.slot_size;
    layout.file_size = layout.tables_at + layout.tables_size;
    let file = sparse(&layout);
    let mut head = [0; 32];
    head[..8].copy_from_slice(&1u64.to_ne_bytes());
    head[8..12].copy_from_slice(&100u32.to_ne_bytes());
    head[12..16].copy_from_slice(&(u32::MAX - 200).to_ne_bytes());
    file.write_all_at(&head, layout.slots_at).expect("written");
    let table = entry(layout.tables_size - 64);
    file.write_all_at(&table, layout.tables_at)
        .expect("written");
    with_little_memory(&dir, &dir.file("sparse"), 1, "impossible sizes");

    // Records and entries in a file that may be this large, but is almost empty on the disk.
    let layout = Layout::new(1 << 30, 4096, 1, 7);
    let file = sparse(&layout);
    let header = Header::standard();
    let slot = Slot {
        sequence: 1,
        header: header.as_bytes(),
        events: &[],
    };
    let slot = slot.encode(layout.slot_size).expect("room");
    file.write_all_at(&slot, layout.slots_at).expect("written");
    let table = entry(layout.tables_size - 64);
    file.write_all_at(&table, layout.tables_at)
        .expect("written");
    let granules = layout.granules() as usize;
    for (position, len) in [(0u64, 600u64 << 20), ((600 << 20) / 64 + 1, 100 << 20)] {
        // Committed, in the first lap, and this long.
        let word = 2u64 << 62 | len;
        let at = header_index(position as usize, granules) as u64 * 8;
        file.write_all_at(&word.to_ne_bytes(), layout.words_at + at)
            .expect("written");
    }
    let size = with_little_memory(&dir, &dir.file("sparse"), 0, "damaged");
    assert!(size < 1 << 20, "{size}");
}

#[test]
fn a_file_that_is_cut_off() {
    let dir = Dir::new();
    let (layout, bytes, numbers) = typical(&dir);
    let slot = layout.slots_at + layout.slot_size;
    let regions = [
        0,
        1,
        8,
        127,
        128,
        layout.counters_at,
        layout.counters_at + 47,
        layout.records_at,
        layout.records_at + CAPACITY / 2,
        layout.words_at,
        layout.words_at + 9,
        layout.slots_at,
        layout.slots_at + 40,
        slot,
        slot + 31,
    ];
    for at in regions {
        // The end of the file contains what is needed to read the rest. The first slot has the
        // second state.
        let whole = at >= slot;
        assert_eq!(
            attempt(&dir, &bytes[..at as usize]).is_some(),
            whole,
            "{at}"
        );
    }
    let mut noise = Noise(1);
    let tables = layout.tables_at;
    let mut places = vec![slot + 20_000, tables - 1, tables, tables + 1, tables + 25];
    let all = bytes.len() as u64;
    places.extend((0..20).map(|_| slot + noise.below(all - slot)));
    for at in places {
        let (found, ..) = attempt(&dir, &bytes[..at as usize]).expect("a log");
        assert_eq!(found, numbers, "{at}");
    }
}

#[test]
fn bytes_that_are_damaged() {
    let dir = Dir::new();
    let (layout, bytes, numbers) = typical(&dir);
    let mut noise = Noise(7);
    let words = layout.words_at..layout.slots_at;
    let used: Vec<u64> = words
        .clone()
        .filter(|&at| bytes[at as usize] != 0)
        .collect();
    for round in 0..240 {
        let mut bad = bytes.clone();
        let flips = 1 + noise.below(8);
        for _ in 0..flips {
            // Damage has the largest effect in the words.
            let at = match round % 3 {
                0 => used[noise.below(used.len() as u64) as usize],
                1 => noise.below(bytes.len() as u64),
                _ => layout.slots_at + noise.below(40) + layout.slot_size * noise.below(2),
            };
            bad[at as usize] ^= 1 << noise.below(8);
        }
        let found = attempt(&dir, &bad);
        if round % 3 == 0 {
            // Each damaged word costs no more than the few chunks that it describes, or describes
            // wrongly.
            let (found, ..) = found.expect("the slots are whole");
            let kept = found
                .iter()
                .filter(|number| numbers.contains(number))
                .count();
            assert!(
                kept + 4 * flips as usize >= numbers.len(),
                "{round}: {kept}"
            );
        }
    }
}

#[test]
fn a_damaged_chunk_is_left_out_alone() {
    let dir = Dir::new();
    let ring = Ring::with_header(dir.file("ring"));
    for number in 0..20 {
        ring.push(&numbered(number, Some(0), 1000));
    }
    let mut bytes = ring.image();
    // The length of the message in the fourth.
    let chunk = numbered(0, Some(0), 1000).len().next_multiple_of(64);
    let at = ring.layout.records_at as usize + 3 * chunk;
    bytes[at + 24 + 10] ^= 1;
    let (numbers, others, done) = attempt(&dir, &bytes).expect("a log");
    let expected: Vec<u64> = (0..20).filter(|&number| number != 3).collect();
    assert_eq!(numbers, expected);
    assert!(
        others
            .iter()
            .any(|text| text.contains("damaged 1 chunk, 10")),
        "{others:?}"
    );
    done.says(&format!("the first at byte {at} of the file"));
    // A chunk that claims to end long after the others is the only one lost, too.
    let mut bytes = ring.image();
    bytes[at + 14] ^= 1;
    let (numbers, ..) = attempt(&dir, &bytes).expect("a log");
    assert_eq!(numbers, expected);
}

#[test]
fn an_entry_of_the_tables_that_is_damaged_does_not_hide_the_next() {
    let dir = Dir::new();
    let mut ring = Ring::with_header(dir.file("ring"));
    let names = ["first", "second", "third", "fourth"];
    let places = names.map(|name| ring.table(169, 0, &info_table(5, name)));
    for damaged in [0, 12, 30] {
        let mut bytes = ring.image();
        bytes[(places[1] - places[0] + ring.layout.tables_at) as usize + damaged] ^= 0x40;
        let (_, others, _) = attempt(&dir, &bytes).expect("a log");
        let log = std::fs::read(dir.file("out.eventlog")).expect("a log");
        let mut seen = Vec::new();
        each_event(&log, |event| {
            if let EventBody::Ipe {
                table_name: name, ..
            } = event.body
            {
                seen.push(name.to_string());
            }
        });
        assert_eq!(seen, ["first", "third", "fourth"], "{damaged}");
        assert!(
            others[0].contains("bytes of definitions at 1 places"),
            "{others:?}"
        );
    }
}

#[test]
fn without_a_header_there_is_no_log() {
    let dir = Dir::new();
    let ring = Ring::with_header(dir.file("ring"));
    for number in 0..5 {
        ring.push(&numbered(number, Some(0), 100));
    }
    let mut bytes = ring.image();
    let slots = ring.layout.slots_at as usize;
    bytes[slots + 100] ^= 1;
    let (numbers, others, _) = attempt(&dir, &bytes).expect("the other slot is whole");
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    assert!(
        others[0].contains("1 of 2 copies of header and definitions"),
        "{others:?}"
    );
    bytes[slots + ring.layout.slot_size as usize + 100] ^= 1;
    let file = dir.with("headless", &bytes);
    eventlog(&["recover", &file, "-o", &dir.file("none")])
        .exits(1)
        .says("no copy of the header is whole; there are 5 chunks with ");
    assert!(!std::path::Path::new(&dir.file("none")).exists());
    let unused = Ring::new(dir.file("unused"));
    eventlog(&["recover", &unused.path, "-o", &dir.file("none")])
        .exits(1)
        .says("the program has not written a header yet");
}

#[test]
fn what_is_no_ring_file_is_told() {
    let dir = Dir::new();
    let ring = Ring::with_header(dir.file("ring"));
    let preamble = ring.layout.encode();
    let mut other = preamble;
    other[8..12].reverse();
    let mut version = preamble;
    version[12] = 2;
    let sum = crc(&version[..124]).to_ne_bytes();
    version[124..].copy_from_slice(&sum);
    let mut damaged = preamble;
    damaged[30] ^= 1;
    let header = Header::standard();
    let cases: [(&[u8], &str); 6] = [
        (b"", "not a ring file"),
        (b"EVLGRING", "shorter than the preamble"),
        (header.as_bytes(), "does not start with EVLGRING"),
        (&other, "the other byte order"),
        (&version, "of version 2; only 1 is known"),
        (&damaged, "the checksum of the preamble is wrong"),
    ];
    for (bytes, text) in cases {
        let file = dir.with("file", bytes);
        for verb in ["recover", "snapshot"] {
            eventlog(&[verb, &file, "-o", &dir.file("none")])
                .exits(1)
                .says(text);
        }
    }
    let none = dir.file("nothing");
    eventlog(&["recover", &none, "-o", &dir.file("none")])
        .exits(3)
        .says("hint:");
    let directory = dir.file("");
    eventlog(&["recover", &directory, "-o", &dir.file("none")])
        .exits(1)
        .says("not a regular file");
    eventlog(&["recover", &ring.path, "-o", &ring.path, "--force"])
        .exits(2)
        .says("both input and output");
    eventlog(&["recover", &ring.path, "-o", &dir.with("there", b"")]).exits(2);
}

/// As in zip.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| match sum & 1 {
            1 => sum >> 1 ^ 0xEDB8_8320,
            _ => sum >> 1,
        })
    })
}
