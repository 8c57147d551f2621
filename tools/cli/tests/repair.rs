//! `eventlog repair`.

use crate::common::{Dir, Log, eventlog, eventlog_with};
use crate::program::{at, create, everything, message};
use crate::rewriting::{assert_valid, events, rewritten};
use ghc_eventlog::{EventBody, EventType, Header};

#[test]
fn a_whole_log_needs_no_repair() {
    let log = everything();
    assert!(rewritten(&["repair"], &log) == log);
}

#[test]
fn the_mark_may_lie_in_the_last_block() {
    let mut log = everything();
    // The size of the last block, the global one, then covers the mark.
    let marker = log.windows(2).rposition(|bytes| bytes == [0, 18]);
    let mut at = Header::standard().as_bytes().len();
    let mut last = at;
    while log[at..].starts_with(&[0, 18]) {
        last = at;
        let size = u32::from_be_bytes(log[at + 10..at + 14].try_into().expect("four bytes"));
        at += size as usize;
    }
    assert!(marker.is_some());
    log[last + 13] = log[last + 13].checked_add(2).expect("no carry");
    assert!(rewritten(&["repair"], &log) == log);
    // Not if more data follows.
    let more = Log::new()
        .block(Some(0), &at_ms(200))
        .bytes
        .split_off(Header::standard().as_bytes().len());
    log.extend_from_slice(&more);
    let repaired = rewritten(&["repair"], &log);
    assert_valid(&repaired);
    assert_eq!(events(&repaired).len(), events(&everything()).len() + 1);
}

fn at_ms(time: u64) -> Vec<(u64, EventBody<'static>)> {
    at(&[(time, message("later"))])
}

#[test]
fn a_log_that_breaks_off_anywhere_can_be_repaired() {
    let log = everything();
    let header = Header::standard().as_bytes().len();
    let all = events(&log);
    for length in (header..log.len())
        .step_by(97)
        .chain(log.len() - 30..log.len())
    {
        let repaired = rewritten(&["repair"], &log[..length]);
        let saved = events(&repaired);
        assert_eq!(saved[..], all[..saved.len()]);
        let done = eventlog_with(&["validate", "--json", "-"], &repaired).exits(0);
        let structural = ["truncated", "no_end_mark", "block_cut_short", "unreadable"];
        assert!(
            !structural.iter().any(|kind| done.stdout.contains(kind)),
            "{}",
            done.stdout
        );
    }
    let dir = Dir::new();
    let input = dir.with("in.eventlog", &log[..header - 1]);
    eventlog(&["repair", &input, "-o", &dir.file("out")])
        .exits(1)
        .says("no complete header");
    assert_eq!(dir.names(), ["in.eventlog"]);
}

