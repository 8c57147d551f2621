//! The directory with the sockets of programs.

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the directory is, whether it exists or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    above: PathBuf,
    name: OsString,
}

impl Place {
    /// The directory of our own user: `$XDG_RUNTIME_DIR/eventlog`, or `/tmp/eventlog-UID` if that
    /// variable is not set to an absolute path.
    pub fn own() -> Self {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        match runtime.filter(|path| path.is_absolute()) {
            Some(above) => Self::below(above, "eventlog"),
            None => Self::below("/tmp", format!("eventlog-{}", own_user())),
        }
    }

    /// The directory with this name in another one.
    pub fn below(above: impl Into<PathBuf>, name: impl Into<OsString>) -> Self {
        let (above, name) = (above.into(), name.into());
        Self { above, name }
    }

    /// The path of the directory.
    pub fn path(&self) -> PathBuf {
        self.above.join(&self.name)
    }

    /// Opens the directory; `None` if there is none.
    ///
    /// # Errors
    ///
    /// If it cannot be opened, is not a directory, is another user's, or others may use it.
    pub fn find(&self) -> Result<Option<Arc<Directory>>, DirectoryError> {
        match self.open() {
            Ok(directory) => Ok(Some(Arc::new(directory))),
            Err(error) if matches!(error.trouble, Trouble::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens the directory, and first makes it with mode 0700 if it does not exist.
    ///
    /// # Errors
    ///
    /// If it cannot be made, and those of [`find`](Self::find).
    pub fn make(&self) -> Result<Arc<Directory>, DirectoryError> {
        let above = self.open_above()?;
        match rustix::fs::mkdirat(&above, &self.name, Mode::RWXU) {
            // Another process may have just made it; it is checked in any case.
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(self.error(Trouble::Make(error.into()))),
        }
        self.open_in(&above).map(Arc::new)
    }

    fn open(&self) -> Result<Directory, DirectoryError> {
        self.open_in(&self.open_above()?)
    }

    /// The directory above, in which only we and root may replace our directory.
    fn open_above(&self) -> Result<OwnedFd, DirectoryError> {
        let told = |cause| DirectoryError {
            path: self.above.clone(),
            trouble: Trouble::Above(cause),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let above = rustix::fs::open(&self.above, flags, Mode::empty());
        let above = above.map_err(|error| told(Some(error.into())))?;
        let about = rustix::fs::fstat(&above).map_err(|error| told(Some(error.into())))?;
        let trusted = about.st_uid == own_user() || about.st_uid == 0;
        let mode = Mode::from_raw_mode(about.st_mode);
        let shared = mode.intersects(Mode::WGRP | Mode::WOTH);
        if !trusted || (shared && !mode.contains(Mode::SVTX)) {
            return Err(told(None));
        }
        Ok(above)
    }

    fn open_in(&self, above: &OwnedFd) -> Result<Directory, DirectoryError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let descriptor = match rustix::fs::openat(above, &self.name, flags, Mode::empty()) {
            Ok(descriptor) => descriptor,
            Err(Errno::NOENT) => return Err(self.error(Trouble::Missing)),
            // Which of the two errors a link causes differs between systems.
            Err(Errno::NOTDIR | Errno::LOOP) => return Err(self.error(Trouble::NoDirectory)),
            Err(error) => {
                // If it belongs to another user, report that: it is more useful than that it cannot
                // be opened.
                let flags = AtFlags::SYMLINK_NOFOLLOW;
                if let Ok(about) = rustix::fs::statat(above, &self.name, flags) {
                    self.check(&about)?;
                }
                return Err(self.error(Trouble::Open(error.into())));
            }
        };
        let about = rustix::fs::fstat(&descriptor);
        let about = about.map_err(|error| self.error(Trouble::Open(error.into())))?;
        self.check(&about)?;
        Ok(Directory {
            path: self.path(),
            descriptor,
            identity: identity(&about),
        })
    }

    fn check(&self, about: &Stat) -> Result<(), DirectoryError> {
        if FileType::from_raw_mode(about.st_mode) != FileType::Directory {
            return Err(self.error(Trouble::NoDirectory));
        }
        if about.st_uid != own_user() {
            return Err(self.error(Trouble::Foreign {
                owner: about.st_uid,
            }));
        }
        let mode = Mode::from_raw_mode(about.st_mode);
        if mode.intersects(Mode::RWXG | Mode::RWXO) {
            #[allow(clippy::useless_conversion, reason = "of another type elsewhere")]
            let mode = u32::from(mode.bits()) & 0o7777;
            return Err(self.error(Trouble::OpenToOthers { mode }));
        }
        Ok(())
    }

    fn error(&self, trouble: Trouble) -> DirectoryError {
        let path = self.path();
        DirectoryError { path, trouble }
    }
}

/// The id of our own user.
pub(super) fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The directory, held open: it belongs to our own user, and no other user may use it.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    descriptor: OwnedFd,
    /// Device and inode number.
    identity: (u64, u64),
}

impl Directory {
    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of all files in it.
    pub(super) fn files(&self) -> io::Result<Vec<OsString>> {
        let mut files = Vec::new();
        for entry in Dir::read_from(&self.descriptor)? {
            let entry = entry?;
            files.push(OsStr::from_bytes(entry.file_name().to_bytes()).to_owned());
        }
        Ok(files)
    }

    /// The file with this name in it, if there is one. Links are not followed.
    pub(super) fn look(&self, file: &OsStr) -> io::Result<Option<Stat>> {
        match rustix::fs::statat(&self.descriptor, file, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(about) => Ok(Some(about)),
            Err(Errno::NOENT | Errno::NAMETOOLONG) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a file from it, if it exists.
    pub(super) fn remove(&self, file: &OsStr) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.descriptor, file, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether this path refers to it.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        rustix::fs::stat(path).is_ok_and(|about| identity(&about) == self.identity)
    }

    /// A short path of a file in it, which refers to this very directory, if the system has such
    /// paths.
    pub(super) fn way_to(&self, file: &OsStr) -> PathBuf {
        let short = PathBuf::from(format!("/proc/self/fd/{}", self.descriptor.as_raw_fd()));
        match cfg!(target_os = "linux") && self.is_at(&short) {
            true => short.join(file),
            false => self.path.join(file),
        }
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Device and inode number of a file.
#[allow(clippy::unnecessary_cast, reason = "of other types elsewhere")]
pub(super) fn identity(about: &Stat) -> (u64, u64) {
    (about.st_dev as u64, about.st_ino as u64)
}

/// Why the directory of programs cannot be used. The text names it, and says what to do.
#[derive(Debug)]
pub struct DirectoryError {
    path: PathBuf,
    trouble: Trouble,
}

/// What is wrong with the directory.
#[derive(Debug)]
#[non_exhaustive]
pub enum Trouble {
    /// It does not exist.
    Missing,
    /// The directory above cannot be opened, or (without a cause) others than its user could
    /// replace files in it.
    Above(Option<io::Error>),
    /// It cannot be made.
    Make(io::Error),
    /// It cannot be opened.
    Open(io::Error),
    /// It is a file or a link.
    NoDirectory,
    /// It belongs to another user.
    Foreign {
        /// The id of that user.
        owner: u32,
    },
    /// Others may read it or write to it.
    OpenToOthers {
        /// Its permissions.
        mode: u32,
    },
}

impl DirectoryError {
    /// Which directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong.
    pub fn trouble(&self) -> &Trouble {
        &self.trouble
    }
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.trouble {
            Trouble::Missing => write!(f, "there is no directory {path}"),
            Trouble::Above(Some(_)) => write!(
                f,
                "cannot open {path}, where the directory of running programs is; make it, or \
                 unset XDG_RUNTIME_DIR"
            ),
            Trouble::Above(None) => write!(
                f,
                "others may exchange files in {path}, so it is not used for the directory of \
                 running programs; take that permission away, or set XDG_RUNTIME_DIR to a \
                 directory of your own"
            ),
            Trouble::Make(_) => write!(
                f,
                "cannot make {path}, the directory of running programs; check that you may write there"
            ),
            Trouble::Open(_) => write!(f, "cannot open {path}, the directory of running programs"),
            Trouble::NoDirectory => write!(
                f,
                "{path} should be the directory of running programs, but is not a directory (links \
                 are not followed); remove it, or set XDG_RUNTIME_DIR to another place"
            ),
            Trouble::Foreign { owner } => write!(
                f,
                "{path}, the directory of running programs, belongs to user {owner}, and you are \
                 user {}; run this as that user, or set XDG_RUNTIME_DIR to a directory of your own",
                own_user()
            ),
            Trouble::OpenToOthers { mode } => write!(
                f,
                "others may use {path}, the directory of running programs (its mode is {mode:04o}); \
                 take that away: chmod 700 {path}"
            ),
        }
    }
}

impl std::error::Error for DirectoryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.trouble {
            Trouble::Above(Some(cause)) | Trouble::Make(cause) | Trouble::Open(cause) => {
                Some(cause)
            }
            _ => None,
        }
    }
}
