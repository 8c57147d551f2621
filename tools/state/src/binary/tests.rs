use super::*;
use crate::test_log::Log;

const LIMIT: usize = 1 << 20;

fn log_of(messages: &[Vec<u8>]) -> Log {
    let mut log = Log::new();
    for data in messages {
        log.push(Some(1), 3, EventBody::UserBinaryMsg { data });
    }
    log
}

fn fold(log: &Log, limit: usize) -> Messages {
    let mut messages = Messages::default();
    log.each(|event| messages.event(event, limit));
    messages
}

fn changes(from: (&Messages, bool), to: &Messages) -> Vec<Vec<u8>> {
    let mut log = Log::new();
    let header = log.header.clone();
    let (from, related) = from;
    let known = if related { from.arrivals() } else { 0 };
    to.changes((from, known), (&header, 77), &mut |cap, raw| {
        assert_eq!(cap, Some(1));
        log.push_raw(cap, raw);
    });
    let mut told = Vec::new();
    log.each(|event| {
        assert_eq!(event.time, 77);
        let EventBody::UserBinaryMsg { data } = event.body else {
            panic!()
        };
        told.push(data.to_vec());
    });
    told
}

fn string(id: u64, text: &str) -> Vec<u8> {
    let mut data = vec![0xff, 0xcc];
    data.extend_from_slice(&id.to_be_bytes());
    data.extend_from_slice(&(text.len() as u16).to_be_bytes());
    data.extend_from_slice(text.as_bytes());
    data
}

fn location(id: u64, file: u64) -> Vec<u8> {
    let mut data = vec![0xff, 0xcd];
    data.extend_from_slice(&id.to_be_bytes());
    data.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 2]);
    data.extend_from_slice(&file.to_be_bytes());
    data
}

fn open_telemetry(kind: u8, id: u64, rest: &[u8]) -> Vec<u8> {
    let mut data = vec![b'O', b'T', 3, kind];
    if kind == 8 {
        data.push(1);
    }
    data.extend_from_slice(&id.to_le_bytes());
    data.extend_from_slice(rest);
    data
}

#[test]
fn strings_and_locations_are_told_again_in_their_order() {
    let sample = vec![0xff, 0xca, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0];
    let said = vec![
        vec![0xff, 0xc0, 0],
        string(1, "a"),
        location(1, 1),
        sample,
        string(2, "b"),
        string(1, "a"),
        b"whatever".to_vec(),
        vec![],
        vec![0xff, 0xcc, 1],
        // The numbers of strings and locations are separate.
        location(2, 2),
    ];
    let messages = fold(&log_of(&said), LIMIT);
    let wanted: Vec<_> = [0, 1, 2, 4, 9].map(|at| said[at].clone()).into();
    assert_eq!(changes((&Messages::default(), false), &messages), wanted);
    assert_eq!((messages.count(), messages.refused()), (5, 0));
}

#[test]
fn one_that_says_something_else_takes_the_place() {
    let said = [string(1, "a"), string(2, "b"), string(1, "c")];
    let messages = fold(&log_of(&said), LIMIT);
    let wanted = [said[1].clone(), said[2].clone()];
    assert_eq!(changes((&Messages::default(), false), &messages), wanted);
}

#[test]
fn spans_and_instruments() {
    let said = vec![
        open_telemetry(8, 5, b"requests"),
        open_telemetry(1, 1, b"gone"),
        open_telemetry(3, 1, b"key\0value"),
        open_telemetry(1, 2, b"stays"),
        open_telemetry(7, 2, &[1; 8]),
        open_telemetry(4, 2, b"event\0x"),
        open_telemetry(9, 5, &[0; 8]),
        open_telemetry(3, 9, b"of a span that is not known"),
        open_telemetry(2, 1, b""),
    ];
    let messages = fold(&log_of(&said), LIMIT);
    let wanted: Vec<_> = [0, 3, 4].map(|at| said[at].clone()).into();
    assert_eq!(changes((&Messages::default(), false), &messages), wanted);
}

#[test]
fn a_reader_is_told_what_it_has_missed() {
    let before = vec![
        string(1, "a"),
        open_telemetry(1, 1, b"x"),
        open_telemetry(1, 2, b"y"),
    ];
    let after = vec![
        open_telemetry(2, 1, b""),
        string(2, "b"),
        open_telemetry(3, 2, b"k\0v"),
        // The number is reused.
        open_telemetry(2, 2, b""),
        open_telemetry(1, 2, b"z"),
    ];
    let mut messages = fold(&log_of(&before), LIMIT);
    let old = messages.clone();
    log_of(&after).each(|event| messages.event(event, LIMIT));
    let ends = |id| open_telemetry(2, id, b"");
    let wanted = vec![ends(1), ends(2), after[1].clone(), after[4].clone()];
    assert_eq!(changes((&old, true), &messages), wanted);
    // For another log: everything in the old one ends.
    let wanted = vec![
        ends(1),
        ends(2),
        before[0].clone(),
        after[1].clone(),
        after[4].clone(),
    ];
    assert_eq!(changes((&old, false), &messages), wanted);
    assert!(changes((&messages, true), &messages).is_empty());
}

#[test]
fn the_limit_refuses_and_what_ends_makes_room() {
    let raw = 12 + open_telemetry(1, 1, b"x").len();
    let limit = 2 * raw;
    let said = [1, 2, 3].map(|id| open_telemetry(1, id, b"x"));
    let mut messages = fold(&log_of(&said), limit);
    assert_eq!(
        (messages.count(), messages.refused(), messages.bytes()),
        (2, 1, limit)
    );
    let ends = [open_telemetry(2, 1, b""), open_telemetry(2, 2, b"")];
    log_of(&ends).each(|event| messages.event(event, limit));
    assert_eq!((messages.count(), messages.bytes()), (0, 0));
}
