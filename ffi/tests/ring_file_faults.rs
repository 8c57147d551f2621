//! What can go wrong with a ring file: the program runs on, and says why there is no file, or that it is lost.

use crate::support;

use std::path::{Path, PathBuf};
use std::process::Command;
use support::process::ending;
use support::recovery::recovered;
use support::skip::need;
use support::{Driver, LIMIT, Stream, TempDir, eventually};

const RING_FILE: &str = "GHC_EVENTLOG_RING_FILE";
const SIZE: (&str, &str) = ("GHC_EVENTLOG_RING_FILE_SIZE", "1M");

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// A driver that records into this file, and has no socket.
fn recording(file: &Path) -> Driver {
    let mut driver = Driver::spawn(&[(RING_FILE, text(file)), SIZE]);
    assert_eq!(driver.command("init-none"), ["init: 0 0"]);
    driver.start_log();
    driver
}

/// Why a driver cannot record into this file.
fn refusal(file: &Path) -> String {
    let mut driver = Driver::spawn(&[(RING_FILE, text(file)), SIZE]);
    let status = driver.command("init-none").concat();
    let socket = driver.socket_path();
    let why = driver.command(&format!("init-why {}", socket.display()));
    assert!(!socket.exists(), "a start that failed leaves nothing");
    format!("{status}: {}", why.concat())
}

fn has_message(file: &Path, message: &str) -> bool {
    Stream::complete(&recovered(file).log).has_message(message)
}

/// A file that is being recorded into is nobody else's; when its program is gone, it is kept.
#[test]
fn two_programs_on_one_file() {
    let dir = TempDir::new();
    let file = dir.join("ring");
    let mut first = recording(&file);
    first.quietly("chunk 0 text:of-the-first");
    let refused = refusal(&file);
    assert!(refused.starts_with("init: 12 16: "), "{refused}");
    assert!(refused.contains(text(&file)), "{refused}");
    assert!(refused.contains("another process"), "{refused}");
    // The first has not noticed.
    first.quietly("chunk 0 text:still-of-the-first");
    assert!(has_message(&file, "still-of-the-first"));
    first.process.signal(libc::SIGKILL);
    assert_eq!(ending(first.process.wait()), "signal 9");
    let mut second = recording(&file);
    second.quietly("chunk 0 text:of-the-second");
    assert!(has_message(&file, "of-the-second"));
    assert!(has_message(&dir.join("ring.1"), "still-of-the-first"));
    assert_eq!(ending(second.finish()), "status 0");
}

/// Two that start at the same moment: one records, the other is told.
#[test]
fn two_programs_that_start_together() {
    for _ in 0..10 {
        let dir = TempDir::new();
        let file = dir.join("ring");
        let mut drivers = [(); 3].map(|()| Driver::spawn(&[(RING_FILE, text(&file)), SIZE]));
        for driver in &mut drivers {
            driver.begin("init-none");
        }
        let said = drivers.each_mut().map(|driver| driver.end().concat());
        let started = said.iter().filter(|said| *said == "init: 0 0").count();
        let refused = said.iter().filter(|said| *said == "init: 12 16").count();
        assert_eq!((started, refused), (1, 2), "{said:?}");
        assert!(!dir.join("ring.new").exists());
    }
}

/// What is not a ring file is not touched.
#[test]
fn what_is_not_a_ring_file_is_left_alone() {
    let dir = TempDir::new();
    let file = dir.join("precious");
    std::fs::write(&file, "words").expect("a file");
    let link = dir.join("link");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    let folder = dir.join("folder");
    std::fs::create_dir(&folder).expect("a folder");
    for path in [&file, &link, &folder] {
        let refused = refusal(path);
        assert!(refused.starts_with("init: 12 17: "), "{refused}");
        assert!(refused.contains("is not a ring file"), "{refused}");
    }
    assert_eq!(std::fs::read(&file).expect("the file"), b"words");
    assert!(link.is_symlink() && folder.is_dir());
}

/// The names that a start uses for a moment, and for the file before, may be somebody's, too.
#[test]
fn what_has_the_names_beside_it_is_left_alone() {
    let dir = TempDir::new();
    let file = dir.join("ring");
    let mut first = recording(&file);
    first.quietly("chunk 0 text:of-the-first");
    first.process.signal(libc::SIGKILL);
    let _ = first.process.wait();
    for name in ["ring.new", "ring.1"] {
        let precious = dir.join(name);
        std::fs::write(&precious, "words").expect("a file");
        let refused = refusal(&file);
        assert!(refused.starts_with("init: 12 17: "), "{refused}");
        assert!(refused.contains(text(&precious)), "{refused}");
        assert_eq!(std::fs::read(&precious).expect("the file"), b"words");
        std::fs::remove_file(&precious).expect("a file");
    }
    assert!(has_message(&file, "of-the-first"));
    // A ring file of that name that is somebody's.
    let mut other = recording(&dir.join("ring.1"));
    let refused = refusal(&file);
    assert!(refused.starts_with("init: 12 16: "), "{refused}");
    assert_eq!(ending(other.finish()), "status 0");
}

