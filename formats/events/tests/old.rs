//! Logs of systems that declare or number things differently.

mod common;

use common::*;
use ghc_eventlog::{
    EventBody, Header, Item, Order, OrderOptions, Reader, StopStatus, encode_event, names,
};

const MARKER: (u16, Option<u16>) = (18, Some(14));

/// A header with only these types.
fn header(types: &[(u16, Option<u16>)]) -> Header {
    Header::from_types(types.iter().map(|&(id, size)| kind(id, size)).collect()).unwrap()
}

/// The types as GHC 6.12 declares them: most of these sizes are wrong.
fn ghc_6_12() -> Header {
    let eight = [0, 1, 3, 5, 15].map(|id| (id, Some(8)));
    let ten = [2, 4, 6, 8].map(|id| (id, Some(10)));
    let empty = [7, 9, 10, 11, 12, 17].map(|id| (id, Some(0)));
    let others = [(16, None), MARKER, (19, None)];
    header(&[&eight[..], &ten, &empty, &others].concat())
}

/// The types as GHC 7.8.2 declares them; 7.8.3 adds an empty type 59.
fn ghc_7_8(more: &[(u16, Option<u16>)]) -> Header {
    let types = [
        (0, Some(4)),
        (1, Some(4)),
        (2, Some(10)),
        MARKER,
        (58, None),
    ];
    header(&[&types[..], more].concat())
}

