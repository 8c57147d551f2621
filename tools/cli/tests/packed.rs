//! Logs that are packed with gzip or zstd: every verb reads them, and the verbs that write logs
//! write them if asked.

use crate::common::{Dir, Done, Log, command, done, eventlog, eventlog_with, wait_until};
use crate::program::everything;
use std::io::Write;
use std::process::Stdio;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("written");
    encoder.finish().expect("finished")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 3).expect("packed")
}

/// Runs a verb in whose arguments `log` stands for this file, and `other` for the same.
fn with_log(log: &[u8], args: &[&str]) -> Done {
    let dir = Dir::new();
    dir.with("log", log);
    dir.with("other", log);
    done(command().args(args).current_dir(dir.path()))
}

/// A log that is long, and does not compress to almost nothing.
fn long() -> Log {
    let mut log = Log::new();
    let mut state = 1u64;
    for block in 0..40 {
        let texts: Vec<String> = (0..100)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                format!("{state:x}").repeat(4)
            })
            .collect();
        let messages: Vec<_> = texts
            .iter()
            .enumerate()
            .map(|(n, text)| (block * 100 + n as u64, text.as_str()))
            .collect();
        log = log.messages(0, &messages);
    }
    log
}

#[test]
fn every_verb_reads_them_whatever_their_names() {
    let log = everything();
    let verbs: [&[&str]; 17] = [
        &["show", "log"],
        &["show", "--sort", "--json", "log"],
        &["show", "--wall", "log"],
        &["stats", "log"],
        &["stats", "--json", "log"],
        &["validate", "log"],
        &["spans", "log"],
        &["repair", "log", "-o", "-"],
        &["sort", "log", "-o", "-"],
        &["cut", "log", "--from", "3ms", "-o", "-"],
        &["merge", "log", "other", "-o", "-"],
        &["merge", "log", "other", "--parts", "yes", "-o", "-"],
        &["export", "perfetto", "log"],
        &["export", "speedscope", "--what", "spans", "log"],
        &["export", "folded", "--what", "threads", "log"],
        &["export", "hp", "log"],
        &["export", "csv", "log"],
    ];
    for verb in verbs {
        let plain = with_log(&log, verb).exits(0);
        assert!(!plain.stdout.is_empty(), "{verb:?}");
        for packed in [gzip(&log), zstd(&log)] {
            let other = with_log(&packed, verb).exits(0);
            assert_eq!(other.stdout, plain.stdout, "{verb:?}");
            assert_eq!(other.stderr, plain.stderr, "{verb:?}");
        }
    }
    for packed in [gzip(&log), zstd(&log)] {
        // Also through a pipe, and unpacked by a recording, as for any other stream.
        let stdin = eventlog_with(&["stats", "--json", "-"], &packed).exits(0);
        let plain = eventlog_with(&["stats", "--json", "-"], &log).exits(0);
        assert_eq!(stdin.stdout, plain.stdout);
        let dir = Dir::new();
        let out = dir.file("out");
        let input = dir.with("log", &packed);
        eventlog(&["record", &input, "-o", &out]).exits(0);
        assert!(std::fs::read(&out).expect("a recording") == log);
    }
}

#[test]
fn one_that_breaks_off_is_read_as_far_as_it_goes() {
    let bytes = long().end();
    let all = with_log(&bytes, &["show", "log"]).exits(0).lines().len();
    for packed in [gzip(&bytes), zstd(&bytes)] {
        let half = with_log(&packed[..packed.len() / 2], &["show", "log"]).exits(0);
        let lines = half.lines().len();
        assert!(lines > all / 10 && lines < all, "{lines} of {all}");
        assert!(half.stderr.contains("cut off") || half.stderr.contains("end mark"));
    }
}

#[test]
fn damage_is_told_and_what_came_before_is_used() {
    let bytes = long().end();
    let half = &bytes[..bytes.len() / 2];
    for (name, mut packed) in [("gzip", gzip(half)), ("zstd", zstd(half))] {
        packed.extend_from_slice(&[0xa5; 1000]);
        for verb in [
            &["show", "log"][..],
            &["show", "--sort", "log"],
            &["sort", "log", "-o", "-"],
            &["repair", "log", "-o", "-"],
            &["cut", "log", "-o", "-"],
        ] {
            // `repair` saves what can be saved.
            let code = i32::from(verb[0] != "repair");
            let done = with_log(&packed, verb);
            assert_eq!(done.code, code, "{verb:?}: {}", done.stderr);
            let done = done.says(name).says("damaged");
            assert!(
                done.stdout.len() > 10_000,
                "{verb:?}: {}",
                done.stdout.len()
            );
        }
    }
}

#[test]
fn one_that_grows_is_followed() {
    let dir = Dir::new();
    let path = dir.file("log");
    let bytes = long().end();
    for pack in [gzip, zstd] {
        let (first, rest) = bytes.split_at(bytes.len() / 3);
        std::fs::write(&path, pack(first)).expect("a file");
        let out = std::fs::File::create(dir.file("out")).expect("a file");
        let mut child = command()
            .args(["show", "--follow", &path])
            .stdout(out)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let lines = || {
            let text = std::fs::read_to_string(dir.file("out")).expect("text");
            text.lines().count()
        };
        wait_until("the first part is shown", || lines() > 1000);
        let mut file = std::fs::File::options()
            .append(true)
            .open(&path)
            .expect("the file");
        file.write_all(&pack(rest)).expect("written");
        assert!(child.wait().expect("it ends").success());
        assert_eq!(lines(), 4000);
    }
}

#[test]
fn results_are_packed_if_their_names_say_so() {
    let dir = Dir::new();
    let log = dir.with("log", &everything());
    for (name, tool) in [("out.gz", "gzip"), ("out.zst", "zstd")] {
        let out = dir.file(name);
        eventlog(&["repair", &log, "-o", &out]).exits(0);
        let magic: &[u8] = if tool == "gzip" {
            &[0x1f, 0x8b]
        } else {
            &[0x28, 0xb5, 0x2f, 0xfd]
        };
        assert!(std::fs::read(&out).expect("it").starts_with(magic));
        let back = eventlog(&["repair", &out, "-o", "-"]).exits(0).stdout;
        assert!(back.into_bytes().len() > 1000);
        let shown = eventlog(&["show", &out]).exits(0).stdout;
        assert_eq!(shown, eventlog(&["show", &log]).exits(0).stdout);
    }
}
