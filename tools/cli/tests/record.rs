//! `eventlog record`.

mod common;
use common::{Dir, Log, command, eventlog, eventlog_with, finished, wait_until};
use ghc_eventlog::{EventBody, StopStatus};
use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Stdio};

/// Starts to record from a socket of our own.
struct Recorder {
    dir: Dir,
    listener: UnixListener,
    child: Child,
}

impl Recorder {
    fn start(args: &[&str]) -> Self {
        let dir = Dir::new();
        let path = dir.file("app.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        let child = command()
            .args([
                "record",
                &format!("unix:{path}"),
                "-o",
                &dir.file("out.eventlog"),
            ])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        Self {
            dir,
            listener,
            child,
        }
    }

    fn accept(&self) -> UnixStream {
        self.listener.accept().expect("a client").0
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.dir.file(name)).unwrap_or_default()
    }

    fn signal(&self, signal: &str) {
        let status = std::process::Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status()
            .expect("kill");
        assert!(status.success());
    }

    fn end(self) -> (common::Done, Dir) {
        (
            finished(self.child.wait_with_output().expect("it ends")),
            self.dir,
        )
    }
}

fn log(text: &str) -> Log {
    Log::new().messages(0, &[(1, text)])
}

#[test]
fn a_recording_is_the_stream_byte_for_byte() {
    let bytes = log("one").messages(3, &[(2, "two"), (3, "three")]).end();
    let recorder = Recorder::start(&[]);
    let mut client = recorder.accept();
    for piece in bytes.chunks(7) {
        client.write_all(piece).expect("sent");
    }
    drop(client);
    let (done, dir) = recorder.end();
    done.exits(0).says("out.eventlog");
    assert_eq!(
        std::fs::read(dir.file("out.eventlog")).expect("a recording"),
        bytes
    );
    assert_eq!(dir.names(), ["app.sock", "out.eventlog"]);
}

#[test]
fn what_has_arrived_is_in_the_file_at_once() {
    let bytes = log("early").bytes;
    let recorder = Recorder::start(&["--quiet"]);
    let mut client = recorder.accept();
    client.write_all(&bytes).expect("sent");
    wait_until("the file has it all", || {
        recorder.read("out.eventlog") == bytes
    });
    // The recorder is killed in the worst way: the file is a log all the same.
    recorder.signal("-KILL");
    let dir = recorder.end().1;
    assert!(
        eventlog(&["show", &dir.file("out.eventlog")])
            .exits(0)
            .stdout
            .contains("early")
    );
}

#[test]
fn a_signal_ends_it_in_good_order() {
    for signal in ["-INT", "-TERM"] {
        let recorder = Recorder::start(&["--reconnect", "always", "--wait", "forever"]);
        let mut client = recorder.accept();
        let bytes = log("early").bytes;
        // The last item is incomplete; it is kept as it is.
        client.write_all(&bytes[..bytes.len() - 2]).expect("sent");
        wait_until("the file has begun", || {
            !recorder.read("out.eventlog").is_empty()
        });
        recorder.signal(signal);
        let (done, dir) = recorder.end();
        done.exits(0);
        assert_eq!(
            std::fs::read(dir.file("out.eventlog")).expect("a file"),
            bytes[..bytes.len() - 2]
        );
    }
    // Also while it waits for the program.
    let recorder = Recorder::start(&["--reconnect", "always", "--wait", "forever"]);
    drop(recorder.accept());
    let Recorder {
        dir,
        listener,
        child,
    } = recorder;
    drop(listener);
    std::fs::remove_file(dir.file("app.sock")).expect("removed");
    std::thread::sleep(std::time::Duration::from_millis(300));
    std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("kill");
    finished(child.wait_with_output().expect("it ends"))
        .exits(1)
        .says("no file was written");
}

