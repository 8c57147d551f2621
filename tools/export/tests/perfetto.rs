//! Perfetto's own format.

mod common;

use common::wire::{self, Trace};
use common::{Log, convert, corpus, create, label, marker, message, migrate, run, stop, wakeup};
use eventlog_export::{Exporter, Perfetto, Range, TraceEvents, Written};
use eventlog_state::{CapState, Fact, State, ThreadState};
use ghc_eventlog::{CapsetType, EventBody, StopStatus, Texts};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

/// Converts a log, reads the result, and checks that it is valid.
fn trace_of(log: &[u8], range: Range) -> (Trace, Written) {
    let mut bytes = Vec::new();
    let written = convert(log, Perfetto::new(&mut bytes, range));
    let trace = wire::read(&bytes);
    trace.check(&written);
    (trace, written)
}

fn identity() -> Vec<(u64, EventBody<'static>)> {
    vec![
        (
            0,
            EventBody::CapsetCreate {
                capset: 0,
                capset_type: CapsetType::OS_PROCESS,
            },
        ),
        (
            0,
            EventBody::ProgramArgs {
                capset: 0,
                args: Texts(b"/bin/demo\0--fast\0"),
            },
        ),
        (0, EventBody::OsprocessPid { capset: 0, pid: 77 }),
        (
            5,
            EventBody::WallClockTime {
                capset: 0,
                seconds: 1000,
                nanoseconds: 0,
            },
        ),
    ]
}

/// Two capabilities, two threads: the first one moves from 0 to 1, and is woken there by the
/// second.
fn program() -> Vec<u8> {
    Log::new()
        .block(None, &identity())
        .block(
            Some(0),
            &[
                (10, create(1)),
                (10, label(1, "main")),
                (10, create(2)),
                (20, run(1)),
                (25, message("START work")),
                (30, stop(1, StopStatus::YIELDING)),
                (32, migrate(1, 1)),
                (40, run(2)),
                (45, wakeup(1, 1)),
                (46, marker("half time")),
                (50, stop(2, StopStatus::FINISHED)),
            ],
        )
        .block(
            Some(1),
            &[
                (35, run(1)),
                (38, stop(1, StopStatus::MVAR)),
                (60, run(1)),
                (62, message("STOP work")),
                (65, stop(1, StopStatus::FINISHED)),
            ],
        )
        .bytes()
}

#[test]
fn capabilities_and_threads_have_tracks() {
    let (trace, _) = trace_of(&program(), Range::default());
    assert_eq!(
        trace.on("demo/threads/main (1)"),
        [
            ("runnable", 10, 20),
            ("running", 20, 30),
            ("runnable", 30, 35),
            ("running", 35, 38),
            ("blocked_on_mvar", 38, 60),
            ("running", 60, 65),
        ]
    );
    assert_eq!(
        trace.on("demo/threads/thread 2"),
        [("runnable", 10, 40), ("running", 40, 50)]
    );
    let runs = |cap: &str| -> Vec<_> {
        let slices = trace.slices.iter();
        let slices = slices.filter(|slice| trace.path(slice.track) == cap);
        slices
            .filter(|slice| slice.category == "mutator")
            .map(|slice| (&*slice.name, slice.from, slice.to, slice.args["thread"]))
            .collect()
    };
    assert_eq!(
        runs("demo/capabilities/capability 0"),
        [("main", 20, 30, 1), ("thread 2", 40, 50, 2)]
    );
    assert_eq!(
        runs("demo/capabilities/capability 1"),
        [("main", 35, 38, 1), ("main", 60, 65, 1)]
    );
    assert_eq!(trace.on("demo/threads/main (1)/spans"), [("work", 25, 62)]);
    assert_eq!(trace.moments("demo/markers"), [("half time", 46)]);
    // The thread was running on either capability when it wrote them.
    let moments = trace.moments("demo/threads/main (1)");
    assert_eq!(moments, [("START work", 25), ("STOP work", 62)]);
}

#[test]
fn arrows_lead_to_where_threads_go_on() {
    let (trace, _) = trace_of(&program(), Range::default());
    let arrow = |from: &str, at: u64, to: &str, then: u64| {
        let place = |path: &str| format!("demo/{path}");
        (place(from), at, place(to), then)
    };
    let expected = [
        arrow(
            "capabilities/capability 0",
            32,
            "capabilities/capability 1",
            35,
        ),
        arrow("threads/thread 2", 45, "threads/main (1)", 60),
    ];
    assert_eq!(trace.arrows(), expected.into());
}

