//! What a child has of its parent's descriptors: none of the library's, all of the program's.

use crate::support;

use std::time::Duration;
use support::{Client, Driver, TempDir, eventually};

/// Before the child that outlives its parent ends by itself.
const SOON: Duration = Duration::from_secs(30);

/// A program that has closed every descriptor it found, and has opened files of its own
/// under the same numbers: its child has all of them.
#[test]
fn the_files_of_a_program_are_left_to_its_child() {
    for served in [false, true] {
        let scratch = TempDir::new();
        let ring = scratch.join("ring");
        let ring = ring.to_str().expect("a plain path");
        let size = ("GHC_EVENTLOG_RING_FILE_SIZE", "1M");
        let mut driver = Driver::logging(&[("GHC_EVENTLOG_RING_FILE", ring), size]);
        // A poll thread that sleeps does not notice what follows.
        let _client = served.then(|| driver.served_client());
        driver.quietly("close-descriptors");
        let file = driver.dir.join("own");
        driver.quietly(&format!("open-files {}", file.display()));
        let said = driver.command("check-files-in-child").concat();
        assert!(!said.contains("closed"), "{said}");
        driver.process.kill();
    }
}

/// A client sees the stream end with the program, and whoever comes is refused, though a
/// child lives on.
#[test]
fn a_child_keeps_no_connection() {
    let mut driver = Driver::logging(&[]);
    let mut client = driver.served_client();
    let child = driver.fork();
    driver.process.signal(libc::SIGKILL);
    let _ = driver.process.wait();
    eventually(SOON, "the stream ends", || {
        matches!(client.read_some(SOON), Ok(0))
    });
    assert!(Client::try_connect(&driver.address()).is_err());
    // SAFETY: no pointers. The child sleeps: nobody else has its number.
    unsafe { libc::kill(child, libc::SIGKILL) };
}

/// A child asks what a status means while its parent's other thread was about to be told.
#[test]
fn a_child_is_told_what_a_status_means() {
    let mut driver = Driver::listening(&[]);
    let said = driver.command("fork-beside-strerror 300");
    assert_eq!(said, ["stuck: 0"]);
    assert!(driver.finish().success());
}
