//! Sources: sockets, FIFOs, waiting, and what happens without them.

use crate::common::{Dir, Log, command, dead_socket, done, eventlog, finished};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn log() -> Vec<u8> {
    Log::new().messages(0, &[(1, "one"), (2, "two")]).end()
}

#[test]
fn a_unix_socket_is_a_source() {
    let dir = Dir::new();
    let path = dir.file("app.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    let server = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        client.write_all(&log()).expect("sent");
    });
    let done = eventlog(&["show", &format!("unix:{path}")]).exits(0);
    assert_eq!(done.lines().len(), 2);
    server.join().expect("the server ends");
}

#[test]
fn a_tcp_socket_is_a_source() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let port = listener.local_addr().expect("an address").port();
    let server = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        client.write_all(&log()).expect("sent");
    });
    // By a name with two addresses, one of which may refuse.
    let done = eventlog(&["show", &format!("tcp:localhost:{port}")]).exits(0);
    assert_eq!(done.lines().len(), 2);
    server.join().expect("the server ends");
}

#[test]
fn a_fifo_is_a_source() {
    let dir = Dir::new();
    let path = dir.file("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .expect("mkfifo")
            .success()
    );
    let child = command()
        .args(["show", &path])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // It waits for a writer, and then reads all that is written.
    std::thread::sleep(Duration::from_millis(200));
    let mut fifo = std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .expect("the FIFO");
    let bytes = log();
    fifo.write_all(&bytes[..100]).expect("written");
    std::thread::sleep(Duration::from_millis(200));
    fifo.write_all(&bytes[100..]).expect("written");
    drop(fifo);
    let done = finished(child.wait_with_output().expect("it ends")).exits(0);
    assert_eq!(done.lines().len(), 2);
}

#[test]
fn live_events_appear_at_once() {
    let dir = Dir::new();
    let path = dir.file("app.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    let mut child = command()
        .args(["show", &format!("unix:{path}")])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let (mut client, _) = listener.accept().expect("a client");
    let first = Log::new().messages(0, &[(1, "now")]).bytes;
    client.write_all(&first).expect("sent");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a line");
    assert!(line.ends_with("user_msg now\n"), "{line}");
    // The server goes away without an end mark: that is no failure.
    drop(client);
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn a_program_that_is_not_up_yet_is_waited_for() {
    let dir = Dir::new();
    let path = dir.file("app.sock");
    let mut child = command()
        .args(["show", &format!("unix:{path}")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // It reports that when it has waited for a while.
    let mut told = String::new();
    let mut errors = BufReader::new(child.stderr.take().expect("a pipe"));
    errors.read_line(&mut told).expect("a line");
    assert!(told.contains("waiting for unix:"), "{told}");
    // First a socket on which no process listens, then a real one.
    dead_socket(&path);
    std::thread::sleep(Duration::from_millis(100));
    std::fs::remove_file(&path).expect("removed");
    let listener = UnixListener::bind(&path).expect("a socket");
    let (mut client, _) = listener.accept().expect("a client");
    client.write_all(&log()).expect("sent");
    drop(client);
    let done = finished(child.wait_with_output().expect("it ends")).exits(0);
    assert_eq!(done.lines().len(), 2);
}

#[test]
fn waiting_ends_when_it_should() {
    let dir = Dir::new();
    let start = Instant::now();
    let source = format!("unix:{}", dir.file("none.sock"));
    eventlog(&["show", &source, "--wait", "300ms"])
        .exits(3)
        .says("cannot connect")
        .says("hint:");
    assert!(start.elapsed() >= Duration::from_millis(300));
    let start = Instant::now();
    eventlog(&["show", &source, "--wait", "0"]).exits(3);
    eventlog(&["show", "tcp:127.0.0.1:1", "--wait", "0"])
        .exits(3)
        .says("hint:");
    // Nothing to wait for: the names are wrong.
    let show = |source: &str| eventlog(&["show", "--wait", "20m", source]);
    show("tcp:no-port-here").exits(2).says("tcp:no-port-here");
    show(&dir.file("no-file")).exits(3).says("hint:");
    let path = dir.path().to_str().expect("UTF-8");
    show(path).exits(3).says("directory");
    show(&format!("unix:{}", "x".repeat(200))).exits(2);
    assert!(start.elapsed() < Duration::from_secs(600));
    eventlog(&["show", &source, "--wait", "soon"]).exits(2);
}

#[test]
fn the_path_of_a_socket_means_the_socket() {
    let dir = Dir::new();
    let path = dir.file("app.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    let server = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        client.write_all(&log()).expect("sent");
    });
    assert_eq!(eventlog(&["show", &path]).exits(0).lines().len(), 2);
    server.join().expect("the server ends");
}

#[test]
fn names_of_files_may_be_odd() {
    use std::os::unix::ffi::OsStrExt;
    let dir = Dir::new();
    let path = dir
        .path()
        .join(std::ffi::OsStr::from_bytes(b"odd \xff name"));
    std::fs::write(&path, log()).expect("a file");
    let done = done(command().arg("show").arg(&path));
    assert_eq!(done.exits(0).lines().len(), 2);
}
