//! `eventlog record`.

use crate::common::{Dir, Log, command, eventlog, eventlog_with, finished, wait_until};
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

    fn end(self) -> (crate::common::Done, Dir) {
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
    // The recorder is killed with SIGKILL: the file is a log nevertheless.
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
        // The last item is incomplete, and is kept as it is.
        client.write_all(&bytes[..bytes.len() - 2]).expect("sent");
        // All but that item, of which only the beginning is in the block.
        let whole = Log::new().block(Some(0), &[]).bytes;
        wait_until("the file has the rest", || {
            recorder.read("out.eventlog").len() >= whole.len()
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
    // On a busy machine nothing may have come in a short time.
    for time in ["300ms", "3s", "30s", "3m"] {
        let recorder = Recorder::start(&["--for", time]);
        let mut client = recorder.accept();
        let sent = client.write_all(&log("early").bytes);
        let (done, dir) = recorder.end();
        if sent.is_err() || done.stderr.contains("no file was written") {
            done.exits(1);
            continue;
        }
        done.exits(0);
        let recorded = std::fs::read(dir.file("out.eventlog")).expect("a recording");
        assert!(recorded == log("early").bytes);
        return;
    }
    panic!("nothing came in time, however long that was");
}

#[test]
fn files_are_not_replaced_unless_that_is_asked_for() {
    let dir = Dir::new();
    let path = dir.with("out.eventlog", b"precious");
    let bytes = log("new").end();
    eventlog_with(&["record", "-", "-o", &path], &bytes)
        .exits(2)
        .says("--force");
    assert_eq!(std::fs::read(&path).expect("the file"), b"precious");
    eventlog_with(&["record", "-", "-o", &path, "--force"], &bytes).exits(0);
    assert_eq!(std::fs::read(&path).expect("the file"), bytes);
    // The input is never changed, whatever the options, even if it is one of the files to be
    // removed.
    let bytes = log("other").end();
    for name in ["out.eventlog", "out.0002.eventlog"] {
        let log = dir.with(name, &bytes);
        eventlog(&["record", &log, "-o", &path, "--force"])
            .exits(2)
            .says("both input and output");
        assert_eq!(std::fs::read(&log).expect("the log"), bytes);
    }
    std::fs::remove_file(dir.file("out.0002.eventlog")).expect("removed");
    let here = dir.path().to_str().expect("UTF-8");
    eventlog_with(&["record", "-", "-o", here], &bytes)
        .exits(3)
        .says("choose another");
    // Numbered files that exist are not replaced: the number is skipped.
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

/// A log with definitions, a thread that is alive throughout, and then many blocks.
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
    // The oldest files are deleted when only some are to be kept.
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
fn a_log_that_is_cut_in_its_header_is_recorded_and_faulty() {
    let dir = Dir::new();
    let whole = log("one").end();
    let header = ghc_eventlog::Header::standard().as_bytes().len();
    let record = |bytes: &[u8]| {
        let (input, out) = (dir.with("in", bytes), dir.file("out"));
        let done = eventlog(&["record", &input, "-o", &out, "--force"]);
        (done, std::fs::read(out).expect("a file"))
    };
    for length in [5, 100, header - 1] {
        let (done, recorded) = record(&whole[..length]);
        let told = format!("ends before its header is complete ({length} bytes)");
        done.exits(1).says(&told);
        assert!(recorded == whole[..length], "{length}");
    }
    // A program that is killed just after its header has left a log.
    for length in [header, header + 1, whole.len() - 2] {
        let (done, recorded) = record(&whole[..length]);
        done.exits(0);
        assert!(recorded == whole[..length], "{length}");
    }
    // The header of a log that is started again counts as well.
    let (done, _) = record(&[&whole[..], &whole[..100]].concat());
    done.exits(1)
        .says("ends before its header is complete (100 bytes)");
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
    let nowhere = Dir::new().file("nowhere/x");
    eventlog_with(&["record", "-", "-o", &nowhere], &log("x").end())
        .exits(3)
        .says("hint:");
}

/// A packed recording can be read wherever it breaks off, too: what arrived a second ago is in the
/// file.
#[test]
fn what_has_arrived_can_be_read_from_a_packed_file() {
    let (first, second) = (log("early").bytes, log("late").bytes);
    let second = &second[Log::new().bytes.len()..];
    let dir = Dir::new();
    let (path, out) = (dir.file("app.sock"), dir.file("out.eventlog.zst"));
    let listener = UnixListener::bind(&path).expect("a socket");
    let mut child = command()
        .args(["record", &format!("unix:{path}"), "-o", &out, "--quiet"])
        .spawn()
        .expect("the program starts");
    let mut client = listener.accept().expect("a client").0;
    let unpacked = || {
        let packed = std::fs::read(&out).unwrap_or_default();
        // Only whole frames.
        zstd::stream::decode_all(&packed[..]).unwrap_or_default()
    };
    client.write_all(&first).expect("sent");
    wait_until("the first part is there", || unpacked() == first);
    client.write_all(second).expect("sent");
    let both = [&first, second].concat();
    wait_until("both parts are there", || unpacked() == both);
    // While data arrives all the time, there is a new frame every second, too.
    let sending = std::time::Instant::now();
    let mut sent = both.clone();
    // While a frame is being written there is nothing that can be unpacked.
    while unpacked().len() <= both.len() {
        assert!(sending.elapsed().as_secs() < 120, "no new frame");
        client.write_all(second).expect("sent");
        sent.extend_from_slice(second);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let status = std::process::Command::new("kill")
        .args(["-KILL", &child.id().to_string()])
        .status();
    assert!(status.expect("kill").success());
    child.wait().expect("it ends");
    let shown = eventlog(&["show", &out]).exits(0);
    assert!(shown.lines().len() > 2, "{shown:?}");
    assert!(sent.starts_with(&unpacked()));
    assert_eq!(dir.names(), ["app.sock", "out.eventlog.zst"]);
}

#[test]
fn packed_files_are_rotated_by_what_they_take() {
    let dir = Dir::new();
    let path = dir.file("out.eventlog.zst");
    let bytes = long_log(3000);
    let args = ["record", "-", "-o", &path, "--rotate-size", "64K"];
    eventlog_with(&args, &bytes).exits(0).says("packed to");
    let mut messages = 0;
    for name in dir.names() {
        let shown = eventlog(&["show", "--type", "user_msg", &dir.file(&name)]).exits(0);
        assert_eq!(shown.stderr, "", "{name}");
        messages += shown.lines().len();
    }
    assert_eq!(messages, 3000);
    assert!(dir.names().len() < 5, "{:?}", dir.names());
    eventlog_with(&["record", "-", "-o", &dir.file("out.gz")], &bytes)
        .exits(2)
        .says("out.zst");
}

#[test]
fn standard_output_is_a_file_like_another() {
    let (one, two) = (log("one").bytes, log("two").end());
    let both = [&one[..], &two].concat();
    for output in ["-", "/dev/stdout"] {
        let args = ["record", "-", "-o", output];
        let mut child = command()
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(&both).expect("sent");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success());
        // A log that starts again follows the first one.
        assert!(output.stdout == both);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("in standard output"), "{stderr}");
    }
    for more in [
        ["--rotate-size", "1M"],
        ["--rotate-time", "1s"],
        ["--keep", "2"],
    ] {
        let args = [&["record", "-", "-o", "-"], &more[..]].concat();
        eventlog(&args).exits(2).says("standard output");
    }
    // A reader that closes its end is not an error.
    let long = long_log(3000);
    let mut child = command()
        .args(["record", "-", "-o", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().expect("a pipe");
    let _ = stdin.write_all(&long);
    drop(stdin);
    let done = finished(child.wait_with_output().expect("it ends")).exits(0);
    assert_eq!(done.stderr, "");
}

#[test]
fn it_is_told_what_came_and_until_when() {
    let dir = Dir::new();
    let bytes = Log::new()
        .messages(0, &[(1, "one"), (2_500_000_000, "two")])
        .messages(1, &[(1_000_000_000, "three")])
        .end();
    let record = |name: &str, bytes: &[u8]| {
        eventlog_with(&["record", "-", "-o", &dir.file(name)], bytes).exits(0)
    };
    record("out", &bytes).says("3 events until 2.500 s");
    record("empty", &Log::new().bytes).says("0 events, in");
}

#[test]
fn links_are_followed_and_stay() {
    let dir = Dir::new();
    let bytes = log("one").end();
    let link = dir.file("link");
    std::os::unix::fs::symlink("behind", &link).expect("a link");
    for force in [&[][..], &["--force"]] {
        let args = [&["record", "-", "-o", &link], force].concat();
        eventlog_with(&args, &bytes).exits(0);
        assert_eq!(std::fs::read(dir.file("behind")).expect("it"), bytes);
        let about = std::fs::symlink_metadata(&link).expect("it");
        assert!(about.is_symlink());
    }
    eventlog_with(&["record", "-", "-o", &link], &bytes).exits(2);
}

#[test]
fn force_replaces_the_whole_of_an_earlier_recording() {
    let dir = Dir::new();
    let path = dir.file("out.eventlog");
    for name in ["out.eventlog", "out.0002.eventlog", "out.0031.eventlog"] {
        dir.with(name, b"earlier");
    }
    let bytes = log("one").end();
    eventlog_with(&["record", "-", "-o", &path, "--force"], &bytes).exits(0);
    assert_eq!(dir.names(), ["out.eventlog"]);
}

#[test]
fn a_program_is_asked_to_flush_and_silence_is_explained() {
    use std::io::{BufRead, BufReader, Read};
    let recorder = Recorder::start(&["--flush", "20ms"]);
    let mut client = recorder.accept();
    client.write_all(&log("one").bytes).expect("sent");
    let mut frames = vec![0; 2 * 26];
    client.read_exact(&mut frames).expect("requests");
    assert!(frames.ends_with(b"eventlog-socket-rts\x01"), "{frames:?}");
    drop(client);
    recorder.signal("-INT");
    recorder.end();

    let mut recorder = Recorder::start(&[]);
    let client = recorder.accept();
    let mut line = String::new();
    let stderr = recorder.child.stderr.as_mut().expect("a pipe");
    BufReader::new(stderr).read_line(&mut line).expect("a line");
    assert!(line.contains("another client"), "{line}");
    drop(client);
    recorder.signal("-INT");
    recorder.end();
}
