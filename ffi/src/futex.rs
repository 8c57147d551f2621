//! Sleep until a word changes, and wake sleepers: async-signal-safe, and without a descriptor.

use std::sync::atomic::AtomicU32;
#[cfg(target_os = "linux")]
use std::time::Duration;

/// Between looks at a word that the system does not let anybody wait for.
#[cfg(target_os = "linux")]
const RETRY: Duration = Duration::from_millis(50);

/// Sleep unless the word is no longer what was seen; `None`: without a limit. Returns for any reason: the caller looks again.
#[cfg(target_os = "linux")]
pub(crate) fn wait(word: &AtomicU32, seen: u32, limit: Option<Duration>) {
    let span = |time: Duration| libc::timespec {
        tv_sec: time.as_secs() as libc::time_t,
        tv_nsec: time.subsec_nanos().into(),
    };
    let time = limit.map(span);
    let timeout = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: a word that lives for the call, and a relative timeout or none.
    let slept = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, seen, timeout) };
    let error = std::io::Error::last_os_error().raw_os_error();
    if slept < 0 && !matches!(error, Some(libc::EAGAIN | libc::EINTR | libc::ETIMEDOUT)) {
        // It will not be had, as in a sandbox without this call: who waits looks now and then.
        let pause = span(limit.map_or(RETRY, |limit| limit.min(RETRY)));
        let rest = std::ptr::null_mut::<libc::timespec>();
        // By its number: no thread is cancelled in it.
        // SAFETY: a time, and no room for what is left of it.
        unsafe { libc::syscall(libc::SYS_nanosleep, &raw const pause, rest) };
    }
}

/// Wake all that sleep.
pub(crate) fn wake_all(word: &AtomicU32) {
    wake_all_at(word);
}

/// The same, of a word that whoever wakes up may have freed.
#[cfg(target_os = "linux")]
pub(crate) fn wake_all_at(word: *const AtomicU32) {
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the system does not touch the word, but looks up its address.
    unsafe { libc::syscall(libc::SYS_futex, word, operation, i32::MAX) };
}

#[cfg(not(target_os = "linux"))]
pub(crate) use crate::system::{wait, wake_all_at};
