//! Sources that begin, end, break, are restarted, or are not eventlogs.

use crate::common::logs::program::{Blocks, program};
use crate::common::logs::{block, event, header, log};
use crate::common::*;
use eventlog_relay::{Address, Error, Event, Intake, Options, Relay, Start};
use eventlog_source::{Connecting, Reconnecting, Source, Wait};
use ghc_eventlog::notes::Note;
use ghc_eventlog::{DATA_END, EventBody};
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn some_log(seed: u64) -> Vec<u8> {
    let blocks = Blocks {
        events: 20,
        delay: 50,
        global_at_exit: false,
    };
    without_end(&program(seed, 200, blocks)).to_vec()
}

/// The events of a relay, as text.
fn told() -> (Options, Arc<Mutex<Vec<String>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    let options = Options::default().notices(move |event: &Event<'_>| {
        let text = format!("{event:?}");
        let word = text.split([' ', '{']).next().unwrap().to_owned();
        tell.lock().unwrap().push(word);
    });
    (options, told)
}

fn ends_lost(log: &[u8], relay: u64) -> bool {
    let told = messages(log);
    let last = told.last().and_then(|text| Note::parse(text));
    last == Some(Note::SourceLost { relay }) && log.ends_with(&DATA_END.to_be_bytes())
}

#[test]
fn an_early_client_gets_the_bytes_and_nothing_else() {
    let log = [&some_log(1)[..], &DATA_END.to_be_bytes()].concat();
    let header_length = boundaries(&log).0.len();
    let mut test = TestRelay::new(Options::default());
    let client = test.connect_and_wait();
    let mut reader = test.relay.reader("app", Start::Now).unwrap();
    test.begin(&log[..header_length]);
    // A byte at a time.
    for byte in &log[header_length..] {
        test.give(&[*byte]);
    }
    test.settle();
    // The session does not end before the source does.
    let mut first = test.relay.reader("app", Start::First).unwrap();
    test.source.send(SourceStep::End).unwrap();
    assert!(client.read_all() == log);
    for reader in [&mut reader, &mut first] {
        let mut got = Vec::new();
        reader.read_to_end(&mut got).unwrap();
        assert!(got == log);
    }
}

#[test]
fn a_program_that_is_killed_and_comes_back() {
    let (options, told) = told();
    let logs = [some_log(1), some_log(2)];
    let mut test = TestRelay::new(options);
    let mut ends = Vec::new();
    for (number, log) in logs.iter().enumerate() {
        let client = test.connect_and_wait();
        let (header, boundaries) = boundaries(log);
        test.begin(&header);
        // The last block is incomplete.
        test.give(&log[header.len()..log.len() - 1]);
        let last = boundaries[boundaries.len() - 2];
        test.given = (last - header.len()) as u64;
        test.settle();
        test.source.send(SourceStep::Lost).unwrap();
        let got = client.read_all();
        assert!(got.starts_with(&log[..last]), "{number}");
        assert!(ends_lost(&got, test.relay.id()));
        ends.push(got);
        // It is counted just after the session has ended.
        let status = test.wait("end", |status| {
            let source = &status.sources[0];
            let session = source.session.as_ref();
            session.is_some_and(|it| it.ended && it.number == number as u64 + 1)
                && source.lost == number as u64 + 1
        });
        assert!(!status.sources[0].session.as_ref().unwrap().marked);
    }
    // A finished session is not served while another one may begin.
    let late = test.connect_and_wait();
    test.begin(header().as_bytes());
    test.source.send(SourceStep::End).unwrap();
    assert!(late.read_all().starts_with(header().as_bytes()));
    // A client can see the end before it is reported.
    let is_told = || told.lock().unwrap().iter().any(|it| it == "SourceEnded");
    test.wait("notice", |_| is_told());
    let told = told.lock().unwrap().clone();
    let count = |word: &str| told.iter().filter(|told| *told == word).count();
    assert_eq!(
        (count("SessionBegan"), count("SessionEnded")),
        (3, 3),
        "{told:?}"
    );
    assert_eq!(
        (count("SourceLost"), count("SourceEnded")),
        (2, 1),
        "{told:?}"
    );
}

