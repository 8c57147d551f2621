//! `eventlog recover`: ring files that are whole, or being written.

use crate::common::{Dir, eventlog};
use crate::ring::{
    CAPACITY, Ring, block, each_event, events, info_table, message, numbered, recover, recovered,
};
use ghc_eventlog::{EventBody, Header};
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn nothing_recorded_is_a_log_with_nothing_in_it() {
    let dir = Dir::new();
    let ring = Ring::with_header(dir.file("ring"));
    let (done, log) = recover(&dir, &ring.path);
    assert_eq!(log, [Header::standard().as_bytes(), &[0xff, 0xff]].concat());
    done.says("0 chunks, 0 bytes; 0 overwritten, 0 torn");
}

#[test]
fn less_than_a_lap_comes_back_byte_for_byte() {
    let dir = Dir::new();
    let ring = Ring::with_header(dir.file("ring"));
    let mut expected = Header::standard().as_bytes().to_vec();
    for number in 0..100 {
        let chunk = numbered(number, Some((number % 4) as u16), 37 * number as usize);
        ring.push(&chunk);
        expected.extend_from_slice(&chunk);
    }
    expected.extend_from_slice(&[0xff, 0xff]);
    let (done, log) = recover(&dir, &ring.path);
    assert_eq!(log, expected);
    done.says("100 chunks, ")
        .says("from 0.000000 s to 0.000099 s; 0 overwritten, 0 torn");
    let mut command = crate::common::command();
    let output = command.args(["recover", &ring.path, "-o", "-"]).output();
    assert_eq!(output.expect("it runs").stdout, expected);
}

#[test]
fn of_several_laps_the_newest_is_there_and_the_rest_is_told() {
    let dir = Dir::new();
    let ring = Ring::with_header(dir.file("ring"));
    // Lengths that never end exactly at the end of the ring: records wrap around it.
    for number in 0..1000 {
        ring.push(&numbered(
            number,
            Some(0),
            9000 + 101 * (number % 7) as usize,
        ));
    }
    let (numbers, others, done) = recovered(&dir, &ring);
    let first = numbers[0];
    assert_eq!(numbers, (first..1000).collect::<Vec<_>>());
    assert!(numbers.len() > 100, "{}", numbers.len());
    assert_eq!(others.len(), 1, "{others:?}");
    let told = format!("eventlog recover: overwritten {first} chunks, ");
    assert!(others[0].starts_with(&told), "{others:?}");
    let until = format!("the log is missing until {:.6} s", first as f64 / 1e6);
    assert!(others[0].contains(&until), "{others:?}");
    done.says(&format!("; {first} overwritten, 0 torn"));
}

#[test]
fn chunks_from_one_granule_to_the_whole_ring() {
    let dir = Dir::new();
    let ring = Ring::with_header(dir.file("ring"));
    let sizes = [0, 26, 27, 28, 100, 60_000];
    for number in 0..30_000u64 {
        ring.push(&numbered(number, None, sizes[(number % 5) as usize]));
    }
    let (numbers, ..) = recovered(&dir, &ring);
    let all: Vec<u64> = (numbers[0]..30_000).collect();
    assert_eq!(numbers, all);
    // A chunk that overwrites all others.
    let part = numbered(30_000, Some(1), 60_000);
    let parts = CAPACITY as usize / part.len();
    ring.push(&part.repeat(parts));
    let (numbers, ..) = recovered(&dir, &ring);
    assert!(numbers.ends_with(&vec![30_000; parts]));
    assert!(numbers.len() < parts + 1000, "{}", numbers.len());
}

#[test]
fn a_torn_record_is_told_and_nothing_else_is_missing() {
    let dir = Dir::new();
    let ring = Ring::with_header(dir.file("ring"));
    for number in 0..10 {
        ring.push(&numbered(number, Some(0), 1000));
    }
    let mut torn = ring.recorder.reserve(4321).expect("room");
    torn.write(0, &[0xaa; 1000]);
    std::mem::forget(torn);
    // Aborted on purpose: nothing is missing.
    drop(ring.recorder.reserve(777).expect("room"));
    for number in 10..20 {
        ring.push(&numbered(number, Some(0), 1000));
    }
    let (numbers, others, done) = recovered(&dir, &ring);
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
    assert_eq!(others.len(), 1, "{others:?}");
    assert!(others[0].contains("torn 1 chunk, 4321 bytes"), "{others:?}");
    done.says("0 overwritten, 1 torn");
    // After a lap it is in the way of newer chunks.
    while ring.recorder.push(&numbered(20, Some(0), 5000)).is_ok() {}
    ring.tell();
    let (_, others, _) = recovered(&dir, &ring);
    assert!(
        others
            .iter()
            .any(|text| text.contains("not recorded 1 chunks, 5")),
        "{others:?}"
    );
}

