//! `eventlog validate`.

use crate::common::{Dir, Done, Log, eventlog, eventlog_with};
use crate::program::{Timed, at, create, everything, gc_stats, run, stop};
use ghc_eventlog::{EventBody, Header, StopStatus};

fn validate(log: &[u8]) -> Done {
    eventlog_with(&["validate", "--json", "-"], log)
}

/// The kinds of errors in a log whose only block, of capability 0, has these
/// events.
fn errors(events: &[Timed<'_>]) -> Vec<String> {
    let announced = [(0, EventBody::CapCreate { created_cap: 0 })];
    let log = Log::new()
        .block(None, &announced)
        .block(Some(0), &at(events))
        .end();
    kinds(&validate(&log), "error")
}

fn kinds(done: &Done, severity: &str) -> Vec<String> {
    let findings = done.json();
    let findings = findings.iter().filter(|of| of["severity"] == severity);
    findings
        .map(|of| of["kind"].as_str().expect("a kind").to_owned())
        .collect()
}

#[test]
fn a_good_log_is_valid() {
    let done = validate(&everything()).exits(0);
    let findings = done.json();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0]["summary"]["errors"], 0);
    assert_eq!(findings[0]["summary"]["warnings"], 0);
    assert_eq!(findings[0]["summary"]["blocks"], 3);
    let text = eventlog_with(&["validate", "-"], &everything()).exits(0);
    assert!(text.stdout.starts_with("valid: "), "{}", text.stdout);
}

#[test]
fn threads_do_one_thing_at_a_time() {
    let ready = StopStatus::YIELDING;
    let over = StopStatus::FINISHED;
    let good = [
        (1, create(1)),
        (2, run(1)),
        (3, stop(1, ready)),
        (4, run(1)),
        (5, stop(1, over)),
    ];
    assert_eq!(errors(&good), [""; 0]);
    assert_eq!(
        errors(&[(1, create(1)), (2, create(1))]),
        ["thread_created_twice"]
    );
    let two = [
        (1, create(1)),
        (1, create(2)),
        (2, run(1)),
        (3, run(2)),
        (4, stop(2, ready)),
    ];
    assert_eq!(errors(&two), ["cap_runs_two_threads"]);
    assert_eq!(
        errors(&[(1, create(1)), (2, stop(1, ready))]),
        ["idle_thread_stops"]
    );
    let wrong = [
        (1, create(1)),
        (1, create(2)),
        (2, run(1)),
        (3, stop(2, ready)),
    ];
    assert_eq!(errors(&wrong), ["wrong_thread_stops", "idle_thread_stops"]);
    let risen = [(1, create(1)), (2, run(1)), (3, stop(1, over)), (4, run(1))];
    assert_eq!(errors(&risen), ["finished_thread_runs"]);
    let moved = [
        (1, create(1)),
        (2, run(1)),
        (
            3,
            EventBody::MigrateThread {
                thread: 1,
                new_cap: 1,
            },
        ),
    ];
    assert_eq!(errors(&moved), ["running_thread_migrates"]);
}

#[test]
fn a_thread_runs_on_one_capability() {
    let caps = [0, 1].map(|created_cap| (0, EventBody::CapCreate { created_cap }));
    let log = Log::new()
        .block(None, &caps)
        .block(
            Some(0),
            &at(&[
                (1, create(1)),
                (2, run(1)),
                (9, stop(1, StopStatus::YIELDING)),
            ]),
        )
        .block(
            Some(1),
            &at(&[(5, run(1)), (6, stop(1, StopStatus::YIELDING))]),
        )
        .end();
    let done = validate(&log).exits(1);
    assert_eq!(kinds(&done, "error")[0], "thread_runs_twice");
    // The same events in turn are correct, though the blocks are not in order.
    let log = Log::new()
        .block(None, &caps)
        .block(
            Some(1),
            &at(&[(5, run(1)), (6, stop(1, StopStatus::YIELDING))]),
        )
        .block(
            Some(0),
            &at(&[
                (1, create(1)),
                (2, run(1)),
                (4, stop(1, StopStatus::YIELDING)),
            ]),
        )
        .end();
    validate(&log).exits(0);
}

#[test]
fn a_capability_whose_beginning_is_overwritten_may_begin_with_a_stop() {
    let caps = [0, 1].map(|created_cap| (0, EventBody::CapCreate { created_cap }));
    let passed_on = [
        (1, create(1)),
        (2, run(1)),
        (3, stop(1, StopStatus::YIELDING)),
    ];
    let log = |second: &[(u64, EventBody)]| {
        Log::new()
            .block(None, &caps)
            .block(Some(0), &at(&passed_on))
            .block(Some(1), &at(second))
            .end()
    };
    // The events that passed it on and started it are in the block that is missing.
    let (other, over) = (create(2), stop(1, StopStatus::FINISHED));
    validate(&log(&[(7, other), (8, over)])).exits(0);
    // Here nothing can be missing: it stops twice.
    let twice = log(&[
        (7, stop(1, StopStatus::YIELDING)),
        (8, stop(1, StopStatus::YIELDING)),
    ]);
    let done = validate(&twice).exits(1);
    assert_eq!(kinds(&done, "error"), ["idle_thread_stops"]);
}

