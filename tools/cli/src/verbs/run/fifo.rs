//! A FIFO of our own, in a directory that nobody else can enter.

use crate::source::Connection;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Removes itself in the end.
#[derive(Debug)]
pub struct Fifo {
    dir: PathBuf,
    path: PathBuf,
}

impl Fifo {
    pub fn new() -> io::Result<Self> {
        let base = std::env::temp_dir();
        // The RTS splits its options at blanks.
        let blank = |path: &Path| path.to_string_lossy().contains(char::is_whitespace);
        let base = if blank(&base) {
            PathBuf::from("/tmp")
        } else {
            base
        };
        let pid = std::process::id();
        for attempt in 0..1000 {
            let dir = base.join(format!("eventlog-run-{pid}-{attempt}"));
            match DirBuilder::new().mode(0o700).create(&dir) {
                Ok(()) => {
                    let fifo = Self {
                        path: dir.join("log"),
                        dir,
                    };
                    let mode = Mode::RUSR | Mode::WUSR;
                    rustix::fs::mknodat(CWD, &fifo.path, FileType::Fifo, mode, 0)?;
                    return Ok(fifo);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The reading end. The program, which opens it for reading and writing,
    /// does not wait for us; but what it writes only fits while we read.
    pub fn open(&self) -> io::Result<Connection> {
        let flags = OFlags::NONBLOCK.bits() as i32;
        let fifo = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(&self.path)?;
        Ok(Connection::fifo(fifo))
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        // Nothing can be done about a failure, and nothing depends on it.
        let _ = std::fs::remove_file(&self.path);
        let _ = std::fs::remove_dir(&self.dir);
    }
}
