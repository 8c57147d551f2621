//! Temporary files that have no name, so that nothing is left of them however the program ends.

use super::name::directory;
use crate::signals;
use crate::system::nameless;
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Opens a file without a name in this directory, for reading and writing.
pub fn unnamed(dir: &Path) -> io::Result<File> {
    match nameless(dir, 0o600) {
        Err(error) if is_unsupported(&error) => named_and_removed(dir),
        other => other,
    }
}

/// Whether the file system has no files without names (old kernels take the flag for another one).
pub(super) fn is_unsupported(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL))
}

fn named_and_removed(dir: &Path) -> io::Result<File> {
    // A signal in between must not leave the named file behind.
    signals::uninterrupted(|| ghc_eventlog::temp_file(dir))
}

/// Makes a file with a name of its own, beside `path`.
pub(super) fn create_new(path: &Path, mode: u32) -> io::Result<(File, PathBuf)> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    loop {
        // The names only have to be different.
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!(".eventlog-{}-{count}.part", std::process::id());
        let path = directory(path).join(name);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(mode);
        match options.open(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek, Write};

    #[test]
    fn both_ways_make_a_file_that_nobody_sees() {
        let dir = std::env::temp_dir().join(format!("eventlog-unnamed-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        for make in [unnamed, named_and_removed] {
            let mut file = make(&dir).unwrap();
            file.write_all(b"text").unwrap();
            file.rewind().unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            assert_eq!(text, "text");
            assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
        }
        std::fs::remove_dir(&dir).unwrap();
        assert!(unnamed(&dir).is_err());
    }
}
