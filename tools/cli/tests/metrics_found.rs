//! `eventlog metrics` without a source: every program of this user, from its start to its end.

use crate::common::Log;
use crate::found::{Machine, Running};
use crate::receiver::{Receiver, Reply};
use crate::relaying::until;
use crate::scraping::{Server, value};
use ghc_eventlog::{CapsetType, EventBody};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

fn serving(machine: &Machine) -> Server {
    Server::run(&mut machine.command(&["metrics", "--prometheus", "127.0.0.1:0"]))
}

/// The labels of the series of a metric, and its values.
fn series(text: &str, name: &str) -> Vec<(BTreeMap<String, String>, f64)> {
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix('{'));
    let series = lines.map(|line| {
        let (labels, value) = line.rsplit_once("} ").expect("a value");
        // No label that is read here has a comma or a quote in it.
        let labels = labels.split(',').map(|label| {
            let (key, value) = label.split_once('=').expect("a label");
            (key.to_owned(), value.trim_matches('"').to_owned())
        });
        (labels.collect(), value.parse().expect("a number"))
    });
    series.collect()
}

fn target(text: &str, pid: u32) -> Option<BTreeMap<String, String>> {
    let pid = pid.to_string();
    let mut all = series(text, "target_info")
        .into_iter()
        .map(|(labels, _)| labels);
    all.find(|labels| labels.get("process_pid") == Some(&pid))
}

/// The messages of an instance.
fn messages(text: &str, instance: &str) -> Option<f64> {
    let mut all = series(text, "ghc_user_messages_total").into_iter();
    all.find(|(labels, _)| labels["instance"] == instance)
        .map(|(_, value)| value)
}

/// No series occurs twice.
#[track_caller]
fn each_once(text: &str) {
    let mut seen = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').expect("a value");
        assert!(seen.insert(series.to_owned()), "told twice: {series}");
    }
}

#[test]
fn programs_come_and_go_on_one_page() {
    let machine = Machine::new();
    let server = serving(&machine);
    // There may be no programs: the command does not wait for one.
    assert_eq!(server.ask("GET /-/ready").0, 200);
    assert_eq!(server.text("/sd"), "[]");
    assert_eq!(
        value(&server.text("/metrics"), "eventlog_exporter_programs{"),
        Some(0.0)
    );
    let Some(mut first) = machine.program() else {
        return;
    };
    let page = || server.text("/metrics");
    until("the first is told", || {
        target(&page(), first.pid()).is_some()
    });
    let one = target(&page(), first.pid()).expect("it is told");
    assert_eq!(one["job"], "numbers");
    assert_eq!(one["process_runtime_name"], "ghc");
    until("its messages come", || {
        messages(&page(), &one["instance"]) > Some(100.0)
    });
    let second = machine.program().expect("there is a compiler");
    until("the second is told", || {
        target(&page(), second.pid()).is_some()
    });
    let two = target(&page(), second.pid()).expect("it is told");
    assert_eq!(two["job"], "numbers");
    assert_ne!(one["instance"], two["instance"]);
    let text = page();
    each_once(&text);
    assert_eq!(value(&text, "eventlog_exporter_programs{"), Some(2.0));
    // Each alone, as it is found.
    let groups: Vec<Value> = serde_json::from_str(&server.text("/sd")).expect("JSON");
    let paths = [&first, &second].map(|it| format!("/metrics/{}", it.name()));
    for (path, of) in paths.iter().zip([&one, &two]) {
        let mut groups = groups.iter().map(|group| &group["labels"]);
        let labels = groups.find(|labels| labels["__metrics_path__"] == **path);
        let labels = labels.unwrap_or_else(|| panic!("{path}: {groups:?}"));
        assert_eq!(labels["instance"], of["instance"]);
        assert_eq!(labels["job"], "numbers");
        let alone = server.text(path);
        assert!(!alone.contains("instance=\""), "{alone}");
        until("its messages come there", || {
            value(&server.text(path), "ghc_user_messages_total ") > Some(0.0)
        });
    }
    // Other clients can read them meanwhile.
    let told = machine.eventlog(&["list", "--json"]).exits(0).json();
    assert!(
        told.iter().all(|it| it["served_by"]["verb"] == "metrics"),
        "{told:?}"
    );
    // One ends, and the other goes on.
    first.end();
    until("the first has ended", || {
        value(&page(), "eventlog_exporter_programs{") == Some(1.0)
    });
    let last = messages(&page(), &one["instance"]).expect("its last value is still there");
    let before = messages(&page(), &two["instance"]).expect("it goes on");
    until("the second goes on", || {
        messages(&page(), &two["instance"]) > Some(before + 50.0)
    });
    let text = page();
    each_once(&text);
    assert_eq!(messages(&text, &one["instance"]), Some(last));
    let connections = series(&text, "ghc_eventlog_connection_count");
    let connections = connections
        .into_iter()
        .map(|(labels, value)| (labels["instance"].clone(), value));
    let connections: BTreeMap<String, f64> = connections.collect();
    assert_eq!(connections[&one["instance"]], 0.0);
    assert_eq!(connections[&two["instance"]], 1.0);
}

