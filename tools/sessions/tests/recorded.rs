//! The recording is the stream: as a whole byte for byte, and from each part on a valid log.

#[path = "../../state/tests/common/mod.rs"]
mod common;
mod support;

use common::program::{Blocks, program};
use eventlog_sessions::{EndReason, Joined, Limits, Range, Rotation, Session, State, Store};
use std::fs;
use std::io::Read;
use std::time::Duration;
use support::{Dir, Feed, joined, recorded, state};

const BLOCKS: Blocks = Blocks {
    events: 12,
    delay: 200,
    global_at_exit: false,
};

fn rotating(size: u64) -> Limits {
    Limits {
        rotation: Rotation {
            size: Some(size),
            age: None,
        },
        ..Limits::default()
    }
}

/// All parts from one on, read like an export after the earlier ones were removed.
fn from_part(session: &Session, first: usize) -> Vec<u8> {
    let dir = Dir::new();
    for part in &session.parts()[first..] {
        let name = part.path.file_name().expect("a name");
        fs::copy(&part.path, dir.path().join(name)).expect("a copy");
    }
    joined(&Session::open(dir.path()).expect("a session"))
}

#[test]
fn the_parts_are_the_stream_and_each_is_a_log() {
    let (mut parts, mut torn) = (0, 0);
    for seed in 0..24 {
        let blocks = Blocks {
            events: [5, 12, 60][seed as usize % 3],
            delay: [0, 200, 2000][seed as usize / 3 % 3],
            global_at_exit: seed % 4 == 3,
        };
        let log = program(seed, 2500, blocks);
        let end = state(&log);
        let dir = Dir::new();
        let size = [4 << 10, 16 << 10, 1 << 20][seed as usize % 3];
        let store = Store::open(&dir.store(), rotating(size)).expect("a store");
        let session = recorded(&store, &log);
        assert!(joined(&session) == log, "seed {seed}");
        assert!(session.parts().len() > 1 || size == 1 << 20, "seed {seed}");
        for (at, part) in session.parts().iter().enumerate() {
            parts += 1;
            let bytes = fs::read(&part.path).expect("a part");
            // A part that begins in the middle of a heap sample begins with the sample.
            torn += usize::from(
                at > 0
                    && state(&bytes[..part.index.as_ref().expect("an index").head.body as usize])
                        .samples()
                        .open()
                        .is_some(),
            );
            let late = from_part(&session, at);
            assert_eq!(state(&late).difference(&end), None, "seed {seed} from {at}");
            let index = part.index.as_ref().expect("an index");
            assert_eq!((index.from_part, index.tail), (0, 0), "seed {seed}");
        }
    }
    assert!(parts > 100 && torn > 0, "{parts} parts, {torn} in a sample");
}

/// The index file as written is the same as the one made from the part.
#[test]
fn an_index_is_made_anew_if_it_is_missing_or_damaged() {
    let log = program(7, 1500, BLOCKS);
    let dir = Dir::new();
    let store = Store::open(&dir.store(), rotating(8 << 10)).expect("a store");
    let session = recorded(&store, &log);
    let known: Vec<_> = session
        .parts()
        .iter()
        .map(|part| part.index.clone().expect("an index"))
        .collect();
    let number = session.parts().len() / 2;
    let path = session.parts()[number].path.with_extension("index");
    let whole = fs::read(&path).expect("an index");
    let check = |what: &str| {
        let session = Session::open(session.dir()).expect("a session");
        for (part, known) in session.parts().iter().zip(&known) {
            let index = part.index.as_ref().expect("an index");
            assert_eq!(index.head, known.head, "{what}");
            assert_eq!(index.entries, known.entries, "{what}");
        }
        assert!(joined(&session) == log, "{what}");
        session.parts()[number]
            .index
            .as_ref()
            .expect("an index")
            .from_part
    };
    assert_eq!(check("whole"), 0);
    fs::remove_file(&path).expect("removed");
    assert_eq!(check("missing"), known[number].entries.len());
    for length in [0, 1, 39, 40, 41, 79, 80, whole.len() - 1] {
        fs::write(&path, &whole[..length]).expect("written");
        assert!(check(&format!("{length} bytes")) > 0);
    }
    // A single wrong bit.
    for at in (0..whole.len()).step_by(37) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::write(&path, &damaged).expect("written");
        assert!(check(&format!("byte {at}")) > 0);
    }
    // The index of another part.
    let other = session.parts()[0].path.with_extension("index");
    fs::write(&path, fs::read(other).expect("an index")).expect("written");
    assert!(check("another's") > 0);
}

