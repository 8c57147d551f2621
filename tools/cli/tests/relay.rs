//! `eventlog relay`: arguments, what it serves, what it reports, and how it ends.

use crate::common::{Dir, Log, done, eventlog};
use crate::program::{at, create, everything, message, run, stop};
use crate::relaying::{
    Client, END, Program, Relaying, Socket, body, end_alike, is_ended, is_valid, relay, until,
};
use ghc_eventlog::{EventBody, StopStatus};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// A block of one capability in which threads are created, run and end, by its number.
fn block(number: u64) -> Vec<u8> {
    let thread = number as u32 + 1;
    let begin = number * 10;
    let log = Log::new().block(
        Some((number % 2) as u16),
        &at(&[
            (begin + 1, create(thread)),
            (begin + 2, run(thread)),
            (begin + 3, message("at work")),
            (begin + 4, stop(thread, StopStatus::MVAR)),
        ]),
    );
    body(&log.bytes).to_vec()
}

/// The capabilities of these blocks.
fn caps() -> Vec<u8> {
    let created = [0, 1].map(|created_cap| (0, EventBody::CapCreate { created_cap }));
    body(&Log::new().block(None, &created).bytes).to_vec()
}

fn header() -> Vec<u8> {
    Log::new().bytes
}

#[test]
fn command_lines_without_sense_are_refused() {
    let dir = Dir::new();
    let to = "--to=unix:x.sock";
    let cases: &[(&[&str], &str)] = &[
        (&[to], "what is to be relayed"),
        (&["unix:a.sock"], "where is it to be served"),
        (
            &["unix:a.sock", "unix:b.sock", to],
            "there are 2 sessions (a, b)",
        ),
        (&["unix:a.sock", "unix:b.sock", to], "unix:x.sock=a"),
        (
            &["unix:a.sock", to, "--", "true"],
            "there are 2 sessions (a, true)",
        ),
        (
            &["unix:a.sock", "unix:b.sock", "--to=unix:x.sock=c"],
            "no session c",
        ),
        (
            &["unix:a.sock", "tcp:h:1", "a.eventlog", "--to=unix:x=a"],
            "two sources are called a",
        ),
        (
            &["x=unix:a.sock", "x=unix:b.sock", "--to=unix:x=x"],
            "two sources are called x",
        ),
        (&["unix:a.sock", to, to], "is there twice"),
        (
            &["unix:a.sock", "--to=x.sock"],
            "use unix:PATH or tcp:HOST:PORT",
        ),
        (&["unix:a.sock", "--to=tcp:localhost"], "no host and port"),
        (
            &["unix:a.sock", to, "--events=-au"],
            "for a program that is run",
        ),
        (&["unix:a.sock", to, "--ring=1K"], "64K at least"),
        (&["a.eventlog", to, "--speed=fast"], "use 1x"),
        (&["unix:a.sock", to, "--on-lag=wait"], "resync"),
        (&["unix:x.sock", to], "cannot read itself"),
        (&["--status", "unix:x.sock", to], "cannot be used with"),
    ];
    for (args, complaint) in cases {
        done(relay(&dir).args(*args)).exits(2).says(complaint);
    }
    assert_eq!(dir.names(), [""; 0]);
}

#[test]
fn what_cannot_be_served_or_read_is_told_before_a_program_is_started() {
    let dir = Dir::new();
    let marker = dir.file("marker");
    let touch = ["--", "touch", &marker];
    dir.with("taken", b"a file");
    let missing = format!("--to=unix:{}", dir.file("no/x.sock"));
    for (to, complaint) in [
        (missing.as_str(), "there is no directory"),
        ("--to=unix:taken", "cannot listen at unix:taken"),
        ("--to=tcp:256.0.0.1:0", "cannot listen"),
    ] {
        let done = done(relay(&dir).arg(to).args(touch))
            .exits(3)
            .says(complaint);
        assert_eq!(done.stdout, "");
    }
    assert_eq!(std::fs::read(dir.file("taken")).expect("a file"), b"a file");
    done(relay(&dir).args(["no.eventlog", "--speed=1x", "--to=unix:x.sock"]))
        .exits(3)
        .says("cannot open no.eventlog");
    assert!(!std::path::Path::new(&marker).exists());
    assert!(!std::path::Path::new(&dir.file("x.sock")).exists());
}

