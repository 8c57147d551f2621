//! Bytes that no real program writes.

mod common;

use common::*;
use ghc_eventlog::{
    Decoder, ErrorKind, Header, Item, LooksLike, MAX_HEADER, MAX_ITEM, Reader, Stream,
};
use std::io::Read;

#[test]
fn files_that_are_something_else_are_told_so() {
    let cases: [(&[u8], LooksLike); 11] = [
        (b"\x1f\x8b\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0", LooksLike::Gzip),
        (
            b"\x28\xb5\x2f\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0",
            LooksLike::Zstd,
        ),
        (b"JOB \"prog -hT\"\nDATE", LooksLike::HeapProfile),
        (
            b"version https://git-lfs.github.com",
            LooksLike::GitLfsPointer,
        ),
        (&[0; 64], LooksLike::Zeros),
        (b"Some text, in short lines.\n", LooksLike::Text),
        (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\0", LooksLike::Elf),
        (b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4\x46", LooksLike::Xz),
        (b"BZh91AY&SY\x01", LooksLike::Bzip2),
        (b"\xff\xfeh\0d\0r\0b\0h\0e\0t\0b\0", LooksLike::Utf16),
        (b"\x89PNG\r\n\x1a\n\x80", LooksLike::Unknown),
    ];
    for (bytes, expected) in cases {
        let bytes = &[bytes, &bytes[bytes.len() - 1..].repeat(24)].concat()[..];
        for split in [1, bytes.len()] {
            let error = decode_split(bytes, split).error.unwrap();
            assert_eq!(
                (error.offset, error.kind),
                (0, ErrorKind::NotAnEventlog(expected))
            );
            assert!(error.to_string().contains("not an eventlog"));
        }
    }
}

#[test]
fn an_error_is_final_and_the_same_each_time() {
    let mut stream = Stream::new();
    stream.push(&log(&[run(1, 1), fixed(9999, 2, b"")]));
    stream.next_item().unwrap();
    stream.next_item().unwrap();
    let first = stream.next_item().unwrap_err();
    assert_eq!(first.kind, ErrorKind::Undeclared(9999));
    stream.push(&run(2, 2));
    assert_eq!(stream.next_item().unwrap_err(), first);
}

#[test]
fn faults_are_told_with_their_offset() {
    let good = log(&[block(Some(0), 1, 9, &[run(1, 1)])]);
    let at = good.len() as u64;
    for (tail, kind) in [
        (fixed(9999, 2, b""), ErrorKind::Undeclared(9999)),
        (
            [marker(Some(0), 1, 30, 9), run(1, 1)].concat(),
            ErrorKind::CrossesBlockEnd(1),
        ),
        (vec![0; 64], ErrorKind::Hole),
    ] {
        let bytes = [good.clone(), tail].concat();
        for split in [1, bytes.len()] {
            let outcome = decode_split(&bytes, split);
            let error = outcome.error.unwrap();
            assert_eq!(error.kind, kind);
            let marker = if matches!(kind, ErrorKind::CrossesBlockEnd(_)) {
                24
            } else {
                0
            };
            assert_eq!(error.offset, at + marker);
            assert_eq!(outcome.lines(), ["0: run_thread thread=1"]);
        }
    }
}

#[test]
fn a_broken_header_is_told() {
    let good = Header::standard().as_bytes().to_vec();
    for at in [4, 8, good.len() - 12, good.len() - 8, good.len() - 4] {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        let error = decode(&bad).error.unwrap();
        assert!(matches!(error.kind, ErrorKind::BadHeader(_)), "{error}");
        assert_eq!(error.offset, at as u64);
        assert_eq!(decode_split(&bad, 1).error, Some(error));
    }
}

#[test]
fn block_markers_must_have_their_fields() {
    assert!(Header::from_types(vec![kind(18, Some(13))]).is_none());
    assert!(Header::from_types(vec![kind(18, None)]).is_none());
    let mut bytes = Header::from_types(vec![kind(18, Some(14))])
        .unwrap()
        .as_bytes()
        .to_vec();
    bytes[15] = 13;
    assert!(matches!(
        decode(&bytes).error.unwrap().kind,
        ErrorKind::BadHeader(_)
    ));
}

#[test]
fn longer_block_markers_are_understood() {
    let header = header_with(&[(18, Some(16))]);
    let mut long = marker(Some(3), 1, 26 + 14, 9);
    long.extend_from_slice(&[0xab, 0xcd]);
    let bytes = [header.as_bytes().to_vec(), long, run(2, 2), run(3, 3)].concat();
    let outcome = decode(&bytes);
    assert_eq!(outcome.error, None);
    assert_eq!(
        outcome.lines(),
        ["3: run_thread thread=2", "run_thread thread=3"]
    );
    assert_eq!(outcome.bytes(), bytes);
}

#[test]
fn lengths_in_a_header_do_not_make_it_wait_for_ever() {
    let mut bytes = b"hdrbhetbetb\0\0\x01\0\x04".to_vec();
    bytes.extend_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(
        decode(&bytes).error.unwrap().kind,
        ErrorKind::HeaderTooLarge
    );
}

#[test]
fn a_header_without_end_is_given_up() {
    let mut stream = Stream::new();
    stream.push(b"hdrbhetb");
    let header = Header::standard();
    let declaration = &header.as_bytes()[8..];
    let end = declaration
        .windows(4)
        .position(|window| window == b"ete\0")
        .unwrap()
        + 4;
    let many = declaration[..end].repeat(100);
    let mut pushed = 0;
    let error = loop {
        stream.push(&many);
        pushed += many.len();
        assert!(pushed < 2 * MAX_HEADER);
        match stream.next_item() {
            Ok(Item::NeedMore) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind, ErrorKind::HeaderTooLarge);
}

/// A source without end that repeats some bytes.
struct Repeat {
    start: Vec<u8>,
    unit: Vec<u8>,
    at: usize,
    left: u64,
}

impl Read for Repeat {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        let bytes = if self.start.is_empty() {
            &self.unit
        } else {
            &self.start
        };
        let here = &bytes[self.at..];
        let count = here.len().min(into.len());
        into[..count].copy_from_slice(&here[..count]);
        self.at += count;
        if self.at == bytes.len() {
            self.start.clear();
            self.at = 0;
        }
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}

#[test]
fn an_info_table_without_end_is_given_up() {
    let start = log(&[variable(169, 1, 0xfff0, &7u64.to_be_bytes())]);
    // Outside any block, with strings that never end: only the declared length
    // is left, and what follows it is not an event.
    let source = Repeat {
        start,
        unit: vec![b'x'; 4096],
        at: 0,
        left: 64 << 20,
    };
    let mut reader = Reader::new(source);
    let error = loop {
        match reader.next_item() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("read to the end"),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("not declared"), "{error}");
    assert!(reader.rest().len() <= 2 * MAX_ITEM);
}

#[test]
fn bytes_that_trickle_into_a_long_info_table_cost_no_more_than_once() {
    // One megabyte without its last NUL, in small pieces: if the search for the
    // NUL started again with each piece, this would take minutes.
    let mut stream = Stream::new();
    stream.push(&log(&[variable(169, 1, 100, &7u64.to_be_bytes())]));
    stream.next_item().unwrap();
    let started = std::time::Instant::now();
    for _ in 0..(MAX_ITEM - 64) / 16 {
        stream.push(&[b'x'; 16]);
        assert_eq!(stream.next_item().unwrap(), Item::NeedMore);
    }
    assert!(started.elapsed().as_secs() < 60);
}

#[test]
fn noise_after_a_fault_is_skipped_up_to_the_next_block() {
    let mut noise: Vec<u8> = (0..5000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    noise[..2].copy_from_slice(&[0x77, 0x77]);
    let bytes = log(&[
        block(Some(0), 1, 9, &[run(1, 1)]),
        noise.clone(),
        block(Some(0), 9, 20, &[run(12, 2)]),
        vec![0xff, 0xff],
    ]);
    let whole = recover(&bytes);
    assert_eq!(
        whole.lines(),
        ["0: run_thread thread=1", "0: run_thread thread=2"]
    );
    assert!(whole.ending.marked);
    for split in [1, 7, 100] {
        let decoder = Decoder::new().with_recovery(true);
        assert!(
            decode_pieces(decoder, bytes.chunks(split)) == whole,
            "in pieces of {split}"
        );
    }
    match whole
        .items
        .iter()
        .find(|item| matches!(item, Owned::Gap { .. }))
    {
        Some(Owned::Gap { error, length, .. }) => {
            assert_eq!(
                (error.kind, *length),
                (ErrorKind::Undeclared(0x7777), noise.len() as u64)
            );
        }
        _ => panic!("no gap"),
    }
}

#[test]
fn noise_up_to_the_end_is_told_by_the_ending() {
    let bytes = log(&[run(1, 1), vec![0x77; 100]]);
    let outcome = recover(&bytes);
    assert_eq!(outcome.error, None);
    let gap = outcome.ending.gap.unwrap();
    assert_eq!(
        (gap.length, gap.error.kind),
        (100, ErrorKind::Undeclared(0x7777))
    );
    assert!(!outcome.ending.is_complete());
}

#[test]
fn noise_before_a_header_is_skipped() {
    let bytes = [b"Welcome to the program!\n".to_vec(), everything()].concat();
    let outcome = recover(&bytes);
    assert_eq!(outcome.events(), one_of_each().len());
    assert!(matches!(outcome.items[0], Owned::Gap { length: 24, .. }));
}
