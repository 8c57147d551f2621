//! The Unix socket, and the rules for the file it leaves in the file system.
//!
//! * A file that is not a socket is never touched.
//! * A socket that somebody listens on is left to them; one that nobody
//!   listens on is left over from a dead process and replaced. Where others may write to
//!   the directory, only if it is our own user's.
//! * The file is only its owner's (mode 0600).
//! * At the end the file is removed if it is still the one that was made here.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use super::BACKLOG;
use crate::folder::{Folder, Found, Place, Problem, join, look_by_path};
use crate::fork;
use crate::identity::Identity;
use crate::last_problem::Part;
use crate::limits;
use crate::status::{Error, Result};

/// How long, and how often, to wait for others who start at the same place.
const TURN: Duration = Duration::from_millis(5);
const TURNS: usize = 200;

/// The file of a listening socket.
#[derive(Debug)]
pub(crate) struct SocketFile {
    place: Place,
    folder: Folder,
    identity: Identity,
}

impl SocketFile {
    /// Remove the file if it is still ours. Async-signal-safety is not needed;
    /// called by the poll thread and at exit, where the loser finds it gone.
    pub(crate) fn remove(&self) {
        let SocketFile { place, folder, .. } = self;
        // Gone already is as good.
        if folder.is_open() {
            let _ = folder.remove(&place.name, self.identity);
        } else if let Ok(again) = Folder::open(&place.folder)
            && again.identity() == folder.identity()
        {
            // The program has closed the descriptor.
            let _ = again.remove(&place.name, self.identity);
        }
    }

    /// Its path still leads to it: clients find it. If that cannot be told, they may.
    pub(crate) fn is_there(&self) -> bool {
        match look_by_path(&self.place.path) {
            Ok(found) => found.is_some_and(|found| found.identity == self.identity),
            Err(_) => true,
        }
    }

    pub(crate) fn path(&self) -> &CStr {
        &self.place.path
    }

    pub(crate) fn folder_path(&self) -> &CStr {
        &self.place.folder
    }

    /// It is gone: listen at its path again. Only if nothing is there, and nobody may do
    /// more in the directory than they might at the start. Allocates no memory but for
    /// paths, and does without where there is none.
    pub(crate) fn make_again(&self) -> Result<(OwnedFd, SocketFile), Problem> {
        let Place { path, name, .. } = &self.place;
        let folder = Folder::open(&self.place.folder)?;
        if !folder.is_as_safe_as(&self.folder) {
            return Err(Problem::new(libc::EPERM));
        }
        // A lock that somebody keeps does not stop us: nothing is removed here.
        let _turn = try_to_lock(&folder);
        if folder.look(name)?.is_some() {
            return Err(Problem::new(libc::EADDRINUSE));
        }
        let place = Place {
            path: join(&[path.to_bytes()])?,
            folder: join(&[self.place.folder.to_bytes()])?,
            name: join(&[name.to_bytes()])?,
        };
        let short = (path.count_bytes() <= limits::SOCKET_PATH).then(|| path.to_bytes());
        // The program has changed its directory since it gave a shorter path.
        let by_descriptor = join(&[
            b"/proc/self/fd/",
            Decimal::of(folder.fd()).digits(),
            b"/",
            name.to_bytes(),
        ])?;
        listen_in(place, folder, short.unwrap_or(by_descriptor.to_bytes()))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        fork::disown(fork::Slot::SocketFolder, self.folder.fd());
    }
}

/// A number in digits, without memory for them.
struct Decimal([u8; 10], usize);

impl Decimal {
    fn of(number: i32) -> Decimal {
        let (mut digits, mut at, mut left) = ([0; 10], 10, number.unsigned_abs());
        loop {
            at -= 1;
            digits[at] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                return Decimal(digits, at);
            }
        }
    }

    fn digits(&self) -> &[u8] {
        &self.0[self.1..]
    }
}

/// Listen at `path`.
pub(crate) fn listen(path: &[u8]) -> Result<(OwnedFd, SocketFile)> {
    if path.is_empty() || path.contains(&0) {
        let problem = Problem::new(libc::EINVAL);
        return Err(Error::file(Part::Socket, path, problem));
    }
    let listening = if path.len() > limits::SOCKET_PATH {
        Err(Problem::new(libc::ENAMETOOLONG))
    } else {
        start(path)
    };
    listening.map_err(|problem| Error::file(Part::Socket, path, problem))
}

fn start(path: &[u8]) -> Result<(OwnedFd, SocketFile), Problem> {
    let place = Place::of(path)?;
    let folder = Folder::open_or_make(&place.folder)?;
    let _turn = take_turn(&folder);
    make_way(&folder, &place)?;
    listen_in(place, folder, path)
}

/// `path` leads to the place, and fits an address.
fn listen_in(place: Place, folder: Folder, path: &[u8]) -> Result<(OwnedFd, SocketFile), Problem> {
    let socket = super::socket(libc::AF_UNIX)?;
    // On Linux the file gets the mode of the socket, so that nobody else can
    // connect in between; elsewhere this may fail, and the mode is set below.
    // SAFETY: a descriptor that is open.
    unsafe { libc::fchmod(socket.as_raw_fd(), 0o600) };
    // It makes the file, and never takes one that is there.
    bind(&socket, path)?;
    let made = match folder.look(&place.name)? {
        Some(found) if found.kind == libc::S_IFSOCK && folder.may_touch(&found) => found,
        Some(_) => return Err(Problem::foreign(libc::EADDRINUSE)),
        // Gone already, or not in this directory: somebody has exchanged it.
        None => return Err(Problem::new(libc::ENOENT)),
    };
    fork::own(fork::Slot::SocketFolder, Some(folder.fd()));
    let file = SocketFile {
        place,
        folder,
        identity: made.identity,
    };
    let listening = restrict(&file.folder, &file.place.name, &made)
        .and_then(|()| super::listen(&socket, BACKLOG));
    if let Err(error) = listening {
        file.remove();
        return Err(error.into());
    }
    Ok((socket, file))
}

