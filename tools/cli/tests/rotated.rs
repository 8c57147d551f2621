//! Recordings in several files: each is a valid log, and together they are the stream.

use crate::common::{Dir, Log, eventlog, eventlog_with};
use crate::program::{at, create, identity, message, run, stop};
use eventlog_state::{Follower, Keep, MergeOptions, State};
use ghc_eventlog::{Breakdown, EventBody, Item, Reader, StopStatus, Text};

/// The state at the end of a log.
fn state(log: &[u8]) -> State {
    let mut follower = Follower::new(MergeOptions::default(), Keep::all());
    follower.push_bytes(log, &mut |_| {}).expect("a log");
    follower.finish(&mut |_| {}).expect("a log");
    follower.state().expect("a header").clone()
}

fn names(log: &[u8]) -> Vec<String> {
    let mut reader = Reader::new(log);
    let mut names = Vec::new();
    while let Some(item) = reader.next_item().expect("a log") {
        if let Item::Event(event) = item {
            names.push(event.to_string());
        }
    }
    names
}

/// Records the log in files of this size, checks them, and returns them.
#[track_caller]
fn rotated(log: &[u8], size: &str, least: usize) -> Vec<Vec<u8>> {
    let dir = Dir::new();
    let input = dir.with("in.eventlog", log);
    let first = dir.file("part.eventlog");
    eventlog(&["record", &input, "-o", &first, "--rotate-size", size]).exits(0);
    let mut parts = vec![first];
    for number in 2.. {
        let path = dir.file(&format!("part.{number:04}.eventlog"));
        if !std::path::Path::new(&path).exists() {
            break;
        }
        parts.push(path);
    }
    assert!(parts.len() >= least, "{} files", parts.len());
    let mut files = Vec::new();
    for path in &parts {
        let valid = eventlog(&["validate", path]);
        assert_eq!(valid.code, 0, "{path}: {}", valid.stdout);
        files.push(std::fs::read(path).expect("a file"));
    }
    // Together they are the stream.
    let whole = dir.file("whole.eventlog");
    let mut merge = vec!["merge", "-o", &whole];
    merge.extend(parts.iter().map(String::as_str));
    let merged = eventlog(&merge).exits(0).says("one recording");
    assert!(!merged.stderr.contains("warning"), "{}", merged.stderr);
    assert!(std::fs::read(&whole).expect("a file") == log);
    // A missing file is reported.
    if parts.len() > 2 {
        let some = ["merge", "--force", "-o", &whole, &parts[0], &parts[2]];
        eventlog(&some)
            .exits(0)
            .says("bytes of the stream are missing");
    }
    // Reading from any of the files on leads to the same state in the end.
    let end = state(log);
    for (number, path) in parts.iter().enumerate().skip(1) {
        let mut late = vec!["merge", "--force", "-o", &whole, path];
        late.extend(parts[number + 1..].iter().map(String::as_str));
        let log = match late.len() {
            5 => files[number].clone(),
            _ => {
                eventlog(&late).exits(0);
                std::fs::read(&whole).expect("a file")
            }
        };
        assert_eq!(state(&log).difference(&end), None, "from {path}");
    }
    files
}

#[test]
fn a_heap_sample_that_lies_across_files_is_whole_in_the_second() {
    let empty = Text(b"");
    let profile = EventBody::HeapProfBegin {
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
    };
    let labels: Vec<String> = (0..2000).map(|n| format!("band{n:05}")).collect();
    let bands = |time, of: std::ops::Range<usize>| {
        let band = |n: usize| EventBody::HeapProfSampleString {
            profile: 0,
            residency: n as u64,
            label: labels[n].as_str().into(),
        };
        of.map(|n| (time, band(n))).collect::<Vec<_>>()
    };
    let mut log = Log::new()
        .block(None, &at(&identity(5)))
        .block(None, &at(&[(1, profile)]))
        .block(Some(0), &at(&[(1, create(1)), (2, run(1))]));
    // The global buffer is flushed whenever it is full: in the middle of each sample.
    for era in 0..6 {
        let time = 1000 * (era + 1);
        let mut first = vec![(time, EventBody::HeapProfSampleBegin { era })];
        first.extend(bands(time, 0..1000));
        let mut second = bands(time, 1000..2000);
        second.push((time, EventBody::HeapProfSampleEnd { era }));
        log = log.block(None, &at(&first)).block(None, &at(&second));
        log = log.block(Some(0), &at(&[(time, message("tick"))]));
    }
    let files = rotated(&log.end(), "12K", 4);
    let torn = |file: &[u8]| {
        let names = names(file);
        let count = |name: &str| names.iter().filter(|it| it.starts_with(name)).count();
        let begun = count("heap_prof_sample_begin");
        let ended = count("heap_prof_sample_end");
        // Each complete sample has all of its bands.
        assert!(count("heap_prof_sample_string") >= 2000 * ended);
        begun - ended
    };
    let torn: Vec<usize> = files.iter().map(|file| torn(file)).collect();
    assert!(
        torn.iter().any(|&torn| torn > 0),
        "no sample lies across: {torn:?}"
    );
}

