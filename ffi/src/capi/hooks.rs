//! Hooks.

use std::ffi::{c_int, c_void};

use super::starting;
use crate::control::hooks::{self, HookHandler, Moment};
use crate::status::{Error, Result, Status};

const POST_START: c_int = 0;
const PRE_END: c_int = 1;

/// `eventlog_socket_register_hook`.
///
/// # Safety
/// `handler` is NULL, or may be called with `data` on a thread of this library for
/// as long as the process lives.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventlog_socket_register_hook(
    hook: c_int,
    handler: Option<HookHandler>,
    data: *const c_void,
) -> Status {
    starting(|| register(hook, handler, data))
}

fn register(hook: c_int, handler: Option<HookHandler>, data: *const c_void) -> Result<()> {
    let invalid = Error::Sys(libc::EINVAL);
    let moment = match hook {
        POST_START => Moment::PostStart,
        PRE_END => Moment::PreEnd,
        _ => return Err(invalid),
    };
    hooks::register(moment, handler.ok_or(invalid)?, data)
}
