//! The file of the socket is removed while the program listens: that is noticed, counted
//! and mended, and costs an idle program nothing.

use crate::support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use support::{Address, Client, Driver, LIMIT, eventually};

/// A driver that logs, with its socket in a directory of its own, and both.
fn in_a_directory() -> (Driver, PathBuf, PathBuf) {
    let mut driver = Driver::spawn(&[]);
    let folder = driver.dir.join("folder");
    make_folder(&folder, 0o755);
    let path = folder.join("socket");
    let said = driver.command(&format!("init {}", path.display()));
    assert_eq!(said, ["init: 0 0"]);
    driver.start_log();
    (driver, folder, path)
}

fn make_folder(folder: &Path, mode: u32) {
    fs::create_dir(folder).expect("a directory");
    fs::set_permissions(folder, Permissions::from_mode(mode)).expect("a mode");
}

fn counted(driver: &mut Driver) -> (u64, u64) {
    let stats = driver.stats();
    let removed = stats.get("socket_files_removed");
    (removed, stats.get("socket_files_remade"))
}

#[track_caller]
fn until_counted(driver: &mut Driver, expected: (u64, u64)) {
    let mut last = (0, 0);
    let deadline = Instant::now() + LIMIT;
    while last != expected {
        assert!(Instant::now() < deadline, "{last:?}, not {expected:?}");
        std::thread::sleep(Duration::from_millis(20));
        last = counted(driver);
    }
}

#[track_caller]
fn check_served(driver: &mut Driver, path: &Path, message: &str) {
    let mut client = Client::connect(&Address::Unix(path.to_owned()));
    client.read_until_text("datb");
    driver.quietly(&format!("chunk 0 text:{message}"));
    client.read_until_text(message);
    drop(client);
    driver.until_alone();
}

/// Nothing wakes it for three seconds.
#[track_caller]
fn check_idle(driver: &mut Driver) {
    let mut sleeps = driver.stats().get("sleeps");
    eventually(LIMIT, "it comes to rest", || {
        std::thread::sleep(Duration::from_millis(200));
        let now = driver.stats().get("sleeps");
        std::mem::replace(&mut sleeps, now) == now && driver.process.rests("eventlog-poll")
    });
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(driver.stats().get("sleeps"), sleeps);
}

/// Again and again, whether it is removed or renamed; and nothing is left of the old ones.
#[test]
fn a_file_that_is_removed_is_made_again() {
    let (mut driver, folder, path) = in_a_directory();
    check_served(&mut driver, &path, "before");
    check_idle(&mut driver);
    let descriptors = driver.process.descriptors().len();
    for n in 1..=4 {
        match n % 2 {
            0 => fs::rename(&path, folder.join("moved")).expect("the socket"),
            _ => fs::remove_file(&path).expect("the socket"),
        }
        until_counted(&mut driver, (n, n));
        let mode = fs::metadata(&path).expect("the socket").mode();
        assert_eq!(mode & 0o777, 0o600, "{mode:o}");
        check_served(&mut driver, &path, &format!("after:{n}"));
        assert_eq!(driver.process.descriptors().len(), descriptors);
    }
    check_idle(&mut driver);
    assert!(driver.finish().success());
    assert!(!path.exists(), "left");
    assert_eq!(driver.process.stderr(), "");
}

/// The whole directory is removed, or moved away, and made again some time later.
#[test]
fn a_directory_that_is_made_again() {
    let (mut driver, folder, path) = in_a_directory();
    for n in 1..=2 {
        match n {
            1 => fs::remove_dir_all(&folder).expect("the directory"),
            _ => fs::rename(&folder, driver.dir.join("moved")).expect("the directory"),
        }
        until_counted(&mut driver, (n, n - 1));
        std::thread::sleep(Duration::from_millis(500));
        make_folder(&folder, 0o755);
        until_counted(&mut driver, (n, n));
        check_served(&mut driver, &path, &format!("after:{n}"));
    }
    check_idle(&mut driver);
    assert!(driver.finish().success());
    assert!(!path.exists(), "left");
}

