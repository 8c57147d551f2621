//! Linux.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode};
use rustix::net::SendFlags;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Without waiting, and without a signal if the reader is gone.
pub(crate) const SEND: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);

/// Makes a FIFO, accessible only to its owner.
pub(crate) fn make_fifo(path: &Path) -> io::Result<()> {
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::mknodat(CWD, path, FileType::Fifo, mode, 0)?;
    Ok(())
}

/// This very program, even if another file has its name now. The path can only be used to start it.
///
/// # Errors
///
/// Those of the system.
pub fn own_executable() -> io::Result<PathBuf> {
    Ok("/proc/self/exe".into())
}

/// A process that is not our child.
pub(crate) enum Watched {
    Descriptor(OwnedFd),
    /// Its directory in /proc, if the system has no process descriptors.
    Directory(String),
}

impl Watched {
    pub(crate) fn of(number: u32) -> Self {
        let pid = i32::try_from(number).ok().and_then(Pid::from_raw);
        match pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) {
            Some(descriptor) => Self::Descriptor(descriptor),
            None => Self::Directory(format!("/proc/{number}")),
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        match self {
            Self::Descriptor(descriptor) => {
                let mut fds = [PollFd::new(descriptor, PollFlags::IN)];
                let now = Timespec {
                    tv_sec: 0,
                    tv_nsec: 0,
                };
                poll(&mut fds, Some(&now)).is_ok_and(|count| count > 0)
            }
            Self::Directory(path) => !Path::new(path).exists(),
        }
    }
}
