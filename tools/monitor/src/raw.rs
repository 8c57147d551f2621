//! The bytes of a log, for reading parts of it again.

use eventlog_series::ReadAt;
use ghc_eventlog::temp_file;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A kept log has about this many files: the oldest is removed when there is too much.
const PARTS: u64 = 16;
/// The smallest and largest size of a file.
const SHORTEST: u64 = 64 << 10;
const LONGEST: u64 = 64 << 20;

/// The bytes of a log after its header. All offsets are counted from there.
#[derive(Debug)]
pub(crate) struct Raw(RwLock<Storage>);

#[derive(Debug)]
enum Storage {
    /// The file that is read, and the offset of the log in it.
    File(Arc<File>, u64),
    /// Unnamed files, which the system removes when they are closed.
    Kept(Kept),
    /// Nothing is available, for this reason.
    Lost(String),
}

/// The newest bytes of a log.
#[derive(Debug)]
struct Kept {
    directory: PathBuf,
    /// How many bytes are kept; `None`: all.
    limit: Option<u64>,
    parts: VecDeque<Part>,
}

#[derive(Debug)]
struct Part {
    file: Arc<File>,
    begin: u64,
    length: u64,
}

impl Kept {
    fn part_length(&self) -> u64 {
        self.limit
            .map_or(LONGEST, |limit| (limit / PARTS).clamp(SHORTEST, LONGEST))
    }

    fn end(&self) -> u64 {
        self.parts.back().map_or(0, |part| part.begin + part.length)
    }
}

impl Raw {
    /// A log in this file, from this offset on.
    pub(crate) fn file(file: File, begin: u64) -> Self {
        Self(RwLock::new(Storage::File(Arc::new(file), begin)))
    }

    /// A log whose newest bytes are kept in this directory.
    pub(crate) fn kept(directory: &Path, limit: Option<u64>) -> Self {
        Self(RwLock::new(Storage::Kept(Kept {
            directory: directory.to_owned(),
            limit,
            parts: VecDeque::new(),
        })))
    }

    fn read(&self) -> RwLockReadGuard<'_, Storage> {
        // Every change under this lock is complete before anything could panic.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Storage> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends bytes at `offset`. Returns the new begin of the kept part. If they cannot be
    /// written, nothing is available from then on; the error is returned once.
    pub(crate) fn push(&self, offset: u64, bytes: &[u8]) -> io::Result<u64> {
        let written = self.put(offset, bytes);
        if let Err(error) = &written {
            let message = format!("the log could not be stored ({error})");
            *self.write() = Storage::Lost(message);
        }
        written
    }

    fn put(&self, offset: u64, bytes: &[u8]) -> io::Result<u64> {
        // Only the thread that reads the source writes, so nothing changes between the locks.
        let last = match &*self.read() {
            Storage::File(..) => return Ok(0),
            Storage::Lost(_) => return Ok(offset + bytes.len() as u64),
            Storage::Kept(kept) => {
                let full = kept.part_length();
                let last = kept.parts.back();
                let last = last.filter(|part| part.length < full && kept.end() == offset);
                last.map(|part| (Arc::clone(&part.file), part.length))
            }
        };
        match last {
            Some((file, length)) => {
                file.write_all_at(bytes, length)?;
                if let Storage::Kept(kept) = &mut *self.write()
                    && let Some(part) = kept.parts.back_mut()
                {
                    part.length += bytes.len() as u64;
                }
            }
            None => {
                let directory = match &*self.read() {
                    Storage::Kept(kept) => kept.directory.clone(),
                    _ => PathBuf::new(),
                };
                let file = temp_file(&directory)?;
                file.write_all_at(bytes, 0)?;
                if let Storage::Kept(kept) = &mut *self.write() {
                    kept.parts.push_back(Part {
                        file: Arc::new(file),
                        begin: offset,
                        length: bytes.len() as u64,
                    });
                }
            }
        }
        match &mut *self.write() {
            Storage::Kept(kept) => Ok(kept.forget()),
            _ => Ok(0),
        }
    }
}

impl ReadAt for Raw {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let (file, at, most) = match &*self.read() {
            Storage::File(file, begin) => (Arc::clone(file), begin + offset, u64::MAX),
            Storage::Kept(kept) => {
                let next = kept.parts.partition_point(|part| part.begin <= offset);
                let part = next.checked_sub(1).and_then(|at| kept.parts.get(at));
                let part = part.ok_or_else(gone)?;
                let at = offset - part.begin;
                let most = part.length.saturating_sub(at);
                (Arc::clone(&part.file), at, most)
            }
            Storage::Lost(why) => return Err(io::Error::other(why.clone())),
        };
        let room = usize::try_from(most).map_or(buffer.len(), |most| most.min(buffer.len()));
        loop {
            match FileExt::read_at(&*file, &mut buffer[..room], at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
}

fn gone() -> io::Error {
    let message = "this part of the log is not kept any more";
    io::Error::new(io::ErrorKind::NotFound, message)
}

impl Kept {
    /// Removes the oldest files beyond the limit; returns where the rest begins.
    fn forget(&mut self) -> u64 {
        let limit = self.limit.unwrap_or(u64::MAX);
        let mut total: u64 = self.parts.iter().map(|part| part.length).sum();
        while total > limit && self.parts.len() > 1 {
            total -= self.parts.pop_front().map_or(0, |part| part.length);
        }
        self.parts.front().map_or(0, |part| part.begin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_bytes_stay_where_they_were() {
        let directory = std::env::temp_dir();
        let raw = Raw::kept(&directory, Some(1 << 20));
        let bytes: Vec<u8> = (0..10_000u32).flat_map(u32::to_be_bytes).collect();
        let mut begin = 0;
        for round in 0..100 {
            begin = raw.push(round * 40_000, &bytes).unwrap();
        }
        let end = 100 * 40_000;
        assert!(end - begin <= 1 << 20, "{begin}");
        assert!(end - begin > (1 << 20) - 200_000, "{begin}");
        for offset in [begin, begin + 1, end - 40_004, end - 4] {
            let mut buffer = [0; 4];
            assert_eq!(raw.read_at(offset, &mut buffer).unwrap(), 4);
            let at = (offset % 40_000) as usize;
            assert_eq!(buffer, bytes[at..at + 4], "{offset}");
        }
        assert_eq!(raw.read_at(end, &mut [0; 4]).unwrap(), 0);
        let before = raw.read_at(begin - 1, &mut [0; 4]).unwrap_err();
        assert_eq!(before.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_cannot_be_written_is_told_once() {
        let raw = Raw::kept(Path::new("/nonexistent"), None);
        assert!(raw.push(0, b"bytes").is_err());
        assert!(raw.push(5, b"bytes").is_ok());
        let error = raw.read_at(0, &mut [0; 4]).unwrap_err();
        assert!(error.to_string().contains("could not be stored"), "{error}");
    }
}
