//! Files in a directory that perhaps not only we may write to.
//!
//! Whoever may write to a directory can exchange what has a name in it at any moment, and
//! whoever owns one above it can exchange the directory. So it is opened once, and all
//! that is done in it is done by its descriptor and a plain name: what such a person can
//! have us do happens in a directory in which they could have done it themselves. Where
//! others may write, what is found is touched only if it is our own user's.

use std::ffi::{CStr, CString, c_int};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::identity::{self, Identity, OwnDescriptor};
use crate::system::{self, LOOK};

/// Why something could not be done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub errno: c_int,
    /// It is another user's, in a directory that others may write to.
    pub foreign: bool,
}

impl Problem {
    pub(crate) fn new(errno: c_int) -> Problem {
        Problem {
            errno,
            foreign: false,
        }
    }

    /// Another user's file is in the way.
    pub(crate) fn foreign(errno: c_int) -> Problem {
        Problem {
            errno,
            foreign: true,
        }
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Problem {
        // Errors without a number are made by the standard library itself, of arguments it
        // refuses.
        Problem::new(error.raw_os_error().unwrap_or(libc::EINVAL))
    }
}

/// Where a file is to be. Absolute: the program may change its directory.
#[derive(Debug)]
pub(crate) struct Place {
    pub path: CString,
    pub folder: CString,
    pub name: CString,
}

impl Place {
    pub(crate) fn of(path: &[u8]) -> io::Result<Place> {
        let mut here = [0u8; libc::PATH_MAX as usize];
        let before = if path.first() == Some(&b'/') {
            &[][..]
        } else {
            current_folder(&mut here)?
        };
        let (folder, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(at) => (&path[..at], &path[at + 1..]),
            None => (&[][..], path),
        };
        if name.is_empty() {
            return Err(error(libc::EISDIR));
        }
        let (slash, dot) = (&b"/"[..], &b"/."[..]);
        Ok(Place {
            path: join(&[before, if before.is_empty() { b"" } else { slash }, path])?,
            // The dot is for the root.
            folder: join(&[
                before,
                if before.is_empty() { b"" } else { slash },
                folder,
                dot,
            ])?,
            name: join(&[name])?,
        })
    }
}

fn current_folder(buffer: &mut [u8]) -> io::Result<&[u8]> {
    // SAFETY: room for as much as is said.
    if unsafe { libc::getcwd(buffer.as_mut_ptr().cast(), buffer.len()) }.is_null() {
        return Err(io::Error::last_os_error());
    }
    let end = buffer.iter().position(|byte| *byte == 0);
    Ok(&buffer[..end.unwrap_or(0)])
}

/// One string of several. An error if there is no memory for it, or a NUL in it.
pub(crate) fn join(pieces: &[&[u8]]) -> io::Result<CString> {
    let mut all = Vec::new();
    let length = pieces.iter().map(|piece| piece.len()).sum::<usize>();
    // With room for the NUL, so that what follows allocates nothing.
    if all.try_reserve_exact(length + 1).is_err() {
        return Err(error(libc::ENOMEM));
    }
    for piece in pieces {
        all.extend_from_slice(piece);
    }
    CString::new(all).map_err(|_| error(libc::EINVAL))
}

fn error(errno: c_int) -> io::Error {
    io::Error::from_raw_os_error(errno)
}

/// What is asked about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub identity: Identity,
    pub kind: libc::mode_t,
    /// Permissions.
    pub mode: libc::mode_t,
    pub owner: libc::uid_t,
    pub links: u64,
}

impl Found {
    fn of(file: &libc::stat) -> Found {
        #[allow(clippy::unnecessary_cast, reason = "of other types elsewhere")]
        Found {
            identity: identity::named(file),
            kind: file.st_mode & libc::S_IFMT,
            mode: file.st_mode & 0o7777,
            owner: file.st_uid,
            links: file.st_nlink as u64,
        }
    }

    /// What an open descriptor is of.
    pub(crate) fn behind(descriptor: &impl AsRawFd) -> io::Result<Found> {
        match identity::stat(descriptor.as_raw_fd()) {
            Some(file) => Ok(Found::of(&file)),
            None => Err(io::Error::last_os_error()),
        }
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.owner == own_user()
    }
}

fn own_user() -> libc::uid_t {
    // SAFETY: no arguments.
    unsafe { libc::geteuid() }
}

/// A directory that is held open.
#[derive(Debug)]
pub(crate) struct Folder {
    descriptor: OwnDescriptor,
    found: Found,
}