#[test]
fn the_program_is_a_process_with_a_clock() {
    let (trace, _) = trace_of(&program(), Range::default());
    let root = trace.tracks.values().find(|track| track.parent.is_none());
    let root = root.expect("a program");
    assert_eq!((&*root.name, root.pid), ("demo", Some(77)));
    // The time of day was 1000 s at 5 ns of the log; 6 is the clock of the trace, 1 the time of
    // day.
    assert_eq!(trace.clocks, [[(6, 0), (1, 1_000_000_000_000 - 5)]]);

    // Process 0 would be the kernel.
    let pid = (0, EventBody::OsprocessPid { capset: 0, pid: 0 });
    let log = Log::new().block(None, &[identity()[0], pid]).bytes();
    let (trace, _) = trace_of(&log, Range::default());
    assert!(trace.tracks.values().all(|track| track.pid.is_none()));
}

#[test]
fn a_thread_runs_on_while_others_are_woken() {
    let events = [
        (1, create(1)),
        (2, create(2)),
        (3, run(2)),
        (4, stop(2, StopStatus::MVAR)),
        (5, run(1)),
        (6, wakeup(2, 0)),
        (7, create(3)),
        (9, stop(1, StopStatus::FINISHED)),
    ];
    let log = Log::new().block(Some(0), &events).bytes();
    let (trace, _) = trace_of(&log, Range::default());
    let slices = trace.on("program/capabilities/capability 0");
    let runs: Vec<_> = slices.iter().filter(|of| of.0 != "switching").collect();
    assert_eq!(runs, [&("thread 2", 3, 4), &("thread 1", 5, 9)]);
}

#[test]
fn a_part_of_the_log_is_clipped() {
    let range = Range { from: 35, to: 47 };
    let (trace, _) = trace_of(&program(), range);
    assert_eq!(
        trace.on("demo/threads/main (1)"),
        [("running", 35, 38), ("blocked_on_mvar", 38, 47)]
    );
    assert_eq!(trace.on("demo/threads/main (1)/spans"), [("work", 35, 47)]);
    // Both arrows have one end outside.
    assert!(trace.arrows().is_empty(), "{:?}", trace.arrows());
    assert_eq!(trace.moments("demo/markers"), [("half time", 46)]);
}

#[test]
fn spans_that_overlap_have_tracks_of_their_own() {
    let events = [
        (1, create(1)),
        (2, run(1)),
        (10, message("START outer")),
        // It begins together with the one around it.
        (20, message("START a")),
        (20, message("START b")),
        (30, message("STOP b")),
        (40, message("STOP a")),
        (45, message("START c")),
        (50, message("STOP outer")),
        (60, message("STOP c")),
        (70, stop(1, StopStatus::FINISHED)),
    ];
    let log = Log::new().block(Some(0), &events).bytes();
    let (trace, _) = trace_of(&log, Range::default());
    let spans = trace.slices.iter().filter(|slice| slice.category == "span");
    let mut spans: Vec<_> = spans
        .map(|of| (&*of.name, of.from, of.to, of.track))
        .collect();
    spans.sort();
    let places: Vec<_> = spans.iter().map(|of| (of.0, of.1, of.2)).collect();
    assert_eq!(
        places,
        [
            ("a", 20, 40),
            ("b", 20, 30),
            ("c", 45, 60),
            ("outer", 10, 50)
        ]
    );
    let track = |at: usize| spans[at].3;
    assert_ne!(track(0), track(1));
    assert_eq!(track(1), track(3), "what nests shares a track");
    assert_ne!(track(2), track(3));
    assert!(
        spans
            .iter()
            .all(|of| trace.path(of.3) == "program/threads/thread 1/spans")
    );
}

#[test]
fn a_name_that_comes_late_is_told() {
    let events = [
        (1, create(1)),
        (2, run(1)),
        (3, stop(1, StopStatus::YIELDING)),
        (4, run(1)),
        (5, label(1, "late")),
        (6, stop(1, StopStatus::FINISHED)),
    ];
    let log = Log::new().block(Some(0), &events).bytes();
    let (trace, _) = trace_of(&log, Range::default());
    assert_eq!(trace.on("program/threads/late (1)").len(), 4);
    let runs = trace.on("program/capabilities/capability 0");
    let runs: Vec<_> = runs.iter().map(|(name, _, _)| *name).collect();
    // The second run ends with the thread: its name is still known.
    assert_eq!(runs, ["switching", "thread 1", "switching", "late"]);
}

