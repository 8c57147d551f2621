//! Waiting with a limit: no test hangs.

use std::time::{Duration, Instant};

/// For what should take no time at all, on a machine that is very busy.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Wait until `condition` holds; fail after `limit`.
#[track_caller]
pub fn eventually(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
