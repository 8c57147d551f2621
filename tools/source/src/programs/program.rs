//! A program that was found.

use super::directory::{Directory, identity, with_suffix};
use super::slot::{self, Holder, Slot};
use crate::source::Source;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A program by its socket: one that runs, or one that has left it behind.
#[derive(Clone, Debug)]
pub struct Program {
    directory: Arc<Directory>,
    name: OsString,
    since: SystemTime,
    /// Device and number of the socket's file.
    file: (u64, u64),
}

/// Whether anybody is behind the socket of a program.
#[derive(Debug)]
pub enum Presence {
    /// A process has the socket open.
    Alive,
    /// Nobody has: the program was killed, or could not remove it.
    Dead,
    /// The socket is not there any more: the program has ended.
    Gone,
    /// That cannot be told.
    Unknown(io::Error),
}

impl Program {
    pub(super) fn new(directory: Arc<Directory>, name: &OsStr, socket: &Stat) -> Self {
        let since = Duration::new(
            u64::try_from(socket.st_mtime).unwrap_or(0),
            u32::try_from(socket.st_mtime_nsec).unwrap_or(0),
        );
        Self {
            directory,
            name: name.to_owned(),
            since: SystemTime::UNIX_EPOCH + since,
            file: identity(socket),
        }
    }

    /// Its name: that of its socket without what that ends in.
    pub fn name(&self) -> &OsStr {
        &self.name
    }

    /// The directory that it was found in.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// Since when it has the socket.
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// The path of its socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join(self.socket_name())
    }

    /// The path at which whoever holds its slot serves others.
    pub fn relay(&self) -> PathBuf {
        self.directory.path().join(self.relay_name())
    }

    /// The program as a source.
    pub fn source(&self) -> Source {
        Source::Unix(self.socket())
    }

    pub(super) fn socket_name(&self) -> OsString {
        with_suffix(&self.name, b".sock")
    }

    pub(super) fn relay_name(&self) -> OsString {
        with_suffix(&self.name, b".relay")
    }

    pub(super) fn lock_name(&self) -> OsString {
        with_suffix(&self.name, b".lock")
    }

    /// Whether the program is there. It is not disturbed by the question: its one slot for a client
    /// is neither taken nor waited for.
    pub fn presence(&self) -> Presence {
        match knock(&self.directory.way_to(&self.socket_name())) {
            // It is there, and streams, which this socket does not. The kernel says so before it
            // asks the program.
            Err(Errno::PROTOTYPE) | Ok(()) => Presence::Alive,
            Err(Errno::CONNREFUSED) => Presence::Dead,
            Err(Errno::NOENT) => Presence::Gone,
            Err(error) => Presence::Unknown(error.into()),
        }
    }

    /// Connects to the program itself. That takes its slot, if it is free: see
    /// [`take_slot`](Self::take_slot).
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(self.directory.way_to(&self.socket_name()))
    }

    /// Connects to whoever holds the slot of the program, and serves others.
    ///
    /// # Errors
    ///
    /// `NotFound` and `ConnectionRefused` mean that nobody does (any more).
    pub fn connect_to_relay(&self) -> io::Result<UnixStream> {
        UnixStream::connect(self.directory.way_to(&self.relay_name()))
    }

    /// Who holds the slot of the program.
    ///
    /// # Errors
    ///
    /// If that cannot be told.
    pub fn holder(&self) -> io::Result<Option<Holder>> {
        slot::holder(self)
    }

    /// Takes the slot of the program, for a verb of that name; `None` if somebody has it.
    ///
    /// # Errors
    ///
    /// If the file that stands for the slot cannot be made or locked.
    pub fn take_slot(&self, verb: &str) -> io::Result<Option<Slot>> {
        Slot::take(self, verb)
    }

    /// Removes the socket of a program that is dead, and what was made beside it. `false` if the
    /// program lives, or another has taken its place: then nothing is done.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    pub fn clean(&self) -> io::Result<bool> {
        // A program that starts removes what it finds dead, and makes its own socket, under this
        // lock: so what is dead now stays that, until it is removed here.
        let directory = &self.directory;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let turn = rustix::fs::openat(directory, ".", flags, Mode::empty())?;
        rustix::fs::flock(&turn, FlockOperation::LockExclusive)?;
        let name = self.socket_name();
        let about = match rustix::fs::statat(directory, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(false),
            about => about?,
        };
        if identity(&about) != self.file || !matches!(self.presence(), Presence::Dead) {
            return Ok(false);
        }
        rustix::fs::unlinkat(directory, &name, AtFlags::empty())?;
        // Nobody can serve a program that is dead; whoever still has the slot will see that, and
        // clean up.
        drop(self.take_slot("list")?);
        Ok(true)
    }
}

/// Connects with a socket of the wrong type, which the kernel refuses if it finds somebody there.
fn knock(path: &Path) -> Result<(), Errno> {
    let address = SocketAddrUnix::new(path)?;
    let socket: OwnedFd = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    rustix::net::connect(&socket, &address)
}
