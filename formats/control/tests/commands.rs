//! Numbers, names and frames of the commands.

mod common;

use common::{Owned, command, fed};
use eventlog_control::{
    BUILTIN_NAMESPACE, Builtin, Frame, MAGIC, MAX_FRAME, NamespaceLength, OLDER_MAGIC, Older,
    RTS_NAMESPACE, RtsCommand, UnknownCommand, VERSION,
};

#[test]
fn the_numbers_are_those_of_the_protocol() {
    let builtin: Vec<_> = Builtin::ALL.iter().map(|c| (c.id(), c.name())).collect();
    assert_eq!(
        builtin,
        [
            (1, "start-profiling"),
            (2, "stop-profiling"),
            (3, "start-heap-profiling"),
            (4, "stop-heap-profiling"),
            (5, "request-heap-census"),
        ]
    );
    let rts: Vec<_> = RtsCommand::ALL.iter().map(|c| (c.id(), c.name())).collect();
    let mut expected: Vec<_> = [(1, "flush"), (2, "sync"), (3, "dump")]
        .map(|(id, name)| (id, name.to_owned()))
        .into();
    let classes = [
        "scheduler",
        "gc",
        "nonmoving-gc",
        "spark-sampled",
        "spark-full",
        "user",
        "capability",
    ];
    for (class, start) in classes.into_iter().zip((6..).step_by(2)) {
        expected.push((start, format!("start-{class}")));
        expected.push((start + 1, format!("stop-{class}")));
    }
    assert!(
        rts.iter()
            .copied()
            .eq(expected.iter().map(|(id, name)| (*id, &name[..])))
    );
    let older: Vec<_> = Older::ALL.iter().map(|c| (c.id(), c.name())).collect();
    assert_eq!(
        older,
        [
            (1, "start-heap-profiling"),
            (2, "stop-heap-profiling"),
            (3, "request-heap-census"),
        ]
    );
}

#[test]
fn every_other_number_is_unknown() {
    for id in 0..=255 {
        let builtin = Builtin::ALL.iter().copied().find(|c| c.id() == id);
        assert_eq!(Builtin::try_from(id), builtin.ok_or(UnknownCommand(id)));
        let rts = RtsCommand::ALL.iter().copied().find(|c| c.id() == id);
        assert_eq!(RtsCommand::try_from(id), rts.ok_or(UnknownCommand(id)));
        let older = Older::ALL.iter().copied().find(|c| c.id() == id);
        assert_eq!(Older::try_from(id), older.ok_or(UnknownCommand(id)));
    }
    assert_eq!(UnknownCommand(9).to_string(), "there is no command 9");
}

#[test]
fn the_two_protocols_agree_by_name() {
    for older in Older::ALL.iter().copied() {
        let builtin = Builtin::from(older);
        assert_eq!(builtin.name(), older.name());
        assert_eq!(builtin.older(), Some(older));
    }
    let without: Vec<_> = Builtin::ALL
        .iter()
        .copied()
        .filter(|c| c.older().is_none())
        .collect();
    assert_eq!(without, [Builtin::StartProfiling, Builtin::StopProfiling]);
}

#[test]
fn the_bytes_of_frames() {
    assert_eq!(MAGIC, "\u{1e5cc}".as_bytes());
    assert_eq!((VERSION, &OLDER_MAGIC), (0, b"GCTL"));
    assert_eq!(
        Frame::builtin(Builtin::RequestHeapCensus).as_bytes(),
        common::CENSUS
    );
    assert_eq!(
        Frame::rts(RtsCommand::StopCapability).as_bytes(),
        b"\xf0\x9e\x97\x8c\x00\x13eventlog-socket-rts\x13"
    );
    assert_eq!(
        Frame::older(Older::StopHeapProfiling).as_bytes(),
        b"GCTL\x02"
    );
    let shortest = Frame::command(b"\0", 0).unwrap();
    assert_eq!(shortest.as_ref(), b"\xf0\x9e\x97\x8c\x00\x01\x00\x00");
    let longest = Frame::command(&[b'n'; 255], 255).unwrap();
    let expected = [&b"\xf0\x9e\x97\x8c\x00\xff"[..], &[b'n'; 255], b"\xff"].concat();
    assert_eq!(longest.as_bytes(), expected);
    assert_eq!(longest.as_bytes().len(), MAX_FRAME);
}

#[test]
fn frames_can_be_constants() {
    const FLUSH: Frame = Frame::rts(RtsCommand::Flush);
    assert_eq!(FLUSH, Frame::command(RTS_NAMESPACE.as_bytes(), 1).unwrap());
    assert_ne!(FLUSH, Frame::rts(RtsCommand::Sync));
    assert_eq!(
        format!("{:?}", Frame::older(Older::RequestHeapCensus)),
        r#"Frame("GCTL\x03")"#
    );
}

#[test]
fn a_namespace_has_1_to_255_bytes() {
    for length in [0, 256, 1000] {
        let refused = Frame::command(&vec![b'n'; length], 1).unwrap_err();
        assert_eq!(refused, NamespaceLength(length));
    }
    assert_eq!(
        NamespaceLength(0).to_string(),
        "a namespace has 1 to 255 bytes, not 0"
    );
}

#[test]
fn what_is_built_is_parsed() {
    for c in Builtin::ALL.iter().copied() {
        let reading = fed([Frame::builtin(c).as_bytes()]);
        assert_eq!(
            reading.items,
            [command(BUILTIN_NAMESPACE.as_bytes(), c.id())]
        );
    }
    for c in RtsCommand::ALL.iter().copied() {
        let reading = fed([Frame::rts(c).as_bytes()]);
        assert_eq!(reading.items, [command(RTS_NAMESPACE.as_bytes(), c.id())]);
    }
    for c in Older::ALL.iter().copied() {
        let reading = fed([Frame::older(c).as_bytes()]);
        assert_eq!(reading.items, [Owned::Older(c.id())]);
    }
    for length in 1..=255 {
        let namespace: Vec<u8> = (0..length).collect();
        let frame = Frame::command(&namespace, length).unwrap();
        assert_eq!(fed([frame.as_bytes()]).items, [command(&namespace, length)]);
    }
}
