//! What `eventlog_socket_rts.c` calls (`eventlog_socket_rts.h`).

use std::time::Duration;

use crate::control::ControlThread;
use crate::control::call::Call;
use crate::renewal::renew_if_forked;
use crate::rts::{self, RtsTable};
use crate::status::{Error, Status};
use crate::{cancellation, control, exit, lifecycle, log};

/// `eventlog_socket_rts_register`.
///
/// # Safety
/// `table` is NULL or lives as long as the process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventlog_socket_rts_register(table: *const RtsTable) {
    rts::register(table);
}

/// `eventlog_socket_rts_exiting`.
#[unsafe(no_mangle)]
pub extern "C" fn eventlog_socket_rts_exiting() {
    cancellation::put_off(exit::rts_exiting);
}

/// `eventlog_socket_rts_wait`.
///
/// # Safety
/// `seen` is NULL or valid, and nobody else's during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventlog_socket_rts_wait(seen: *mut u64, milliseconds: u32) -> Status {
    // SAFETY: by the contract of this function.
    let Some(seen) = (unsafe { seen.as_mut() }) else {
        return Error::Sys(libc::EINVAL).into();
    };
    let mut before = seen.checked_sub(1);
    let limit = Duration::from_millis(milliseconds.into());
    let result = cancellation::put_off(|| lifecycle::wait_for(limit, &mut before));
    *seen = before.map_or(0, |before| before + 1);
    Status::of(result)
}

/// `eventlog_socket_rts_needs_thread`.
#[unsafe(no_mangle)]
pub extern "C" fn eventlog_socket_rts_needs_thread() -> bool {
    renew_if_forked();
    control::expect_delegate()
}

/// `eventlog_socket_rts_next`.
///
/// # Safety
/// `call` has room for the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventlog_socket_rts_next(call: *mut Call) {
    let next = control::DELEGATE.next();
    // SAFETY: room for it, by the contract of this function.
    unsafe { call.write(next) };
}

/// `eventlog_socket_rts_next_call`. Handlers are not called in here, but when this has
/// returned.
///
/// # Safety
/// `thread` is what the loop of this table was started with, and `call` has room for a call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventlog_socket_rts_next_call(
    thread: *mut ControlThread,
    call: *mut Call,
) -> bool {
    // SAFETY: by the contract of this function: the control thread's own state.
    let next = unsafe { &mut *thread }.next_call();
    if let Some(next) = next {
        // SAFETY: room for it, by the contract of this function.
        unsafe { call.write(next) };
    }
    next.is_some()
}

/// `eventlog_socket_rts_attached`.
#[unsafe(no_mangle)]
pub extern "C" fn eventlog_socket_rts_attached() -> bool {
    log::is_attached()
}

/// `eventlog_socket_rts_restarting`.
#[unsafe(no_mangle)]
pub extern "C" fn eventlog_socket_rts_restarting(begin: bool) {
    log::rts_restarting(begin);
}
