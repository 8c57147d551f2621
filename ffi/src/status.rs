//! Errors as the C API returns them: a code, and the cause's own number.

use std::ffi::{CStr, CString, c_char, c_int};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use crate::limits;

/// `EventlogSocketStatusCode`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusCode {
    Ok = 0,
    RtsNoSupport = 1,
    RtsFail = 2,
    EnvNoAddr = 3,
    EnvTooLong = 4,
    EnvNoHost = 5,
    EnvNoPort = 6,
    CtlNoSupport = 7,
    CtlExists = 8,
    Gai = 9,
    Sys = 10,
    EnvInvalid = 11,
    RingFile = 12,
}

/// `EventlogSocketStatus`, as this library makes it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    code: StatusCode,
    error: c_int,
}

/// `EventlogSocketStatus`, as a caller hands it over: any number may be in it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RawStatus {
    code: c_int,
    error: c_int,
}

/// Why something failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    RtsNoSupport,
    RtsFail,
    EnvNoAddr,
    EnvTooLong,
    EnvNoHost,
    EnvNoPort,
    CtlNoSupport,
    CtlExists,
    Gai(c_int),
    Sys(c_int),
    EnvInvalid(BadVariable),
    RingFile(RingFileProblem),
}

/// A variable that cannot be used, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadVariable {
    pub name: &'static str,
    pub value: String,
    pub expected: &'static str,
}

/// A ring file that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RingFileProblem {
    pub path: PathBuf,
    pub errno: c_int,
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// What `ess_error_code` of ERR_ENV_INVALID counts: a status has no room for a
/// variable's name and value, so they wait here for `strerror`.
static BAD_VARIABLES: Mutex<Vec<BadVariable>> = Mutex::new(Vec::new());

/// The path of the last ring file that could not be made, for the same reason.
static RING_FILE_PATH: Mutex<Option<PathBuf>> = Mutex::new(None);

impl Status {
    pub(crate) const OK: Status = Status {
        code: StatusCode::Ok,
        error: 0,
    };

    pub(crate) fn of(result: Result<()>) -> Status {
        match result {
            Ok(()) => Status::OK,
            Err(error) => error.into(),
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Status {
        let (code, error) = match error {
            Error::RtsNoSupport => (StatusCode::RtsNoSupport, 0),
            Error::RtsFail => (StatusCode::RtsFail, 0),
            Error::EnvNoAddr => (StatusCode::EnvNoAddr, 0),
            Error::EnvTooLong => (StatusCode::EnvTooLong, 0),
            Error::EnvNoHost => (StatusCode::EnvNoHost, 0),
            Error::EnvNoPort => (StatusCode::EnvNoPort, 0),
            Error::CtlNoSupport => (StatusCode::CtlNoSupport, 0),
            Error::CtlExists => (StatusCode::CtlExists, 0),
            Error::Gai(code) => (StatusCode::Gai, code),
            Error::Sys(errno) => (StatusCode::Sys, errno),
            Error::EnvInvalid(bad) => (StatusCode::EnvInvalid, remember(bad)),
            Error::RingFile(problem) => {
                *ring_file_path() = Some(problem.path);
                (StatusCode::RingFile, problem.errno)
            }
        };
        Status { code, error }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        // Errors without a number are made by the standard library itself, of
        // arguments it refuses.
        Error::Sys(error.raw_os_error().unwrap_or(libc::EINVAL))
    }
}

/// The number under which `strerror` finds it again.
fn remember(bad: BadVariable) -> c_int {
    let mut seen = BAD_VARIABLES.lock().unwrap_or_else(|e| e.into_inner());
    let index = seen.iter().position(|old| *old == bad).unwrap_or_else(|| {
        seen.push(bad);
        seen.len() - 1
    });
    c_int::try_from(index + 1).unwrap_or(0)
}

impl RawStatus {
    pub(crate) fn describe(&self) -> String {
        let code = self.code;
        let is = |known: StatusCode| code == known as c_int;
        if is(StatusCode::Ok) {
            "success".to_owned()
        } else if is(StatusCode::RtsNoSupport) {
            "this program cannot stream its eventlog: the RTS does not support event logging \
             (before GHC 9.4, link with -eventlog), eventlog_socket_rts.c is not linked, or \
             this RTS cannot start a log now (it has got capabilities since it started \
             without +RTS -l, or it is GHC 9.0 with -threaded -dynamic)"
                .to_owned()
        } else if is(StatusCode::RtsFail) {
            "the RTS did not start event logging".to_owned()
        } else if is(StatusCode::EnvNoAddr) {
            "no address: set GHC_EVENTLOG_UNIX_PATH, or GHC_EVENTLOG_INET_HOST and \
             GHC_EVENTLOG_INET_PORT, or GHC_EVENTLOG_RING_FILE for a file alone"
                .to_owned()
        } else if is(StatusCode::EnvTooLong) {
            format!(
                "GHC_EVENTLOG_UNIX_PATH is longer than {} bytes",
                limits::SOCKET_PATH
            )
        } else if is(StatusCode::EnvNoHost) {
            "GHC_EVENTLOG_INET_PORT is set, but GHC_EVENTLOG_INET_HOST is not".to_owned()
        } else if is(StatusCode::EnvNoPort) {
            "GHC_EVENTLOG_INET_HOST is set, but GHC_EVENTLOG_INET_PORT is not".to_owned()
        } else if is(StatusCode::CtlNoSupport) {
            "commands of the program's own need the -threaded RTS".to_owned()
        } else if is(StatusCode::CtlExists) {
            "this namespace or command exists already".to_owned()
        } else if is(StatusCode::Gai) {
            // SAFETY: gai_strerror returns a static string for any number.
            let text = unsafe { CStr::from_ptr(libc::gai_strerror(self.error)) };
            text.to_string_lossy().into_owned()
        } else if is(StatusCode::Sys) {
            describe_errno(self.error)
        } else if is(StatusCode::EnvInvalid) {
            describe_variable(self.error)
        } else if is(StatusCode::RingFile) {
            describe_ring_file(self.error)
        } else {
            format!("unknown status {code}")
        }
    }
}

/// As `strerror` of C says it.
fn describe_errno(errno: c_int) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    match text.strip_suffix(&format!(" (os error {errno})")) {
        Some(plain) => plain.to_owned(),
        None => text,
    }
}

fn ring_file_path() -> MutexGuard<'static, Option<PathBuf>> {
    RING_FILE_PATH.lock().unwrap_or_else(|e| e.into_inner())
}

