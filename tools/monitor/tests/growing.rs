//! Logs that are available in part: files that grow, packed ones, and parts that are
//! not kept.

use crate::site::{Log, Site, block, message, until};
use eventlog_monitor::Input;
use ghc_eventlog::{DATA_END, EventBody, Header};
use std::collections::VecDeque;
use std::io::{Cursor, Read, Write};
use std::time::Duration;

fn append(path: &std::path::Path, bytes: &[u8]) {
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn a_file_is_followed_to_its_end() {
    let site = Site::new();
    let path = site.kept.0.join("grows.eventlog");
    let header = Header::standard();
    let first = Log::new().messages(0, &[(10, "one")]);
    std::fs::write(&path, &first.bytes).unwrap();
    site.file(&path);
    let session = || site.sessions("grows").pop().unwrap();
    let counted = |events: u64| {
        until("it is read", || {
            (session()["events"] == events).then_some(())
        })
    };
    counted(1);
    let id = session()["id"].as_str().unwrap().to_owned();
    assert_eq!(session()["ended"], false);
    // Half of a block has no effect yet.
    let second = block(
        &header,
        Some(1),
        &[(20, message("two")), (30, message("three"))],
    );
    append(&path, &second[..40]);
    append(&path, &second[40..]);
    counted(3);
    let told = site.get(&format!("s/{id}/events?kind=message"));
    assert_eq!(told["rows"][2]["text"], "three");
    assert_eq!(session()["live"], true);
    append(&path, &DATA_END.to_be_bytes());
    until("its end is seen", || {
        (session()["ended"] == true).then_some(())
    });
    assert_eq!(session()["error"], serde_json::Value::Null);
    let told = site.get(&format!("s/{id}/stream"));
    assert_eq!(told["waiting_bytes"], 0);
    assert_eq!(site.sessions("grows").len(), 1);
    // Nothing was copied.
    assert!(!site.kept.0.join("cache").exists());
}

#[test]
fn a_program_without_events_lacks_only_them() {
    let site = Site::new();
    let mut program = site.program("silent");
    let log = Log::new();
    program.write_all(&log.bytes).unwrap();
    let missing = |events: u64| {
        let told = until("the overview of so many events", || {
            let session = site.sessions("silent").pop()?;
            let id = session["id"].as_str()?;
            let reply = site.ask(&format!("GET /api/s/{id}/overview"), "", b"");
            // Before its header has arrived there is no answer.
            (reply.status == 200 && session["events"] == events).then(|| reply.json())
        });
        assert_eq!(told["pauses"], serde_json::Value::Null);
        let missing = told["missing"].as_array().unwrap().iter();
        let what: Vec<&str> = missing.map(|it| it["what"].as_str().unwrap()).collect();
        what.join(", ")
    };
    assert_eq!(missing(0), "events");
    let first = block(&log.header, Some(0), &[(10, message("one"))]);
    program.write_all(&first).unwrap();
    let then = missing(1);
    assert!(then.contains("collections"), "{then}");
    assert!(!then.split(", ").any(|it| it == "events"), "{then}");
}

#[test]
fn what_arrives_after_a_pause_is_in_order() {
    let site = Site::new();
    let mut program = site.program("rests");
    let log = Log::new().messages(0, &[(10, "one")]);
    program.write_all(&log.bytes).unwrap();
    let header = log.header.clone();
    let folded = |events: u64| {
        until("they are folded", || {
            let session = site.sessions("rests").pop()?;
            (session["events"] == events).then_some(session)
        })
    };
    let piece = |cap, time, text| block(&header, Some(cap), &[(time, message(text))]);
    program.write_all(&piece(1, 11, "two")).unwrap();
    folded(2);
    // Longer than events wait, with nothing that waits.
    std::thread::sleep(Duration::from_millis(1100));
    // A flush hands over one capability after the other.
    let flushed = [piece(0, 50, "four"), piece(1, 40, "three")].concat();
    program.write_all(&flushed).unwrap();
    let session = folded(4);
    let id = session["id"].as_str().unwrap();
    let told = site.get(&format!("s/{id}/overview"));
    assert_eq!(told["losses"]["late"], 0);
}

/// Parts of a file, each of which is slow to come.
struct Slow(VecDeque<Cursor<Vec<u8>>>);

impl Read for Slow {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        let Some(part) = self.0.front_mut() else {
            return Ok(0);
        };
        if part.position() == 0 {
            // Longer than events of a program wait.
            std::thread::sleep(Duration::from_millis(1300));
        }
        let count = part.read(room)?;
        if part.position() as usize == part.get_ref().len() {
            self.0.pop_front();
        }
        Ok(count)
    }
}

#[test]
fn a_file_that_is_slow_to_read_is_in_order() {
    let site = Site::new();
    let log = Log::new();
    let piece = |cap, time, text| block(&log.header, Some(cap), &[(time, message(text))]);
    let begin = [log.bytes.clone(), piece(0, 50, "two")].concat();
    let end = [piece(1, 40, "one"), DATA_END.to_be_bytes().to_vec()].concat();
    let slow = Input::read(Slow([begin, end].map(Cursor::new).into()));
    site.monitor.add("slow", "slow", false, slow).unwrap();
    let session = until("it is read", || {
        site.sessions("slow").pop().filter(|it| it["ended"] == true)
    });
    assert_eq!(session["events"], 2);
    let id = session["id"].as_str().unwrap();
    let told = site.get(&format!("s/{id}/overview"));
    assert_eq!(told["losses"]["late"], 0);
}