/// Starts that fail again and again do not push the log of a crash out.
#[test]
fn starts_that_fail_keep_the_log_of_a_crash() {
    let dir = TempDir::new();
    let file = dir.join("ring");
    let mut crashed = recording(&file);
    crashed.quietly("chunk 0 text:before-the-crash");
    crashed.process.signal(libc::SIGKILL);
    let _ = crashed.process.wait();
    for _ in 0..3 {
        let mut driver = Driver::spawn(&[(RING_FILE, text(&file)), SIZE]);
        driver.quietly("refusing-rts");
        assert_eq!(driver.command("init-none"), ["init: 0 0"]);
        assert_ne!(driver.command("ready"), ["ready: 0 0"]);
        driver.process.signal(libc::SIGKILL);
        let _ = driver.process.wait();
        assert!(has_message(&dir.join("ring.1"), "before-the-crash"));
    }
}

/// One that was killed while its file had both names, the first and the last, is in nobody's way.
#[test]
fn a_start_that_was_killed_between_two_names() {
    let dir = TempDir::new();
    let file = dir.join("ring");
    let mut killed = recording(&file);
    killed.quietly("chunk 0 text:before-the-kill");
    killed.process.signal(libc::SIGKILL);
    let _ = killed.process.wait();
    std::fs::hard_link(&file, dir.join("ring.new")).expect("a second name");
    let mut driver = recording(&file);
    assert_eq!(ending(driver.finish()), "status 0");
    assert!(has_message(&dir.join("ring.1"), "before-the-kill"));
    assert!(!dir.join("ring.new").exists());
}

/// What is left of a file that somebody emptied is in nobody's way.
#[test]
fn a_file_that_was_emptied_is_replaced() {
    for left in [&[][..], &[0; 5000]] {
        let dir = TempDir::new();
        let file = dir.join("ring");
        std::fs::write(&file, left).expect("a file");
        let mut driver = recording(&file);
        driver.quietly("chunk 0 text:something");
        assert!(has_message(&file, "something"));
        assert!(!dir.join("ring.1").exists());
        assert_eq!(ending(driver.finish()), "status 0");
    }
}

/// Nowhere to put it.
#[test]
fn a_folder_that_cannot_be_written_to() {
    let dir = TempDir::new();
    let nowhere = "/proc/nowhere/ring";
    let refused = refusal(nowhere.as_ref());
    assert!(refused.starts_with("init: 12 2: "), "{refused}");
    assert!(refused.contains(nowhere), "{refused}");
    let (folder, _mount) = need!(read_only(&dir));
    let refused = refusal(&folder.join("ring"));
    let expected = ["init: 12 13: ", "init: 12 30: ", "init: 12 1: "];
    assert!(
        expected.iter().any(|start| refused.starts_with(start)),
        "{refused}"
    );
}

/// A folder in which this user can make no file. Root can in all but those of other kinds of file systems.
fn read_only(dir: &TempDir) -> Result<(PathBuf, Option<Mount>), String> {
    // SAFETY: no pointers.
    if unsafe { libc::geteuid() } == 0 {
        return match Mount::tmpfs(&dir.join("mount"), "ro,size=16k") {
            Ok(mount) => Ok((mount.0.clone(), Some(mount))),
            Err(reason) => Err(reason),
        };
    }
    use std::os::unix::fs::PermissionsExt;
    let folder = dir.join("read-only");
    std::fs::create_dir(&folder).expect("a folder");
    let nobody_writes = std::fs::Permissions::from_mode(0o555);
    std::fs::set_permissions(&folder, nobody_writes).expect("its mode");
    Ok((folder, None))
}

/// A file system of our own, unmounted when dropped.
struct Mount(PathBuf);

