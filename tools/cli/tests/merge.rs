//! `eventlog merge`.

use crate::common::{Dir, Log, eventlog};
use crate::program::{at, create, everything, identity, message, run, stop};
use crate::rewriting::{assert_valid, count, events};
use ghc_eventlog::{Breakdown, EventBody, Header, Item, Reader, StopStatus, Text};
use std::collections::BTreeMap;

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