#[test]
fn an_end_marker_in_the_middle_is_taken_out() {
    let dir = Dir::new();
    let ring = Ring::with_header(dir.file("ring"));
    // As GHC 9.0 writes it, behind the block, and alone; and as later versions do, counted as part
    // of the block.
    ring.push(&[numbered(0, Some(0), 10), vec![0xff, 0xff]].concat());
    ring.push(&numbered(1, Some(0), 10));
    let mut inside = numbered(2, Some(0), 10);
    inside.extend_from_slice(&[0xff, 0xff]);
    let size = inside.len() as u32;
    inside[10..14].copy_from_slice(&size.to_be_bytes());
    ring.push(&inside);
    ring.push(&[0xff, 0xff]);
    ring.push(&numbered(3, Some(0), 10));
    let (numbers, others, _) = recovered(&dir, &ring);
    assert_eq!(numbers, [0, 1, 2, 3]);
    assert_eq!(others, [""; 0]);
}

/// ThreadScope stops reading a log in which a task occurs that was not created.
#[test]
fn tasks_that_do_something_were_created_before() {
    let dir = Dir::new();
    let mut ring = Ring::new(dir.file("ring"));
    let create = |task| EventBody::TaskCreate {
        task,
        task_cap: 1,
        kernel_thread: 70 + task,
    };
    let delete = |task| EventBody::TaskDelete { task };
    let migrate = |task| EventBody::TaskMigrate {
        task,
        old_cap: 3,
        new_cap: 2,
    };
    // Task 4 is defined in the slot; of 5 only the migration is; the creations of 1 to 3 have been
    // overwritten in the ring.
    let defined = block(None, &[(2, create(4)), (2, migrate(5))]);
    let header = Header::standard();
    ring.define(header.as_bytes(), events(&defined));
    ring.define(header.as_bytes(), events(&defined));
    ring.push(&block(Some(0), &[(10, EventBody::GcIdle)]));
    let first = [
        (20, delete(1)),
        (21, migrate(2)),
        (22, migrate(2)),
        (23, delete(2)),
    ];
    ring.push(&block(None, &first));
    // The number of a deleted task is used again.
    let second = [
        (30, create(1)),
        (31, delete(1)),
        (32, delete(4)),
        (33, migrate(3)),
    ];
    ring.push(&block(None, &second));
    let (done, log) = recover(&dir, &ring.path);
    let mut alive = std::collections::BTreeSet::new();
    let mut made_up = Vec::new();
    let mut count = 0;
    each_event(&log, |event| match event.body {
        EventBody::TaskCreate {
            task,
            task_cap,
            kernel_thread,
        } => {
            assert!(alive.insert(task), "{task}");
            if kernel_thread == 0 {
                made_up.push((task, task_cap, event.time));
            }
        }
        EventBody::TaskMigrate { task, .. } => {
            assert!(alive.contains(&task), "{task}");
            count += 1;
        }
        EventBody::TaskDelete { task } => {
            assert!(alive.remove(&task), "{task}");
            count += 1;
        }
        _ => {}
    });
    assert_eq!(made_up, [(1, 0, 10), (2, 3, 10), (3, 3, 10)]);
    assert_eq!(count, 7);
    let (_, others) = crate::ring::messages(&log);
    assert_eq!(others.len(), 1, "{others:?}");
    assert!(
        others[0].contains("older 3 tasks: created before"),
        "{others:?}"
    );
    assert!(!done.stderr.contains("older"), "{done:?}");
}

/// A header that declares another length for messages: then none of ours are written.
#[test]
fn what_is_said_in_the_log_is_as_the_header_declares_it() {
    let dir = Dir::new();
    let mut ring = Ring::new(dir.file("ring"));
    let mut types = Header::standard().types().to_vec();
    types
        .iter_mut()
        .find(|kind| kind.id == 19)
        .expect("messages")
        .size = Some(300);
    let header = Header::from_types(types).expect("a header");
    ring.define(header.as_bytes(), &[]);
    ring.define(header.as_bytes(), &[]);
    for time in 0..40_000 {
        ring.push(&block(Some(0), &[(time, EventBody::GcIdle)]));
    }
    let (_, log) = recover(&dir, &ring.path);
    let mut kinds = std::collections::BTreeSet::new();
    each_event(&log, |event| _ = kinds.insert(event.id()));
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), [20]);
}

