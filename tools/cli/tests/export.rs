//! `eventlog export`.

use crate::common::{Dir, Done, Log, eventlog, eventlog_with};
use crate::program::{at, everything, message};
use ghc_eventlog::{EventBody, Stack};

fn export(args: &[&str], log: &[u8]) -> Done {
    eventlog_with(&[&["export"], args, &["-"]].concat(), log)
}

/// A log with a time profile: three samples, in two stacks.
fn profiled() -> Vec<u8> {
    let centre = |cost_centre, label: &'static str| EventBody::HeapProfCostCentre {
        cost_centre,
        label: label.into(),
        module: "M".into(),
        location: "M.hs:1:1".into(),
        is_caf: 0,
    };
    let sample = |tick, words: &'static [u8]| EventBody::ProfSampleCostCentre {
        sampled_cap: 0,
        tick,
        stack: Stack::new(words).expect("a stack"),
    };
    // Innermost first.
    const INNER: &[u8] = &[0, 0, 0, 2, 0, 0, 0, 1];
    const OUTER: &[u8] = &[0, 0, 0, 1];
    let events = [
        (
            0,
            EventBody::ProfBegin {
                tick_interval: 1_000_000,
            },
        ),
        (0, centre(1, "main")),
        (0, centre(2, "work;er")),
        (1, sample(1, INNER)),
        (2, sample(2, INNER)),
        (3, sample(3, OUTER)),
        (4, sample(4, &[])),
    ];
    Log::new().block(None, &at(&events)).end()
}

#[test]
fn samples_become_folded_stacks() {
    let done = export(&["folded"], &profiled()).exits(0);
    assert_eq!(done.stdout, "M.main 1\nM.main;M.work:er 2\nMAIN 1\n");
    let part = export(&["folded", "--from", "2ms", "--to", "4ms"], &profiled()).exits(0);
    assert_eq!(part.stdout, "M.main 1\nM.main;M.work:er 1\n");
}

#[test]
fn threads_become_folded_stacks() {
    let done = export(&["folded"], &everything()).exits(0);
    let lines = done.lines();
    assert!(lines.contains(&"main;running 25000000"), "{lines:?}");
    assert!(lines.contains(&"thread 2;running 25000000"), "{lines:?}");
    assert!(
        lines.contains(&"thread 2;blocked_on_mvar 45000000"),
        "{lines:?}"
    );
}

#[test]
fn the_largest_heap_sample_becomes_folded_stacks() {
    let done = export(&["folded", "--what", "heap"], &everything()).exits(0);
    assert_eq!(done.stdout, "ARRAY 1000\na,b\"c 2000\n");
}

#[test]
fn speedscope_gets_samples() {
    let done = export(&["speedscope"], &profiled()).exits(0);
    let file: serde_json::Value = serde_json::from_str(&done.stdout).expect("JSON");
    let profile = &file["profiles"][0];
    assert_eq!(profile["type"], "sampled");
    assert_eq!(
        profile["weights"],
        serde_json::json!([1_000_000, 1_000_000, 1_000_000, 1_000_000])
    );
    assert_eq!(profile["endValue"], 4_000_000);
    let frame = |of: &serde_json::Value| {
        let at = of.as_u64().expect("a number") as usize;
        file["shared"]["frames"][at]["name"]
            .as_str()
            .expect("a name")
            .to_owned()
    };
    let samples = profile["samples"].as_array().expect("samples");
    let stacks: Vec<Vec<String>> = samples
        .iter()
        .map(|stack| {
            stack
                .as_array()
                .expect("a stack")
                .iter()
                .map(frame)
                .collect()
        })
        .collect();
    // Outermost first.
    assert_eq!(stacks[0], ["M.main", "M.work;er"]);
    assert_eq!(stacks[2], ["M.main"]);
    assert_eq!(stacks[3], [""; 0]);
}

#[test]
fn speedscope_gets_spans_nested() {
    let events = [
        (1, message("START a")),
        (2, message("START b")),
        (4, message("STOP a")),
        (6, message("STOP b")),
    ];
    let log = Log::new().block(Some(0), &at(&events)).end();
    let done = export(&["speedscope"], &log).exits(0);
    let file: serde_json::Value = serde_json::from_str(&done.stdout).expect("JSON");
    let profile = &file["profiles"][0];
    assert_eq!(profile["type"], "evented");
    let mut open = Vec::new();
    let mut last = 0;
    for event in profile["events"].as_array().expect("events") {
        let time = event["at"].as_u64().expect("a time");
        assert!(time >= last);
        last = time;
        match event["type"].as_str() {
            Some("O") => open.push(&event["frame"]),
            _ => assert_eq!(open.pop(), Some(&event["frame"])),
        }
    }
    assert!(open.is_empty());
}