fn describe_ring_file(errno: c_int) -> String {
    let problem = match errno {
        libc::EBUSY => "another process records into it".to_owned(),
        libc::EEXIST => "what is there is not a ring file, and is left alone".to_owned(),
        errno => describe_errno(errno),
    };
    match &*ring_file_path() {
        Some(path) => format!("ring file {}: {problem}", path.display()),
        None => format!("ring file: {problem}"),
    }
}

fn describe_variable(number: c_int) -> String {
    let seen = BAD_VARIABLES.lock().unwrap_or_else(|e| e.into_inner());
    let index = usize::try_from(number).unwrap_or(0).wrapping_sub(1);
    match seen.get(index) {
        Some(bad) => format!(
            "{}: invalid value {:?}: expected {}",
            bad.name, bad.value, bad.expected
        ),
        None => "an environment variable has an invalid value".to_owned(),
    }
}

/// A copy that the caller frees with `free`; NULL if memory is exhausted.
pub(crate) fn to_malloced(text: &str) -> *mut c_char {
    let text = CString::new(text.replace('\0', "?")).unwrap_or_default();
    // SAFETY: a string that ends in NUL.
    unsafe { libc::strdup(text.as_ptr()) }
}

static_assertions::assert_eq_size!(Status, RawStatus);
static_assertions::const_assert_eq!(size_of::<Status>(), 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_variable_is_named_with_its_value() {
        let status = Status::from(Error::EnvInvalid(BadVariable {
            name: "GHC_EVENTLOG_BUFFER_SIZE",
            value: "lots".to_owned(),
            expected: "a size",
        }));
        let raw = RawStatus {
            code: status.code as c_int,
            error: status.error,
        };
        assert_eq!(
            raw.describe(),
            "GHC_EVENTLOG_BUFFER_SIZE: invalid value \"lots\": expected a size"
        );
    }

    #[test]
    fn numbers_that_are_no_status_are_described_too() {
        for code in [-1, 13, i32::MAX] {
            assert!(!RawStatus { code, error: code }.describe().is_empty());
        }
        for error in [-5, 0, 99] {
            let code = StatusCode::EnvInvalid as c_int;
            assert!(!RawStatus { code, error }.describe().is_empty());
        }
    }
}