impl Folder {
    /// One that is there.
    pub(crate) fn open(path: &CStr) -> io::Result<Folder> {
        let descriptor = open_at(libc::AT_FDCWD, path, LOOK | libc::O_DIRECTORY, 0)?;
        Ok(Folder {
            found: Found::behind(&descriptor)?,
            descriptor: OwnDescriptor::new(descriptor),
        })
    }

    /// The same. Directories that are missing are made, only for our own user, if they are
    /// below one that is ours; and where others cannot touch what we make, as in `/tmp`, the
    /// one in which programs of our user are looked for: `eventlog-UID`.
    pub(crate) fn open_or_make(path: &CStr) -> io::Result<Folder> {
        match Folder::open(path) {
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                Folder::make(path.to_bytes())
            }
            opened => opened,
        }
    }

    /// Make what is missing of this absolute path.
    fn make(path: &[u8]) -> io::Result<Folder> {
        let cut = |path: &[u8]| path.iter().rposition(|byte| *byte == b'/');
        let mut known = path;
        let mut folder = loop {
            let end = cut(known).ok_or_else(|| error(libc::ENOENT))?;
            known = &known[..end];
            match Folder::open(&join(&[known, b"/"])?) {
                Err(missing) if missing.kind() == io::ErrorKind::NotFound => {}
                opened => break opened?,
            }
        };
        let names = path[known.len()..].split(|byte| *byte == b'/');
        let mut names = names.filter(|name| !name.is_empty() && *name != b".");
        let found_there = |name| folder.is_for_everybody() && is_where_we_are_found(name);
        if !folder.found.is_ours() && !names.clone().next().is_some_and(found_there) {
            return Err(error(libc::ENOENT));
        }
        for name in &mut names {
            // What is above a directory that is not there?
            if name == b".." {
                return Err(error(libc::ENOENT));
            }
            folder = folder.make_within(&join(&[name])?)?;
        }
        Ok(folder)
    }

    /// A directory in this one, which perhaps another process of ours has just made.
    fn make_within(&self, name: &CStr) -> io::Result<Folder> {
        // SAFETY: an open descriptor, and a string.
        match check(unsafe { libc::mkdirat(self.fd(), name.as_ptr(), 0o700) }) {
            Err(taken) if taken.kind() != io::ErrorKind::AlreadyExists => return Err(taken),
            _ => {}
        }
        let flags = LOOK | libc::O_DIRECTORY | libc::O_NOFOLLOW;
        let descriptor = open_at(self.fd(), name, flags, 0)?;
        let found = Found::behind(&descriptor)?;
        if !found.is_ours() {
            return Err(error(libc::EPERM));
        }
        Ok(Folder {
            descriptor: OwnDescriptor::new(descriptor),
            found,
        })
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }

    /// The program has not closed the descriptor.
    pub(crate) fn is_open(&self) -> bool {
        self.descriptor.is_still_open()
    }

    pub(crate) fn identity(&self) -> Identity {
        self.found.identity
    }

    /// Somebody other than our own user and root may write to it. What an access control
    /// list allows shows in the bits of the group.
    pub(crate) fn others_may_write(&self) -> bool {
        let owner = self.found.owner;
        (owner != 0 && owner != own_user()) || self.found.mode & 0o022 != 0
    }

    /// It is as `/tmp`: everybody may make something in it, and nobody but root may touch what
    /// is another's.
    fn is_for_everybody(&self) -> bool {
        let sticky = libc::S_ISVTX | libc::S_IWOTH;
        self.found.owner == 0 && self.found.mode & sticky == sticky
    }

    /// What was found in it may be replaced, removed or changed.
    pub(crate) fn may_touch(&self, found: &Found) -> bool {
        found.is_ours() || !self.others_may_write()
    }

    /// Nobody may do in it what they could not do in that one.
    pub(crate) fn is_as_safe_as(&self, other: &Folder) -> bool {
        let (now, before) = (self.found, other.found);
        let owner = [before.owner, own_user(), 0].contains(&now.owner);
        let writers = now.mode & 0o022;
        let sticky = libc::S_ISVTX;
        owner
            && writers & !before.mode == 0
            && (writers == 0 || now.mode & sticky == before.mode & sticky || now.mode & sticky != 0)
    }

    /// What has this name now; `None` for nothing. Links are not followed.
    pub(crate) fn look(&self, name: &CStr) -> io::Result<Option<Found>> {
        look_at(self.fd(), name)
    }

    /// Open what has this name now, if it is not a link.
    pub(crate) fn open_file(&self, name: &CStr, flags: c_int) -> io::Result<File> {
        let flags = flags | libc::O_NOFOLLOW | libc::O_NONBLOCK;
        open_at(self.fd(), name, flags, 0o600).map(File::from)
    }

    /// A descriptor of what has this name now, which only allows to look at it.
    #[cfg(target_os = "linux")]
    pub(crate) fn open_to_look(&self, name: &CStr) -> io::Result<OwnedFd> {
        open_at(self.fd(), name, LOOK | libc::O_NOFOLLOW, 0)
    }

    /// The directory itself, to be locked.
    pub(crate) fn open_to_lock(&self) -> io::Result<File> {
        open_at(self.fd(), c".", libc::O_RDONLY | libc::O_DIRECTORY, 0).map(File::from)
    }

    /// Remove this name, if it is still that of this file. (Who can put another one there
    /// in between could have removed that, too.)
    pub(crate) fn remove(&self, name: &CStr, file: Identity) -> io::Result<()> {
        if self.look(name)?.is_none_or(|found| found.identity != file) {
            return Err(error(libc::ENOENT));
        }
        // SAFETY: an open descriptor, and a string.
        check(unsafe { libc::unlinkat(self.fd(), name.as_ptr(), 0) })
    }

    /// Of what has this name now. Not of what a link leads to, where the system can tell.
    pub(crate) fn change_mode(&self, name: &CStr, mode: libc::mode_t) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        let flags = 0;
        #[cfg(not(target_os = "linux"))]
        let flags = libc::AT_SYMLINK_NOFOLLOW;
        // SAFETY: an open descriptor, and a string.
        check(unsafe { libc::fchmodat(self.fd(), name.as_ptr(), mode, flags) })
    }

    /// Give a file another name, which nothing has yet.
    pub(crate) fn link(&self, name: &CStr, another: &CStr) -> io::Result<()> {
        let folder = self.fd();
        // SAFETY: an open descriptor, and strings.
        check(unsafe { libc::linkat(folder, name.as_ptr(), folder, another.as_ptr(), 0) })
    }

    /// Rename a file. What has the name already is replaced.
    pub(crate) fn rename(&self, name: &CStr, to: &CStr) -> io::Result<()> {
        // SAFETY: an open descriptor, and strings.
        check(unsafe { libc::renameat(self.fd(), name.as_ptr(), self.fd(), to.as_ptr()) })
    }

    /// Rename a file. If something has the name already, that is an error.
    pub(crate) fn rename_to_new(&self, name: &CStr, to: &CStr) -> io::Result<()> {
        if let Some(renamed) = system::rename_to_new(self.fd(), name, to) {
            return renamed;
        }
        if self.look(to)?.is_some() {
            return Err(error(libc::EEXIST));
        }
        self.rename(name, to)
    }
}