/// Why threads do not run, which capabilities take part in a collection, where tasks are, messages
/// that other messages refer to.
#[test]
fn what_holds_at_the_beginning_of_a_file_is_told_there() {
    let disable = EventBody::CapDisable { disabled_cap: 1 };
    let mut global = identity(5);
    global.extend([
        (
            1,
            EventBody::TaskCreate {
                task: 77,
                task_cap: 0,
                kernel_thread: 1234,
            },
        ),
        (
            2,
            EventBody::TaskMigrate {
                task: 77,
                old_cap: 0,
                new_cap: 1,
            },
        ),
    ]);
    let string = EventBody::UserBinaryMsg {
        data: b"\xff\xcc\0\0\0\0\0\0\0\x07\0\x04text",
    };
    let mut log = Log::new().block(None, &at(&global)).block(
        Some(0),
        &at(&[
            (3, create(1)),
            (4, run(1)),
            (5, stop(1, StopStatus::MVAR_READ)),
            (6, create(2)),
            (7, run(2)),
            (8, string),
        ]),
    );
    let text = "x".repeat(200);
    for n in 1..=60 {
        let time = |k: u64| 100 * n + k;
        let mut first: Vec<_> = (0..10).map(|k| (time(k), message(&text))).collect();
        if n % 7 == 3 {
            // Its end is in the next block, and is dated back.
            first.push((time(20), stop(2, StopStatus::HEAP_OVERFLOW)));
            first.push((time(20), EventBody::GcStart));
            first.push((time(40), EventBody::GcWork));
        } else if n % 7 == 4 {
            let begin = [(time(0) - 65, EventBody::GcEnd), (time(0) - 60, run(2))];
            first.splice(0..0, begin);
        }
        log = log.block(Some(0), &at(&first));
        // This block is late.
        if n % 3 == 0 {
            let second: Vec<_> = (0..10).map(|k| (time(k) - 150, message(&text))).collect();
            log = log.block(Some(1), &at(&second));
        }
        if n == 30 {
            log = log.block(None, &at(&[(time(50), disable)]));
        }
    }
    let end = [(6205, stop(2, StopStatus::FINISHED)), (6210, run(1))];
    let log = log.block(Some(0), &at(&end)).end();
    let files = rotated(&log, "16K", 6);
    for file in &files[1..] {
        let names = names(file);
        for wanted in [
            "task_create task=77 task_cap=1 kernel_thread=1234",
            "stop_thread thread=1 status=blocked_on_mvar_read info=0",
            "user_binary_msg",
        ] {
            let found = names.iter().any(|name| name.starts_with(wanted));
            assert!(found, "no {wanted} in {names:#?}");
        }
    }
}

#[test]
fn a_recording_goes_on_from_any_of_its_files() {
    let log = crate::program::everything();
    // Blocks of a few events each.
    let mut reader = Reader::new(&log[..]);
    let mut small = Log::new();
    let mut events = Vec::new();
    while let Some(item) = reader.next_item().expect("a log") {
        if let Item::Event(event) = item {
            events.push((event.cap, event.time, event.raw.to_vec()));
        }
    }
    let text = "x".repeat(3000);
    let mut ends = std::collections::BTreeMap::new();
    for (cap, time, raw) in events {
        let end = ends.entry(cap).or_default();
        *end = time.max(*end);
        let mut block = ghc_eventlog::BlockBuilder::new(cap);
        block.push_raw(time, &raw);
        // Some events are dated back.
        block.cover(u64::MAX, *end);
        small = small.raw(block.finish());
        if cap.is_none() {
            // So that there is enough for several files.
            small = small.block(Some(2), &[(200_000_000, message(&text))]);
        }
    }
    rotated(&small.end(), "8K", 4);
}

/// The prologue can be longer than a file is to be.
#[test]
fn a_large_prologue_does_not_make_a_file_of_each_block() {
    let threads: Vec<_> = (1..2000).map(|thread| (1, create(thread))).collect();
    let mut log = Log::new()
        .block(None, &at(&identity(5)))
        .block(Some(0), &at(&threads));
    let text = "x".repeat(500);
    for n in 0..100 {
        log = log.block(Some(0), &at(&[(n + 2, message(&text))]));
    }
    // The mark at the end counts as part of the last block.
    let mut log = log.end();
    let last = log.len() - 2 - (24 + 2 + 8 + 2 + text.len());
    let size = (log.len() - last) as u32;
    assert_eq!(log[last..last + 2], [0, 18]);
    log[last + 10..last + 14].copy_from_slice(&size.to_be_bytes());
    let files = rotated(&log, "16K", 3);
    assert!(files.len() < 12, "{} files", files.len());
    let done = eventlog_with(&["validate", "-"], &log).exits(0);
    assert!(done.stdout.contains("valid"));
}
