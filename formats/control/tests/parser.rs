//! Inputs made by hand, each in every split, with the expected results.

mod common;

use common::{CENSUS, MAGIC, Owned, Reading, check, command, fed};
use eventlog_control::{Frame, Item, Older, Parser};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Checks an input against the result given here, not only against the reference parser.
#[track_caller]
fn gives(parts: &[&[u8]], items: &[Owned], garbage: u64, pending: usize) {
    let expected = Reading {
        items: items.to_vec(),
        garbage,
        pending,
    };
    let input = parts.concat();
    assert_eq!(check(&input), expected, "{}", input.escape_ascii());
}

fn census() -> Owned {
    command(b"eventlog-socket", 5)
}

#[test]
fn nothing_gives_nothing() {
    gives(&[], &[], 0, 0);
    assert_eq!(fed([&b""[..], b"", b""]), Reading::default());
}

#[test]
fn whole_frames() {
    gives(&[CENSUS], &[census()], 0, 0);
    gives(&[CENSUS, CENSUS], &[census(), census()], 0, 0);
    gives(&[MAGIC, b"\x00\x01x\x00"], &[command(b"x", 0)], 0, 0);
    gives(
        &[b"GCTL\x01GCTL\x02"],
        &[Owned::Older(1), Owned::Older(2)],
        0,
        0,
    );
    gives(
        &[b"GCTL\x03", CENSUS, b"GCTL\x01"],
        &[Owned::Older(3), census(), Owned::Older(1)],
        0,
        0,
    );
}

#[test]
fn partial_frames_wait() {
    for length in 0..CENSUS.len() {
        gives(&[&CENSUS[..length]], &[], 0, length);
        gives(&[b"?", CENSUS, &CENSUS[..length]], &[census()], 1, length);
    }
    for length in 0..5 {
        gives(&[&b"GCTL\x01"[..length]], &[], 0, length);
    }
}

#[test]
fn garbage_before_between_and_after() {
    gives(&[b"hello"], &[], 5, 0);
    gives(&[b"hello", CENSUS], &[census()], 5, 0);
    gives(
        &[CENSUS, b"\r\n", CENSUS, b"\0\xff"],
        &[census(), census()],
        4,
        0,
    );
    gives(
        &[b"\n", b"GCTL\x01", b"\n", CENSUS, b"\n"],
        &[Owned::Older(1), census()],
        3,
        0,
    );
    // Input that a reader of four bytes at a time could not align.
    gives(
        &[b"J", b"GCTL\x01", b"GCTL\x02"],
        &[Owned::Older(1), Owned::Older(2)],
        1,
        0,
    );
}

#[test]
fn garbage_that_looks_like_a_magic() {
    gives(&[b"GCTGCTL\x01"], &[Owned::Older(1)], 3, 0);
    gives(&[b"GGGCTL\x01"], &[Owned::Older(1)], 2, 0);
    gives(&[b"GCGCTGCTL\x01"], &[Owned::Older(1)], 5, 0);
    gives(&[b"\xf0\x9e", CENSUS], &[census()], 2, 0);
    gives(&[b"\xf0\x9e\x97", CENSUS], &[census()], 3, 0);
    gives(&[b"\xf0\xf0\xf0", CENSUS], &[census()], 3, 0);
    gives(&[b"GCT", CENSUS], &[census()], 3, 0);
    gives(&[b"\xf0\x9e\x97GCTL\x01"], &[Owned::Older(1)], 3, 0);
    gives(&[b"\xf0\x9e\x8c", CENSUS], &[census()], 3, 0);
    gives(&[b"\x9e\x97\x8c\x00\x01x\x01"], &[], 7, 0);
    gives(&[b"CTL\x01"], &[], 4, 0);
    gives(&[b"gctl\x01"], &[], 5, 0);
}

#[test]
fn numbers_of_the_older_protocol() {
    for id in 0..=255_u8 {
        match id {
            // Each begins a magic, which is unfinished.
            b'G' | 0xf0 => gives(&[b"GCTL", &[id]], &[], 4, 1),
            _ => gives(
                &[b"GCTL", &[id], CENSUS],
                &[Owned::Older(id), census()],
                0,
                0,
            ),
        }
    }
    gives(&[b"GCTLGCTL\x01"], &[Owned::Older(1)], 4, 0);
    gives(&[b"GCTLGCTLGCTL\x01"], &[Owned::Older(1)], 8, 0);
    gives(&[b"GCTL", CENSUS], &[census()], 4, 0);
    gives(&[b"GCTLG\x01GCTL\x02"], &[Owned::Older(2)], 6, 0);
    // The older protocol once had a number of four bytes before the command.
    gives(&[b"GCTL\0\0\0\x01\x02"], &[Owned::Older(0)], 4, 0);
}

