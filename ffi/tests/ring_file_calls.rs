//! Each system call of the ring file fails, once or for good: a start that cannot make its file says why and leaves
//! everything as it was; one that has its file records on, and what the disk does not take is counted.

use crate::support;

use eventlog_ring_file::{Layout, Slot};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::Duration;
use support::process::ending;
use support::recovery::recovered;
use support::{Driver, LIMIT, Stream, TempDir, alone, eventually};

const FOR_GOOD: u64 = 1_000_000_000;
const TASK_CREATE: u16 = 55;

/// A driver that is to record into this file.
fn driver(file: &Path) -> Driver {
    driver_within(file, libc::RLIM_INFINITY)
}

/// The same, in which no file may be larger than this.
fn driver_within(file: &Path, largest: u64) -> Driver {
    let environment = [
        ("GHC_EVENTLOG_RING_FILE", text(file)),
        ("GHC_EVENTLOG_RING_FILE_SIZE", "1M"),
    ];
    Driver::spawn_as(&environment, |command| {
        if largest != libc::RLIM_INFINITY {
            // SAFETY: setrlimit is a plain system call.
            unsafe {
                command.pre_exec(move || match limit(0, largest) {
                    true => Ok(()),
                    false => Err(std::io::Error::last_os_error()),
                })
            };
        }
    })
}