#[test]
fn a_manifest_is_not_needed() {
    let log = program(3, 800, BLOCKS);
    let dir = Dir::new();
    let store = Store::open(&dir.store(), rotating(8 << 10)).expect("a store");
    let session = recorded(&store, &log);
    let manifest = session.manifest().expect("a manifest");
    assert!(matches!(session.state(), State::Ended(ended) if ended.how == EndReason::Complete));
    assert_eq!(
        (manifest.source.as_str(), manifest.from.as_str()),
        ("app", "unix:/run/app.sock")
    );
    assert_eq!(manifest.learned.pid, Some(100));
    assert_eq!(manifest.parts.len(), session.parts().len());
    for (told, part) in manifest.parts.iter().zip(session.parts()) {
        let index = part.index.as_ref().expect("an index");
        assert_eq!((told.number, told.bytes), (part.number, part.bytes));
        assert_eq!(
            (told.events, told.offset),
            (index.events(), index.head.offset)
        );
        assert_eq!(Some((told.begin, told.end)), index.times());
    }
    let path = session.dir().join("manifest.json");
    let whole = fs::read(&path).expect("a manifest");
    for length in (0..whole.len() - 2).step_by(23) {
        fs::write(&path, &whole[..length]).expect("written");
        let damaged = Session::open(session.dir()).expect("a session");
        assert_eq!(damaged.manifest(), None);
        assert_eq!(damaged.state(), State::Killed);
        assert!(joined(&damaged) == log);
    }
    fs::remove_file(&path).expect("removed");
    let without = Session::open(session.dir()).expect("a session");
    assert_eq!(without.learned().expect("parts"), manifest.learned);
    assert_eq!(
        (without.events(), without.times()),
        (session.events(), session.times())
    );
}

/// As if the process had been killed after any byte.
#[test]
fn a_part_can_be_read_up_to_any_byte() {
    let log = program(5, 1200, BLOCKS);
    let dir = Dir::new();
    let store = Store::open(&dir.store(), rotating(4 << 10)).expect("a store");
    let session = recorded(&store, &log);
    let last = session.parts().last().expect("parts").clone();
    assert!(last.number > 2);
    let whole = fs::read(&last.path).expect("a part");
    let index = fs::read(last.path.with_extension("index")).expect("an index");
    fs::remove_file(session.dir().join("manifest.json")).expect("removed");
    let body = last.index.expect("an index").head;
    for length in 0..whole.len() {
        fs::write(&last.path, &whole[..length]).expect("written");
        // An index of any length: it may be behind its part, or ahead of it.
        let of_index = index.len() * ((length * 7) % 11) / 10;
        fs::write(
            last.path.with_extension("index"),
            &index[..of_index.min(index.len())],
        )
        .expect("written");
        let session = Session::open(session.dir()).expect("a session");
        let joined = joined(&session);
        let recorded = (length as u64)
            .checked_sub(body.body)
            .map(|more| body.offset + more);
        // Before the stream begins in it, there is only the data of the parts before.
        let mark = usize::from(recorded.is_none()) * 2;
        let expected = recorded.unwrap_or(body.offset) as usize;
        assert_eq!(joined.len(), expected + mark, "{length}");
        assert!(joined[..expected] == log[..expected], "{length}");
    }
}

#[test]
fn only_the_newest_parts_are_kept() {
    let log = program(9, 2500, BLOCKS);
    let dir = Dir::new();
    let limits = Limits {
        keep: Some(3),
        ..rotating(4 << 10)
    };
    let store = Store::open(&dir.store(), limits).expect("a store");
    let session = recorded(&store, &log);
    let numbers: Vec<u32> = session.parts().iter().map(|part| part.number).collect();
    let last = numbers[2];
    assert!(last > 10);
    assert_eq!(numbers, [last - 2, last - 1, last]);
    let (missing, earlier) = session.missing();
    assert_eq!(missing, 0);
    assert!(earlier > 0);
    assert_eq!(session.manifest().expect("a manifest").parts.len(), 3);
    assert_eq!(state(&joined(&session)).difference(&state(&log)), None);
}

