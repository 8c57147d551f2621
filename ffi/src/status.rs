//! Errors as the C API returns them: a code, and the cause's own number.

use std::ffi::{CStr, CString, c_char, c_int};
use std::fmt;

use crate::folder::{Problem, join};
use crate::last_problem::{self, Cause, FOREIGN, Part};
use crate::limits;
use crate::lock::Lock;
use crate::memory::{OutOfMemory, push};
use crate::renewable::{Renewable, unless_forked};
use crate::words::{describe_errno, describe_gai, write_lossy};

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

/// Why something failed. Its texts are kept elsewhere, so that copying it takes no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// By its number, as [`BAD_VARIABLES`] counts them.
    EnvInvalid(c_int),
    /// The errno. What it is about is in [`RING_FILE`].
    RingFile(c_int),
}

/// A variable that cannot be used, and what is wrong with it.
#[derive(Debug, PartialEq, Eq)]
struct BadVariable {
    name: &'static CStr,
    value: Vec<u8>,
    expected: &'static str,
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// What `ess_error_code` of ERR_ENV_INVALID counts: a status has no room for a
/// variable's name and value, so they wait here for `strerror`.
static BAD_VARIABLES: Renewable<Lock<Vec<BadVariable>>> = Renewable::new(Lock::new(Vec::new()));

/// What was in the way the last time that a ring file could not be made, for the same
/// reason.
static RING_FILE: Renewable<Lock<Option<FileProblem>>> = Renewable::new(Lock::new(None));

/// In a child, with the locks of its parent.
///
/// # Safety
/// As for [`Renewable::renew`].
pub(crate) unsafe fn renew() {
    // SAFETY: the contract is the same.
    unsafe {
        BAD_VARIABLES.renew(Lock::new(Vec::new()));
        RING_FILE.renew(Lock::new(None));
    }
}

/// A file that cannot be made, or one that is in its way.
#[derive(Debug)]
struct FileProblem {
    path: CString,
    problem: Problem,
}

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
            Error::EnvInvalid(number) => (StatusCode::EnvInvalid, number),
            Error::RingFile(errno) => (StatusCode::RingFile, errno),
        };
        Status { code, error }
    }
}

impl From<OutOfMemory> for Error {
    fn from(_: OutOfMemory) -> Error {
        Error::Sys(libc::ENOMEM)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        // Errors without a number are made by the standard library itself, of
        // arguments it refuses.
        Error::Sys(error.raw_os_error().unwrap_or(libc::EINVAL))
    }
}

impl Error {
    /// A variable with a value that cannot be used, and what was expected.
    pub(crate) fn bad_variable(
        name: &'static CStr,
        value: Vec<u8>,
        expected: &'static str,
    ) -> Error {
        Error::EnvInvalid(remember(BadVariable {
            name,
            value,
            expected,
        }))
    }

    /// A ring file that cannot be made, or another file that is in its way; its path, in
    /// pieces.
    pub(crate) fn ring_file(path: &[&[u8]], problem: Problem) -> Error {
        keep(path, problem);
        Error::RingFile(problem.errno)
    }

    /// A socket, or the file for its port, that cannot be made.
    pub(crate) fn file(part: Part, path: &[u8], problem: Problem) -> Error {
        last_problem::keep(part, path, Cause::Sys(problem.errno), problem.foreign);
        Error::Sys(problem.errno)
    }

    /// A host or a port that is invalid, or that cannot be listened on.
    pub(crate) fn inet(part: Part, text: &[u8], cause: Cause) -> Error {
        last_problem::keep(part, text, cause, false);
        match cause {
            Cause::Gai(code) => Error::Gai(code),
            Cause::Sys(errno) => Error::Sys(errno),
            Cause::TooLong => Error::EnvTooLong,
            Cause::Alone(Part::Host) => Error::EnvNoPort,
            Cause::Alone(_) => Error::EnvNoHost,
        }
    }

    /// A path in the environment that is longer than an address can be.
    pub(crate) fn path_too_long(path: &[u8]) -> Error {
        last_problem::keep(Part::Socket, path, Cause::TooLong, false);
        Error::EnvTooLong
    }
}