impl Mount {
    fn tmpfs(at: &Path, options: &str) -> Result<Mount, String> {
        std::fs::create_dir(at).expect("a folder");
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "none"])
            .arg(at)
            .output();
        match output {
            Ok(output) if output.status.success() => Ok(Mount(at.into())),
            Ok(output) => Err(format!(
                "no file system of our own: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            )),
            Err(error) => Err(format!("mount: {error}")),
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A disk that is full is an error at the start, and leaves nothing: not a signal later.
#[test]
fn a_full_disk_is_found_at_the_start() {
    let dir = TempDir::new();
    let mount = need!(Mount::tmpfs(&dir.join("mount"), "size=900k"));
    let file = mount.0.join("ring");
    let refused = refusal(&file);
    assert!(refused.starts_with("init: 12 28: "), "{refused}");
    assert!(refused.contains("No space left on device"), "{refused}");
    let left: Vec<_> = std::fs::read_dir(&mount.0).expect("it").collect();
    assert!(left.is_empty(), "{left:?}");
}

/// A disk that is full later takes no more definitions: counted, and the records go on.
#[test]
fn a_disk_that_becomes_full() {
    let dir = TempDir::new();
    let mount = need!(Mount::tmpfs(&dir.join("mount"), "size=5m"));
    let file = mount.0.join("ring");
    let mut driver = recording(&file);
    std::fs::write(mount.0.join("filling"), vec![1; 8 << 20]).expect_err("no room");
    for n in 0..20_000 {
        driver.quietly(&format!("chunk global provenance:{n:x}"));
        if n % 1000 == 0 && driver.stats().get("ring_file_definitions_left_out") > 0 {
            break;
        }
    }
    eventually(LIMIT, "some are left out", || {
        driver.stats().get("ring_file_definitions_left_out") > 0
    });
    assert_eq!(driver.stats().get("ring_file_lost"), 0);
    driver.quietly("chunk 0 text:the-last");
    assert!(has_message(&file, "the-last"));
    assert_eq!(ending(driver.finish()), "status 0");
}

/// A bus error of the program's own ends it, as it would without us; one that it handles is handled.
#[test]
fn bus_errors_of_the_program() {
    for (handled, end) in [(false, "signal 7"), (true, "status 42")] {
        let dir = TempDir::new();
        let mut driver = Driver::spawn(&[(RING_FILE, text(&dir.join("ring"))), SIZE]);
        if handled {
            driver.quietly("handle-bus-errors");
        }
        assert_eq!(driver.command("init-none"), ["init: 0 0"]);
        driver.start_log();
        driver.quietly("chunk 0 text:something");
        driver.begin(&format!("bus-error {}", dir.join("other").display()));
        assert_eq!(ending(driver.process.wait()), end);
    }
}

/// A bus error that is sent is a signal like others.
#[test]
fn a_bus_error_that_is_sent() {
    let dir = TempDir::new();
    let mut driver = recording(&dir.join("ring"));
    driver.process.signal(libc::SIGBUS);
    assert_eq!(ending(driver.process.wait()), "signal 7");
}

/// A child that outlives the program keeps neither its lock nor its file.
#[test]
fn a_child_that_outlives_its_parent() {
    let dir = TempDir::new();
    let file = dir.join("ring");
    let mut driver = recording(&file);
    driver.quietly("chunk 0 text:of-the-parent");
    let child = driver.fork();
    driver.process.signal(libc::SIGKILL);
    let _ = driver.process.wait();
    let mut next = recording(&file);
    assert_eq!(ending(next.finish()), "status 0");
    let before = dir.join("ring.1");
    assert!(has_message(&before, "of-the-parent"));
    assert!(!has_message(&before, "of-the-child"));
    // SAFETY: no pointers. The child is in its sleep, or gone.
    unsafe { libc::kill(child, libc::SIGKILL) };
}

/// A program that closes all its descriptors, and opens files of its own: no definitions are written to them. (One wake-up of
/// the poll thread may be, of eight bytes.)
#[test]
fn descriptors_that_are_closed() {
    let dir = TempDir::new();
    let file = dir.join("ring");
    let mut driver = recording(&file);
    driver.quietly("close-descriptors");
    driver.quietly(&format!("open-files {}", dir.join("own").display()));
    driver.quietly("chunk global task:7:8");
    driver.quietly("chunk 0 text:later");
    eventually(LIMIT, "the loss is counted", || {
        driver.stats().get("ring_file_definitions_left_out") > 0
    });
    let own = std::fs::metadata(dir.join("own")).expect("the program's own file");
    assert!(own.len() <= 8, "{} bytes", own.len());
    // The mapping is still there.
    assert!(has_message(&file, "later"));
    assert_eq!(ending(driver.finish()), "status 0");
}

/// From code: path and size, what is wrong with them, and that the environment wins.
#[test]
fn set_in_code() {
    let dir = TempDir::new();
    let (one, other) = (dir.join("one"), dir.join("other"));
    let mut driver = Driver::spawn(&[]);
    assert_eq!(driver.command("init-none"), ["init: 10 22"]);
    for size in ["1", "9999999999"] {
        let said = driver.command(&format!("ring-file {} {size}", text(&one)));
        assert_eq!(said, ["ring-file: 10 22"]);
    }
    let set = format!("ring-file {} 3000000", text(&one));
    assert_eq!(driver.command(&set), ["ring-file: 0 0"]);
    driver.listen();
    assert_eq!(driver.stats().get("ring_file_size"), 4 << 20);
    assert_eq!(driver.command(&set), ["ring-file: 10 114"]);
    assert_eq!(ending(driver.finish()), "status 0");
    assert!(one.exists());

    let mut driver = Driver::spawn(&[(RING_FILE, text(&other)), SIZE]);
    assert_eq!(driver.command(&set), ["ring-file: 0 0"]);
    driver.listen();
    assert_eq!(driver.stats().get("ring_file_size"), 1 << 20);
    assert!(other.exists() && !dir.join("one.1").exists());

    for size in ["1", "5G", "lots"] {
        let size = ("GHC_EVENTLOG_RING_FILE_SIZE", size);
        let mut driver = Driver::spawn(&[(RING_FILE, text(&one)), size]);
        let said = driver.command(&format!("init-why {}", driver.socket_path().display()));
        assert!(
            said.concat().contains("GHC_EVENTLOG_RING_FILE_SIZE"),
            "{said:?}"
        );
    }
}
