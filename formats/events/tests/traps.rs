//! What real logs do that a reader of the format's description would not
//! expect. One test for each.

mod common;

use common::*;
use ghc_eventlog::{ErrorKind, EventBody, Header, Text};

const STRINGS: [&str; 6] = ["foo_info", "21", "Int", "foo", "Main", "Main.hs:1:1-9"];

fn ipe_line(info: u64) -> String {
    format!(
        "ipe info={info} table_name=foo_info closure_desc=21 type_desc=Int label=foo module=Main \
         location=Main.hs:1:1-9"
    )
}

#[test]
fn info_tables_that_declare_one_byte_too_many() {
    let payload = ipe_payload(7, STRINGS);
    let event = variable(169, 5, payload.len() as u16 + 1, &payload);
    let bytes = log(&[
        block(None, 1, 9, &[event.clone(), event, run(6, 1)]),
        vec![0xff, 0xff],
    ]);
    for split in [1, 5, bytes.len()] {
        let outcome = decode_split(&bytes, split);
        assert_eq!(outcome.error, None);
        assert_eq!(
            outcome.lines(),
            [ipe_line(7), ipe_line(7), "run_thread thread=1".to_owned()]
        );
        assert!(outcome.ending.is_complete());
        assert_eq!(outcome.bytes(), bytes);
    }
}

#[test]
fn an_info_table_with_one_byte_too_many_at_the_end_of_its_block() {
    let payload = ipe_payload(7, STRINGS);
    let event = variable(169, 5, payload.len() as u16 + 1, &payload);
    let bytes = log(&[
        block(None, 1, 9, &[event]),
        block(Some(0), 1, 9, &[run(6, 1)]),
    ]);
    assert_eq!(
        decode(&bytes).lines(),
        [ipe_line(7), "0: run_thread thread=1".to_owned()]
    );
}

#[test]
fn info_tables_that_declare_what_they_are() {
    let payload = ipe_payload(7, STRINGS);
    let event = variable(169, 5, payload.len() as u16, &payload);
    let bytes = log(&[block(None, 1, 9, &[event, run(6, 1)])]);
    assert_eq!(
        decode(&bytes).lines(),
        [ipe_line(7), "run_thread thread=1".to_owned()]
    );
}

#[test]
fn info_tables_beyond_64_kib_whose_length_has_wrapped() {
    let long = "x".repeat(70_000);
    for excess in [0, 1] {
        let payload = ipe_payload(7, ["t", "21", &long, "l", "m", "s"]);
        let event = variable(169, 5, (payload.len() + excess) as u16, &payload);
        let bytes = log(&[block(None, 1, 9, &[event, run(6, 1)])]);
        for split in [1000, bytes.len()] {
            let outcome = decode_split(&bytes, split);
            assert_eq!((outcome.error, outcome.events()), (None, 2));
            assert_eq!(outcome.lines()[1], "run_thread thread=1");
            assert_eq!(outcome.bytes(), bytes);
        }
    }
}

#[test]
fn info_tables_of_the_future_with_more_fields() {
    let mut payload = ipe_payload(7, STRINGS);
    payload.extend_from_slice(b"another field\0and one\0");
    let event = variable(169, 5, payload.len() as u16, &payload);
    // Accepted because an item can begin where it ends: inside a block, at the
    // end of one, and outside any.
    for bytes in [
        log(&[block(None, 1, 9, &[event.clone(), run(6, 1)])]),
        log(&[block(None, 1, 9, std::slice::from_ref(&event)), run(6, 1)]),
        log(&[event, run(6, 1)]),
    ] {
        for split in [1, bytes.len()] {
            let outcome = decode_split(&bytes, split);
            assert_eq!(outcome.error, None);
            assert_eq!(
                outcome.lines(),
                [ipe_line(7), "run_thread thread=1".to_owned()]
            );
            assert_eq!(outcome.bytes(), bytes);
        }
    }
}

