//! Listening sockets, and the rules for the file of a Unix one.
//!
//! * A file that is not a socket is never touched.
//! * A socket with a listener is left alone; one without is replaced if it belongs to our user.
//! * Only the owner can use the file (mode 0600).
//! * At the end the file is removed if it is still the one that was made here.

use crate::address::Address;
use rustix::fs::{
    AtFlags, FileType, FlockOperation, Mode, OFlags, Stat, chmodat, fchmod, flock, open, statat,
    unlinkat,
};
use rustix::io::Errno;
use rustix::net::{SocketAddrUnix, bind, connect, listen};
use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Clients that may wait to be accepted.
const BACKLOG: i32 = 128;
/// How long, and how often, to wait for another process that starts at the same path.
const TURN: Duration = Duration::from_millis(5);
const TURNS: usize = 200;

/// A listening socket.
#[derive(Debug)]
pub(crate) enum Listening {
    Unix(UnixListener, SocketFile),
    Tcp(TcpListener),
}

/// The file of a socket; removed when this is dropped.
#[derive(Debug)]
pub struct SocketFile {
    folder: OwnedFd,
    name: OsString,
    identity: (u64, u64),
}

/// Listens; returns the address to connect to.
pub(crate) fn start(at: &Address) -> io::Result<(Listening, Address)> {
    match at {
        Address::Unix(path) => {
            let (listener, file) = unix(path)?;
            Ok((Listening::Unix(listener, file), at.clone()))
        }
        Address::Tcp(address) => {
            let listener = TcpListener::bind(address.as_str())?;
            listener.set_nonblocking(true)?;
            let bound = Address::Tcp(listener.local_addr()?.to_string());
            Ok((Listening::Tcp(listener), bound))
        }
    }
}

/// Listens at a path, without blocking.
///
/// # Errors
///
/// If there is something else at the path, if another process listens there already, and those
/// of the system.
pub fn unix(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let above = match path.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    };
    // All operations use this directory, even if its path changes meanwhile.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = open(above, flags, Mode::empty())?;
    let _turn = take_turn(above);
    make_way(&folder, path, name)?;
    let socket = socket()?;
    // The file gets the mode of the socket, so no other user can connect in between.
    let mode = Mode::RUSR | Mode::WUSR;
    let has_mode = fchmod(&socket, mode).is_ok();
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    if !has_mode {
        // Some systems ignore the mode of a socket. But nobody can connect before it
        // listens.
        chmodat(&folder, name, mode, AtFlags::empty())?;
    }
    let made = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(made.st_mode) != FileType::Socket || !is_ours(&made) {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    let file = SocketFile {
        folder,
        name: name.to_owned(),
        identity: identity(&made),
    };
    if made.st_mode & 0o077 != 0 {
        let message = "other users could connect to the socket: its mode cannot be set to 0600";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    listen(&socket, BACKLOG)?;
    Ok((UnixListener::from(socket), file))
}

#[allow(clippy::unnecessary_cast, reason = "of other types elsewhere")]
fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino as u64)
}

/// A non-blocking socket that is closed on exec.
#[cfg(not(target_vendor = "apple"))]
fn socket() -> io::Result<OwnedFd> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        flags,
        None,
    )?)
}

/// The same in several steps, for systems without these flags.
#[cfg(target_vendor = "apple")]
fn socket() -> io::Result<OwnedFd> {
    use rustix::net::{AddressFamily, SocketType, socket};
    let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

fn is_ours(stat: &Stat) -> bool {
    stat.st_uid == rustix::process::geteuid().as_raw()
}

/// Two processes that find the same stale socket must not both replace it: the later one would
/// remove the new socket of the earlier one. If the lock cannot be taken in time it is done
/// without.
fn take_turn(folder: &Path) -> Option<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let lock = open(folder, flags, Mode::empty()).ok()?;
    for turn in 0..TURNS {
        if turn > 0 {
            std::thread::sleep(TURN);
        }
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => {}
            Ok(()) => return Some(lock),
            Err(_) => return None,
        }
    }
    None
}

/// Removes a socket of our own user that has no listener any more.
fn make_way(folder: &OwnedFd, path: &Path, name: &std::ffi::OsStr) -> io::Result<()> {
    let found = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => found,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if FileType::from_raw_mode(found.st_mode) != FileType::Socket {
        let message = format!("{} exists already and is not a socket", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
    }
    if !is_ours(&found) {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    let by_descriptor: PathBuf = ["/proc/self/fd", &folder.as_raw_fd().to_string()]
        .iter()
        .collect();
    let place = match by_descriptor.exists() {
        true => by_descriptor.join(name),
        false => path.to_owned(),
    };
    match connect(&socket()?, &SocketAddrUnix::new(place)?) {
        Err(Errno::CONNREFUSED) => {}
        Ok(()) | Err(Errno::AGAIN) => return Err(io::ErrorKind::AddrInUse.into()),
        Err(error) => return Err(error.into()),
    }
    let again = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if identity(&again) == identity(&found) {
        unlinkat(folder, name, AtFlags::empty())?;
    }
    Ok(())
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let found = statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW);
        if found.is_ok_and(|found| identity(&found) == self.identity) {
            let _ = unlinkat(&self.folder, &self.name, AtFlags::empty());
        }
    }
}
