//! Programs that start, end, and are restarted.

use crate::site::{Log, Site, block, message, until};
use std::io::Write;

#[test]
fn a_log_that_begins_anew_is_another_session() {
    let site = Site::new();
    let mut program = site.program("app");
    for round in 0..3u64 {
        let log = Log::new().messages(0, &[(10 + round, "hello")]);
        program.write_all(&log.bytes).unwrap();
    }
    let sessions = until("all are there", || {
        let sessions = site.sessions("app");
        (sessions.len() == 3 && sessions[2]["events"] == 1).then_some(sessions)
    });
    for (number, session) in sessions.iter().enumerate() {
        assert_eq!(session["restarts"], number as u64);
        assert_eq!(session["ended"], number < 2);
        assert_eq!(session["live"], number == 2);
        let id = session["id"].as_str().unwrap();
        let told = site.get(&format!("s/{id}/events"));
        assert_eq!(told["rows"][0]["time"], 10 + number as u64);
    }
    drop(program);
    until("the last one has ended", || {
        (site.sessions("app")[2]["ended"] == true).then_some(())
    });
}

#[test]
fn sessions_that_are_over_do_not_pile_up() {
    let site = Site::new();
    let mut program = site.program("app");
    let rounds = 40u64;
    for round in 0..rounds {
        let log = Log::new().messages(0, &[(10 + round, "hello")]);
        program.write_all(&log.bytes).unwrap();
    }
    let sessions = until("the last one is there", || {
        let sessions = site.sessions("app");
        let last = sessions.last()?;
        (last["restarts"] == rounds - 1).then_some(sessions)
    });
    assert!(sessions.len() <= 8, "{}", sessions.len());
    assert!(site.refused("s/1/overview", 404).contains("not any more"));
}

#[test]
fn several_sources_are_told_apart() {
    let site = Site::new();
    let waits = site.program("waits");
    let mut one = site.program("one");
    let mut two = site.program("two");
    one.write_all(&Log::new().messages(0, &[(1, "of one")]).bytes)
        .unwrap();
    two.write_all(&Log::new().messages(0, &[(1, "of two")]).bytes)
        .unwrap();
    for name in ["one", "two"] {
        let session = until("it has begun", || {
            site.sessions(name).pop().filter(|it| it["events"] == 1)
        });
        let id = session["id"].as_str().unwrap();
        let told = site.get(&format!("s/{id}/events"));
        assert_eq!(told["rows"][0]["text"], format!("of {name}"));
    }
    // A source without a log is listed, too, and shown as such.
    let session = &site.sessions("waits")[0];
    assert_eq!(
        (&session["live"], &session["events"]),
        (&true.into(), &0.into())
    );
    let id = session["id"].as_str().unwrap();
    assert!(site.refused(&format!("s/{id}/rows"), 404).contains("waits"));
    drop(waits);
    until("it is over", || {
        (site.sessions("waits")[0]["ended"] == true).then_some(())
    });
}

/// A silent capability does not delay the others for long, also if the program never announced
/// any.
#[test]
fn what_has_come_is_told_although_others_are_silent() {
    let site = Site::new();
    let mut program = site.program("app");
    let log = Log::new().messages(1, &[(10, "silent from now on")]);
    program.write_all(&log.bytes).unwrap();
    let blocks = block(
        &log.header,
        Some(0),
        &[(20, message("a")), (30, message("b"))],
    );
    program.write_all(&blocks).unwrap();
    let session = until("everything is reported", || {
        site.sessions("app").pop().filter(|it| it["events"] == 3)
    });
    assert_eq!(session["ended"], false);
    drop(program);
}
