//! Files: plain, packed, growing, truncated and replaced; FIFOs.

mod common;

use common::{Came, Dir, block, bytes, last_is, log, read, until, wait_until};
use eventlog_source::{
    Connecting, Error, Following, Log, Notice, Packing, Reading, Source, Step, Wait, is_damage,
};
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::spawn;
use std::time::Duration;

fn append(path: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new()
        .append(true)
        .open(path)
        .expect("the file");
    file.write_all(bytes).expect("written");
}

fn open(source: &Source, reading: Reading) -> Log {
    Log::open(source, &Connecting::new(), reading).expect("a log")
}

#[test]
fn a_file_of_any_name() {
    let dir = Dir::new();
    let path = dir.path().join(OsStr::from_bytes(b"odd \xff name\n"));
    std::fs::write(&path, log(&["one"], true)).expect("a file");
    let source = Source::try_from(path.clone().into_os_string()).expect("a source");
    assert!(source.is_file(&path));
    let size = std::fs::metadata(&path).expect("there").len();
    assert_eq!((source.size(), source.log_size()), (Some(size), Some(size)));
    let (seen, outcome) = read(open(&source, Reading::default()));
    assert_eq!(seen, ["header", "one"]);
    assert!(outcome.ending.is_complete());
    // Another name of the same file, and another file.
    let link = dir.file("link");
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    assert!(source.is_file(&link) && !source.is_file(&dir.with("other", b"")));
}

#[test]
fn packed_logs_whatever_their_name() {
    let dir = Dir::new();
    let plain = log(&["one", "two", "three"], true);
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&plain).expect("packed");
        encoder.finish().expect("packed")
    };
    let zstd = zstd::stream::encode_all(&plain[..], 1).expect("packed");
    for (packed, packing) in [(gzip, Packing::Gzip), (zstd, Packing::Zstd)] {
        let source = Source::File(dir.with("log", &packed));
        assert_eq!(
            (source.size(), source.log_size()),
            (Some(packed.len() as u64), None)
        );
        let (seen, outcome) = read(open(&source, Reading::default()));
        assert_eq!(seen, ["header", "one", "two", "three"]);
        assert_eq!(outcome.packing, Some(packing));
        assert!(outcome.ending.is_complete() && outcome.damage.is_none());
        // A log that is cut off ends there.
        dir.with("log", &packed[..packed.len() / 2]);
        let (_, outcome) = read(open(&source, Reading::default()));
        assert!(
            !outcome.ending.is_complete() && outcome.damage.is_none(),
            "{outcome:?}"
        );
        // Damage is reported after everything before it.
        dir.with("log", &[&packed, &b"no packed data"[..]].concat());
        let (seen, outcome) = read(open(&source, Reading::default()));
        assert_eq!(seen.len(), 4);
        assert!(outcome.damage.is_some_and(|error| is_damage(&error)));
    }
}

#[test]
fn what_cannot_be_read_is_told() {
    let dir = Dir::new();
    let open = |path: &Path| {
        let how = Connecting::new().wait(Wait::Forever);
        Source::File(path.to_owned())
            .connect(&how)
            .expect_err("not a log")
    };
    let missing = open(&dir.file("none"));
    let shown = format!("cannot open {}; check its name", dir.file("none").display());
    assert!(missing.to_string().starts_with(&shown), "{missing}");
    assert!(
        matches!(missing, Error::Open { waited: None, .. }),
        "{missing:?}"
    );
    let directory = open(dir.path());
    assert_eq!(
        directory.cause().map(|cause| cause.kind()),
        Some(ErrorKind::IsADirectory)
    );
    assert!(
        directory.to_string().ends_with("; name a log in it"),
        "{directory}"
    );
    // A file that is not a log is a fault, not an error.
    let source = Source::File(dir.with("text", b"text"));
    let (seen, outcome) = read(self::open(&source, Reading::default()));
    assert!(
        seen.is_empty() && outcome.empty && outcome.fault.is_some(),
        "{outcome:?}"
    );
}

#[test]
fn a_file_may_appear_later() {
    let dir = Dir::new();
    let source = Source::File(dir.file("late"));
    let how = Connecting::new().wait(Wait::Forever).missing_ok(true);
    let reader = {
        let source = source.clone();
        spawn(move || source.connect(&how).map(drop))
    };
    // Complete at once: it is opened as soon as it exists.
    let ready = dir.with("ready", b"hdrb");
    std::fs::rename(ready, dir.file("late")).expect("renamed");
    reader.join().expect("no panic").expect("opened");
}

/// A file that is followed, and how often a notice said that it is read again.
fn following(path: &Path) -> (Following, Arc<AtomicU32>) {
    let restarts = Arc::new(AtomicU32::new(0));
    let told = Arc::clone(&restarts);
    let how = Connecting::new()
        .tick(Some(Duration::from_millis(1)))
        .notices(move |notice| {
            if let Notice::Restarted { .. } = notice {
                told.fetch_add(1, Ordering::Relaxed);
            }
        });
    let following = Following::open(Source::File(path.to_owned()), how).expect("opened");
    (following, restarts)
}

#[test]
fn a_file_that_grows() {
    let dir = Dir::new();
    let path = dir.with("log", b"");
    let (mut file, restarts) = following(&path);
    let (mut idle, mut buffer) = (false, [0; 16]);
    wait_until("a pause", || {
        idle |= matches!(file.next(&mut buffer), Ok(eventlog_source::Arrival::Idle));
        idle
    });
    append(&path, b"one");
    assert_eq!(until(&mut file, last_is("one")), [bytes("one")]);
    append(&path, b"two, and more");
    assert_eq!(
        until(&mut file, last_is("two, and more")),
        [bytes("two, and more")]
    );
    // A file that was removed may still grow, until another one has its name.
    let mut open = OpenOptions::new()
        .append(true)
        .open(&path)
        .expect("the file");
    std::fs::remove_file(&path).expect("removed");
    open.write_all(b"three").expect("written");
    assert_eq!(until(&mut file, last_is("three")), [bytes("three")]);
    dir.with("log", b"new");
    assert_eq!(until(&mut file, last_is("new")), [Came::New, bytes("new")]);
    assert_eq!(restarts.load(Ordering::Relaxed), 1);
}

