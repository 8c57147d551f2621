//! A FIFO in a directory that no other user can enter.

use crate::system;
use rustix::fs::OFlags;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The FIFO is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Fifo {
    path: PathBuf,
}

impl Fifo {
    /// Makes a FIFO.
    pub(super) fn new() -> io::Result<Self> {
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
                    let fifo = Self::at(dir.join("log"));
                    system::make_fifo(&fifo.path)?;
                    return Ok(fifo);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// A FIFO that exists already.
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the reading end. The program, which opens the FIFO for reading and writing, does not
    /// wait for us; but the FIFO only takes more while we read.
    pub(super) fn open(&self) -> io::Result<File> {
        let flags = OFlags::NONBLOCK.bits() as i32;
        OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(&self.path)
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        // It may already be removed. Nothing can be done about another failure, and nothing depends
        // on it.
        let _ = std::fs::remove_file(&self.path);
        if let Some(dir) = self.path.parent() {
            let _ = std::fs::remove_dir(dir);
        }
    }
}
