//! `eventlog relay` with sources and clients that break, hang, flood it and send wrong data.

use crate::common::{Dir, Log, eventlog};
use crate::program::{at, create, everything, run, stop};
use crate::relaying::{
    Client, END, Program, Relaying, Socket, body, end_alike, fold, is_ended, is_valid, until,
};
use ghc_eventlog::{EventBody, StopStatus};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

fn header() -> Vec<u8> {
    Log::new().bytes
}

/// The capability of the blocks of [`work`].
fn cap() -> Vec<u8> {
    let created = [(0, EventBody::CapCreate { created_cap: 0 })];
    body(&Log::new().block(None, &created).bytes).to_vec()
}

/// A block in which a thread begins, and is blocked at the end; with a long message.
fn work(number: u64) -> Vec<u8> {
    let thread = number as u32 + 1;
    let text = "x".repeat(20_000);
    let begin = number * 10;
    let log = Log::new().block(
        Some(0),
        &at(&[
            (begin + 1, create(thread)),
            (begin + 2, run(thread)),
            (begin + 3, crate::program::message(&text)),
            (begin + 4, stop(thread, StopStatus::MVAR)),
        ]),
    );
    body(&log.bytes).to_vec()
}

/// A relay of one program, to which it is connected.
struct Setting {
    dir: Dir,
    program: Program,
    relaying: Relaying,
}

impl Setting {
    fn new(more: &[&str]) -> Self {
        let dir = Dir::new();
        let program = Program::new(&dir, "app.sock");
        let source = program.source();
        let to = format!("--to=unix:{}", dir.file("fan.sock"));
        let mut args = vec![source.as_str(), to.as_str()];
        args.extend(more);
        let relaying = Relaying::start(&dir, &args, 1);
        Self {
            dir,
            program,
            relaying,
        }
    }

    /// The program's side, with the beginning of a log on its way.
    fn begun(&self) -> UnixStream {
        let mut stream = self.program.accept();
        stream.write_all(&header()).expect("sent");
        stream.write_all(&cap()).expect("sent");
        stream
    }

    /// A client that the relay has accepted.
    fn client(&self) -> Client {
        let before = self.relaying.told("client_came").len();
        let client = self.relaying.client();
        self.relaying.tells("client_came", before + 1);
        client
    }
}

#[test]
fn a_source_that_is_killed_may_come_again() {
    let setting = Setting::new(&[]);
    let client = setting.client();
    let mut stream = setting.begun();
    stream.write_all(&work(0)).expect("sent");
    stream.write_all(&work(1)[..1000]).expect("sent");
    drop(stream);
    // Of the last block, the events that have arrived whole are served. The end mark is not the
    // program's.
    let events = at(&[(11, create(2)), (12, run(2))]);
    let rest = body(&Log::new().block(Some(0), &events).bytes).to_vec();
    let received = client.end();
    is_ended(&received, &[header(), cap(), work(0)].concat());
    end_alike(
        &received,
        &[header(), cap(), work(0), rest.clone()].concat(),
    );
    is_valid(&setting.dir, &received);
    let path = setting.dir.with("killed.eventlog", &received);
    let shown = eventlog(&["show", "--type", "log_msg", &path]).exits(0);
    assert!(
        shown.stdout.contains("without an end mark of its own"),
        "{}",
        shown.stdout
    );
    let over = &setting.relaying.tells("session_ended", 1)[0];
    assert_eq!(over["marked"], false);
    assert_eq!(over["cut_off_bytes"], 1000 - rest.len());
    // For a while no process listens there, and then another process does.
    let Setting {
        dir,
        program,
        relaying,
    } = setting;
    drop(program);
    let client = relaying.client();
    relaying.tells("client_came", 2);
    let program = Program::new(&dir, "app.sock");
    program.accept().write_all(&everything()).expect("sent");
    end_alike(&client.end(), &everything());
    assert_eq!(relaying.tells("session_began", 2)[1]["session"], 2);
}

/// Clients of a program that sends nothing wait, and do not hold up anything else.
#[test]
fn a_source_that_hangs_is_told() {
    let setting = Setting::new(&[]);
    let client = setting.client();
    let mut stream = setting.program.accept();
    let told = setting.relaying.tells("source_notice", 1);
    let message = told[0]["message"].as_str().expect("text");
    assert!(message.contains("it sends nothing"), "{message}");
    assert_eq!(client.count(), 0);
    stream.write_all(&everything()).expect("sent");
    assert!(client.end() == everything());
}

#[test]
fn garbage_is_told_and_not_served() {
    let setting = Setting::new(&[]);
    let client = setting.client();
    let mut stream = setting.program.accept();
    stream
        .write_all(&b"HTTP/1.1 400 Bad Request\r\n\r\n".repeat(100))
        .expect("sent");
    let told = setting.relaying.tells("garbage", 1);
    assert_eq!(told[0]["source"], "app");
    drop(stream);
    let mut stream = setting.program.accept();
    stream.write_all(&everything()).expect("sent");
    drop(stream);
    assert!(client.end() == everything());
}