#[test]
fn a_log_that_breaks_off_says_so() {
    let log = Log::new().messages(0, &[(10, "one"), (20, "two"), (30, "three")]);
    let site = Site::new();
    let mut program = site.program("killed");
    program
        .write_all(&log.bytes[..log.bytes.len() - 5])
        .unwrap();
    drop(program);
    let session = until("it is read", || {
        site.sessions("killed")
            .pop()
            .filter(|it| it["ended"] == true)
    });
    assert_eq!(session["events"], 2);
    let error = session["error"].as_str().unwrap();
    assert!(error.contains("breaks off"), "{error}");
    let id = session["id"].as_str().unwrap();
    let told = site.get(&format!("s/{id}/events"));
    assert_eq!(told["rows"].as_array().unwrap().len(), 2);
}

#[test]
fn what_is_no_log_says_so() {
    let site = Site::new();
    let path = site.kept.0.join("text.eventlog");
    std::fs::write(&path, "this is no log\n".repeat(100)).unwrap();
    site.file(&path);
    let error = until("it is reported", || {
        let session = site.sessions("text").pop()?;
        session["error"].as_str().map(str::to_owned)
    });
    assert!(
        error.contains("not an eventlog") && error.contains("text.eventlog"),
        "{error}"
    );
    let id = site.sessions("text")[0]["id"].as_str().unwrap().to_owned();
    assert!(
        site.refused(&format!("s/{id}/overview"), 404)
            .contains("no log has arrived")
    );
    // Nor is a missing file.
    site.file(&site.kept.0.join("missing.eventlog"));
    until("it is reported", || {
        let session = site.sessions("missing").pop()?;
        session["error"]
            .as_str()
            .map(|error| assert!(error.contains("missing"), "{error}"))
    });
}

#[test]
fn a_packed_log_is_unpacked_for_as_long_as_it_is_shown() {
    let site = Site::new();
    let mut log = Log::new();
    for n in 0..200u64 {
        log = log.messages((n % 3) as u16, &[(n * 10, "packed"), (n * 10 + 5, "log")]);
    }
    let log = log.end();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&log).unwrap();
    let path = site.kept.0.join("packed.eventlog.gz");
    std::fs::write(&path, packed.finish().unwrap()).unwrap();
    site.file(&path);
    let id = site.read_to("packed.eventlog", log.len() as u64);
    let told = site.get(&format!("s/{id}/events?from=1990&limit=5000"));
    assert_eq!(told["rows"].as_array().unwrap().len(), 2);
    let all = site.get(&format!("s/{id}/events?limit=5000"));
    assert_eq!(all["rows"].as_array().unwrap().len(), 400);
    // In an unnamed file.
    assert!(
        std::fs::read_dir(site.kept.0.join("cache/eventlog"))
            .unwrap()
            .next()
            .is_none()
    );
}

#[test]
fn of_a_program_the_newest_part_is_kept() {
    let site = Site::keeping(1 << 20);
    let mut program = site.program("app");
    let header = Header::standard();
    program.write_all(header.as_bytes()).unwrap();
    let text = "x".repeat(1000);
    let mut sent = header.as_bytes().len() as u64;
    let mut time = 0;
    for _ in 0..100 {
        let events: Vec<(u64, EventBody<'_>)> = (0..100)
            .map(|_| {
                time += 1000;
                (time, message(&text))
            })
            .collect();
        let bytes = block(&header, Some(0), &events);
        program.write_all(&bytes).unwrap();
        sent += bytes.len() as u64;
    }
    let id = site.read_to("app", sent);
    let session = until("it is summed up", || {
        let session = site.sessions("app").pop().unwrap();
        (session["events"] == 10_000).then_some(session)
    });
    let kept_from = session["kept_from"].as_u64().unwrap();
    let end = session["end"].as_u64().unwrap();
    assert!(
        kept_from > end / 2 && kept_from < end,
        "{kept_from} of {end}"
    );
    let new = site.get(&format!("s/{id}/events?from={}&limit=5000", end - 50_000));
    assert_eq!(new["rows"].as_array().unwrap().len(), 51);
    assert_eq!(new.get("kept_from"), None);
    let old = site.get(&format!("s/{id}/events?to=50000"));
    assert_eq!(old["rows"].as_array().unwrap().len(), 0);
    assert_eq!(old["kept_from"], kept_from);
    // The timeline of that time is unknown if it needs the log.
    for z in [6, 8, 20] {
        let tiles = site.tiles(&id, z, 0, 3, &["c0", "t1"]);
        assert!(tiles.iter().all(|tile| tile.len() >= 2), "{tiles:?}");
    }
    // Series start at the beginning.
    let series = site.get(&format!("s/{id}/series?names=events.rate&points=20"));
    let points = series["names"]["events.rate"]["points"].as_array().unwrap();
    assert!(points[0][0].as_u64().unwrap() < 1_000_000, "{points:?}");
    // In unnamed files, with access for our user only.
    let directory = site.kept.0.join("cache/eventlog");
    assert!(std::fs::read_dir(&directory).unwrap().next().is_none());
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(&directory).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(site.kept.names(), ["cache"]);
}
