//! The Unix socket, and the rules for the file it leaves in the file system.
//!
//! * A file that is not a socket is never touched.
//! * A socket that somebody listens on is left to them; one that nobody
//!   listens on is left over from a dead process and replaced.
//! * The file is only its owner's (mode 0600).
//! * At the end the file is removed if it is still the one that was made here.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::BACKLOG;
use crate::limits;
use crate::status::{Error, Result};

/// How long, and how often, to wait for others who start at the same place.
const TURN: Duration = Duration::from_millis(5);
const TURNS: usize = 200;

/// The file of a listening socket.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    /// Remove the file if it is still ours. Async-signal-safety is not needed;
    /// called by the poll thread and at exit, where the loser finds it gone.
    pub(crate) fn remove(&self) {
        let still_ours = std::fs::symlink_metadata(&self.path).is_ok_and(|file| {
            file.file_type().is_socket() && file.dev() == self.device && file.ino() == self.inode
        });
        if still_ours {
            // Gone already is as good.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Listen at `path`.
pub(crate) fn listen(path: &[u8]) -> Result<(OwnedFd, SocketFile)> {
    if path.is_empty() || path.contains(&0) {
        return Err(Error::Sys(libc::EINVAL));
    }
    if path.len() > limits::SOCKET_PATH {
        return Err(Error::Sys(libc::ENAMETOOLONG));
    }
    let path = Path::new(OsStr::from_bytes(path));
    let _turn = take_turn(path);
    make_way(path)?;
    let socket = super::socket(libc::AF_UNIX)?;
    // On Linux the file gets the mode of the socket, so that nobody else can
    // connect in between; elsewhere this may fail, and the mode is set below.
    // SAFETY: a descriptor that is open.
    unsafe { libc::fchmod(socket.as_raw_fd(), 0o600) };
    bind(&socket, path)?;
    let made = std::fs::symlink_metadata(path)?;
    // An absolute path still names the file when the program has changed its
    // directory.
    let file = SocketFile {
        path: std::path::absolute(path)?,
        device: made.dev(),
        inode: made.ino(),
    };
    let listening = restrict(path).and_then(|()| super::listen(&socket, BACKLOG));
    if let Err(error) = listening {
        file.remove();
        return Err(error.into());
    }
    Ok((socket, file))
}

fn restrict(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

/// Two processes that find the same stale socket must not both replace it: the
/// later one would take away what the earlier one has just made. The lock is on the
/// directory, so that it leaves no file; it ends with the descriptor. Where it cannot
/// be had (some network file systems), or somebody keeps it, it is done without.
fn take_turn(path: &Path) -> Option<File> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let directory = File::open(directory).ok()?;
    for _ in 0..TURNS {
        // SAFETY: an open descriptor.
        if unsafe { libc::flock(directory.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
            return Some(directory);
        }
        std::thread::sleep(TURN);
    }
    None
}

/// Remove a socket that nobody listens on any more.
fn make_way(path: &Path) -> Result<()> {
    let file = match std::fs::symlink_metadata(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !file.file_type().is_socket() {
        return Err(Error::Sys(libc::ENOTSOCK));
    }
    match probe(path) {
        Err(error) if error.raw_os_error() == Some(libc::ECONNREFUSED) => {
            Ok(std::fs::remove_file(path)?)
        }
        // Somebody answers, or would if their queue were not full, or may not be
        // asked: theirs.
        _ => Err(Error::Sys(libc::EADDRINUSE)),
    }
}

/// Connect without waiting.
fn probe(path: &Path) -> io::Result<UnixStream> {
    let socket = super::socket(libc::AF_UNIX).map_err(|_| io::ErrorKind::Other)?;
    let (address, len) = address(path);
    // SAFETY: an open socket, and an address of the length given.
    let connected = unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), len) };
    if connected < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(UnixStream::from(socket))
}

fn bind(socket: &OwnedFd, path: &Path) -> io::Result<()> {
    let (address, len) = address(path);
    // SAFETY: an open socket, and an address of the length given.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len) };
    if bound < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// `path` has been checked to fit.
fn address(path: &Path) -> (libc::sockaddr_un, libc::socklen_t) {
    // SAFETY: all zeroes are a value of this C struct.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let bytes = path.as_os_str().as_bytes();
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = *from as libc::c_char;
    }
    let len = std::mem::offset_of!(libc::sockaddr_un, sun_path) + bytes.len() + 1;
    (address, len as libc::socklen_t)
}