#[test]
fn addresses_are_printed_and_can_be_connected_to() {
    let dir = Dir::new();
    let program = Program::new(&dir, "app.sock");
    let to = dir.file("fan.sock");
    let mut relaying = Relaying::start(
        &dir,
        &[
            &program.source(),
            &format!("--to=unix:{to}"),
            "--to=tcp:127.0.0.1:0",
            "--to=tcp:localhost:0=app",
        ],
        3,
    );
    assert_eq!(relaying.addresses[0], format!("unix:{to}"));
    // Other users cannot connect.
    let mode = std::fs::metadata(&to)
        .expect("a socket")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut stream = program.accept();
    let log = everything();
    stream.write_all(&log[..log.len() - 2]).expect("sent");
    let clients: Vec<Client> = relaying
        .addresses
        .iter()
        .map(|at| Client::connect(at))
        .collect();
    for address in &relaying.addresses[1..] {
        let (_, port) = address.rsplit_once(':').expect("a port");
        assert!(port.parse::<u16>().expect("a number") > 0, "{address}");
    }
    // One warning for each port.
    let exposed = relaying.tells("exposed", 2);
    assert_eq!(exposed[0]["address"], relaying.addresses[1].as_str());
    assert!(
        exposed[0]["message"]
            .as_str()
            .expect("text")
            .contains("every user of this machine")
    );
    assert_eq!(relaying.told("exposed").len(), 2);
    relaying.tells("client_came", 3);
    stream.write_all(END).expect("sent");
    drop(stream);
    for client in clients {
        end_alike(&client.end(), &log);
    }
    relaying.signal(Signal::TERM);
    assert_eq!(relaying.end(), 0);
    assert_eq!(relaying.lines().len(), 3);
    assert!(!std::path::Path::new(&to).exists());
}

/// Clients that are connected before the log begins get it byte for byte.
#[test]
fn everybody_gets_every_byte() {
    let dir = Dir::new();
    let program = Program::new(&dir, "app.sock");
    let relaying = Relaying::start(&dir, &[&program.source(), "--to=unix:fan.sock"], 1);
    let clients: Vec<Client> = (0..5).map(|_| relaying.client()).collect();
    relaying.tells("client_came", 5);
    let log = everything();
    let mut stream = program.accept();
    for piece in log.chunks(7) {
        stream.write_all(piece).expect("sent");
    }
    drop(stream);
    for client in clients {
        assert!(client.end() == log);
    }
    let told = relaying.tells("client_gone", 5);
    assert!(
        told.iter()
            .all(|line| line["bytes"] == log.len() && line["missed_bytes"] == 0)
    );
    assert!(
        told.iter().all(|line| line["reason"] == "ended"),
        "{told:?}"
    );
}

/// However late a client connects: what it gets is valid, and leads to the same state in the end.
#[test]
fn those_who_come_late_know_all_the_same() {
    let dir = Dir::new();
    let program = Program::new(&dir, "app.sock");
    let relaying = Relaying::start(&dir, &[&program.source(), "--to=unix:fan.sock"], 1);
    let first = relaying.client();
    relaying.tells("client_came", 1);
    let mut stream = program.accept();
    let mut log = [header(), caps()].concat();
    stream.write_all(&log).expect("sent");
    let mut late = Vec::new();
    for number in 0..20 {
        let block = block(number);
        stream.write_all(&block).expect("sent");
        log.extend_from_slice(&block);
        first.gets(log.len());
        let client = relaying.client();
        // The client is connected, and receives data.
        client.gets(header().len() + 1);
        late.push(client);
    }
    log.extend_from_slice(END);
    stream.write_all(END).expect("sent");
    drop(stream);
    assert!(first.end() == log);
    for client in late {
        let received = client.end();
        assert!(received.ends_with(END));
        is_valid(&dir, &received);
        end_alike(&received, &log);
    }
}

#[test]
fn a_program_that_comes_again_is_another_session() {
    for follow in [false, true] {
        let dir = Dir::new();
        let program = Program::new(&dir, "app.sock");
        let mut args = vec![program.source(), "--to=unix:fan.sock".to_owned()];
        args.extend(follow.then(|| "--follow-restarts".to_owned()));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut relaying = Relaying::start(&dir, &args, 1);
        let client = relaying.client();
        relaying.tells("client_came", 1);
        let (one, two) = (everything(), Log::new().messages(0, &[(5, "again")]).end());
        let mut stream = program.accept();
        stream.write_all(&one).expect("sent");
        drop(stream);
        let mut stream = program.accept();
        if !follow {
            assert!(client.end() == one);
            let next = relaying.client();
            // A client that connects when the second log is over waits for a third.
            relaying.tells("client_came", 2);
            stream.write_all(&two).expect("sent");
            drop(stream);
            assert!(next.end() == two);
        } else {
            stream.write_all(&two).expect("sent");
            drop(stream);
            client.gets(one.len() + two.len());
            relaying.signal(Signal::TERM);
            let received = client.end();
            assert!(received == [one, two].concat(), "{} bytes", received.len());
            assert_eq!(relaying.end(), 0);
        }
        let sessions = relaying.tells("session_began", 2);
        assert_eq!(sessions[1]["session"], 2);
    }
}

