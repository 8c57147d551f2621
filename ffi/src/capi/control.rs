//! Namespaces and commands of the program.

use std::ffi::{c_char, c_void};

use super::{starting, status};
use crate::cancellation;
use crate::control;
use crate::control::namespaces::{self, CommandHandler, Namespace};
use crate::status::{Error, Result, Status};

/// `eventlog_socket_control_strnamespace`.
#[unsafe(no_mangle)]
pub extern "C" fn eventlog_socket_control_strnamespace(
    namespace: *const Namespace,
) -> *const c_char {
    cancellation::put_off(|| namespaces::name(namespace)).unwrap_or(std::ptr::null())
}

/// `eventlog_socket_control_register_namespace`.
///
/// # Safety
/// `name` is NULL or has `len` bytes; `out` is NULL or has room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventlog_socket_control_register_namespace(
    len: u8,
    name: *const c_char,
    out: *mut *const Namespace,
) -> Status {
    if name.is_null() || out.is_null() {
        return Error::Sys(libc::EINVAL).into();
    }
    // SAFETY: `len` bytes, by the contract of this function.
    let name = unsafe { std::slice::from_raw_parts(name.cast::<u8>(), usize::from(len)) };
    starting(|| {
        let namespace = namespaces::register(name)?;
        // SAFETY: room for it, by the contract of this function.
        unsafe { out.write(namespace) };
        Ok(())
    })
}

/// `eventlog_socket_control_register_command`.
///
/// # Safety
/// `handler` is NULL, or may be called with `data` on a thread of this library for
/// as long as the process lives.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventlog_socket_control_register_command(
    namespace: *const Namespace,
    id: u8,
    handler: Option<CommandHandler>,
    data: *const c_void,
) -> Status {
    starting(|| register_command(namespace, id, handler, data))
}

fn register_command(
    namespace: *const Namespace,
    id: u8,
    handler: Option<CommandHandler>,
    data: *const c_void,
) -> Result<()> {
    let handler = handler.ok_or(Error::Sys(libc::EINVAL))?;
    namespaces::register_command(namespace, id, handler, data)
}

/// `eventlog_socket_control_status`.
#[unsafe(no_mangle)]
pub extern "C" fn eventlog_socket_control_status() -> Status {
    status(control::status)
}