/// The number under which `strerror` finds it again; 0 if there is no memory to keep it.
fn remember(bad: BadVariable) -> c_int {
    let Some(mut seen) = unless_forked(&BAD_VARIABLES) else {
        return 0;
    };
    let known = seen.iter().position(|old| *old == bad);
    let index = match known {
        Some(index) => index,
        None => match push(&mut seen, bad) {
            Ok(()) => seen.len() - 1,
            Err(OutOfMemory) => return 0,
        },
    };
    c_int::try_from(index + 1).unwrap_or(0)
}

impl RawStatus {
    /// In words, which the caller frees with `free`; NULL if memory is exhausted.
    pub(crate) fn describe(&self) -> *mut c_char {
        // What it says may be said of another path or value by the time it is written.
        let mut length = Measure(0);
        let _ = fmt::write(&mut length, format_args!("{self}"));
        // SAFETY: any size.
        let text = unsafe { libc::malloc(length.0 + 1) }.cast::<u8>();
        if text.is_null() {
            return std::ptr::null_mut();
        }
        // SAFETY: fresh memory of that size, made into bytes before it is read.
        let room = unsafe {
            text.write_bytes(0, length.0 + 1);
            std::slice::from_raw_parts_mut(text, length.0)
        };
        let _ = fmt::write(&mut Fill(room), format_args!("{self}"));
        text.cast()
    }
}

/// How many bytes are written.
struct Measure(usize);

impl fmt::Write for Measure {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

/// As many as have room, without any NUL.
struct Fill<'a>(&'a mut [u8]);

impl fmt::Write for Fill<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = std::mem::take(&mut self.0);
        let (now, later) = room.split_at_mut(room.len().min(text.len()));
        for (to, byte) in now.iter_mut().zip(text.bytes()) {
            *to = if byte == 0 { b'?' } else { byte };
        }
        self.0 = later;
        Ok(())
    }
}

impl fmt::Display for RawStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code;
        let is = |known: StatusCode| code == known as c_int;
        if is(StatusCode::Ok) {
            f.write_str("success")
        } else if is(StatusCode::RtsNoSupport) {
            f.write_str(
                "this program cannot stream its eventlog: the RTS does not support event logging \
             (before GHC 9.4, link with -eventlog), eventlog_socket_rts.c is not linked, or \
             this RTS cannot start a log now (it has got capabilities since it started \
             without +RTS -l, or it is GHC 9.0 with -threaded -dynamic)",
            )
        } else if is(StatusCode::RtsFail) {
            f.write_str("the RTS did not start event logging")
        } else if is(StatusCode::EnvNoAddr) {
            f.write_str(
                "no address: set GHC_EVENTLOG_UNIX_PATH, or GHC_EVENTLOG_INET_HOST and \
             GHC_EVENTLOG_INET_PORT, or GHC_EVENTLOG_RING_FILE for a file alone",
            )
        } else if is(StatusCode::EnvTooLong) {
            last_problem::describe(f, Cause::TooLong).unwrap_or_else(|| {
                let most = limits::SOCKET_PATH;
                write!(f, "GHC_EVENTLOG_UNIX_PATH is longer than {most} bytes")
            })
        } else if is(StatusCode::EnvNoHost) {
            let plain = "GHC_EVENTLOG_INET_PORT is set, but GHC_EVENTLOG_INET_HOST is not";
            last_problem::describe(f, Cause::Alone(Part::Port))
                .unwrap_or_else(|| f.write_str(plain))
        } else if is(StatusCode::EnvNoPort) {
            let plain = "GHC_EVENTLOG_INET_HOST is set, but GHC_EVENTLOG_INET_PORT is not";
            last_problem::describe(f, Cause::Alone(Part::Host))
                .unwrap_or_else(|| f.write_str(plain))
        } else if is(StatusCode::CtlNoSupport) {
            f.write_str("commands of the program's own need the -threaded RTS")
        } else if is(StatusCode::CtlExists) {
            f.write_str("this namespace or command exists already")
        } else if is(StatusCode::Gai) {
            last_problem::describe(f, Cause::Gai(self.error))
                .unwrap_or_else(|| describe_gai(f, self.error))
        } else if is(StatusCode::Sys) {
            last_problem::describe(f, Cause::Sys(self.error))
                .unwrap_or_else(|| describe_errno(f, self.error))
        } else if is(StatusCode::EnvInvalid) {
            describe_variable(f, self.error)
        } else if is(StatusCode::RingFile) {
            describe_ring_file(f, self.error)
        } else {
            write!(f, "unknown status {code}")
        }
    }
}

