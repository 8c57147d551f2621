//! The functions of the first generation, which return no status.

use std::ffi::c_char;
use std::sync::atomic::Ordering;

use super::types::bytes;
use crate::cancellation;
use crate::instance::Instance;
use crate::lifecycle::{self, SocketOptions};
use crate::net::listener::Address;
use crate::renewal::renew_if_forked;
use crate::status::{Error, Result};

/// # Safety
/// `path` is NULL or ends in NUL.
unsafe fn unix(path: *const c_char) -> Result<Address> {
    // SAFETY: by the contract of this function.
    let path = unsafe { bytes(path) }?;
    path.map(Address::Unix).ok_or(Error::Sys(libc::EINVAL))
}

/// # Safety
/// `host` and `port` are NULL or end in NUL.
unsafe fn tcp(host: *const c_char, port: *const c_char) -> Result<Address> {
    // SAFETY: by the contract of this function.
    let (host, port) = unsafe { (bytes(host)?, bytes(port)?) };
    Ok(Address::Inet {
        host: host.unwrap_or_default(),
        port: port.ok_or(Error::Sys(libc::EINVAL))?,
    })
}

fn init(address: Result<Address>) {
    cancellation::put_off(|| {
        renew_if_forked();
        let outcome =
            address.and_then(|address| lifecycle::init(Some(address), SocketOptions::default()));
        lifecycle::remember_failure(outcome);
    });
    if let Some(instance) = Instance::get() {
        // Relaxed: the poll thread looks at it when the RTS writes.
        instance.begin_unready.store(true, Ordering::Relaxed);
    }
}

fn start(address: Result<Address>, wait: bool) {
    cancellation::put_off(|| {
        renew_if_forked();
        let outcome = address.and_then(|address| {
            lifecycle::start(Some(address), SocketOptions::default())?;
            if wait { lifecycle::wait() } else { Ok(()) }
        });
        lifecycle::remember_failure(outcome);
    });
}

/// `eventlog_socket_init_unix`.
///
/// # Safety
/// `path` is NULL or ends in NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventlog_socket_init_unix(path: *const c_char) {
    // SAFETY: the contract is the same.
    init(unsafe { unix(path) });
}

/// `eventlog_socket_init_tcp`.
///
/// # Safety
/// `host` and `port` are NULL or end in NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventlog_socket_init_tcp(host: *const c_char, port: *const c_char) {
    // SAFETY: the contract is the same.
    init(unsafe { tcp(host, port) });
}

/// `eventlog_socket_ready`.
#[unsafe(no_mangle)]
pub extern "C" fn eventlog_socket_ready() {
    cancellation::put_off(|| {
        if let Err(error) = lifecycle::ready()
            && Instance::get().is_some()
        {
            lifecycle::remember_failure(Err(error));
        }
    });
}

/// `eventlog_socket_start_unix`.
///
/// # Safety
/// `path` is NULL or ends in NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventlog_socket_start_unix(path: *const c_char, wait: bool) {
    // SAFETY: the contract is the same.
    start(unsafe { unix(path) }, wait);
}

/// `eventlog_socket_start_tcp`.
///
/// # Safety
/// `host` and `port` are NULL or end in NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventlog_socket_start_tcp(
    host: *const c_char,
    port: *const c_char,
    wait: bool,
) {
    // SAFETY: the contract is the same.
    start(unsafe { tcp(host, port) }, wait);
}
