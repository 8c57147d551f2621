//! The verbs that write logs: `repair`, `cut`, `merge`, `sort`.

use crate::common::{Dir, Log, eventlog, eventlog_with};
use crate::program::{at, create, everything, identity, marker, message, run, stop};
use ghc_eventlog::{
    Breakdown, Decoder, EventBody, EventType, Header, Item, Reader, StopStatus, Text,
};
use std::collections::BTreeMap;

/// Times, capabilities and bodies of all events, as text.
fn events(log: &[u8]) -> Vec<(u64, Option<u16>, String)> {
    let mut reader = Reader::new(log);
    let mut events = Vec::new();
    while let Some(item) = reader.next_item().expect("a readable log") {
        if let Item::Event(event) = item {
            events.push((event.time, event.cap, event.to_string()));
        }
    }
    assert!(reader.ending().is_complete(), "{:?}", reader.ending());
    events
}

fn count<'a>(
    events: impl IntoIterator<Item = &'a (u64, Option<u16>, String)>,
) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for (_, _, text) in events {
        let name = text.split(' ').next().unwrap_or_default();
        *counts.entry(name).or_default() += 1;
    }
    counts
}

#[track_caller]
fn assert_valid(log: &[u8]) {
    let done = eventlog_with(&["validate", "-"], log);
    assert_eq!(done.code, 0, "{}", done.stdout);
}

/// The result of a verb on a log.
#[track_caller]
fn rewritten(verb: &[&str], log: &[u8]) -> Vec<u8> {
    let dir = Dir::new();
    let (input, output) = (dir.with("in.eventlog", log), dir.file("out.eventlog"));
    let args: Vec<&str> = [verb, &[&input, "-o", &output]].concat();
    eventlog(&args).exits(0);
    assert_eq!(dir.names(), ["in.eventlog", "out.eventlog"]);
    std::fs::read(&output).expect("a result")
}

#[test]
fn a_whole_log_needs_no_repair() {
    let log = everything();
    assert!(rewritten(&["repair"], &log) == log);
}

#[test]
fn the_mark_may_lie_in_the_last_block() {
    let mut log = everything();
    // The size of the last block, the global one, then covers the mark.
    let marker = log.windows(2).rposition(|bytes| bytes == [0, 18]);
    let mut at = Header::standard().as_bytes().len();
    let mut last = at;
    while log[at..].starts_with(&[0, 18]) {
        last = at;
        let size = u32::from_be_bytes(log[at + 10..at + 14].try_into().expect("four bytes"));
        at += size as usize;
    }
    assert!(marker.is_some());
    log[last + 13] = log[last + 13].checked_add(2).expect("no carry");
    assert!(rewritten(&["repair"], &log) == log);
    // Not if more data follows.
    let more = Log::new()
        .block(Some(0), &at_ms(200))
        .bytes
        .split_off(Header::standard().as_bytes().len());
    log.extend_from_slice(&more);
    let repaired = rewritten(&["repair"], &log);
    assert_valid(&repaired);
    assert_eq!(events(&repaired).len(), events(&everything()).len() + 1);
}

fn at_ms(time: u64) -> Vec<(u64, EventBody<'static>)> {
    at(&[(time, message("later"))])
}

#[test]
fn a_log_that_breaks_off_anywhere_can_be_repaired() {
    let log = everything();
    let header = Header::standard().as_bytes().len();
    let all = events(&log);
    for length in (header..log.len())
        .step_by(97)
        .chain(log.len() - 30..log.len())
    {
        let repaired = rewritten(&["repair"], &log[..length]);
        let saved = events(&repaired);
        assert_eq!(saved[..], all[..saved.len()]);
        let done = eventlog_with(&["validate", "--json", "-"], &repaired).exits(0);
        let structural = ["truncated", "no_end_mark", "block_cut_short", "unreadable"];
        assert!(
            !structural.iter().any(|kind| done.stdout.contains(kind)),
            "{}",
            done.stdout
        );
    }
    let dir = Dir::new();
    let input = dir.with("in.eventlog", &log[..header - 1]);
    eventlog(&["repair", &input, "-o", &dir.file("out")])
        .exits(1)
        .says("no complete header");
    assert_eq!(dir.names(), ["in.eventlog"]);
}

