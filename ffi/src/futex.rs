//! Sleep until a word changes, and wake sleepers: async-signal-safe, and without a descriptor.

use std::sync::atomic::AtomicU32;
#[cfg(target_os = "linux")]
use std::time::Duration;

/// Sleep unless the word is no longer what was seen; `None`: without a limit. Returns for any reason: the caller looks again.
#[cfg(target_os = "linux")]
pub(crate) fn wait(word: &AtomicU32, seen: u32, limit: Option<Duration>) {
    let limit = limit.map(|time| libc::timespec {
        tv_sec: time.as_secs() as libc::time_t,
        tv_nsec: time.subsec_nanos().into(),
    });
    let timeout = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: a word that lives for the call, and a relative timeout or none.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, seen, timeout) };
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
