//! The one slot for a client that a program has, shared by all processes that read it.

use crate::common::{Log, eventlog};
use crate::found::{Machine, Running, Tool};
use crate::relaying::{LIMIT, until};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixListener;
use std::time::Instant;

/// Verbs that run as long as the program does.
const SHOW: [&str; 3] = ["show", "--type", "user_msg"];
const STATS: [&str; 5] = ["stats", "--follow", "--json", "--interval", "100ms"];

fn show(machine: &Machine, name: &str) -> Tool {
    machine.start(&[&SHOW[..], &[name]].concat())
}

fn stats(machine: &Machine, name: &str) -> Tool {
    machine.start(&[&STATS[..], &[name]].concat())
}

/// The number in a line: `user_msg number 12 (thread 4)`.
#[track_caller]
fn number(line: &str) -> u64 {
    let (_, rest) = line.split_once(" number ").expect("a message");
    let end = rest.find(' ').unwrap_or(rest.len());
    rest[..end].parse().expect("a number")
}

/// The numbers that were printed.
#[track_caller]
fn numbers(tool: &Tool) -> Vec<u64> {
    let lines = tool.lines();
    let messages = lines.iter().filter(|line| !line.contains("goes on here"));
    messages.map(|line| number(line)).collect()
}

/// The numbers in a recording, which has to be valid.
#[track_caller]
fn recorded(path: &str) -> Vec<u64> {
    eventlog(&["validate", path]).exits(0);
    let show = eventlog(&["show", "--sort", "--type", "user_msg", path]).exits(0);
    show.lines().iter().map(|line| number(line)).collect()
}

/// Each is one more than the one before.
#[track_caller]
fn are_whole(numbers: &[u64]) {
    let gap = numbers.windows(2).find(|two| two[1] != two[0] + 1);
    assert_eq!(gap, None);
}

/// The process that holds the slot of the only program.
fn holder(machine: &Machine) -> Option<(u64, String)> {
    let list = machine.eventlog(&["list", "--json"]).exits(0).json();
    let [program] = &list[..] else {
        panic!("{list:?}");
    };
    let by = &program["served_by"];
    Some((by["pid"].as_u64()?, by["verb"].as_str()?.to_owned()))
}

/// The same; waits until there is one. A process that takes the slot is known a moment later, and one
/// that cannot serve yet gives it back.
#[track_caller]
fn some_holder(machine: &Machine) -> (u64, String) {
    let mut found = None;
    until("somebody has the slot", || {
        found = holder(machine);
        found.is_some()
    });
    found.expect("it was waited for")
}

/// The session of a report, how many threads were created in it, and how many messages it counts.
/// `None` before anything has arrived.
fn counts(report: &str) -> Option<[u64; 3]> {
    let report: serde_json::Value = serde_json::from_str(report).expect("JSON");
    Some([
        report["session"].as_u64()?,
        report["threads"]["created"].as_u64()?,
        report["stream"]["user_messages"].as_u64()?,
    ])
}

/// The counts of the latest report; waits for the first one that has any.
#[track_caller]
fn latest_counts(stats: &Tool) -> [u64; 3] {
    let mut latest = None;
    until("the statistics tell something", || {
        latest = stats.lines().last().and_then(|report| counts(report));
        latest.is_some()
    });
    latest.expect("it was waited for")
}

#[test]
fn several_watch_one_program() {
    let machine = Machine::new();
    let Some(mut program) = machine.program() else {
        return;
    };
    let name = program.name();
    let mut first = show(&machine, &name);
    first.prints_more_than(10);
    let pid = u64::from(first.child.id());
    assert_eq!(holder(&machine), Some((pid, "show".to_owned())));
    let output = machine.dir.file("out.eventlog");
    let mut record = machine.start(&["record", &name, "-o", &output]);
    // The path of the socket works as well as the name.
    let socket = format!("unix:{}", machine.file(&format!("{name}.sock")).display());
    let mut second = show(&machine, &socket);
    let mut stats = stats(&machine, &name);
    second.prints_more_than(50);
    stats.prints_more_than(3);
    until("something is recorded", || {
        std::fs::metadata(&output).is_ok_and(|about| about.len() > 10_000)
    });
    assert_eq!(holder(&machine), Some((pid, "show".to_owned())));
    program.end();
    for tool in [&mut first, &mut second, &mut record, &mut stats] {
        let status = tool.end();
        assert!(status.success(), "{status}: {}", tool.told());
        assert!(!tool.told().contains("end mark"), "{}", tool.told());
    }
    // Each client gets everything from the first event, or from when it connected, to the last.
    let (all, late, recorded) = (numbers(&first), numbers(&second), recorded(&output));
    assert_eq!(all.first(), Some(&1));
    for numbers in [&all, &late, &recorded] {
        are_whole(numbers);
        assert_eq!(numbers.last(), all.last());
    }
    assert!(late[0] > 1 && recorded[0] > 1);
    let reports = stats.lines();
    let last = reports.last().expect("a report");
    assert!(last.contains("\"complete\":true"), "{last}");
    assert_eq!(machine.names(), [""; 0]);
}

