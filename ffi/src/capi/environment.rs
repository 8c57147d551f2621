//! Address and options, from the environment; and the statuses in words.

use std::ffi::{CString, OsString, c_char};
use std::os::unix::ffi::OsStringExt;

use super::types::{EventlogSocketAddr, EventlogSocketOpts, TAG_INET, TAG_NONE, TAG_UNIX};
use crate::limits;
use crate::status::{Error, RawStatus, Status, to_malloced};
use crate::tuning;

/// `eventlog_socket_strerror`.
#[unsafe(no_mangle)]
pub extern "C" fn eventlog_socket_strerror(status: RawStatus) -> *mut c_char {
    to_malloced(&status.describe())
}

/// `eventlog_socket_opts_init`.
///
/// # Safety
/// `opts` is NULL or has room for the options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventlog_socket_opts_init(opts: *mut EventlogSocketOpts) {
    if !opts.is_null() {
        // SAFETY: room for it, by the contract of this function.
        unsafe { opts.write(EventlogSocketOpts::DEFAULT) };
    }
}

/// `eventlog_socket_opts_free`.
#[unsafe(no_mangle)]
pub extern "C" fn eventlog_socket_opts_free(_opts: *mut EventlogSocketOpts) {}

/// `eventlog_socket_addr_free`.
///
/// # Safety
/// `addr` is NULL or was filled in by `eventlog_socket_from_env`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventlog_socket_addr_free(addr: *mut EventlogSocketAddr) {
    // SAFETY: by the contract of this function.
    let Some(addr) = (unsafe { addr.as_mut() }) else {
        return;
    };
    let strings = match addr.tag {
        TAG_UNIX => 1,
        TAG_INET => 2,
        _ => 0,
    };
    for string in &mut addr.strings[..strings] {
        // SAFETY: NULL, or made by strdup, and not freed before: it is set to
        // NULL here.
        unsafe { libc::free(string.cast()) };
        *string = std::ptr::null_mut();
    }
}

/// `eventlog_socket_from_env`.
///
/// # Safety
/// `addr_out` and `opts_out` are NULL or have room for their structs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventlog_socket_from_env(
    addr_out: *mut EventlogSocketAddr,
    opts_out: *mut EventlogSocketOpts,
) -> Status {
    if addr_out.is_null() {
        return Error::Sys(libc::EINVAL).into();
    }
    let found = match find() {
        Some(found) => found,
        None => return Error::EnvNoAddr.into(),
    };
    // SAFETY: room for it, by the contract of this function.
    unsafe { addr_out.write(found.addr) };
    let sndbuf = match tuning::sndbuf_from_env() {
        Ok(sndbuf) => sndbuf.unwrap_or(0),
        // Told by init, which reads the variable whatever the address.
        Err(_) => 0,
    };
    if !opts_out.is_null() {
        let opts = EventlogSocketOpts {
            wait: std::env::var_os("GHC_EVENTLOG_WAIT").is_some().into(),
            sndbuf,
            linger: 0,
        };
        // SAFETY: room for it, by the contract of this function.
        unsafe { opts_out.write(opts) };
    }
    Status::of(found.problem.map_or(Ok(()), Err))
}

struct Found {
    addr: EventlogSocketAddr,
    problem: Option<Error>,
}

/// The Unix path wins; of host and port, both are needed.
fn find() -> Option<Found> {
    let unix = |path: OsString| Found {
        problem: (path.len() > limits::SOCKET_PATH).then_some(Error::EnvTooLong),
        addr: address(TAG_UNIX, path, OsString::new()),
    };
    if let Some(path) = std::env::var_os("GHC_EVENTLOG_UNIX_PATH") {
        return Some(unix(path));
    }
    let host = std::env::var_os("GHC_EVENTLOG_INET_HOST");
    let port = std::env::var_os("GHC_EVENTLOG_INET_PORT");
    let problem = match (&host, &port) {
        // A flight recorder needs no socket.
        (None, None) => {
            return tuning::ring_file_from_env().map(|_| Found {
                problem: None,
                addr: EventlogSocketAddr {
                    tag: TAG_NONE,
                    strings: [std::ptr::null_mut(); 2],
                },
            });
        }
        (Some(_), Some(_)) => None,
        (None, Some(_)) => Some(Error::EnvNoHost),
        (Some(_), None) => Some(Error::EnvNoPort),
    };
    let (host, port) = (host.unwrap_or_default(), port.unwrap_or_default());
    Some(Found {
        addr: address(TAG_INET, host, port),
        problem,
    })
}

fn address(tag: i32, first: OsString, second: OsString) -> EventlogSocketAddr {
    let copy = |text: OsString| {
        // The environment has no NULs in it.
        let text = CString::new(text.into_vec()).unwrap_or_default();
        // SAFETY: a string that ends in NUL.
        unsafe { libc::strdup(text.as_ptr()) }
    };
    let second = if tag == TAG_INET {
        copy(second)
    } else {
        std::ptr::null_mut()
    };
    EventlogSocketAddr {
        tag,
        strings: [copy(first), second],
    }
}