#[test]
fn definitions_come_first_and_each_once() {
    let dir = Dir::new();
    let mut ring = Ring::new(dir.file("ring"));
    let cap = |time, cap| {
        events(&block(
            None,
            &[(time, EventBody::CapCreate { created_cap: cap })],
        ))
        .to_vec()
    };
    let definitions = [cap(1, 0), cap(2, 1), cap(3, 2)].concat();
    let header = Header::standard();
    ring.define(header.as_bytes(), &definitions[..definitions.len() / 3]);
    ring.define(header.as_bytes(), &definitions);
    ring.table(169, 0, &info_table(4, "old"));
    ring.table(
        169,
        1,
        &[info_table(5, "one"), info_table(6, "two")].concat(),
    );
    ring.table(161, 0, &[]);
    ring.table(169, 1, &info_table(7, "three"));
    // The chunks contain one of each kind; info tables with the lengths that GHC declares.
    let mut wrong = info_table(6, "two");
    wrong[11] += 1;
    let mut chunk = block(None, &[]);
    chunk.extend_from_slice(&[cap(2, 1), wrong].concat());
    let size = chunk.len() as u32;
    chunk[10..14].copy_from_slice(&size.to_be_bytes());
    chunk[14..22].copy_from_slice(&9u64.to_be_bytes());
    ring.push(&numbered(0, Some(0), 5));
    ring.push(&chunk);
    let (_, log) = recover(&dir, &ring.path);
    let mut seen = Vec::new();
    each_event(&log, |event| match event.body {
        EventBody::CapCreate { created_cap: cap } => seen.push(format!("cap {cap}")),
        EventBody::Ipe {
            table_name: name, ..
        } => {
            // Most tools rely on the declared length.
            let declared = u16::from_be_bytes([event.raw[10], event.raw[11]]);
            assert_eq!(usize::from(declared) + 12, event.raw.len());
            seen.push(name.to_string());
        }
        _ => seen.push("message".to_owned()),
    });
    assert_eq!(
        seen,
        ["cap 0", "cap 2", "one", "three", "message", "cap 1", "two"]
    );
}

#[test]
fn definitions_later_than_what_is_recorded_are_there_too() {
    let dir = Dir::new();
    let mut ring = Ring::new(dir.file("ring"));
    let late = block(
        None,
        &[(5_000_000, EventBody::CapCreate { created_cap: 7 })],
    );
    let clock = EventBody::WallClockTime {
        capset: 1,
        seconds: 1000,
        nanoseconds: 5,
    };
    let clock = block(None, &[(6_000_000, clock)]);
    let both = [events(&late), events(&clock)].concat();
    ring.define(Header::standard().as_bytes(), &both);
    for number in 0..1000 {
        ring.push(&numbered(number, None, 9000));
    }
    let (_, log) = recover(&dir, &ring.path);
    let mut seen = Vec::new();
    each_event(&log, |event| match event.body {
        EventBody::CapCreate { created_cap: cap } => seen.push((u64::from(cap), 0)),
        EventBody::WallClockTime { seconds, .. } => seen.push((seconds, event.time)),
        _ => {}
    });
    assert_eq!(seen, [(7, 0), (1000, 6_000_000)]);
}

/// Blocks of a quiet program span seconds: events written before one are no later than its first
/// event.
#[test]
fn what_comes_before_a_long_block_is_before_its_first_event() {
    let dir = Dir::new();
    let mut ring = Ring::new(dir.file("ring"));
    let late = block(
        None,
        &[(5_000_000, EventBody::CapCreate { created_cap: 7 })],
    );
    ring.define(Header::standard().as_bytes(), events(&late));
    for number in 0..1000 {
        ring.push(&numbered(number, Some(0), 9000));
    }
    let message = |text: &'static str| EventBody::UserMsg {
        message: text.into(),
    };
    let long = [(2_000_000, message("begun")), (9_000_000, message("ended"))];
    ring.push(&block(None, &long));
    let (_, log) = recover(&dir, &ring.path);
    let mut global = Vec::new();
    each_event(&log, |event| {
        if event.cap.is_none() {
            global.push(event.time);
        }
    });
    // The definition, the messages about what was overwritten, and the block.
    assert_eq!(global.len(), 4, "{global:?}");
    assert!(global.is_sorted(), "{global:?}");
}