#[test]
fn several_sources_are_several_sessions() {
    let dir = Dir::new();
    let (one, two) = (
        Program::new(&dir, "one.sock"),
        Program::new(&dir, "two.sock"),
    );
    let relaying = Relaying::start(
        &dir,
        &[
            &one.source(),
            &format!("second={}", two.source()),
            "--to=unix:a.sock=second",
            "--to=unix:b.sock=one",
            "--to=tcp:127.0.0.1:0=second",
        ],
        3,
    );
    assert_eq!(relaying.lines()[..2], ["unix:a.sock", "unix:b.sock"]);
    let clients: Vec<Client> = relaying
        .addresses
        .iter()
        .map(|at| Client::connect(at))
        .collect();
    relaying.tells("client_came", 3);
    let logs = ["first", "second"].map(|text| Log::new().messages(0, &[(1, text)]).end());
    for (program, log) in [&one, &two].into_iter().zip(&logs) {
        program.accept().write_all(log).expect("sent");
    }
    let received: Vec<Vec<u8>> = clients.into_iter().map(Client::end).collect();
    assert!(received == [logs[1].clone(), logs[0].clone(), logs[1].clone()]);
}

#[test]
fn sources_of_all_kinds_are_read() {
    let dir = Dir::new();
    let log = everything();
    // Standard input, which ends: then the relay does.
    let mut command = relay(&dir);
    command
        .args(["--json", "-", "--to=unix:in.sock"])
        .stdin(Stdio::piped());
    let mut relaying = Relaying::spawn(&mut command, 1);
    let client = relaying.client();
    relaying.tells("client_came", 1);
    let mut stdin = relaying.child.stdin.take().expect("a pipe");
    stdin.write_all(&log).expect("sent");
    drop(stdin);
    assert!(client.end() == log);
    assert_eq!(relaying.end(), 0);

    // A file that does not exist yet, and grows.
    let relaying = Relaying::start(&dir, &["grows.eventlog", "--to=unix:file.sock"], 1);
    let client = relaying.client();
    relaying.tells("client_came", 1);
    let path = dir.with("grows.eventlog", &log[..log.len() / 2]);
    let mut file = std::fs::File::options()
        .append(true)
        .open(path)
        .expect("a file");
    file.write_all(&log[log.len() / 2..]).expect("written");
    assert!(client.end() == log);
    drop(relaying);

    // A FIFO.
    let fifo = dir.file("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().expect("mkfifo");
    assert!(made.success());
    let relaying = Relaying::start(&dir, &[&fifo, "--to=unix:fifo.sock"], 1);
    let client = relaying.client();
    relaying.tells("client_came", 1);
    std::fs::write(&fifo, &log).expect("written");
    assert!(client.end() == log);

    // Another relay.
    let far = dir.file("far.sock");
    let program = Program::new(&dir, "app.sock");
    let near = Relaying::start(&dir, &[&program.source(), &format!("--to=unix:{far}")], 1);
    let relaying = Relaying::start(&dir, &[&format!("unix:{far}"), "--to=tcp:127.0.0.1:0"], 1);
    let client = relaying.client();
    relaying.tells("client_came", 1);
    near.tells("client_came", 1);
    program.accept().write_all(&log).expect("sent");
    assert!(client.end() == log);
}

/// A relay of a relay that gets its first client late.
#[test]
fn relays_can_be_chained_late() {
    let dir = Dir::new();
    let program = Program::new(&dir, "app.sock");
    let far = dir.file("far.sock");
    let near = Relaying::start(&dir, &[&program.source(), &format!("--to=unix:{far}")], 1);
    let mut stream = program.accept();
    let mut log = [header(), caps(), block(0), block(1)].concat();
    stream.write_all(&log).expect("sent");
    near.client().gets(header().len() + 1);
    let relaying = Relaying::start(&dir, &[&format!("unix:{far}"), "--to=tcp:127.0.0.1:0"], 1);
    let client = relaying.client();
    client.gets(header().len() + 1);
    let rest = [block(2), block(3), END.to_vec()].concat();
    stream.write_all(&rest).expect("sent");
    drop(stream);
    log.extend_from_slice(&rest);
    let received = client.end();
    is_valid(&dir, &received);
    end_alike(&received, &log);
}

#[test]
fn a_relay_does_not_read_itself() {
    let dir = Dir::new();
    let program = Program::new(&dir, "app.sock");
    let (own, other) = (dir.file("own.sock"), dir.file("other.sock"));
    let mut relaying = Relaying::start(
        &dir,
        &[
            &format!("app={}", program.source()),
            &format!("loop=unix:{other}"),
            &format!("--to=unix:{own}=app"),
        ],
        1,
    );
    let mut stream = program.accept();
    stream
        .write_all(&[header(), caps(), block(0)].concat())
        .expect("sent");
    let client = relaying.client();
    client.gets(header().len() + 1);
    // By another name.
    std::os::unix::fs::symlink(&own, &other).expect("a link");
    assert_eq!(relaying.tells("own_stream", 1)[0]["source"], "loop");
    relaying.tells("source_ended", 1);
    // The other source goes on.
    stream.write_all(END).expect("sent");
    drop(stream);
    assert!(client.end().ends_with(END));
    relaying.signal(Signal::TERM);
    relaying.end();
}

#[test]
fn a_recording_is_replayed_from_when_the_first_client_is_there() {
    let dir = Dir::new();
    let log = everything();
    let path = dir.with("old.eventlog", &log);
    for speed in ["max", "1x", "2.5x"] {
        let speed = format!("--speed={speed}");
        let mut relaying = Relaying::start(&dir, &[&path, &speed, "--to=tcp:127.0.0.1:0"], 1);
        assert_eq!(relaying.tells("replay_waits", 1)[0]["source"], "old");
        assert_eq!(relaying.told("session_began").len(), 0);
        assert!(relaying.client().end() == log);
        // The log is over.
        assert_eq!(relaying.end(), 0);
    }
    // An hour of it takes an hour, and can be interrupted.
    let hour = 3_600_000_000_000;
    let path = dir.with(
        "long.eventlog",
        &Log::new().messages(0, &[(1, "a"), (hour, "b")]).end(),
    );
    let mut relaying = Relaying::start(&dir, &[&path, "--speed=1x", "--to=tcp:127.0.0.1:0"], 1);
    let client = relaying.client();
    client.gets(header().len());
    relaying.signal(Signal::INT);
    assert_eq!(relaying.end(), 0);
    is_ended(&client.end(), &header());
}

#[test]
fn the_end_mark_comes_when_the_relay_is_asked_to_end() {
    for what in [Signal::TERM, Signal::INT, Signal::HUP] {
        let dir = Dir::new();
        let program = Program::new(&dir, "app.sock");
        let mut relaying = Relaying::start(&dir, &[&program.source(), "--to=tcp:127.0.0.1:0"], 1);
        let client = relaying.client();
        relaying.tells("client_came", 1);
        let mut stream = program.accept();
        let log = [header(), caps(), block(0)].concat();
        stream.write_all(&log).expect("sent");
        // An incomplete block is not served.
        stream.write_all(&block(1)[..30]).expect("sent");
        client.gets(log.len());
        let late = relaying.client();
        late.gets(header().len() + 1);
        relaying.signal(what);
        assert_eq!(relaying.end(), 0, "{what:?}");
        is_ended(&client.end(), &log);
        let late = late.end();
        assert!(late.ends_with(END));
        is_valid(&dir, &late);
        // The file of a client that never got a log is empty.
        assert_eq!(relaying.told("draining").len(), 1);
        assert_eq!(relaying.told("ended").len(), 1);
    }
}

/// A client that reads nothing delays the end, and a second signal ends the relay without waiting
/// for it.
#[test]
fn a_second_signal_ends_it_at_once() {
    let dir = Dir::new();
    let program = Program::new(&dir, "app.sock");
    let args = [&program.source(), "--to=tcp:127.0.0.1:0", "--drain=1h"];
    let mut relaying = Relaying::start(&dir, &args, 1);
    let stalled = Socket::connect(&relaying.addresses[0]);
    relaying.tells("client_came", 1);
    let mut stream = program.accept();
    let big = Log::new().messages(0, &[(1, &"x".repeat(60_000))]).bytes;
    stream.write_all(&header()).expect("sent");
    for _ in 0..500 {
        stream.write_all(body(&big)).expect("sent");
    }
    relaying.signal(Signal::TERM);
    relaying.tells("draining", 1);
    assert!(relaying.child.try_wait().expect("a child").is_none());
    relaying.signal(Signal::TERM);
    assert_eq!(relaying.end(), 143);
    drop(stalled);
}

#[test]
fn the_state_can_be_asked_for() {
    let dir = Dir::new();
    let status = |args: &[&str]| done(relay(&dir).arg("--status").args(args));
    status(&[])
        .exits(3)
        .says("no relay of this user is running");
    let program = Program::new(&dir, "app.sock");
    let relaying = Relaying::start(&dir, &[&program.source(), "--to=tcp:127.0.0.1:0"], 1);
    let client = relaying.client();
    relaying.tells("client_came", 1);
    let mut stream = program.accept();
    let log = everything();
    stream.write_all(&log[..log.len() - 2]).expect("sent");
    client.gets(log.len() - 2);
    let address = relaying.addresses[0].as_str();
    let json = |args: &[&str]| status(&[args, &["--json"]].concat()).exits(0).json();
    let all = json(&[]);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["addresses"][0]["address"], address);
    assert_eq!(all[0]["clients"][0]["source"], "app");
    assert_eq!(
        all[0]["sources"][0]["session"]["bytes"],
        body(&log).len() - 2
    );
    assert_eq!(json(&[address]).len(), 1);
    let text = status(&[]).exits(0).stdout;
    assert!(
        text.contains("app: session 1") && text.contains(address),
        "{text}"
    );
    status(&["tcp:127.0.0.1:1"])
        .exits(3)
        .says("no relay of this user serves tcp:127.0.0.1:1");
    // Only our user can access it.
    let name = format!("eventlog/relay-{}.status", relaying.child.id());
    let about = std::fs::metadata(dir.file(&name)).expect("a socket");
    assert_eq!(about.permissions().mode() & 0o077, 0);
    // A relay that was killed leaves its socket, which is removed when that is noticed.
    drop(relaying);
    assert!(std::path::Path::new(&dir.file(&name)).exists());
    status(&[]).exits(3);
    assert!(!std::path::Path::new(&dir.file(&name)).exists());
}