#[test]
fn length_0_is_malformed() {
    gives(&[MAGIC, b"\x00\x00"], &[], 6, 0);
    gives(&[MAGIC, b"\x00\x00\x05"], &[], 7, 0);
    // The bytes after the length are parsed as new input: they may be a frame.
    gives(&[MAGIC, b"\x00\x00", CENSUS], &[census()], 6, 0);
    gives(&[MAGIC, b"\x00\x00", b"GCTL\x01"], &[Owned::Older(1)], 6, 0);
    gives(
        &[MAGIC, b"\x00\x00", MAGIC, b"\x00\x00", CENSUS],
        &[census()],
        12,
        0,
    );
}

#[test]
fn namespaces_are_exact() {
    for namespace in [
        &b"e"[..],
        b"eventlog-socke",
        b"eventlog-socket",
        b"eventlog-socketX",
        b"eventlog-socket\0",
        b"eventlog-socket\0XYZ",
        b"EVENTLOG-SOCKET",
        b"\0",
        b"\xff\xfe",
        "namensraum-ä".as_bytes(),
    ] {
        let length = [namespace.len() as u8];
        gives(
            &[MAGIC, &[0], &length, namespace, &[5]],
            &[command(namespace, 5)],
            0,
            0,
        );
    }
}

#[test]
fn the_longest_namespace() {
    let name: Vec<u8> = (0..255).collect();
    let all = [MAGIC, &[0, 255], &name, &[9]].concat();
    gives(&[&all, CENSUS], &[command(&name, 9), census()], 0, 0);
    gives(&[&all[..all.len() - 1]], &[], 0, 261);
    // A shorter one after it contains nothing of it.
    gives(
        &[&all, MAGIC, b"\x00\x02ab\x01"],
        &[command(&name, 9), command(b"ab", 1)],
        0,
        0,
    );
}

#[test]
fn a_frame_is_taken_whole_whatever_is_in_it() {
    let inner = [CENSUS, b"GCTL\x01"].concat();
    let length = [inner.len() as u8];
    gives(
        &[MAGIC, &[0], &length, &inner, &[7]],
        &[command(&inner, 7)],
        0,
        0,
    );
    gives(
        &[MAGIC, &[3], &length, &inner, &[7]],
        &[Owned::OtherVersion(3)],
        0,
        0,
    );
    // Also if the command looks like one.
    gives(
        &[MAGIC, b"\x00\x01xG", CENSUS],
        &[command(b"x", b'G'), census()],
        0,
        0,
    );
    gives(
        &[MAGIC, b"\x00\x01x\xf0\x9e\x97\x8c"],
        &[command(b"x", 0xf0)],
        3,
        0,
    );
    gives(&[MAGIC, b"\x00\x04GCTL\x01"], &[command(b"GCTL", 1)], 0, 0);
}

#[test]
fn other_versions_are_skipped_by_their_length() {
    for version in 1..=255_u8 {
        let name: &[u8] = b"eventlog-socket";
        let frame = [MAGIC, &[version, 15], name, &[5]].concat();
        let skipped = Owned::OtherVersion(version);
        gives(&[&frame, CENSUS], &[skipped.clone(), census()], 0, 0);
        gives(&[&frame[..21]], &[], 0, 21);
        gives(
            &[MAGIC, &[version, 0, 5], CENSUS],
            &[skipped, census()],
            0,
            0,
        );
    }
    let longest = [MAGIC, &[7, 255], &[0xf0; 256]].concat();
    gives(
        &[&longest, CENSUS],
        &[Owned::OtherVersion(7), census()],
        0,
        0,
    );
    gives(&[&longest[..261]], &[], 0, 261);
}

#[test]
fn a_forgotten_version_runs_nothing() {
    // Then 0x0f is the version, and "e" the length: the parser waits for 101 bytes and the command.
    let frame = [MAGIC, b"\x0feventlog-socket\x05"].concat();
    gives(&[&frame], &[], 0, 21);
    let behind = [b'.'; 87];
    gives(&[&frame, &behind[..86]], &[], 0, 107);
    gives(&[&frame, &behind], &[Owned::OtherVersion(15)], 0, 0);
    gives(
        &[&frame, &behind, CENSUS],
        &[Owned::OtherVersion(15), census()],
        0,
        0,
    );
    // Frames within that are lost: of four, all but the last byte.
    let four = CENSUS.repeat(4);
    gives(
        &[&frame, &four, CENSUS],
        &[Owned::OtherVersion(15), census()],
        1,
        0,
    );
}

