//! Messages that are read by tools: each is read back as it was written, and
//! its text never changes.

mod common;

use common::*;
use ghc_eventlog::notes::{
    Joined, Loss, Note, Overwritten, RecordLoss, Recovered, RelayLoss, RunLoss,
};
use ghc_eventlog::{EventBody, Item, Reader};

/// Every kind of note, with its text in existing recordings.
fn notes() -> Vec<(Note<'static>, &'static str)> {
    let loss = |between| Loss {
        chunks: 3,
        bytes: 6_291_456,
        between,
    };
    let overwritten = |missing_until| Overwritten {
        chunks: 7,
        bytes: 99,
        missing_until,
        whole_from: 2_000_000_003,
    };
    vec![
        (
            Note::Loss(loss(Some((1_500_000_000, 1_900_001_000)))),
            "eventlog-socket: lost 3 chunks, 6291456 bytes, between 1.500000 s and 1.900001 s",
        ),
        (
            Note::Loss(loss(None)),
            "eventlog-socket: lost 3 chunks, 6291456 bytes",
        ),
        (Note::Sync(12), "eventlog-socket: sync 12"),
        (
            Note::Dump(u64::MAX),
            "eventlog-socket: dump 18446744073709551615",
        ),
        (
            Note::LogsNothing,
            "eventlog-socket: this program runs without +RTS -l, so there are no events; \
             start it with +RTS -l, or switch event classes on by commands",
        ),
        (
            Note::RunLoss(RunLoss {
                blocks: 4,
                size: "1.50 MiB",
                since: "1.2 s",
                until: "2.3 s",
            }),
            "eventlog run: lost 4 blocks, 1.50 MiB, between 1.2 s and 2.3 s: \
             the output is too slow",
        ),
        (
            Note::Continues {
                file: "log; what was defined before is repeated here.2",
            },
            "eventlog record: this file continues log; what was defined before is repeated \
             here.2; what was defined before is repeated here",
        ),
        (
            Note::Prologue {
                offset: 70_000,
                file: "a; what holds there is told first",
            },
            "eventlog record: at byte 70000 of the stream this file goes on from a; what holds \
             there is told first; what holds there is told first",
        ),
        (
            Note::PrologueEnd { offset: u64::MAX },
            "eventlog record: at byte 18446744073709551615 of the stream, after what was told \
             first",
        ),
        (
            Note::NotAllRepeated,
            "not all definitions are repeated: there are too many",
        ),
        (
            Note::Joined(Joined {
                relay: 0xfeed,
                session: 3,
                at: 1_500_000_001,
            }),
            "eventlog relay 000000000000feed: session 3 goes on from 1500000001 ns; \
             what holds there is told first",
        ),
        (
            Note::RelayLoss(RelayLoss {
                relay: u64::MAX,
                bytes: 4096,
                between: (1, 2_000_000_000),
            }),
            "eventlog relay ffffffffffffffff: lost 4096 bytes, \
             between 1 ns and 2000000000 ns",
        ),
        (
            Note::RecordLoss(RecordLoss {
                bytes: 4096,
                between: (1, 2_000_000_000),
            }),
            "eventlog record: lost 4096 bytes, between 1 ns and 2000000000 ns, \
             which could not be written",
        ),
        (
            Note::NotWhole { relay: 1 },
            "eventlog relay 0000000000000001: what follows is not all that holds",
        ),
        (
            Note::SourceLost { relay: 1 },
            "eventlog relay 0000000000000001: the log ends here without an end mark of its own",
        ),
        (
            Note::Recovered(Recovered::Overwritten(overwritten(Some(1_000_000)))),
            "eventlog recover: overwritten 7 chunks, 99 bytes; the log is missing until \
             0.001000 s, whole from 2.000000003 s on",
        ),
        (
            Note::Recovered(Recovered::Overwritten(overwritten(None))),
            "eventlog recover: overwritten 7 chunks, 99 bytes, whole from 2.000000003 s on",
        ),
        (
            Note::Recovered(Recovered::Other("torn 1 chunk, 8 bytes")),
            "eventlog recover: torn 1 chunk, 8 bytes",
        ),
    ]
}

#[test]
fn each_is_written_as_it_always_was_and_read_again() {
    for (note, text) in notes() {
        assert_eq!(note.to_string(), text);
        assert_eq!(Note::parse(text), Some(note), "{text}");
    }
}

/// The note in a log with one message.
fn only_note(body: EventBody<'_>, see: impl FnOnce(Option<Note<'_>>)) {
    let log = log(&[event(1, body)]);
    let mut reader = Reader::new(&log[..]);
    while let Some(item) = reader.next_item().unwrap() {
        if let Item::Event(event) = item {
            return see(Note::of(&event));
        }
    }
    panic!("no event");
}

#[test]
fn each_is_found_in_the_kind_of_message_that_has_it() {
    for (note, text) in notes() {
        let message = text.into();
        let user = !matches!(
            note,
            Note::RunLoss(_)
                | Note::Prologue { .. }
                | Note::PrologueEnd { .. }
                | Note::Continues { .. }
                | Note::NotAllRepeated
        );
        let rts = !user
            || matches!(
                note,
                Note::Loss(_)
                    | Note::RecordLoss(_)
                    | Note::Joined(_)
                    | Note::RelayLoss(_)
                    | Note::NotWhole { .. }
                    | Note::SourceLost { .. }
            );
        only_note(EventBody::UserMsg { message }, |found| {
            assert_eq!(found, user.then_some(note), "{text}");
        });
        only_note(EventBody::LogMsg { message }, |found| {
            assert_eq!(found, rts.then_some(note), "{text}");
        });
        only_note(EventBody::UserMarker { marker: message }, |found| {
            assert_eq!(found, None);
        });
    }
}

#[test]
fn other_messages_are_none() {
    for text in [
        "",
        "eventlog",
        "hello",
        "eventlog-socket: lost",
        "eventlog-socket: lost much",
        "eventlog-socket: lost 1 chunk",
        "eventlog-socket: sync",
        "eventlog-socket: sync ",
        "eventlog-socket: sync x",
        "eventlog run: lost 1 block",
        " eventlog-socket: sync 1",
    ] {
        assert_eq!(Note::parse(text), None, "{text:?}");
        let message = text.into();
        only_note(EventBody::UserMsg { message }, |found| {
            assert_eq!(found, None, "{text:?}");
        });
    }
}

/// Text after the numbers is accepted: others may write such messages, too.
#[test]
fn numbers_are_read_whatever_follows_them() {
    let loss = |bytes| {
        Note::Loss(Loss {
            chunks: 1,
            bytes,
            between: None,
        })
    };
    let text = "eventlog-socket: lost 1 chunk, 10 bytes";
    assert_eq!(Note::parse(text), Some(loss(10)));
    for text in [
        "eventlog-socket: lost 1 chunks, 9 bytes, between x s and 1 s",
        "eventlog-socket: lost 1 chunks, 9 bytes, between 1 s",
        "eventlog-socket: lost 1 chunks, 9 bytes, between -1 s and 1e99 s",
        "eventlog-socket: lost 1 chunks, 9 bytes, between NaN s and inf s",
    ] {
        assert_eq!(Note::parse(text), Some(loss(9)), "{text}");
    }
    let strange = "eventlog recover: overwritten x chunks, whole from 1.5 s on";
    assert!(matches!(
        Note::parse(strange),
        Some(Note::Recovered(Recovered::Other(_)))
    ));
}

#[test]
fn every_cut_of_a_note_is_survived() {
    for (_, text) in notes() {
        for end in 0..text.len() {
            let _ = Note::parse(&text[..end]);
        }
    }
}