/// A program whose socket always has the same name.
fn app(machine: &Machine) -> Option<Running> {
    let path = machine.file("app.sock");
    let path = path.to_str().expect("UTF-8");
    machine.program_at(path, &[])
}

fn now() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock");
    since.as_nanos() as u64
}

fn nanos(point: &Value, key: &str) -> u64 {
    let text = point[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key} of {point}"));
    text.parse().expect("a number")
}

#[test]
fn a_restart_is_another_instance_with_its_own_start() {
    let machine = Machine::new();
    let receiver = Receiver::new(|_| Reply::status(200));
    let server = Server::run(&mut machine.command(&[
        "metrics",
        "--prometheus",
        "127.0.0.1:0",
        "--otlp",
        &receiver.url,
        "--signals",
        "metrics",
        "--interval",
        "200ms",
    ]));
    let mut starts = BTreeMap::new();
    for _ in 0..2 {
        let before = now();
        let Some(mut program) = app(&machine) else {
            return;
        };
        let page = || server.text("/metrics");
        until("it is told", || target(&page(), program.pid()).is_some());
        let instance = target(&page(), program.pid()).expect("it is told")["instance"].clone();
        until("its messages come", || {
            messages(&page(), &instance) > Some(300.0)
        });
        // All messages are counted, and none of the program before.
        let alone = server.text("/metrics/app");
        let counted = value(&alone, "ghc_user_messages_total ").expect("a count");
        let lives = (now() - before) as f64 / 1e6;
        assert!(counted <= lives + 1.0, "{counted} messages in {lives} ms");
        each_once(&page());
        starts.insert(instance, before..now());
        program.end();
        until("it is not read any more", || {
            value(&page(), "eventlog_exporter_programs{") == Some(0.0)
        });
    }
    assert_eq!(starts.len(), 2);
    // What is told on the page is pushed a moment later.
    until("all of them were pushed more than once", || {
        let mut moments: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for request in receiver.taken() {
            let instance = request.resource("service.instance.id").unwrap_or_default();
            let points = request.points().into_iter();
            let told = points.filter(|(name, _)| name == "ghc.user.messages");
            let times = told.map(|(_, point)| nanos(&point, "timeUnixNano"));
            moments.entry(instance).or_default().extend(times);
        }
        starts
            .keys()
            .all(|it| moments.get(it).is_some_and(|it| it.len() >= 2))
    });
    drop(server);
    let mut seen = BTreeMap::new();
    for request in receiver.taken() {
        let instance = request
            .resource("service.instance.id")
            .expect("an instance");
        let Some(lived) = starts.get(&instance) else {
            // The first requests may be sent before it is known which program it is.
            continue;
        };
        for (name, point) in request.points() {
            let time = nanos(&point, "timeUnixNano");
            // To the tick of the clock.
            assert!(
                time + 10_000_000 >= lived.start,
                "{name}: {point} {lived:?}"
            );
            if name == "ghc.user.messages" {
                let start = nanos(&point, "startTimeUnixNano");
                assert!(
                    start + 10_000_000 >= lived.start && start <= lived.end,
                    "{point} {lived:?}"
                );
                let values: &mut Vec<(u64, u64)> = seen.entry(instance.clone()).or_default();
                values.push((start, nanos(&point, "asInt")));
            }
        }
    }
    assert_eq!(seen.len(), 2, "both were pushed");
    for values in seen.values() {
        assert!(values.len() >= 2, "{values:?}");
        assert!(
            values.iter().all(|(start, _)| *start == values[0].0),
            "one start: {values:?}"
        );
        assert!(
            values.is_sorted_by_key(|(_, value)| *value),
            "it only grows: {values:?}"
        );
    }
}

