//! Sockets: Unix and TCP, waiting, commands, and notices.

mod common;

use common::{Dir, PATIENCE, dead_socket, log, read, wait_until};
use eventlog_source::control::{Command, Delivery, Protocol, linger};
use eventlog_source::{
    Connecting, Error, Heard, Log, Notice, Reading, Silence, Silent, Source, Wait,
};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

/// Sends these bytes to one client, and then closes.
fn serve(listener: UnixListener, bytes: Vec<u8>) -> JoinHandle<()> {
    spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        client.write_all(&bytes).expect("sent");
    })
}

fn unix(dir: &Dir) -> (UnixListener, Source) {
    let path = dir.file("app.sock");
    (
        UnixListener::bind(&path).expect("a socket"),
        Source::Unix(path),
    )
}

#[test]
fn unix_sockets_also_by_their_path_alone() {
    for named in [true, false] {
        let dir = Dir::new();
        let (listener, source) = unix(&dir);
        let server = serve(listener, log(&["one", "two"], true));
        let source = match (named, source) {
            (false, Source::Unix(path)) => Source::File(path),
            (_, source) => source,
        };
        let log = Log::open(&source, &Connecting::new(), Reading::default()).expect("a log");
        let (seen, outcome) = read(log);
        assert_eq!(seen, ["header", "one", "two"]);
        assert!(outcome.ending.is_complete() && !outcome.stopped && outcome.fault.is_none());
        assert_eq!((outcome.source, outcome.packing), (source, None));
        server.join().expect("no panic");
    }
}

#[test]
fn tcp_sockets_by_name_and_address() {
    for host in ["127.0.0.1", "localhost"] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let port = listener.local_addr().expect("an address").port();
        let server = spawn(move || {
            let (mut client, _) = listener.accept().expect("a client");
            // The log is cut off in the middle of a block.
            let log = log(&["one", "two"], false);
            client.write_all(&log[..log.len() - 1]).expect("sent");
        });
        let source: Source = format!("tcp:{host}:{port}").parse().expect("a source");
        let log = Log::open(&source, &Connecting::new(), Reading::default()).expect("a log");
        let (seen, outcome) = read(log);
        assert_eq!(seen, ["header", "one"]);
        assert!(
            !outcome.ending.marked && outcome.ending.left > 0,
            "{outcome:?}"
        );
        server.join().expect("no panic");
    }
}

#[test]
fn a_program_that_is_not_up_yet_is_waited_for_and_that_is_told() {
    let dir = Dir::new();
    let source = Source::Unix(dir.file("app.sock"));
    let (told, waiting) = mpsc::channel();
    let how = Connecting::new()
        .wait(Wait::Forever)
        .notices(move |notice| {
            if let Notice::Waiting { source, cause } = notice {
                told.send((source.to_string(), cause.kind()))
                    .expect("the test is there");
            }
        });
    let reader = {
        let source = source.clone();
        spawn(move || {
            source.connect(&how).map(|mut connection| {
                let mut bytes = Vec::new();
                connection.read_to_end(&mut bytes).map(|_| bytes)
            })
        })
    };
    let (name, kind) = waiting.recv_timeout(PATIENCE).expect("told");
    assert_eq!((name, kind), (source.to_string(), ErrorKind::NotFound));
    // First a socket on which no program listens any more.
    let path = dir.file("app.sock");
    dead_socket(&path);
    std::fs::remove_file(path).expect("removed");
    let (listener, _) = unix(&dir);
    serve(listener, b"bytes".to_vec()).join().expect("no panic");
    let bytes = reader
        .join()
        .expect("no panic")
        .expect("connected")
        .expect("read");
    assert_eq!(bytes, b"bytes");
    assert!(waiting.try_recv().is_err(), "told once");
}