#[test]
fn what_happens_is_told_in_words_too() {
    let dir = Dir::new();
    let program = Program::new(&dir, "app.sock");
    let mut command = relay(&dir);
    command.args([&program.source(), "--to=tcp:127.0.0.1:0"]);
    let mut relaying = Relaying::spawn(&mut command, 1);
    let client = relaying.client();
    until("the client is told", || {
        relaying.text().contains("client 1")
    });
    program.accept().write_all(&everything()).expect("sent");
    client.end();
    until("the end is told", || {
        relaying.text().contains("session 1 is over")
    });
    relaying.signal(Signal::TERM);
    assert_eq!(relaying.end(), 0);
    let text = relaying.text();
    assert!(text.contains("warning: tcp:127.0.0.1:"), "{text}");
    assert!(
        text.lines().all(|line| line.starts_with("eventlog: ")),
        "{text}"
    );
    // With --quiet only warnings are printed. The first relay may have connected to the program
    // again before it ended.
    let program = Program::new(&dir, "app.sock");
    let mut command = relay(&dir);
    command.args([&program.source(), "--to=tcp:127.0.0.1:0", "--quiet"]);
    let mut relaying = Relaying::spawn(&mut command, 1);
    let client = relaying.client();
    until("the client is known", || {
        let status = relaying.status();
        status["clients"].as_array().is_some_and(|it| it.len() == 1)
    });
    program.accept().write_all(&everything()).expect("sent");
    client.end();
    relaying.signal(Signal::TERM);
    assert_eq!(relaying.end(), 0);
    let text = relaying.text();
    assert!(
        text.lines().count() == 1 && text.contains("warning: tcp:"),
        "{text}"
    );
}