/// In a directory that others may write to, which was not so at the start, nothing is made.
#[test]
fn a_directory_that_is_less_safe() {
    let (mut driver, folder, path) = in_a_directory();
    fs::remove_dir_all(&folder).expect("the directory");
    make_folder(&folder, 0o777);
    until_counted(&mut driver, (1, 0));
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(counted(&mut driver), (1, 0));
    assert!(!path.exists());
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).expect("a mode");
    until_counted(&mut driver, (1, 1));
    check_served(&mut driver, &path, "safe");
    assert!(driver.finish().success());
}

/// What somebody else has put there is left alone, and nobody connects to it.
#[test]
fn a_file_that_another_has_replaced() {
    let (mut driver, folder, path) = in_a_directory();
    let other = UnixListener::bind(folder.join("other")).expect("a listener");
    other.set_nonblocking(true).expect("an option");
    fs::rename(folder.join("other"), &path).expect("another name");
    until_counted(&mut driver, (1, 0));
    std::thread::sleep(Duration::from_secs(4));
    assert!(other.accept().is_err(), "somebody else had a visitor");
    assert_eq!(counted(&mut driver), (1, 0));
    fs::remove_file(&path).expect("their socket");
    drop(other);
    until_counted(&mut driver, (1, 1));
    check_served(&mut driver, &path, "again");
    assert!(driver.finish().success());
}

/// While somebody is connected, too: who comes next can wait for their turn.
#[test]
fn a_file_that_is_removed_from_a_client() {
    let (mut driver, _, path) = in_a_directory();
    let address = Address::Unix(path.clone());
    let mut client = Client::connect(&address);
    client.read_until_text("datb");
    // One that waits at the old socket already, and must not be turned away.
    let mut waiting = Client::connect(&address);
    fs::remove_file(&path).expect("the socket");
    until_counted(&mut driver, (1, 0));
    driver.quietly("chunk 0 text:one");
    client.read_until_text("one");
    drop(client);
    waiting.read_until_text("datb");
    driver.quietly("chunk 0 text:two");
    waiting.read_until_text("two");
    until_counted(&mut driver, (1, 1));
    let mut next = Client::connect(&address);
    fs::remove_file(&path).expect("the socket");
    until_counted(&mut driver, (2, 1));
    drop(waiting);
    next.read_until_text("datb");
    until_counted(&mut driver, (2, 2));
    drop(next);
    driver.until_alone();
    check_served(&mut driver, &path, "three");
    assert!(driver.finish().success());
    assert!(!path.exists(), "left");
}

/// Who changes something about the file all the time does not keep the program busy.
#[test]
fn a_file_that_is_played_with() {
    let (mut driver, _, path) = in_a_directory();
    check_idle(&mut driver);
    let before = driver.stats().get("sleeps");
    let begun = Instant::now();
    for n in 0..500 {
        fs::set_permissions(&path, Permissions::from_mode(0o600 + n % 2 * 0o40)).expect("a mode");
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut slept = 0;
    eventually(LIMIT, "it is told", || {
        slept = driver.stats().get("sleeps") - before;
        slept > 0
    });
    // Told, looked, told too early, once a second.
    let few = 4 + 3 * begun.elapsed().as_secs();
    assert!(slept <= few, "{slept} in {:?}", begun.elapsed());
    assert_eq!(counted(&mut driver), (0, 0));
    check_served(&mut driver, &path, "still");
    assert!(driver.finish().success());
}

/// Where the system can tell nothing, a clock does, unless somebody is connected.
#[test]
fn without_inotify() {
    let mut driver = Driver::spawn(&[]);
    driver.quietly(&format!("fail inotify_init1 {} 1000000", libc::EMFILE));
    driver.listen();
    driver.start_log();
    let path = driver.socket_path();
    check_served(&mut driver, &path, "before");
    fs::remove_file(&path).expect("the socket");
    let begun = Instant::now();
    let deadline = begun + LIMIT.max(Duration::from_secs(120));
    while counted(&mut driver) != (1, 1) {
        assert!(Instant::now() < deadline, "{:?}", counted(&mut driver));
        std::thread::sleep(Duration::from_millis(200));
    }
    check_served(&mut driver, &path, "after");
    assert!(driver.finish().success());
}