#[test]
fn counters_show_the_heap_and_sparks() {
    const MS: u64 = 1_000_000;
    let allocated = |bytes| EventBody::HeapAllocated { capset: 0, bytes };
    let sparks = |created, remaining| EventBody::SparkCounters {
        created,
        dud: 0,
        overflowed: 0,
        converted: 1,
        gcd: 0,
        fizzled: 0,
        remaining,
    };
    let log = Log::new()
        .block(
            Some(0),
            &[
                (10 * MS, allocated(1000)),
                (20 * MS, allocated(6000)),
                (21 * MS, sparks(3, 2)),
                (
                    22 * MS,
                    EventBody::HeapSize {
                        capset: 0,
                        bytes: 1 << 20,
                    },
                ),
            ],
        )
        .block(
            Some(1),
            &[(30 * MS, allocated(500)), (31 * MS, sparks(4, 0))],
        )
        .bytes();
    let (trace, _) = trace_of(&log, Range::default());
    let total = [(10 * MS, 1000), (20 * MS, 6000), (30 * MS, 6500)];
    assert_eq!(trace.values("program/heap/allocated"), total);
    // 5000 bytes in the ten milliseconds before, 500 in the next ten.
    let rate = trace.values("program/heap/allocation rate");
    assert_eq!(rate[..2], [(10 * MS, 500_000), (20 * MS, 50_000)]);
    assert_eq!(trace.values("program/heap/heap size"), [(22 * MS, 1 << 20)]);
    let created = trace.values("program/sparks/sparks created");
    assert_eq!(created, [(21 * MS, 3), (31 * MS, 7)]);
    // Only changes are written.
    assert_eq!(
        trace.values("program/sparks/sparks in pool"),
        [(21 * MS, 2)]
    );
}

#[test]
fn threads_beyond_the_limit_are_counted() {
    let mut events = Vec::new();
    for thread in 1..=20 {
        events.push((thread.into(), create(thread)));
    }
    let log = Log::new().block(Some(0), &events).bytes();
    let mut bytes = Vec::new();
    let exporter = Perfetto::new(&mut bytes, Range::default()).most_threads(8);
    let written = convert(&log, exporter);
    let trace = wire::read(&bytes);
    trace.check(&written);
    let threads = trace
        .tracks
        .keys()
        .filter(|of| trace.path(**of).contains("/thread "));
    assert_eq!(threads.count(), 8);
    // The last one was created at the end: its interval is empty.
    assert_eq!(written.left_out, 11);
}

fn collected(capset: u32) -> EventBody<'static> {
    EventBody::GcStatsGhc {
        capset,
        generation: 1,
        copied: 10,
        slop: 0,
        fragmentation: 0,
        par_threads: 1,
        par_max_copied: 10,
        par_tot_copied: 10,
        par_balanced_copied: Some(0),
    }
}

/// Two programs in one log: the second one's capability is 1, its thread 9.
fn merged() -> Vec<u8> {
    const NAMES: [&[u8]; 2] = [b"/bin/client\0", b"/bin/server\0"];
    let mut told = Vec::new();
    for (capset, cap) in [(0, 0), (7, 1)] {
        let capset_type = CapsetType::OS_PROCESS;
        let args = Texts(NAMES[usize::from(cap)]);
        let pid = 100 + u32::from(cap);
        told.extend([
            (
                0,
                EventBody::CapsetCreate {
                    capset,
                    capset_type,
                },
            ),
            (0, EventBody::ProgramArgs { capset, args }),
            (0, EventBody::OsprocessPid { capset, pid }),
            (
                0,
                EventBody::CapsetAssignCap {
                    capset,
                    assigned_cap: cap,
                },
            ),
        ]);
    }
    let mut log = Log::new().block(None, &told);
    for (capset, cap, thread) in [(0, 0, 1), (7, 1, 9)] {
        let bytes = 1000 + u64::from(capset);
        log = log.block(
            Some(cap),
            &[
                (10, create(thread)),
                (20, run(thread)),
                (21, message("START work")),
                (22, marker("mark")),
                (25, EventBody::HeapSize { capset, bytes }),
                (26, EventBody::HeapAllocated { capset, bytes }),
                (29, message("STOP work")),
                (30, stop(thread, StopStatus::FINISHED)),
                (31, EventBody::RequestSeqGc),
                (32, EventBody::GcStart),
                (39, collected(capset)),
                (40, EventBody::GcEnd),
            ],
        );
    }
    log.bytes()
}