#[test]
fn the_oldest_parts_of_ended_sessions_make_room() {
    let log = program(9, 6000, BLOCKS);
    let dir = Dir::new();
    let max = 5 * log.len() as u64;
    let limits = Limits {
        max_bytes: Some(max),
        ..rotating(log.len() as u64 / 4)
    };
    // Files that are not ours are not removed.
    fs::create_dir_all(dir.store().join("mine")).expect("a directory");
    fs::write(dir.store().join("mine/file"), "mine").expect("a file");
    let store = Store::open(&dir.store(), limits).expect("a store");
    // A session that another store records.
    let other = Store::open(&dir.store(), Limits::default()).expect("a store");
    let mut feed = Feed::new(log.clone());
    let mut theirs = feed.begin(&other, "theirs");
    feed.feed(&mut theirs, 20);
    feed.idle(&mut theirs);
    let size = |session: &Session| -> u64 {
        let files = fs::read_dir(session.dir()).expect("a session");
        files
            .map(|file| file.expect("a file").metadata().expect("a file").len())
            .sum()
    };
    for round in 0..6 {
        recorded(&store, &log);
        let sessions = Session::all(&dir.store()).expect("sessions");
        let total: u64 = sessions.iter().map(size).sum();
        assert!(total <= max, "{total} bytes of {max} in round {round}");
        let mine: Vec<&Session> = sessions
            .iter()
            .filter(|it| it.name() != "theirs-0001")
            .collect();
        assert!(
            joined(mine.last().expect("sessions")) == log,
            "round {round}"
        );
        // Only the oldest of them has lost parts.
        assert!(
            mine.iter()
                .skip(1)
                .all(|session| session.missing() == (0, 0))
        );
    }
    let names: Vec<String> = Session::all(&dir.store())
        .expect("sessions")
        .iter()
        .map(|it| it.name().to_owned())
        .collect();
    assert!(names.contains(&"theirs-0001".to_owned()), "{names:?}");
    assert!(!names.contains(&"app-0001".to_owned()), "{names:?}");
    assert_eq!(
        fs::read_to_string(dir.store().join("mine/file")).expect("a file"),
        "mine"
    );
    drop(theirs);
    // A single session that is too long loses its own oldest parts.
    let dir = Dir::new();
    let limits = Limits {
        max_bytes: Some(log.len() as u64 / 2),
        ..rotating(8 << 10)
    };
    let store = Store::open(&dir.store(), limits).expect("a store");
    let session = recorded(&store, &log);
    assert!(size(&session) <= log.len() as u64 / 2);
    assert!(session.missing().1 > 0);
    assert_eq!(state(&joined(&session)).difference(&state(&log)), None);
}

#[test]
fn no_two_sessions_have_the_same_name() {
    let dir = Dir::new();
    let log = program(1, 50, BLOCKS);
    let stores = [(); 4].map(|()| Store::open(&dir.store(), Limits::default()).expect("a store"));
    let threads = stores.map(|store| {
        let log = log.clone();
        std::thread::spawn(move || {
            let record = |_| recorded(&store, &log).name().to_owned();
            (0..25).map(record).collect::<Vec<_>>()
        })
    });
    let mut names: Vec<String> = threads
        .into_iter()
        .flat_map(|it| it.join().expect("names"))
        .collect();
    names.sort();
    let expected: Vec<String> = (1..=100).map(|number| format!("app-{number:04}")).collect();
    assert_eq!(names, expected);
    for session in Session::all(&dir.store()).expect("sessions") {
        assert!(joined(&session) == log);
    }
    assert_eq!(fs::read_dir(dir.store()).expect("a store").count(), 100);
}