/// Let nobody but its owner connect. As a rule that is so already. By its path the mode is
/// never changed: a path may lead to another file by then.
fn restrict(folder: &Folder, name: &CStr, made: &Found) -> io::Result<()> {
    if made.mode & 0o777 == 0o600 {
        return Ok(());
    }
    match change_mode(folder, name, made.identity) {
        // The owner may do less than was asked for, and nobody else anything.
        Err(_) if made.mode & 0o077 == 0 => Ok(()),
        // Nobody else can have replaced it.
        Err(_) if !folder.others_may_write() => folder.change_mode(name, 0o600),
        changed => changed,
    }
}

/// Of this very file, whatever has its name by then.
#[cfg(target_os = "linux")]
fn change_mode(folder: &Folder, name: &CStr, file: Identity) -> io::Result<()> {
    let descriptor = folder.open_to_look(name)?;
    if Found::behind(&descriptor)?.identity != file {
        return Err(io::Error::from_raw_os_error(libc::ENOENT));
    }
    let path = descriptor_path(&descriptor)?;
    // SAFETY: a string.
    if unsafe { libc::chmod(path.as_ptr(), 0o600) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn change_mode(folder: &Folder, name: &CStr, _file: Identity) -> io::Result<()> {
    folder.change_mode(name, 0o600)
}

/// A path that leads to what a descriptor is of, whatever its name is by now.
#[cfg(target_os = "linux")]
fn descriptor_path(descriptor: &OwnedFd) -> io::Result<std::ffi::CString> {
    let digits = Decimal::of(descriptor.as_raw_fd());
    join(&[b"/proc/self/fd/", digits.digits()])
}

/// Two processes that find the same stale socket must not both replace it: the
/// later one would take away what the earlier one has just made. The lock is on the
/// directory, so that it leaves no file; it ends with the descriptor. Where it cannot
/// be had (some network file systems), or somebody keeps it, it is done without.
fn take_turn(folder: &Folder) -> Option<File> {
    for turn in 0..TURNS {
        if turn > 0 {
            std::thread::sleep(TURN);
        }
        match try_to_lock(folder) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            locked => return locked.ok(),
        }
    }
    None
}

fn try_to_lock(folder: &Folder) -> io::Result<File> {
    let directory = folder.open_to_lock()?;
    // SAFETY: an open descriptor.
    if unsafe { libc::flock(directory.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(directory)
}

/// Remove a socket that nobody listens on any more.
fn make_way(folder: &Folder, place: &Place) -> Result<(), Problem> {
    let Some(found) = folder.look(&place.name)? else {
        return Ok(());
    };
    if found.kind != libc::S_IFSOCK {
        return Err(Problem::new(libc::ENOTSOCK));
    }
    if !folder.may_touch(&found) {
        return Err(Problem::foreign(libc::EADDRINUSE));
    }
    match probe(folder, place, found.identity) {
        Err(error) if error.raw_os_error() == Some(libc::ECONNREFUSED) => {
            match folder.remove(&place.name, found.identity) {
                // Somebody else was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                removed => Ok(removed?),
            }
        }
        // Somebody answers, or would if their queue were not full, or may not be
        // asked: theirs.
        _ => Err(Problem::new(libc::EADDRINUSE)),
    }
}

/// Connect to this very file without waiting. A path could lead elsewhere by then, to
/// somebody else's socket.
#[cfg(target_os = "linux")]
fn probe(folder: &Folder, place: &Place, file: Identity) -> io::Result<OwnedFd> {
    let descriptor = folder.open_to_look(&place.name)?;
    if Found::behind(&descriptor)?.identity != file {
        return Err(io::Error::from_raw_os_error(libc::EADDRINUSE));
    }
    let path = descriptor_path(&descriptor)?;
    match connect(path.to_bytes()) {
        // Without /proc there is only the name.
        Err(error) if error.kind() == io::ErrorKind::NotFound => connect_by_name(folder, place),
        connected => connected,
    }
}

#[cfg(not(target_os = "linux"))]
fn probe(folder: &Folder, place: &Place, _file: Identity) -> io::Result<OwnedFd> {
    connect_by_name(folder, place)
}

fn connect_by_name(folder: &Folder, place: &Place) -> io::Result<OwnedFd> {
    if folder.others_may_write() || place.path.count_bytes() > limits::SOCKET_PATH {
        return Err(io::Error::from_raw_os_error(libc::EADDRINUSE));
    }
    connect(place.path.to_bytes())
}

fn connect(path: &[u8]) -> io::Result<OwnedFd> {
    let socket = super::socket(libc::AF_UNIX).map_err(|_| io::ErrorKind::Other)?;
    let (address, len) = address(path);
    // SAFETY: an open socket, and an address of the length given.
    let connected = unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), len) };
    if connected < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(socket)
}

fn bind(socket: &OwnedFd, path: &[u8]) -> io::Result<()> {
    let (address, len) = address(path);
    // SAFETY: an open socket, and an address of the length given.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len) };
    if bound < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// What is longer than an address can be is cut: callers have seen that it fits.
fn address(path: &[u8]) -> (libc::sockaddr_un, libc::socklen_t) {
    // SAFETY: all zeroes are a value of this C struct.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let bytes = &path[..path.len().min(limits::SOCKET_PATH)];
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = *from as libc::c_char;
    }
    let len = std::mem::offset_of!(libc::sockaddr_un, sun_path) + bytes.len() + 1;
    (address, len as libc::socklen_t)
}
