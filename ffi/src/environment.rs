//! The environment, read by the C library's own function: the standard library's cannot say that it found no memory.
//!
//! Who starts a program that has more rights than they have (setuid, file capabilities) chooses its environment, and must not
//! choose files for it. For such a program nothing is set.

use std::ffi::CStr;

use crate::expansion::expand;
use crate::memory::{OutOfMemory, copied};

/// The value of a variable, if it is set.
///
/// Another thread of the program must not change the environment meanwhile, as whenever C reads it.
pub(crate) fn read(name: &CStr) -> Result<Option<Vec<u8>>, OutOfMemory> {
    if has_more_rights() {
        return Ok(None);
    }
    // SAFETY: a string that ends in NUL.
    let value = unsafe { libc::getenv(name.as_ptr()) };
    if value.is_null() {
        return Ok(None);
    }
    // SAFETY: not null, so a string that ends in NUL; it is copied before anybody else gets to run on this thread.
    let value = unsafe { CStr::from_ptr(value) };
    Ok(Some(copied(value.to_bytes())?))
}

/// The path in a variable, if it is set, with what it asks for in its place.
pub(crate) fn read_path(name: &CStr) -> Result<Option<Vec<u8>>, OutOfMemory> {
    match read(name)? {
        Some(path) => Ok(Some(expand(&path)?)),
        None => Ok(None),
    }
}

/// The program has rights that whoever started it may lack: the system says so.
#[cfg(target_os = "linux")]
fn has_more_rights() -> bool {
    const AT_SECURE: libc::c_ulong = 23;
    // SAFETY: no pointers.
    unsafe { libc::getauxval(AT_SECURE) != 0 }
}

#[cfg(not(target_os = "linux"))]
fn has_more_rights() -> bool {
    // SAFETY: no arguments.
    unsafe { libc::issetugid() != 0 }
}