#[test]
fn others_go_on_when_the_holder_is_killed() {
    let machine = Machine::new();
    let Some(mut program) = machine.program() else {
        return;
    };
    let name = program.name();
    let mut first = show(&machine, &name);
    first.prints_more_than(10);
    let output = machine.dir.file("out.eventlog");
    let mut record = machine.start(&["record", &name, "-o", &output]);
    let mut others = [show(&machine, &name), show(&machine, &name)];
    let mut stats = stats(&machine, &name);
    until("something is recorded", || {
        std::fs::metadata(&output).is_ok_and(|about| about.len() > 10_000)
    });
    for tool in &mut others {
        tool.prints_more_than(50);
    }
    let before = latest_counts(&stats);
    let printed = others.each_ref().map(Tool::count);
    // So that this is not the next holder of the slot, for which nothing is repeated.
    stats.signal(Signal::STOP);
    first.kill();
    until("another has the slot", || {
        holder(&machine).is_some_and(|(pid, _)| pid != u64::from(first.child.id()))
    });
    stats.signal(Signal::CONT);
    for (tool, printed) in others.iter_mut().zip(printed) {
        tool.prints_more_than(printed + 300);
    }
    until("the statistics go on", || {
        latest_counts(&stats)[2] > before[2] + 300
    });
    let (pid, _) = some_holder(&machine);
    let pids = [
        record.child.id(),
        stats.child.id(),
        others[0].child.id(),
        others[1].child.id(),
    ];
    assert!(
        pids.iter().any(|it| u64::from(*it) == pid),
        "{pid} of {pids:?}"
    );
    let next = machine.dir.file("out.0002.eventlog");
    until("the next file has something", || {
        std::fs::metadata(&next).is_ok_and(|about| about.len() > 10_000)
    });
    // At its end the program creates more threads.
    let during = latest_counts(&stats);
    assert_eq!(during[..2], before[..2]);
    program.end();
    for tool in others.iter_mut().chain([&mut record, &mut stats]) {
        let status = tool.end();
        assert!(status.success(), "{status}: {}", tool.told());
    }
    let last = *numbers(&others[0]).last().expect("some");
    for tool in &others {
        let numbers = numbers(tool);
        assert!(numbers.is_sorted_by(|a, b| a < b), "nothing comes twice");
        let gaps = numbers.windows(2).filter(|two| two[1] != two[0] + 1);
        assert!(gaps.count() <= 1, "{numbers:?}");
        assert_eq!(numbers.last(), Some(&last));
        assert!(tool.told().contains("goes on here"), "{}", tool.told());
    }
    // It continues to count: earlier messages are neither forgotten nor counted twice.
    let after = stats
        .lines()
        .iter()
        .filter_map(|line| counts(line))
        .collect::<Vec<_>>();
    assert!(after.is_sorted(), "{after:?}");
    let [session, _, messages] = *after.last().expect("a report");
    assert_eq!(session, before[0]);
    assert!(
        messages > before[2] + 300 && messages <= last,
        "{messages} of {last}"
    );
    assert!(
        record.told().contains("the next file goes on"),
        "{}",
        record.told()
    );
    // A process that is killed can leave a part of an event.
    let repaired = machine.dir.file("repaired.eventlog");
    eventlog(&["repair", &output, "-o", &repaired]).exits(0);
    let (one, two) = (recorded(&repaired), recorded(&next));
    are_whole(&one);
    are_whole(&two);
    assert!(one.last() < two.first() && two.last() == Some(&last));
    assert_eq!(machine.names(), [""; 0]);
}

