//! Removes files left behind by programs and tools that were killed.

use super::directory::{Directory, own_user};
use super::program::{Presence, Program};
use super::slot::Slot;
use rustix::fs::{FileType, FlockOperation, Mode, OFlags};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

/// The verb under which the slot is held meanwhile.
const VERB: &str = "list";

/// Removes the socket of a dead program, and the files beside it. `false` if the program is alive,
/// or another has replaced it: then nothing is removed.
///
/// # Errors
///
/// If it cannot be removed.
pub fn clean(program: &Program) -> io::Result<bool> {
    // A program that starts removes dead sockets, and makes its own, under this lock: so a socket
    // that is dead now stays dead until it is removed here.
    let directory = program.directory();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let turn = rustix::fs::openat(directory, ".", flags, Mode::empty())?;
    rustix::fs::flock(&turn, FlockOperation::LockExclusive)?;
    let name = program.socket_name();
    let is_it = program.is_file(directory.look(&name)?.as_ref());
    if !is_it || !matches!(program.presence(), Presence::Dead) {
        return Ok(false);
    }
    directory.remove(&name)?;
    // A process that still holds the slot of a dead program notices that, and cleans up.
    drop(Slot::take(program, VERB)?);
    Ok(true)
}

/// Removes what is left of programs that no longer exist: files that a holder of their slot made,
/// and did not remove because it was killed.
///
/// # Errors
///
/// If the directory cannot be read, or something cannot be removed.
pub fn sweep(directory: &Arc<Directory>) -> io::Result<()> {
    for file in directory.files()? {
        let bytes = file.as_bytes();
        let visible = bytes
            .strip_suffix(b".lock")
            .or(bytes.strip_suffix(b".relay"));
        let hidden = bytes.strip_prefix(b".");
        let name = visible.or(hidden.and_then(|file| file.strip_suffix(b".own")));
        let Some(name) = name.filter(|name| !name.is_empty()).map(OsStr::from_bytes) else {
            continue;
        };
        let Some(about) = directory.look(&file)? else {
            continue;
        };
        let kind = FileType::from_raw_mode(about.st_mode);
        let ours = matches!(kind, FileType::Socket | FileType::RegularFile);
        if ours && about.st_uid == own_user() && Program::named(directory, name)?.is_none() {
            // The holder of the slot cleans up. If there is none, this does.
            drop(Slot::take(
                &Program::new(Arc::clone(directory), name, &about),
                VERB,
            )?);
        }
    }
    Ok(())
}