#[test]
fn clients_can_be_taken_along() {
    let mut options = Options::default();
    options.follow_restarts = true;
    let (one, two) = (some_log(1), some_log(2));
    let mut test = TestRelay::new(options);
    let client = test.connect_and_wait();
    let (header, _) = boundaries(&one);
    test.begin(&header);
    test.give(&one[header.len()..]);
    test.settle();
    let (late, mut got_late) = test.join(&header);
    test.source.send(SourceStep::Lost).unwrap();
    test.begin(&header);
    test.give(&two[header.len()..]);
    test.settle();
    // The program restarts its log within the connection.
    test.give(&one);
    test.source.send(SourceStep::End).unwrap();
    let got = client.read_all();
    assert!(got.starts_with(&one));
    let ends: Vec<usize> = (0..got.len())
        .filter(|&at| got[at..].starts_with(&header))
        .collect();
    assert_eq!(ends.len(), 3);
    assert!(ends_lost(&got[..ends[1]], test.relay.id()));
    assert!(got[ends[1]..].starts_with(&two));
    assert!(got[ends[2]..].starts_with(&one));
    // A late client also gets the next session.
    got_late.extend(late.read_all());
    assert!(got_late.ends_with(&got[ends[1]..]));
}

#[test]
fn a_client_that_comes_after_the_end_gets_the_last_state() {
    let log = some_log(3);
    let (header, _) = boundaries(&log);
    let mut test = TestRelay::new(Options::default());
    test.begin(&header);
    test.give(&log[header.len()..]);
    test.source.send(SourceStep::End).unwrap();
    test.wait("end", |status| status.sources[0].over);
    let got = test.connect().read_all();
    assert_eq!(fold(&got).0.difference(&fold(&log).0), None);
    assert!(ends_lost(&got, test.relay.id()));
    let mut first = test.relay.reader("app", Start::First).unwrap();
    let mut got = Vec::new();
    first.read_to_end(&mut got).unwrap();
    assert!(got.starts_with(&log));
}

#[test]
fn what_is_no_log_is_not_served() {
    let (options, told) = told();
    let log = some_log(4);
    let (header, _) = boundaries(&log);
    let mut test = TestRelay::new(options);
    let client = test.connect_and_wait();
    test.source.send(SourceStep::NewLog).unwrap();
    for _ in 0..10 {
        test.give(&[0x55; 100_000]);
    }
    test.source.send(SourceStep::Lost).unwrap();
    test.wait("garbage", |status| {
        status.sources[0].garbage_bytes > 999_000 && status.sources[0].sessions == 0
    });
    test.begin(&header);
    test.give(&log[header.len()..]);
    test.source.send(SourceStep::End).unwrap();
    assert!(client.read_all().starts_with(&log));
    let told = told.lock().unwrap();
    assert_eq!(
        told.iter().filter(|it| *it == "Garbage").count(),
        1,
        "{told:?}"
    );
}

#[test]
fn garbage_within_a_log_is_handed_on_as_it_is() {
    let log = some_log(5);
    let (header, ends) = boundaries(&log);
    let (before, after) = (&log[header.len()..ends[3]], &log[ends[3]..]);
    let mut test = TestRelay::new(Options::default());
    let client = test.connect_and_wait();
    test.begin(&header);
    let all = [before, &[0xee; 5000], after].concat();
    test.give(&all);
    test.settle();
    let (late, mut got_late) = test.join(&header);
    test.source.send(SourceStep::End).unwrap();
    assert!(client.read_all().starts_with(&[&header[..], &all].concat()));
    got_late.extend(late.read_all());
    assert_eq!(fold(&got_late).0.difference(&fold(&log).0), None);
    let status = test.relay.status();
    let session = status.sources[0].session.as_ref().unwrap();
    assert_eq!(session.faulty_bytes, 5000);
}