/// A log of a program with that number, with one message.
fn log(pid: u32) -> Vec<u8> {
    let global = [
        (
            1,
            EventBody::CapsetCreate {
                capset: 0,
                capset_type: CapsetType::OS_PROCESS,
            },
        ),
        (1, EventBody::OsprocessPid { capset: 0, pid }),
        (
            1,
            EventBody::WallClockTime {
                capset: 0,
                seconds: 1000,
                nanoseconds: 0,
            },
        ),
    ];
    let message = EventBody::UserMsg {
        message: "hello".into(),
    };
    Log::new()
        .block(None, &global)
        .block(Some(0), &[(2, message)])
        .end()
}

#[test]
fn one_that_is_killed_has_ended_and_others_take_its_name() {
    let machine = Machine::new();
    let listener = machine.listen("app");
    let server = serving(&machine);
    let mut client = listener.accept().expect("it is read").0;
    client.write_all(&log(7)).expect("it reads");
    let counted = || value(&server.text("/metrics"), "eventlog_exporter_programs{");
    let told = |pid| target(&server.text("/metrics"), pid).is_some();
    until("it is told", || told(7));
    assert_eq!(counted(), Some(1.0));
    // Killed: the socket stays, and no process has it open.
    drop((client, listener));
    until("it has ended", || counted() == Some(0.0));
    assert!(told(7), "for a while");
    std::fs::remove_file(machine.file("app.sock")).expect("it is there");
    let listener = machine.listen("app");
    let mut client = listener.accept().expect("it is read").0;
    client.write_all(&log(8)).expect("it reads");
    until("the next one is told", || told(8));
    assert!(!told(7), "its name is another one's");
    until("its message comes", || {
        value(&server.text("/metrics/app"), "ghc_user_messages_total ") == Some(1.0)
    });
}

#[test]
fn it_ends_when_asked_to_and_gives_up_what_it_reads() {
    let machine = Machine::new();
    let mut tool = machine.start(&["metrics", "--print", "json", "--interval", "100ms"]);
    let Some(program) = machine.program() else {
        return;
    };
    // The first lines may be printed before it is known which program it is.
    until("the program is told", || {
        let told = tool.lines().last().is_some_and(|line| {
            let line: Value = serde_json::from_str(line).expect("JSON");
            line["resource"]["process.pid"] == program.pid()
        });
        told && tool.count() > 3
    });
    tool.signal(Signal::TERM);
    assert!(tool.end().success(), "{}", tool.told());
    let names = machine.names();
    assert_eq!(
        names,
        [format!("{}.sock", program.name())],
        "{}",
        tool.told()
    );
}

#[test]
fn what_is_for_a_source_needs_one() {
    let machine = Machine::new();
    for wrong in [
        &["metrics", "--print", "json", "--follow"][..],
        &["metrics", "--print", "json", "--wait", "1s"],
    ] {
        machine
            .eventlog(wrong)
            .exits(2)
            .says("SOURCE that is named");
    }
    // The name of one is as good as its address.
    let Some(program) = machine.program() else {
        return;
    };
    let name = program.name();
    let mut tool = machine.start(&["metrics", &name, "--print", "json", "--interval", "100ms"]);
    tool.prints_more_than(2);
    tool.kill();
}
