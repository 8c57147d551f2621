//! Skipping what cannot run here, loudly.

use std::io::Write;

/// Says on the real stderr, which the test harness does not capture, what was
/// not tested and why.
pub fn announce(test: &str, reason: &str) {
    let line = format!("SKIPPED {test}: {reason}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// The value of a `Result`, or: skip this test for the reason in the `Err`.
macro_rules! need {
    ($what:expr) => {
        match $what {
            Ok(value) => value,
            Err(reason) => {
                let thread = std::thread::current();
                let test = thread.name().unwrap_or("a test").to_owned();
                $crate::support::skip::announce(&test, &reason.to_string());
                return;
            }
        }
    };
}
pub(crate) use need;