#[test]
fn only_the_owner_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Dir::new();
    let store = Store::open(&dir.store(), rotating(4 << 10)).expect("a store");
    let session = recorded(&store, &program(1, 2000, BLOCKS));
    session.note("slow today").expect("a note");
    let mode =
        |path: &std::path::Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&dir.store()), 0o700);
    assert_eq!(mode(session.dir()), 0o700);
    let files: Vec<_> = fs::read_dir(session.dir())
        .expect("a session")
        .map(|it| it.expect("a file").path())
        .collect();
    assert!(files.len() > 5, "{files:?}");
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
}

/// A recorder that joins late first gets a beginning.
#[test]
fn a_recording_can_begin_late() {
    let log = program(11, 1500, BLOCKS);
    let end = state(&log);
    for skipped in [1, 7, 50] {
        let dir = Dir::new();
        let store = Store::open(&dir.store(), rotating(8 << 10)).expect("a store");
        let mut feed = Feed::new(log.clone());
        feed.skip(skipped);
        let from = feed.at();
        let mut recording = feed.begin(&store, "late");
        feed.feed(&mut recording, usize::MAX);
        recording.end(EndReason::Complete);
        let session = Session::find(&dir.store(), "l").expect("a session");
        assert_eq!(session.missing(), (0, from as u64));
        let joined = joined(&session);
        assert!(joined.ends_with(&log[from..]));
        assert_eq!(state(&joined).difference(&end), None);
    }
}

#[test]
fn recordings_are_opened_anew() {
    let log = program(12, 1500, BLOCKS);
    let dir = Dir::new();
    let store = Store::open(&dir.store(), Limits::default()).expect("a store");
    let mut feed = Feed::new(log.clone());
    let mut recording = feed.begin(&store, "app");
    let third = feed.left() / 3;
    feed.feed(&mut recording, third);
    recording.reopen();
    feed.feed(&mut recording, third);
    let first = recording.directory().expect("a directory").to_owned();
    assert_eq!(Session::open(&first).expect("a session").parts().len(), 2);
    // If the directory is moved away, the recording goes on in another one.
    let moved = dir.path().join("moved");
    fs::rename(&first, &moved).expect("moved");
    let from = feed.at();
    recording.reopen();
    feed.idle(&mut recording);
    feed.feed(&mut recording, usize::MAX);
    let second = recording.directory().expect("a directory").to_owned();
    recording.end(EndReason::Complete);
    let joined_first = joined(&Session::open(&moved).expect("a session"));
    assert!(joined_first[..from] == log[..from]);
    assert_eq!(joined_first[from..], [0xff, 0xff]);
    let session = Session::open(&second).expect("a session");
    let joined_second = joined(&session);
    assert!(joined_second.ends_with(&log[from..]));
    assert_eq!(session.missing(), (0, from as u64));
    assert_eq!(state(&joined_second).difference(&state(&log)), None);
    // Both together: `eventlog merge` can also join them.
    assert_eq!(session.parts()[0].number, 3);
    // The same if it is removed.
    let mut feed = Feed::new(log.clone());
    let mut recording = feed.begin(&store, "gone");
    feed.feed(&mut recording, third);
    fs::remove_dir_all(dir.store()).expect("removed");
    recording.reopen();
    feed.feed(&mut recording, third);
    let third = recording.directory().expect("a directory").to_owned();
    recording.end(EndReason::Stopped);
    assert_eq!(Session::open(&third).expect("a session").parts().len(), 1);
}

#[test]
fn a_session_is_named_by_how_its_name_begins() {
    let dir = Dir::new();
    let store = Store::open(&dir.store(), Limits::default()).expect("a store");
    let log = program(1, 50, BLOCKS);
    let error = |name: &str| {
        Session::find(&dir.store(), name)
            .expect_err("no session")
            .to_string()
    };
    assert!(
        error("app").ends_with("there is none at all"),
        "{}",
        error("app")
    );
    recorded(&store, &log);
    recorded(&store, &log);
    let mut feed = Feed::new(log);
    let mut recording = feed.begin(&store, "../other app");
    feed.feed(&mut recording, 5);
    assert_eq!(error("app"), "\"app\" can be any of app-0001, app-0002");
    assert_eq!(
        error("x").split(';').next_back(),
        Some(" there are app-0002, app-0001, _._other_app-0001")
    );
    let find = |name| Session::find(&dir.store(), name).expect("a session");
    assert_eq!(find("app-0002").name(), "app-0002");
    let live = find("_");
    assert_eq!(
        (live.name(), live.state()),
        ("_._other_app-0001", State::Recording)
    );
    let told = live.remove().expect_err("it is recorded").to_string();
    assert_eq!(
        told,
        "session _._other_app-0001 is being recorded; stop the relay first"
    );
    recording.end(EndReason::Lost);
    assert!(find("_").remove().expect("removed") > 0);
    assert!(find("app-0001").remove().expect("removed") > 0);
    assert_eq!(Session::all(&dir.store()).expect("sessions").len(), 1);
    assert_eq!(
        error(""),
        format!(
            "no session \"\" in {}; there is app-0002",
            dir.store().display()
        )
    );
}

