//! Copied chunks, until everything that is written before them is known.

use crate::files;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes that stay in memory.
const IN_MEMORY: usize = 64 << 20;

/// Bytes, appended once and read often. What does not fit in memory goes to a file without a name.
#[derive(Debug)]
pub struct Spool {
    directory: PathBuf,
    memory: Vec<u8>,
    file: Option<File>,
    len: u64,
}

impl Spool {
    /// An empty one, which makes its file in this directory if it needs one.
    pub fn new(directory: &Path) -> Spool {
        Spool {
            directory: directory.to_owned(),
            memory: Vec::new(),
            file: None,
            len: 0,
        }
    }

    /// Appends, and returns where the bytes begin.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<u64> {
        let at = self.len;
        if self.file.is_none() && self.memory.len() + bytes.len() > IN_MEMORY {
            self.file = Some(files::unnamed(&self.directory)?);
        }
        match &self.file {
            // The bytes in memory stay there: they are the beginning.
            Some(file) => file.write_all_at(bytes, at - self.memory.len() as u64)?,
            None => self.memory.extend_from_slice(bytes),
        }
        self.len += bytes.len() as u64;
        Ok(at)
    }

    /// Replaces the content of `bytes` by this many bytes from there.
    pub fn read(&self, at: u64, len: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        bytes.clear();
        let in_memory = self.memory.len() as u64;
        match &self.file {
            Some(file) if at >= in_memory => {
                bytes.resize(len, 0);
                file.read_exact_at(bytes, at - in_memory)
            }
            // What was pushed in one call is not divided.
            _ => {
                let at = at as usize;
                let found = self.memory.get(at..at + len);
                bytes.extend_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
}