#[test]
fn the_exit_status_is_that_of_the_program() {
    let dir = Dir::new();
    let run = |text: &str| {
        let args = ["--json", "--to=tcp:127.0.0.1:0", "--", "sh", "-c", text];
        done(relay(&dir).args(args))
    };
    run("kill -9 $$").exits(137);
    let none = run("echo said; exit 7").exits(7);
    // The addresses are printed first, then the output of the program.
    assert_eq!(none.lines()[1..], ["said"]);
    none.says("wrote no eventlog");
    done(relay(&dir).args(["--to=unix:x.sock", "--", "/nonexistent/program"]))
        .exits(127)
        .says("cannot run");
    assert_eq!(dir.names(), ["eventlog"]);
}

/// The log of a program that is run arrives through a pipe, which is drained whatever clients do.
#[test]
fn a_program_that_is_run_never_waits() {
    let dir = Dir::new();
    let text = "x".repeat(60_000);
    let long = (0..400)
        .fold(Log::new(), |log, n| log.messages(0, &[(n, &text)]))
        .end();
    dir.with("log", &long);
    let script = "while test ! -e go; do sleep 0.02; done; \
                  log=${GHCRTS##*-ol}; exec 9<>\"$log\"; cat log >&9; touch through; exit 5";
    let args = ["--to=tcp:127.0.0.1:0", "--", "sh", "-c", script];
    let mut relaying = Relaying::start(&dir, &args, 1);
    let stalled = Socket::connect(&relaying.addresses[0]);
    let client = relaying.client();
    relaying.tells("client_came", 2);
    dir.with("go", b"");
    until("the program is through", || {
        dir.names().contains(&"through".to_owned())
    });
    // Only so that the end does not wait for it, either.
    drop(stalled);
    let received = client.end();
    assert!(
        received == long,
        "{} of {} bytes",
        received.len(),
        long.len()
    );
    assert_eq!(relaying.end(), 5);
    // Nothing is left of the pipe.
    assert_eq!(dir.names(), ["eventlog", "go", "log", "through"]);
}

