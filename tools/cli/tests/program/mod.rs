//! A small log of a program that never ran: two capabilities, two threads,
//! spans, collections, a heap profile, sparks.

use crate::common::Log;
use ghc_eventlog::{Breakdown, CapsetType, EventBody, StopStatus, Text, Texts};

const MS: u64 = 1_000_000;

/// An event and its time in milliseconds.
pub type Timed<'a> = (u64, EventBody<'a>);

/// Times in nanoseconds, as logs have them.
pub fn at<'a>(events: &[Timed<'a>]) -> Vec<Timed<'a>> {
    events
        .iter()
        .map(|(time, body)| (time * MS, *body))
        .collect()
}

pub fn create(thread: u32) -> EventBody<'static> {
    EventBody::CreateThread { thread }
}

pub fn run(thread: u32) -> EventBody<'static> {
    EventBody::RunThread { thread }
}

pub fn stop(thread: u32, status: StopStatus) -> EventBody<'static> {
    EventBody::StopThread {
        thread,
        status,
        info: Some(0),
    }
}

pub fn message(text: &str) -> EventBody<'_> {
    EventBody::UserMsg {
        message: text.into(),
    }
}

pub fn marker(text: &str) -> EventBody<'_> {
    EventBody::UserMarker {
        marker: text.into(),
    }
}

/// What the leader of a collection logs.
pub fn gc_stats(generation: u16) -> EventBody<'static> {
    EventBody::GcStatsGhc {
        capset: 0,
        generation,
        copied: 1000,
        slop: 10,
        fragmentation: 4096,
        par_threads: 2,
        par_max_copied: 500,
        par_tot_copied: 1000,
        par_balanced_copied: Some(0),
    }
}

/// The identity of the program, which started at 1000 s of Unix time.
pub fn identity(pid: u32) -> Vec<Timed<'static>> {
    vec![
        (
            0,
            EventBody::CapsetCreate {
                capset: 0,
                capset_type: CapsetType::OS_PROCESS,
            },
        ),
        (0, EventBody::CapCreate { created_cap: 0 }),
        (0, EventBody::CapCreate { created_cap: 1 }),
        (
            0,
            EventBody::RtsIdentifier {
                capset: 0,
                identifier: "GHC-9.99 rts_test".into(),
            },
        ),
        (
            0,
            EventBody::ProgramArgs {
                capset: 0,
                args: Texts(b"/bin/demo\0--fast\0"),
            },
        ),
        (0, EventBody::OsprocessPid { capset: 0, pid }),
        (
            1,
            EventBody::WallClockTime {
                capset: 0,
                seconds: 1000,
                nanoseconds: 1_000_000,
            },
        ),
    ]
}

fn heap_profile() -> EventBody<'static> {
    let empty = Text(b"");
    EventBody::HeapProfBegin {
        profile: 0,
        period: 1,
        breakdown: Breakdown::CLOSURE_TYPE,
        module_filter: empty,
        closure_filter: empty,
        type_filter: empty,
        cost_centre_filter: empty,
        stack_filter: empty,
        retainer_filter: empty,
        biography_filter: empty,
    }
}

fn sample(at: u64, era: u64, arrays: u64, others: u64) -> [Timed<'static>; 4] {
    let band = |residency, label: &'static str| EventBody::HeapProfSampleString {
        profile: 0,
        residency,
        label: label.into(),
    };
    [
        (at, EventBody::HeapProfSampleBegin { era }),
        (at, band(arrays, "ARRAY")),
        (at, band(others, "a,b\"c")),
        (at, EventBody::HeapProfSampleEnd { era }),
    ]
}

/// From 0 to 100 ms. Thread 1 runs on both capabilities and has a span of
/// 40 ms, in which it runs for 20 ms and a collection takes 4 ms. Thread 2 has
/// two spans, of 5 and 10 ms. There is a second, instant, collection.
pub fn everything() -> Vec<u8> {
    let mut global = identity(77);
    global.push((1, heap_profile()));
    global.extend(sample(20, 1, 100, 200));
    global.extend(sample(60, 2, 1000, 2000));
    global.push((100, EventBody::CapsetDelete { capset: 0 }));
    let sparks = EventBody::SparkCounters {
        created: 9,
        dud: 1,
        overflowed: 0,
        converted: 5,
        gcd: 1,
        fizzled: 2,
        remaining: 0,
    };
    // Statistics are written before the end of a collection, with a later time.
    let first = [
        (2, create(1)),
        (
            2,
            EventBody::ThreadLabel {
                thread: 1,
                label: "main".into(),
            },
        ),
        (3, create(2)),
        (10, run(1)),
        (10, message("START big")),
        (20, stop(1, StopStatus::HEAP_OVERFLOW)),
        (20, EventBody::GcStart),
        (
            24,
            EventBody::HeapAllocated {
                capset: 0,
                bytes: 5000,
            },
        ),
        (
            24,
            EventBody::HeapLive {
                capset: 0,
                bytes: 3000,
            },
        ),
        (25, gc_stats(1)),
        (24, EventBody::GcEnd),
        (
            25,
            EventBody::HeapSize {
                capset: 0,
                bytes: 8000,
            },
        ),
        (
            26,
            EventBody::MigrateThread {
                thread: 1,
                new_cap: 1,
            },
        ),
        (30, run(2)),
        (30, message("START small")),
        (35, message("STOP small")),
        (40, message("START small")),
        (50, message("END small")),
        (55, stop(2, StopStatus::MVAR)),
        (60, EventBody::GcStart),
        (61, gc_stats(0)),
        (60, EventBody::GcEnd),
        (
            62,
            EventBody::HeapAllocated {
                capset: 0,
                bytes: 9000,
            },
        ),
        (63, sparks),
    ];
    let second = [
        (20, EventBody::GcStart),
        (
            24,
            EventBody::HeapAllocated {
                capset: 0,
                bytes: 700,
            },
        ),
        (24, EventBody::GcEnd),
        (40, run(1)),
        (50, message("STOP big")),
        (51, marker("half time")),
        (55, stop(1, StopStatus::FINISHED)),
    ];
    Log::new()
        .block(Some(0), &at(&first))
        .block(Some(1), &at(&second))
        .block(None, &at(&global))
        .end()
}