#[test]
fn each_program_of_a_merged_log_is_a_process() {
    let (trace, _) = trace_of(&merged(), Range::default());
    let roots = trace.tracks.values().filter(|track| track.parent.is_none());
    let roots: BTreeMap<_, _> = roots.map(|track| (&*track.name, track.pid)).collect();
    assert_eq!(
        roots,
        BTreeMap::from([("client", Some(100)), ("server", Some(101))])
    );
    for (program, cap, thread, bytes) in [("client", 0, 1, 1000), ("server", 1, 9, 1007)] {
        let paths: BTreeSet<_> = trace
            .tracks
            .keys()
            .map(|track| trace.path(*track))
            .collect();
        let below = format!("{program}/");
        let paths: Vec<_> = paths
            .iter()
            .filter_map(|path| path.strip_prefix(&below))
            .collect();
        let expected = [
            "capabilities".to_owned(),
            format!("capabilities/capability {cap}"),
            "collections".to_owned(),
            "heap".to_owned(),
            "heap/allocated".to_owned(),
            "heap/allocation rate".to_owned(),
            "heap/heap size".to_owned(),
            "markers".to_owned(),
            "threads".to_owned(),
            format!("threads/thread {thread}"),
            format!("threads/thread {thread}/spans"),
        ];
        assert_eq!(paths, expected, "{program}");
        let at = |path: &str| format!("{program}/{path}");
        for (counter, time) in [("heap/heap size", 25), ("heap/allocated", 26)] {
            assert_eq!(trace.values(&at(counter)), [(time, bytes)]);
        }
    }
}

#[test]
fn what_no_capability_tells_is_of_the_program_that_goes_on() {
    // The concurrent collector's events are in the global block.
    let events = [
        (70, EventBody::CapsetDelete { capset: 0 }),
        (80, EventBody::ConcSyncBegin),
        (90, EventBody::ConcSyncEnd),
    ];
    let log = [merged(), Log::new().block(None, &events).bytes_of_blocks()].concat();
    let (trace, _) = trace_of(&log, Range::default());
    assert_eq!(trace.on("server/concurrent collector").len(), 1);
}

#[test]
fn each_program_of_a_merged_log_has_processes_in_json() {
    let mut json = Vec::new();
    convert(
        &merged(),
        TraceEvents::new(&mut json, Range::default(), false),
    );
    let json: Value = serde_json::from_slice(&json).expect("JSON");
    let events = json["traceEvents"].as_array().expect("events");
    let mut processes = BTreeMap::new();
    for event in events
        .iter()
        .filter(|event| event["name"] == "process_name")
    {
        let name = event["args"]["name"].as_str().expect("a name");
        let pid = event["pid"].as_u64().expect("a number");
        assert_eq!(processes.insert(pid, name.to_owned()), None);
    }
    let groups = ["capabilities", "threads"];
    let expected = ["client (process 100)", "server (process 101)"];
    let expected = expected.map(|program| groups.map(|of| format!("{program}: {of}")));
    let mut names: Vec<_> = processes.values().cloned().collect();
    names.sort();
    assert_eq!(names, expected.concat());
    // Everything is shown below its own program.
    let thread = |event: &Value| event["args"]["thread"].as_u64();
    for event in events.iter().filter(|event| event["ph"] != "M") {
        let process = &processes[&event["pid"].as_u64().expect("a number")];
        let program = process.split(' ').next().expect("a word");
        let told = match (event["tid"].as_u64(), thread(event)) {
            (_, Some(1)) | (Some(1), _) => "client",
            (_, Some(9)) | (Some(2 | 9), _) => "server",
            _ => program,
        };
        match event["ph"].as_str() {
            Some("C") => {
                let bytes = if program == "client" { 1000 } else { 1007 };
                assert_eq!(event["args"]["bytes"], bytes, "{event}");
            }
            _ => assert_eq!(program, told, "{event}"),
        }
    }
}

#[test]
fn what_a_capability_does_while_it_writes_the_log_is_told() {
    let log = Log::new()
        .block(Some(0), &[(10, create(1)), (20, run(1))])
        .block(
            Some(0),
            &[(50, message("x")), (60, stop(1, StopStatus::FINISHED))],
        )
        .bytes();
    let (trace, _) = trace_of(&log, Range::default());
    assert_eq!(
        trace.on("program/capabilities/capability 0"),
        [
            ("switching", 10, 20),
            ("writing_log", 20, 50),
            ("thread 1", 50, 60)
        ]
    );
    // The thread is not affected.
    assert_eq!(
        trace.on("program/threads/thread 1"),
        [("runnable", 10, 20), ("running", 20, 60)]
    );
}