#[test]
fn perfetto_gets_timelines() {
    let done = export(&["perfetto", "--json"], &everything()).exits(0);
    let file: serde_json::Value = serde_json::from_str(&done.stdout).expect("JSON");
    let events = file["traceEvents"].as_array().expect("events");
    // Perfetto takes these ids for the kernel's, and drops their slices that overlap.
    assert!(events.iter().all(|e| e["tid"] != 0 && e["pid"] != 0));
    let slices = |name: &str, pid: u64| -> Vec<(f64, f64)> {
        let of = events
            .iter()
            .filter(|e| e["ph"] == "X" && e["name"] == name && e["pid"] == pid);
        of.map(|e| {
            (
                e["ts"].as_f64().expect("ts"),
                e["dur"].as_f64().expect("dur"),
            )
        })
        .collect()
    };
    // Thread 1 on the tracks of the capabilities, and its own.
    assert_eq!(
        slices("main", 1),
        [(10_000.0, 10_000.0), (40_000.0, 15_000.0)]
    );
    assert_eq!(slices("GC", 1), [(20_000.0, 4_000.0), (20_000.0, 4_000.0)]);
    assert_eq!(slices("GC generation 1", 1), [(20_000.0, 4_000.0)]);
    assert_eq!(slices("blocked_on_mvar", 2), [(55_000.0, 45_000.0)]);
    let phase = |phase: &str| events.iter().filter(|e| e["ph"] == phase).count();
    assert_eq!((phase("b"), phase("e")), (3, 3));
    assert_eq!(
        events
            .iter()
            .filter(|e| e["ph"] == "i" && e["cat"] == "marker")
            .count(),
        1
    );
    let counters: Vec<_> = events
        .iter()
        .filter(|e| e["ph"] == "C" && e["name"] == "allocated")
        .collect();
    assert_eq!(counters.last().expect("counters")["args"]["bytes"], 9700);
    assert!(
        events
            .iter()
            .any(|e| e["ph"] == "M" && e["args"]["name"] == "demo (process 77): threads")
    );
}

#[test]
fn perfetto_has_a_format_of_its_own() {
    let dir = Dir::new();
    let log = dir.with("a.eventlog", &everything());
    let native = |args: &[&str], name: &str| {
        let to = dir.file(name);
        let args = [&["export", "perfetto", &*log, "-o", &to, "--force"], args].concat();
        eventlog(&args).exits(0);
        std::fs::read(&to).expect("a trace")
    };
    // A packet, its length, its flags: nothing before it may be used.
    let trace = native(&[], "a.pftrace");
    assert_eq!(trace[..6], [0x0a, 4, 0x50, 1, 0x68, 1]);
    assert!(trace.windows(4).any(|bytes| bytes == b"demo"));
    // As JSON when asked for it, or for a file of JSON.
    for json in [native(&["--json"], "b.pftrace"), native(&[], "b.json")] {
        let file: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
        assert!(file["traceEvents"].is_array());
    }
    assert_eq!(native(&[], "c.json.gz")[..2], [0x1f, 0x8b]);
    export(&["csv", "--json"], &everything())
        .exits(2)
        .says("perfetto");
}

#[test]
fn heap_profiles_become_text() {
    let done = export(&["hp"], &everything()).exits(0);
    let expected = "JOB \"/bin/demo --fast\"\nDATE \"1970-01-01 00:16\"\n\
        SAMPLE_UNIT \"seconds\"\nVALUE_UNIT \"bytes\"\n\
        BEGIN_SAMPLE 0.020000000\nARRAY\t100\na,b\"c\t200\nEND_SAMPLE 0.020000000\n\
        BEGIN_SAMPLE 0.060000000\nARRAY\t1000\na,b\"c\t2000\nEND_SAMPLE 0.060000000\n";
    assert_eq!(done.stdout, expected);
}

#[test]
fn info_tables_are_named() {
    let ipe = EventBody::Ipe {
        info: 0xabc,
        table_name: "x_info".into(),
        closure_desc: "15".into(),
        type_desc: "T".into(),
        label: "x".into(),
        module: "M".into(),
        location: "M.hs:3:1-5".into(),
    };
    let band = EventBody::HeapProfSampleString {
        profile: 0,
        residency: 8,
        label: "0xabc".into(),
    };
    let events = [
        (0, ipe),
        (1, EventBody::HeapProfSampleBegin { era: 1 }),
        (1, band),
        (1, EventBody::HeapProfSampleEnd { era: 1 }),
    ];
    let log = Log::new().block(None, &at(&events)).end();
    let done = export(&["csv", "--what", "heap"], &log).exits(0);
    assert_eq!(
        done.lines(),
        ["time_s,band,bytes", "0.001000000,M.x (M.hs:3:1-5),8"]
    );
}

