//! The slot of a program: its only place for a client, and which process holds it.
//!
//! Among tools that watch, the slot is a locked file: the lock ends with the process that holds it,
//! however that ends. The file contains who holds it.

use super::directory::{identity, own_user};
use super::program::Program;
use crate::source::LONGEST_SOCKET_PATH;
use rustix::fs::{FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::SystemTime;

/// How often to try again if the file is removed at that moment.
const ATTEMPTS: u32 = 100;
/// No holder writes more bytes than this.
const LONGEST: u64 = 200;

/// The process that holds the slot of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process id; unknown for a moment, while it takes the slot.
    pub pid: Option<u32>,
    /// What it is doing: `show`, `record`.
    pub verb: Option<String>,
    /// Since when it holds the slot.
    pub since: SystemTime,
}

/// The slot of a program, held by us.
///
/// When this is dropped, the slot is free again, and what was made at [`relay`](Self::relay) is
/// removed.
#[derive(Debug)]
pub struct Slot {
    program: Program,
    /// The locked file.
    _file: File,
}

impl Slot {
    /// Takes the slot of the program, for a verb of that name; `None` if another process holds it.
    ///
    /// # Errors
    ///
    /// If the file of the slot cannot be made or locked.
    pub fn take(program: &Program, verb: &str) -> io::Result<Option<Self>> {
        let (directory, name) = (program.directory(), program.lock_name());
        for _ in 0..ATTEMPTS {
            let flags = OFlags::RDWR
                | OFlags::CREATE
                | OFlags::NOFOLLOW
                | OFlags::NONBLOCK
                | OFlags::CLOEXEC;
            let file = rustix::fs::openat(directory, &name, flags, Mode::RUSR | Mode::WUSR)?;
            let mut file = File::from(file);
            check(&file)?;
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            // The previous holder may have removed it meanwhile: then our lock has no effect.
            if !is_named(program, &file)? {
                continue;
            }
            file.set_len(0)?;
            writeln!(file, "{} {verb}", std::process::id())?;
            let slot = Self {
                program: program.clone(),
                _file: file,
            };
            slot.remove(&program.relay_name())?;
            slot.remove_private()?;
            return Ok(Some(slot));
        }
        Ok(None)
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Connects to the program.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn connect(&self) -> io::Result<UnixStream> {
        self.program.connect()
    }

    /// The path at which to serve others. Nothing exists there.
    pub fn relay(&self) -> PathBuf {
        self.address(self.program.relay(), &self.program.relay_name())
    }

    /// A path for a socket that no other process looks for. Nothing exists there.
    pub fn private(&self) -> PathBuf {
        let name = self.program.private_name();
        self.address(self.program.directory().path().join(&name), &name)
    }

    /// Removes what was made at [`private`](Self::private).
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn remove_private(&self) -> io::Result<()> {
        self.remove(&self.program.private_name())
    }

    /// The path, or a shorter one that fits into a socket address.
    fn address(&self, path: PathBuf, file: &OsStr) -> PathBuf {
        match path.as_os_str().len() <= LONGEST_SOCKET_PATH {
            true => path,
            false => self.program.directory().way_to(file),
        }
    }

    /// Removes a file that was left by a holder that was killed, or that is our own and not needed
    /// any more.
    fn remove(&self, file: &OsStr) -> io::Result<()> {
        self.program.directory().remove(file)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let _ = self.remove(&self.program.relay_name());
        let _ = self.remove_private();
        // Removed while it is locked: a process that has it open already sees that its name is
        // gone.
        let _ = self.remove(&self.program.lock_name());
    }
}

impl Holder {
    /// The process that holds the slot of the program.
    ///
    /// # Errors
    ///
    /// If this cannot be found out.
    pub fn of(program: &Program) -> io::Result<Option<Self>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let name = program.lock_name();
        let file = match rustix::fs::openat(program.directory(), &name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        check(&file)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
            // This lock ends with the descriptor; a process that wanted the slot at that moment
            // tries again.
            Ok(()) => return Ok(None),
            Err(Errno::WOULDBLOCK) => {}
            Err(error) => return Err(error.into()),
        }
        let mut text = Vec::new();
        (&file).take(LONGEST).read_to_end(&mut text)?;
        let text = String::from_utf8_lossy(&text);
        let mut words = text.split_whitespace();
        Ok(Some(Self {
            pid: words.next().and_then(|pid| pid.parse().ok()),
            verb: words.next().map(str::to_owned),
            since: file.metadata()?.modified()?,
        }))
    }
}

/// The lock file is made by tools that watch, in a directory of our own user: anything else is a
/// mistake, and is not touched.
fn check(file: &File) -> io::Result<()> {
    let about = rustix::fs::fstat(file)?;
    let regular = FileType::from_raw_mode(about.st_mode) == FileType::RegularFile;
    match regular && about.st_uid == own_user() {
        true => Ok(()),
        false => Err(io::Error::other("its lock is not a file of our own user")),
    }
}

/// Whether the file still has the name of the lock.
fn is_named(program: &Program, file: &impl AsFd) -> io::Result<bool> {
    let own = identity(&rustix::fs::fstat(file)?);
    let named = program.directory().look(&program.lock_name())?;
    Ok(named.is_some_and(|named| identity(&named) == own))
}