#[test]
fn signals_go_to_the_program_that_is_run() {
    for (what, name) in [(Signal::TERM, "TERM"), (Signal::HUP, "HUP")] {
        let dir = Dir::new();
        dir.with("log", &everything());
        let script = format!(
            "log=${{GHCRTS##*-ol}}; exec 9<>\"$log\"; trap 'cat log >&9; exit 9' {name}; \
             touch ready; while :; do sleep 0.05; done"
        );
        let args = ["--to=tcp:127.0.0.1:0", "--", "sh", "-c", &script];
        let mut relaying = Relaying::start(&dir, &args, 1);
        let client = relaying.client();
        relaying.tells("client_came", 1);
        until("the program is ready", || {
            dir.names().contains(&"ready".to_owned())
        });
        relaying.signal(what);
        assert!(client.end() == everything());
        assert_eq!(relaying.end(), 9);
    }
}

/// The commands of a client are passed on to the program.
#[test]
fn clients_can_send_commands() {
    let dir = Dir::new();
    let program = Program::new(&dir, "app.sock");
    let relaying = Relaying::start(&dir, &[&program.source(), "--to=unix:fan.sock"], 1);
    let mut stream = program.accept();
    stream
        .write_all(&[header(), caps()].concat())
        .expect("sent");
    let client = relaying.client();
    client.gets(header().len() + 1);
    let fan = format!("unix:{}", dir.file("fan.sock"));
    eventlog(&["control", &fan, "flush", "--wait", "2m"]).exits(0);
    let flush = b"\xf0\x9e\x97\x8c\x00\x13eventlog-socket-rts\x01";
    let mut frame = vec![0; flush.len()];
    stream.read_exact(&mut frame).expect("a command");
    assert_eq!(frame, flush);
}

/// Other verbs as clients of the relay.
#[test]
fn other_verbs_read_what_is_served() {
    let dir = Dir::new();
    let program = Program::new(&dir, "app.sock");
    let relaying = Relaying::start(&dir, &[&program.source(), "--to=unix:fan.sock"], 1);
    let mut stream = program.accept();
    let log = everything();
    stream.write_all(&log[..log.len() - 2]).expect("sent");
    relaying.client().gets(header().len() + 1);
    let fan = format!("unix:{}", dir.file("fan.sock"));
    let show = std::thread::spawn({
        let fan = fan.clone();
        move || eventlog(&["show", "--json", &fan])
    });
    let record = std::thread::spawn({
        let (fan, out) = (fan.clone(), dir.file("out.eventlog"));
        move || eventlog(&["record", &fan, "-o", &out])
    });
    relaying.tells("client_came", 3);
    stream.write_all(END).expect("sent");
    drop(stream);
    assert!(!show.join().expect("no panic").exits(0).json().is_empty());
    record.join().expect("no panic").exits(0);
    let recorded = std::fs::read(dir.file("out.eventlog")).expect("a recording");
    end_alike(&recorded, &log);
    is_valid(&dir, &recorded);
}