/// However the holder ends, again and again, until none is left.
#[test]
fn one_after_the_other_is_killed() {
    let machine = Machine::new();
    let Some(program) = machine.program() else {
        return;
    };
    let mut tools: Vec<Tool> = (0..4).map(|_| show(&machine, &program.name())).collect();
    for tool in &mut tools {
        tool.prints_more_than(5);
    }
    while let [_, _, ..] = tools[..] {
        let (pid, _) = some_holder(&machine);
        let at = tools.iter().position(|it| u64::from(it.child.id()) == pid);
        let Some(at) = at else { continue };
        tools.remove(at).kill();
        for tool in &mut tools {
            let printed = tool.count();
            tool.prints_more_than(printed + 100);
        }
    }
    drop(tools);
    // What the last holder has left does not get in the way.
    let mut after = show(&machine, &program.name());
    after.prints_more_than(10);
}

#[test]
fn a_holder_that_has_enough_hands_over() {
    let machine = Machine::new();
    let Some(program) = machine.program() else {
        return;
    };
    let name = program.name();
    let mut first = machine.start(&[&SHOW[..], &["-n", "400", &name]].concat());
    first.prints_more_than(10);
    let mut second = show(&machine, &name);
    second.prints_more_than(10);
    let status = first.end();
    assert!(status.success(), "{}", first.told());
    assert_eq!(numbers(&first), (1..=400).collect::<Vec<u64>>());
    let printed = second.count();
    second.prints_more_than(printed + 300);
    let own = Some((u64::from(second.child.id()), "show".to_owned()));
    assert_eq!(holder(&machine), own);
    let numbers = numbers(&second);
    assert!(numbers.is_sorted_by(|a, b| a < b), "nothing comes twice");
    assert!(!second.told().contains("end mark"), "{}", second.told());
}

#[test]
fn several_start_at_once() {
    let machine = Machine::new();
    let Some(program) = machine.program() else {
        return;
    };
    for _ in 0..8 {
        let start = || machine.start(&[&SHOW[..], &["-n", "30", &program.name()]].concat());
        let mut tools = [start(), start(), start(), start()];
        for tool in &mut tools {
            let status = tool.end();
            assert!(status.success(), "{}", tool.told());
            let numbers = numbers(tool);
            assert_eq!(numbers.len(), 30);
            assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        }
        assert_eq!(machine.names(), [format!("{}.sock", program.name())]);
    }
}

#[test]
fn commands_reach_a_program_that_is_watched() {
    let machine = Machine::new();
    let Some(program) = machine.program() else {
        return;
    };
    let name = program.name();
    let mut first = show(&machine, &name);
    let mut second = machine.start(&["show", "--grep", "sync", &name]);
    first.prints_more_than(10);
    // The second one watches it as soon as it has seen one of these.
    let control = |more: &[&str]| {
        let command = ["control", &name, "--wait", "2m", "--linger", "100ms"];
        machine.eventlog(&[&command, more].concat()).exits(0);
    };
    until("the second one watches it", || {
        control(&["sync"]);
        second.count() > 0
    });
    control(&["stop-user"]);
    // Everything logged before is delivered, and then there is no more.
    let since = Instant::now();
    let mut count = first.count();
    let mut synced;
    loop {
        synced = second.count();
        std::thread::sleep(std::time::Duration::from_millis(500));
        if std::mem::replace(&mut count, first.count()) == count {
            break;
        }
        assert!(since.elapsed() < LIMIT, "it goes on");
    }
    control(&["start-user", "sync"]);
    second.prints_more_than(synced);
    first.prints_more_than(count);
    // No process watches it: then it is connected to for a moment.
    first.kill();
    second.kill();
    control(&["flush"]);
    assert_eq!(machine.names(), [format!("{name}.sock")]);
}

/// A program that sends this log to its first client, and has no other clients.
fn play(listener: UnixListener, log: Vec<u8>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        drop(listener);
        client.write_all(&log).expect("sent");
        client.shutdown(Shutdown::Write).expect("it is open");
        let _ = client.read_to_end(&mut Vec::new());
    })
}

