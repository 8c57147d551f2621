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

/// Measures again until something took no longer than `most`: on a busy machine one attempt may take
/// longer, but what is too slow by itself takes longer each time.
#[track_caller]
pub fn within(most: Duration, what: &str, mut attempt: impl FnMut() -> Duration) {
    let mut times = Vec::new();
    while times.len() < 10 {
        let took = attempt();
        if took <= most {
            return;
        }
        times.push(took);
    }
    panic!("{what}: longer than {most:?} each time: {times:?}");
}
