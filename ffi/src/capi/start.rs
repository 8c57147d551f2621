//! Starting, waiting, and how it goes.

use std::ffi::{OsString, c_char};
use std::os::unix::ffi::OsStringExt;

use super::types::{EventlogSocketAddr, EventlogSocketOpts, EventlogSocketTuning, bytes};
use super::{starting, status};
use crate::lifecycle::{self, SocketOptions};
use crate::net::listener::Address;
use crate::recording::RingFileRequest;
use crate::status::{Error, Result, Status};
use crate::tuning;

struct Arguments {
    /// None for no socket.
    address: Option<Address>,
    options: SocketOptions,
    wait: bool,
}

/// # Safety
/// As for [`eventlog_socket_init`].
unsafe fn arguments(
    addr: *const EventlogSocketAddr,
    opts: *const EventlogSocketOpts,
) -> Result<Arguments> {
    // SAFETY: NULL or valid, by the contract of this function.
    let (addr, opts) = unsafe { (addr.as_ref(), opts.as_ref()) };
    let addr = addr.ok_or(Error::Sys(libc::EINVAL))?;
    let opts = opts.unwrap_or(&EventlogSocketOpts::DEFAULT);
    Ok(Arguments {
        // SAFETY: its strings are valid, by the contract of this function.
        address: unsafe { addr.read() }?,
        options: opts.socket_options(),
        wait: opts.wait != 0,
    })
}

/// `eventlog_socket_init`.
///
/// # Safety
/// `addr` and `opts` are NULL or valid, and so are the strings of `addr`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventlog_socket_init(
    addr: *const EventlogSocketAddr,
    opts: *const EventlogSocketOpts,
) -> Status {
    starting(|| {
        // SAFETY: the contract is the same.
        let args = unsafe { arguments(addr, opts) }?;
        lifecycle::init(args.address, args.options)
    })
}

/// `eventlog_socket_start`.
///
/// # Safety
/// As for [`eventlog_socket_init`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventlog_socket_start(
    addr: *const EventlogSocketAddr,
    opts: *const EventlogSocketOpts,
) -> Status {
    starting(|| {
        // SAFETY: the contract is the same.
        let args = unsafe { arguments(addr, opts) }?;
        // Without a socket no client can connect.
        let wait = args.wait && args.address.is_some();
        lifecycle::start(args.address, args.options)?;
        if wait { lifecycle::wait() } else { Ok(()) }
    })
}

/// `eventlog_socket_signal_ghc_rts_ready`.
#[unsafe(no_mangle)]
pub extern "C" fn eventlog_socket_signal_ghc_rts_ready() -> Status {
    status(lifecycle::ready)
}

/// `eventlog_socket_wait`.
#[unsafe(no_mangle)]
pub extern "C" fn eventlog_socket_wait() -> Status {
    status(lifecycle::wait)
}

/// `eventlog_socket_worker_status`.
#[unsafe(no_mangle)]
pub extern "C" fn eventlog_socket_worker_status() -> Status {
    status(lifecycle::worker_status)
}

/// `eventlog_socket_tuning_init`.
///
/// # Safety
/// `tuning` is NULL or has room for the struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventlog_socket_tuning_init(tuning: *mut EventlogSocketTuning) {
    if !tuning.is_null() {
        // SAFETY: room for it, by the contract of this function.
        unsafe { tuning.write(EventlogSocketTuning::defaults()) };
    }
}

/// `eventlog_socket_set_ring_file`.
///
/// # Safety
/// `path` is NULL or ends in NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventlog_socket_set_ring_file(path: *const c_char, size: u64) -> Status {
    // SAFETY: by the contract of this function.
    let path = unsafe { bytes(path) };
    starting(|| set_ring_file(path?, size))
}

fn set_ring_file(path: Option<Vec<u8>>, size: u64) -> Result<()> {
    let size = match size {
        0 => Some(tuning::RING_FILE_SIZE),
        size => tuning::ring_file_size(size),
    };
    let size = size.ok_or(Error::Sys(libc::EINVAL))?;
    let path = path.filter(|path| !path.is_empty());
    lifecycle::set_ring_file(path.map(|path| RingFileRequest {
        path: OsString::from_vec(path).into(),
        size,
    }))
}

/// `eventlog_socket_set_tuning`.
///
/// # Safety
/// `tuning` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventlog_socket_set_tuning(tuning: *const EventlogSocketTuning) -> Status {
    // SAFETY: NULL or valid, by the contract of this function.
    let tuning = unsafe { tuning.as_ref() }.ok_or(Error::Sys(libc::EINVAL));
    starting(|| lifecycle::set_tuning(tuning?.read()?))
}
