//! Every event type: what it decodes to, in each of the sizes it has had.

mod common;

use common::*;
use ghc_eventlog::{BlockSize, EventBody, Header, Item, StopStatus, Stream, Text, names};

fn body_under(changes: &[(u16, Option<u16>)], event: Vec<u8>, check: impl FnOnce(EventBody<'_>)) {
    let bytes = [header_with(changes).as_bytes().to_vec(), event].concat();
    only_body(&bytes, |body, _| check(body));
}

#[test]
fn each_type_comes_back_as_it_was_written() {
    for body in one_of_each() {
        only_body(&log(&[event(77, body)]), |decoded, _| {
            assert_eq!(decoded, body)
        });
    }
}

#[test]
fn the_examples_cover_every_type_with_its_standard_size() {
    let header = Header::standard();
    let covered: Vec<u16> = one_of_each().iter().map(EventBody::id).collect();
    for kind in header
        .types()
        .iter()
        .filter(|kind| kind.id != ghc_eventlog::BLOCK_MARKER)
    {
        assert!(covered.contains(&kind.id), "{kind:?}");
    }
    for body in one_of_each() {
        let mut payload = Vec::new();
        body.encode_payload(&mut payload);
        let declared = header.event_type(body.id()).unwrap();
        if let Some(size) = declared.size {
            assert_eq!(payload.len(), usize::from(size), "{}", body.name());
        }
        assert_eq!(declared.name(), Some(body.name()));
    }
}

#[test]
fn spark_counters_are_read_in_the_order_of_the_wire() {
    let payload: Vec<u8> = (1..=7u64).flat_map(u64::to_be_bytes).collect();
    only_body(&log(&[fixed(34, 1, &payload)]), |body, _| {
        let expected = EventBody::SparkCounters {
            created: 1,
            dud: 2,
            overflowed: 3,
            converted: 4,
            gcd: 5,
            fizzled: 6,
            remaining: 7,
        };
        assert_eq!(body, expected);
    });
}

#[test]
fn gc_statistics_without_balance() {
    body_under(
        &[(53, Some(50))],
        fixed(53, 1, &[0; 50]),
        |body| match body {
            EventBody::GcStatsGhc {
                par_balanced_copied,
                ..
            } => assert_eq!(par_balanced_copied, None),
            other => panic!("{other:?}"),
        },
    );
}

#[test]
fn census_with_an_exponent_or_with_bytes() {
    let counts = [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
    let check = |expected: BlockSize, bytes: u64| {
        move |body: EventBody<'_>| {
            match body {
                EventBody::NonmovingHeapCensus {
                    block_size,
                    live_blocks,
                    ..
                } => {
                    assert_eq!((block_size, live_blocks), (expected, 3));
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(body.field("block_size").unwrap().as_u64(), Some(bytes));
        }
    };
    let short = fixed(207, 1, &[&[5][..], &counts].concat());
    body_under(&[(207, Some(13))], short, check(BlockSize::Log2(5), 32));
    let long = fixed(207, 1, &[&[0, 48][..], &counts].concat());
    body_under(&[(207, Some(14))], long, check(BlockSize::Bytes(48), 48));
}

#[test]
fn an_absurd_exponent_is_no_size() {
    assert_eq!(BlockSize::Log2(200).bytes(), None);
}

#[test]
fn ticky_definitions_of_three_ages() {
    let old = [&9u64.to_be_bytes()[..], &2u16.to_be_bytes(), b"iM\0name\0"].concat();
    let info = [&old[..], &5u64.to_be_bytes()].concat();
    let json = [&info[..], b"{}\0"].concat();
    for (payload, info, json) in [
        (old, None, None),
        (info, Some(5), None),
        (json, Some(5), Some(Text::from("{}"))),
    ] {
        only_body(
            &log(&[variable(210, 1, payload.len() as u16, &payload)]),
            |body, _| {
                let expected = EventBody::TickyCounterDef {
                    counter: 9,
                    arity: 2,
                    arg_kinds: "iM".into(),
                    name: "name".into(),
                    info,
                    json,
                };
                assert_eq!(body, expected);
            },
        );
    }
}

#[test]
fn the_tail_of_a_longer_payload_is_left_alone_but_kept() {
    // Thread ids declared with eight bytes were seen in very old logs.
    let bytes = [
        header_with(&[(1, Some(8))]).as_bytes().to_vec(),
        fixed(1, 5, &[0, 0, 0, 9, 1, 2, 3, 4]),
    ];
    only_body(&bytes.concat(), |body, payload| {
        assert_eq!(body, EventBody::RunThread { thread: 9 });
        assert_eq!(payload, [0, 0, 0, 9, 1, 2, 3, 4]);
    });
}

#[test]
fn a_payload_that_is_too_short_is_handed_on_raw() {
    body_under(&[(1, Some(3))], fixed(1, 5, &[1, 2, 3]), |body| {
        assert_eq!(
            body,
            EventBody::Unknown {
                id: 1,
                payload: &[1, 2, 3]
            }
        );
        assert_eq!(body.name(), "run_thread");
    });
}

#[test]
fn unknown_types_are_handed_on_raw() {
    let changes = [(150, Some(3)), (40_000, None), (65_000, Some(0))];
    let bytes = [
        header_with(&changes).as_bytes().to_vec(),
        fixed(150, 1, b"abc"),
        variable(40_000, 2, 2, b"xy"),
        fixed(65_000, 3, b""),
        run(4, 9),
    ]
    .concat();
    let outcome = decode(&bytes);
    assert_eq!(outcome.error, None);
    assert_eq!(
        outcome.lines(),
        [
            "unknown id=150 payload=616263",
            "unknown id=40000 payload=7879",
            "unknown id=65000 payload=",
            "run_thread thread=9",
        ]
    );
    assert_eq!(outcome.bytes(), bytes);
}

#[test]
fn a_stop_status_without_a_name_keeps_its_number() {
    for (code, name) in [
        (16, Some("blocked_on_ccall")),
        (18, Some("blocked_on_throw_to")),
        (99, None),
    ] {
        let body = EventBody::StopThread {
            thread: 1,
            status: StopStatus(code),
            info: Some(0),
        };
        only_body(&log(&[event(1, body)]), |decoded, _| {
            assert_eq!(decoded, body);
            assert_eq!(StopStatus(code).name(), name);
            let value = decoded.field("status").unwrap();
            assert_eq!(value.as_u64(), Some(code.into()));
            assert_eq!(value.as_text(), name.map(Text::from));
        });
    }
}

#[test]
fn types_declared_twice_count_as_declared_last() {
    let mut types = Header::standard().types().to_vec();
    types.push(kind(1, Some(6)));
    types.push(kind(300, Some(1)));
    types.push(kind(300, Some(2)));
    let header = Header::from_types(types).unwrap();
    let bytes = [
        header.as_bytes().to_vec(),
        fixed(1, 1, &[0; 6]),
        fixed(300, 2, b"ab"),
    ]
    .concat();
    let outcome = decode(&bytes);
    assert_eq!((outcome.error, outcome.events()), (None, 2));
    assert_eq!(header.event_type(1).unwrap().size, Some(6));
}

#[test]
fn arguments_are_split_at_nuls() {
    let body = EventBody::ProgramArgs {
        capset: 0,
        args: ghc_eventlog::Texts(b"prog\0\0-x\0"),
    };
    let EventBody::ProgramArgs { args, .. } = body else {
        unreachable!()
    };
    assert_eq!(args.iter().collect::<Vec<_>>(), ["prog", "", "-x"]);
    assert_eq!(ghc_eventlog::Texts(b"").iter().count(), 0);
    assert_eq!(
        ghc_eventlog::Texts(b"open").iter().collect::<Vec<_>>(),
        ["open"]
    );
}

#[test]
fn names_are_unique_and_lead_back() {
    let known: Vec<_> = names::known().collect();
    for (id, name) in &known {
        assert_eq!(names::name_of(*id), Some(*name));
        assert_eq!(names::id_of(name), Some(*id));
        assert!(
            name.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        );
    }
    assert_eq!(names::name_of(18), Some("block_marker"));
    assert_eq!(names::name_of(12_345), None);
    assert_eq!(names::id_of("no_such_event"), None);
}

#[test]
fn json_has_time_cap_name_and_fields() {
    let mut bytes = log(&[block(
        Some(2),
        1,
        9,
        &[event(
            5,
            EventBody::UserMsg {
                message: Text(b"a\"\\\n\x01\xff"),
            },
        )],
    )]);
    bytes.extend_from_slice(&event(6, one_of_each()[25]));
    let mut stream = Stream::new();
    stream.push(&bytes);
    let mut lines = Vec::new();
    loop {
        match stream.next_item().unwrap() {
            Item::Event(event) => {
                let mut line = String::new();
                event.write_json(&mut line).unwrap();
                lines.push(line);
            }
            Item::NeedMore => break,
            _ => {}
        }
    }
    assert_eq!(
        lines,
        [
            "{\"time\":5,\"cap\":2,\"event\":\"user_msg\",\
             \"message\":\"a\\\"\\\\\\n\\u0001\u{fffd}\"}",
            "{\"time\":6,\"cap\":null,\"event\":\"program_args\",\"capset\":16909060,\
             \"args\":[\"prog\",\"-a\",\"\",\"b c\"]}",
        ]
    );
}

#[test]
fn encoding_respects_the_header() {
    use ghc_eventlog::{EncodeError, encode_event};
    let header = header_with(&[(1, Some(6))]);
    let mut out = vec![1];
    let wrong_size = encode_event(&header, 0, &EventBody::RunThread { thread: 1 }, &mut out);
    assert_eq!(
        wrong_size,
        Err(EncodeError::Size {
            id: 1,
            declared: 6,
            actual: 4
        })
    );
    let long = vec![0; 70_000];
    let too_long = encode_event(
        &header,
        0,
        &EventBody::UserBinaryMsg { data: &long },
        &mut out,
    );
    assert_eq!(too_long, Err(EncodeError::TooLong(181)));
    let undeclared = EventBody::Unknown {
        id: 999,
        payload: &[],
    };
    let undeclared = encode_event(&header, 0, &undeclared, &mut out);
    assert_eq!(undeclared, Err(EncodeError::Undeclared(999)));
    let marker = EventBody::Unknown {
        id: 18,
        payload: &[0; 14],
    };
    let marker = encode_event(&header, 0, &marker, &mut out);
    assert_eq!(marker, Err(EncodeError::NotAnEvent(18)));
    assert_eq!(out, [1], "nothing is left behind by a failure");
}