#[test]
fn marks_in_the_middle_of_a_block_are_left_out_and_its_size_with_them() {
    let header = Header::standard();
    let part = |events: &[(u64, EventBody<'_>)]| {
        let bytes = Log::new().block(Some(0), &at(events)).bytes;
        bytes[header.as_bytes().len()..].to_vec()
    };
    let mut block = part(&[(1, message("one"))]);
    block.extend_from_slice(&[0xff; 4]);
    block.extend_from_slice(&part(&[(2, message("two"))])[24..]);
    // Its size fits, and an event follows that is in no block.
    let size = block.len() as u32;
    block[10..14].copy_from_slice(&size.to_be_bytes());
    block[14..22].copy_from_slice(&2_000_000u64.to_be_bytes());
    let loose = &part(&[(3, message("three"))])[24..];
    let log = [header.as_bytes(), &block, loose, &[0xff, 0xff]].concat();
    let repaired = rewritten(&["repair"], &log);
    let found: Vec<_> = events(&repaired)
        .into_iter()
        .map(|of| (of.1, of.2))
        .collect();
    let expected = [
        (Some(0), "user_msg message=one".to_owned()),
        (Some(0), "user_msg message=two".to_owned()),
        (None, "user_msg message=three".to_owned()),
    ];
    assert_eq!(found, expected);
    assert_valid(&repaired);
}

/// No event is later than its block, no block begins after its end, none ends before the previous
/// one.
#[test]
fn times_that_cannot_be_are_corrected() {
    let header = Header::standard().as_bytes().len();
    let log = Log::new()
        .block(Some(0), &at(&[(1, message("a")), (2, message("b"))]))
        .block(Some(0), &at(&[(3, message("c")), (4, message("d"))]))
        .end();
    let second = header + (log.len() - header - 2) / 2;
    let times =
        |log: &[u8]| -> Vec<u64> { events(log).iter().map(|of| of.0 / 1_000_000).collect() };
    // Of an event, of the end of a block, of its beginning.
    let cases = [
        (second + 24 + 2, [1, 2, 4, 4]),
        (second + 14, [1, 2, 3, 4]),
        (second + 2, [1, 2, 3, 4]),
    ];
    for (at, expected) in cases {
        let mut damaged = log.clone();
        damaged[at] ^= 0x40;
        let repaired = rewritten(&["repair"], &damaged);
        assert_eq!(times(&repaired), expected, "{at}");
        assert_valid(&repaired);
    }
    // An end of 0, which contradicts all events.
    let mut damaged = log.clone();
    damaged[header + 14..header + 22].fill(0);
    let repaired = rewritten(&["repair"], &damaged);
    assert_eq!(times(&repaired), [1, 2, 3, 4]);
    assert_valid(&repaired);
}

#[test]
fn headers_that_declare_other_blocks_are_written_for_these() {
    let standard = Header::standard();
    let with = |change: &dyn Fn(&mut Vec<EventType>)| {
        let mut types = standard.types().to_vec();
        change(&mut types);
        Header::from_types(types).expect("a header")
    };
    let longer = with(&|types| {
        let marker = types.iter_mut().find(|kind| kind.id == 18);
        marker.expect("block markers").size = Some(20);
    });
    let none = with(&|types| types.retain(|kind| kind.id != 18));
    let twice = with(&|types| {
        let mut other = types[0].clone();
        other.size = Some(77);
        types.insert(0, other);
    });
    let block = Log::new().block(Some(0), &at(&[(1, message("a"))])).bytes;
    let block = &block[standard.as_bytes().len()..];
    let mut long = block.to_vec();
    long.splice(24..24, [0; 6]);
    let size = long.len() as u32;
    long[10..14].copy_from_slice(&size.to_be_bytes());
    for (header, events_of) in [(longer, &long[..]), (none, &block[24..]), (twice, block)] {
        let log = [header.as_bytes(), events_of, &[0xff, 0xff]].concat();
        for verb in ["repair", "sort", "cut"] {
            let written = rewritten(&[verb], &log);
            assert_eq!(events(&written).len(), 1, "{verb}");
            assert_valid(&written);
        }
        let dir = Dir::new();
        let (a, b) = (dir.with("a", &log), dir.with("b", &log));
        let out = dir.file("out");
        eventlog(&["merge", "--parts", "no", &a, &b, "-o", &out]).exits(0);
        let written = std::fs::read(&out).expect("a log");
        assert_eq!(events(&written).len(), 2);
        assert_valid(&written);
    }
}

/// The end of an info table event can depend on what follows it.
#[test]
fn an_event_is_as_long_in_another_place() {
    let header = Header::standard();
    let ipe = EventBody::Ipe {
        info: 1,
        table_name: "name".into(),
        closure_desc: "c".into(),
        type_desc: "t".into(),
        label: "l".into(),
        module: "m".into(),
        location: "s".into(),
    };
    let first = Log::new().block(Some(0), &at(&[(5, ipe)])).bytes;
    let mut first = first[header.as_bytes().len()..].to_vec();
    // Three bytes too many: more than its block has. If another event of the same block follows,
    // that could be correct.
    first[24 + 11] += 3;
    let second = Log::new().block(Some(0), &at(&[(6, message("m"))])).bytes;
    let second = &second[header.as_bytes().len()..];
    let log = [header.as_bytes(), &first, second, &[0xff, 0xff]].concat();
    assert_eq!(events(&log).len(), 2);
    for verb in ["sort", "cut", "repair"] {
        let written = rewritten(&[verb], &log);
        assert_eq!(events(&written).len(), 2, "{verb}");
        assert_valid(&written);
    }
}

#[test]
fn bad_places_are_left_out() {
    let log = everything();
    let header = Header::standard().as_bytes().len();
    let holed = [&log[..header], &[0; 4096], &log[header..]].concat();
    assert!(rewritten(&["repair"], &holed) == log);
}

#[test]
fn sessions_can_be_taken_apart() {
    let first = everything();
    let second = Log::new().block(Some(0), &at(&[(1, create(5))])).end();
    let both = [&first[..], &second].concat();
    assert!(rewritten(&["repair"], &both) == first);
    assert!(rewritten(&["repair", "--session", "2"], &both) == second);
    let dir = Dir::new();
    let input = dir.with("in.eventlog", &both);
    eventlog(&["repair", &input, "-o", &dir.file("out"), "--session", "3"])
        .exits(2)
        .says("2 sessions");
}

#[test]
fn a_restarted_log_is_joined() {
    let first = everything();
    // The same program, later.
    let second = Log::new().block(Some(0), &at_ms(500)).end();
    let repaired = rewritten(&["repair"], &[&first[..], &second].concat());
    assert_eq!(events(&repaired).len(), events(&first).len() + 1);
    assert_eq!(
        repaired
            .windows(4)
            .filter(|bytes| *bytes == b"hdrb")
            .count(),
        1
    );
    assert_valid(&repaired);
}
