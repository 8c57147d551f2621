//! What was wrong with an address, for `strerror`: a status has no room for it.
//!
//! The last one is kept, and is told with the next status that has the same cause.

use std::ffi::{CStr, c_int};
use std::fmt;

use crate::environment;
use crate::limits;
use crate::lock::Lock;
use crate::memory::append;
use crate::renewable::{Renewable, unless_forked};
use crate::words::{describe_errno, describe_gai, write_lossy};

pub(crate) const UNIX_PATH: &CStr = c"GHC_EVENTLOG_UNIX_PATH";
pub(crate) const INET_HOST: &CStr = c"GHC_EVENTLOG_INET_HOST";
pub(crate) const INET_PORT: &CStr = c"GHC_EVENTLOG_INET_PORT";
pub(crate) const PORT_FILE: &CStr = c"GHC_EVENTLOG_PORT_FILE";

/// What could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The path of a Unix socket.
    Socket,
    Host,
    Port,
    /// The file that the port is written to.
    PortFile,
}

/// Why. As far as a status says it, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// errno.
    Sys(c_int),
    /// Of `getaddrinfo`.
    Gai(c_int),
    /// A path in the environment.
    TooLong,
    /// This is set in the environment, without its other half.
    Alone(Part),
}

#[derive(Debug)]
struct Problem {
    part: Part,
    text: Vec<u8>,
    /// The variable that has it.
    variable: Option<&'static CStr>,
    cause: Cause,
    /// Another user's file is in the way.
    foreign: bool,
}

static LAST: Renewable<Lock<Option<Problem>>> = Renewable::new(Lock::new(None));

/// In a child, with the locks of its parent.
///
/// # Safety
/// As for [`Renewable::renew`].
pub(crate) unsafe fn renew() {
    // SAFETY: the contract is the same.
    unsafe { LAST.renew(Lock::new(None)) };
}

/// Without memory for the text it is not kept.
pub(crate) fn keep(part: Part, text: &[u8], cause: Cause, foreign: bool) {
    let mut kept = Vec::new();
    let variable = variable_of(part, text);
    let problem = append(&mut kept, text).is_ok().then_some(Problem {
        part,
        text: kept,
        variable,
        cause,
        foreign,
    });
    if let Some(mut last) = unless_forked(&LAST) {
        *last = problem;
    }
}

/// A start begins: forget the problem of an earlier one.
pub(crate) fn forget() {
    if let Some(mut last) = unless_forked(&LAST) {
        *last = None;
    }
}

/// The variable that asks for this, if one does: a program may have an address of its own.
fn variable_of(part: Part, text: &[u8]) -> Option<&'static CStr> {
    let (name, value) = match part {
        Part::Socket => (UNIX_PATH, environment::read_path(UNIX_PATH)),
        Part::Host => (INET_HOST, environment::read(INET_HOST)),
        Part::Port => (INET_PORT, environment::read(INET_PORT)),
        Part::PortFile => (PORT_FILE, environment::read_path(PORT_FILE)),
    };
    (value.ok()?? == text).then_some(name)
}

/// Say it, if the last one had this cause. `None` if not.
pub(crate) fn describe(f: &mut fmt::Formatter<'_>, cause: Cause) -> Option<fmt::Result> {
    let last = unless_forked(&LAST)?;
    let problem = last.as_ref().filter(|problem| problem.cause == cause)?;
    Some(problem.describe(f))
}

impl Problem {
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.part {
            Part::Socket => "socket ",
            Part::Host => "host ",
            Part::Port => "port ",
            Part::PortFile => "port file ",
        })?;
        if self.text.is_empty() {
            f.write_str("\"\"")?;
        }
        write_lossy(f, &self.text)?;
        if let Some(variable) = self.variable {
            f.write_str(" (")?;
            write_lossy(f, variable.to_bytes())?;
            f.write_str(")")?;
        }
        f.write_str(": ")?;
        self.describe_cause(f)
    }

    fn describe_cause(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errno = match self.cause {
            Cause::TooLong | Cause::Sys(libc::ENAMETOOLONG) if self.part == Part::Socket => {
                return write!(f, "longer than {} bytes", limits::SOCKET_PATH);
            }
            Cause::TooLong => libc::ENAMETOOLONG,
            Cause::Alone(Part::Host) => {
                return f.write_str("GHC_EVENTLOG_INET_PORT is not set");
            }
            Cause::Alone(_) => return f.write_str("GHC_EVENTLOG_INET_HOST is not set"),
            Cause::Gai(_) if self.part == Part::Port => return f.write_str(NO_PORT),
            Cause::Gai(code) => return describe_gai(f, code),
            Cause::Sys(errno) => errno,
        };
        match (self.part, errno) {
            _ if self.foreign => f.write_str(FOREIGN),
            (Part::Socket, libc::ENOTSOCK) => {
                f.write_str("what is there is not a socket, and is left alone")
            }
            (Part::PortFile, libc::EEXIST) => {
                f.write_str("what is there is not a port file, and is left alone")
            }
            (Part::Port, libc::EINVAL) => f.write_str(NO_PORT),
            (Part::Socket | Part::Port, libc::EADDRINUSE) => {
                f.write_str("already in use: somebody listens there")
            }
            (Part::Host, libc::EADDRNOTAVAIL) => f.write_str("not an address of this machine"),
            (Part::Socket | Part::PortFile, libc::ENOENT) => {
                describe_errno(f, errno)?;
                f.write_str(" (directories are made only below one of this user's)")
            }
            (_, errno) => describe_errno(f, errno),
        }
    }
}

pub(crate) const FOREIGN: &str = "what is there belongs to another user, and is left alone";
const NO_PORT: &str = "neither a number from 0 to 65535 nor the name of a service";