/// Without memory for its path, the file is not named.
fn keep(path: &[&[u8]], problem: Problem) {
    let path = join(path).ok();
    if let Some(mut last) = unless_forked(&RING_FILE) {
        *last = path.map(|path| FileProblem { path, problem });
    }
}

/// A start begins: an error of it is not about the file or the address of one before.
pub(crate) fn forget_files() {
    last_problem::forget();
    if let Some(mut last) = unless_forked(&RING_FILE) {
        *last = None;
    }
}

fn describe_ring_file(f: &mut fmt::Formatter<'_>, errno: c_int) -> fmt::Result {
    let last = unless_forked(&RING_FILE);
    let file = last.as_ref().and_then(|last| last.as_ref());
    let file = file.filter(|file| file.problem.errno == errno);
    f.write_str("ring file")?;
    if let Some(file) = file {
        f.write_str(" ")?;
        write_lossy(f, file.path.to_bytes())?;
    }
    f.write_str(": ")?;
    match errno {
        _ if file.is_some_and(|file| file.problem.foreign) => f.write_str(FOREIGN),
        libc::EBUSY => f.write_str("another process records into it"),
        libc::EEXIST => f.write_str("what is there is not a ring file, and is left alone"),
        errno => describe_errno(f, errno),
    }
}

fn describe_variable(f: &mut fmt::Formatter<'_>, number: c_int) -> fmt::Result {
    let seen = unless_forked(&BAD_VARIABLES);
    let index = usize::try_from(number).unwrap_or(0).wrapping_sub(1);
    let Some(bad) = seen.as_ref().and_then(|seen| seen.get(index)) else {
        return f.write_str("an environment variable has an invalid value");
    };
    write_lossy(f, bad.name.to_bytes())?;
    f.write_str(": invalid value \"")?;
    for chunk in bad.value.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\'' => f.write_str("'")?,
                other => write!(f, "{}", other.escape_debug())?,
            }
        }
        if !chunk.invalid().is_empty() {
            f.write_str("\u{FFFD}")?;
        }
    }
    write!(f, "\": expected {}", bad.expected)
}

/// A copy that the caller frees with `free`; NULL if memory is exhausted.
pub(crate) fn to_malloced(text: &[u8]) -> *mut c_char {
    // SAFETY: any size.
    let copy = unsafe { libc::malloc(text.len() + 1) }.cast::<u8>();
    if !copy.is_null() {
        // SAFETY: fresh memory for the text and its NUL.
        unsafe {
            copy.copy_from_nonoverlapping(text.as_ptr(), text.len());
            copy.add(text.len()).write(0);
        }
    }
    copy.cast()
}

static_assertions::assert_eq_size!(Status, RawStatus);
static_assertions::const_assert_eq!(size_of::<Status>(), 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_variable_is_named_with_its_value() {
        let status = Status::from(Error::bad_variable(
            c"GHC_EVENTLOG_BUFFER_SIZE",
            b"lots\0\xFF".to_vec(),
            "a size",
        ));
        let raw = RawStatus {
            code: status.code as c_int,
            error: status.error,
        };
        assert_eq!(
            raw.to_string(),
            "GHC_EVENTLOG_BUFFER_SIZE: invalid value \"lots\\0\u{FFFD}\": expected a size"
        );
    }

    #[test]
    fn numbers_that_are_no_status_are_described_too() {
        for code in [-1, 13, i32::MAX] {
            assert!(!RawStatus { code, error: code }.to_string().is_empty());
        }
        for error in [-5, 0, 99] {
            let code = StatusCode::EnvInvalid as c_int;
            assert!(!RawStatus { code, error }.to_string().is_empty());
        }
    }
}
