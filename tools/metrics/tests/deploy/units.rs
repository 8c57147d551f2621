//! systemd's own opinion of the unit.

use crate::read;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn the_unit_is_one() {
    let unit = read("deploy/systemd/eventlog-metrics.service");
    let dir = tempdir();
    let path = dir.join("eventlog-metrics.service");
    // It checks that the program exists, which need not be installed here.
    let program = std::env::current_exe().expect("this test");
    let program = program.to_str().expect("UTF-8");
    assert!(unit.contains("/usr/bin/eventlog metrics "));
    std::fs::write(&path, unit.replace("/usr/bin/eventlog", program)).expect("a file");
    let verify = Command::new("systemd-analyze")
        .args(["--user", "verify"])
        .arg(&path)
        .env("XDG_RUNTIME_DIR", &dir)
        .output();
    let Ok(done) = verify else {
        eprintln!("no systemd-analyze: skipped");
        return;
    };
    std::fs::remove_dir_all(&dir).expect("it is ours");
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{told}");
    // Unknown settings are only warnings.
    assert!(!told.contains("eventlog-metrics.service"), "{told}");
}

fn tempdir() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("deploy-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    dir
}