#[test]
fn info_tables_of_another_shape_fall_back_on_their_length() {
    let event = variable(169, 5, 11, b"12345678abc");
    let bytes = log(&[
        block(None, 1, 9, &[event]),
        block(Some(0), 1, 9, &[run(6, 1)]),
    ]);
    let outcome = decode(&bytes);
    assert_eq!(outcome.error, None);
    assert_eq!(outcome.lines()[1], "0: run_thread thread=1");
}

#[test]
fn collections_are_dated_back() {
    // The statistics of a collection come before its end but with a later
    // time, and the end can even precede the block.
    let events = [
        run(1000, 1),
        fixed(53, 5000, &[0; 58]),
        event(900, EventBody::GcEnd),
        run(5001, 2),
    ];
    let outcome = decode(&log(&[block(Some(0), 950, 6000, &events)]));
    assert_eq!(outcome.error, None);
    let times: Vec<_> = outcome
        .items
        .iter()
        .filter_map(|item| match item {
            Owned::Event { time, .. } => Some(*time),
            _ => None,
        })
        .collect();
    assert_eq!(
        times,
        [1000, 5000, 900, 5001],
        "delivered as they come, not rearranged"
    );
}

#[test]
fn two_markers_in_one_chunk() {
    let bytes = log(&[
        block(Some(2), 1, 1, &[]),
        block(Some(2), 1, 9, &[run(5, 1)]),
        block(Some(1), 1, 1, &[run(1, 3)]),
        block(Some(1), 2, 9, &[run(5, 4)]),
    ]);
    let outcome = decode(&bytes);
    assert_eq!(
        outcome.lines(),
        [
            "2: run_thread thread=1",
            "1: run_thread thread=3",
            "1: run_thread thread=4"
        ]
    );
}

#[test]
fn capabilities_speak_before_they_are_announced() {
    let bytes = log(&[
        block(Some(3), 1, 9, &[run(5, 1)]),
        block(
            None,
            0,
            9,
            &[event(1, EventBody::CapCreate { created_cap: 3 })],
        ),
    ]);
    let outcome = decode(&bytes);
    assert_eq!(outcome.error, None);
    assert_eq!(outcome.lines()[0], "3: run_thread thread=1");
}

#[test]
fn a_block_marker_before_the_header() {
    // GHC 9.0.2 writes the header of a restarted log as part of a block.
    let header = Header::standard();
    let size = 24 + header.as_bytes().len() as u32;
    let lead = marker(Some(0), 5, size, 7);
    let bytes = [
        lead.clone(),
        header.as_bytes().to_vec(),
        block(Some(0), 7, 9, &[run(8, 1)]),
    ]
    .concat();
    for split in [1, bytes.len()] {
        let outcome = decode_split(&bytes, split);
        assert_eq!(outcome.error, None);
        assert!(matches!(
            outcome.items[0],
            Owned::Block {
                time: 5,
                end: 7,
                cap: Some(0),
                ..
            }
        ));
        assert!(matches!(outcome.items[1], Owned::Header(_)));
        assert_eq!(outcome.lines(), ["0: run_thread thread=1"]);
        assert_eq!(outcome.bytes(), bytes);
    }

    // It also does so in the middle of a stream, after the end mark.
    let restarted = [
        log(&[block(Some(0), 1, 4, &[run(2, 9)]), vec![0xff, 0xff]]),
        bytes,
    ]
    .concat();
    let outcome = decode(&restarted);
    assert_eq!(outcome.error, None);
    assert_eq!(
        outcome.lines(),
        ["0: run_thread thread=9", "0: run_thread thread=1"]
    );
    assert_eq!(outcome.bytes(), restarted);
}

