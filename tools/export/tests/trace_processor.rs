//! Loads the traces into Perfetto itself.
//!
//! `EVENTLOG_TRACE_PROCESSOR` is a program that loads a trace and queries it: called with the path
//! of a trace and statements of SQL, it prints a line of JSON for each of them: the array of the
//! rows, each the array of its columns (numbers, or strings that contain them). If it is not set,
//! the test is skipped.

mod common;

use common::{Log, convert, corpus, create, label, marker, message, migrate, run, stop, wakeup};
use eventlog_export::{Perfetto, Range, TraceEvents};
use ghc_eventlog::{CapsetType, EventBody, StopStatus, Texts};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const ERRORS: &str =
    "select name, value from stats where severity in ('error', 'data_loss') and value > 0";
const SLICES: &str = "select count(*) from slice";
const COUNTERS: &str = "select count(*) from counter";
const FLOWS: &str = "select count(*) from flow";
const UNNAMED: &str = "select count(*) from slice where name is null";
const PROCESSES: &str = "select name from process where pid > 0 order by name";

/// A directory that is removed when this is dropped.
struct Dir(std::path::PathBuf);

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The rows of each query.
fn ask(processor: &str, trace: &Path, queries: &[&str]) -> Vec<Vec<Vec<String>>> {
    let output = Command::new(processor)
        .arg(trace)
        .args(queries)
        .output()
        .unwrap_or_else(|error| panic!("EVENTLOG_TRACE_PROCESSOR={processor}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{trace:?}: {output:?}");
    let lines = said.lines().map(|line| {
        let rows: Vec<Vec<Value>> = serde_json::from_str(line)
            .unwrap_or_else(|error| panic!("{line:?} is not an array of rows: {error}"));
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let row = |row: Vec<Value>| row.into_iter().map(text).collect();
        rows.into_iter().map(row).collect()
    });
    let answers: Vec<_> = lines.collect();
    assert_eq!(answers.len(), queries.len(), "{said}");
    answers
}

fn number(rows: &[Vec<String>]) -> u64 {
    match rows {
        [row] => row[0].parse().expect("a number"),
        _ => panic!("not one row: {rows:?}"),
    }
}

/// A log of two programs that contains something of every kind.
fn two_programs() -> Vec<u8> {
    const NAMES: [&[u8]; 2] = [b"/bin/client\0", b"/bin/server\0"];
    let mut told = Vec::new();
    for (capset, cap) in [(0, 0), (7, 1)] {
        let capset_type = CapsetType::OS_PROCESS;
        let args = Texts(NAMES[usize::from(cap)]);
        let pid = 100 + u32::from(cap);
        let assigned_cap = cap;
        told.extend([
            EventBody::CapsetCreate {
                capset,
                capset_type,
            },
            EventBody::ProgramArgs { capset, args },
            EventBody::OsprocessPid { capset, pid },
            EventBody::CapsetAssignCap {
                capset,
                assigned_cap,
            },
        ]);
    }
    let told: Vec<_> = told.into_iter().map(|body| (0, body)).collect();
    let mut log = Log::new().block(None, &told);
    for (capset, cap, thread) in [(0, 0, 1), (7, 1, 9)] {
        let bytes = 1000;
        let at = |time: u64| 1000 * time;
        log = log.block(
            Some(cap),
            &[
                (at(10), create(thread)),
                (at(11), create(thread + 1)),
                (at(12), label(thread, "main")),
                (at(20), run(thread)),
                (at(21), message("START work")),
                (at(22), marker("mark")),
                (at(23), message("START 1 part")),
                (at(25), EventBody::HeapSize { capset, bytes }),
                (at(26), EventBody::HeapAllocated { capset, bytes }),
                (at(29), message("STOP work")),
                (at(30), stop(thread, StopStatus::MVAR)),
                (at(31), EventBody::GcStart),
                (at(40), EventBody::GcEnd),
                (at(41), run(thread + 1)),
                (at(42), wakeup(thread, cap)),
                (at(44), stop(thread + 1, StopStatus::FINISHED)),
                (at(45), migrate(thread, 1 - cap)),
            ],
        );
        log = log.block(
            Some(cap),
            &[
                (at(50), migrate(thread, cap)),
                (at(51), run(thread)),
                (at(52), message("STOP 1 part")),
                (at(60), stop(thread, StopStatus::FINISHED)),
            ],
        );
    }
    log.bytes()
}

/// Counts what is in the JSON: slices of all kinds, and values of counters.
fn counted(json: &[u8]) -> (u64, u64) {
    let json: Value = serde_json::from_slice(json).expect("JSON");
    let events = json["traceEvents"].as_array().expect("events");
    let of = |phase: &str| events.iter().filter(|of| of["ph"] == phase).count() as u64;
    assert_eq!(of("b"), of("e"));
    (of("X") + of("b") + of("i"), of("C"))
}

#[test]
fn perfetto_takes_every_slice() {
    let Ok(processor) = std::env::var("EVENTLOG_TRACE_PROCESSOR") else {
        eprintln!("SKIPPED: EVENTLOG_TRACE_PROCESSOR is not set: Perfetto was not asked");
        return;
    };
    let dir = std::env::temp_dir().join(format!("eventlog-export-{}", std::process::id()));
    std::fs::create_dir(&dir).expect("a new directory");
    let dir = Dir(dir);
    // Logs of the newest GHC, one of each kind: loading each takes some seconds.
    let kinds = ["caps", "flush", "killed", "messages", "mix", "nonmoving"];
    let mut logs = corpus();
    logs.retain(|(name, _)| {
        let kind = name.strip_prefix("9.10.3-");
        kind.is_some_and(|kind| kinds.iter().any(|of| kind == format!("{of}.eventlog")))
            || name == "9.0.2-mix.eventlog"
            || name == "9.0.2-hello.eventlog"
    });
    logs.sort();
    logs.dedup_by(|a, b| a.0 == b.0);
    logs.push(("two programs".to_owned(), two_programs()));
    for (name, log) in logs {
        let mut native = Vec::new();
        let written = convert(&log, Perfetto::new(&mut native, Range::default()));
        let path = dir.0.join("native.pftrace");
        std::fs::write(&path, native).expect("a file");
        let queries = [ERRORS, SLICES, COUNTERS, FLOWS, UNNAMED, PROCESSES];
        let answers = ask(&processor, &path, &queries);
        assert!(answers[0].is_empty(), "{name}: {:?}", answers[0]);
        let [slices, counters, flows, unnamed] = [1, 2, 3, 4].map(|at| number(&answers[at]));
        // An instant event is a slice without duration.
        assert_eq!(slices, written.slices + written.instants, "{name}: slices");
        assert_eq!(counters, written.counters, "{name}: values of counters");
        assert_eq!(flows, written.flows, "{name}: flows");
        assert_eq!(unnamed, 0, "{name}: slices without a name");
        if name == "two programs" {
            assert_eq!(answers[5].concat(), ["client", "server"]);
        }

        let mut json = Vec::new();
        convert(&log, TraceEvents::new(&mut json, Range::default(), false));
        let path = dir.0.join("trace.json");
        std::fs::write(&path, &json).expect("a file");
        let answers = ask(&processor, &path, &[ERRORS, SLICES, COUNTERS]);
        assert!(answers[0].is_empty(), "{name} as JSON: {:?}", answers[0]);
        let found = (number(&answers[1]), number(&answers[2]));
        assert_eq!(found, counted(&json), "{name} as JSON");
        println!(
            "{name}: {slices} slices and moments, {counters} values, {flows} flows; \
             as JSON {} and {}",
            found.0, found.1
        );
    }
}
