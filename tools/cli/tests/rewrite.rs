//! What all verbs that write logs have in common: `repair`, `cut`, `merge`, `sort`.

use crate::common::{Dir, Log, eventlog, eventlog_with};
use crate::program::everything;
use crate::rewriting::{assert_valid, events, rewritten};
use ghc_eventlog::{Decoder, Header, Reader};

#[test]
fn sorting_keeps_every_event() {
    let log = everything();
    let sorted = rewritten(&["sort"], &log);
    let times: Vec<u64> = events(&sorted).iter().map(|event| event.0).collect();
    assert!(times.is_sorted());
    let (mut before, mut after) = (events(&log), events(&sorted));
    before.sort();
    after.sort();
    assert_eq!(before, after);
    assert_valid(&sorted);
    assert!(rewritten(&["sort", "--memory", "1M"], &log) == sorted);
}

#[test]
fn results_do_not_overwrite() {
    let dir = Dir::new();
    let log = dir.with("a.eventlog", &everything());
    for verb in ["repair", "sort", "cut"] {
        eventlog(&[verb, &log, "-o", &log, "--force"])
            .exits(2)
            .says("both input and output");
        let other = dir.with("b.eventlog", b"precious");
        eventlog(&[verb, &log, "-o", &other])
            .exits(2)
            .says("--force");
        assert_eq!(std::fs::read(&other).expect("it"), b"precious");
        eventlog(&[verb, &log, "-o", &other, "--force"]).exits(0);
        eventlog(&[verb, &log, "-o", &dir.file("no/such/place")])
            .exits(3)
            .says("hint");
        // To standard output.
        let done = eventlog_with(&[verb, "-", "-o", "-"], &everything()).exits(0);
        assert!(done.stdout.starts_with("hdrb"));
    }
    assert!(std::fs::read(&log).expect("it") == everything());
}

/// If something other than a file has the name of the result, it is written to as it is.
#[test]
fn links_fifos_and_devices_stay_what_they_are() {
    use std::os::unix::fs::symlink;
    let dir = Dir::new();
    let log = dir.with("a.eventlog", &everything());
    let expected = rewritten(&["sort"], &everything());
    let link = dir.file("link");
    symlink("behind", &link).expect("a link");
    for force in [&[][..], &["--force"]] {
        eventlog(&[&["sort", &log, "-o", &link], force].concat()).exits(0);
        assert!(std::fs::symlink_metadata(&link).expect("it").is_symlink());
        assert!(std::fs::read(dir.file("behind")).expect("it") == expected);
    }
    eventlog(&["sort", &log, "-o", &link])
        .exits(2)
        .says("--force");
    symlink("round", dir.file("round")).expect("a link");
    eventlog(&["sort", &log, "-o", &dir.file("round")]).exits(3);

    let fifo = dir.file("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.expect("mkfifo").success());
    let reader = {
        let fifo = fifo.clone();
        std::thread::spawn(move || std::fs::read(fifo).expect("all of it"))
    };
    eventlog(&["sort", &log, "-o", &fifo]).exits(0);
    assert!(reader.join().expect("it ends") == expected);
    eventlog(&["sort", &log, "-o", "/dev/null"]).exits(0);
    eventlog(&["sort", &log, "-o", "/dev/full"])
        .exits(3)
        .says("No space left");
    let done = eventlog(&["sort", &log, "-o", "/dev/stdout"]).exits(0);
    assert_eq!(done.stdout, String::from_utf8_lossy(&expected));
    assert_eq!(
        dir.names(),
        ["a.eventlog", "behind", "fifo", "link", "round"]
    );
}

/// A limit on the size of files is treated as a full disk: an error, and nothing is left.
#[test]
fn a_limit_on_file_sizes_is_an_error_like_another() {
    let dir = Dir::new();
    let long: Vec<(u64, &str)> = (0..3000)
        .map(|time| (time, "some text in the log"))
        .collect();
    let log = dir.with("log", &Log::new().messages(0, &long).end());
    let program = env!("CARGO_BIN_EXE_eventlog");
    let text = format!(
        "ulimit -f 8; exec {program} sort {log} -o {}",
        dir.file("out")
    );
    let done = crate::common::done(std::process::Command::new("sh").args(["-c", &text]));
    done.exits(3).says("File too large");
    assert_eq!(dir.names(), ["log"]);
}

#[test]
fn nothing_panics_on_damaged_logs() {
    let log = everything();
    let header = Header::standard().as_bytes().len();
    let dir = Dir::new();
    let (input, out) = (dir.file("in"), dir.file("out"));
    // A fixed sequence, so that a failure can be repeated.
    let mut state = 88_172_645_463_325_252_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize % below
    };
    for _ in 0..12 {
        let mut damaged = log.clone();
        for _ in 0..4 {
            let at = header + random(damaged.len() - header);
            damaged[at] = random(256) as u8;
        }
        std::fs::write(&input, &damaged).expect("a file");
        for verb in [
            &["stats", "--threads"][..],
            &["validate"],
            &["spans"],
            &["repair", "--force", "-o", &out],
            &["cut", "--force", "-o", &out, "--from", "30ms"],
            &["sort", "--force", "-o", &out],
            &["export", "perfetto"],
            &["export", "folded", "--what", "threads"],
            &["export", "csv"],
        ] {
            let done = eventlog(&[verb, &[&input]].concat());
            assert!(done.code <= 1, "{verb:?}: {done:#?}");
        }
        // Whatever is left of the log, the repaired log can be read to its end.
        let mut reader = Reader::with_decoder(&damaged[..], Decoder::new().with_recovery(true));
        while let Ok(Some(_)) = reader.next_item() {}
        eventlog(&["repair", "--force", "-o", &out, &input]).exits(0);
        events(&std::fs::read(&out).expect("a result"));
    }
}
