//! Waiting with a limit: no test hangs.

use std::time::{Duration, Instant};

/// For what should take no time at all, on a machine that is very busy.
pub const LIMIT: Duration = Duration::from_secs(60);

/// For what a flush by interval brings: one that took long, as on such a machine it may, is followed
/// by a pause of a hundred times as long.
pub const FLUSH_LIMIT: Duration = Duration::from_secs(400);

/// Wait until `condition` holds; fail after `limit`.
#[track_caller]
pub fn eventually(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What a program is given for its exit, unless a test is about that: its poll thread may get no
/// processor for seconds, and with the usual two its stream would be cut short.
pub const EXIT_TIMEOUT: (&str, &str) = ("GHC_EVENTLOG_EXIT_TIMEOUT", "50s");

/// An exit waits so long for hooks and handlers. If their thread gets no processor meanwhile, a
/// hook is not called.
const HOOKS_HAVE: Duration = Duration::from_secs(2);

/// An exit whose hooks must have been called: again, if it took so long that they may have been
/// given up. `attempt` hands over how long it took, and checks, to be made if it was in time.
#[track_caller]
pub fn exit_with_hooks<C: FnOnce()>(what: &str, mut attempt: impl FnMut() -> (Duration, C)) {
    let check = in_some_attempt(what, || {
        let (took, check) = attempt();
        match took < HOOKS_HAVE {
            true => Ok(check),
            false => Err(format!("the exit took {took:?}")),
        }
    });
    check();
}

/// Tries again until it succeeds: where one attempt needs that some thread gets a processor in
/// time, which it may not on a busy machine. What is wrong fails each time.
#[track_caller]
pub fn in_some_attempt<T>(what: &str, mut attempt: impl FnMut() -> Result<T, String>) -> T {
    let mut failures = Vec::new();
    while failures.len() < 10 {
        match attempt() {
            Ok(value) => return value,
            Err(failure) => failures.push(failure),
        }
    }
    panic!("{what}: each time: {failures:#?}");
}

/// Measures again until something took no longer than `most`: on a busy machine one attempt may take
/// longer, but what is too slow by itself takes longer each time.
#[track_caller]
pub fn within(most: Duration, what: &str, mut attempt: impl FnMut() -> Duration) {
    in_some_attempt(what, || {
        let took = attempt();
        match took <= most {
            true => Ok(()),
            false => Err(format!("{took:?}, longer than {most:?}")),
        }
    });
}