#[test]
fn who_is_first_gets_every_byte() {
    let text = "x".repeat(5000);
    let whole = (0..500).fold(Log::new(), |log, n| {
        log.messages((n % 3) as u16, &[(n, &text)])
    });
    let whole = whole.end();
    let killed = whole[..whole.len() - 2].to_vec();
    for (log, marked) in [(whole, true), (killed, false)] {
        let machine = Machine::new();
        let program = play(machine.listen("app"), log.clone());
        let args = ["record", "app", "-o", "out", "--reconnect", "never"];
        let done = machine.eventlog(&args).exits(0);
        assert_eq!(done.stderr.contains("end mark"), !marked, "{done:?}");
        let recorded = std::fs::read(machine.dir.path().join("out")).expect("a file");
        assert!(recorded == log, "{} of {} bytes", recorded.len(), log.len());
        program.join().expect("it ends");
    }
}

#[test]
fn other_programs_are_connected_to_directly() {
    let machine = Machine::new();
    let _place = machine.listen("other");
    let path = machine.dir.file("app.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    let log = Log::new().messages(0, &[(1, "hello")]).end();
    let program = play(listener, log);
    let done = machine
        .eventlog(&["show", &format!("unix:{path}")])
        .exits(0);
    assert!(done.stdout.contains("hello"), "{done:?}");
    program.join().expect("it ends");
    assert_eq!(machine.names(), ["other.sock"]);
}

#[test]
fn while_the_holder_is_stopped_the_others_are_told() {
    let machine = Machine::new();
    let Some(program) = machine.program() else {
        return;
    };
    let mut first = show(&machine, &program.name());
    first.prints_more_than(10);
    let mut second = show(&machine, &program.name());
    second.prints_more_than(10);
    first.signal(Signal::STOP);
    let holder = format!("`eventlog show` (process {})", first.child.id());
    until("the user is told", || second.told().contains(&holder));
    let printed = second.count();
    first.signal(Signal::CONT);
    second.prints_more_than(printed + 100);
    are_whole(&numbers(&second));
}

/// A client that does not share the program holds the slot.
#[test]
fn a_foreign_client_is_told_of() {
    let machine = Machine::new();
    let Some(program) = machine.program() else {
        return;
    };
    let name = program.name();
    let socket = machine.file(&format!("{name}.sock"));
    let mut foreign = std::os::unix::net::UnixStream::connect(socket).expect("it listens");
    foreign.read_exact(&mut [0; 100]).expect("a header");
    let list = machine.eventlog(&["list"]).exits(0);
    assert!(list.stdout.contains("unknown client"), "{list:?}");
    let list = machine.eventlog(&["list", "--json"]).exits(0).json();
    assert_eq!(list[0]["has_client"], true);
    assert!(list[0]["served_by"].is_null());
    let mut tools = [show(&machine, &name), show(&machine, &name)];
    for tool in &mut tools {
        until("the user is told", || {
            let told = tool.told();
            told.contains("another client") || told.contains("does not share it")
        });
    }
    drop(foreign);
    for tool in &mut tools {
        tool.prints_more_than(10);
    }
    let _: &Running = &program;
}

#[test]
fn a_relay_serves_the_others_too() {
    let machine = Machine::new();
    let Some(mut program) = machine.program() else {
        return;
    };
    let name = program.name();
    let elsewhere = format!("unix:{}", machine.dir.file("fan.sock"));
    let mut relay = machine.start(&["relay", "--to", &elsewhere, "--json"]);
    relay.prints_more_than(0);
    let pid = u64::from(relay.child.id());
    until("the relay has the slot", || {
        holder(&machine) == Some((pid, "relay".to_owned()))
    });
    let mut others = [show(&machine, &name), show(&machine, &elsewhere)];
    for tool in &mut others {
        tool.prints_more_than(50);
    }
    assert_eq!(holder(&machine), Some((pid, "relay".to_owned())));
    // An orderly end of the relay adds an end mark for its own clients, but not for processes that
    // can read the program themselves.
    relay.signal(Signal::TERM);
    relay.end();
    let [mut own, mut other] = others;
    other.end();
    assert!(!other.told().contains("end mark"), "{}", other.told());
    let printed = own.count();
    own.prints_more_than(printed + 200);
    until("another has the slot", || {
        holder(&machine) == Some((u64::from(own.child.id()), "show".to_owned()))
    });
    program.end();
    assert!(own.end().success());
    let numbers = numbers(&own);
    assert!(numbers.is_sorted_by(|a, b| a < b), "nothing comes twice");
    assert_eq!(machine.names(), [""; 0]);
}