#[test]
fn a_log_may_name_the_highest_capability() {
    let events = [
        (1, create(1)),
        (2, run(1)),
        (3, stop(1, StopStatus::YIELDING)),
        (
            4,
            EventBody::MigrateThread {
                thread: 1,
                new_cap: u16::MAX,
            },
        ),
    ];
    let log = Log::new().block(Some(0), &at(&events)).end();
    let done = validate(&log);
    assert!(done.code <= 1, "{done:?}");
}

#[test]
fn collections_begin_and_end() {
    let (start, end) = (EventBody::GcStart, EventBody::GcEnd);
    // Statistics before the end, with a later time, and in a sorted log.
    assert_eq!(errors(&[(1, start), (5, gc_stats(0)), (4, end)]), [""; 0]);
    assert_eq!(errors(&[(1, start), (4, end), (5, gc_stats(0))]), [""; 0]);
    assert_eq!(errors(&[(1, start), (2, start)]), ["collection_twice"]);
    assert_eq!(
        errors(&[(1, start), (2, end), (3, end)]),
        ["collection_never_began"]
    );
    assert_eq!(
        errors(&[(0, create(1)), (1, start), (2, run(1)), (3, end)]),
        ["runs_while_collecting"]
    );
}

#[test]
fn running_totals_do_not_fall() {
    let total = |bytes| EventBody::HeapAllocated { capset: 0, bytes };
    assert_eq!(
        errors(&[(1, total(10)), (2, total(10)), (3, total(20))]),
        [""; 0]
    );
    assert_eq!(
        errors(&[(1, total(10)), (2, total(9))]),
        ["allocation_shrinks"]
    );
}

#[test]
fn heap_samples_are_closed() {
    let (begin, end) = (
        EventBody::HeapProfSampleBegin { era: 1 },
        EventBody::HeapProfSampleEnd { era: 1 },
    );
    let band = EventBody::HeapProfSampleString {
        profile: 0,
        residency: 1,
        label: "x".into(),
    };
    assert_eq!(errors(&[(1, begin), (1, band), (1, end)]), [""; 0]);
    assert_eq!(errors(&[(1, band)]), ["band_outside_sample"]);
    assert_eq!(errors(&[(1, end)]), ["sample_never_began"]);
}

#[test]
fn findings_tell_where() {
    let log = Log::new()
        .block(Some(0), &at(&[(1, create(1)), (2, create(1))]))
        .end();
    // After the header, the marker, and an event of 14 bytes.
    let offset = Header::standard().as_bytes().len() + 24 + 14;
    let findings = validate(&log).exits(1).json();
    let found = findings
        .iter()
        .find(|of| of["severity"] == "error")
        .expect("an error");
    assert_eq!(found["offset"], offset);
    assert_eq!(found["time"], 2_000_000);
    assert_eq!(found["cap"], 0);
    let text = eventlog_with(&["validate", "-"], &log).exits(1).stdout;
    assert!(
        text.contains(&format!(
            "error at byte {offset}, 0.002000000 s, cap 0: thread 1"
        )),
        "{text}"
    );
    assert!(text.contains("\nfaulty: "), "{text}");
}

#[test]
fn unreadable_bytes_are_skipped_and_told() {
    let good = everything();
    let header = Header::standard().as_bytes().len();
    let log = [&good[..header], &[0xee; 50], &good[header..]].concat();
    let done = validate(&log).exits(1);
    let found = &done.json()[0];
    assert_eq!(found["kind"], "unreadable");
    assert_eq!(found["offset"], header);
    assert!(
        found["message"]
            .as_str()
            .is_some_and(|text| text.contains("50 bytes skipped")),
        "{found}"
    );
    // Everything after it was read.
    let all = validate(&good).json();
    assert_eq!(
        done.json().last().expect("it")["summary"]["events"],
        all[0]["summary"]["events"]
    );
}

#[test]
fn blocks_have_the_size_that_they_claim() {
    let mut log = everything();
    let size = Header::standard().as_bytes().len() + 10;
    log[size + 3] += 20;
    let done = validate(&log).exits(1);
    assert_eq!(kinds(&done, "error"), ["block_cut_short"]);
}

