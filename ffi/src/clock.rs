//! Clocks that may be read anywhere: the kernel's vDSO, no allocation, no lock.

use std::time::Duration;

fn now(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a clock that every supported system has, and room for its time.
    unsafe { libc::clock_gettime(clock, &mut time) };
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

/// Time since some moment in the past; never goes back.
pub(crate) fn monotonic() -> Duration {
    now(libc::CLOCK_MONOTONIC)
}

/// Processor time of this thread; a system call, as a rule.
pub(crate) fn of_this_thread() -> Duration {
    now(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// Time since 1970.
pub(crate) fn wall() -> Duration {
    now(libc::CLOCK_REALTIME)
}