/// Damage in the middle of a log is passed on as it is: other tools may be able to read it.
#[test]
fn damage_in_a_log_is_handed_on() {
    let setting = Setting::new(&[]);
    let client = setting.client();
    let mut stream = setting.begun();
    // An event of a type that no header declares.
    let damage = [0x7f; 64];
    let log = [
        header(),
        cap(),
        work(0),
        damage.to_vec(),
        work(1),
        END.to_vec(),
    ]
    .concat();
    for part in [&work(0)[..], &damage, &work(1), END] {
        stream.write_all(part).expect("sent");
    }
    drop(stream);
    let received = client.end();
    assert!(received == log, "{} of {} bytes", received.len(), log.len());
}

#[test]
fn a_log_whose_relay_is_killed_just_stops() {
    let mut setting = Setting::new(&[]);
    let client = setting.client();
    let mut stream = setting.begun();
    stream.write_all(&work(0)).expect("sent");
    let log = [header(), cap(), work(0)].concat();
    client.gets(log.len());
    setting.relaying.signal(Signal::KILL);
    assert_eq!(setting.relaying.end(), 1009);
    let received = client.end();
    assert!(received == log);
    let path = setting.dir.with("stopped.eventlog", &received);
    eventlog(&["show", &path]).exits(0).says("no end mark");
    let found = eventlog(&["validate", &path]).exits(0).stdout;
    assert!(found.contains("no_end_mark"), "{found}");
}

#[test]
fn a_client_that_sends_garbage_gets_the_log_all_the_same() {
    let setting = Setting::new(&[]);
    let mut client = setting.client();
    let mut stream = setting.begun();
    client.gets(header().len() + cap().len());
    let garbage: Vec<u8> = (0..1_000_000u64)
        .map(|n| ((n * 2_654_435_761) >> 11) as u8)
        .collect();
    client.socket.write_all(&garbage).expect("taken");
    // A client that has closed its sending side has not ended.
    client.socket.shutdown(Shutdown::Write);
    stream.write_all(&work(0)).expect("sent");
    stream.write_all(END).expect("sent");
    // None of it was sent to the program.
    stream.set_nonblocking(true).expect("a socket");
    assert!(client.end() == [&header(), &cap(), &work(0), END].concat());
    let mut sent = [0; 64];
    let read = stream.read(&mut sent);
    assert!(!matches!(read, Ok(1..)), "{read:?}");
}

#[test]
fn clients_that_take_nothing_cost_the_others_nothing() {
    let setting = Setting::new(&["--ring=1M"]);
    let stalled: Vec<Socket> = (0..10)
        .map(|_| Socket::connect(&setting.relaying.addresses[0]))
        .collect();
    setting.relaying.tells("client_came", 10);
    let client = setting.client();
    let mut stream = setting.begun();
    let mut log = [header(), cap()].concat();
    for number in 0..500 {
        stream.write_all(&work(number)).expect("sent");
        log.extend(work(number));
        // A client that is not reading would lose what exceeds the ring.
        if number % 10 == 9 {
            client.gets(log.len());
        }
    }
    stream.write_all(END).expect("sent");
    drop(stream);
    log.extend(END);
    assert!(client.end() == log);
    drop(stalled);
}

/// A client that reads a byte now and then falls behind, and gets the present state.
#[test]
fn a_slow_client_is_brought_up_to_date() {
    let setting = Setting::new(&["--ring=4M"]);
    let mut slow = Socket::connect(&setting.relaying.addresses[0]);
    setting.relaying.tells("client_came", 1);
    let client = setting.client();
    let mut stream = setting.begun();
    let mut log = [header(), cap()].concat();
    let mut received = Vec::new();
    for number in 0..600 {
        stream.write_all(&work(number)).expect("sent");
        log.extend(work(number));
        if number % 10 == 9 {
            client.gets(log.len());
            let mut few = [0; 1];
            slow.read_exact(&mut few).expect("a byte");
            received.extend(few);
            // On a machine that is too busy, the relay's state may be behind what the client has
            // received.
            until("the relay knows the state", || {
                let status = setting.relaying.status();
                let session = &status["sources"][0]["session"];
                session["bytes"] == body(&log).len() && session["fold"]["lag_bytes"] == 0
            });
        }
    }
    stream.write_all(END).expect("sent");
    drop(stream);
    log.extend(END);
    assert!(client.end() == log);
    slow.read_to_end(&mut received).expect("the rest");
    assert!(
        received.len() < log.len() * 3 / 4,
        "{} bytes",
        received.len()
    );
    let gone = setting.relaying.tells("client_gone", 2);
    assert!(received.ends_with(END), "{gone:?}");
    let told = setting.relaying.tells("resynced", 1);
    assert!(told[0]["missed_bytes"].as_u64().expect("a number") > 0);
    let slow = gone
        .iter()
        .find(|line| line["client"] == 1)
        .expect("it was the first");
    assert_eq!(slow["bytes"], received.len());
    assert_eq!(slow["resyncs"], told.len());
    end_alike(&received, &log);
    is_valid(&setting.dir, &received);
    // The log itself says that something is missing.
    let path = setting.dir.with("slow.eventlog", &received);
    let shown = eventlog(&["show", "--type", "log_msg", &path])
        .exits(0)
        .stdout;
    assert!(
        shown.contains("missed") || shown.contains("lost"),
        "{shown}"
    );
}