/// Calls `each` with all bodies of a log, and again with those ordered by time.
#[track_caller]
fn bodies(bytes: &[u8], each: &mut impl FnMut(&EventBody<'_>, bool)) {
    let mut order = Order::new(OrderOptions::default());
    let mut reader = Reader::new(bytes);
    while let Some(item) = reader.next_item().unwrap() {
        if let Item::Event(event) = &item {
            each(&event.body, false);
        }
        order.push(&item);
    }
    order.flush();
    while let Some(ordered) = order.next_event() {
        each(&ordered.event.body, true);
    }
}

#[test]
fn ghc_6_12_writes_other_sizes_than_it_declares() {
    let header = ghc_6_12();
    let thread = 7u32.to_be_bytes();
    let stopped = [&thread[..], &[0, 5]].concat();
    let moved = [&thread[..], &[0, 1]].concat();
    let bytes = [
        header.as_bytes().to_vec(),
        fixed(17, 1, &[0, 2]),
        block(
            Some(0),
            1,
            99,
            &[
                fixed(0, 2, &thread),
                fixed(1, 3, &thread),
                variable(19, 4, 2, b"hi"),
                fixed(4, 5, &moved),
                fixed(8, 5, &moved),
                fixed(15, 6, &thread),
                fixed(3, 6, &thread),
                fixed(2, 7, &stopped),
                fixed(9, 8, &[]),
                fixed(7, 9, &[]),
            ],
        ),
        vec![0xff, 0xff],
    ]
    .concat();
    let expected = [
        EventBody::Startup { capabilities: 2 },
        EventBody::CreateThread { thread: 7 },
        EventBody::RunThread { thread: 7 },
        EventBody::UserMsg {
            message: "hi".into(),
        },
        EventBody::MigrateThread {
            thread: 7,
            new_cap: 1,
        },
        EventBody::ThreadWakeup {
            thread: 7,
            other_cap: 1,
        },
        EventBody::CreateSparkThread { spark_thread: 7 },
        EventBody::ThreadRunnable { thread: 7 },
        EventBody::StopThread {
            thread: 7,
            status: StopStatus::FINISHED,
            info: None,
        },
        EventBody::GcStart,
        EventBody::Shutdown,
    ];
    let mut seen = 0;
    bodies(&bytes, &mut |body, _| {
        assert_eq!(*body, expected[seen % expected.len()]);
        seen += 1;
    });
    assert_eq!(seen, 2 * expected.len());
    let outcome = decode(&bytes);
    assert_eq!((outcome.error, outcome.bytes()), (None, bytes.clone()));
    // New events are made in the sizes that the log has.
    let mut out = Vec::new();
    encode_event(&header, 3, &expected[2], &mut out).unwrap();
    assert_eq!(out, fixed(1, 3, &thread));
    assert_eq!(header.event_type(0).unwrap().size, Some(4));
}

#[test]
fn a_thread_number_of_another_size_is_left_alone() {
    // Only GHC 6.12 has 8 bytes; a future system may have more.
    let header = header_with(&[(0, Some(12)), (17, Some(0))]);
    assert_eq!(header.event_type(0).unwrap().size, Some(12));
    assert_eq!(header.event_type(17).unwrap().size, Some(0));
}

#[test]
fn stop_thread_of_six_bytes_has_no_info() {
    let header = header(&[(2, Some(6)), MARKER]);
    let payload = [0, 0, 0, 3, 0, 6];
    let bytes = [header.as_bytes().to_vec(), fixed(2, 1, &payload)].concat();
    let expected = EventBody::StopThread {
        thread: 3,
        status: StopStatus::FOREIGN_CALL,
        info: None,
    };
    only_body(&bytes, |body, _| {
        assert_eq!(body, expected);
        assert_eq!(body.field("info"), None);
    });
    let mut out = Vec::new();
    encode_event(&header, 1, &expected, &mut out).unwrap();
    assert_eq!(out, fixed(2, 1, &payload));
}

/// A thread stops for every reason that today's systems have a number for.
fn all_reasons() -> Vec<(StopStatus, Option<u32>)> {
    let codes = (1..=6).chain(7..=13).chain(16..=20);
    codes
        .map(|code| (StopStatus(code), Some(u32::from(code))))
        .collect()
}

#[test]
fn ghc_7_8_2_numbers_the_reasons_to_stop_in_another_way() {
    for (more, shifts) in [(&[][..], true), (&[(59, Some(0))], false)] {
        let header = ghc_7_8(more);
        let wire = |status: StopStatus| match status.0 {
            20 if shifts => 8,
            code @ 8..=19 if shifts => code + 1,
            code => code,
        };
        let mut bytes = header.as_bytes().to_vec();
        let events: Vec<Vec<u8>> = all_reasons()
            .iter()
            .map(|&(status, info)| {
                let mut payload = vec![0, 0, 0, 1];
                payload.extend(wire(status).to_be_bytes());
                payload.extend(info.unwrap().to_be_bytes());
                fixed(2, 5, &payload)
            })
            .collect();
        bytes.extend(block(Some(0), 1, 9, &events));
        let mut seen = [Vec::new(), Vec::new()];
        bodies(&bytes, &mut |body, ordered| {
            if let EventBody::StopThread { status, info, .. } = *body {
                seen[usize::from(ordered)].push((status, info));
            }
        });
        assert_eq!(seen, [all_reasons(), all_reasons()], "shifts: {shifts}");
        assert_eq!(decode(&bytes).bytes(), bytes);
        // Events made for such a log use its numbers.
        for ((status, info), raw) in all_reasons().into_iter().zip(events) {
            let body = EventBody::StopThread {
                thread: 1,
                status,
                info,
            };
            let mut out = Vec::new();
            encode_event(&header, 5, &body, &mut out).unwrap();
            assert_eq!(out, raw);
        }
    }
}

#[test]
fn events_of_other_systems_have_names() {
    let eden = [
        (60, "eden_start_receive"),
        (64, "eden_assign_thread_to_process"),
        (69, "eden_send_receive_local_message"),
    ];
    let mercury = [
        (100, "mercury_start_par_conjunction"),
        (110, "mercury_release_context"),
        (113, "mercury_calling_main"),
    ];
    let perf = [(140, "perf_name"), (142, "perf_tracepoint")];
    for (id, name) in [&eden[..], &mercury, &perf].concat() {
        assert_eq!(names::name_of(id), Some(name));
        assert_eq!(names::id_of(name), Some(id));
        assert!(!names::is_typed(id));
        // A log that we make does not declare types that it cannot contain.
        assert_eq!(Header::standard().event_type(id), None);
    }
    assert!(names::is_typed(0));
    let header = header(&[(62, Some(4)), MARKER]);
    let bytes = [header.as_bytes().to_vec(), fixed(62, 1, b"\0\0\0\x05")].concat();
    only_body(&bytes, |body, _| {
        assert_eq!(body.name(), "eden_create_process");
        assert_eq!(body.field("payload").unwrap().to_string(), "00000005");
    });
}

#[test]
fn an_event_fits_a_header_in_which_it_means_the_same() {
    let old = ghc_7_8(&[]);
    let new = ghc_7_8(&[(59, Some(0))]);
    let short = header(&[(2, Some(6)), MARKER]);
    let stop = fixed(2, 1, &[0, 0, 0, 1, 0, 7, 0, 0, 0, 0]);
    for (own, other, fits) in [
        (&old, &old, true),
        (&new, &new, true),
        (&old, &new, false),
        (&new, &old, false),
        (&new, &short, false),
    ] {
        let bytes = [own.as_bytes().to_vec(), stop.clone(), run(2, 1)].concat();
        let mut reader = Reader::new(&bytes[..]);
        let mut seen = Vec::new();
        while let Some(item) = reader.next_item().unwrap() {
            if let Item::Event(event) = item {
                seen.push(event.fits(other));
            }
        }
        let declares_run = other.event_type(1).is_some();
        assert_eq!(seen, [fits, declares_run]);
    }
}
