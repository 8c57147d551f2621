//! A file that appears under its name when it is complete, and not before.

use super::name::{destination, directory};
use super::temporary::{create_new, is_unsupported};
use crate::signals;
use crate::system::nameless;
use rustix::fs::{AtFlags, CWD, RenameFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The mode of a new file, before the umask is applied.
const MODE: u32 = 0o666;

/// A file that is being written. Nothing is left of it unless it is completed.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    path: PathBuf,
    /// Its temporary name, on file systems that have no files without names.
    part: Option<signals::Removed>,
}

impl NewFile {
    /// Begins the file with this name, or the target of the link with this name.
    pub fn create(path: &Path) -> io::Result<Self> {
        let path = destination(path)?;
        // Without /proc, a file without a name could not be given one.
        if Path::new("/proc/self/fd").exists() {
            match nameless(directory(&path), MODE) {
                Ok(file) => {
                    let part = None;
                    return Ok(Self { file, path, part });
                }
                Err(error) if is_unsupported(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Self::create_named(path)
    }

    fn create_named(path: PathBuf) -> io::Result<Self> {
        let mut file = None;
        let part = signals::Removed::made(|| {
            let (made, part) = create_new(&path, MODE)?;
            file = Some(made);
            Ok(part)
        })?;
        let file = file.ok_or(io::ErrorKind::NotFound)?;
        let part = Some(part);
        Ok(Self { file, path, part })
    }

    /// The file to write to.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The directory that it will be in.
    pub fn directory(&self) -> &Path {
        directory(&self.path)
    }

    /// Gives it its name. Without `replace`, there must be no file of that name.
    pub fn complete(self, replace: bool) -> io::Result<()> {
        let Self { file, path, part } = self;
        if replace && let Ok(before) = std::fs::metadata(&path) {
            // The file keeps the permissions of the one it replaces. If we may not set them, it has
            // those of a new file.
            let mode = before.permissions().mode() & 0o777;
            let _ = file.set_permissions(std::fs::Permissions::from_mode(mode));
        }
        match part {
            Some(part) => part.rename(|from| rename(from, &path, replace)),
            None => match link(&file, &path) {
                Err(error) if replace && error.kind() == io::ErrorKind::AlreadyExists => {
                    // link(2) cannot replace a file, so the file gets a temporary name first, which
                    // a signal must not leave behind.
                    let part = signals::Removed::made(|| link_beside(&file, &path))?;
                    part.rename(|from| rename(from, &path, true))
                }
                other => other,
            },
        }
    }
}

fn link(file: &File, path: &Path) -> io::Result<()> {
    let from = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(CWD, from, CWD, path, AtFlags::SYMLINK_FOLLOW)?;
    Ok(())
}

fn link_beside(file: &File, path: &Path) -> io::Result<PathBuf> {
    for count in 0.. {
        let name = format!(".eventlog-{}-done-{count}.part", std::process::id());
        let path = directory(path).join(name);
        match link(file, &path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(()) => return Ok(path),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn rename(from: &Path, to: &Path, replace: bool) -> io::Result<()> {
    if replace {
        return std::fs::rename(from, to);
    }
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // The file system cannot do that in one step, but it can in two.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            if to.exists() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            std::fs::rename(from, to)
        }
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn names(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// On file systems of both kinds: with files that have no name, and without.
    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let dir = std::env::temp_dir().join(format!("eventlog-whole-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        let path = dir.join("out");
        let named = |path: &Path| NewFile::create_named(destination(path)?);
        for create in [
            &NewFile::create as &dyn Fn(&Path) -> io::Result<NewFile>,
            &named,
        ] {
            drop(create(&path).unwrap());
            assert!(names(&dir).is_empty());
            let write = |text: &str, replace| {
                let whole = create(&path).unwrap();
                whole.file().write_all(text.as_bytes()).unwrap();
                whole.complete(replace)
            };
            write("one", false).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
            let error = write("two", false).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
            let mode = |mode| std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&path, mode(0o640)).unwrap();
            write("three", true).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "three");
            let about = std::fs::metadata(&path).unwrap();
            assert_eq!(about.permissions().mode() & 0o777, 0o640);
            assert_eq!(names(&dir), ["out"]);
            std::fs::remove_file(&path).unwrap();
            // Through links, which stay.
            std::os::unix::fs::symlink("out", dir.join("link")).unwrap();
            for text in ["four", "five"] {
                let whole = create(&dir.join("link")).unwrap();
                whole.file().write_all(text.as_bytes()).unwrap();
                whole.complete(true).unwrap();
                assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
                assert!(dir.join("link").is_symlink());
            }
            std::fs::remove_file(&path).unwrap();
            std::fs::remove_file(dir.join("link")).unwrap();
        }
        std::fs::remove_dir(&dir).unwrap();
    }
}
