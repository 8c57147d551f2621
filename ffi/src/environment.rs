//! The environment, read by the C library's own function: the standard library's cannot say that it found no memory.

use std::ffi::CStr;

use crate::memory::copied;
use crate::status::Result;

/// The value of a variable, if it is set.
///
/// Another thread of the program must not change the environment meanwhile, as whenever C reads it.
pub(crate) fn read(name: &CStr) -> Result<Option<Vec<u8>>> {
    // SAFETY: a string that ends in NUL.
    let value = unsafe { libc::getenv(name.as_ptr()) };
    if value.is_null() {
        return Ok(None);
    }
    // SAFETY: not null, so a string that ends in NUL; it is copied before anybody else gets to run on this thread.
    let value = unsafe { CStr::from_ptr(value) };
    Ok(Some(copied(value.to_bytes())?))
}
