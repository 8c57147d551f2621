//! Address and options, from the environment; and the statuses in words.

use std::ffi::c_char;

use super::types::{EventlogSocketAddr, EventlogSocketOpts, TAG_INET, TAG_NONE, TAG_UNIX};
use crate::cancellation;
use crate::environment;
use crate::last_problem::{Cause, INET_HOST, INET_PORT, Part, UNIX_PATH};
use crate::limits;
use crate::renewal::renew_if_forked;
use crate::status::{Error, RawStatus, Result, Status, to_malloced};
use crate::tuning;

/// `eventlog_socket_strerror`.
#[unsafe(no_mangle)]
pub extern "C" fn eventlog_socket_strerror(status: RawStatus) -> *mut c_char {
    cancellation::put_off(|| status.describe())
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
    renew_if_forked();
    let (found, opts) = match find().and_then(|found| Ok((found, options()?))) {
        Ok(found) => found,
        Err(error) => return error.into(),
    };
    // SAFETY: room for it, by the contract of this function.
    unsafe { addr_out.write(found.addr) };
    if !opts_out.is_null() {
        // SAFETY: room for it, by the contract of this function.
        unsafe { opts_out.write(opts) };
    }
    Status::of(found.problem.map_or(Ok(()), Err))
}

fn options() -> Result<EventlogSocketOpts> {
    Ok(EventlogSocketOpts {
        wait: environment::read(c"GHC_EVENTLOG_WAIT")?.is_some().into(),
        sndbuf: match tuning::sndbuf_from_env() {
            Ok(sndbuf) => sndbuf.unwrap_or(0),
            // Told by init, which reads the variable whatever the address.
            Err(_) => 0,
        },
        linger: 0,
    })
}

struct Found {
    addr: EventlogSocketAddr,
    problem: Option<Error>,
}

/// The Unix path wins; of host and port, both are needed.
fn find() -> Result<Found> {
    if let Some(path) = environment::read_path(UNIX_PATH)? {
        return Ok(Found {
            problem: (path.len() > limits::SOCKET_PATH).then(|| Error::path_too_long(&path)),
            addr: address(TAG_UNIX, &[&path])?,
        });
    }
    let host = environment::read(INET_HOST)?;
    let port = environment::read(INET_PORT)?;
    let problem = match (&host, &port) {
        // A flight recorder needs no socket.
        (None, None) if tuning::ring_file_from_env()?.is_some() => {
            return Ok(Found {
                problem: None,
                addr: address(TAG_NONE, &[])?,
            });
        }
        (None, None) => return Err(Error::EnvNoAddr),
        (Some(_), Some(_)) => None,
        (None, Some(port)) => {
            let alone = Part::Port;
            Some(Error::inet(alone, port, Cause::Alone(alone)))
        }
        (Some(host), None) => {
            let alone = Part::Host;
            Some(Error::inet(alone, host, Cause::Alone(alone)))
        }
    };
    let (host, port) = (host.unwrap_or_default(), port.unwrap_or_default());
    Ok(Found {
        addr: address(TAG_INET, &[&host, &port])?,
        problem,
    })
}

/// With copies of these strings, or with none if there is no memory for all of them.
fn address(tag: i32, texts: &[&[u8]]) -> Result<EventlogSocketAddr> {
    let mut address = EventlogSocketAddr {
        tag,
        strings: [std::ptr::null_mut(); 2],
    };
    for (string, text) in address.strings.iter_mut().zip(texts) {
        *string = to_malloced(text);
        if string.is_null() {
            // SAFETY: filled in by this function, as far as it is.
            unsafe { eventlog_socket_addr_free(&mut address) };
            return Err(Error::Sys(libc::ENOMEM));
        }
    }
    Ok(address)
}
