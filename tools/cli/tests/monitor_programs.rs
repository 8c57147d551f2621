//! `eventlog monitor` on a real program that has the library in it, while it runs.
//!
//! The GHC is `EVENTLOG_TEST_GHC`, a suite of `scripts/ghc-matrix` (default `host`).

use crate::common::Dir;
use crate::monitor::{Monitor, monitor};
use crate::relay_programs::{Ghc, Working};
use rustix::process::Signal;
use std::process::Command;

/// What the program has done is served while it waits for its next input, so nothing but its
/// flush can have brought it.
#[test]
fn what_a_program_does_is_served_while_it_runs() {
    let Some(ghc) = Ghc::find() else { return };
    let dir = Dir::new();
    let worker = ghc.streaming_worker(&dir);
    let socket = dir.file("app.sock");
    let source = format!("unix:{socket}");
    let mut monitor = Monitor::start(&mut monitor(&dir, &[&source]));
    let call = ghc.call(&worker, &["-ol/dev/null"]);
    let mut command = Command::new(&call[0]);
    command
        .args(&call[1..])
        .env("GHC_EVENTLOG_UNIX_PATH", &socket)
        .env("GHC_EVENTLOG_FLUSH_INTERVAL", "50ms")
        .env("GHC_EVENTLOG_WAIT", "1");
    let mut working = Working::start(&mut command);
    let mut end = 0;
    for phase in ["one", "two", "three"] {
        working.phase(phase);
        let session = monitor.session("it has begun", |it| it["events"].as_u64() > Some(0));
        let id = session["id"].as_str().expect("an id").to_owned();
        let at = format!("s/{id}/events?kind=user&find=^{phase}:%20.8,6001&limit=1");
        monitor.until("its last messages are served", &at, |last| {
            last["rows"][0]["time"].is_u64()
        });
        // It came before them, but perhaps on the other capability.
        let at = format!("s/{id}/events?kind=marker&find=phase%20{phase}");
        let marker = monitor.until("its marker is served", &at, |marker| {
            marker["rows"][0]["text"] == format!("phase {phase}")
        });
        // So are its threads, which need the events of all capabilities in their order, and the
        // timeline.
        let at = format!("s/{id}/threads?find=worker&limit=5000");
        monitor.until("its threads are served", &at, |threads| {
            let rows = threads["rows"].as_array().expect("rows");
            rows.len() >= 8 && rows.iter().all(|row| row["run_time"].as_u64() > Some(0))
        });
        let now = monitor.session("it runs", |it| it["live"] == true);
        assert!(now["end"].as_u64() > Some(end), "{now:#}");
        end = now["end"].as_u64().expect("a time");
        let time = &marker["rows"][0]["time"];
        let at = monitor.get(&format!("s/{id}/at?row=c0&time={time}"));
        assert!(at["events"].as_array().is_some_and(|it| !it.is_empty()));
        let rows = monitor.get(&format!("s/{id}/rows"));
        assert_eq!(rows["caps"].as_array().map(Vec::len), Some(2), "{rows:#}");
    }
    working.end();
    let session = monitor.session("it has ended", |it| it["ended"] == true);
    assert_eq!(session["error"], serde_json::Value::Null);
    let id = session["id"].as_str().expect("an id");
    let overview = monitor.get(&format!("s/{id}/overview"));
    assert_eq!(overview["losses"]["bytes"], 0, "{overview:#}");
    // Two threads for each of eight workers, three times.
    assert!(overview["threads"]["created"].as_u64() >= Some(48));
    monitor.tool.signal(Signal::INT);
    assert_eq!(monitor.tool.end().code(), Some(0));
}