/// Let no file of this process (0: our own) be larger than this.
fn limit(pid: u32, largest: u64) -> bool {
    let limits = libc::rlimit {
        rlim_cur: largest,
        rlim_max: libc::RLIM_INFINITY,
    };
    let pid = libc::pid_t::try_from(pid).expect("a process");
    // SAFETY: the limits are read, and none are written.
    unsafe { libc::prlimit(pid, libc::RLIMIT_FSIZE, &limits, std::ptr::null_mut()) == 0 }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

#[track_caller]
fn start(driver: &mut Driver) {
    assert_eq!(driver.command("init-none"), ["init: 0 0"]);
    driver.start_log();
}

#[track_caller]
fn fail(driver: &mut Driver, call: &str, error: i32, after: u64, times: u64) {
    driver.quietly(&format!("fail-file {call} {error} {after} {times}"));
}

fn has_failed(driver: &mut Driver, call: &str) -> bool {
    driver.command(&format!("left-file {call}")) == ["left: 0"]
}

/// Of all that was handed over.
#[track_caller]
fn left_out(driver: &mut Driver) -> u64 {
    let at_rest = || driver.process.rests("eventlog-record");
    eventually(LIMIT, "the recorder is through with it", at_rest);
    driver.stats().get("ring_file_definitions_left_out")
}

#[track_caller]
fn has(file: &Path, message: &str) -> bool {
    Stream::complete(&recovered(file).log).has_message(message)
}

/// What is at the place of the file before a start.
#[derive(Clone, Copy, Debug)]
enum Before {
    Nothing,
    /// A file with nothing in it.
    Emptied,
    /// What two programs left that were killed, one after the other.
    Crashes,
}

impl Before {
    fn make(self, file: &Path) {
        match self {
            Before::Nothing => {}
            Before::Emptied => std::fs::write(file, [0; 5000]).expect("a file"),
            Before::Crashes => {
                for n in 1..=2 {
                    let mut crashed = driver(file);
                    start(&mut crashed);
                    crashed.quietly(&format!("chunk 0 text:crash:{n}"));
                    crashed.process.signal(libc::SIGKILL);
                    let _ = crashed.process.wait();
                }
            }
        }
    }
}

fn inode(file: &Path) -> Option<u64> {
    std::fs::symlink_metadata(file).ok().map(|file| file.ino())
}

/// What a start calls, and a way in which that may fail; and another call that fails for good meanwhile.
const CALLS: [(&str, i32, Option<&str>); 20] = [
    ("fchmod", libc::EPERM, None),
    ("flock", libc::ENOLCK, None),
    ("fstatat", libc::EACCES, None),
    ("ftruncate64", libc::EFBIG, None),
    ("ftruncate64", libc::EINTR, None),
    ("linkat", libc::EPERM, None),
    ("mmap64", libc::ENOMEM, None),
    ("openat", libc::EMFILE, None),
    ("openat", libc::EINTR, None),
    ("posix_fallocate", libc::ENOSPC, None),
    ("posix_fallocate", libc::EINTR, None),
    ("pread64", libc::EIO, None),
    ("pread64", libc::EINTR, None),
    ("pwrite64", libc::EIO, None),
    ("pwrite64", libc::EINTR, None),
    ("renameat", libc::EACCES, None),
    ("renameat", libc::EACCES, Some("linkat")),
    ("statx", libc::EACCES, None),
    ("thread", libc::EAGAIN, None),
    ("unlinkat", libc::EACCES, None),
];

/// Calls without which a start can do sometimes: by another way, with less memory, by trying again.
const DISPENSABLE: [&str; 5] = ["fstatat", "linkat", "mmap64", "pread64", "statx"];

/// A start of which any call fails, the first of its kind, or the second, ... says why, or manages without. If it fails,
/// everything is as it was, and the next one works.
#[test]
fn starts_that_fail_anywhere() {
    for before in [Before::Nothing, Before::Emptied, Before::Crashes] {
        for (call, error, other) in CALLS {
            let mut after = 0;
            while a_start_that_fails(before, (call, error, other), after) {
                after += 1;
            }
            let never = after == 0;
            let needed = !matches!((call, before), ("renameat", _) | ("linkat" | "unlinkat", _));
            assert!(!(never && needed), "{call} is not called");
        }
    }
}

/// False if there were not so many calls.
fn a_start_that_fails(before: Before, fault: (&str, i32, Option<&str>), after: u64) -> bool {
    let what = format!("{before:?}, {fault:?} after {after}");
    let (call, error, other) = fault;
    let dir = TempDir::new();
    let file = dir.join("ring");
    before.make(&file);
    let was = inode(&file);
    let mut driver = driver(&file);
    // A thread is tried once more, with a smaller stack.
    let times = if call == "thread" { 2 } else { 1 };
    fail(&mut driver, call, error, after, times);
    let descriptors = driver.process.descriptors();
    if let Some(other) = other {
        fail(&mut driver, other, libc::EPERM, 0, FOR_GOOD);
    }
    let said = driver.command("init-none").concat();
    let failed = has_failed(&mut driver, call);
    if said != "init: 0 0" {
        assert!(failed, "{what}: {said}");
        let expected = [10, 12].map(|code| format!("init: {code} {error}"));
        assert!(expected.contains(&said), "{what}: {said}");
        assert!(!dir.join("ring.new").exists(), "{what}: left");
        assert_eq!(inode(&file), was, "{what}: not the file before");
        let left = driver.process.descriptors();
        assert_eq!(left, descriptors, "{what}: descriptors");
        assert_eq!(driver.command("init-none"), ["init: 0 0"], "{what}");
    } else if failed {
        let deals = error == libc::EINTR || DISPENSABLE.contains(&call);
        assert!(deals, "{what}: nobody was told");
    }
    driver.start_log();
    driver.quietly("chunk 0 text:something");
    if failed && matches!(before, Before::Crashes) {
        assert!(has(&file, "something"), "{what}");
        let older = dir.join("ring.1");
        assert!(has(&older, "crash:2"), "{what}: the log is gone");
    }
    assert!(!dir.join("ring.new").exists(), "{what}: still there");
    assert_eq!(ending(driver.finish()), "status 0", "{what}");
    assert_eq!(driver.process.stderr(), "", "{what}");
    failed
}

/// A driver whose log has begun, with a definition in the file.
fn recording(file: &Path) -> Driver {
    let mut driver = driver(file);
    start(&mut driver);
    driver.quietly("chunk global task:1:1");
    driver
}

/// Definitions whose own chunk is overwritten, and messages that are not.
fn define_and_log(driver: &mut Driver) {
    driver.quietly("chunk global task:7:8 provenance:9");
    for _ in 0..30 {
        driver.quietly("chunk 0 fill:60000");
    }
    for n in 0..100 {
        driver.quietly(&format!("chunk 0 text:n:{n}"));
    }
}

/// A definition more, and all the messages and so many tasks are in the file.
#[track_caller]
fn check_file(driver: &mut Driver, file: &Path, tasks: u64, what: &str) {
    driver.quietly("chunk global task:10:11");
    eventually(LIMIT, what, || slot_has(file, 0x10));
    let log = recovered(file).log;
    let stream = Stream::complete(&log);
    assert_eq!(stream.count(TASK_CREATE), tasks, "{what}");
    for n in 0..100 {
        assert!(stream.has_message(&format!("n:{n}")), "{what}: {n}");
    }
}

/// There is a definition of this task where those are that outlive their chunks.
fn slot_has(file: &Path, task: u64) -> bool {
    // Without the tables, which are large.
    let mut bytes = Vec::new();
    let start = File::open(file).expect("the file");
    start.take(4 << 20).read_to_end(&mut bytes).expect("it");
    let layout = Layout::parse(&bytes).expect("a ring file");
    let slots = &bytes[layout.slots_at as usize..layout.tables_at as usize];
    let whole = slots
        .chunks(layout.slot_size as usize)
        .flat_map(Slot::parse);
    whole.map(|slot| slot.events).any(|events| {
        let mut words = events.windows(8);
        words.any(|word| word == task.to_be_bytes())
    })
}

/// The recorder's writes fail, with the header or later, for a moment or for good: chunks are recorded on, what is not
/// written is counted, and nothing spins. When the disk is well again, so is the file.
#[test]
fn writes_that_fail() {
    let _alone = alone();
    let errors = [libc::EIO, libc::ENOSPC, libc::EINTR];
    for (error, at_once, times) in errors
        .into_iter()
        .flat_map(|error| [(error, false), (error, true)])
        .flat_map(|(error, at_once)| [(error, at_once, 1), (error, at_once, FOR_GOOD)])
    {
        let what = format!("{error} {times} times, with the header: {at_once}");
        let dir = TempDir::new();
        let file = dir.join("ring");
        let mut driver = if at_once {
            let mut driver = driver(&file);
            assert_eq!(driver.command("init-none"), ["init: 0 0"]);
            fail(&mut driver, "pwrite64", error, 0, times);
            driver.start_log();
            driver
        } else {
            let mut driver = recording(&file);
            fail(&mut driver, "pwrite64", error, 0, times);
            driver
        };
        define_and_log(&mut driver);
        let tried_again = error == libc::EINTR && times == 1;
        eventually(LIMIT, &what, || match tried_again {
            true => has_failed(&mut driver, "pwrite64"),
            false => left_out(&mut driver) > 0,
        });
        let before = recorder_time(&driver);
        std::thread::sleep(Duration::from_millis(500));
        let used = recorder_time(&driver) - before;
        assert!(used < Duration::from_millis(200), "{what}: {used:?}");
        let counted = left_out(&mut driver);
        assert_eq!(counted == 0, tried_again, "{what}");
        if times == FOR_GOOD {
            driver.quietly("chunk global task:9:9");
            eventually(LIMIT, &what, || left_out(&mut driver) > counted);
            fail(&mut driver, "pwrite64", 0, 0, 0);
        }
        let counted = left_out(&mut driver);
        let tasks = 2 + u64::from(!at_once) + u64::from(times == FOR_GOOD);
        check_file(&mut driver, &file, tasks, &what);
        assert_eq!(left_out(&mut driver), counted, "{what}");
        assert_eq!(driver.stats().get("ring_file_lost"), 0, "{what}");
        assert_eq!(ending(driver.finish()), "status 0", "{what}");
    }
}

fn recorder_time(driver: &Driver) -> Duration {
    driver.process.thread("eventlog-record").1
}

/// Writes of a part are gone on with.
#[test]
fn writes_of_a_part() {
    let dir = TempDir::new();
    let file = dir.join("ring");
    let mut driver = driver(&file);
    fail(&mut driver, "pwrite64", 0, 0, FOR_GOOD);
    start(&mut driver);
    define_and_log(&mut driver);
    check_file(&mut driver, &file, 2, "in parts");
    assert_eq!(left_out(&mut driver), 0);
    assert_eq!(ending(driver.finish()), "status 0");
}

/// A file that is larger than the program may write is a status, not a signal: at the start, and later, when the limit is
/// lowered. What lies behind it is counted.
#[test]
fn files_larger_than_the_limit() {
    let dir = TempDir::new();
    let file = dir.join("ring");
    let mut first = recording(&file);
    assert_eq!(ending(first.finish()), "status 0");
    let size = std::fs::metadata(&file).expect("the file").len();
    for largest in [0, 100, size - 1] {
        let mut driver = driver_within(&file, largest);
        let said = driver.command("init-none");
        assert_eq!(said, [format!("init: 12 {}", libc::EFBIG)], "{largest}");
        assert!(!dir.join("ring.new").exists() && !dir.join("ring.1").exists());
        assert_eq!(ending(driver.finish()), "status 0", "{largest}");
    }
    let mut driver = driver_within(&file, size);
    start(&mut driver);
    assert!(limit(driver.process.pid(), 100));
    define_and_log(&mut driver);
    eventually(LIMIT, "it is counted", || left_out(&mut driver) > 0);
    assert!(limit(driver.process.pid(), size));
    check_file(&mut driver, &file, 2, "limited");
    assert_eq!(ending(driver.finish()), "status 0");
}
