//! A program that was found.

use super::directory::{Directory, identity, own_user};
use crate::source::Source;
use rustix::fs::{FileType, Stat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A program, identified by its socket: it runs, or has left the socket behind.
#[derive(Clone, Debug)]
pub struct Program {
    directory: Arc<Directory>,
    name: OsString,
    since: SystemTime,
    /// Device and inode number of the socket's file.
    file: (u64, u64),
}

/// Whether a process has the socket of a program open.
#[derive(Debug)]
pub enum Presence {
    /// A process has the socket open.
    Alive,
    /// No process has: the program was killed, or could not remove the socket.
    Dead,
    /// The socket does not exist any more: the program has ended.
    Gone,
    /// This could not be found out.
    Unknown(io::Error),
}

/// The suffix of the sockets of programs.
const SOCKET: &[u8] = b".sock";

impl Program {
    /// All programs that have a socket in the directory, by name. [`presence`](Self::presence)
    /// shows whether they still run.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read.
    pub fn all(directory: &Arc<Directory>) -> io::Result<Vec<Self>> {
        let mut programs = Vec::new();
        for file in directory.files()? {
            programs.extend(Self::of_file(directory, &file)?);
        }
        programs.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(programs)
    }

    /// The program with this name; `None` if it has no socket.
    ///
    /// # Errors
    ///
    /// If this cannot be found out.
    pub fn named(directory: &Arc<Directory>, name: &OsStr) -> io::Result<Option<Self>> {
        Self::of_file(directory, &with_suffix(name, SOCKET))
    }

    /// The program whose socket is at this path, if that is in this directory, under whatever path.
    ///
    /// # Errors
    ///
    /// If this cannot be found out.
    pub fn at(directory: &Arc<Directory>, socket: &Path) -> io::Result<Option<Self>> {
        let Some(file) = socket.file_name() else {
            return Ok(None);
        };
        let above = match socket.parent() {
            Some(above) if !above.as_os_str().is_empty() => above,
            _ => Path::new("."),
        };
        match directory.is_at(above) {
            true => Self::of_file(directory, file),
            false => Ok(None),
        }
    }

    /// The program of a file, if it is the socket of one.
    fn of_file(directory: &Arc<Directory>, file: &OsStr) -> io::Result<Option<Self>> {
        let Some(name) = file.as_bytes().strip_suffix(SOCKET) else {
            return Ok(None);
        };
        if name.is_empty() || name.starts_with(b".") || name.contains(&b'/') {
            return Ok(None);
        }
        let Some(about) = directory.look(file)? else {
            return Ok(None);
        };
        let socket = FileType::from_raw_mode(about.st_mode) == FileType::Socket;
        let ours = socket && about.st_uid == own_user();
        let name = OsStr::from_bytes(name);
        Ok(ours.then(|| Self::new(Arc::clone(directory), name, &about)))
    }

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

    /// Its name: that of its socket without the suffix.
    pub fn name(&self) -> &OsStr {
        &self.name
    }

    /// The directory that it was found in.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// Since when the socket exists.
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// The path of its socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join(self.socket_name())
    }

    /// The path at which the holder of its slot serves others.
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

    /// The file name of a socket that other processes do not look for.
    pub(super) fn private_name(&self) -> OsString {
        let mut hidden = OsString::from(".");
        hidden.push(with_suffix(&self.name, b".own"));
        hidden
    }

    pub(super) fn lock_name(&self) -> OsString {
        with_suffix(&self.name, b".lock")
    }

    /// Whether the program runs. The check does not disturb it: its one slot for a client is
    /// neither taken nor waited for.
    pub fn presence(&self) -> Presence {
        match knock(&self.directory.way_to(&self.socket_name())) {
            // It exists, and is a stream socket, unlike ours. The kernel reports that without
            // involving the program.
            Ok(()) => Presence::Alive,
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::PROTOTYPE) => Presence::Alive,
                Some(Errno::CONNREFUSED) => Presence::Dead,
                Some(Errno::NOENT) => Presence::Gone,
                _ => Presence::Unknown(error),
            },
        }
    }

    /// Whether that is its socket, and not that of another program with its name.
    pub(super) fn is_file(&self, about: Option<&Stat>) -> bool {
        about.is_some_and(|about| identity(about) == self.file)
    }

    /// Whether this very program still exists, and not another one with its name.
    pub fn is_still_there(&self) -> bool {
        let name = self.socket_name();
        self.is_file(self.directory.look(&name).ok().flatten().as_ref())
            && matches!(self.presence(), Presence::Alive)
    }

    /// Connects to the program itself. This takes its slot, if it is free: see
    /// [`Slot`](super::Slot).
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(self.directory.way_to(&self.socket_name()))
    }

    /// Connects to the holder of the slot of the program, which serves others.
    ///
    /// # Errors
    ///
    /// `NotFound` and `ConnectionRefused` mean that there is no holder (any more).
    pub fn connect_to_relay(&self) -> io::Result<UnixStream> {
        UnixStream::connect(self.directory.way_to(&self.relay_name()))
    }
}

/// The name with a suffix.
fn with_suffix(name: &OsStr, suffix: &[u8]) -> OsString {
    let mut file = name.to_owned();
    file.push(OsStr::from_bytes(suffix));
    file
}

/// Connects with a socket of the wrong type, which the kernel refuses if a process listens there.
fn knock(path: &Path) -> io::Result<()> {
    UnixDatagram::unbound()?.connect(path)
}