#[test]
fn waiting_ends_in_time_or_when_it_is_stopped() {
    let dir = Dir::new();
    let none = Source::Unix(dir.file("none.sock"));
    let once = none
        .connect(&Connecting::new().wait(Duration::ZERO))
        .expect_err("nobody");
    let Error::Open {
        from,
        waited: Some(_),
        cause,
    } = &once
    else {
        panic!("{once:?}")
    };
    assert_eq!((from, cause.kind()), (&none, ErrorKind::NotFound));
    let text = once.to_string();
    assert!(
        text.starts_with(&format!("cannot connect to {none} (tried for ")),
        "{text}"
    );
    assert!(
        text.contains("; start the program with its eventlog socket there"),
        "{text}"
    );
    assert_eq!(
        (once.with(), once.cause().map(|of| of.kind())),
        (&none, Some(ErrorKind::NotFound))
    );

    let how = Connecting::new().wait(Duration::from_millis(200));
    let Err(Error::Open {
        waited: Some(waited),
        ..
    }) = none.connect(&how)
    else {
        panic!("nobody is there")
    };
    assert!(waited >= Duration::from_millis(200), "{waited:?}");

    let stop = Arc::new(AtomicBool::new(false));
    let how = {
        let stop = Arc::clone(&stop);
        Connecting::new()
            .wait(Wait::Forever)
            .stop(move || stop.load(Ordering::Relaxed))
    };
    let waiter = spawn(move || none.connect(&how).is_err());
    stop.store(true, Ordering::Relaxed);
    assert!(waiter.join().expect("no panic"));
    // A host name that never exists.
    let nowhere: Source = "tcp:no.such.host.invalid:1".parse().expect("a source");
    let error = nowhere
        .connect(&Connecting::new().wait(Wait::Forever))
        .expect_err("no host");
    assert!(
        matches!(error, Error::Open { waited: None, .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("check the name of the host"),
        "{error}"
    );
}

#[test]
fn reads_fail_with_a_tick_and_go_on() {
    let dir = Dir::new();
    let (listener, source) = unix(&dir);
    let how = Connecting::new().tick(Some(Duration::from_millis(1)));
    let mut connection = source.connect(&how).expect("connected");
    let (mut client, _) = listener.accept().expect("a client");
    let mut buffer = [0; 16];
    let error = connection.read(&mut buffer).expect_err("nothing came");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    client.write_all(b"hdrb").expect("sent");
    connection.set_tick(None);
    let counted = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&counted);
    connection.on_read(move |bytes| _ = count.fetch_add(bytes, Ordering::Relaxed));
    assert_eq!(connection.read(&mut buffer).expect("read"), 4);
    assert_eq!(
        (connection.position(), counted.load(Ordering::Relaxed)),
        (4, 4)
    );
    drop(client);
    assert_eq!(connection.read(&mut buffer).expect("the end"), 0);
}

#[test]
fn commands_are_sent_and_flushes_asked_for_again_and_again() {
    let dir = Dir::new();
    let (listener, source) = unix(&dir);
    let how = Connecting::new().flush(Some(Duration::from_millis(1)));
    let mut connection = source.connect(&how).expect("connected");
    let (mut client, _) = listener.accept().expect("a client");
    let frame = |text: &str| {
        let command: Command = text.parse().expect("a command");
        command.frame(Protocol::V0).expect("a frame")
    };
    let census = frame("request-heap-census");
    connection
        .send(&source, std::slice::from_ref(&census))
        .expect("sent");
    let flush = frame("flush");
    // Requests are sent while something is read.
    let reader = spawn(move || connection.read(&mut [0; 16]).expect("read"));
    let mut sent = vec![0; census.len() + 3 * flush.len()];
    client.read_exact(&mut sent).expect("frames");
    assert_eq!(sent, [census, flush.repeat(3)].concat());
    client.write_all(b"x").expect("sent");
    assert_eq!(reader.join().expect("no panic"), 1);

    let file = Source::File(dir.with("file", b"hdrb"));
    let mut connection = file.connect(&Connecting::new()).expect("opened");
    let error = connection.send(&file, &[]).expect_err("no way back");
    assert!(
        matches!(&error, Error::NotASocket { to } if *to == file),
        "{error:?}"
    );
    let error = file.connect(&how).expect_err("no way back");
    assert!(
        error
            .to_string()
            .ends_with("commands go to unix:PATH or tcp:HOST:PORT"),
        "{error}"
    );
}

#[test]
fn what_became_of_commands() {
    let dir = Dir::new();
    let (listener, source) = unix(&dir);
    let connect = || source.connect(&Connecting::new()).expect("connected");
    let (time, wait) = (Duration::from_millis(20), Wait::For(Duration::ZERO));
    let mut connection = connect();
    drop(listener.accept().expect("a client"));
    assert_eq!(
        linger(&mut connection, time, Wait::Forever).expect("read"),
        Delivery::Closed
    );
    let mut connection = connect();
    let (mut client, _) = listener.accept().expect("a client");
    assert_eq!(
        linger(&mut connection, time, wait).expect("read"),
        Delivery::NotServed
    );
    client.write_all(b"hdrb").expect("sent");
    assert_eq!(
        linger(&mut connection, time, Wait::Forever).expect("read"),
        Delivery::Served
    );
}

#[test]
fn silence_is_told_once() {
    let dir = Dir::new();
    let (listener, source) = unix(&dir);
    let (tell, told) = mpsc::channel();
    let how = Connecting::new()
        .tick(Some(Duration::from_millis(10)))
        .notices(move |notice| {
            if let Notice::Silent { silence, .. } = notice {
                tell.send(*silence).expect("the test is there");
            }
        });
    let mut connection = source.connect(&how).expect("connected");
    let (mut client, _) = listener.accept().expect("a client");
    client.write_all(&log(&[], false)).expect("sent");
    let mut silence = None;
    wait_until("a notice", || {
        let _ = connection.read(&mut [0; 1 << 16]);
        silence = told.try_recv().ok();
        silence.is_some()
    });
    let (of, heard) = (Silent::Socket, Heard::Header);
    assert_eq!(
        silence,
        Some(Silence {
            of,
            heard,
            asked: false
        })
    );
    for _ in 0..10 {
        let _ = connection.read(&mut [0; 16]);
    }
    assert!(told.try_recv().is_err());
}