#[test]
fn notes_are_kept_beside_the_manifest() {
    let dir = Dir::new();
    let store = Store::open(&dir.store(), Limits::default()).expect("a store");
    let mut feed = Feed::new(program(1, 300, BLOCKS));
    let mut recording = feed.begin(&store, "app");
    let session = Session::find(&dir.store(), "app").expect("a session");
    session.note("slow since the\nupdate").expect("a note");
    feed.feed(&mut recording, usize::MAX);
    recording.end(EndReason::Complete);
    // A line that was cut off.
    let path = session.dir().join("notes.jsonl");
    let mut text = fs::read_to_string(&path).expect("notes");
    text.push_str("{\"at_un");
    fs::write(&path, text).expect("written");
    session.note("again").expect("a note");
    let texts: Vec<String> = session.notes().into_iter().map(|note| note.text).collect();
    assert_eq!(texts, ["slow since the\nupdate", "again"]);
}

/// Only what is needed is read, and nothing that is needed is left out.
#[test]
fn a_range_has_all_that_belongs_to_it() {
    let log = program(13, 2500, BLOCKS);
    let dir = Dir::new();
    let store = Store::open(&dir.store(), rotating(8 << 10)).expect("a store");
    let session = recorded(&store, &log);
    let (_, end) = session.times().expect("times");
    let events = |log: &[u8], range: Range| {
        let mut reader = ghc_eventlog::Reader::new(log);
        let mut found = Vec::new();
        while let Some(item) = reader.next_item().expect("a log") {
            if let ghc_eventlog::Item::Event(event) = item
                && event.time >= range.from.unwrap_or(0)
                && event.time < range.to.unwrap_or(u64::MAX)
            {
                found.push((event.cap, event.time, event.raw.to_vec()));
            }
        }
        found
    };
    let mut shorter = 0;
    for (from, to) in [(0, 10), (3, 4), (50, 55), (90, 100), (0, 100), (99, 100)] {
        let range = Range {
            from: Some(end * from / 100),
            to: Some(end * to / 100),
        };
        let mut joined = Joined::of(&session, range).expect("parts");
        let mut bytes = Vec::new();
        joined.read_to_end(&mut bytes).expect("parts");
        shorter += usize::from(bytes.len() < log.len() / 2);
        let mut there = events(&bytes, range);
        // Of the prologue, only the repeated events of the window are in the range.
        for event in events(&log, range) {
            let at = there.iter().position(|it| *it == event);
            there.remove(at.unwrap_or_else(|| panic!("{from} to {to}: no {event:?}")));
        }
    }
    assert!(shorter >= 4, "{shorter}");
}

#[test]
fn parts_are_closed_by_age_as_well() {
    let dir = Dir::new();
    let limits = Limits {
        rotation: Rotation {
            size: None,
            age: Some(Duration::from_millis(30)),
        },
        ..Limits::default()
    };
    let store = Store::open(&dir.store(), limits).expect("a store");
    let log = program(2, 600, BLOCKS);
    let mut feed = Feed::new(log.clone());
    let mut recording = feed.begin(&store, "app");
    for _ in 0..4 {
        feed.feed(&mut recording, 10);
        std::thread::sleep(Duration::from_millis(70));
        feed.idle(&mut recording);
    }
    feed.feed(&mut recording, usize::MAX);
    recording.end(EndReason::Complete);
    let session = Session::find(&dir.store(), "app").expect("a session");
    assert!(session.parts().len() > 3, "{}", session.parts().len());
    assert!(joined(&session) == log);
}
