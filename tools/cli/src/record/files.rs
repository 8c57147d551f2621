//! Numbered files: a new one for each session and each rotation, never
//! overwriting what is there.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// When a file is closed and the next one begun.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rotation {
    /// At about so many bytes.
    pub size: Option<u64>,
    /// After so long.
    pub time: Option<Duration>,
    /// How many files to keep.
    pub keep: Option<usize>,
}

/// The end mark of a log.
const DATA_END: [u8; 2] = [0xff; 2];

/// Files of one recording.
#[derive(Debug)]
pub struct Files {
    first: PathBuf,
    force: bool,
    rotation: Rotation,
    sync: Option<Duration>,
    number: u32,
    current: Option<Current>,
    written: VecDeque<PathBuf>,
    /// Bytes in all files.
    pub total: u64,
    /// Files begun.
    pub count: u32,
}

#[derive(Debug)]
struct Current {
    file: File,
    path: PathBuf,
    bytes: u64,
    opened: Instant,
    synced: Instant,
}

impl Files {
    /// Files that begin with `first`. The first one must not exist, unless
    /// `force` allows to replace it.
    pub fn new(first: PathBuf, force: bool, rotation: Rotation, sync: Option<Duration>) -> Self {
        Self {
            first,
            force,
            rotation,
            sync,
            number: 0,
            current: None,
            written: VecDeque::new(),
            total: 0,
            count: 0,
        }
    }

    /// The file being written, or else the last one.
    pub fn path(&self) -> &Path {
        match &self.current {
            Some(current) => &current.path,
            None => self.written.back().map_or(&self.first, |path| path),
        }
    }

    /// Whether files are ever closed before the log ends.
    pub fn rotates(&self) -> bool {
        self.rotation.size.is_some() || self.rotation.time.is_some()
    }

    /// Whether the present file is due to be closed at the next boundary.
    pub fn is_due(&self) -> bool {
        self.current.as_ref().is_some_and(|current| {
            self.rotation.size.is_some_and(|size| current.bytes >= size)
                || self
                    .rotation
                    .time
                    .is_some_and(|time| current.opened.elapsed() >= time)
        })
    }

    /// Appends to the present file; begins one if there is none.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.current.is_none() {
            self.begin()?;
        }
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        current.file.write_all(bytes)?;
        current.bytes += bytes.len() as u64;
        self.total += bytes.len() as u64;
        if self
            .sync
            .is_some_and(|every| current.synced.elapsed() >= every)
        {
            current.file.sync_data()?;
            current.synced = Instant::now();
        }
        Ok(())
    }

    /// Closes the present file at a place where the log goes on elsewhere.
    pub fn rotate(&mut self) -> io::Result<()> {
        self.write(&DATA_END)?;
        self.end()
    }

    /// Closes the present file.
    pub fn end(&mut self) -> io::Result<()> {
        if let Some(current) = self.current.take() {
            if self.sync.is_some() {
                current.file.sync_all()?;
            }
            self.written.push_back(current.path);
            while self
                .rotation
                .keep
                .is_some_and(|keep| self.written.len() > keep.max(1))
            {
                if let Some(oldest) = self.written.pop_front() {
                    fs::remove_file(&oldest)?;
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> io::Result<()> {
        let (file, path) = loop {
            self.number += 1;
            let path = numbered(&self.first, self.number);
            let mut options = OpenOptions::new();
            // Other than regular files (a FIFO, /dev/null) are there already.
            let special = fs::metadata(&path).is_ok_and(|about| !about.is_file());
            options.write(true);
            match (self.force || special, self.number) {
                (true, _) => options.create(true).truncate(true),
                (false, _) => options.create_new(true),
            };
            match options.open(&path) {
                Ok(file) => break (file, path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && self.number > 1 => {}
                Err(error) => return Err(error),
            }
        };
        let now = Instant::now();
        self.count += 1;
        self.current = Some(Current {
            file,
            path,
            bytes: 0,
            opened: now,
            synced: now,
        });
        Ok(())
    }
}

/// `log.eventlog`, `log.0002.eventlog`, `log.0003.eventlog`, ...
fn numbered(first: &Path, number: u32) -> PathBuf {
    if number == 1 {
        return first.to_owned();
    }
    let mut name = first.file_stem().unwrap_or_default().to_owned();
    name.push(format!(".{number:04}"));
    if let Some(extension) = first.extension() {
        name.push(".");
        name.push(extension);
    }
    first.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_before_the_extension() {
        assert_eq!(
            numbered(Path::new("a/b.eventlog"), 1),
            Path::new("a/b.eventlog")
        );
        assert_eq!(
            numbered(Path::new("a/b.eventlog"), 2),
            Path::new("a/b.0002.eventlog")
        );
        assert_eq!(numbered(Path::new("log"), 12), Path::new("log.0012"));
    }
}