#[test]
fn a_magic_twice_is_a_version() {
    // Version 0xf0, length 0x9e.
    gives(&[MAGIC, CENSUS], &[], 0, 26);
    let end = 6 + 0x9e + 1;
    let behind = vec![0; end - 26];
    gives(
        &[MAGIC, CENSUS, &behind, CENSUS],
        &[Owned::OtherVersion(0xf0), census()],
        0,
        0,
    );
}

#[test]
fn fifteen_bytes_called_0x15() {
    let wrong = [MAGIC, b"\x00\x15eventlog-socket\x05"].concat();
    gives(&[&wrong], &[], 0, 22);
    gives(&[&wrong, b"12345"], &[], 0, 27);
    gives(
        &[&wrong, b"123456"],
        &[command(b"eventlog-socket\x0512345", b'6')],
        0,
        0,
    );
    // The next frame supplies the six bytes, and is lost; the third one is understood.
    let mixed = command(b"eventlog-socket\x05\xf0\x9e\x97\x8c\x00", 0x0f);
    gives(&[&wrong, CENSUS], std::slice::from_ref(&mixed), 16, 0);
    gives(&[&wrong, CENSUS, CENSUS], &[mixed, census()], 16, 0);
    // With only such frames, no command is ever recognised.
    let mixed = command(b"eventlog-socket\x05\xf0\x9e\x97\x8c\x00", 0x15);
    gives(
        &[&wrong, &wrong, &wrong, &wrong],
        &[mixed.clone(), mixed],
        32,
        0,
    );
}

#[test]
fn ten_thousand_frames_at_once_and_byte_by_byte() {
    let count = 10_000;
    let frames: Vec<_> = (0..count)
        .map(|at| match at % 3 {
            0 => Frame::older(Older::RequestHeapCensus),
            _ => Frame::command(&vec![b'n'; 1 + at % 255], at as u8).unwrap(),
        })
        .collect();
    let bytes: Vec<u8> = frames.iter().flat_map(|f| f.as_bytes()).copied().collect();
    let whole = fed([&bytes[..]]);
    assert_eq!(whole.items.len(), count);
    for (at, item) in whole.items.iter().enumerate() {
        let expected = match at % 3 {
            0 => Owned::Older(3),
            _ => command(&vec![b'n'; 1 + at % 255], at as u8),
        };
        assert_eq!(*item, expected, "item {at}");
    }
    assert_eq!((whole.garbage, whole.pending), (0, 0));
    assert_eq!(fed(bytes.chunks(1)), whole);
    // Read sizes at which other implementations have failed.
    for size in [2, 21, 22, 23, 255, 256, 257, 4096] {
        assert_eq!(fed(bytes.chunks(size)), whole, "reads of {size}");
    }
}

#[test]
fn much_garbage_with_a_frame_in_it() {
    for filler in [b"\0", b"G", b"\xf0"] {
        let garbage = filler.repeat(1_000_000);
        let bytes = [&garbage, CENSUS, &garbage, b"."].concat();
        let expected = Reading {
            items: vec![census()],
            garbage: 2_000_001,
            pending: 0,
        };
        assert_eq!(fed([&bytes[..]]), expected);
        assert_eq!(fed(bytes.chunks(1)), expected);
    }
}

#[test]
fn a_callback_that_panics_leaves_the_parser_between_frames() {
    for frame in [CENSUS, b"GCTL\x01", b"\xf0\x9e\x97\x8c\x02\x00\x05"] {
        let mut parser = Parser::new();
        let fed =
            AssertUnwindSafe(|| parser.feed(frame, |_| std::panic::resume_unwind(Box::new(()))));
        assert!(catch_unwind(fed).is_err());
        assert_eq!((parser.garbage(), parser.pending()), (0, 0));
        let mut items = 0;
        parser.feed(CENSUS, |item| {
            assert!(matches!(item, Item::Command { id: 5, .. }));
            items += 1;
        });
        assert_eq!(items, 1);
    }
}

#[test]
fn a_parser_is_small_and_can_be_a_constant() {
    static FRESH: Parser = Parser::new();
    assert!(size_of::<Parser>() < 300, "{}", size_of::<Parser>());
    let mut parser = FRESH.clone();
    parser.feed(b"GCT", |_| unreachable!());
    assert_eq!((parser.pending(), FRESH.pending()), (3, 0));
}