#[test]
fn a_log_must_be_complete() {
    let log = everything();
    let cut = validate(&log[..log.len() - 10]).exits(1);
    assert_eq!(kinds(&cut, "error"), ["truncated"]);
    let unmarked = &log[..log.len() - 2];
    assert_eq!(
        kinds(&validate(unmarked).exits(0), "warning"),
        ["no_end_mark"]
    );
    eventlog_with(&["validate", "--strict", "--quiet", "-"], unmarked).exits(1);
    validate(b"").exits(1);
    validate(b"GARBAGE, and more than sixteen bytes of it").exits(1);
}

#[test]
fn older_threads_are_a_note() {
    let done = validate(
        &Log::new()
            .block(
                Some(0),
                &at(&[(1, run(9)), (2, stop(9, StopStatus::FINISHED))]),
            )
            .end(),
    )
    .exits(0);
    assert!(kinds(&done, "note").contains(&"threads_not_created".to_owned()));
}

#[test]
fn only_so_many_of_a_kind_are_printed() {
    let twice: Vec<_> = (0..50).map(|time| (time, create(1))).collect();
    let log = Log::new().block(Some(0), &at(&twice)).end();
    let done = eventlog_with(&["validate", "--max", "3", "-"], &log).exits(1);
    assert_eq!(
        done.lines()
            .iter()
            .filter(|line| line.starts_with("error"))
            .count(),
        3
    );
    assert!(
        done.stdout.contains("46 more of kind thread_created_twice"),
        "{}",
        done.stdout
    );
    let quiet = eventlog_with(&["validate", "--quiet", "-"], &log).exits(1);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}

#[test]
fn nothing_is_there() {
    let dir = Dir::new();
    eventlog(&["validate", &dir.file("missing")]).exits(3);
}

fn ticky_sample(counter: u64) -> EventBody<'static> {
    EventBody::TickyCounterSample {
        counter,
        entries: 1,
        allocs: 2,
        allocated: 3,
    }
}

fn ticky_definition(counter: u64) -> EventBody<'static> {
    EventBody::TickyCounterDef {
        counter,
        arity: 1,
        arg_kinds: "+".into(),
        name: "f".into(),
        info: None,
        json: None,
    }
}

#[test]
fn ticky_counters_are_defined_at_the_end() {
    let begin = EventBody::TickyCounterBeginSample;
    let log = |events: &[_]| Log::new().block(None, events).end();
    let defined = log(&[
        (1, begin),
        (1, ticky_sample(7)),
        (2, begin),
        (2, ticky_sample(7)),
        (3, ticky_definition(7)),
    ]);
    validate(&defined).exits(0);
    let done = eventlog_with(&["validate", "--strict", "-"], &defined).exits(0);
    assert!(done.stdout.contains("0 warnings, 0 notes"), "{done:?}");
    // One of two is missing.
    let missing = log(&[
        (1, begin),
        (1, ticky_sample(7)),
        (1, ticky_sample(8)),
        (2, ticky_sample(8)),
        (3, ticky_definition(7)),
    ]);
    let done = validate(&missing).exits(0);
    assert_eq!(kinds(&done, "warning"), ["undefined_ticky_counter"]);
    // A program that was killed writes none at all, which is no fault of the log.
    let killed = log(&[(1, begin), (1, ticky_sample(7)), (1, ticky_sample(8))]);
    let done = validate(&killed).exits(0);
    assert_eq!(kinds(&done, "warning"), [""; 0]);
    assert_eq!(kinds(&done, "note"), ["no_ticky_definitions"]);
}

/// What GHC 7 writes before its first block, and twice.
#[test]
fn logs_of_old_systems_pass_the_strict_check() {
    use ghc_eventlog::{Header, encode_event};
    let header = Header::standard();
    let mut outside = Vec::new();
    let startup = EventBody::Startup { capabilities: 1 };
    encode_event(&header, 0, &startup, &mut outside).expect("declared");
    let created = EventBody::CapCreate { created_cap: 0 };
    let old = Log::new()
        .raw(&outside)
        .block(None, &[(1, created)])
        .block(
            Some(0),
            &[
                (2, create(1)),
                (3, run(1)),
                (4, stop(1, StopStatus::FINISHED)),
            ],
        )
        .end();
    let done = eventlog_with(&["validate", "--strict", "-"], &old).exits(0);
    assert!(done.stdout.contains("0 warnings, 0 notes"), "{done:?}");
    // What a capability does cannot be outside its blocks, and none is created twice.
    let mut outside = Vec::new();
    encode_event(&header, 0, &run(1), &mut outside).expect("declared");
    let odd = Log::new()
        .raw(&outside)
        .block(None, &[(1, created), (2, created)])
        .end();
    let done = validate(&odd);
    assert_eq!(
        kinds(&done, "warning"),
        ["outside_block", "cap_created_twice"]
    );
}