#[test]
fn a_lost_connection_is_taken_up_in_another_file() {
    let recorder = Recorder::start(&[]);
    let first = log("first").bytes;
    let mut client = recorder.accept();
    client.write_all(&first[..first.len() - 1]).expect("sent");
    drop(client);
    let second = log("second").end();
    recorder.accept().write_all(&second).expect("sent");
    let (done, dir) = recorder.end();
    done.exits(0).says("without an end mark").says("2 files");
    assert_eq!(
        std::fs::read(dir.file("out.eventlog")).expect("a file"),
        first[..first.len() - 1]
    );
    assert_eq!(
        std::fs::read(dir.file("out.0002.eventlog")).expect("a file"),
        second
    );
}

#[test]
fn reconnecting_can_be_chosen() {
    let recorder = Recorder::start(&["--reconnect", "never"]);
    recorder
        .accept()
        .write_all(&log("first").bytes)
        .expect("sent");
    recorder.end().0.exits(0).says("without an end mark");

    let recorder = Recorder::start(&["--reconnect", "always", "--keep", "2"]);
    for round in 1..=4 {
        recorder
            .accept()
            .write_all(&log(&format!("round {round}")).end())
            .expect("sent");
    }
    let mut last = recorder.accept();
    let name = "out.0005.eventlog";
    last.write_all(&log("last").bytes).expect("sent");
    wait_until("the last file is there", || !recorder.read(name).is_empty());
    recorder.signal("-INT");
    let (done, dir) = recorder.end();
    done.exits(0).says("5 files");
    assert_eq!(dir.names(), ["app.sock", "out.0004.eventlog", name]);
}

#[test]
fn the_time_can_be_limited() {
    let recorder = Recorder::start(&["--for", "300ms"]);
    let mut client = recorder.accept();
    client.write_all(&log("early").bytes).expect("sent");
    recorder.end().0.exits(0);
    drop(client);
}

#[test]
fn files_are_not_replaced_unless_that_is_asked_for() {
    let dir = Dir::new();
    let path = dir.with("out.eventlog", b"precious");
    let bytes = log("new").end();
    eventlog_with(&["record", "-", "-o", &path], &bytes)
        .exits(3)
        .says("--force");
    assert_eq!(std::fs::read(&path).expect("the file"), b"precious");
    eventlog_with(&["record", "-", "-o", &path, "--force"], &bytes).exits(0);
    assert_eq!(std::fs::read(&path).expect("the file"), bytes);
    // Numbered files step aside.
    dir.with("two.0002.eventlog", b"precious");
    let two = dir.file("two.eventlog");
    eventlog_with(
        &["record", "-", "-o", &two],
        &[bytes.clone(), bytes].concat(),
    )
    .exits(0);
    assert_eq!(
        dir.names(),
        [
            "out.eventlog",
            "two.0002.eventlog",
            "two.0003.eventlog",
            "two.eventlog"
        ]
    );
}

#[test]
fn a_log_that_starts_again_goes_into_another_file() {
    let (one, two) = (log("one").bytes, log("two").end());
    // Old systems put a stray block marker before the second header.
    let dir = Dir::new();
    let path = dir.file("out");
    eventlog_with(&["record", "-", "-o", &path], &[&one[..], &two].concat()).exits(0);
    assert_eq!(std::fs::read(&path).expect("a file"), one);
    assert_eq!(std::fs::read(dir.file("out.0002")).expect("a file"), two);
}

/// A log with definitions, a thread that goes on, and then many blocks.
fn long_log(blocks: u64) -> Vec<u8> {
    let clock = EventBody::WallClockTime {
        capset: 1,
        seconds: 1000,
        nanoseconds: 10,
    };
    let stop = EventBody::StopThread {
        thread: 2,
        status: StopStatus::FINISHED,
        info: Some(0),
    };
    let mut log = Log::new()
        .block(
            None,
            &[
                (8, EventBody::CapCreate { created_cap: 0 }),
                (10, clock),
                (
                    11,
                    EventBody::RtsIdentifier {
                        capset: 0,
                        identifier: "GHC-test".into(),
                    },
                ),
            ],
        )
        .block(
            Some(0),
            &[
                (20, EventBody::CreateThread { thread: 1 }),
                (
                    21,
                    EventBody::ThreadLabel {
                        thread: 1,
                        label: "lasting".into(),
                    },
                ),
                (22, EventBody::CreateThread { thread: 2 }),
                (23, EventBody::RunThread { thread: 2 }),
                (24, stop),
                (25, EventBody::RunThread { thread: 1 }),
            ],
        );
    for block in 0..blocks {
        let text = format!("message {block} {}", "x".repeat(1000));
        log = log.messages(0, &[(100 + block, text.as_str())]);
    }
    log.end()
}

