//! Tests with generated logs.

use super::Feed;
use crate::collected::{Collected, Value};
use crate::fold::{Options, Output};
use crate::record::{Batch, Records};
use eventlog_state::Patience;
use ghc_eventlog::notes::{Loss, Note};
use ghc_eventlog::{BlockBuilder, Breakdown, CapsetType, EventBody, Header, StopStatus, Text};

/// Builds a log.
struct Log {
    header: Header,
    bytes: Vec<u8>,
}

impl Log {
    fn new() -> Self {
        let header = Header::standard();
        Self {
            bytes: header.as_bytes().to_vec(),
            header,
        }
    }

    fn block(mut self, cap: Option<u16>, events: &[(u64, EventBody<'_>)]) -> Self {
        self.bytes.extend(block(&self.header, cap, events));
        self
    }
}

fn block(header: &Header, cap: Option<u16>, events: &[(u64, EventBody<'_>)]) -> Vec<u8> {
    let mut block = BlockBuilder::new(cap);
    for (time, body) in events {
        let pushed = block.push_body(header, *time, body);
        pushed.expect("of the standard header");
    }
    block.finish().to_vec()
}

/// All output of a log.
fn fold(log: &[u8], options: Options) -> (Vec<Collected>, Vec<Batch>) {
    let (mut metrics, mut records) = (Vec::new(), Vec::new());
    let mut out = |output| match output {
        Output::Metrics(collected) => metrics.push(collected),
        Output::Records(batch) => records.push(batch),
    };
    let mut feed = Feed::new(options, false);
    feed.bytes(log, &mut out).expect("a log");
    feed.finish(&mut out).expect("a log");
    (metrics, records)
}

fn every(interval: u64) -> Options {
    Options {
        interval: Some(interval),
        ..Options::default()
    }
}

/// Values by their attributes, joined into one text.
fn values(collected: &Collected, name: &str) -> Vec<(String, u64)> {
    let points = collected.family(name).map(|family| &family.points[..]);
    let told = points.unwrap_or_default().iter().map(|point| {
        let attributes: Vec<String> = point
            .attributes
            .iter()
            .map(|(_, value)| value.to_string())
            .collect();
        let value = match &point.value {
            Value::Int(number) | Value::Nanos(number) => *number,
            Value::Histogram(of) => of.count(),
        };
        (attributes.join(" "), value)
    });
    told.collect()
}

fn clock(seconds: u64) -> EventBody<'static> {
    EventBody::WallClockTime {
        capset: 0,
        seconds,
        nanoseconds: 0,
    }
}

fn message(text: &str) -> EventBody<'_> {
    EventBody::UserMsg {
        message: text.into(),
    }
}

fn sample(time: u64, bands: &[(&'static str, u64)]) -> Vec<(u64, EventBody<'static>)> {
    let mut events = vec![(time, EventBody::HeapProfSampleBegin { era: 1 })];
    events.extend(bands.iter().map(|&(label, residency)| {
        let body = EventBody::HeapProfSampleString {
            profile: 0,
            residency,
            label: label.into(),
        };
        (time, body)
    }));
    events.push((time, EventBody::HeapProfSampleEnd { era: 1 }));
    events
}

#[test]
fn a_synchronisation_ends_when_the_collection_begins() {
    let stats = EventBody::GcStatsGhc {
        capset: 0,
        generation: 1,
        copied: 1000,
        slop: 10,
        fragmentation: 4096,
        par_threads: 2,
        par_max_copied: 500,
        par_tot_copied: 1000,
        par_balanced_copied: Some(0),
    };
    // As runtime systems write it: the other capability joins early, and the event of the
    // global synchronisation is near the end.
    let leader = [
        (1_000, EventBody::RequestParGc),
        (1_500, EventBody::GcStart),
        (9_000, EventBody::GcGlobalSync),
        (9_100, stats),
        (9_050, EventBody::GcEnd),
    ];
    let other = [(1_200, EventBody::GcStart), (9_060, EventBody::GcEnd)];
    let log = Log::new()
        .block(Some(0), &leader)
        .block(Some(1), &other)
        .block(None, &[(9_200, EventBody::CapCreate { created_cap: 0 })]);
    let (moments, _) = fold(&log.bytes, every(100_000));
    let end = moments.last().expect("the end");
    for (name, nanos) in [
        ("ghc.gc.sync.duration", 500),
        ("ghc.gc.pause.duration", 7_550),
    ] {
        let family = end.family(name).expect("it is told");
        let told = family.points.iter().filter_map(|point| match &point.value {
            Value::Histogram(of) if of.count() > 0 => Some((of.count(), of.sum())),
            _ => None,
        });
        assert_eq!(told.collect::<Vec<_>>(), [(1, nanos)], "{name}");
    }
}

#[test]
fn counters_are_there_from_the_first_moment() {
    let log = Log::new().block(Some(0), &[(5, EventBody::CreateThread { thread: 1 })]);
    let (moments, _) = fold(&log.bytes, every(1_000));
    let first = &moments[0];
    for name in [
        "ghc.memory.returned",
        "ghc.gc.sync.duration",
        "ghc.thread.migrations",
        "ghc.user.markers",
    ] {
        assert_eq!(values(first, name), [(String::new(), 0)], "{name}");
    }
    let lost = values(first, "ghc.eventlog.lost");
    let lost: Vec<&str> = lost.iter().map(|(by, _)| &**by).collect();
    assert_eq!(lost, ["program", "relay", "exporter"]);
    let reasons = values(first, "ghc.thread.blocked.duration");
    assert!(
        reasons
            .iter()
            .any(|(why, count)| why == "blocked_on_mvar" && *count == 0)
    );
    // A metric that is not a counter is absent until it has a value.
    assert_eq!(values(first, "ghc.heap.live"), []);
}

#[test]
fn a_band_that_has_vanished_is_zero_once_and_then_absent() {
    let none = Text(b"");
    let begin = EventBody::HeapProfBegin {
        profile: 0,
        period: 1,
        breakdown: Breakdown::CLOSURE_TYPE,
        module_filter: none,
        closure_filter: none,
        type_filter: none,
        cost_centre_filter: none,
        stack_filter: none,
        retainer_filter: none,
        biography_filter: none,
    };
    let mut events = vec![(0, begin)];
    events.extend(sample(100, &[("a", 10), ("b", 20), ("c", 1), ("d", 2)]));
    // Two samples in one interval: `b` is gone in the first, and still has to be exported as
    // 0.
    events.extend(sample(1_100, &[("a", 11)]));
    events.extend(sample(1_200, &[("a", 12)]));
    events.extend(sample(2_100, &[("a", 13)]));
    events.push((3_100, EventBody::GcIdle));
    let log = Log::new().block(Some(0), &events);
    let options = Options {
        most: 2,
        ..every(1_000)
    };
    let (moments, _) = fold(&log.bytes, options);
    let bands = |at: usize| -> Vec<(String, u64)> {
        let told = values(&moments[at], "ghc.heap.profile.size").into_iter();
        told.map(|(band, bytes)| (band.replace(" closure_type", ""), bytes))
            .collect()
    };
    let told = |told: &[(&str, u64)]| -> Vec<(String, u64)> {
        told.iter()
            .map(|&(band, bytes)| (band.to_owned(), bytes))
            .collect()
    };
    assert_eq!(moments[0].time, 1_000);
    assert_eq!(bands(0), told(&[("a", 10), ("b", 20), ("other", 3)]));
    assert_eq!(bands(1), told(&[("a", 12), ("b", 0), ("other", 0)]));
    assert_eq!(bands(2), told(&[("a", 13)]));
}

#[test]
fn what_comes_before_the_clock_waits_for_it() {
    let log = Log::new()
        .block(Some(0), &[(500, message("one")), (1_500, message("two"))])
        // GHC 9.0 writes the time of day at the end of the log.
        .block(None, &[(700, clock(1_000))]);
    let options = Options {
        need_clock: true,
        records: Records {
            logs: true,
            ..Records::default()
        },
        ..every(1_000)
    };
    let (moments, batches) = fold(&log.bytes, options);
    let times: Vec<_> = moments
        .iter()
        .map(|moment| moment.unix(moment.time))
        .collect();
    // The event with the time of day was at 700.
    let unix = 1_000_000_000_000 - 700;
    assert_eq!(times, [Some(unix + 1_000), Some(unix + 1_500)]);
    let logs = batches.iter().flat_map(|batch| &batch.logs);
    let bodies: Vec<&str> = logs.map(|record| &*record.body).collect();
    assert_eq!(bodies, ["one", "two"]);
    assert!(batches.iter().all(|batch| batch.clock.is_some()));
}

#[test]
fn a_long_silence_is_two_moments_and_not_thousands() {
    let log = Log::new().block(
        Some(0),
        &[(500, message("one")), (9_000_500, message("two"))],
    );
    let (moments, _) = fold(&log.bytes, every(1_000));
    let times: Vec<u64> = moments.iter().map(|moment| moment.time).collect();
    assert_eq!(times, [1_000, 9_000_000, 9_000_500]);
}

#[test]
fn spans_lie_in_those_that_are_open() {
    let run = EventBody::RunThread { thread: 3 };
    let stop = EventBody::StopThread {
        thread: 3,
        status: StopStatus::FINISHED,
        info: Some(0),
    };
    let log = Log::new().block(
        Some(0),
        &[
            (1, run),
            (10, message("START outer")),
            (20, message("START inner")),
            (30, message("START 7 deep")),
            (40, message("STOP 7 deep")),
            (50, message("END inner")),
            (60, message("STOP outer")),
            (70, message("START alone")),
            (80, message("STOP alone")),
            (90, stop),
        ],
    );
    let options = Options {
        records: Records {
            traces: true,
            ..Records::default()
        },
        ..every(1_000)
    };
    let (_, batches) = fold(&log.bytes, options);
    let spans: Vec<_> = batches.iter().flat_map(|batch| &batch.spans).collect();
    let told: Vec<_> = spans
        .iter()
        .map(|span| {
            let parent = span.parent.as_ref().map(|parent| &*parent.name);
            (&*span.key.name, parent, &*span.root.name)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("deep", Some("inner"), "outer"),
            ("inner", Some("outer"), "outer"),
            ("outer", None, "outer"),
            ("alone", None, "alone"),
        ]
    );
    // The same ids each time it is read, and different ids for different spans.
    let requests = || crate::encode::otlp::traces(&batches[0]).expect("spans");
    assert_eq!(requests(), requests());
    let scope = &requests().resource_spans[0].scope_spans[0].spans;
    assert_eq!(scope[0].parent_span_id, scope[1].span_id);
    assert_eq!(scope[0].trace_id, scope[2].trace_id);
    assert_ne!(scope[0].trace_id, scope[3].trace_id);
    assert_eq!((scope[0].trace_id.len(), scope[0].span_id.len()), (16, 8));
}

#[test]
fn losses_are_counted_and_told() {
    let loss = Loss {
        chunks: 3,
        bytes: 4096,
        between: None,
    };
    let note = Note::Loss(loss).to_string();
    let log = Log::new().block(Some(0), &[(5, message(&note)), (6, message("mine"))]);
    let options = Options {
        records: Records {
            logs: true,
            ..Records::default()
        },
        ..every(1_000)
    };
    let (moments, batches) = fold(&log.bytes, options);
    assert_eq!(values(&moments[0], "ghc.eventlog.lost")[0].1, 4096);
    assert_eq!(values(&moments[0], "ghc.eventlog.lost_chunks")[0].1, 3);
    let logs: Vec<_> = batches.iter().flat_map(|batch| &batch.logs).collect();
    let events: Vec<&str> = logs.iter().map(|record| record.event).collect();
    // The note is from the library and is not a message of the program.
    assert_eq!(events, ["ghc.eventlog.loss", "ghc.user.message"]);
}

/// A connection to a program: its identity, and one message.
fn connection(pid: u32, at: u64) -> Vec<u8> {
    let process = EventBody::CapsetCreate {
        capset: 0,
        capset_type: CapsetType::OS_PROCESS,
    };
    let second = 1_000_000_000;
    let who = [
        (at * second, process),
        (at * second, EventBody::OsprocessPid { capset: 0, pid }),
        // Slightly different each time.
        (at * second + u64::from(pid) + at, clock(1_000 + at)),
    ];
    Log::new()
        .block(None, &who)
        .block(Some(0), &[(at * second + 10, message("hello"))])
        .bytes
}

#[test]
fn the_same_program_goes_on_and_another_one_begins_anew() {
    let mut out = |_| {};
    let mut feed = Feed::new(Options::default(), true);
    let mut told = Vec::new();
    for (pid, at) in [(7, 1), (7, 50), (8, 51), (7, 60)] {
        feed.restart(&mut out).expect("a log");
        feed.bytes(&connection(pid, at), &mut out).expect("a log");
        feed.finish(&mut out).expect("a log");
        let now = feed.fold.collect(None).expect("a program");
        let count = values(&now, "ghc.user.messages")[0].1;
        told.push((now.resource.instance(), count));
    }
    let counts: Vec<u64> = told.iter().map(|(_, count)| *count).collect();
    assert_eq!(counts, [1, 2, 1, 1]);
    assert_eq!(told[0].0, told[1].0);
    assert_ne!(told[1].0, told[2].0);
    assert_eq!(told[0].0, told[3].0, "it is the same program again");
}

#[test]
fn another_program_in_the_same_file_is_another_one() {
    let log = [connection(7, 1), connection(8, 2)].concat();
    // What an earlier look found at the end of the first log.
    let mut before = Feed::new(Options::default(), false);
    before.bytes(&connection(7, 1), &mut |_| {}).expect("a log");
    before.finish(&mut |_| {}).expect("a log");
    let first = before.fold.collect(None).expect("a program").resource;
    let options = Options {
        programs: before.fold.programs().cloned(),
        need_clock: true,
        ..every(1_000_000_000_000)
    };
    let (moments, _) = fold(&log, options);
    let told: Vec<_> = moments
        .iter()
        .map(|moment| {
            (
                moment.resource.instance(),
                values(moment, "ghc.user.messages")[0].1,
            )
        })
        .collect();
    assert_eq!(told.len(), 2);
    assert_eq!(told[0], (first.instance(), 1));
    assert_eq!(told[1].1, 1);
    assert_ne!(told[1].0, told[0].0);
}

#[test]
fn an_event_that_is_dated_back_makes_no_counter_smaller() {
    let stop = EventBody::StopThread {
        thread: 1,
        status: StopStatus::YIELDING,
        info: Some(0),
    };
    let log = Log::new().block(
        Some(0),
        &[
            (100, EventBody::RunThread { thread: 1 }),
            (1_100, message("the first interval is over")),
            // It ran until before the end of that.
            (950, stop),
            (2_100, message("so is the second")),
        ],
    );
    let (moments, _) = fold(&log.bytes, every(1_000));
    let ran = |moment: &Collected| {
        let times = values(moment, "ghc.capability.time");
        let ran = times.into_iter().find(|(of, _)| of == "0 mutator");
        ran.expect("the capability").1
    };
    let ran: Vec<u64> = moments.iter().map(ran).collect();
    assert_eq!(ran, [900, 900, 900]);
}

#[test]
fn what_arrives_after_a_pause_is_put_in_order() {
    let options = Options {
        records: Records {
            logs: true,
            ..Records::default()
        },
        ..Options::default()
    };
    let mut bodies = Vec::new();
    let mut out = |output| {
        if let Output::Records(batch) = output {
            bodies.extend(batch.logs.into_iter().map(|it| it.body));
        }
    };
    let mut log = Log::new();
    // What comes next; at first with the header.
    let mut piece = |cap, time, text| {
        let block = block(&log.header, Some(cap), &[(time, message(text))]);
        [std::mem::take(&mut log.bytes), block].concat()
    };
    let mut feed = Feed::new(options, true);
    feed.bytes(&piece(0, 10, "one"), &mut out).expect("a log");
    feed.bytes(&piece(1, 11, "two"), &mut out).expect("a log");
    // As long as events are held.
    std::thread::sleep(Patience::LIVE);
    // A flush hands over one capability after the other.
    feed.bytes(&piece(0, 50, "four"), &mut out).expect("a log");
    feed.bytes(&piece(1, 40, "three"), &mut out).expect("a log");
    feed.finish(&mut out).expect("a log");
    assert_eq!(bodies, ["one", "two", "three", "four"]);
}