#[test]
fn real_logs_come_back_with_all_their_events() {
    let dir = Dir::new();
    let logs = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../formats/events/corpus/logs"
    );
    let mut count = 0;
    for entry in std::fs::read_dir(logs).expect("the corpus") {
        let path = entry.expect("a file").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let bytes = std::fs::read(&path).expect("a log");
        let Some((header, chunks)) = chunks(&bytes) else {
            continue;
        };
        let total: usize = chunks
            .iter()
            .map(|chunk| chunk.len().next_multiple_of(64))
            .sum();
        if total as u64 > CAPACITY {
            continue;
        }
        let mut ring = Ring::new(dir.file(&name));
        ring.define(&header, &[]);
        chunks.iter().for_each(|chunk| ring.push(chunk));
        let out = dir.file("out.eventlog");
        eventlog(&["recover", &ring.path, "-o", &out, "--force"]).exits(0);
        eventlog(&["validate", "--quiet", &out]).exits(0);
        let log = std::fs::read(&out).expect("a log");
        let (mut before, mut after) = (0, 0);
        each_event(&bytes, |_| before += 1);
        each_event(&log, |_| after += 1);
        assert_eq!(before, after, "{name}");
        std::fs::remove_file(&ring.path).expect("it was there");
        count += 1;
    }
    assert!(count >= 5, "{count}");
}

/// Header and blocks of a log, if it consists of them.
fn chunks(log: &[u8]) -> Option<(Vec<u8>, Vec<&[u8]>)> {
    let mut reader = ghc_eventlog::Reader::new(log);
    let mut starts = Vec::new();
    let mut header = None;
    while let Ok(Some(item)) = reader.next_item() {
        match item {
            ghc_eventlog::Item::Header if header.is_some() => return None,
            ghc_eventlog::Item::Header => header = reader.header().cloned(),
            ghc_eventlog::Item::Block(block) => starts.push(block.offset as usize),
            _ => {}
        }
    }
    if !reader.ending().is_complete() {
        return None;
    }
    let header = header?.as_bytes().to_vec();
    (starts.first() == Some(&header.len())).then_some(())?;
    starts.push(log.len());
    let chunks = starts.windows(2).map(|pair| &log[pair[0]..pair[1]]);
    Some((header, chunks.collect()))
}

#[test]
fn a_file_that_is_being_written() {
    let dir = Dir::new();
    let ring = Ring::with_header(dir.file("ring"));
    let (ring, dir) = (&ring, &dir);
    let (done, slowly) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            // Relaxed: nothing else depends on it.
            while !done.load(Ordering::Relaxed) {
                ring.push(&numbered(
                    number,
                    Some(0),
                    100 + (number * 7919 % 20_000) as usize,
                ));
                number += 1;
                if slowly.load(Ordering::Relaxed) {
                    std::thread::sleep(std::time::Duration::from_micros(100));
                }
            }
        });
        // The writer ends even if a check below fails.
        struct Stop<'a>(&'a AtomicBool);
        impl Drop for Stop<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let _stop = Stop(&done);
        let mut newest = 0;
        let mut found = 0;
        for round in 0..20 {
            // At full speed most is overwritten while it is copied.
            slowly.store(round % 2 == 0, Ordering::Relaxed);
            let (numbers, ..) = recovered(dir, ring);
            let Some(&first) = numbers.first() else {
                continue;
            };
            let without_holes: Vec<u64> = (first..first + numbers.len() as u64).collect();
            assert_eq!(numbers, without_holes);
            assert!(first + numbers.len() as u64 > newest);
            newest = first + numbers.len() as u64;
            found += 1;
        }
        assert!(found > 0, "every chunk was overwritten, every time");
    });
}

#[test]
fn messages_are_those_of_the_program_and_of_the_recovery() {
    let dir = Dir::new();
    let ring = Ring::with_header(dir.file("ring"));
    ring.push(&message(5, None, "hello"));
    assert_eq!(recovered(&dir, &ring).1, ["hello"]);
}
