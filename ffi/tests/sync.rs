//! The commands flush and sync: what was logged before them arrives, and before the
//! mark.

use crate::support;

use support::build::way_available;
use support::commands::{FLUSH, RTS, SYNC, frame, mark, outcomes};
use support::ghc::ghc;
use support::skip::need;
use support::stream::GLOBAL;
use support::worker::{EVERY_WAY, Setup};
use support::{
    Build, Client, Collector, Commanded, LIMIT, Main, Start, Stream, Transport, Way, alone,
    eventually,
};

const CONTROL: (&str, &str) = ("GHC_EVENTLOG_CONTROL", "on");

/// A quiet program says what it has to say when it is told to.
#[test]
fn flush_brings_what_was_logged() {
    let ghc = need!(ghc());
    for (start, transport) in EVERY_WAY {
        let setup = Setup::new(start, transport).without_flushes().rts("-N2");
        let mut worker = setup.env(CONTROL.0, CONTROL.1).spawn(ghc);
        worker.ready();
        let mut client = worker.client();
        client.read_until_text("datb");
        // It comes late if its thread gets no processor.
        eventually(LIMIT, "the flush for the client", || {
            worker.stats().get("flushes") == 1
        });
        let before = 1;
        for round in 1..=5 {
            let text = format!("a word, round {round}");
            worker.command(&format!("message {text}"));
            client.send(&frame(RTS, FLUSH));
            client.read_until_text(&text);
            worker.until_settled(round);
        }
        let stats = worker.stats();
        assert_eq!(stats.get("flushes") - before, 5, "{start:?}, {transport:?}");
        assert_eq!(outcomes(&stats), [5, 0, 0, 0, 0]);
        let collector = Collector::resume(client);
        assert!(worker.finish().success());
        let bytes = collector.finish();
        assert!(!Stream::complete(&bytes).has_message(&mark(1)));
    }
}

/// The marks of a stream, in its order.
fn marks(stream: &Stream<'_>) -> Vec<String> {
    let all = stream.messages.iter();
    let marks = all.filter(|event| event.payload.starts_with(b"eventlog-socket: sync "));
    marks.map(|event| event.text()).collect()
}

/// Everything that three capabilities had logged before the command is before the
/// mark, whatever they log meanwhile.
#[test]
fn sync_marks_the_place() {
    let ghc = need!(ghc());
    let _alone = alone();
    for start in [Start::CMain, Start::Haskell] {
        let setup = Setup::new(start, Transport::Unix)
            .without_flushes()
            .rts("-N3");
        let setup = setup.env("GHC_EVENTLOG_OVERFLOW", "block");
        let mut worker = setup.spawn(ghc);
        worker.ready();
        let client = worker.client();
        let mut sender = client.sender();
        let collector = Collector::resume(client);
        collector.wait_for_text("datb");
        let mut logged = Vec::new();
        for round in 1..=20 {
            if round == 10 {
                worker.command("load 3 20");
            }
            worker.command("log 3 50 100");
            // Each counted when it was logged.
            logged.push(worker.counters());
            sender.write_all(&frame(RTS, SYNC)).expect("it reads");
            collector.wait_for_text(&mark(round));
            if round == 12 {
                worker.command("unload");
            }
        }
        assert!(worker.finish().success());
        let bytes = collector.finish();
        let stream = Stream::complete(&bytes);
        let expected: Vec<String> = (1..=20).map(mark).collect();
        assert_eq!(marks(&stream), expected, "{start:?}");
        // One walk: how much of each logger there was at each mark.
        let mut before = [0_u64; 3];
        let mut logged = logged.iter().enumerate();
        for event in &stream.messages {
            if event.payload.starts_with(b"eventlog-socket: sync ") {
                assert_eq!(event.cap, GLOBAL);
                let (round, counters) = logged.next().expect("as many as marks");
                for (logger, (before, count)) in before.iter().zip(counters).enumerate() {
                    let what = format!("{start:?}, round {round}, logger {logger}");
                    assert!(before >= count, "{what}: {before} of {count} messages");
                }
            } else if let [b'c', logger @ b'0'..=b'2', b' ', ..] = event.payload {
                before[usize::from(logger - b'0')] += 1;
            }
        }
    }
}

/// Marks are counted over the life of the program, also for a client that has come
/// later; and a mark is for the client that is there.
#[test]
fn marks_are_numbered_through() {
    let ghc = need!(ghc());
    let mut worker = Setup::new(Start::CMain, Transport::Unix)
        .without_flushes()
        .spawn(ghc);
    worker.ready();
    for round in 1..=3 {
        let mut client = worker.client();
        client.read_until_text("datb");
        client.send(&frame(RTS, SYNC));
        client.read_until_text(&mark(round));
        let bytes = client.leave();
        let stream = Stream::cut(&bytes);
        assert_eq!(marks(&stream), [mark(round)]);
    }
    assert!(worker.finish().success());
}

/// Where no thread of the library may call the RTS, both are refused, and so told.
#[test]
fn programs_that_cannot_be_flushed() {
    let ghc = need!(ghc());
    let modern = ghc.at_least(9, 2);
    for (main, way, threaded) in [
        (Main::Wrap, Way::Vanilla, false),
        (Main::Haskell, Way::Vanilla, false),
        (Main::Haskell, Way::Dynamic, true),
        (Main::Wrap, Way::Dynamic, true),
    ] {
        need!(way_available(ghc, way));
        let mut build = Build::new(main).way(way);
        build.threaded = threaded;
        let mut worker = Setup::of(build, Transport::Unix)
            .without_flushes()
            .spawn(ghc);
        worker.ready();
        let mut client: Client = worker.client();
        client.read_until_text("datb");
        client.send(&[frame(RTS, FLUSH), frame(RTS, SYNC)].concat());
        let stats = worker.until_settled(2);
        // The exit of a C main can be told to us, also with shared libraries.
        let can = modern && main == Main::Wrap && threaded;
        let expected = if can {
            [2, 0, 0, 0, 0]
        } else {
            [0, 0, 2, 0, 0]
        };
        let what = format!("{main:?}, {way:?}, threaded: {threaded}");
        assert_eq!(outcomes(&stats), expected, "{what}");
        worker.command("message the last words");
        let collector = Collector::resume(client);
        let status = worker.finish();
        assert!(status.success(), "{what}: {status}");
        let bytes = collector.finish();
        let stream = Stream::complete(&bytes);
        assert_eq!(marks(&stream).len(), usize::from(can), "{what}");
        assert!(stream.has_message("the last words"), "{what}");
    }
}
