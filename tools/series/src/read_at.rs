//! Where the bytes of a log are read again.

use std::io;

/// A log that can be read at any place: a file, a mapping, the newest part of a
/// live stream.
///
/// Offsets are those of the log, as given to [`Rows::block`](crate::Rows::block).
/// Reading a part that is not kept any more is an error; reading beyond the end returns
/// 0 bytes and is not an error.
pub trait ReadAt {
    /// Reads bytes at `offset` into the front of `into`. Returns how many bytes were
    /// read; 0 at the end.
    ///
    /// # Errors
    ///
    /// Those of the storage of the log.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;
}

impl ReadAt for [u8] {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.get(at..));
        let rest = rest.unwrap_or_default();
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self[..].read_at(offset, into)
    }
}

#[cfg(unix)]
impl ReadAt for std::fs::File {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, into, offset)
    }
}

impl<R: ReadAt + ?Sized> ReadAt for &R {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(offset, into)
    }
}