#[test]
fn each_file_of_a_rotation_can_be_read_for_itself() {
    let dir = Dir::new();
    let path = dir.file("out.eventlog");
    let bytes = long_log(50);
    eventlog_with(
        &["record", "-", "-o", &path, "--rotate-size", "16K"],
        &bytes,
    )
    .exits(0);
    let names = dir.names();
    assert!(names.len() > 3, "{names:?}");
    let mut messages = Vec::new();
    for name in &names {
        let lines = eventlog(&["show", "--json", &dir.file(name)]).exits(0);
        assert_eq!(lines.stderr, "", "{name}");
        let lines = lines.json();
        let count = |event: &str| lines.iter().filter(|line| line["event"] == event).count();
        assert_eq!(count("wall_clock_time"), 1, "{name}");
        assert_eq!(count("rts_identifier"), 1, "{name}");
        let label = lines
            .iter()
            .find(|line| line["label"] == "lasting")
            .expect("the label");
        assert_eq!(
            (&label["thread"], &label["cap"]),
            (&1.into(), &0.into()),
            "{name}"
        );
        if name != "out.eventlog" {
            // Thread 2 is over, and thread 1 runs.
            assert_eq!(count("create_thread"), 1, "{name}");
        }
        for line in lines.iter().filter(|line| line["event"] == "user_msg") {
            assert_eq!(line["in_thread"], 1);
            messages.push(
                line["message"].as_str().expect("a message")[..11]
                    .trim()
                    .to_owned(),
            );
        }
    }
    messages.sort();
    messages.dedup();
    assert_eq!(messages.len(), 50);
    // The oldest files go when only some are to be kept.
    let few = dir.file("few/out.eventlog");
    std::fs::create_dir(dir.path().join("few")).expect("a directory");
    eventlog_with(
        &[
            "record",
            "-",
            "-o",
            &few,
            "--rotate-size",
            "16K",
            "--keep",
            "1",
        ],
        &bytes,
    )
    .exits(0);
    let left = std::fs::read_dir(dir.path().join("few"))
        .expect("the directory")
        .count();
    assert_eq!(left, 1);
}

#[test]
fn bytes_that_cannot_be_decoded_are_recorded_all_the_same() {
    let dir = Dir::new();
    let path = dir.file("out");
    let bytes = log("good")
        .raw(&[0x30, 0x39, 1, 2, 3, 4, 5, 6, 7, 8, 9])
        .raw(&[7; 100])
        .bytes;
    eventlog_with(&["record", "-", "-o", &path], &bytes)
        .exits(1)
        .says("at byte");
    assert_eq!(std::fs::read(&path).expect("a file"), bytes);
}

#[test]
fn what_is_no_log_is_not_recorded() {
    let dir = Dir::new();
    let path = dir.file("out");
    let page = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n";
    eventlog_with(&["record", "-", "-o", &path], page)
        .exits(1)
        .says("not an eventlog");
    assert_eq!(dir.names(), [""; 0]);
}

#[test]
fn a_full_disk_is_an_error() {
    eventlog_with(&["record", "-", "-o", "/dev/full"], &log("x").end())
        .exits(3)
        .says("hint:");
    eventlog_with(&["record", "-", "-o", "/nonexistent/x"], &log("x").end())
        .exits(3)
        .says("hint:");
}