#[test]
fn a_second_header_in_the_middle() {
    let other = header_with(&[(1, Some(6))]);
    let second = [
        other.as_bytes().to_vec(),
        block(Some(0), 1, 9, &[fixed(1, 3, &[0, 0, 0, 8, 0, 0])]),
        vec![0xff, 0xff],
    ]
    .concat();
    // With the end mark before it, and without.
    for first in [
        log(&[block(Some(0), 1, 9, &[run(2, 7)]), vec![0xff, 0xff]]),
        log(&[block(Some(0), 1, 9, &[run(2, 7)])]),
    ] {
        let bytes = [first, second.clone()].concat();
        for split in [1, 3, bytes.len()] {
            let outcome = decode_split(&bytes, split);
            assert_eq!(outcome.error, None);
            assert_eq!(
                outcome.lines(),
                ["0: run_thread thread=7", "0: run_thread thread=8"]
            );
            assert_eq!(outcome.bytes(), bytes);
        }
    }
}

#[test]
fn a_second_header_after_a_block_that_was_cut_at_an_event() {
    let mut first = log(&[block(Some(0), 1, 9, &[run(2, 7), run(3, 8)])]);
    first.truncate(first.len() - 14);
    let bytes = [first, everything()].concat();
    let outcome = decode(&bytes);
    assert_eq!(outcome.error, None);
    assert_eq!(outcome.events(), 1 + one_of_each().len());
}

#[test]
fn the_end_mark_inside_the_last_block_or_after_it() {
    let mut inside = block(None, 1, 9, &[run(5, 1), vec![0xff, 0xff]]);
    let after = [block(None, 1, 9, &[run(5, 1)]), vec![0xff, 0xff]].concat();
    assert_eq!(inside.len(), after.len());
    for bytes in [log(&[inside.clone()]), log(&[after])] {
        assert!(decode(&bytes).ending.is_complete());
    }
    // Items after the mark are read on.
    inside.extend_from_slice(&block(Some(0), 9, 12, &[run(10, 2)]));
    let outcome = decode(&log(&[inside]));
    assert_eq!((outcome.error, outcome.events()), (None, 2));
    assert!(!outcome.ending.marked);
}

#[test]
fn events_outside_any_block_have_no_capability() {
    let bytes = log(&[run(1, 1), block(Some(4), 1, 9, &[run(2, 2)]), run(3, 3)]);
    assert_eq!(
        decode(&bytes).lines(),
        [
            "run_thread thread=1",
            "4: run_thread thread=2",
            "run_thread thread=3"
        ]
    );
}

#[test]
fn a_block_of_size_nought_reaches_to_the_next_marker() {
    let bytes = log(&[
        marker(Some(4), 1, 0, 9),
        run(2, 2),
        run(3, 3),
        block(Some(5), 1, 9, &[run(4, 4)]),
    ]);
    assert_eq!(
        decode(&bytes).lines(),
        [
            "4: run_thread thread=2",
            "4: run_thread thread=3",
            "5: run_thread thread=4"
        ]
    );
}

#[test]
fn a_marker_inside_a_block_begins_another() {
    let bytes = log(&[
        marker(Some(4), 1, 500, 9),
        run(2, 2),
        block(Some(5), 1, 9, &[run(4, 4)]),
        run(5, 5),
    ]);
    assert_eq!(
        decode(&bytes).lines(),
        [
            "4: run_thread thread=2",
            "5: run_thread thread=4",
            "run_thread thread=5"
        ]
    );
}

#[test]
fn text_that_is_not_utf8() {
    let body = EventBody::UserMsg {
        message: Text(b"caf\xe9"),
    };
    let bytes = log(&[block(Some(0), 1, 9, &[event(2, body), run(3, 1)])]);
    let outcome = decode(&bytes);
    assert_eq!(outcome.error, None);
    assert_eq!(
        outcome.lines(),
        ["0: user_msg message=caf\u{fffd}", "0: run_thread thread=1"]
    );
    assert_eq!(outcome.bytes(), bytes);
    assert_eq!(Text(b"caf\xe9").to_str(), None);
}

