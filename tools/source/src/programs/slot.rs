//! The one place for a client that a program has, and who has it.
//!
//! Among whoever watches, the slot is a file that is locked: the lock ends with the process that
//! has it, however that ends. The file says who it is.

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

/// How often to begin again if the file is removed just then.
const ATTEMPTS: u32 = 100;
/// No holder says more.
const LONGEST: u64 = 200;

/// Who holds the slot of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The process; unknown for a moment, while it takes the slot.
    pub pid: Option<u32>,
    /// What it does: `show`, `record`.
    pub verb: Option<String>,
    /// Since when.
    pub since: SystemTime,
}

/// The slot of a program, held by us.
///
/// Dropped, it is free again, and what was made at [`relay`](Self::relay) is removed.
#[derive(Debug)]
pub struct Slot {
    program: Program,
    /// Locked.
    _file: File,
}

impl Slot {
    /// Takes the slot of the program, for a verb of that name; `None` if somebody has it.
    ///
    /// # Errors
    ///
    /// If the file that stands for the slot cannot be made or locked.
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
            // Whoever had it before has removed it meanwhile, perhaps: then it is no lock of
            // anything.
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

    /// Where to serve others. Nothing is there.
    pub fn relay(&self) -> PathBuf {
        self.address(self.program.relay(), &self.program.relay_name())
    }

    /// A path for a socket that no other process looks for. Nothing is there.
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

    /// The path, or another one that fits an address.
    fn address(&self, path: PathBuf, file: &OsStr) -> PathBuf {
        match path.as_os_str().len() <= LONGEST_SOCKET_PATH {
            true => path,
            false => self.program.directory().way_to(file),
        }
    }

    /// What is there was left by a holder that was killed, or is our own and done with.
    fn remove(&self, file: &OsStr) -> io::Result<()> {
        self.program.directory().remove(file)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let _ = self.remove(&self.program.relay_name());
        let _ = self.remove_private();
        // While it is locked: whoever has it open already sees that it lost its name.
        let _ = self.remove(&self.program.lock_name());
    }
}

impl Holder {
    /// Who holds the slot of the program.
    ///
    /// # Errors
    ///
    /// If that is not known.
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
            // It ends with the descriptor; a process that wanted the slot just then tries again.
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

/// It is made by whoever watches, in a directory of our own user: anything else is a mistake, and
/// left alone.
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
