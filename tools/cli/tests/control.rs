//! `eventlog control`, against servers that look at what arrives.

use crate::common::{Dir, Log, eventlog, is_dead, wait_until};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::thread::JoinHandle;

/// Serves one client: sends a log, and returns all that the client sends.
fn serve(path: &str) -> JoinHandle<Vec<u8>> {
    let listener = UnixListener::bind(path).expect("a socket");
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        client.write_all(&Log::new().bytes).expect("sent");
        let mut received = Vec::new();
        client.read_to_end(&mut received).expect("received");
        received
    })
}

fn sent(args: &[&str]) -> Vec<u8> {
    let dir = Dir::new();
    let path = dir.file("app.sock");
    let server = serve(&path);
    let source = format!("unix:{path}");
    let mut all = vec!["control", &source, "--linger", "50ms", "--wait", "2m"];
    all.extend(args);
    eventlog(&all).exits(0);
    server.join().expect("the server ends")
}

const CENSUS: &[u8] = b"\xf0\x9e\x97\x8c\x00\x0feventlog-socket\x05";

#[test]
fn commands_are_frames_of_the_present_protocol() {
    assert_eq!(sent(&["request-heap-census"]), CENSUS);
    for (name, id) in [
        ("start-profiling", 1),
        ("stop-profiling", 2),
        ("start-heap-profiling", 3),
        ("stop-heap-profiling", 4),
    ] {
        let mut frame = CENSUS.to_vec();
        *frame.last_mut().expect("an id") = id;
        assert_eq!(sent(&[name]), frame, "{name}");
    }
    assert_eq!(sent(&["my-app/200"]), b"\xf0\x9e\x97\x8c\x00\x06my-app\xc8");
}

#[test]
fn the_commands_of_this_library_have_a_namespace_of_their_own() {
    let mut expected = vec![
        ("flush".to_owned(), 1),
        ("sync".to_owned(), 2),
        ("dump".to_owned(), 3),
    ];
    let classes = [
        "scheduler",
        "gc",
        "nonmoving-gc",
        "spark-sampled",
        "spark-full",
        "user",
        "capability",
    ];
    for (class, start) in classes.iter().zip((6..).step_by(2)) {
        expected.push((format!("start-{class}"), start));
        expected.push((format!("stop-{class}"), start + 1));
    }
    let names: Vec<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
    let frames: Vec<u8> = expected
        .iter()
        .flat_map(|(_, id)| [&b"\xf0\x9e\x97\x8c\x00\x13eventlog-socket-rts"[..], &[*id]].concat())
        .collect();
    assert_eq!(sent(&names), frames);
    // By number as well, and in other spellings.
    assert_eq!(
        sent(&["eventlog-socket-rts/8", "START_GC", "startGc"]),
        sent(&["start-gc", "start-gc", "start-gc"])
    );
    for name in names {
        let wrong = ["control", "unix:/nonexistent", "--protocol", "gctl", name];
        eventlog(&wrong).exits(2).says(&format!(
            "the gctl protocol has no {name}; it has start-heap-profiling"
        ));
    }
}

#[test]
fn the_help_names_every_command() {
    let help = eventlog(&["control", "--help"]).exits(0).stdout;
    let refusal = eventlog(&["control", "unix:/nonexistent", "start-everything"]).exits(2);
    for text in [help, refusal.stderr] {
        // However the lines are broken.
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in [
            "start-profiling",
            "stop-profiling",
            "start-heap-profiling",
            "stop-heap-profiling",
            "request-heap-census",
            "flush",
            "sync",
            "dump",
            "start-CLASS",
            "stop-CLASS",
            "scheduler, gc, nonmoving-gc, spark-sampled, spark-full, user",
            "capability",
            "NAMESPACE/ID",
        ] {
            assert!(text.contains(word), "{word} in {text}");
        }
    }
}

#[test]
fn several_commands_keep_their_order() {
    let expected = [CENSUS, b"\xf0\x9e\x97\x8c\x00\x01x\x01", CENSUS].concat();
    assert_eq!(
        sent(&["request-heap-census", "x/1", "request-heap-census"]),
        expected
    );
    let many = vec!["request-heap-census"; 100];
    assert_eq!(sent(&many), CENSUS.repeat(100));
}

#[test]
fn the_old_protocol_has_three_commands() {
    assert_eq!(
        sent(&["--protocol", "gctl", "start-heap-profiling"]),
        b"GCTL\x01"
    );
    assert_eq!(
        sent(&[
            "--protocol",
            "gctl",
            "stop-heap-profiling",
            "request-heap-census"
        ]),
        b"GCTL\x02GCTL\x03"
    );
    // Nothing is connected to for a command that cannot be sent.
    let wrong = [
        "control",
        "unix:/nonexistent",
        "--protocol",
        "gctl",
        "start-profiling",
    ];
    eventlog(&wrong).exits(2).says("gctl");
    eventlog(&["control", "unix:/nonexistent", "frobnicate"])
        .exits(2)
        .says("request-heap-census");
}

#[test]
fn tcp_works_as_well() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let address = listener.local_addr().expect("an address");
    let server = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        client.write_all(&Log::new().bytes).expect("sent");
        let mut received = Vec::new();
        client.read_to_end(&mut received).expect("received");
        received
    });
    eventlog(&[
        "control",
        &format!("tcp:{address}"),
        "request-heap-census",
        "--linger",
        "50ms",
        "--wait",
        "2m",
    ])
    .exits(0);
    assert_eq!(server.join().expect("the server ends"), CENSUS);
}

#[test]
fn a_program_that_does_not_serve_us_is_told() {
    let dir = Dir::new();
    let path = dir.file("app.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    let source = format!("unix:{path}");
    let args = [
        "control",
        &source,
        "request-heap-census",
        "--wait",
        "200ms",
        "--linger",
        "50ms",
    ];
    eventlog(&args).exits(3).says("another client");
    drop(listener);
    wait_until("nobody listens", || is_dead(&path));
    eventlog(&args).exits(3).says("cannot connect");
    // A file takes no commands.
    let file = dir.with("file", b"");
    eventlog(&["control", &file, "request-heap-census"])
        .exits(2)
        .says("no socket");
}

#[test]
fn commands_go_along_with_a_recording() {
    let dir = Dir::new();
    let path = dir.file("app.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    let server = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        let mut received = vec![0; CENSUS.len()];
        client.read_exact(&mut received).expect("received");
        client
            .write_all(&Log::new().messages(0, &[(1, "census")]).end())
            .expect("sent");
        received
    });
    let output = dir.file("out.eventlog");
    let source = format!("unix:{path}");
    eventlog(&[
        "record",
        &source,
        "-o",
        &output,
        "--control",
        "request-heap-census",
    ])
    .exits(0);
    assert_eq!(server.join().expect("the server ends"), CENSUS);
    assert!(
        eventlog(&["show", &output])
            .exits(0)
            .stdout
            .contains("census")
    );
}