#[test]
fn a_description_that_is_not_utf8_survives() {
    let mut bytes = Header::standard().as_bytes().to_vec();
    let at = bytes
        .windows(6)
        .position(|window| window == b"create")
        .unwrap();
    bytes[at] = 0xe9;
    let outcome = decode(&bytes);
    assert_eq!(outcome.error, None);
    assert_eq!(outcome.bytes(), bytes);
}

#[test]
fn a_length_that_was_cut_to_16_bits() {
    // The label was longer than 64 KiB. What is left of it is read as events
    // until one is impossible; the next block is found again.
    let label = vec![b'x'; 70_000];
    let payload = [&[0][..], &9u64.to_be_bytes(), &label, &[0]].concat();
    let broken = variable(164, 2, payload.len() as u16, &payload);
    let bytes = log(&[
        block(None, 1, 9, &[run(1, 1), broken, run(3, 3)]),
        block(Some(0), 1, 9, &[run(4, 4)]),
    ]);
    let strict = decode(&bytes);
    assert_eq!(strict.events(), 2);
    assert_eq!(strict.error.unwrap().kind, ErrorKind::Undeclared(0x7878));

    let lenient = recover(&bytes);
    assert_eq!(lenient.error, None);
    assert_eq!(lenient.lines().last().unwrap(), "0: run_thread thread=4");
    let gaps = lenient
        .items
        .iter()
        .filter(|item| matches!(item, Owned::Gap { .. }))
        .count();
    assert_eq!(gaps, 1);
    assert_eq!(
        lenient
            .items
            .iter()
            .filter(|item| matches!(item, Owned::Block { .. }))
            .count(),
        2
    );
}

#[test]
fn a_hole_of_zeros_is_not_a_thousand_threads() {
    let whole = block(Some(0), 1, 9, &[run(1, 1)]);
    let bytes = log(&[whole.clone(), vec![0; 4096], whole]);
    let strict = decode(&bytes);
    assert_eq!(strict.events(), 1);
    assert_eq!(strict.error.unwrap().kind, ErrorKind::Hole);
    let lenient = recover(&bytes);
    assert_eq!(lenient.events(), 2);
    assert!(
        lenient
            .items
            .iter()
            .any(|item| matches!(item, Owned::Gap { length: 4096, .. }))
    );
}

#[test]
fn a_few_zeros_after_the_end_are_left_over() {
    let outcome = decode(&log(&[run(1, 1), vec![0xff, 0xff], vec![0; 10]]));
    assert_eq!((outcome.error, outcome.events()), (None, 1));
    assert_eq!((outcome.ending.marked, outcome.ending.left), (true, 10));
    assert!(!outcome.ending.is_complete());
}

#[test]
fn a_buffer_whose_marker_was_lost() {
    // After a failed write the next buffer starts without its marker. Its
    // events can be read, but their capability is unknown.
    let bytes = log(&[
        block(Some(1), 1, 9, &[run(1, 1)]),
        run(2, 2),
        run(3, 3),
        block(Some(0), 1, 9, &[run(4, 4)]),
    ]);
    assert_eq!(
        decode(&bytes).lines(),
        [
            "1: run_thread thread=1",
            "run_thread thread=2",
            "run_thread thread=3",
            "0: run_thread thread=4"
        ]
    );
}

#[test]
fn no_identity_is_needed() {
    // A GHC 9.0 program writes its name, arguments and clock only at its exit.
    let outcome = decode(&log(&[block(Some(0), 1, 9, &[run(2, 1)])]));
    assert_eq!((outcome.error, outcome.events()), (None, 1));
}

#[test]
fn a_program_that_was_killed() {
    let bytes = log(&[block(Some(0), 1, 9, &[run(2, 1), run(3, 2)])]);
    let outcome = decode(&bytes[..bytes.len() - 5]);
    assert_eq!((outcome.error, outcome.events()), (None, 1));
    assert_eq!((outcome.ending.marked, outcome.ending.left), (false, 9));
    let header = decode(Header::standard().as_bytes());
    assert_eq!((header.error, header.events()), (None, 0));
    assert!(header.ending.header);
}
