//! Names and modes of files and directories, and the lock on a session.

use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};
use rustix::io::Errno;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The largest number of bytes of a session's name without its number.
pub const NAME_BYTES: usize = 64;

/// The beginning of the names of directories that are not sessions yet.
const NEW: &str = ".new-";

pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const NOTES: &str = "notes.jsonl";

/// The file of a part.
pub(crate) fn part_path(session: &Path, number: u32) -> PathBuf {
    session.join(format!("{number:04}.eventlog"))
}

/// The index of a part.
pub(crate) fn index_path(session: &Path, number: u32) -> PathBuf {
    session.join(format!("{number:04}.index"))
}

/// The number of the part whose file has this name.
pub(crate) fn part_number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".eventlog")?;
    let number = digits.len() >= 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| number)
}

/// Makes a directory that only its owner can use, and those above it. An existing one is not
/// changed.
pub(crate) fn make_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes a file that only its owner can use. It must not exist.
pub(crate) fn create_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    options.open(path)
}

/// Makes a file that begins with these bytes, and gets its name only once they are written.
pub(crate) fn create_with(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let new = hidden(path);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let made = options.open(&new).and_then(|mut file| {
        file.write_all(bytes)?;
        fs::rename(&new, path)?;
        Ok(file)
    });
    if made.is_err() {
        // It takes space that is needed.
        let _ = fs::remove_file(&new);
    }
    made
}

/// Replaces a file atomically, so that its name always refers to a whole one.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    create_with(path, bytes).map(drop)
}

/// The name of a file until it is whole.
fn hidden(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default();
    path.with_file_name(format!(".{}.new", name.to_string_lossy()))
}

/// A directory of a session, locked for as long as this exists.
#[derive(Debug)]
pub(crate) struct Locked {
    path: PathBuf,
    /// The directory that is locked.
    dir: File,
}

impl Locked {
    /// Locks an existing session; `None` if another process has locked it.
    pub(crate) fn lock(path: &Path) -> io::Result<Option<Self>> {
        let dir = File::open(path)?;
        match flock(&dir, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let path = path.to_owned();
        let locked = Self { path, dir };
        // It may have been removed, or replaced, just before.
        match locked.is_in_place() {
            true => Ok(Some(locked)),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Whether a process is recording this session.
    pub(crate) fn is_locked(path: &Path) -> bool {
        let shared = FlockOperation::NonBlockingLockShared;
        File::open(path).is_ok_and(|dir| matches!(flock(&dir, shared), Err(Errno::WOULDBLOCK)))
    }

    /// Makes the directory of a new session: `NAME-0001`, or the number after the highest that
    /// exists. It gets its name only once it is locked, and no two get the same.
    pub(crate) fn create(store: &Path, name: &str) -> io::Result<Self> {
        // The name only has to be unique.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        make_dir(store)?;
        remove_abandoned(store);
        let (new, dir) = loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let new = store.join(format!("{NEW}{}-{count}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&new) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            }
            let dir = File::open(&new)?;
            flock(&dir, FlockOperation::NonBlockingLockExclusive)?;
            break (new, dir);
        };
        let mut number = highest(store, name)? + 1;
        loop {
            let path = store.join(format!("{name}-{number:04}"));
            match rename_new(&new, &path) {
                Ok(()) => return Ok(Self { path, dir }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => {
                    let _ = fs::remove_dir(&new);
                    return Err(error);
                }
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the name still refers to the directory that is locked.
    pub(crate) fn is_in_place(&self) -> bool {
        is_same(&self.path, &self.dir)
    }
}

/// Whether a path refers to an open file.
pub(crate) fn is_same(path: &Path, file: &File) -> bool {
    let identity = |about: fs::Metadata| (about.dev(), about.ino());
    let there = fs::metadata(path).map(identity).ok();
    there.is_some() && there == file.metadata().map(identity).ok()
}

/// Renames a directory unless the new name exists.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // The file system cannot do this in one step, but it can make a directory atomically.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            DirBuilder::new().mode(0o700).create(to)?;
            // `rename` replaces an empty directory.
            fs::rename(from, to)
        }
        other => Ok(other?),
    }
}

/// The highest number of a session of this name.
fn highest(store: &Path, name: &str) -> io::Result<u32> {
    let mut highest = 0;
    for entry in fs::read_dir(store)? {
        let entry = entry?.file_name();
        let rest = entry.to_str().and_then(|entry| entry.strip_prefix(name));
        let number = rest.and_then(|rest| rest.strip_prefix('-')?.parse().ok());
        highest = number.unwrap_or(0).max(highest);
    }
    Ok(highest)
}

/// Removes directories of processes that were killed before their session had a name.
fn remove_abandoned(store: &Path) {
    const LONG: std::time::Duration = std::time::Duration::from_secs(60);
    for entry in fs::read_dir(store).into_iter().flatten().flatten() {
        let is_new = entry.file_name().to_string_lossy().starts_with(NEW);
        let age = || entry.metadata().ok()?.modified().ok()?.elapsed().ok();
        if is_new && age().is_some_and(|age| age > LONG) {
            // This removes only an empty one.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Makes a name usable in the name of a directory: letters, digits, `.`, `_` and `-`, and no dot
/// first.
pub(crate) fn as_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let mut shown: String = name
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .take(NAME_BYTES)
        .collect();
    if shown.is_empty() {
        shown.push_str("session");
    }
    if shown.starts_with(['.', '-']) {
        shown.replace_range(..1, "_");
    }
    shown
}
