//! Programs that end and come back.

mod common;

use common::{Came, Dir, bytes, last_is, until};
use eventlog_source::{Arrival, Backoff, Connecting, Error, Notice, Reconnecting, Source, Wait};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::spawn;
use std::time::Duration;

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Reads with short pauses.
fn reconnecting(source: Source, how: Connecting) -> Reconnecting {
    Reconnecting::new(source, how).backoff(Backoff::new(ms(1), ms(20)))
}

fn forever() -> Connecting {
    Connecting::new().wait(Wait::Forever)
}

#[test]
fn a_program_that_comes_back_at_the_same_path_begins_a_new_log() {
    let dir = Dir::new();
    let path = dir.file("app.sock");
    let mut log = reconnecting(Source::Unix(path.clone()), forever());
    assert!(
        log.connection().is_none(),
        "nothing is opened before the first call"
    );
    let (go_on, asked) = mpsc::channel::<()>();
    let program = spawn(move || {
        for text in ["first", "second"] {
            // The socket is missing at first, and is gone again later.
            asked.recv().expect("the test is there");
            let listener = UnixListener::bind(&path).expect("a socket");
            let (mut client, _) = listener.accept().expect("a client");
            // Before the connection ends: then it is connected to again at once.
            drop(listener);
            std::fs::remove_file(&path).expect("removed");
            client.write_all(text.as_bytes()).expect("sent");
        }
    });
    go_on.send(()).expect("the program is there");
    let came = until(&mut log, |came| came.last() == Some(&Came::Lost));
    assert_eq!(came, [Came::New, bytes("first"), Came::Lost]);
    assert!(log.connection().is_none());
    go_on.send(()).expect("the program is there");
    let came = until(&mut log, |came| came.last() == Some(&Came::Lost));
    assert_eq!(came, [Came::New, bytes("second"), Came::Lost]);
    program.join().expect("no panic");
}

#[test]
fn the_same_over_tcp_with_a_listener_that_stays() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let port = listener.local_addr().expect("an address").port();
    let source: Source = format!("tcp:127.0.0.1:{port}").parse().expect("a source");
    let mut log = reconnecting(source.clone(), forever().tick(Some(ms(1))));
    assert_eq!(log.source(), &source);
    let program = spawn(move || {
        for text in ["a", "", "c"] {
            let (mut client, _) = listener.accept().expect("a client");
            client.write_all(text.as_bytes()).expect("sent");
        }
    });
    let came = until(&mut log, |came| {
        came.iter().filter(|&of| *of == Came::Lost).count() == 3
    });
    let expected = [
        Came::New,
        bytes("a"),
        Came::Lost,
        Came::New,
        Came::Lost,
        Came::New,
        bytes("c"),
        Came::Lost,
    ];
    assert_eq!(came, expected);
    program.join().expect("no panic");
}

#[test]
fn a_program_that_does_not_come_back_in_time_is_an_error_and_may_be_tried_again() {
    let dir = Dir::new();
    let path = dir.file("app.sock");
    let source = Source::Unix(path.clone());
    let listener = UnixListener::bind(&path).expect("a socket");
    let mut log = reconnecting(source.clone(), Connecting::new().wait(ms(100)));
    let program = spawn(move || _ = listener.accept().expect("a client"));
    until(&mut log, |came| came == [Came::New, Came::Lost]);
    program.join().expect("no panic");
    std::fs::remove_file(&path).expect("removed");
    match log.next(&mut [0; 16]) {
        Err(Error::Open {
            from,
            waited: Some(waited),
            cause,
        }) => {
            assert_eq!((from, cause.kind()), (source, ErrorKind::NotFound));
            assert!(waited >= ms(100), "{waited:?}");
        }
        other => panic!("{other:?}"),
    }
    let listener = UnixListener::bind(&path).expect("a socket");
    let program = spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        client.write_all(b"again").expect("sent");
    });
    assert_eq!(
        until(&mut log, last_is("again")),
        [Came::New, bytes("again")]
    );
    program.join().expect("no panic");
}

#[test]
fn that_it_is_waited_for_is_told_and_ticks_go_on() {
    let dir = Dir::new();
    let (tell, told) = mpsc::channel();
    let how = forever().tick(Some(ms(5))).notices(move |notice| {
        if let Notice::Waiting { source, .. } = notice {
            tell.send(source.to_string()).expect("the test is there");
        }
    });
    let source = Source::Unix(dir.file("none.sock"));
    let mut log = reconnecting(source.clone(), how);
    let (mut idle, mut name) = (0, None);
    // On a busy machine it can be told before the first tick.
    while idle < 2 || name.is_none() {
        match log.next(&mut [0; 16]).expect("no error") {
            Arrival::Idle => idle += 1,
            other => panic!("{other:?}"),
        }
        name = name.or_else(|| told.try_recv().ok());
    }
    assert_eq!(name, Some(source.to_string()));
}

#[test]
fn it_ends_when_it_is_stopped() {
    let dir = Dir::new();
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    let how = forever().stop(move || asked.load(Ordering::Relaxed));
    let mut log = reconnecting(Source::Unix(dir.file("none.sock")), how);
    let waiter = spawn(move || {
        let first = log.next(&mut [0; 16]).expect("no error");
        let second = log.next(&mut [0; 16]).expect("no error");
        (first, second)
    });
    stop.store(true, Ordering::Relaxed);
    let ends = waiter.join().expect("no panic");
    assert!(matches!(ends, (Arrival::End, Arrival::End)), "{ends:?}");
}

#[test]
fn a_fifo_has_one_writer_after_another() {
    let dir = Dir::new();
    let path = dir.fifo("fifo");
    let mut log = reconnecting(Source::File(path.clone()), forever());
    for text in ["first writer", "second writer", "third writer"] {
        let path = path.clone();
        let writer = spawn(move || {
            let mut fifo = OpenOptions::new().write(true).open(path).expect("a reader");
            fifo.write_all(text.as_bytes()).expect("written");
        });
        let came = until(&mut log, |came| came.last() == Some(&Came::Lost));
        assert_eq!(came, [Came::New, bytes(text), Came::Lost]);
        writer.join().expect("no panic");
    }
}

#[test]
fn a_file_is_followed() {
    let dir = Dir::new();
    let path = dir.with("log", b"one");
    let mut log = reconnecting(Source::File(path.clone()), forever().tick(Some(ms(1))));
    assert_eq!(until(&mut log, last_is("one")), [Came::New, bytes("one")]);
    let ready = dir.with("ready", b"two");
    std::fs::rename(ready, &path).expect("renamed");
    assert_eq!(until(&mut log, last_is("two")), [Came::New, bytes("two")]);
    // A missing file is not a program that may still be started.
    let none = Source::File(dir.file("none"));
    let error = reconnecting(none, forever())
        .next(&mut [0; 16])
        .expect_err("no file");
    assert!(
        matches!(error, Error::Open { waited: None, .. }),
        "{error:?}"
    );
}
