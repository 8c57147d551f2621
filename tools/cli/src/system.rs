//! Functions that each operating system needs its own version of.

use std::fs::File;
use std::io;
use std::path::Path;

/// A file that never had a name. Not every file system has them.
#[cfg(target_os = "linux")]
pub fn nameless(dir: &Path, mode: u32) -> io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags};
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = rustix::fs::openat(CWD, dir, flags, Mode::from_raw_mode(mode))?;
    Ok(file.into())
}

/// A file that never had a name. There are none here.
#[cfg(not(target_os = "linux"))]
pub fn nameless(_dir: &Path, _mode: u32) -> io::Result<File> {
    Err(rustix::io::Errno::OPNOTSUPP.into())
}