#[test]
fn a_log_that_begins_anew_is_another_program() {
    let part = program();
    let log = [&part[..], &part[..]].concat();
    let (trace, written) = trace_of(&log, Range::default());
    let (once, alone) = trace_of(&part, Range::default());
    assert_eq!(written.slices, 2 * alone.slices);
    assert_eq!(written.tracks, 2 * alone.tracks);
    // Times begin again as well: the clock is that of the first one.
    assert_eq!(trace.clocks, once.clocks);
}

/// The slices that are expected for a log.
#[derive(Default)]
struct Expected(BTreeMap<(String, u64, u64), u32>);

impl Expected {
    fn add(&mut self, name: impl Into<String>, from: u64, to: u64) {
        if from < to {
            *self.0.entry((name.into(), from, to)).or_default() += 1;
        }
    }
}

impl Exporter for Expected {
    type Error = Infallible;
    type Report = BTreeMap<(String, u64, u64), u32>;

    fn fact(&mut self, _state: &State, fact: &Fact<'_>) -> Result<(), Infallible> {
        match fact {
            Fact::Thread(of)
                if !matches!(of.state, ThreadState::Unknown | ThreadState::Finished) =>
            {
                self.add(format!("state {}", of.state.name()), of.from, of.to);
            }
            Fact::Cap(of) if !matches!(of.state, CapState::Idle | CapState::Unknown) => {
                self.add(of.state.name(), of.from, of.to);
            }
            Fact::Collection(of) => self.add("gc", of.start, of.end),
            Fact::Phase(of) => self.add("gc", of.from, of.to),
            Fact::Span(of) => self.add(format!("span {}", of.name), of.start, of.end),
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<Self::Report, Infallible> {
        Ok(self.0)
    }
}

/// Every interval of the log is a slice, and every slice an interval.
fn is_complete(name: &str, log: &[u8]) {
    let (trace, written) = trace_of(log, Range::default());
    assert_eq!(written.left_out, 0, "{name}");
    let mut found = Expected::default();
    for slice in &trace.slices {
        let shown = match &*slice.category {
            category @ ("state" | "span") => format!("{category} {}", slice.name),
            category => category.to_owned(),
        };
        found.add(shown, slice.from, slice.to);
    }
    let expected = convert(log, Expected::default());
    for (slice, count) in &expected {
        assert_eq!(found.0.get(slice), Some(count), "{name}: {slice:?}");
    }
    assert_eq!(found.0, expected, "{name}");
}

#[test]
fn real_logs_are_complete() {
    for (name, log) in corpus() {
        is_complete(&name, &log);
    }
}

/// A deterministic generator of random numbers.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % end
    }
}

/// A log that no program writes: random events, at random times that do not go back.
fn nonsense(seed: u64) -> Vec<u8> {
    let mut chance = Chance(seed);
    let mut log = Log::new().block(None, &identity());
    let names = [
        "START a",
        "STOP a",
        "START 1 b",
        "STOP 1 b",
        "START c",
        "END c",
        "x",
    ];
    let stops = [
        StopStatus::YIELDING,
        StopStatus::FINISHED,
        StopStatus::MVAR,
        StopStatus::BLACK_HOLE,
        StopStatus::FOREIGN_CALL,
        StopStatus::HEAP_OVERFLOW,
    ];
    let mut times = [1; 3];
    for _ in 0..60 {
        let cap = chance.below(3);
        let mut events = Vec::new();
        for _ in 0..chance.below(12) {
            let time = &mut times[cap as usize];
            *time += chance.below(4);
            let thread = chance.below(6) as u32;
            let other = chance.below(3) as u16;
            let body = match chance.below(16) {
                0 => create(thread),
                1..4 => run(thread),
                4..7 => stop(thread, stops[chance.below(6) as usize]),
                7 => wakeup(thread, other),
                8 => migrate(thread, other),
                9..11 => message(names[chance.below(7) as usize]),
                11 => label(thread, ["one", "two"][chance.below(2) as usize]),
                12 => EventBody::GcStart,
                13 => EventBody::GcEnd,
                14 => EventBody::RequestSeqGc,
                _ => EventBody::GcWork,
            };
            events.push((*time, body));
        }
        log = log.block(Some(cap as u16), &events);
    }
    log.bytes()
}

#[test]
fn nonsense_makes_a_sound_trace() {
    for seed in 0..200 {
        let log = nonsense(seed);
        trace_of(&log, Range::default());
        trace_of(&log, Range { from: 20, to: 60 });
    }
}