/// An info table and its place in the source.
fn info_table<'a>(info: u64, name: &'a str, label: &'a str, location: &'a str) -> EventBody<'a> {
    EventBody::Ipe {
        info,
        table_name: name.into(),
        closure_desc: "15".into(),
        type_desc: "T".into(),
        label: label.into(),
        module: "M".into(),
        location: location.into(),
    }
}

/// A log with two heap samples of these bands.
fn sampled(definitions: &[EventBody<'_>], bands: &[(&str, u64)]) -> Vec<u8> {
    let mut events: Vec<_> = definitions.iter().map(|body| (0, *body)).collect();
    for era in 1..=2 {
        events.push((era, EventBody::HeapProfSampleBegin { era }));
        for &(label, residency) in bands {
            let band = EventBody::HeapProfSampleString {
                profile: 0,
                residency,
                label: label.into(),
            };
            events.push((era, band));
        }
        events.push((era, EventBody::HeapProfSampleEnd { era }));
    }
    Log::new().block(None, &at(&events)).end()
}

/// The bands of the first sample of a `.hp` file, split as every tool splits them: at blanks of any
/// kind.
fn bands(hp: &str) -> Vec<(String, u64)> {
    let lines = hp
        .lines()
        .skip_while(|line| !line.starts_with("BEGIN_SAMPLE"));
    let lines = lines
        .skip(1)
        .take_while(|line| !line.starts_with("END_SAMPLE"));
    lines
        .map(
            |line| match line.split_whitespace().collect::<Vec<_>>()[..] {
                [name, bytes] => (name.to_owned(), bytes.parse().expect("a number")),
                _ => panic!("not a name and a number: {line:?}"),
            },
        )
        .collect()
}

/// Fails unless the real hp2ps, where there is one, draws the profile.
fn hp2ps_draws(hp: &str, name: &str) {
    let dir = Dir::new();
    dir.with("x.hp", hp.as_bytes());
    let mut hp2ps = std::process::Command::new("hp2ps");
    let Ok(output) = hp2ps.args(["-c", "x.hp"]).current_dir(dir.path()).output() else {
        eprintln!("no hp2ps: not asked");
        return;
    };
    assert!(output.status.success(), "{output:?} for {hp}");
    let picture = std::fs::read(dir.file("x.ps")).expect("a picture");
    let picture = String::from_utf8_lossy(&picture);
    assert!(picture.contains(name), "{name} is not in the picture");
    assert!(picture.trim_end().ends_with("showpage"), "{picture}");
}

#[test]
fn tables_of_one_place_are_one_band() {
    let definitions = [
        info_table(0xa, "x_info", "x", "M.hs:3:1-5"),
        info_table(0xb, "sat_info", "x", "M.hs:3:1-5"),
        info_table(0xc, "y_info", "y", "M.hs:9:1-5"),
        // Without a place a band has the name of its table, and tables of one name are one band.
        info_table(0xd, "con_info", "", ":"),
        info_table(0xe, "con_2_info", "", ":"),
        info_table(0xf, "con_2_info", "", ""),
        // The compiler has named one place in two ways: still one place.
        info_table(0x10, "z_info", "z", "M.hs:3:1-5"),
    ];
    let addresses = ["0xa", "0xb", "0xc", "0xd", "0xe", "0xf", "0x10", "0x11"];
    let mut labels = Vec::new();
    for (address, bytes) in addresses.iter().zip(0..) {
        labels.push((*address, 1 << bytes));
    }
    let log = sampled(&definitions, &labels);
    let done = export(&["csv", "--what", "heap", "--to", "2ms"], &log).exits(0);
    assert_eq!(
        done.lines()[1..],
        [
            "0.001000000,0x11,128",
            "0.001000000,M.con_2_info,48",
            "0.001000000,M.con_info,8",
            "0.001000000,M.x (M.hs:3:1-5),67",
            "0.001000000,M.y (M.hs:9:1-5),4",
        ]
    );
    let hp = export(&["hp"], &log).exits(0).stdout;
    let expected = [
        ("M.con_2_info", 48),
        ("M.con_info", 8),
        ("M.x(M.hs:3:1-5)", 67),
        ("M.y(M.hs:9:1-5)", 4),
        ("_0x11", 128),
    ];
    assert_eq!(
        bands(&hp),
        expected.map(|(name, bytes)| (name.to_owned(), bytes))
    );
    hp2ps_draws(&hp, "M.hs:3:1-5");
}

#[test]
fn bands_of_heap_profiles_are_words() {
    let long = "n".repeat(1000).repeat(9);
    let longer = format!("{long}!");
    let names = [
        ("a b", 1),
        ("a\tb", 2),
        ("non\u{a0}breaking\u{2003}wide", 4),
        ("4711", 8),
        ("JOB", 16),
        ("\"string\"", 32),
        ("", 64),
        ("(weak", 128),
        ("caf\u{e9}", 256),
        (&long, 512),
        (&longer, 1024),
    ];
    let hp = export(&["hp"], &sampled(&[], &names)).exits(0).stdout;
    let bands = bands(&hp);
    let sum: u64 = bands.iter().map(|(_, bytes)| bytes).sum();
    assert_eq!(sum, 2047, "{bands:?}");
    for (name, bytes) in [
        ("a_b", 1),
        ("non_breaking_wide", 4),
        ("_4711", 8),
        ("_JOB", 16),
        ("_\"string\"", 32),
        ("_", 64),
        ("(weak", 128),
        ("caf\u{e9}", 256),
    ] {
        assert!(
            bands.contains(&(name.to_owned(), bytes)),
            "{name}: {bands:?}"
        );
    }
    assert!(bands.iter().all(|(name, _)| name.len() < 5000));
    assert_eq!(bands.len(), names.len(), "two became one: {bands:?}");
    hp2ps_draws(&hp, "caf");
}

#[test]
fn the_job_of_a_heap_profile_fits_a_string() {
    let arg = "\"quoted\" ".repeat(100);
    let args = format!("{arg}\0").repeat(8);
    let identity = EventBody::ProgramArgs {
        capset: 0,
        args: ghc_eventlog::Texts(args.as_bytes()),
    };
    let hp = export(&["hp"], &sampled(&[identity], &[("x", 7)]))
        .exits(0)
        .stdout;
    let job = hp.lines().next().expect("a line");
    assert_eq!(job.matches('"').count(), 2, "{job}");
    assert!(job.len() < 5000);
    hp2ps_draws(&hp, "x");
}

#[test]
fn tables_have_headings_and_rows() {
    let rows = |what: &str| -> Vec<String> {
        let done = export(&["csv", "--what", what], &everything()).exits(0);
        let lines = done.lines();
        let columns = lines[0].split(',').count();
        if what != "heap" {
            assert!(
                lines.iter().all(|line| line.split(',').count() == columns),
                "{lines:?}"
            );
        }
        lines[1..].iter().map(|line| (*line).to_owned()).collect()
    };
    assert_eq!(
        rows("gc")[0],
        "0.020000000,0.024000000,4000000,0,1,1000,10,4096,2,500,1000"
    );
    assert_eq!(rows("gc").len(), 2);
    assert_eq!(rows("memory").len(), 5);
    assert_eq!(rows("heap")[1], "0.020000000,\"a,b\"\"c\",200");
    assert_eq!(rows("threads").len(), 2);
    assert!(rows("threads")[0].starts_with("1,main,0.002000000,0.055000000,finished,25000000,"));
    assert_eq!(
        rows("spans")[0],
        "0.030000000,0.035000000,5000000,small,,2,,5000000,0"
    );
    assert_eq!(rows("sparks"), ["0.063000000,0,9,1,0,5,1,2,0"]);
}

#[test]
fn what_is_not_there_is_an_error_with_advice() {
    let empty = Log::new().end();
    export(&["speedscope"], &empty).exits(1).says("-prof");
    export(&["hp"], &empty).exits(1).says("-hT");
    export(&["csv"], &empty).exits(1);
    export(&["hp", "--what", "gc"], &everything())
        .exits(2)
        .says("heap");
    export(&["nonsense"], &everything()).exits(2);
    let dir = Dir::new();
    let log = dir.with("a.eventlog", &empty);
    eventlog(&["export", "hp", &log, "-o", &dir.file("a.hp")]).exits(1);
    assert_eq!(dir.names(), ["a.eventlog"]);
}

#[test]
fn what_is_wrong_with_a_log_is_told_beside_what_is_not_in_it() {
    let mut log = everything();
    // The mark at the end, and a part of the last event.
    log.truncate(log.len() - 7);
    let done = export(&["folded", "--what", "samples"], &log).exits(1);
    done.says("cut off").says("-prof");
}