#[test]
fn a_relay_does_not_read_itself() {
    let (options, told) = told();
    let log = some_log(6);
    let (header, _) = boundaries(&log);
    let mut test = TestRelay::new(options);
    test.begin(&header);
    test.give(&log[header.len()..]);
    test.settle();
    let own = Source::Unix(test.at.clone());
    let how = Connecting::new().wait(Wait::Forever);
    let intake = Intake::reconnecting(Reconnecting::new(own, how));
    test.relay.add("itself", intake).unwrap();
    test.wait("refusal", |status| status.sources[1].over);
    // It was reported before that.
    assert!(told.lock().unwrap().contains(&"OwnStream".to_owned()));
    assert_eq!(test.relay.status().sources[1].sessions, 1);
}

#[test]
fn a_relay_of_a_relay() {
    let log = some_log(7);
    let (header, ends) = boundaries(&log);
    let middle = ends[ends.len() / 2];
    let mut test = TestRelay::new(Options::default());
    test.begin(&header);
    test.give(&log[header.len()..middle]);
    test.settle();
    let second = Relay::start(Options::default()).unwrap();
    let source = Source::Unix(test.at.clone());
    let how = Connecting::new().tick(Some(Duration::from_millis(50)));
    let intake = Intake::reconnecting(Reconnecting::new(source, how));
    second.add("app", intake).unwrap();
    let mut reader = second.reader("app", Start::Now).unwrap();
    let mut got = vec![0; header.len()];
    reader.read_exact(&mut got).unwrap();
    test.give(&log[middle..]);
    test.settle();
    test.source.send(SourceStep::End).unwrap();
    reader.read_to_end(&mut got).unwrap();
    assert_eq!(fold(&got).0.difference(&fold(&log).0), None);
    let status = second.status();
    let session = status.sources[0].session.as_ref().unwrap();
    assert!(session.joined_late && session.marked);
}

#[test]
fn several_sources() {
    let dir = Dir::new();
    let relay = Relay::start(Options::default()).unwrap();
    let at = |name: &str| Address::Unix(dir.0.join(name));
    let nothing = relay.serve(&at("x"), None).unwrap_err();
    assert!(matches!(nothing, Error::NameNeeded { names } if names.is_empty()));
    let logs = [some_log(1), some_log(2)];
    let names = ["one", "two"];
    for name in names {
        relay.reserve(name).unwrap();
        relay.serve(&at(name), Some(name)).unwrap();
    }
    let clients: Vec<_> = names
        .iter()
        .map(|name| Client(std::os::unix::net::UnixStream::connect(dir.0.join(name)).unwrap()))
        .collect();
    while relay.status().clients.len() < 2 {
        std::thread::sleep(Duration::from_millis(2));
    }
    for (name, log) in names.iter().zip(&logs) {
        let read = Intake::read(std::io::Cursor::new(log.clone()));
        relay.add(name, read).unwrap();
    }
    for (client, log) in clients.into_iter().zip(&logs) {
        assert!(client.read_all().starts_with(log));
    }
    let ambiguous = relay.serve(&at("x"), None).unwrap_err();
    assert!(ambiguous.to_string().contains("one, two"), "{ambiguous}");
    let taken = relay
        .add("one", Intake::read(std::io::empty()))
        .unwrap_err();
    assert!(matches!(taken, Error::NameTaken { .. }));
    let unknown = relay.serve(&at("x"), Some("three")).unwrap_err();
    assert!(matches!(unknown, Error::NoSource { .. }));
    assert_eq!(std::fs::read_dir(&dir.0).unwrap().count(), 2);
}

/// A log, and then an error forever.
struct Breaks(std::io::Cursor<Vec<u8>>);

impl Read for Breaks {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(std::io::ErrorKind::ConnectionReset.into()),
            count => Ok(count),
        }
    }
}

