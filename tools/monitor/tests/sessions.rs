//! Programs that start, end, and are restarted.

use crate::site::{Log, Site, block, message, until};
use eventlog_monitor::Input;
use ghc_eventlog::{EventBody, Header, StopStatus};
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// A block of a thread that runs and stops.
fn switches(header: &Header, from: u64, count: u64) -> Vec<u8> {
    let stop = EventBody::StopThread {
        thread: 1,
        status: StopStatus::YIELDING,
        info: Some(0),
    };
    let events: Vec<_> = (from..from + count)
        .flat_map(|n| {
            let run = EventBody::RunThread { thread: 1 };
            [(n * 200, run), (n * 200 + 100, stop)]
        })
        .collect();
    block(header, Some(0), &events)
}

/// What is read is followed on another thread, which may be behind.
#[test]
fn a_log_is_complete_when_it_is_said_to_have_ended() {
    const SWITCHES: u64 = 60_000;
    let mut log = Log::new();
    for part in 0..3 {
        let block = switches(&log.header, part * SWITCHES, SWITCHES);
        log.bytes.extend_from_slice(&block);
    }
    // With an end mark, and without: then the end of the connection is that of the log.
    let open = log.bytes.clone();
    let marked = log.end();
    let site = Site::new();
    for round in 0..12 {
        let name = format!("round {round}");
        let mut program = site.program(&name);
        let log = if round % 2 == 0 { &marked } else { &open };
        std::thread::scope(|scope| {
            scope.spawn(move || program.write_all(log).unwrap());
            let session = loop {
                let session = site.sessions(&name).pop().unwrap();
                if session["ended"] == true {
                    break session;
                }
            };
            assert_eq!(session["events"], 6 * SWITCHES, "{name}");
            assert_eq!(session["error"], serde_json::Value::Null);
        });
    }
}

/// A program that writes as much as is read.
struct Endless {
    block: Vec<u8>,
    at: usize,
    taken: Arc<AtomicUsize>,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = buffer.len().min(self.block.len() - self.at);
        buffer[..count].copy_from_slice(&self.block[self.at..self.at + count]);
        self.at += count;
        if self.at == self.block.len() {
            // Not the header again.
            self.at = Header::standard().as_bytes().len();
        }
        self.taken.fetch_add(count, Ordering::Relaxed);
        Ok(count)
    }
}

#[test]
fn a_monitor_that_is_dropped_stops_reading_however_much_there_is() {
    let site = Site::keeping(1 << 20);
    let log = Log::new();
    let mut bytes = log.bytes.clone();
    bytes.extend_from_slice(&switches(&log.header, 0, 5_000));
    let taken = Arc::new(AtomicUsize::new(0));
    let endless = Endless {
        block: bytes,
        at: 0,
        taken: Arc::clone(&taken),
    };
    let input = Input::read(endless);
    let reads = site.monitor.add("endless", "a program", true, input);
    let reads = reads.unwrap();
    // More than is ever read ahead of what is followed.
    until("it is read", || {
        (taken.load(Ordering::Relaxed) > 20 << 20).then_some(())
    });
    assert!(!reads.is_over());
    let id = site.sessions("endless")[0]["id"].clone();
    assert_eq!(id, "1");
    let Site {
        monitor, server, ..
    } = site;
    drop(monitor);
    until("it stops", || reads.is_over().then_some(()));
    drop(server);
}