#[test]
fn a_slow_client_may_be_disconnected() {
    let setting = Setting::new(&["--ring=256K", "--on-lag=disconnect"]);
    let mut slow = Socket::connect(&setting.relaying.addresses[0]);
    setting.relaying.tells("client_came", 1);
    let client = setting.client();
    let mut stream = setting.begun();
    let mut log = [header(), cap()].concat();
    // Much more than fits into the ring and the socket's buffers.
    for number in 0..200 {
        stream.write_all(&work(number)).expect("sent");
        log.extend(work(number));
        client.gets(log.len());
    }
    let mut received = Vec::new();
    slow.read_to_end(&mut received).expect("what was sent");
    assert!(received.len() < log.len() / 2 && !received.ends_with(END));
    fold(&received);
    let gone = &setting.relaying.tells("client_gone", 1)[0];
    assert_eq!(gone["reason"], "lagged");
    stream.write_all(END).expect("sent");
    drop(stream);
    log.extend(END);
    assert!(client.end() == log);
}

#[test]
fn there_are_no_more_clients_than_may_be() {
    let setting = Setting::new(&["--max-clients=2"]);
    let (one, _two) = (setting.client(), setting.client());
    let refused = setting.relaying.client();
    assert_eq!(refused.end(), b"");
    assert_eq!(setting.relaying.tells("client_refused", 1)[0]["limit"], 2);
    // A client that leaves makes room.
    one.socket.shutdown(Shutdown::Both);
    setting.relaying.tells("client_gone", 1);
    let client = setting.client();
    setting
        .program
        .accept()
        .write_all(&everything())
        .expect("sent");
    assert!(client.end() == everything());
}

#[test]
fn a_thousand_clients_one_after_the_other_leave_nothing() {
    let setting = Setting::new(&[]);
    let mut stream = setting.begun();
    setting.client().gets(header().len() + 1);
    let settled = |count: usize| {
        until("the clients are gone", || {
            setting.relaying.told("client_gone").len() >= count
        });
    };
    let came = |from: usize, to: usize| {
        for number in from..to {
            let mut socket = Socket::connect(&setting.relaying.addresses[0]);
            // Some leave at once, some while the log is being sent.
            if number % 2 == 0 {
                socket.read_exact(&mut [0; 100]).expect("a header");
            }
        }
    };
    let watcher = setting.relaying.client();
    setting.relaying.tells("client_came", 2);
    came(0, 10);
    until("all have come", || {
        setting.relaying.told("client_came").len() >= 12
    });
    settled(10);
    let before = setting.relaying.descriptors();
    // A hundred at a time: there is no room for all messages of a thousand, and the relay does not
    // wait until they are printed.
    for from in (10..1010).step_by(100) {
        came(from, from + 100);
        setting.relaying.tells("client_came", from + 102);
        settled(from + 100);
    }
    // A client is reported as gone a moment before its descriptor is closed.
    until("no more descriptors than before", || {
        setting.relaying.descriptors() <= before
    });
    stream.write_all(&work(0)).expect("sent");
    stream.write_all(END).expect("sent");
    end_alike(&watcher.end(), &[&header(), &cap(), &work(0), END].concat());
}

#[test]
fn a_hundred_programs_on_one_relay() {
    let dir = Dir::new();
    let count = 100;
    let programs: Vec<Program> = (0..count)
        .map(|n| Program::new(&dir, &format!("p{n}.sock")))
        .collect();
    let mut args: Vec<String> = programs.iter().map(Program::source).collect();
    for n in 0..count {
        args.push(format!("--to=unix:{}=p{n}", dir.file(&format!("to{n}"))));
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut relaying = Relaying::start(&dir, &args, count);
    let clients: Vec<Client> = relaying
        .addresses
        .iter()
        .map(|at| Client::connect(at))
        .collect();
    relaying.tells("client_came", count);
    let logs: Vec<Vec<u8>> = (0..count)
        .map(|n| Log::new().messages(0, &[(1, &format!("of {n}"))]).end())
        .collect();
    let streams: Vec<UnixStream> = programs
        .iter()
        .zip(&logs)
        .map(|(program, log)| {
            let mut stream = program.accept();
            stream.write_all(&log[..log.len() - 2]).expect("sent");
            stream
        })
        .collect();
    let late: Vec<Client> = relaying
        .addresses
        .iter()
        .map(|at| Client::connect(at))
        .collect();
    relaying.tells("client_came", 2 * count);
    for mut stream in streams {
        stream.write_all(END).expect("sent");
    }
    for ((client, late), log) in clients.into_iter().zip(late).zip(&logs) {
        assert!(client.end() == *log);
        end_alike(&late.end(), log);
    }
    relaying.signal(Signal::TERM);
    assert_eq!(relaying.end(), 0);
}