#[test]
fn a_source_that_cannot_be_read_any_more_is_over() {
    let (options, told) = told();
    let relay = Relay::start(options).unwrap();
    relay.reserve("app").unwrap();
    let mut reader = relay.reader("app", Start::Now).unwrap();
    let log = some_log(8);
    let breaks = Breaks(std::io::Cursor::new(log.clone()));
    relay.add("app", Intake::read(breaks)).unwrap();
    let mut got = Vec::new();
    reader.read_to_end(&mut got).unwrap();
    assert!(got.starts_with(&log) && ends_lost(&got, relay.id()));
    while !told.lock().unwrap().iter().any(|it| it == "SourceEnded") {
        std::thread::sleep(Duration::from_millis(2));
    }
    let told = told.lock().unwrap().clone();
    assert_eq!(told.iter().filter(|it| *it == "SourceLost").count(), 1);
}

#[test]
fn ten_thousand_threads_are_right() {
    let threads = 10_000;
    let mut events = vec![event(1, EventBody::CapCreate { created_cap: 0 })];
    let global = block(None, 1, 1, &events);
    events.clear();
    for thread in 1..=threads {
        let time = 1 + u64::from(thread);
        events.push(event(time, EventBody::CreateThread { thread }));
        let label = format!("worker {thread}");
        let label = label.as_str().into();
        events.push(event(time, EventBody::ThreadLabel { thread, label }));
    }
    let log = log(&[global, block(Some(0), 2, 20_000, &events)]);
    let header = header().as_bytes();
    let mut test = TestRelay::new(Options::default());
    test.begin(header);
    test.give(&log[header.len()..]);
    test.settle();
    let (client, mut got) = test.join(header);
    let status = test.relay.status();
    assert_eq!(
        status.sources[0].session.as_ref().unwrap().fold.threads,
        10_000
    );
    test.source.send(SourceStep::End).unwrap();
    got.extend(client.read_all());
    let state = fold(&got).0;
    assert_eq!(state.thread_count(), 10_000);
    assert_eq!(state.difference(&fold(&log).0), None);
}

/// A known but silent capability does not block readers forever.
#[test]
fn a_capability_that_is_silent() {
    let mut options = Options::default();
    options.ring_bytes = 64 << 10;
    let mut test = TestRelay::new(options);
    let mut reader = test.relay.reader("app", Start::Now).unwrap();
    let caps: Vec<_> = (0..2)
        .map(|created_cap| event(1, EventBody::CapCreate { created_cap }))
        .collect();
    let header = header().as_bytes();
    test.begin(header);
    test.give(&block(None, 1, 1, &caps));
    let mut got = vec![0; header.len() + 100];
    for number in 0..400u32 {
        let (time, thread) = (u64::from(number) * 10 + 2, number + 1);
        let text = "x".repeat(300);
        let events = [
            event(time, EventBody::CreateThread { thread }),
            event(
                time,
                EventBody::UserMsg {
                    message: text.as_str().into(),
                },
            ),
        ];
        test.give(&block(Some(0), time, time + 1, &events));
        test.settle();
        if number == 0 {
            reader.read_exact(&mut got).unwrap();
        }
    }
    reader.set_tick(Some(LONG));
    let mut buffer = [0; 4096];
    while test.relay.status().clients[0].resyncs == 0 {
        let count = reader.read(&mut buffer).unwrap();
        got.extend(&buffer[..count]);
    }
    test.source.send(SourceStep::End).unwrap();
    reader.read_to_end(&mut got).unwrap();
    let state = fold(&got).0;
    assert_eq!(state.thread_count(), 400);
    let told = messages(&got);
    let notes: Vec<_> = told.iter().filter_map(|text| Note::parse(text)).collect();
    assert!(matches!(notes[0], Note::RelayLoss(_)), "{told:?}");
    assert!(matches!(notes[1], Note::NotWhole { .. }), "{told:?}");
}