#[test]
fn what_a_file_had_before_it_was_replaced_is_not_lost() {
    let dir = Dir::new();
    for round in 0..20 {
        let path = dir.with("log", b"begin ");
        let (mut file, restarts) = following(&path);
        assert_eq!(
            until(&mut file, last_is("begin ")),
            [Came::New, bytes("begin ")]
        );
        let ready = dir.with("ready", b"another");
        let writer = spawn(move || {
            // At any moment between two checks of the file.
            std::thread::sleep(Duration::from_micros(200 * round));
            append(&path, b"rest");
            std::fs::rename(ready, &path).expect("renamed");
        });
        let came = until(&mut file, last_is("another"));
        assert_eq!(came, [bytes("rest"), Came::New, bytes("another")]);
        assert_eq!(restarts.load(Ordering::Relaxed), 1);
        writer.join().expect("no panic");
    }
}

#[test]
fn a_file_that_is_begun_anew() {
    let dir = Dir::new();
    let path = dir.with("log", b"a long one");
    let (mut file, restarts) = following(&path);
    until(&mut file, last_is("a long one"));
    // A program that starts again truncates its log.
    let mut again = File::create(&path).expect("truncated");
    assert_eq!(until(&mut file, |came| came == [Came::New]), [Came::New]);
    again.write_all(b"short").expect("written");
    assert_eq!(until(&mut file, last_is("short")), [bytes("short")]);
    assert_eq!(restarts.load(Ordering::Relaxed), 1);
}

#[test]
fn the_events_of_a_file_that_grows() {
    let dir = Dir::new();
    let path = dir.with("log", &log(&["one"], false));
    let source = Source::File(path.clone());
    let how = Connecting::new().tick(Some(Duration::from_millis(1)));
    let reading = Reading {
        follow: true,
        recover: false,
        ..Reading::default()
    };
    let followed = Log::open(&source, &how, reading).expect("a log");
    let mut grown = false;
    let mut seen = Vec::new();
    let outcome = followed.for_each(|step| {
        match step {
            Step::Header(_) => seen.push("header".to_owned()),
            Step::Item(ghc_eventlog::Item::Event(event)) => seen.push(event.to_string()),
            // When everything that existed was seen.
            Step::Idle if seen.len() == 2 && !grown => {
                grown = true;
                append(&path, &block(2, "two"));
            }
            Step::Idle if seen.len() == 3 => return Ok(ControlFlow::Break(())),
            _ => {}
        }
        Ok::<_, Error>(ControlFlow::Continue(()))
    });
    assert!(outcome.expect("no error").stopped);
    let message = |text: &str| format!("user_msg message={text}");
    assert_eq!(seen, ["header", &message("one"), &message("two")]);
}

#[test]
fn the_events_of_a_file_that_is_replaced() {
    let dir = Dir::new();
    for round in 0..20 {
        let path = dir.with("log", &log(&["one"], false));
        let how = Connecting::new().tick(Some(Duration::from_millis(1)));
        let reading = Reading {
            follow: true,
            recover: false,
            ..Reading::default()
        };
        let followed = Log::open(&Source::File(path.clone()), &how, reading).expect("a log");
        let ready = dir.with("ready", &log(&["three"], true));
        let writer = spawn(move || {
            // At any moment between two checks of the file.
            std::thread::sleep(Duration::from_micros(200 * round));
            append(&path, &block(2, "two"));
            std::fs::rename(ready, &path).expect("renamed");
        });
        let (seen, outcome) = read(followed);
        assert_eq!(seen, ["header", "one", "two", "header", "three"]);
        // The mark ends it: a complete log does not grow.
        assert!(outcome.ending.is_complete() && !outcome.stopped);
        writer.join().expect("no panic");
    }
}

#[test]
fn a_fifo_is_read_until_its_writer_is_done() {
    let dir = Dir::new();
    let path = dir.fifo("fifo");
    let source = Source::File(path.clone());
    assert_eq!(source.size(), None);
    // Opening it does not wait for a writer, reading does.
    let fifo = open(&source, Reading::default());
    let writer = spawn(move || {
        let mut fifo = OpenOptions::new().write(true).open(path).expect("a reader");
        let bytes = log(&["one", "two"], true);
        for piece in bytes.chunks(997) {
            fifo.write_all(piece).expect("written");
        }
    });
    let (seen, outcome) = read(fifo);
    assert_eq!(seen, ["header", "one", "two"]);
    assert!(outcome.ending.is_complete());
    writer.join().expect("no panic");
}

#[test]
fn the_caller_may_have_had_enough_or_fail() {
    let dir = Dir::new();
    let source = Source::File(dir.with("log", &log(&["one", "two"], true)));
    let mut items = 0;
    let outcome = open(&source, Reading::default()).for_each(|step| {
        items += u32::from(matches!(step, Step::Item(_)));
        Ok::<_, Error>(if items == 2 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    });
    assert!(outcome.expect("no error").stopped);
    let failed = open(&source, Reading::default()).for_each(|_| Err(Box::from("no")));
    let failed: Result<_, Box<dyn std::error::Error>> = failed;
    assert_eq!(failed.expect_err("failed").to_string(), "no");
}
