//! Clients of all kinds, at real sockets.

use crate::common::logs::program::{Blocks, program};
use crate::common::logs::{block, event, header};
use crate::common::*;
use eventlog_control::{Builtin, Frame, RtsCommand};
use eventlog_relay::{Address, Error, Options, Relay, Start};
use ghc_eventlog::EventBody;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

fn some_log() -> Vec<u8> {
    let blocks = Blocks {
        events: 20,
        delay: 50,
        global_at_exit: false,
    };
    without_end(&program(9, 400, blocks)).to_vec()
}

fn message(time: u64) -> Vec<u8> {
    let message = "hello".into();
    block(
        Some(0),
        time,
        time,
        &[event(time, EventBody::UserMsg { message })],
    )
}

#[test]
fn one_that_sends_garbage_one_that_says_nothing_and_one_that_reads_a_byte_at_a_time() {
    let log = some_log();
    let header = boundaries(&log).0;
    let mut test = TestRelay::new(Options::default());
    let mut noisy = test.connect_and_wait();
    let silent = test.connect_and_wait();
    let slow = test.connect_and_wait();
    let half_closed = test.connect_and_wait();
    half_closed.0.shutdown(Shutdown::Write).unwrap();
    noisy.send(b"GET / HTTP/1.1\r\n\r\n");
    let mut writer = noisy.0.try_clone().unwrap();
    let flood = std::thread::spawn(move || {
        // More than is read at once; it ends when the client is disconnected.
        for _ in 0..100 {
            if writer.write_all(&[0xf0; 10_000]).is_err() {
                break;
            }
        }
    });
    test.begin(&header);
    test.give(&log[header.len()..]);
    test.settle();
    test.source.send(SourceStep::End).unwrap();
    for client in [silent, half_closed, noisy] {
        assert!(client.read_all().starts_with(&log));
    }
    let mut slow = slow;
    let mut got = Vec::new();
    let mut byte = [0];
    slow.0.set_read_timeout(Some(LONG)).unwrap();
    while slow.0.read(&mut byte).unwrap() > 0 {
        got.push(byte[0]);
    }
    assert!(got.starts_with(&log));
    flood.join().unwrap();
}

#[test]
fn commands_of_unix_clients_reach_the_program_and_those_of_tcp_clients_do_not() {
    let mut test = TestRelay::new(Options::default());
    let tcp = test
        .relay
        .serve(&"tcp:127.0.0.1:0".parse().unwrap(), None)
        .unwrap();
    let Address::Tcp(tcp) = tcp else { panic!() };
    let (mut program, to) = UnixStream::pair().unwrap();
    test.source.send(SourceStep::Commands(to.into())).unwrap();
    test.begin(header().as_bytes());
    let mut far = TcpStream::connect(&tcp).unwrap();
    let mut near = test.connect();
    let length = header().as_bytes().len();
    assert_eq!(near.read_some(length), header().as_bytes());
    let mut got = vec![0; length];
    far.read_exact(&mut got).unwrap();
    assert_eq!(got, header().as_bytes());
    let (flush, census) = (
        Frame::rts(RtsCommand::Flush),
        Frame::builtin(Builtin::RequestHeapCensus),
    );
    far.write_all(flush.as_bytes()).unwrap();
    near.send(b"no frame");
    near.send(census.as_bytes());
    let mut got = vec![0; census.as_bytes().len()];
    program.set_read_timeout(Some(LONG)).unwrap();
    program.read_exact(&mut got).unwrap();
    assert_eq!(got, census.as_bytes());
    // It is counted just after it was sent.
    test.wait("it is counted", |status| status.commands == 1);
    // Both still get the log.
    test.give(&message(1));
    assert_eq!(near.read_some(message(1).len()), message(1));
    let mut got = vec![0; message(1).len()];
    far.read_exact(&mut got).unwrap();
    assert_eq!(got, message(1));
    // Nothing else was passed on.
    program.set_nonblocking(true).unwrap();
    assert!(program.read(&mut [0]).is_err());
}

#[test]
fn there_are_only_so_many() {
    let mut options = Options::default();
    options.max_clients = 2;
    let test = TestRelay::new(options);
    let one = test.connect_and_wait();
    let _two = test.connect_and_wait();
    let mut three = test.connect();
    three.0.set_read_timeout(Some(LONG)).unwrap();
    assert_eq!(three.0.read(&mut [0]).unwrap(), 0);
    assert_eq!(test.relay.status().clients_refused, 1);
    // A client that disconnects makes room, also while no data arrives.
    drop(one);
    test.wait("room", |status| status.clients.len() == 1);
    let _four = test.connect_and_wait();
}

#[test]
fn sockets_are_their_owners_and_their_files_are_not_left_behind() {
    let dir = Dir::new();
    let path = dir.0.join("a.sock");
    let at = Address::Unix(path.clone());
    let relay = Relay::start(Options::default()).unwrap();
    relay.reserve("app").unwrap();
    relay.serve(&at, None).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Another process listens there.
    let other = Relay::start(Options::default()).unwrap();
    other.reserve("app").unwrap();
    let error = other.serve(&at, None).unwrap_err();
    assert!(matches!(error, Error::Serve { .. }), "{error}");
    relay.drain(LONG);
    assert!(!path.exists());
    // A socket without a listener is replaced.
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    other.serve(&at, None).unwrap();
    UnixStream::connect(&path).unwrap();
    // A file that is not a socket is left alone.
    let file = dir.0.join("file");
    std::fs::write(&file, "text").unwrap();
    other.serve(&Address::Unix(file.clone()), None).unwrap_err();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "text");
    // So is a file that has replaced our socket.
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "text").unwrap();
    drop(other);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "text");
}

#[test]
fn a_relay_that_is_drained_ends_every_log() {
    let log = some_log();
    let header = boundaries(&log).0;
    let mut test = TestRelay::new(Options::default());
    let early = test.connect_and_wait();
    test.begin(&header);
    test.give(&log[header.len()..]);
    // A part of a block whose rest never arrives.
    test.give(&message(1 << 40)[..30]);
    test.given -= 30;
    test.settle();
    let (late, mut got) = test.join(&header);
    let mut reader = test.relay.reader("app", Start::Now).unwrap();
    let other = test.relay.clone();
    let readers = std::thread::spawn(move || {
        let early = early.read_all();
        got.extend(late.read_all());
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        [early, got, read]
    });
    let at = test.at.clone();
    test.relay.clone().drain(LONG);
    for got in readers.join().unwrap() {
        assert!(got.ends_with(&[0xff, 0xff]));
        assert_eq!(fold(&got).0.difference(&fold(&log).0), None);
    }
    assert!(!at.exists() && UnixStream::connect(&at).is_err());
    assert!(matches!(other.reserve("b"), Err(Error::Draining)));
    assert_eq!(other.status().clients.len(), 0);
}

/// After draining it the process may end, even if other clones of the relay exist.
#[test]
fn a_relay_that_is_drained_leaves_no_socket() {
    for _ in 0..200 {
        let test = TestRelay::new(Options::default());
        test.relay.clone().drain(LONG);
        assert!(!test.at.exists());
    }
}

#[test]
fn a_client_that_takes_nothing_does_not_keep_the_end_waiting() {
    let mut test = TestRelay::new(Options::default());
    let _stalled = test.connect_and_wait();
    test.begin(header().as_bytes());
    for time in 1..20_000 {
        test.give(&message(time));
    }
    test.settle();
    let begun = Instant::now();
    test.relay.clone().drain(Duration::from_millis(100));
    assert!(begun.elapsed() >= Duration::from_millis(100));
    assert!(begun.elapsed() < LONG);
}