/// A source that is faster than the fold: nothing waits, and it is reported.
#[test]
fn a_state_that_falls_behind_says_so() {
    let (mut options, told) = told();
    options.ring_bytes = 64 << 10;
    let blocks = Blocks {
        events: 20,
        delay: 0,
        global_at_exit: false,
    };
    let log = program(1, 60_000, blocks);
    let log = without_end(&log);
    assert!(log.len() > 600_000);
    let relay = Relay::start(options).unwrap();
    // A program must not wait, so the ring is overrun; a file may wait.
    let run = |name: &str, may_wait: bool| {
        let read = Intake::read(std::io::Cursor::new(log.to_vec()));
        relay.add(name, read.may_wait(may_wait)).unwrap();
        loop {
            let status = relay.status();
            let source = status.sources.iter().find(|it| it.name == name).unwrap();
            let session = source.session.as_ref();
            if let Some(session) = session.filter(|it| it.ended && it.fold.lag_bytes == 0) {
                break session.clone();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    };
    let late = |name: &str| {
        let mut got = Vec::new();
        let mut reader = relay.reader(name, Start::Now).unwrap();
        reader.read_to_end(&mut got).unwrap();
        let told = messages(&got);
        let whole = told
            .iter()
            .all(|text| !matches!(Note::parse(text), Some(Note::NotWhole { .. })));
        (fold(&got).0, whole)
    };
    let session = run("program", false);
    assert!(
        session.fold.missed_bytes > 0 && session.ring.waits == 0,
        "{session:#?}"
    );
    assert!(told.lock().unwrap().contains(&"FoldMissed".to_owned()));
    assert!(!late("program").1);
    let session = run("file", true);
    assert!(
        session.fold.missed_bytes == 0 && session.ring.waits > 0,
        "{session:#?}"
    );
    let (state, whole) = late("file");
    assert!(whole);
    assert_eq!(state.difference(&fold(log).0), None);
}

/// Finished sessions are kept for readers that have not finished them, as far as they fit into a
/// ring.
#[test]
fn old_sessions_are_not_kept() {
    let mut options = Options::default();
    options.ring_bytes = 64 << 10;
    let mut test = TestRelay::new(options);
    let mut readers = Vec::new();
    let header = header().as_bytes();
    let text = "x".repeat(40_000);
    let message = text.as_str().into();
    let one = block(Some(0), 1, 1, &[event(1, EventBody::UserMsg { message })]);
    for number in 1..=3 {
        let mut reader = test.relay.reader("app", Start::Now).unwrap();
        test.begin(header);
        test.give(&one);
        test.wait("session", |status| status.sources[0].sessions == number);
        test.settle();
        let mut got = vec![0; header.len()];
        reader.read_exact(&mut got).unwrap();
        readers.push(reader);
        test.source.send(SourceStep::Lost).unwrap();
        test.wait("end", |status| status.sources[0].lost == number);
    }
    let rest = readers.iter_mut().map(|reader| {
        let mut got = Vec::new();
        reader.read_to_end(&mut got).unwrap();
        got
    });
    let rest: Vec<Vec<u8>> = rest.collect();
    assert!(rest[0].is_empty(), "{}", rest[0].len());
    assert!(rest[1].starts_with(&one) && rest[2].starts_with(&one));
}

/// A client that stays connected misses no session because it was slow to check.
#[test]
fn a_program_that_starts_again_and_again() {
    let mut options = Options::default();
    options.follow_restarts = true;
    let mut test = TestRelay::new(options);
    let mut reader = test.relay.reader("app", Start::Now).unwrap();
    let logs: Vec<Vec<u8>> = (0..4).map(some_log).collect();
    for log in &logs {
        let (header, _) = boundaries(log);
        test.begin(&header);
        test.give(&log[header.len()..]);
        test.source.send(SourceStep::Lost).unwrap();
    }
    test.source.send(SourceStep::End).unwrap();
    test.wait("end", |status| status.sources[0].over);
    let mut got = Vec::new();
    reader.read_to_end(&mut got).unwrap();
    let mut rest = &got[..];
    for log in &logs {
        assert!(rest.starts_with(log));
        let next = rest[log.len()..]
            .windows(8)
            .position(|it| it == b"hdrbhetb");
        rest = &rest[next.map_or(rest.len(), |next| log.len() + next)..];
    }
    assert!(rest.is_empty());
}