#[test]
fn marks_in_the_middle_of_a_block_are_left_out_and_its_size_with_them() {
    let header = Header::standard();
    let part = |events: &[(u64, EventBody<'_>)]| {
        let bytes = Log::new().block(Some(0), &at(events)).bytes;
        bytes[header.as_bytes().len()..].to_vec()
    };
    let mut block = part(&[(1, message("one"))]);
    block.extend_from_slice(&[0xff; 4]);
    block.extend_from_slice(&part(&[(2, message("two"))])[24..]);
    // Its size fits, and an event follows that is in no block.
    let size = block.len() as u32;
    block[10..14].copy_from_slice(&size.to_be_bytes());
    block[14..22].copy_from_slice(&2_000_000u64.to_be_bytes());
    let loose = &part(&[(3, message("three"))])[24..];
    let log = [header.as_bytes(), &block, loose, &[0xff, 0xff]].concat();
    let repaired = rewritten(&["repair"], &log);
    let found: Vec<_> = events(&repaired)
        .into_iter()
        .map(|of| (of.1, of.2))
        .collect();
    let expected = [
        (Some(0), "user_msg message=one".to_owned()),
        (Some(0), "user_msg message=two".to_owned()),
        (None, "user_msg message=three".to_owned()),
    ];
    assert_eq!(found, expected);
    assert_valid(&repaired);
}

/// No event is later than its block, no block begins after its end, none ends before the previous
/// one.
#[test]
fn times_that_cannot_be_are_corrected() {
    let header = Header::standard().as_bytes().len();
    let log = Log::new()
        .block(Some(0), &at(&[(1, message("a")), (2, message("b"))]))
        .block(Some(0), &at(&[(3, message("c")), (4, message("d"))]))
        .end();
    let second = header + (log.len() - header - 2) / 2;
    let times =
        |log: &[u8]| -> Vec<u64> { events(log).iter().map(|of| of.0 / 1_000_000).collect() };
    // Of an event, of the end of a block, of its beginning.
    let cases = [
        (second + 24 + 2, [1, 2, 4, 4]),
        (second + 14, [1, 2, 3, 4]),
        (second + 2, [1, 2, 3, 4]),
    ];
    for (at, expected) in cases {
        let mut damaged = log.clone();
        damaged[at] ^= 0x40;
        let repaired = rewritten(&["repair"], &damaged);
        assert_eq!(times(&repaired), expected, "{at}");
        assert_valid(&repaired);
    }
    // An end of 0, which contradicts all events.
    let mut damaged = log.clone();
    damaged[header + 14..header + 22].fill(0);
    let repaired = rewritten(&["repair"], &damaged);
    assert_eq!(times(&repaired), [1, 2, 3, 4]);
    assert_valid(&repaired);
}

#[test]
fn headers_that_declare_other_blocks_are_written_for_these() {
    let standard = Header::standard();
    let with = |change: &dyn Fn(&mut Vec<EventType>)| {
        let mut types = standard.types().to_vec();
        change(&mut types);
        Header::from_types(types).expect("a header")
    };
    let longer = with(&|types| {
        let marker = types.iter_mut().find(|kind| kind.id == 18);
        marker.expect("block markers").size = Some(20);
    });
    let none = with(&|types| types.retain(|kind| kind.id != 18));
    let twice = with(&|types| {
        let mut other = types[0].clone();
        other.size = Some(77);
        types.insert(0, other);
    });
    let block = Log::new().block(Some(0), &at(&[(1, message("a"))])).bytes;
    let block = &block[standard.as_bytes().len()..];
    let mut long = block.to_vec();
    long.splice(24..24, [0; 6]);
    let size = long.len() as u32;
    long[10..14].copy_from_slice(&size.to_be_bytes());
    for (header, events_of) in [(longer, &long[..]), (none, &block[24..]), (twice, block)] {
        let log = [header.as_bytes(), events_of, &[0xff, 0xff]].concat();
        for verb in ["repair", "sort", "cut"] {
            let written = rewritten(&[verb], &log);
            assert_eq!(events(&written).len(), 1, "{verb}");
            assert_valid(&written);
        }
        let dir = Dir::new();
        let (a, b) = (dir.with("a", &log), dir.with("b", &log));
        let out = dir.file("out");
        eventlog(&["merge", "--parts", "no", &a, &b, "-o", &out]).exits(0);
        let written = std::fs::read(&out).expect("a log");
        assert_eq!(events(&written).len(), 2);
        assert_valid(&written);
    }
}

/// The end of an info table event can depend on what follows it.
#[test]
fn an_event_is_as_long_in_another_place() {
    let header = Header::standard();
    let ipe = EventBody::Ipe {
        info: 1,
        table_name: "name".into(),
        closure_desc: "c".into(),
        type_desc: "t".into(),
        label: "l".into(),
        module: "m".into(),
        location: "s".into(),
    };
    let first = Log::new().block(Some(0), &at(&[(5, ipe)])).bytes;
    let mut first = first[header.as_bytes().len()..].to_vec();
    // Three bytes too many: more than its block has. If another event of the same block follows,
    // that could be correct.
    first[24 + 11] += 3;
    let second = Log::new().block(Some(0), &at(&[(6, message("m"))])).bytes;
    let second = &second[header.as_bytes().len()..];
    let log = [header.as_bytes(), &first, second, &[0xff, 0xff]].concat();
    assert_eq!(events(&log).len(), 2);
    for verb in ["sort", "cut", "repair"] {
        let written = rewritten(&[verb], &log);
        assert_eq!(events(&written).len(), 2, "{verb}");
        assert_valid(&written);
    }
}

#[test]
fn bad_places_are_left_out() {
    let log = everything();
    let header = Header::standard().as_bytes().len();
    let holed = [&log[..header], &[0; 4096], &log[header..]].concat();
    assert!(rewritten(&["repair"], &holed) == log);
}

#[test]
fn sessions_can_be_taken_apart() {
    let first = everything();
    let second = Log::new().block(Some(0), &at(&[(1, create(5))])).end();
    let both = [&first[..], &second].concat();
    assert!(rewritten(&["repair"], &both) == first);
    assert!(rewritten(&["repair", "--session", "2"], &both) == second);
    let dir = Dir::new();
    let input = dir.with("in.eventlog", &both);
    eventlog(&["repair", &input, "-o", &dir.file("out"), "--session", "3"])
        .exits(2)
        .says("2 sessions");
}

#[test]
fn a_restarted_log_is_joined() {
    let first = everything();
    // The same program, later.
    let second = Log::new().block(Some(0), &at_ms(500)).end();
    let repaired = rewritten(&["repair"], &[&first[..], &second].concat());
    assert_eq!(events(&repaired).len(), events(&first).len() + 1);
    assert_eq!(
        repaired
            .windows(4)
            .filter(|bytes| *bytes == b"hdrb")
            .count(),
        1
    );
    assert_valid(&repaired);
}

#[test]
fn sorting_keeps_every_event() {
    let log = everything();
    let sorted = rewritten(&["sort"], &log);
    let times: Vec<u64> = events(&sorted).iter().map(|event| event.0).collect();
    assert!(times.is_sorted());
    let (mut before, mut after) = (events(&log), events(&sorted));
    before.sort();
    after.sort();
    assert_eq!(before, after);
    assert_valid(&sorted);
    assert!(rewritten(&["sort", "--memory", "1M"], &log) == sorted);
}

#[test]
fn a_cut_has_what_it_needs() {
    let cut = rewritten(&["cut", "--from", "32ms", "--to", "56ms"], &everything());
    assert_valid(&cut);
    let events = events(&cut);
    // No event is outside the range.
    assert!(
        events
            .iter()
            .all(|event| (32_000_000..56_000_000).contains(&event.0)),
        "{events:?}"
    );
    let counts = count(&events);
    // Both threads are alive, one of them runs.
    assert_eq!(counts["create_thread"], 2);
    assert_eq!(counts["thread_label"], 1);
    assert_eq!(counts["rts_identifier"], 1);
    assert_eq!(counts["heap_prof_begin"], 1);
    assert_eq!(counts["user_marker"], 1);
    // The samples at 20 and 60 ms are outside.
    assert!(!counts.contains_key("heap_prof_sample_begin"));

    // The clock still gives the same start.
    let stats = |log: &[u8]| {
        eventlog_with(&["stats", "--json", "-"], log)
            .exits(0)
            .json()
            .remove(0)
    };
    let (whole, part) = (stats(&everything()), stats(&cut));
    assert_eq!(whole["program"], part["program"]);
    // Running totals continue.
    assert_eq!(part["heap"]["allocated_bytes"], 5700);
    // Thread 2 ran from 32 to 55, thread 1 from 40 to 55.
    assert_eq!(part["capabilities"][0]["running_ns"], 23_000_000);
    assert_eq!(part["capabilities"][1]["running_ns"], 15_000_000);
}

#[test]
fn a_cut_of_everything_changes_nothing_but_the_order() {
    let log = everything();
    let (mut before, mut after) = (events(&log), events(&rewritten(&["cut"], &log)));
    before.sort();
    after.sort();
    assert_eq!(before, after);
}

#[test]
fn heap_samples_are_cut_whole() {
    let begin = EventBody::HeapProfSampleBegin { era: 1 };
    let band = EventBody::HeapProfSampleString {
        profile: 0,
        residency: 1,
        label: "x".into(),
    };
    let end = EventBody::HeapProfSampleEnd { era: 1 };
    let log = Log::new()
        .block(None, &at(&[(10, begin), (20, band), (30, end)]))
        .end();
    let samples = |from: &str, to: &str| {
        let cut = rewritten(&["cut", "--from", from, "--to", to], &log);
        count(&events(&cut))
            .iter()
            .filter(|(name, _)| name.starts_with("heap_prof"))
            .count()
    };
    assert_eq!(samples("15ms", "1s"), 0);
    assert_eq!(samples("0s", "15ms"), 3);
    assert_eq!(samples("0s", "1s"), 3);
}

#[test]
fn markers_capabilities_and_types_select() {
    let rounds = [
        (1, marker("round 1")),
        (2, message("a")),
        (3, marker("round 2")),
        (4, message("b")),
        (5, marker("round 3")),
        (6, message("c")),
    ];
    let log = Log::new()
        .block(Some(0), &at(&rounds))
        .block(Some(1), &at(&[(4, message("other"))]))
        .end();
    let texts = |options: &[&str]| -> Vec<String> {
        let cut = rewritten(&[&["cut"], options].concat(), &log);
        events(&cut).into_iter().map(|event| event.2).collect()
    };
    let range = [
        "--from-marker",
        "round 2",
        "--to-marker",
        "round 3",
        "--cap",
        "0",
    ];
    assert_eq!(
        texts(&range),
        [
            "user_marker marker=round 2",
            "user_msg message=b",
            "user_marker marker=round 3"
        ]
    );
    assert_eq!(texts(&["--cap", "1"]), ["user_msg message=other"]);
    assert_eq!(texts(&["--type", "user_marker"]).len(), 3);
    assert_eq!(texts(&["--exclude", "user_marker"]).len(), 4);
}

#[test]
fn programs_are_merged_side_by_side() {
    let dir = Dir::new();
    let program = |pid, seconds, thread| {
        let mut global = identity(pid);
        global[6].1 = EventBody::WallClockTime {
            capset: 0,
            seconds,
            nanoseconds: 1_000_000,
        };
        let events = [
            (10, create(thread)),
            (11, run(thread)),
            (12, message("hello")),
            (
                13,
                EventBody::ThreadWakeup {
                    thread,
                    other_cap: 1,
                },
            ),
            (20, stop(thread, StopStatus::FINISHED)),
        ];
        Log::new()
            .block(Some(0), &at(&events))
            .block(None, &at(&global))
            .end()
    };
    let early = dir.with("early", &program(1, 1000, 3));
    let late = dir.with("late", &program(2, 1002, 3));
    let out = dir.file("out");
    eventlog(&["merge", &late, &early, "-o", &out]).exits(0);
    let merged = std::fs::read(&out).expect("a result");
    assert_valid(&merged);
    let all = events(&merged);
    let hello: Vec<_> = all
        .iter()
        .filter(|event| event.2.contains("hello"))
        .map(|event| (event.0, event.1))
        .collect();
    // The later program starts two seconds after the other.
    assert_eq!(hello, [(12_000_000, Some(2)), (2_012_000_000, Some(0))]);
    let texts: Vec<&str> = all.iter().map(|event| event.2.as_str()).collect();
    for wanted in [
        "create_thread thread=3",
        "create_thread thread=7",
        "cap_create created_cap=3",
        "thread_wakeup thread=7 other_cap=3",
        "osprocess_pid capset=1 pid=1",
    ] {
        assert!(texts.contains(&wanted), "no {wanted} in {texts:#?}");
    }
    let clocks = eventlog(&["stats", "--json", &out]).exits(0).json();
    assert_eq!(
        clocks[0]["program"]["started"],
        "1970-01-01T00:16:40.000000000Z"
    );

    eventlog(&["merge", &late, &early, "-o", &out, "--align", "start"])
        .exits(2)
        .says("--force");
    eventlog(&[
        "merge", &late, &early, "-o", &out, "--align", "start", "--force",
    ])
    .exits(0);
    let merged = events(&std::fs::read(&out).expect("a result"));
    assert!(
        merged
            .iter()
            .filter(|event| event.2.contains("hello"))
            .all(|event| event.0 == 12_000_000)
    );
}

#[test]
fn parts_of_one_recording_are_put_together() {
    let dir = Dir::new();
    let first = Log::new()
        .block(None, &at(&identity(5)))
        .block(Some(0), &at(&[(1, create(1)), (2, run(1))]));
    let second = Log::new()
        .block(None, &at(&identity(5)))
        .block(Some(0), &at(&[(5, stop(1, StopStatus::FINISHED))]));
    let (a, b) = (dir.with("a", &first.bytes), dir.with("b", &second.end()));
    let out = dir.file("out");
    eventlog(&["merge", &a, &b, "-o", &out])
        .exits(0)
        .says("one recording");
    let merged = std::fs::read(&out).expect("a result");
    assert_valid(&merged);
    let threads: Vec<_> = events(&merged)
        .into_iter()
        .filter(|event| event.2.contains("thread=1"))
        .collect();
    assert_eq!(threads.len(), 3);
}

#[test]
fn a_recording_in_several_files_is_put_together() {
    let dir = Dir::new();
    // Blocks of two capabilities in turn, threads that outlive files.
    let mut log = Log::new().block(None, &at(&identity(5)));
    for n in 0..40 {
        let text = "x".repeat(500);
        let events = [(10 * n + 1, message(&text)), (10 * n + 5, message(&text))];
        log = log.block(Some((n % 2) as u16), &at(&events));
        if n == 10 {
            let disable = EventBody::CapDisable { disabled_cap: 1 };
            let enable = EventBody::CapEnable { enabled_cap: 1 };
            log = log.block(None, &at(&[(101, disable), (102, enable), (103, disable)]));
            log = log.block(Some(0), &at(&[(110, create(8)), (111, run(8))]));
        }
    }
    let log = log
        .block(Some(0), &at(&[(900, stop(8, StopStatus::FINISHED))]))
        .end();
    let input = dir.with("in.eventlog", &log);
    eventlog(&[
        "record",
        &input,
        "-o",
        &dir.file("part.eventlog"),
        "--rotate-size",
        "16K",
    ])
    .exits(0);
    let parts: Vec<String> = dir
        .names()
        .iter()
        .filter(|name| name.starts_with("part"))
        .map(|name| dir.file(name))
        .collect();
    assert!(parts.len() >= 3, "{parts:?}");
    let out = dir.file("whole.eventlog");
    let mut args = vec!["merge", "-o", &out];
    args.extend(parts.iter().map(String::as_str));
    // The first part has no number, and is sorted last.
    args[3..].sort_by_key(|name| name.contains(".0"));
    eventlog(&args).exits(0).says("one recording");
    let whole = std::fs::read(&out).expect("a result");
    assert_valid(&whole);
    assert_eq!(events(&whole), events(&log));
}

#[test]
fn smaller_events_of_older_systems_are_widened() {
    let older = Header::standard();
    let types = older.types().iter().cloned().map(|mut kind| {
        if kind.id == 53 {
            kind.size = Some(50);
        }
        kind
    });
    let header = Header::from_types(types.collect()).expect("a header");
    let mut bytes = header.as_bytes().to_vec();
    let mut block = ghc_eventlog::BlockBuilder::new(Some(0));
    let mut stats = crate::program::gc_stats(1);
    if let EventBody::GcStatsGhc {
        par_balanced_copied,
        ..
    } = &mut stats
    {
        *par_balanced_copied = None;
    }
    for body in [EventBody::GcStart, stats, EventBody::GcEnd] {
        block.push_body(&header, 1, &body).expect("an event");
    }
    bytes.extend_from_slice(block.finish());
    bytes.extend_from_slice(&[0xff, 0xff]);
    let dir = Dir::new();
    let (a, b, out) = (
        dir.with("a", &bytes),
        dir.with("b", &everything()),
        dir.file("out"),
    );
    eventlog(&["merge", &a, &b, "-o", &out, "--align", "start"]).exits(0);
    let merged = std::fs::read(&out).expect("a result");
    assert_valid(&merged);
    assert_eq!(count(&events(&merged))["gc_stats_ghc"], 3);
}

#[test]
fn results_do_not_overwrite() {
    let dir = Dir::new();
    let log = dir.with("a.eventlog", &everything());
    for verb in ["repair", "sort", "cut"] {
        eventlog(&[verb, &log, "-o", &log, "--force"])
            .exits(2)
            .says("both input and output");
        let other = dir.with("b.eventlog", b"precious");
        eventlog(&[verb, &log, "-o", &other])
            .exits(2)
            .says("--force");
        assert_eq!(std::fs::read(&other).expect("it"), b"precious");
        eventlog(&[verb, &log, "-o", &other, "--force"]).exits(0);
        eventlog(&[verb, &log, "-o", &dir.file("no/such/place")])
            .exits(3)
            .says("hint");
        // To standard output.
        let done = eventlog_with(&[verb, "-", "-o", "-"], &everything()).exits(0);
        assert!(done.stdout.starts_with("hdrb"));
    }
    assert!(std::fs::read(&log).expect("it") == everything());
}

/// If something other than a file has the name of the result, it is written to as it is.
#[test]
fn links_fifos_and_devices_stay_what_they_are() {
    use std::os::unix::fs::symlink;
    let dir = Dir::new();
    let log = dir.with("a.eventlog", &everything());
    let expected = rewritten(&["sort"], &everything());
    let link = dir.file("link");
    symlink("behind", &link).expect("a link");
    for force in [&[][..], &["--force"]] {
        eventlog(&[&["sort", &log, "-o", &link], force].concat()).exits(0);
        assert!(std::fs::symlink_metadata(&link).expect("it").is_symlink());
        assert!(std::fs::read(dir.file("behind")).expect("it") == expected);
    }
    eventlog(&["sort", &log, "-o", &link])
        .exits(2)
        .says("--force");
    symlink("round", dir.file("round")).expect("a link");
    eventlog(&["sort", &log, "-o", &dir.file("round")]).exits(3);

    let fifo = dir.file("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.expect("mkfifo").success());
    let reader = {
        let fifo = fifo.clone();
        std::thread::spawn(move || std::fs::read(fifo).expect("all of it"))
    };
    eventlog(&["sort", &log, "-o", &fifo]).exits(0);
    assert!(reader.join().expect("it ends") == expected);
    eventlog(&["sort", &log, "-o", "/dev/null"]).exits(0);
    eventlog(&["sort", &log, "-o", "/dev/full"])
        .exits(3)
        .says("No space left");
    let done = eventlog(&["sort", &log, "-o", "/dev/stdout"]).exits(0);
    assert_eq!(done.stdout, String::from_utf8_lossy(&expected));
    assert_eq!(
        dir.names(),
        ["a.eventlog", "behind", "fifo", "link", "round"]
    );
}

/// A limit on the size of files is treated as a full disk: an error, and nothing is left.
#[test]
fn a_limit_on_file_sizes_is_an_error_like_another() {
    let dir = Dir::new();
    let long: Vec<(u64, &str)> = (0..3000)
        .map(|time| (time, "some text in the log"))
        .collect();
    let log = dir.with("log", &Log::new().messages(0, &long).end());
    let program = env!("CARGO_BIN_EXE_eventlog");
    let text = format!(
        "ulimit -f 8; exec {program} sort {log} -o {}",
        dir.file("out")
    );
    let done = crate::common::done(std::process::Command::new("sh").args(["-c", &text]));
    done.exits(3).says("File too large");
    assert_eq!(dir.names(), ["log"]);
}

#[test]
fn nothing_panics_on_damaged_logs() {
    let log = everything();
    let header = Header::standard().as_bytes().len();
    let dir = Dir::new();
    let (input, out) = (dir.file("in"), dir.file("out"));
    // A fixed sequence, so that a failure can be repeated.
    let mut state = 88_172_645_463_325_252_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize % below
    };
    for _ in 0..12 {
        let mut damaged = log.clone();
        for _ in 0..4 {
            let at = header + random(damaged.len() - header);
            damaged[at] = random(256) as u8;
        }
        std::fs::write(&input, &damaged).expect("a file");
        for verb in [
            &["stats", "--threads"][..],
            &["validate"],
            &["spans"],
            &["repair", "--force", "-o", &out],
            &["cut", "--force", "-o", &out, "--from", "30ms"],
            &["sort", "--force", "-o", &out],
            &["export", "perfetto"],
            &["export", "folded", "--what", "threads"],
            &["export", "csv"],
        ] {
            let done = eventlog(&[verb, &[&input]].concat());
            assert!(done.code <= 1, "{verb:?}: {done:#?}");
        }
        // Whatever is left of the log, the repaired log can be read to its end.
        let mut reader = Reader::with_decoder(&damaged[..], Decoder::new().with_recovery(true));
        while let Ok(Some(_)) = reader.next_item() {}
        eventlog(&["repair", "--force", "-o", &out, &input]).exits(0);
        events(&std::fs::read(&out).expect("a result"));
    }
}

/// GHC 7.8.2 has other numbers for the reasons to stop; it is recognised by what its header does
/// not declare. A log that it is merged into must not keep them.
#[test]
fn an_old_log_keeps_its_meaning_beside_a_new_one() {
    let mut old = Log::new();
    let mut types = old.header.types().to_vec();
    types.retain(|kind| kind.id != 59);
    old.header = Header::from_types(types).expect("a header");
    old.bytes = old.header.as_bytes().to_vec();
    let stopped = |owner| EventBody::StopThread {
        thread: 1,
        status: StopStatus::BLACK_HOLE,
        info: Some(owner),
    };
    let block = at(&[
        (1, create(1)),
        (2, run(1)),
        (3, stopped(1)),
        (4, run(1)),
        (5, stop(1, StopStatus::MVAR_READ)),
        (6, run(1)),
        (7, stopped(0)),
    ]);
    let old = old.block(None, &at(&identity(1))).block(Some(0), &block);
    let new = Log::new()
        .block(None, &at(&identity(2)))
        .block(Some(0), &block);
    let dir = Dir::new();
    let (old, new) = (dir.with("old", &old.end()), dir.with("new", &new.end()));
    for (first, second) in [(&old, &new), (&new, &old), (&old, &old)] {
        let out = dir.file("out");
        eventlog(&[
            "merge", first, second, "-o", &out, "--parts", "no", "--force",
        ])
        .exits(0);
        let merged = std::fs::read(&out).expect("a result");
        let stops: Vec<String> = events(&merged)
            .into_iter()
            .map(|(_, _, text)| text)
            .filter(|text| text.starts_with("stop_thread"))
            .collect();
        let mut expected = Vec::new();
        for (thread, owner) in [(1, 1), (3, 3)] {
            // A black hole without an owner has none in the result, either.
            expected.extend([
                format!("stop_thread thread={thread} status=blocked_on_black_hole info={owner}"),
                format!("stop_thread thread={thread} status=blocked_on_mvar_read info=0"),
                format!("stop_thread thread={thread} status=blocked_on_black_hole info=0"),
            ]);
        }
        let sorted = |mut list: Vec<String>| {
            list.sort();
            list
        };
        assert_eq!(sorted(stops), sorted(expected), "{first} {second}");
    }
    // Events that a cut adds at the beginning use the old log's own numbers.
    let out = dir.file("cut");
    eventlog(&["cut", "--from", "5500us", &old, "-o", &out]).exits(0);
    let cut = events(&std::fs::read(&out).expect("a result"));
    let stops = |name: &str| cut.iter().filter(|(.., text)| text.contains(name)).count();
    assert_eq!(
        (
            stops("blocked_on_mvar_read"),
            stops("blocked_on_black_hole")
        ),
        (1, 1)
    );
}

/// Options may be anywhere, also between the files.
#[test]
fn options_stand_between_the_files_of_a_merge() {
    let dir = Dir::new();
    let log = Log::new().messages(0, &[(1, "a")]).end();
    let (a, b) = (dir.with("a.eventlog", &log), dir.with("b.eventlog", &log));
    let out = dir.file("out.eventlog");
    eventlog(&["merge", &a, "-o", &out, &b]).exits(0);
    eventlog(&["show", &out]).exits(0);
    eventlog(&["merge", &a, "-o", "-"])
        .exits(2)
        .says("at least two");
}

/// Whatever is left out of a log, the rest is a valid log: no end without a beginning.
#[test]
fn whatever_a_cut_leaves_out_the_rest_is_valid() {
    let task = |task| EventBody::TaskCreate {
        task,
        task_cap: 0,
        kernel_thread: task,
    };
    let migrate = |task| EventBody::TaskMigrate {
        task,
        old_cap: 0,
        new_cap: 1,
    };
    let delete = |task| EventBody::TaskDelete { task };
    let tasks = [
        (10, task(1)),
        // The beginning of this one is not in the log.
        (11, migrate(9)),
        (12, delete(9)),
        (45, migrate(1)),
        (46, task(2)),
        (50, delete(1)),
        (51, delete(2)),
    ];
    let mut log = everything();
    let end = log.len() - 2;
    // The last global block ends at 100 ms.
    let mut block = ghc_eventlog::BlockBuilder::new(None);
    for (time, body) in at(&tasks) {
        block
            .push_body(&Header::standard(), time, &body)
            .expect("an event");
    }
    block.cover(u64::MAX, 100_000_000);
    log.splice(end..end, block.finish().iter().copied());

    let names: std::collections::BTreeSet<String> = events(&log)
        .into_iter()
        .map(|(.., text)| text.split(' ').next().unwrap_or_default().to_owned())
        .collect();
    let mut cuts: Vec<Vec<&str>> = vec![vec![], vec!["--cap", "0"], vec!["--cap", "1"]];
    for name in &names {
        cuts.push(vec!["--type", name]);
        cuts.push(vec!["--exclude", name]);
    }
    for from in ["0s", "22ms", "47ms"] {
        for what in &cuts {
            let cut = rewritten(&[&["cut", "--from", from][..], what].concat(), &log);
            let valid = eventlog_with(&["validate", "-"], &cut);
            assert_eq!(valid.code, 0, "{from} {what:?}: {}", valid.stdout);
            let mut alive = std::collections::BTreeSet::new();
            for (.., text) in events(&cut) {
                let mut words = text.split(' ');
                let (name, task) = (words.next().unwrap_or_default(), words.next());
                let task = task.map(str::to_owned);
                let known = match name {
                    "task_create" => alive.insert(task),
                    "task_migrate" => alive.contains(&task),
                    "task_delete" => alive.remove(&task),
                    _ => true,
                };
                assert!(known, "{from} {what:?}: {text}");
            }
        }
    }
    // The result contains what was asked for, with what belongs to it, and nothing else.
    let runs = events(&rewritten(&["cut", "--type", "run_thread"], &log));
    let counts = count(&runs);
    assert_eq!((counts["run_thread"], counts["stop_thread"]), (3, 3));
    assert!(!counts.contains_key("create_thread"));
    let none = events(&rewritten(&["cut", "--exclude", "gc_end"], &log));
    assert!(!count(&none).contains_key("gc_start"));
}

/// Limits are respected: after a million threads the cut is like one after a thousand.
#[test]
fn a_cut_after_a_million_threads_has_what_was_told_last() {
    const THREADS: u32 = 1 << 20;
    let mut log = Log::new().block(None, &[(1, EventBody::CapCreate { created_cap: 0 })]);
    let all: Vec<u32> = (1..=THREADS).collect();
    for threads in all.chunks(1 << 16) {
        let created: Vec<_> = threads.iter().map(|&it| (10, create(it))).collect();
        log = log.block(Some(0), &created);
    }
    for threads in all.chunks(1 << 16) {
        let over = threads.iter().flat_map(|&it| {
            let time = 20 + u64::from(it);
            [(time, run(it)), (time, stop(it, StopStatus::FINISHED))]
        });
        log = log.block(Some(0), &over.collect::<Vec<_>>());
    }
    let centre = EventBody::HeapProfCostCentre {
        cost_centre: 7,
        label: "f".into(),
        module: "M".into(),
        location: "f.hs".into(),
        is_caf: 0,
    };
    let last = [
        (2_000_000, centre),
        (2_000_000, EventBody::CapCreate { created_cap: 1 }),
    ];
    let log = log
        .block(None, &last)
        .block(Some(0), &[(3_000_000, message("after"))])
        .end();
    let cut = rewritten(&["cut", "--from", "2500us"], &log);
    assert_valid(&cut);
    let texts: Vec<String> = events(&cut).into_iter().map(|event| event.2).collect();
    assert_eq!(
        texts,
        [
            "cap_create created_cap=0",
            "cap_create created_cap=1",
            "heap_prof_cost_centre cost_centre=7 label=f module=M location=f.hs is_caf=0",
            "user_msg message=after",
        ]
    );
}

/// Things that programs identify by their own addresses differ between programs.
#[test]
fn info_tables_of_two_programs_keep_their_names() {
    let empty = Text(b"");
    let program = |name: &str, breakdown, bytes| {
        let profile = EventBody::HeapProfBegin {
            profile: 0,
            period: 1,
            breakdown,
            module_filter: empty,
            closure_filter: empty,
            type_filter: empty,
            cost_centre_filter: empty,
            stack_filter: empty,
            retainer_filter: empty,
            biography_filter: empty,
        };
        let table = EventBody::Ipe {
            info: 0x1000,
            table_name: name.into(),
            closure_desc: "1".into(),
            type_desc: "T".into(),
            label: name.into(),
            module: "M".into(),
            location: "M.hs:1".into(),
        };
        let ticky = EventBody::TickyCounterDef {
            counter: 0x2000,
            arity: 1,
            arg_kinds: "L".into(),
            name: name.into(),
            info: Some(0x1000),
            json: Some("{}".into()),
        };
        let entered = EventBody::TickyCounterSample {
            counter: 0x2000,
            entries: bytes,
            allocs: 1,
            allocated: 1,
        };
        let era = 1;
        let band = EventBody::HeapProfSampleString {
            profile: 0,
            residency: bytes,
            label: "0x1000".into(),
        };
        // A stack of thread 1 on capability 0: the info table, a string, and a string with a place.
        let string = [&b"\xff\xcc\0\0\0\0\0\0\0\x05\0\x04"[..], b"name"].concat();
        let place = [&b"\xff\xcd"[..], &[0; 7], &[6], &[0; 8], &[0; 7], &[5]].concat();
        let stack = [
            &b"\xff\xca\0\0\0\0\0\0\0\x01\0\x03"[..],
            b"\x01\0\0\0\0\0\0\x10\0\x02\0\0\0\0\0\0\0\x05",
            b"\x03\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\x06",
        ]
        .concat();
        let binary = |data| EventBody::UserBinaryMsg { data };
        Log::new()
            .block(None, &at(&identity(bytes as u32)))
            .block(
                Some(0),
                &at(&[
                    (1, create(1)),
                    (2, run(1)),
                    (3, binary(&string)),
                    (4, binary(&place)),
                    (5, binary(&stack)),
                    (6, binary(&stack[..stack.len() - 1])),
                ]),
            )
            .block(
                None,
                &at(&[
                    (10, profile),
                    (11, table),
                    (12, EventBody::HeapProfSampleBegin { era }),
                    (13, band),
                    (14, EventBody::HeapProfSampleEnd { era }),
                    (15, ticky),
                    (16, entered),
                ]),
            )
            .end()
    };
    let dir = Dir::new();
    let by_table = Breakdown::INFO_TABLE;
    let alpha = dir.with("alpha", &program("alpha", by_table, 100));
    let beta = dir.with("beta", &program("beta", by_table, 900));
    // Here the band is a name that only looks like an address.
    let gamma = program("gamma", Breakdown::CLOSURE_TYPE, 700);
    let gamma = dir.with("gamma", &gamma);
    let out = dir.file("out");
    eventlog(&["merge", "--parts", "no", &alpha, &beta, &gamma, "-o", &out]).exits(0);
    let merged = std::fs::read(&out).expect("a result");
    assert_valid(&merged);

    let mut reader = Reader::new(&merged[..]);
    let (mut tables, mut counters) = (BTreeMap::new(), BTreeMap::new());
    let (mut bands, mut entries) = (BTreeMap::new(), BTreeMap::new());
    let mut messages: BTreeMap<_, Vec<Vec<u8>>> = BTreeMap::new();
    while let Some(item) = reader.next_item().expect("a readable log") {
        let Item::Event(event) = item else { continue };
        match event.body {
            EventBody::Ipe { info, label, .. } => {
                tables.insert(label.to_string(), info);
            }
            EventBody::TickyCounterDef {
                counter,
                name,
                info,
                ..
            } => {
                counters.insert(name.to_string(), (counter, info));
            }
            EventBody::HeapProfSampleString {
                residency, label, ..
            } => {
                bands.insert(residency, label.to_string());
            }
            EventBody::TickyCounterSample {
                counter,
                entries: entered,
                ..
            } => {
                entries.insert(entered, counter);
            }
            EventBody::UserBinaryMsg { data } => {
                messages.entry(event.cap).or_default().push(data.to_vec());
            }
            _ => {}
        }
    }
    assert_eq!(bands[&700], "0x1000");
    for (name, bytes) in [("alpha", 100), ("beta", 900)] {
        assert_eq!(bands[&bytes], format!("0x{:x}", tables[name]), "{name}");
    }
    for (name, entered) in [("alpha", 100), ("beta", 900), ("gamma", 700)] {
        assert_eq!(counters[name], (entries[&entered], Some(tables[name])));
    }
    let numbers: std::collections::BTreeSet<_> = tables.values().collect();
    assert_eq!(numbers.len(), 3);
    // Also if both are at one place of a source.
    let exported = eventlog(&["export", "hp", &out]).exits(0).stdout;
    for (name, bytes) in [("alpha", 100), ("beta", 900)] {
        let line = format!("M.{name}(M.hs:1)\t{bytes}");
        assert!(exported.contains(&line), "no {line} in {exported}");
    }

    // Messages of ghc-stack-profiler refer to the tables and threads of their program.
    let (alpha, beta) = (&messages[&Some(0)], &messages[&Some(2)]);
    assert_eq!(alpha[3], beta[3], "what cannot be read stays as it is");
    let number = |message: &[u8], at: usize| message[at..].first_chunk::<8>().copied();
    let stack = &beta[2];
    assert_eq!(stack[2..10], [0, 0, 0, 2, 0, 0, 0, 3]);
    let table = number(stack, 13).map(u64::from_be_bytes);
    assert_eq!(table, Some(tables["beta"]));
    let (string, place) = (number(&beta[0], 2), number(&beta[1], 2));
    assert_ne!(string, number(&alpha[0], 2));
    assert_ne!(place, number(&alpha[1], 2));
    assert_eq!(number(&beta[1], 18), string);
    assert_eq!((number(stack, 22), number(stack, 31)), (string, string));
    assert_eq!(number(stack, 39), place);
}

/// All that the messages of the package opentelemetry contain: the name and the attributes of each
/// span, the name and the measurements of each instrument. As its reader sees them: by number, and
/// a number stands for one of each.
fn telemetry(log: &[u8]) -> Vec<String> {
    let mut reader = Reader::new(log);
    let (mut spans, mut instruments) = (BTreeMap::new(), BTreeMap::new());
    let mut told = Vec::new();
    while let Some(item) = reader.next_item().expect("a readable log") {
        let Item::Event(event) = item else { continue };
        let EventBody::UserBinaryMsg { data } = event.body else {
            continue;
        };
        let Some([kind, rest @ ..]) = data.strip_prefix(b"OT\x03") else {
            continue;
        };
        let rest = if *kind == 8 { &rest[1..] } else { rest };
        let (id, rest) = rest.split_first_chunk::<8>().expect("a number");
        let text = String::from_utf8_lossy(rest).into_owned();
        let of = |known: &BTreeMap<_, String>| known.get(id).cloned().unwrap_or_default();
        match kind {
            1 => _ = spans.insert(*id, text),
            8 => _ = instruments.insert(*id, text),
            2 => told.push(format!("{} ends", spans.remove(id).unwrap_or_default())),
            9 => told.push(format!("{} is {:?}", of(&instruments), rest)),
            kind => told.push(format!("{} has {kind} {text:?}", of(&spans))),
        }
    }
    told.extend(spans.into_values().map(|name| format!("{name} is open")));
    told.sort();
    told
}

/// Each program counts its spans and instruments from 1 on.
#[test]
fn spans_and_instruments_of_merged_programs_are_told_apart() {
    let program = |name: &str, pid, late: u64| {
        let say = |kind: u8, id: u64, rest: &str| {
            let kind_of_instrument: &[u8] = if kind == 8 { &[1] } else { &[] };
            let id = id.to_le_bytes();
            [
                b"OT\x03",
                &[kind][..],
                kind_of_instrument,
                &id,
                rest.as_bytes(),
            ]
            .concat()
        };
        let said = [
            say(8, 1, &format!("{name} requests")),
            say(1, 1, &format!("{name} GET /")),
            say(1, 2, &format!("{name} inner")),
            say(3, 2, "tag\0value"),
            say(4, 2, "event\0value"),
            say(5, 2, "parent_1trace_1"),
            say(6, 1, "trace_1_"),
            say(7, 1, "span_id_"),
            say(9, 1, name),
            say(2, 2, ""),
            say(3, 1, "tag\0later"),
            say(2, 1, ""),
            say(1, 3, &format!("{name} goes on")),
        ];
        let events: Vec<_> = (0u64..)
            .zip(&said)
            .map(|(at, data)| (10 * at + late, EventBody::UserBinaryMsg { data }))
            .collect();
        Log::new()
            .block(None, &at(&identity(pid)))
            .block(Some(0), &at(&events))
            .end()
    };
    let dir = Dir::new();
    // Their spans are open at the same time.
    let logs = [
        program("alpha", 1, 1),
        program("beta", 2, 2),
        program("gamma", 3, 3),
    ];
    let names: Vec<String> = (0..3)
        .map(|n| dir.with(&format!("log{n}"), &logs[n]))
        .collect();
    let out = dir.file("out");
    let merge = ["merge", "--parts", "no", "-o", &out].map(str::to_owned);
    eventlog(&[&merge[..], &names].concat()).exits(0);
    let merged = std::fs::read(&out).expect("a result");
    assert_valid(&merged);
    let mut wanted: Vec<String> = logs.iter().flat_map(|log| telemetry(log)).collect();
    wanted.sort();
    assert_eq!(wanted.len(), 3 * 10, "{wanted:#?}");
    assert_eq!(telemetry(&merged), wanted);
}