/// A name of the directory in which tools look for the programs of our user.
fn is_where_we_are_found(name: &[u8]) -> bool {
    let Some(user) = name.strip_prefix(b"eventlog-") else {
        return false;
    };
    let digits = std::str::from_utf8(user).ok();
    let number = digits
        .filter(|_| user.iter().all(u8::is_ascii_digit) && !(user.len() > 1 && user[0] == b'0'));
    number.and_then(|digits| digits.parse().ok()) == Some(own_user())
}

/// What this absolute path leads to; `None` for nothing. If it is a link, then that.
pub(crate) fn look_by_path(path: &CStr) -> io::Result<Option<Found>> {
    look_at(libc::AT_FDCWD, path)
}

fn look_at(folder: RawFd, name: &CStr) -> io::Result<Option<Found>> {
    let mut file = MaybeUninit::<libc::stat>::uninit();
    let flags = libc::AT_SYMLINK_NOFOLLOW;
    // SAFETY: a string, and room for the answer.
    match check(unsafe { libc::fstatat(folder, name.as_ptr(), file.as_mut_ptr(), flags) }) {
        // SAFETY: filled in.
        Ok(()) => Ok(Some(Found::of(unsafe { file.assume_init_ref() }))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn open_at(folder: RawFd, name: &CStr, flags: c_int, mode: c_int) -> io::Result<OwnedFd> {
    loop {
        // SAFETY: a string; the mode is of the type that a variadic argument has.
        let fd = unsafe { libc::openat(folder, name.as_ptr(), flags | libc::O_CLOEXEC, mode) };
        if fd >= 0 {
            // SAFETY: a descriptor that was just opened, and that nobody else owns.
            return system::off_standard(unsafe { OwnedFd::from_raw_fd(fd) });
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn check(outcome: c_int) -> io::Result<()> {
    if outcome < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
